package collect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

// shelf is a source that gives whatever lies on it, whatever it is asked for.
type shelf struct {
	connectortest.Config
	records *[]record.Record
}

func (s shelf) Connect(context.Context, connector.Env) (connector.Connector, error) {
	return fetch{&connectortest.Memory{}, s.records}, nil
}

type fetch struct {
	*connectortest.Memory
	records *[]record.Record
}

func (fetch) Capabilities() connector.Capabilities {
	return connector.Capabilities{Streams: []connector.Stream{{Name: record.StreamWorkloads, Incremental: true, Overlap: connectortest.Overlap}}}
}

func (f fetch) Collect(_ context.Context, req connector.Request, emit func(record.Record) error) (connector.Result, error) {
	asked := req.WindowOf(record.StreamWorkloads)
	result := connector.Result{Coverage: []connector.Coverage{{Stream: record.StreamWorkloads, Status: connector.Complete, Asked: asked, Answered: asked}}}
	for _, r := range *f.records {
		if err := emit(r); err != nil {
			return result, err
		}
	}
	return result, nil
}

// told gives the rollouts of a run as "revision status", in order.
func told(t *testing.T, dir string) []string {
	t.Helper()
	all := []string{}
	for _, text := range evidenceOf(t, dir, "shelf") {
		for line := range bytes.Lines([]byte(text)) {
			var e evidence.Event
			check(t, json.Unmarshal(line, &e))
			if e.Deployment != nil && e.Deployment.To != nil {
				all = append(all, e.Deployment.To.Name+" "+string(e.Deployment.Status))
			}
		}
	}
	return all
}

func revision(name string, number int64, created time.Time, former ...int64) record.Revision {
	return record.Revision{Name: name, UID: "uid-" + name, Number: number, Former: former, Created: created, Template: name}
}

// A fact is told again when it is another one, not when it is read another way:
// a rollout that finished is news, that a newer one followed, or that nobody
// remembers any more when it began, is not.
func TestFactsAreToldAgainOnlyWhenTheyChanged(t *testing.T) {
	h := newHouse(t)
	var records []record.Record
	source := collect.Source{Name: "shelf", Type: "shelf", Config: shelf{records: &records}, ConfigDigest: "x"}
	at := func(minutes int) time.Time { return start().Add(time.Duration(minutes) * time.Minute) }
	w := record.Workload{
		Object:  record.Object{Cluster: "memory", Kind: "Deployment", Namespace: "shop", Name: "cart", UID: "uid-cart"},
		Created: at(-1000),
	}
	one, two, three := revision("one", 1, at(-1000)), revision("two", 2, at(50)), revision("three", 4, at(80))
	rollback := revision("one", 3, at(-1000), 1)
	scaling := []record.Scaling{{Revision: "one", From: 0, To: 1, Time: at(65)}}
	complete := func(minute int) record.Rollout {
		return record.Rollout{State: record.RolloutComplete, Updated: at(minute)}
	}
	for _, step := range []struct {
		name      string
		minute    int
		revisions []record.Revision
		rollout   record.Rollout
		scalings  []record.Scaling
		want      []string
	}{
		{"a rollout begins", 55, []record.Revision{one, two}, record.Rollout{State: record.RolloutProgressing}, nil, []string{"two progressing"}},
		{"nothing", 56, []record.Revision{one, two}, record.Rollout{State: record.RolloutProgressing}, nil, []string{}},
		{"it is complete", 58, []record.Revision{one, two}, complete(57), nil, []string{"two complete"}},
		{"its state cannot be read", 60, []record.Revision{one, two}, record.Rollout{State: record.RolloutUnknown}, nil, []string{}},
		{"and again", 61, []record.Revision{one, two}, complete(57), nil, []string{}},
		{"it is rolled back; two is superseded", 66, []record.Revision{two, rollback}, complete(66), scaling, []string{"one complete"}},
		{"nobody knows why", 68, []record.Revision{two, rollback}, complete(66), scaling, []string{}},
		{"three follows", 82, []record.Revision{two, rollback, three}, complete(81), scaling, []string{"three complete"}},
		{"three is all that is near", 110, []record.Revision{two, rollback, three}, complete(81), scaling, []string{}},
		// The Event that told of the rollback's time is gone: between bounds it
		// may have happened at any time, so each window is touched by it.
		{"the rollback's time is forgotten", 140, []record.Revision{two, rollback, three}, complete(81), nil, []string{}},
	} {
		h.now = at(step.minute)
		w.Revisions, w.Rollout, w.Scalings = step.revisions, step.rollout, step.scalings
		records = []record.Record{w, w} // what is told twice in one run is one fact
		out := h.run(h.options(source))
		if diff := cmp.Diff(step.want, told(t, out.Dir)); diff != "" {
			t.Errorf("%s:\n%s", step.name, diff)
		}
	}
	if ids := idsOf(t, h, "two"); len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("two forms of one fact have the ids %v", ids)
	}
	// A person who names a window gets all of it.
	o := h.options(source)
	o.Window = &window.Window{Start: at(-2000), End: at(140)}
	if got := told(t, h.run(o).Dir); !slices.Contains(got, "two superseded") || !slices.Contains(got, "one superseded") {
		t.Errorf("got %v", got)
	}
}

// idsOf gives the ids of all that was told of a revision, in all runs so far.
func idsOf(t *testing.T, h *house, name string) []string {
	t.Helper()
	var ids []string
	for _, dir := range h.inspectRuns() {
		for _, text := range evidenceOf(t, dir, "shelf") {
			for line := range bytes.Lines([]byte(text)) {
				var e evidence.Event
				check(t, json.Unmarshal(line, &e))
				if e.Deployment != nil && e.Deployment.To != nil && e.Deployment.To.Name == name && e.Deployment.From != nil {
					ids = append(ids, e.ID)
				}
			}
		}
	}
	return ids
}

// A superseded rollout that nobody told of is news all the same, once.
func TestAWeakFactIsToldOnce(t *testing.T) {
	h := newHouse(t)
	at := func(minutes int) time.Time { return start().Add(time.Duration(minutes) * time.Minute) }
	records := []record.Record{record.Workload{
		Object:    record.Object{Cluster: "memory", Kind: "Deployment", Namespace: "shop", Name: "cart", UID: "uid-cart"},
		Created:   at(-1000),
		Revisions: []record.Revision{revision("two", 2, at(50)), revision("three", 3, at(55))},
		Rollout:   record.Rollout{State: record.RolloutComplete, Updated: at(56)},
	}}
	source := collect.Source{Name: "shelf", Type: "shelf", Config: shelf{records: &records}, ConfigDigest: "x"}
	for i, want := range []string{"two superseded, three complete", "", ""} {
		h.now = at(60 + i)
		if got := strings.Join(told(t, h.run(h.options(source)).Dir), ", "); got != want {
			t.Errorf("run %d: %q", i, got)
		}
	}
}
