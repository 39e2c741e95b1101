package evidence_test

import (
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/evidence"
)

func TestSentencesOfDeliveries(t *testing.T) {
	number := int64(7)
	commit := func(s string) string { return strings.Repeat(s, 40) }
	apply := func(status evidence.Status, a *evidence.Applied) evidence.Event {
		return evidence.Event{
			Source:     evidence.Source{Object: evidence.Object{Kind: "Application", Name: "shop"}},
			Deployment: &evidence.Deployment{Change: evidence.ChangeApply, Status: status, Applied: a},
		}
	}
	config := evidence.ConfigSource{ConfigRepository: "github.com/acme/config", ConfigRevision: commit("2"), PreviousConfigRevision: commit("1")}
	chart := evidence.ConfigSource{Chart: "redis", ChartVersion: "18.1.0", PreviousChartVersion: "18.0.0"}
	failed := apply(evidence.StatusFailed, &evidence.Applied{Sources: []evidence.ConfigSource{config}})
	failed.Deployment.Reason = "Error"
	edited := evidence.Event{
		Source:       evidence.Source{Object: evidence.Object{Kind: "ConfigMap", Name: "flags"}},
		Actor:        &evidence.Actor{Attribution: evidence.AttributionManager, Manager: "kubectl-edit"},
		ConfigChange: &evidence.ConfigChange{Change: "update", BesideManager: true, ManagedBy: &evidence.ManagedBy{Tool: "argocd", Kind: "Application", Name: "shop"}},
	}
	hidden := edited
	hidden.Actor = nil
	for want, e := range map[string]evidence.Event{
		"Application shop was applied as number 7: github.com/acme/config at 222222222222 (before 111111111111), chart redis at 18.1.0 (before 18.0.0)": apply(evidence.StatusComplete, &evidence.Applied{Number: &number, Sources: []evidence.ConfigSource{config, chart}}),
		"Application shop could not be applied: github.com/acme/config at 222222222222 (before 111111111111); failed (Error)":                           failed,
		"Application shop was applied in part; progressing": apply(evidence.StatusProgressing, &evidence.Applied{
			Selective: true,
		}),
		"Application shop was applied: the configuration at v1, as before": apply(evidence.StatusComplete, &evidence.Applied{
			Sources: []evidence.ConfigSource{{ConfigRevision: "v1", PreviousConfigRevision: "v1"}},
		}),
		"Application shop was applied: chart redis at 18.1.0 (before 18.0.0), chart redis at 18.1.0 (before 18.0.0), chart redis at 18.1.0 (before 18.0.0) and 1 more": apply(
			evidence.StatusComplete, &evidence.Applied{Sources: []evidence.ConfigSource{chart, chart, chart, chart}}),
		"Application shop was applied": apply(evidence.StatusComplete, nil),
	} {
		if got := evidence.Summarize(e); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := evidence.Summarize(edited); !strings.HasSuffix(got, ", by kubectl-edit, beside Argo CD") {
		t.Error(got)
	}
	if got := evidence.Summarize(hidden); strings.Contains(got, "beside") {
		t.Error(got)
	}
}
