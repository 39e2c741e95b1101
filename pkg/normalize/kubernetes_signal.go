package normalize

import (
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// signal tells of something that hurts. The id is that of the container's state
// or of the Event with its count, so that a repeated Event is a new fact.
func signal(connectorName string, s record.Signal) []evidence.Event {
	if s.First.IsZero() {
		return nil
	}
	event := envelope(connectorName, evidence.KindSignal, s, s.Object, s.Service)
	event.ID = evidence.ID(evidence.KindSignal, append(identity(s.Object), s.From, string(s.Class), s.Key)...)
	event.Time = s.First
	event.Severity = severity(s.Class)
	event.Signal = &evidence.Signal{
		Class: string(s.Class), Detail: s.Detail, Reason: s.Reason, Container: s.Container, Image: s.Image, Node: s.Node,
		Count: s.Count, First: s.First, Last: timePtr(s.Last), Ongoing: s.Ongoing, ExitCode: s.ExitCode, Restarts: s.Restarts,
	}
	return []evidence.Event{event}
}

func severity(c record.SignalClass) evidence.Severity {
	switch c {
	case record.SignalCrashLoop, record.SignalOOMKilled, record.SignalImagePull:
		return evidence.SeverityError
	}
	return evidence.SeverityWarning
}
