package collect

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/redact"
	"github.com/rcactl/rcactl/pkg/window"
)

func testRedactor(t *testing.T, identifiers string) *redact.Redactor {
	t.Helper()
	key, err := redact.NewKey([]byte("a key of more than thirty-two bytes, for a test"))
	if err != nil {
		t.Fatal(err)
	}
	policy := redact.DefaultPolicy()
	policy.Identifiers = identifiers
	r, err := redact.Compile(policy, key)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// testSieve lets commits of an hour through, and counts what it writes.
func testSieve(t *testing.T, k known, written *int) *sieve {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return (&sieve{
		source: "scribe", redact: testRedactor(t, redact.Keep), log: slog.New(slog.DiscardHandler), limits: Limits{}.orDefaults(), room: roomFor(1), known: k,
		reach:   map[string]window.Window{record.StreamCommits: {Start: at, End: at.Add(time.Hour)}},
		toldNow: func(string) bool { return true },
		write:   func(redact.Redacted) error { *written++; return nil },
	}).open()
}

func testCommit(n int) record.BranchCommit {
	return record.BranchCommit{DefaultBranch: true, Commit: record.Commit{
		Repository: "github.com/acme/shop", SHA: fmt.Sprintf("%040x", n), Committed: time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC),
	}}
}

// What there is no room for is written at once, counted, and no less.
func TestWhatCannotWaitIsWrittenAtOnce(t *testing.T) {
	for name, r := range map[string]room{"events": {events: 3, bytes: 1 << 30}, "bytes": {events: 100, bytes: 4000}} {
		written := 0
		s := testSieve(t, known{}, &written)
		s.room = r
		for n := range 10 {
			if err := s.emit(testCommit(n)); err != nil {
				t.Fatal(err)
			}
		}
		if len(s.held.events) != 3 || s.tallies.early != 7 || written != 7 {
			t.Errorf("%s: %d wait, %d early, %d written", name, len(s.held.events), s.tallies.early, written)
		}
		h := s.release()
		if err := s.let(share{events: h.events, streams: h.streams}, nil, func(int, evidence.Event) bool { return true }); err != nil || written != 10 || s.close().events != 10 {
			t.Errorf("%s: %d written, %v", name, written, err)
		}
	}
	if r := roomFor(4); r.events != maxHeldEvents/4 || r.bytes != maxHeldBytes/4 {
		t.Errorf("the share is %+v", r)
	}
}

// What is told twice in a run waits once, and is not known by waiting.
func TestWhatWaitsIsNotKnown(t *testing.T) {
	written := 0
	s := testSieve(t, known{}, &written)
	for range 3 {
		if err := s.emit(testCommit(1)); err != nil {
			t.Fatal(err)
		}
	}
	h := s.release()
	if len(h.events) != 1 || s.tallies.repeated != 2 || written != 0 {
		t.Fatalf("%d wait, %d repeated, %d written", len(h.events), s.tallies.repeated, written)
	}
	if s.close(); s.emit(testCommit(2)) == nil {
		t.Error("a closed sieve took a record")
	}
	if err := s.let(share{events: h.events, streams: h.streams}, nil, func(int, evidence.Event) bool { return true }); err != nil || written != 1 {
		t.Errorf("%d written, %v", written, err)
	}
	again := testSieve(t, known{seen: s.tallies.found}, &written)
	if err := again.emit(testCommit(1)); err != nil {
		t.Fatal(err)
	}
	h = again.release()
	if err := again.let(share{events: h.events, streams: h.streams}, nil, func(int, evidence.Event) bool { return true }); err != nil || written != 1 || again.tallies.repeated != 1 {
		t.Errorf("%d written, %d repeated, %v", written, again.tallies.repeated, err)
	}
}

