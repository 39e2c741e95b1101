package normalize

import (
	"slices"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// sameScale is how far the deployment controller's Event may lie from the write
// that it followed.
const sameScale = 30 * time.Second

// scaled tells of changes of scale on the newest revision after its rollout had
// finished: before that the controller scales by itself, and of older revisions
// nobody tells when their rollouts had finished.
//
// Two sources tell of the same act, the Event with the numbers and the field
// manager with the name. The manager's time, where there is one, names the fact,
// so that the id outlives the Event.
func (b *builder) scaled() []evidence.Event {
	newest := b.newest()
	if newest == nil {
		return nil
	}
	var events []evidence.Event
	var told []record.Manager
	for _, s := range b.handScalings(newest) {
		m := b.scaleManager(s)
		if m != nil && slices.Contains(told, *m) {
			m = nil // several steps of one writer: only one can have its time
		}
		if m != nil {
			told = append(told, *m)
		}
		events = append(events, b.scale(newest, &s, m))
	}
	for _, m := range b.w.Managers {
		if m.Subresource == "scale" && !slices.Contains(told, m) && m.Time.After(b.w.Created.Add(near)) {
			events = append(events, b.scale(newest, nil, &m))
		}
	}
	slices.SortStableFunc(events, func(x, y evidence.Event) int { return x.Time.Compare(y.Time) })
	return events
}

// handScalings are the scalings that are not part of a rollout.
func (b *builder) handScalings(newest *step) []record.Scaling {
	if b.w.Rollout.State != record.RolloutComplete || b.w.Rollout.Updated.IsZero() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(b.w.Scalings), func(s record.Scaling) bool {
		return s.Revision != newest.revision.Name || !s.Time.After(b.w.Rollout.Updated)
	})
}

// scaleManager finds the writer that an Event followed: one at about that time,
// or, for an entry without a time, the owner of the present number when the
// Event was the last one and led to that number.
func (b *builder) scaleManager(s record.Scaling) *record.Manager {
	var owner *record.Manager
	for _, m := range slices.Backward(b.w.Managers) {
		switch {
		case m.Subresource != "scale":
		case m.Time.IsZero() && owner == nil:
			owner = &m
		case m.Time.IsZero():
			return nil // two owners: which of them wrote is not known
		case distance(m.Time, s.Time) <= sameScale:
			return &m
		}
	}
	if last := b.w.Scalings[len(b.w.Scalings)-1]; s == last && s.To == b.w.Desired {
		return owner
	}
	return nil
}

func (b *builder) scale(newest *step, s *record.Scaling, m *record.Manager) evidence.Event {
	e := b.event(evidence.ChangeScale)
	d := e.Deployment
	switch {
	case s != nil:
		e.Time, d.StartedBasis = s.Time.UTC(), evidence.BasisEvent
		d.Replicas = &evidence.Replicas{To: s.To}
		if s.From >= 0 {
			d.Replicas.From = &s.From
		}
	case b.lastWriter(*m):
		d.Replicas = &evidence.Replicas{To: b.w.Desired}
	}
	if m != nil && !m.Time.IsZero() {
		e.Time, d.StartedBasis = m.Time.UTC(), evidence.BasisManagedFields
	}
	e.Actor = manager(m)
	e.ID = b.id("scale", seconds(e.Time))
	d.Started = timePtr(e.Time)
	if !newest.start.IsZero() && !e.Time.Before(newest.start) {
		d.To = template(newest)
	}
	return e
}

// lastWriter reports whether nobody wrote the object after m, so that the number
// of replicas is still the one that m wrote.
func (b *builder) lastWriter(m record.Manager) bool {
	return b.w.Desired >= 0 && !slices.ContainsFunc(b.w.Managers, func(o record.Manager) bool { return o.Time.After(m.Time) })
}
