package normalize

import (
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// signal tells of something that hurts. The id is that of the trouble of a
// container or pod, whether its status tells of it or its Events; else that of the
// Event with its count, so that a repeated Event is a new fact.
func signal(connectorName string, s record.Signal) []evidence.Event {
	if s.First.IsZero() {
		return nil
	}
	event := envelope(connectorName, evidence.KindSignal, s, s.Object, s.Service)
	from := s.From
	if s.Folded {
		from = record.StreamPods
	}
	event.ID = evidence.ID(evidence.KindSignal, append(identity(s.Object), from, string(s.Class), s.Key)...)
	event.Time = s.First
	event.Severity = severity(s)
	event.Signal = &evidence.Signal{
		Class: string(s.Class), Detail: s.Detail, Reason: s.Reason, Reporter: s.Reporter, Container: s.Container, Image: s.Image, Node: s.Node,
		Count: s.Count, First: s.First, Last: timePtr(s.Last), Ongoing: s.Ongoing, ExitCode: s.ExitCode, Restarts: s.Restarts,
	}
	addFacts(event.Signal, s.Facts)
	if p := s.Posture; p != nil {
		event.Signal.QOSClass, event.Signal.MemoryLimit, event.Signal.MemoryLimitOrigin = p.QOSClass, p.MemoryLimit, p.LimitOrigin
		event.Signal.MemoryRequest = &p.MemoryRequest
	}
	return []evidence.Event{event}
}

func addFacts(s *evidence.Signal, f record.SignalFacts) {
	s.Registry, s.Webhook, s.Volume, s.Quota, s.Resources = f.Registry, f.Webhook, f.Volume, f.Quota, f.Resources
	s.Process, s.PreemptedBy, s.NodesTotal = f.Process, f.PreemptedBy, f.NodesTotal
	s.ProbeHandler, s.ProbeOutcome, s.HTTPStatus = f.ProbeHandler, f.ProbeOutcome, f.HTTPStatus
	if f.Missing.Name != "" {
		s.Missing = &evidence.Missing{Kind: f.Missing.Kind, Name: f.Missing.Name}
	}
	for _, u := range f.Unschedulable {
		s.Unschedulable = append(s.Unschedulable, evidence.Unfit{Reason: u.Reason, Name: u.Name, Nodes: u.Nodes})
	}
}

// severity is error for what stops a service, warning for what threatens it.
func severity(s record.Signal) evidence.Severity {
	switch s.Class {
	case record.SignalCrashLoop, record.SignalOOMKilled, record.SignalImagePull, record.SignalContainerConfig,
		record.SignalUnschedulable, record.SignalCreateFailed:
		return evidence.SeverityError
	case record.SignalNode:
		if s.Detail == "not_ready" || s.Detail == "unreachable" {
			return evidence.SeverityError
		}
	}
	return evidence.SeverityWarning
}
