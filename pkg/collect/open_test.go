package collect_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/record"
)

type resolve func(context.Context, []record.HistoryQuestion) ([]record.HistoryAnswer, error)

// finding answers everything alike.
func finding(f record.Finding, final bool) resolve {
	return func(_ context.Context, questions []record.HistoryQuestion) (all []record.HistoryAnswer, _ error) {
		for _, q := range questions {
			all = append(all, record.HistoryAnswer{Question: q, Finding: f, Reason: "as planted", Final: final})
		}
		return all, nil
	}
}

// unreachable is a source of history that cannot be connected to.
type unreachable struct{ scribe }

func (unreachable) Connect(context.Context, connector.Env) (connector.Connector, error) {
	return nil, connector.Errorf(connector.ClassUnreachable, nil, "the scribe is not there")
}

func scribeThat(r resolve) collect.Source {
	return scribeSource("scribe", scribe{head: 9, repository: shopRepository, resolve: r})
}

// open is what the cursor of the shelf says of deployments to be looked at again.
func (h *house) open(t *testing.T) time.Time {
	t.Helper()
	file, _, found, err := cursor.Store{Dir: filepath.Join(h.state(), "cursors")}.Load("shelf", "shelf")
	check(t, err)
	if !found {
		t.Fatal("there is no cursor")
	}
	return file.Open[record.StreamWorkloads]
}

func at(minute int) time.Time { return start().Add(time.Duration(minute) * time.Minute) }

// What was not answered of a deployment is asked again when the window has moved on,
// and of nothing else is told more.
func TestWhatWasNotAnsweredIsAskedAgainLater(t *testing.T) {
	h := newHouse(t)
	cart, early := rollout("cart", 30, 2, 5), rollout("early", 25, 2, 5)
	plain := rollout("plain", 31, 2, 5)
	plain.Claims, plain.Revisions[0].Claims, plain.Revisions[1].Claims = nil, nil, nil
	superseded := rollout("cart", 30, 2, 5)
	superseded.Revisions = append(superseded.Revisions, rollout("cart", 100, 5, 7).Revisions[1])
	superseded.Revisions[2].Name, superseded.Revisions[2].UID, superseded.Revisions[2].Number = "cart-three", "uid-three", 3
	superseded.Rollout.Updated, superseded.Claims = at(101), superseded.Revisions[2].Claims
	for i, step := range []struct {
		minute  int
		scribe  resolve
		records []record.Record
		want    []string
		asked   time.Time // from when on
		open    time.Time // afterwards
	}{
		{35, finding(record.Unanswered, false), []record.Record{cart, plain}, []string{"cart medium unknown", "plain low"}, at(-25), at(30)},
		{95, finding(record.Unanswered, false), []record.Record{cart, plain}, nil, at(30), at(30)},
		// What nobody told of before is none of it, nor what is new later on.
		{200, finding(record.Unanswered, false), []record.Record{superseded, plain, early}, []string{"cart medium unknown"}, at(30), at(30)},
		{300, nil, []record.Record{superseded, plain, early}, []string{"cart medium ahead", "cart medium ahead"}, at(30), time.Time{}},
		{400, nil, []record.Record{superseded, plain, early}, nil, at(300), time.Time{}},
		{500, finding(record.Unanswered, false), []record.Record{superseded, plain, early}, nil, at(400), time.Time{}},
	} {
		h.now = at(step.minute)
		out := h.run(h.options(shelfSource(step.records...), scribeThat(step.scribe)))
		got := tied(t, out.Dir)
		if diff := gocmp.Diff(append([]string{}, step.want...), got); diff != "" {
			t.Errorf("run %d:\n%s", i, diff)
		}
		if open := h.open(t); !open.Equal(step.open) {
			t.Errorf("run %d: open from %v on, want %v", i, open, step.open)
		}
		src := sourceOf(t, out, "shelf")
		if from := src.Streams[0].Asked.Start; !from.Equal(step.asked) {
			t.Errorf("run %d: asked from %v on, want %v", i, from, step.asked)
		}
		back := slices.ContainsFunc(src.Notes, func(n string) bool { return strings.Contains(n, "goes back to") })
		if back != (i > 0 && step.asked.Equal(at(30))) || src.Status != manifest.StatusComplete {
			t.Errorf("run %d: %s, notes %q", i, src.Status, src.Notes)
		}
	}
}

