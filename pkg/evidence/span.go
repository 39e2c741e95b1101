package evidence

import "time"

// Span is when a fact happened, for deciding whether it belongs to a window.
type Span struct {
	// Instants are the times at which something began, changed or ended.
	Instants []time.Time
	// Ongoing says that it stood when it was read, or may have happened at any
	// time up to then: a window that ends after the first instant is touched by it.
	Ongoing bool
}

// Span gives the times of an event.
func (e Event) Span() Span {
	s := Span{Instants: []time.Time{e.Time}}
	add := func(t *time.Time) {
		if t != nil {
			s.Instants = append(s.Instants, *t)
		}
	}
	switch {
	case e.Deployment != nil:
		add(e.Deployment.Finished)
		s.Ongoing = e.Deployment.Status == StatusProgressing || e.Deployment.Status == StatusPaused
		if from := e.Deployment.NotBefore; from != nil {
			// It happened at some time since: no later window can be ruled out
			// before the time by which it had happened.
			add(from)
			s.Ongoing = true
		}
	case e.Node != nil:
		if from := e.Node.NotBefore; from != nil {
			add(from)
			s.Ongoing = true
		}
	case e.ConfigChange != nil:
		// A write whose own time is known has that. What only two looks tell has the
		// time of the later one, which is read after the window has ended.
		if c := e.ConfigChange; c.How == "snapshot" && c.NotBefore != nil && (c.NotAfter == nil || e.Time.Equal(*c.NotAfter)) {
			add(c.NotBefore)
			s.Ongoing = true
		}
	case e.Signal != nil:
		add(e.Signal.Last)
		s.Ongoing = e.Signal.Ongoing
	}
	return s
}
