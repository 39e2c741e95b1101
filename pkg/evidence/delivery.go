package evidence

import (
	"fmt"
	"strings"
)

// Kinds of objects of delivery tools that are applied.
const (
	WorkloadApplication   = "Application"   // of Argo CD
	WorkloadKustomization = "Kustomization" // of Flux
	WorkloadHelmRelease   = "HelmRelease"   // of Flux
	WorkloadRelease       = "Release"       // of Helm itself
)

// ManagedBy says which delivery tool manages an object, as the object or the tool
// says when it is read.
type ManagedBy struct {
	// Tool is argocd, flux or helm.
	Tool string `json:"tool"`
	// Kind is that of the managing object: Application, Kustomization, HelmRelease,
	// or Release for Helm itself.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// ToolName is what the makers of a delivery tool call it.
func ToolName(tool string) string {
	switch tool {
	case "argocd":
		return "Argo CD"
	case "flux":
		return "Flux"
	case "helm":
		return "Helm"
	}
	return tool
}

// Applied is what a delivery tool applied.
type Applied struct {
	// Number is the one that the tool gives: the history id of an Application, the
	// version of a Helm release.
	Number *int64 `json:"number,omitempty"`
	// TargetNamespace is the one that was deployed into; OtherCluster says that it
	// is not one of this cluster.
	TargetNamespace string `json:"target_namespace,omitempty"`
	OtherCluster    bool   `json:"other_cluster,omitempty"`
	// Selective says that only chosen objects of the source were applied.
	Selective bool           `json:"selective,omitempty"`
	Sources   []ConfigSource `json:"sources,omitempty"`
}

// ConfigSource is a revision of a configuration that was applied. The repository
// is that of the configuration and hardly ever that of the source code.
type ConfigSource struct {
	ConfigRepository string `json:"config_repository,omitempty"`
	ConfigPath       string `json:"config_path,omitempty"`
	// ConfigRevision is what was applied, PreviousConfigRevision what this object
	// had applied before of the same repository, path and chart.
	ConfigRevision         string `json:"config_revision,omitempty"`
	PreviousConfigRevision string `json:"previous_config_revision,omitempty"`
	Chart                  string `json:"chart,omitempty"`
	ChartVersion           string `json:"chart_version,omitempty"`
	PreviousChartVersion   string `json:"previous_chart_version,omitempty"`
}

// shownSources is how many sources a sentence names.
const shownSources = 3

func summarizeApply(name string, d *Deployment) string {
	var b strings.Builder
	b.WriteString(name)
	if d.Status == StatusFailed {
		b.WriteString(" could not be applied")
	} else {
		b.WriteString(" was applied")
	}
	a := d.Applied
	if a == nil {
		return b.String()
	}
	if a.Selective {
		b.WriteString(" in part")
	}
	if a.Number != nil {
		fmt.Fprintf(&b, " as number %d", *a.Number)
	}
	for i, s := range a.Sources {
		if i == shownSources {
			fmt.Fprintf(&b, " and %d more", len(a.Sources)-i)
			break
		}
		if i == 0 {
			b.WriteString(":")
		} else {
			b.WriteString(",")
		}
		s.write(&b)
	}
	return b.String()
}

// write says what was applied: " github.com/acme/config at 1a2b3c (before 9f8e7d)".
func (s ConfigSource) write(b *strings.Builder) {
	what, at, before := s.ConfigRepository, s.ConfigRevision, s.PreviousConfigRevision
	if s.Chart != "" {
		what, at, before = "chart "+s.Chart, s.ChartVersion, s.PreviousChartVersion
	}
	if what == "" {
		what = "the configuration"
	}
	b.WriteString(" " + what)
	switch {
	case at == "":
	case at == before:
		fmt.Fprintf(b, " at %s, as before", ShortRevision(at))
	case before != "":
		fmt.Fprintf(b, " at %s (before %s)", ShortRevision(at), ShortRevision(before))
	default:
		fmt.Fprintf(b, " at %s", ShortRevision(at))
	}
}

// ShortRevision cuts a full commit to what people read.
func ShortRevision(s string) string {
	const full, short = 40, 12
	if len(s) < full || strings.Trim(s, "0123456789abcdef") != "" {
		return s
	}
	return s[:short]
}

// ManagedBeside is the tool that manages what the event is about, where the change
// was made beside it; nil for any other event.
func (e Event) ManagedBeside() *ManagedBy {
	switch {
	case e.Deployment != nil && e.Deployment.BesideManager:
		return e.Deployment.ManagedBy
	case e.ConfigChange != nil && e.ConfigChange.BesideManager:
		return e.ConfigChange.ManagedBy
	}
	return nil
}

// beside says that somebody changed what a tool manages: ", by kubectl-edit,
// beside Argo CD".
func beside(e Event) string {
	by := e.ManagedBeside()
	if by == nil || e.Actor == nil || e.Actor.Manager == "" {
		return ""
	}
	return fmt.Sprintf(", by %s, beside %s", e.Actor.Manager, ToolName(by.Tool))
}