// The ids of a hashed policy are known as well.
func TestWhatNobodyCanTellMoreOfIsNotHeld(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	event := func(change func(*evidence.Deployment)) evidence.Event {
		e := evidence.Event{
			Schema: evidence.Schema, ID: "ev1:0123456789abcdef0123456789abcdef", Kind: evidence.KindDeployment, Time: at, Severity: evidence.SeverityInfo,
			Deployment: &evidence.Deployment{
				Change: evidence.ChangeRollout, Workload: "Deployment", Status: evidence.StatusComplete, From: &evidence.Template{}, To: &evidence.Template{},
				Revision: fmt.Sprintf("%040x", 1),
				Mapping: &evidence.Mapping{
					Confidence: evidence.ConfidenceHigh, Reasons: []evidence.Reason{{Code: evidence.ReasonCommitExists}},
				},
				ChangeRange: &evidence.ChangeRange{Status: "ahead"},
			},
		}
		change(e.Deployment)
		return e
	}
	for name, tt := range map[string]struct {
		told func(*evidence.Deployment)
		now  func(*evidence.Deployment)
		held bool
	}{
		"all was told":            {func(*evidence.Deployment) {}, func(*evidence.Deployment) {}, false},
		"another status":          {func(*evidence.Deployment) {}, func(d *evidence.Deployment) { d.Status = evidence.StatusFailed }, true},
		"superseded":              {func(*evidence.Deployment) {}, func(d *evidence.Deployment) { d.Status = evidence.StatusSuperseded }, false},
		"the range was not known": {func(d *evidence.Deployment) { d.ChangeRange = nil }, func(*evidence.Deployment) {}, true},
		"there is nothing before": {func(d *evidence.Deployment) { d.ChangeRange = nil }, func(d *evidence.Deployment) { d.From = nil }, false},
		"nobody verified it":      {func(d *evidence.Deployment) { d.ChangeRange, d.Mapping.Reasons = nil, nil }, func(d *evidence.Deployment) { d.From = nil }, true},
		"it was medium":           {func(d *evidence.Deployment) { d.Mapping.Confidence = evidence.ConfidenceMedium }, func(*evidence.Deployment) {}, true},
		"it was not tied":         {func(d *evidence.Deployment) { d.Mapping = nil }, func(*evidence.Deployment) {}, true},
		"it can tell of another": {
			func(d *evidence.Deployment) { d.Environment = &evidence.Environment{} },
			func(d *evidence.Deployment) { d.Environment = &evidence.Environment{} }, true,
		},
	} {
		for _, identifiers := range []string{redact.Keep, redact.Hash} {
			written := 0
			before := testSieve(t, known{}, &written)
			before.redact = testRedactor(t, identifiers)
			e := event(tt.told)
			e.ID = before.redact.EventID(e.ID)
			before.remember(newsOf(e), true)
			s := testSieve(t, known{told: before.tallies.told}, &written)
			s.redact = before.redact
			e = event(tt.now)
			e.Deployment.Mapping, e.Deployment.Revision, e.Deployment.ChangeRange = nil, "", nil // not correlated yet
			if err := s.take(record.StreamWorkloads, e); err != nil {
				t.Fatal(err)
			}
			if held := len(s.held.events) == 1; held != tt.held || s.tallies.repeated == 1 == tt.held {
				t.Errorf("%s, %s: held %v", name, identifiers, held)
			}
			// What was told is remembered by the run after, as deeply as before.
			if last, _ := s.last(s.foresee(e).tieID); !tt.held && !bytes.Equal(last[:], tieOf(before, e)) {
				t.Errorf("%s, %s: the tie is forgotten", name, identifiers)
			}
		}
	}
}

func tieOf(s *sieve, e evidence.Event) []byte {
	last, _ := s.last(s.foresee(e).tieID)
	return last[:]
}

// A rollout that was told as complete is told as superseded for its tie alone.
func TestAWeakFormIsToldForItsTie(t *testing.T) {
	rollout := func(status evidence.Status, confidence evidence.Confidence) news {
		return newsOf(evidence.Event{ID: "ev1:a", Kind: evidence.KindDeployment, Deployment: &evidence.Deployment{
			Status: status, Revision: "a", Mapping: &evidence.Mapping{Confidence: confidence},
		}})
	}
	written, none := 0, known{}
	for _, first := range []evidence.Status{evidence.StatusComplete, evidence.StatusSuperseded} {
		s := testSieve(t, none, &written)
		s.remember(rollout(first, evidence.ConfidenceMedium), true)
		for _, weak := range []evidence.Status{evidence.StatusSuperseded, evidence.StatusUnknown} {
			for confidence, known := range map[evidence.Confidence]bool{evidence.ConfidenceMedium: true, evidence.ConfidenceLow: true, evidence.ConfidenceHigh: false} {
				if got := s.isKnown(rollout(weak, confidence)); got != known {
					t.Errorf("first %s, then %s, %s: known %v", first, weak, confidence, got)
				}
			}
		}
	}
}

