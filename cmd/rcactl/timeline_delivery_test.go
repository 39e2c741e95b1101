package main

import (
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/window"
)

func TestDeliveryToolsAreInTheTimeline(t *testing.T) {
	at := time.Date(2026, 1, 31, 14, 0, 0, 0, time.UTC)
	object := func(kind, name string) evidence.Source {
		return evidence.Source{Object: evidence.Object{Kind: kind, Namespace: "shop", Name: name}}
	}
	by := &evidence.ManagedBy{Tool: "argocd", Kind: "Application", Name: "shop"}
	var tl timeline
	tl.add(evidence.Event{ID: "a", Time: at, Source: object("Application", "shop"), Deployment: &evidence.Deployment{
		Change: evidence.ChangeApply, Workload: evidence.WorkloadApplication, Status: evidence.StatusFailed, Reason: "Error", Started: &at,
		Applied: &evidence.Applied{Sources: []evidence.ConfigSource{
			{ConfigRepository: "github.com/acme/config", ConfigRevision: strings.Repeat("2", 40), PreviousConfigRevision: strings.Repeat("1", 40)}, {Chart: "redis"},
		}},
	}})
	tl.add(evidence.Event{ID: "b", Time: at, Source: object("HelmRelease", "redis"), Deployment: &evidence.Deployment{
		Change: evidence.ChangeApply, Workload: evidence.WorkloadHelmRelease, Started: &at,
		Applied: &evidence.Applied{Sources: []evidence.ConfigSource{{Chart: "redis", ChartVersion: "18.1.0"}}},
	}})
	tl.add(evidence.Event{ID: "c", Time: at, Source: object("Deployment", "web"), Deployment: &evidence.Deployment{
		Change: evidence.ChangeRollout, Workload: "Deployment", Started: &at, BesideManager: true, ManagedBy: by,
	}})
	tl.add(evidence.Event{ID: "d", Time: at, Source: object("ConfigMap", "flags"), ConfigChange: &evidence.ConfigChange{
		Change: "update", BesideManager: true, ManagedBy: &evidence.ManagedBy{Tool: "flux", Kind: "Kustomization", Name: "apps"},
	}})
	tl.add(evidence.Event{ID: "e", Time: at, Source: object("Application", "gone"), Deployment: &evidence.Deployment{
		Change: evidence.ChangeDelete, Workload: evidence.WorkloadApplication, Started: &at,
	}})
	p, out := testPrinter(0, nil, false)
	tl.print(p, window.Window{Start: at.Add(-time.Hour), End: at.Add(time.Hour)}, true)
	for _, want := range []string{
		"111111111111 → 222222222222", "Application/shop github.com/acme/config …", "failed: Error", "18.1.0", "HelmRelease/redis chart redis",
		"beside Argo CD", "ConfigMap/flags", "beside Flux", "Application/gone",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("without %q:\n%s", want, out)
		}
	}
}
