package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/window"
)

// shown prints events as a person sees them, a row a line, spaces folded.
func shown(events ...evidence.Event) string {
	at := time.Date(2026, 1, 31, 14, 0, 0, 0, time.UTC)
	var tl timeline
	for _, e := range events {
		e.Time = at
		tl.add(e)
	}
	p, out := testPrinter(0, nil, false)
	tl.print(p, window.Window{Start: at.Add(-time.Hour), End: at.Add(time.Hour)}, true)
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func object(kind, name string) evidence.Source {
	return evidence.Source{Object: evidence.Object{Kind: kind, Namespace: "shop", Name: name}}
}

func TestARowOfAWorkload(t *testing.T) {
	images := func(ref string) []evidence.Image { return []evidence.Image{{Container: "app", Image: ref}} }
	at := func(revision int64, ref string) *evidence.Template {
		return &evidence.Template{Revision: revision, Images: images(ref)}
	}
	changed := func(paths ...string) (out []evidence.TemplateChange) {
		for _, path := range paths {
			out = append(out, evidence.TemplateChange{Path: path, Change: evidence.FieldChanged})
		}
		return out
	}
	const app = "spec.containers[app]."
	for want, d := range map[string]evidence.Deployment{
		"rollout shop/x 1 → 2 env TIMEOUT of app, memory limit of app superseded": {
			Change: evidence.ChangeRollout, Workload: "Deployment", Status: evidence.StatusSuperseded, From: at(1, "r/a:v1"), To: at(2, "r/a:v1"),
			TemplateChanges: changed(app+"env[TIMEOUT]", app+"resources.limits.memory"),
		},
		"rollout shop/x 1 → 2 v1 → v2, cpu request of app complete": {
			Change: evidence.ChangeRollout, Workload: "Deployment", Status: evidence.StatusComplete, From: at(1, "r/a:v1"), To: at(2, "r/a:v2"),
			TemplateChanges: changed(app+"image", app+"resources.requests.cpu"),
		},
		"rollout shop/x 1 → 2 v1 → v2 complete": {
			Change: evidence.ChangeRollout, Workload: "Deployment", Status: evidence.StatusComplete, From: at(1, "r/a:v1"), To: at(2, "r/a:v2"),
			TemplateChanges: changed(app + "image"),
		},
		"rollout shop/x 1 → 2 same images, other template complete": {
			Change: evidence.ChangeRollout, Workload: "Deployment", Status: evidence.StatusComplete, From: at(1, "r/a:v1"), To: at(2, "r/a:v1"),
		},
		"rollout shop/x 2 v1 → v2 complete": {
			Change: evidence.ChangeRollout, Workload: "Deployment", Status: evidence.StatusComplete, From: at(0, "r/a:v1"), To: at(2, "r/a:v2"),
		},
		"run shop/x Job a:v1 failed: BackoffLimitExceeded": {
			Change: evidence.ChangeRun, Workload: "Job", Status: evidence.StatusFailed, Reason: "BackoffLimitExceeded", To: at(0, "r/a:v1"),
		},
		"update shop/x CronJob complete": {Change: evidence.ChangeUpdate, Workload: "CronJob", Status: evidence.StatusComplete, To: at(0, "r/a:v1")},
		"create shop/x CronJob complete": {Change: evidence.ChangeCreate, Workload: "CronJob", Status: evidence.StatusComplete},
		"pause shop/x 3 paused":          {Change: evidence.ChangePause, Workload: "Deployment", Status: evidence.StatusPaused, To: at(3, "r/a:v1")},
	} {
		if got := shown(evidence.Event{Source: object(d.Workload, "x"), Deployment: &d}); !strings.Contains(got, "14:00:00 "+want+"\n") {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
}

func TestARowOfConfigurationTellsWhichKeysMayHaveChanged(t *testing.T) {
	for want, c := range map[string]evidence.ConfigChange{
		"ConfigMap/x -NEW, maybe TIMEOUT": {Change: "update", Removed: []string{"NEW"}, KeysOfManager: []string{"TIMEOUT"}},
		"ConfigMap/x maybe A, B":          {Change: "update", KeysOfManager: []string{"A", "B"}},
		"ConfigMap/x A":                   {Change: "update", Changed: []string{"A"}, KeysKnown: true, KeysOfManager: []string{"A", "B"}},
	} {
		if got := shown(evidence.Event{Source: object("ConfigMap", "x"), ConfigChange: &c}); !strings.Contains(got, "update "+want+"\n") {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
}

func TestARowOfATroubleTellsWhich(t *testing.T) {
	signal := func(kind, name string, s evidence.Signal) evidence.Event {
		return evidence.Event{ServiceKey: "c/shop/web", Source: object(kind, name), Signal: &s}
	}
	quota := evidence.Signal{Class: "create_failed", Detail: "quota", Quota: "compute"}
	got := shown(
		signal("Pod", "a", evidence.Signal{Class: "unclassified", Reason: "FailedSync"}),
		signal("ReplicaSet", "a", quota), signal("ReplicaSet", "b", quota),
		signal("Pod", "a", evidence.Signal{Class: "volume"}), signal("Node", "a", evidence.Signal{Class: "volume"}),
	)
	for _, want := range []string{"unclassified (FailedSync) shop/web 1 Pod\n", "create failed (quota compute) shop/web 2 ReplicaSets\n", "volume shop/web 2 objects\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
}

func TestNotesThatHoldOfEveryRunAreCounted(t *testing.T) {
	var out collect.Outcome
	out.Routine = []string{"always so"}
	out.Statement.Predicate.Sources = []manifest.Source{{Name: "kubernetes", Notes: []string{"only now", "always so"}}}
	p, text := testPrinter(0, nil, false)
	printCoverage(p, out)
	if !strings.Contains(text.String(), "only now") || strings.Contains(text.String(), "always so") || !strings.Contains(text.String(), "what no run like this one knows: 1 note in rcactl manifest show") {
		t.Errorf("%s", text)
	}
}

func TestTheHintToWriteAConfigDownRepeatsWhatWasChosen(t *testing.T) {
	f := setupFlags{namespaces: []string{"shop", "team-*"}, dump: "a dump", selector: "a=b"}
	if got, want := f.chosen(), " --dump 'a dump' --namespace 'shop,team-*' --selector a=b"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRulesOfOneGroupAndPlaceAreOne(t *testing.T) {
	rule := func(group, resource, where string) string {
		return `- {apiGroups: ["` + group + `"], resources: ["` + resource + `"], verbs: ["list"]}  # in ` + where
	}
	got := mergeRules([]string{rule("apps", "deployments", "a"), rule("apps", "replicasets", "a"), "", rule("", "pods", "a"), rule("apps", "deployments", "b"), rule("apps", "daemonsets", "a"), rule("", "pods", "a")})
	want := []string{
		`- {apiGroups: ["apps"], resources: ["deployments", "replicasets", "daemonsets"], verbs: ["list"]}  # in a`, rule("", "pods", "a"), rule("apps", "deployments", "b"),
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