// What is told of a tie is what the last line that was written does not say yet.
func TestWhichTieIsNews(t *testing.T) {
	tie := func(status evidence.Status, revision string, confidence evidence.Confidence, reason string) news {
		return newsOf(evidence.Event{ID: "ev1:a", Kind: evidence.KindDeployment, Deployment: &evidence.Deployment{
			Status: status, Revision: revision, Mapping: &evidence.Mapping{Confidence: confidence, Reasons: []evidence.Reason{{Code: reason}}},
		}})
	}
	const (
		complete, failed  = evidence.StatusComplete, evidence.StatusFailed
		high, medium, low = evidence.ConfidenceHigh, evidence.ConfidenceMedium, evidence.ConfidenceLow
		silent            = "not_verified"
		exists, missing   = evidence.ReasonCommitExists, evidence.ReasonCommitNotFound
	)
	written := 0
	s := testSieve(t, known{told: &cursor.Told{}}, &written)
	for i, step := range []struct {
		n     news
		known bool
	}{
		{tie(complete, "a", medium, silent), false},
		{tie(complete, "a", medium, silent), true},
		{tie(complete, "b", medium, silent), false},
		{tie(complete, "b", high, silent), false},
		{tie(complete, "a", medium, silent), true},
		{tie(complete, "", low, silent), true},
		{tie(complete, "c", high, silent), false},
		// What history answers counts more, also that there is no such commit.
		{tie(complete, "", low, missing), false},
		{tie(complete, "", low, missing), true},
		{tie(complete, "c", high, silent), true},
		{tie(complete, "c", medium, "repository_unreadable"), true},
		{tie(complete, "", low, evidence.ReasonAmbiguous), false},
		{tie(complete, "c", medium, exists), false},
		{tie(complete, "c", high, exists), false},
		{tie(complete, "c", medium, exists), true},
		{tie(complete, "", low, missing), false},
		{tie(complete, "c", high, exists), false},
		// A status is told by a run that knows less, and then again as it is known.
		{tie(failed, "c", medium, silent), false},
		{tie(failed, "c", medium, silent), true},
		{tie(failed, "c", high, exists), false},
		{tie(failed, "c", high, exists), true},
		{tie(evidence.StatusPaused, "", low, silent), false},
		{tie(evidence.StatusPaused, "c", high, exists), false},
	} {
		got := s.isKnown(step.n)
		if got != step.known {
			t.Errorf("step %d: known %v", i, got)
		}
		s.remember(step.n, !got)
	}
}

// A deployment is looked at again from the earliest of its times that is not too long
// ago, unless nothing more could be told of it.
func TestFromWhenOnADeploymentIsOpen(t *testing.T) {
	at := func(minute int) *time.Time {
		t := time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC)
		return &t
	}
	answered := []evidence.Reason{{Code: evidence.ReasonCommitExists}}
	for name, tt := range map[string]struct {
		change func(*evidence.Event)
		want   *time.Time
	}{
		"not verified":    {func(*evidence.Event) {}, at(10)},
		"begun long ago":  {func(e *evidence.Event) { e.Time = at(10).Add(-48 * time.Hour) }, at(20)},
		"all of long ago": {func(e *evidence.Event) { e.Time, e.Deployment.Finished = at(10).Add(-48*time.Hour), nil }, nil},
		"between two": {func(e *evidence.Event) {
			e.Time, e.Deployment.Finished, e.Deployment.NotBefore, e.Deployment.NotAfter = *at(90), nil, at(15), at(90)
		}, at(15)},
		"no range":         {func(e *evidence.Event) { e.Deployment.Mapping.Reasons = answered }, at(10)},
		"no range to come": {func(e *evidence.Event) { e.Deployment.Mapping.Reasons, e.Deployment.From = answered, nil }, nil},
		"a range": {func(e *evidence.Event) {
			e.Deployment.Mapping.Reasons, e.Deployment.ChangeRange = answered, &evidence.ChangeRange{Status: "ahead"}
		}, nil},
		"no such commit": {func(e *evidence.Event) {
			e.Deployment.Mapping = &evidence.Mapping{Confidence: evidence.ConfidenceLow, Reasons: []evidence.Reason{{Code: evidence.ReasonCommitNotFound}}}
		}, nil},
		"of GitHub": {func(e *evidence.Event) { e.Deployment.Environment = &evidence.Environment{} }, nil},
	} {
		written := 0
		s := testSieve(t, known{}, &written)
		e := evidence.Event{ID: "ev1:a", Kind: evidence.KindDeployment, Time: *at(10), Deployment: &evidence.Deployment{
			Status: evidence.StatusComplete, Finished: at(20), From: &evidence.Template{}, Revision: "a", Mapping: &evidence.Mapping{Confidence: evidence.ConfidenceMedium},
		}}
		tt.change(&e)
		s.remember(s.foresee(e), true)
		s.leaveOpen(record.StreamCommits, e)
		if got := s.tallies.open[record.StreamCommits]; tt.want == nil && !got.IsZero() || tt.want != nil && !got.Equal(*tt.want) {
			t.Errorf("%s: open from %v on, want %v", name, got, tt.want)
		}
	}
}
