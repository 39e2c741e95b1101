package collect

import (
	"time"

	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

// Bounds of what waits to be correlated, all sources together. What is beyond is
// written at once, without a commit, and that is said.
const (
	maxHeldEvents = 200_000
	maxHeldBytes  = 256 << 20
)

// room is how much a source may hold. Each has its share from the beginning, so
// that what is held does not depend on who is faster.
type room struct {
	events int
	bytes  int64
}

func roomFor(sources int) room {
	return room{events: maxHeldEvents / max(1, sources), bytes: maxHeldBytes / int64(max(1, sources))}
}

// held are the events of a source that wait to be correlated.
type held struct {
	events  []evidence.Event
	streams []string // of the event at the same index
	// met has the hashes of news that are held, and of ids.
	met map[cursor.Hash]bool
}

// waits reports whether events of a kind are correlated before they are written.
func waits(k evidence.Kind) bool {
	switch k {
	case evidence.KindDeployment, evidence.KindCommit, evidence.KindPullRequest, evidence.KindRelease, evidence.KindPipeline:
		return true
	case evidence.KindConfigChange, evidence.KindNode, evidence.KindSignal:
	}
	return false
}

// take lets an event pass, or holds it.
func (s *sieve) take(stream string, e evidence.Event) error {
	if !waits(e.Kind) {
		return s.through(stream, e)
	}
	n := s.foresee(e)
	switch {
	case s.isSettled(e, n):
		s.remember(n, false)
		s.tallies.repeated++
		return nil
	case s.held.has(n):
		s.tallies.repeated++
		return nil
	}
	size := sizeOf(e)
	// Beyond the limit nothing is written, so that it need not wait either.
	if s.room.events <= 0 || s.room.bytes < size || len(s.held.events) >= s.limits.Events {
		s.tallies.early++
		return s.through(stream, e)
	}
	s.room.events, s.room.bytes = s.room.events-1, s.room.bytes-size
	s.held.add(stream, e, n)
	return nil
}

// foresee is the news of an event as it will be written.
func (s *sieve) foresee(e evidence.Event) news {
	e.ID = s.redact.EventID(e.ID)
	return newsOf(e)
}

// isSettled reports whether an earlier run told of a deployment all that any run
// could, so that nobody has to be asked about it. One that GitHub was told of may
// tell of others.
func (s *sieve) isSettled(e evidence.Event, n news) bool {
	d := e.Deployment
	if d == nil || d.Environment != nil || !s.isKnown(n) {
		return false
	}
	last, _ := s.known.told.Last(n.tieID)
	const most = evidence.DeepestTie
	return depthOf(last) >= most || isAnswered(last) && depthOf(last) == most-1 && d.From == nil
}

// has reports whether the same was held before; a weak form is the same as any.
func (h *held) has(n news) bool {
	if n.weak && h.met[n.id] {
		return true
	}
	for _, a := range n.aspects {
		if !h.met[a.key] {
			return false
		}
	}
	return h.met[n.key]
}

func (h *held) add(stream string, e evidence.Event, n news) {
	h.events, h.streams = append(h.events, e), append(h.streams, stream)
	h.met[n.id], h.met[n.key] = true, true
	for _, a := range n.aspects {
		h.met[a.key] = true
	}
}

// isReopened reports whether an event from before the window is looked at again: a
// deployment that an earlier run told.
func (s *sieve) isReopened(stream string, e evidence.Event) bool {
	again, ok := s.again[stream]
	if !ok || e.Deployment == nil || e.Deployment.Environment != nil || !belongs(e.Span(), again) {
		return false
	}
	_, told := s.last(s.foresee(e).id)
	return told
}

// leaveOpen notes a deployment of which a source of history may tell another run more
// than was told. What GitHub was told of has its commit without asking.
func (s *sieve) leaveOpen(stream string, e evidence.Event) {
	if e.Deployment.Environment != nil {
		return
	}
	last, _ := s.last(s.foresee(e).tieID)
	if depth := depthOf(last); isAnswered(last) && (depth == 0 || depth&1 == 1 || e.Deployment.From == nil) {
		return // what was not answered would add nothing that is news
	}
	end := s.reach[stream].End
	at := earliest(e.Span(), window.Window{Start: end.Add(-maxOpen), End: end})
	if open := s.tallies.open[stream]; !at.IsZero() && (open.IsZero() || at.Before(open)) {
		s.tallies.open[stream] = at
	}
}

// earliest is when a fact first touches a window; zero when it does not.
func earliest(s evidence.Span, w window.Window) (first time.Time) {
	take := func(t time.Time) {
		if w.Contains(t) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, t := range s.Instants {
		take(t)
	}
	take(s.Since)
	take(s.Until)
	return first
}

// let writes those of the held events that are chosen, after they were correlated. An
// error ends it: the run cannot be written, or the limit is reached.
func (s *sieve) let(w share, unanswered map[string]bool, chosen func(i int, e evidence.Event) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range w.events {
		e := w.events[i]
		if !chosen(i, e) {
			continue
		}
		w.events[i] = evidence.Event{} // it need not stay in memory
		if err := s.through(w.streams[i], e); err != nil {
			return err
		}
		if unanswered[e.ID] {
			s.leaveOpen(w.streams[i], e)
		}
	}
	return nil
}

// release gives what is held to be correlated. The sieve holds it no more.
func (s *sieve) release() held {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.held
	all.met, s.held = nil, held{}
	return all
}

// sizeOf estimates what an event takes in memory.
func sizeOf(e evidence.Event) int64 {
	const body, item = 1 << 10, 128
	size := int64(body)
	switch {
	case e.Deployment != nil:
		d := e.Deployment
		size += item * int64(len(d.TemplateChanges))
		for _, t := range []*evidence.Template{d.From, d.To} {
			if t != nil {
				size += item * int64(1+len(t.Images)+len(t.Claims)+len(t.FormerRevisions))
			}
		}
	case e.Commit != nil:
		size += item*int64(len(e.Commit.Parents)+len(e.Commit.PullRequests)+len(e.Commit.Issues)) + int64(len(e.Commit.Subject))
	}
	return size
}

// maxNamed bounds the repositories that are noted of a source.
const maxNamed = 10_000

// noteRepositories counts the repositories that a workload and its revisions name,
// whether or not something about it is to be told: a source that follows then reads
// the same ones in each run.
func (s *sieve) noteRepositories(r record.Record) {
	w, ok := r.(record.Workload)
	if !ok {
		return
	}
	names := map[string]bool{}
	claims(names, w.Claims)
	for _, rev := range w.Revisions {
		claims(names, rev.Claims)
	}
	for name := range names {
		if len(s.tallies.named) < maxNamed || s.tallies.named[name] > 0 {
			s.tallies.named[name]++
		}
	}
}

func claims(names map[string]bool, all []record.Claim) {
	for _, c := range all {
		if c.Kind == record.ClaimSource && c.Value != "" && record.RepositoryName(c.Value) == c.Value {
			names[c.Value] = true
		}
	}
}
