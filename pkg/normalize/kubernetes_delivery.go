package normalize

import (
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// delivery tells what a tool applied, once for each application and attempt, and
// that the object of the tool was deleted.
func delivery(connectorName string, d record.Delivery) []evidence.Event {
	if d.Vanished != nil {
		e := applyEvent(connectorName, d, evidence.ChangeDelete, "delete")
		e.Time = moment(d.Vanished.After, d.Vanished.Before)
		body := e.Deployment
		body.NotBefore, body.NotAfter = timePtr(d.Vanished.After), timePtr(d.Vanished.Before)
		body.StartedBasis, body.Status = evidence.BasisSnapshot, evidence.StatusComplete
		return []evidence.Event{e}
	}
	var events []evidence.Event
	for i, a := range d.Applied {
		if e, ok := applied(connectorName, d, a, d.Applied[:i]); ok {
			events = append(events, e)
		}
	}
	if !d.Deleted.IsZero() {
		e := applyEvent(connectorName, d, evidence.ChangeDelete, "delete")
		e.Time = d.Deleted.UTC()
		e.Deployment.Started, e.Deployment.StartedBasis = timePtr(d.Deleted), evidence.BasisDeletion
		e.Deployment.Status = evidence.StatusProgressing // it still shows
		events = append(events, e)
	}
	return events
}

// applyEvent is an event without its time. The service of a tool's object is that
// of what it manages, which is in another namespace at times.
func applyEvent(connectorName string, d record.Delivery, change evidence.Change, key ...string) evidence.Event {
	e := envelope(connectorName, evidence.KindDeployment, d, d.Object, record.Service{})
	served := d.Object
	if served.Namespace = d.ServiceNamespace; !d.OtherCluster {
		e.ServiceKey = serviceKey(served, d.Service)
	}
	e.ID = evidence.ID(evidence.KindDeployment, append(identity(d.Object), key...)...)
	e.Deployment = &evidence.Deployment{Change: change, Workload: d.Object.Kind, Status: evidence.StatusUnknown}
	return e
}

// applied makes the event of one application; ok is false when no time of it is
// known.
func applied(connectorName string, d record.Delivery, a record.Applied, earlier []record.Applied) (e evidence.Event, ok bool) {
	e = applyEvent(connectorName, d, evidence.ChangeApply, "apply", a.Key)
	body := e.Deployment
	if a.State != "" {
		body.Status = evidence.Status(a.State)
	}
	body.Reason = a.Reason
	if body.Status == evidence.StatusFailed {
		e.Severity = evidence.SeverityError
	}
	body.Applied = &evidence.Applied{TargetNamespace: d.Target, OtherCluster: d.OtherCluster, Selective: a.Selective, Sources: configSources(a, earlier)}
	if a.Number >= 0 {
		number := a.Number
		body.Applied.Number = &number
	}
	// Of two looks the later one, as elsewhere. What a tool tells of the latest time
	// moves on whenever it looks again, and the earliest stays.
	times := []time.Time{a.Started, a.Finished, a.After}
	if a.Looks {
		times = []time.Time{a.Started, a.Finished, a.Before, a.After}
	}
	if i := slices.IndexFunc(times, func(t time.Time) bool { return !t.IsZero() }); i >= 0 {
		e.Time = times[i].UTC()
	}
	if !a.Started.IsZero() {
		body.Started, body.StartedBasis = timePtr(a.Started), startedBasis(a.StartedFrom)
	}
	if !a.Finished.IsZero() && (a.Started.IsZero() || !a.Finished.Before(a.Started)) {
		body.Finished, body.FinishedBasis = timePtr(a.Finished), evidence.BasisStatus
		if a.StartedFrom == record.StartedCreation {
			body.FinishedBasis = evidence.BasisLabel
		}
	}
	if body.Started == nil && body.Finished == nil {
		body.NotBefore, body.NotAfter = timePtr(a.After), timePtr(a.Before)
		if a.Looks {
			body.StartedBasis = evidence.BasisSnapshot
		}
	}
	return e, !e.Time.IsZero()
}

func startedBasis(from record.StartedFrom) evidence.TimeBasis {
	switch from {
	case record.StartedSource:
		return evidence.BasisSource
	case record.StartedCreation:
		return evidence.BasisCreation
	}
	return evidence.BasisStatus
}

// configSources tells each source with what had been applied of it before. What
// failed was not applied.
func configSources(a record.Applied, earlier []record.Applied) []evidence.ConfigSource {
	var out []evidence.ConfigSource
	for i, s := range a.Sources {
		if s == (record.ConfigSource{}) {
			continue
		}
		one := evidence.ConfigSource{
			ConfigRepository: s.Repository, ConfigPath: s.Path, ConfigRevision: s.Revision, Chart: s.Chart, ChartVersion: s.ChartVersion,
		}
		if before, ok := sourceBefore(s, i, earlier); ok {
			one.PreviousConfigRevision, one.PreviousChartVersion = before.Revision, before.ChartVersion
		}
		out = append(out, one)
	}
	return out
}

// sourceBefore finds what was last applied from the same place. The same place
// may be named twice, so that its position is looked at first.
func sourceBefore(s record.ConfigSource, i int, earlier []record.Applied) (record.ConfigSource, bool) {
	same := func(o record.ConfigSource) bool {
		return o.Repository == s.Repository && o.Path == s.Path && o.Chart == s.Chart
	}
	for _, a := range slices.Backward(earlier) {
		if a.State != record.RolloutComplete || a.Selective {
			continue
		}
		if i < len(a.Sources) && same(a.Sources[i]) {
			return a.Sources[i], true
		}
		if k := slices.IndexFunc(a.Sources, same); k >= 0 {
			return a.Sources[k], true
		}
		return record.ConfigSource{}, false
	}
	return record.ConfigSource{}, false
}

// managed adds to the events of an object which tool manages it, and whether the
// change was made beside that tool.
func managed(events []evidence.Event, by *record.ManagedBy) []evidence.Event {
	if by == nil {
		return events
	}
	for i := range events {
		e := &events[i]
		tool := &evidence.ManagedBy{Tool: string(by.Tool), Kind: by.Kind, Namespace: by.Namespace, Name: by.Name}
		switch {
		case e.Deployment != nil:
			d := e.Deployment
			d.ManagedBy = tool
			d.BesideManager = d.Change != evidence.ChangeCreate && d.Trigger != evidence.TriggerAutoscaler && beside(by, e.Actor)
		case e.ConfigChange != nil:
			c := e.ConfigChange
			c.ManagedBy = tool
			c.BesideManager = c.Change == "update" && beside(by, e.Actor)
		}
	}
	return events
}

// beside reports whether a change was made by something else than the tool that
// manages the object. It may have been created by another one before the tool
// took it over, so that creations are not asked about.
//
// Argo CD and Flux write under names of their own. Helm writes under that of the
// program that it is part of (terraform-provider-helm, a pipeline's own), so that
// only programs of which it is known that they are others are told apart.
func beside(by *record.ManagedBy, actor *evidence.Actor) bool {
	if actor == nil || actor.Attribution != evidence.AttributionManager || actor.Manager == "" || actor.Manager == controllerManager {
		return false
	}
	name := actor.Manager
	switch by.Kind {
	case evidence.WorkloadApplication:
		return !strings.HasPrefix(name, "argocd")
	case evidence.WorkloadKustomization:
		return name != "kustomize-controller" && name != "flux"
	case evidence.WorkloadHelmRelease:
		return name != "helm-controller" && name != "flux"
	}
	return strings.HasPrefix(name, "kubectl") || slices.Contains([]string{"oc", "k9s", "lens", "OpenLens", "dashboard"}, name)
}
