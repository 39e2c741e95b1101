package redact

import "github.com/rcactl/rcactl/pkg/evidence"

// Redacted is an event that may be written. Only [Redactor.Redact] makes one
// that holds something; the writer refuses the zero value.
type Redacted struct {
	line  string
	event *evidence.Event
}

// IsZero reports whether there is nothing to write.
func (r Redacted) IsZero() bool { return r.event == nil }

// Line returns the line of JSON, without a newline. The bytes are the caller's.
func (r Redacted) Line() []byte { return []byte(r.line) }

// Event returns the redacted event for showing it to people. What it points to
// is shared and must not be changed; the line would not follow.
func (r Redacted) Event() evidence.Event {
	if r.event == nil {
		return evidence.Event{}
	}
	return *r.event
}

// ID returns the id of the event as it is written.
func (r Redacted) ID() string { return r.Event().ID }

// Kind returns the kind of the event.
func (r Redacted) Kind() evidence.Kind { return r.Event().Kind }
