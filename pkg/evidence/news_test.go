package evidence_test

import (
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
)

func TestNewsIsTheFactAndNotHowItWasRead(t *testing.T) {
	num := func(n int32) *int32 { return &n }
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rollout := func(change func(*evidence.Event)) evidence.Event {
		e := evidence.Event{ID: "ev1:a", Kind: evidence.KindDeployment, Deployment: &evidence.Deployment{Status: evidence.StatusComplete}}
		change(&e)
		return e
	}
	signal := func(change func(*evidence.Event)) evidence.Event {
		e := evidence.Event{ID: "ev1:a", Kind: evidence.KindSignal, Signal: &evidence.Signal{Count: 1, Ongoing: true, Restarts: num(0)}}
		change(&e)
		return e
	}
	config := func(change func(*evidence.Event)) evidence.Event {
		e := evidence.Event{ID: "ev1:a", Kind: evidence.KindConfigChange, ConfigChange: &evidence.ConfigChange{Change: "update"}}
		change(&e)
		return e
	}
	for _, tt := range []struct {
		name string
		of   func(func(*evidence.Event)) evidence.Event
		now  func(*evidence.Event)
		news bool
		weak bool
	}{
		{"rollout: another id", rollout, func(e *evidence.Event) { e.ID = "ev1:b" }, true, false},
		{"rollout: failed", rollout, func(e *evidence.Event) { e.Deployment.Status = evidence.StatusFailed }, true, false},
		{"rollout: paused", rollout, func(e *evidence.Event) { e.Deployment.Status = evidence.StatusPaused }, true, false},
		{"rollout: progressing", rollout, func(e *evidence.Event) { e.Deployment.Status = evidence.StatusProgressing }, true, false},
		{"rollout: superseded", rollout, func(e *evidence.Event) { e.Deployment.Status = evidence.StatusSuperseded }, true, true},
		{"rollout: unknown", rollout, func(e *evidence.Event) { e.Deployment.Status = evidence.StatusUnknown }, true, true},
		{"rollout: bounds in place of a start", rollout, func(e *evidence.Event) {
			e.Time, e.Deployment.NotBefore, e.Deployment.NotAfter = at, &at, &at
		}, false, false},
		{"rollout: summary, links, actor", rollout, func(e *evidence.Event) {
			e.Summary, e.Actor, e.Links = "x", &evidence.Actor{Manager: "kubectl"}, []evidence.Link{{To: "ev1:c"}}
		}, false, false},
		{"signal: count", signal, func(e *evidence.Event) { e.Signal.Count = 2 }, true, false},
		{"signal: over", signal, func(e *evidence.Event) { e.Signal.Ongoing = false }, true, false},
		{"signal: restarts", signal, func(e *evidence.Event) { e.Signal.Restarts = num(1) }, true, false},
		{"signal: restarts not known", signal, func(e *evidence.Event) { e.Signal.Restarts = nil }, true, false},
		{"signal: exit code", signal, func(e *evidence.Event) { e.Signal.ExitCode = num(0) }, true, false},
		{"signal: times and node", signal, func(e *evidence.Event) { e.Signal.First, e.Signal.Last, e.Signal.Node = at, &at, "n" }, false, false},
		{"config: the keys are no longer known", config, func(e *evidence.Event) { e.ConfigChange.KeysKnown = true }, false, false},
		{"config: another id", config, func(e *evidence.Event) { e.ID = "ev1:b" }, true, false},
	} {
		before, _ := tt.of(func(*evidence.Event) {}).News()
		after, weak := tt.of(tt.now).News()
		if (before != after) != tt.news || weak != tt.weak {
			t.Errorf("%s: %q, then %q, weak %v", tt.name, before, after, weak)
		}
	}
}