// Only what another run may be told is asked again.
func TestWhatIsLeftOpen(t *testing.T) {
	fails := func(context.Context, []record.HistoryQuestion) ([]record.HistoryAnswer, error) {
		return nil, errors.New("planted")
	}
	first := finding(record.Unanswered, false)
	for name, tt := range map[string]struct {
		scribe *collect.Source
		open   bool
	}{
		"a limit":              {own(scribeThat(first)), true},
		"a failure":            {own(scribeThat(fails)), true},
		"it is not there":      {&collect.Source{Name: "scribe", Type: "scribe", Config: unreachable{}, ConfigDigest: "x"}, true},
		"not found":            {own(scribeThat(finding(record.NotFound, false))), false},
		"ambiguous":            {own(scribeThat(finding(record.Ambiguous, false))), false},
		"unreadable":           {own(scribeThat(finding(record.Unreadable, false))), false},
		"of another host":      {own(scribeThat(finding(record.Unanswered, true))), false},
		"nobody is configured": {nil, false},
		"all is answered":      {own(scribeThat(nil)), false},
	} {
		h := newHouse(t)
		h.now = at(35)
		sources := []collect.Source{shelfSource(rollout("cart", 30, 2, 5))}
		if tt.scribe != nil {
			sources = append(sources, *tt.scribe)
		}
		out := h.run(h.options(sources...))
		if got := tied(t, out.Dir); len(got) != 1 {
			t.Errorf("%s: %v", name, got)
		}
		if open := h.open(t); open.IsZero() == tt.open {
			t.Errorf("%s: open from %v on", name, open)
		}
	}
}

func own(s collect.Source) *collect.Source { return &s }

func TestARunWithNobodyToAskLeavesItOpen(t *testing.T) {
	h := newHouse(t)
	shelf := shelfSource(rollout("cart", 30, 2, 5))
	h.now = at(35)
	h.run(h.options(shelf, scribeThat(finding(record.Unanswered, false))))
	h.now = at(120)
	h.run(h.options(shelf))
	if open := h.open(t); !open.Equal(at(30)) {
		t.Errorf("open from %v on", open)
	}
	h.now = at(200)
	if got := tied(t, h.run(h.options(shelf, scribeThat(nil))).Dir); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// After a day it is given up, and that is said once.
func TestWhatNobodyAnswersForADayIsGivenUp(t *testing.T) {
	for _, asked := range []bool{true, false} {
		h := newHouse(t)
		for i, minute := range []int{35, 35 + 24*60 + 5, 35 + 24*60 + 20} {
			h.now = at(minute)
			sources := []collect.Source{shelfSource(rollout("cart", 30, 2, 5))}
			if asked || i == 0 {
				sources = append(sources, scribeThat(finding(record.Unanswered, false)))
			}
			out := h.run(h.options(sources...))
			given := slices.ContainsFunc(sourceOf(t, out, "shelf").Notes, func(n string) bool { return strings.Contains(n, "stay as they were told") })
			if given != (i == 1) || h.open(t).IsZero() != (i > 0) {
				t.Errorf("asked %v, run %d: notes %q, open from %v on", asked, i, sourceOf(t, out, "shelf").Notes, h.open(t))
			}
			if got := tied(t, out.Dir); len(got) > 0 != (i == 0) {
				t.Errorf("asked %v, run %d: %v", asked, i, got)
			}
		}
	}
}
