package evidence

import "time"

// Span is when a fact happened, for deciding whether it belongs to a window.
type Span struct {
	// Instants are the times at which something began, changed or ended.
	Instants []time.Time
	// Ongoing says that it stood when it was read, or may have happened at any
	// time up to then: a window that ends after the first instant is touched by it.
	Ongoing bool
	// Since and Until bound what happened once, at some time between: each window
	// that overlaps them is touched by it. Both are zero where they are not known.
	Since, Until time.Time
}

// Span gives the times of an event.
func (e Event) Span() Span {
	s := Span{Instants: []time.Time{e.Time}}
	add := func(t *time.Time) {
		if t != nil {
			s.Instants = append(s.Instants, *t)
		}
	}
	between := func(from, to *time.Time) {
		switch {
		case from == nil:
		case to == nil: // it had happened when it was read
			add(from)
			s.Ongoing = true
		default:
			s.Since, s.Until = *from, *to
		}
	}
	switch {
	case e.Deployment != nil:
		add(e.Deployment.Finished)
		s.Ongoing = e.Deployment.Status == StatusProgressing || e.Deployment.Status == StatusPaused
		between(e.Deployment.NotBefore, e.Deployment.NotAfter)
	case e.Node != nil:
		between(e.Node.NotBefore, e.Node.NotAfter)
	case e.ConfigChange != nil:
		// A write whose own time is known has that. What only two looks tell has the
		// time of the later one, which is read after the window has ended.
		if c := e.ConfigChange; c.How == "snapshot" && (c.NotAfter == nil || e.Time.Equal(*c.NotAfter)) {
			between(c.NotBefore, c.NotAfter)
		}
	case e.Signal != nil:
		add(e.Signal.Last)
		s.Ongoing = e.Signal.Ongoing
	case e.Pipeline != nil:
		add(e.Pipeline.Finished)
	case e.Commit != nil:
		between(e.Commit.NotBefore, e.Commit.NotAfter)
		s.carried(e.Commit.Deployments)
	case e.PullRequest != nil:
		s.carried(e.PullRequest.Deployments)
	}
	return s
}

// carried adds when a commit was deployed: it belongs to that time, too.
func (s *Span) carried(by []CarriedBy) {
	for _, d := range by {
		s.Instants = append(s.Instants, d.Time)
	}
}
