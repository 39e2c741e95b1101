package main

import (
	"strings"

	"github.com/rcactl/rcactl/pkg/evidence"
)

// whatChanged is what a workload runs now, or what a delivery tool applied, and
// whether that was done beside the tool that manages it.
func whatChanged(e evidence.Event) string {
	d := e.Deployment
	switch d.Workload {
	case evidence.WorkloadApplication, evidence.WorkloadKustomization, evidence.WorkloadHelmRelease, evidence.WorkloadRelease:
		return e.Source.Object.Kind + "/" + e.Source.Object.Name + appliedFrom(d.Applied)
	}
	return strings.TrimSpace(images(d) + besideTool(e))
}

// appliedFrom names the first place that was applied.
func appliedFrom(a *evidence.Applied) string {
	if a == nil || len(a.Sources) == 0 {
		return ""
	}
	text := a.Sources[0].ConfigRepository
	if chart := a.Sources[0].Chart; chart != "" {
		text = "chart " + chart
	}
	if len(a.Sources) > 1 {
		text += " …"
	}
	return strings.TrimRight(" "+text, " ")
}

// appliedRevisions tells the revisions of the first source, as short as people
// write them.
func appliedRevisions(a *evidence.Applied) string {
	if len(a.Sources) == 0 {
		return ""
	}
	s := a.Sources[0]
	before, now := s.PreviousConfigRevision, s.ConfigRevision
	if s.Chart != "" {
		before, now = s.PreviousChartVersion, s.ChartVersion
	}
	before, now = evidence.ShortRevision(before), evidence.ShortRevision(now)
	if before == "" || now == "" {
		return now
	}
	return before + " → " + now
}

// besideTool says that a change was made beside the tool that manages the object.
func besideTool(e evidence.Event) string {
	by := e.ManagedBeside()
	if by == nil {
		return ""
	}
	return " beside " + evidence.ToolName(by.Tool)
}
