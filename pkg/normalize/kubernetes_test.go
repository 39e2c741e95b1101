package normalize_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/normalize"
	"github.com/rcactl/rcactl/pkg/record"
)

// TestARollbackIsToldTheSameWhenItsTracesFade: Events expire, managers write
// again, the pod stays.
func TestARollbackIsToldTheSameWhenItsTracesFade(t *testing.T) {
	raw, err := os.ReadFile("testdata/deployment-rollback-by-pod.input.json")
	if err != nil {
		t.Fatal(err)
	}
	at := func(clock string) time.Time {
		out, err := time.Parse(time.RFC3339, "2026-03-01T"+clock+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	told := func(fade func(*record.Workload)) evidence.Event {
		var inputs []input
		if err := json.Unmarshal(raw, &inputs); err != nil {
			t.Fatal(err)
		}
		w := inputs[0].Workload
		newest := &w.Revisions[len(w.Revisions)-1]
		newest.ScaledUp = at("12:00:02")
		w.Scalings = []record.Scaling{{Revision: newest.Name, From: 0, To: 2, Time: newest.ScaledUp}}
		w.Managers = []record.Manager{{Name: "kubectl-rollout", Template: true, Time: at("12:00:02")}}
		fade(w)
		events, err := normalize.Record("kubernetes", *w)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Deployment.Change == evidence.ChangeRollback {
				e.Actor = nil // who wrote is lost with the entry
				return e
			}
		}
		t.Fatal("no rollback is told")
		return evidence.Event{}
	}
	fresh := told(func(*record.Workload) {})
	if fresh.Deployment.StartedBasis != evidence.BasisPodCreation {
		t.Errorf("the basis is %s", fresh.Deployment.StartedBasis)
	}
	for name, fade := range map[string]func(*record.Workload){
		"the Event expired": func(w *record.Workload) {
			w.Scalings, w.Revisions[len(w.Revisions)-1].ScaledUp = nil, time.Time{}
		},
		"scaled later": func(w *record.Workload) {
			w.Scalings = []record.Scaling{{Revision: w.Revisions[len(w.Revisions)-1].Name, From: 0, To: 3, Time: at("14:00:00")}}
			w.Revisions[len(w.Revisions)-1].ScaledUp = at("14:00:00")
		},
		"the manager wrote again": func(w *record.Workload) { w.Managers[0].Time = at("15:00:00") },
	} {
		got := told(func(w *record.Workload) { fade(w) })
		got.Deployment.Replicas = fresh.Deployment.Replicas
		if diff := cmp.Diff(fresh, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
