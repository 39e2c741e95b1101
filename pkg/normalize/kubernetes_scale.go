package normalize

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// sameScale is how far the deployment controller's Event may lie from the write
// that it followed.
const sameScale = 30 * time.Second

// scaled tells of changes of scale outside rollouts: during one the controller
// scales by itself.
//
// Three sources tell of the same act: the Event with the numbers, the field
// manager with the name, and two looks with neither time nor name. The manager's
// time, where there is one, names the fact, so that the id outlives the Event.
func (b *builder) scaled() []evidence.Event {
	newest := b.newest()
	if newest == nil {
		return b.rescaled(nil)
	}
	var events []evidence.Event
	var told []record.Manager
	for _, s := range b.w.Scalings {
		at := b.byHand(s)
		if at == nil {
			continue
		}
		m := b.scaleManager(s)
		if m != nil && holds(told, *m) {
			m = nil // several steps of one writer: only one can have its time
		}
		if m != nil {
			told = append(told, *m)
		}
		events = append(events, b.scale(at, &s, m))
	}
	for _, m := range b.w.Managers {
		if m.Subresource == "scale" && !holds(told, m) && m.Time.After(b.w.Created.Add(near)) {
			events = append(events, b.scale(newest, nil, &m))
		}
	}
	events = append(events, b.rescaled(events)...)
	slices.SortStableFunc(events, func(x, y evidence.Event) int {
		return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(revisionOf(x), revisionOf(y)))
	})
	return events
}

// holds reports whether an entry of managedFields is in the list.
func holds(list []record.Manager, m record.Manager) bool {
	return slices.ContainsFunc(list, func(o record.Manager) bool {
		return o.Name == m.Name && o.Subresource == m.Subresource && o.Time.Equal(m.Time)
	})
}

func revisionOf(e evidence.Event) int64 {
	if e.Deployment.To == nil {
		return 0
	}
	return e.Deployment.To.Revision
}

// byHand gives the step whose replicas a scaling changed, nil when the scaling
// is part of a rollout or nothing tells that it is not.
func (b *builder) byHand(s record.Scaling) *step {
	i := b.stepAt(s.Time)
	if i < 0 || b.steps[i].revision.Name != s.Revision {
		return nil
	}
	at := &b.steps[i]
	if b.undone(s) {
		return nil
	}
	if at == b.newest() {
		if b.w.Rollout.State == record.RolloutComplete && !b.w.Rollout.Updated.IsZero() && s.Time.After(b.w.Rollout.Updated) && b.holds(s) {
			return at
		}
		return nil
	}
	if s.From <= 0 {
		return nil // the first replicas are those of the rollout; -1 is not told
	}
	if at.change == evidence.ChangeCreate {
		return at // created with all its replicas, and nothing before it
	}
	drained := b.drained(i, s.Time)
	switch {
	case drained.IsZero():
		return nil
	case s.To < s.From, s.Time.Sub(drained) > sameScale:
		return at // a rollout only adds to the new revision, and at once
	}
	return nil
}

// undone reports whether a scaling led back to the number that the revision had
// before, from one that nothing told of: then somebody may have scaled the
// ReplicaSet itself, and its Deployment took that back.
func (b *builder) undone(s record.Scaling) bool {
	known := int32(-1)
	for _, o := range b.w.Scalings {
		if o.Revision == s.Revision && o.Time.Before(s.Time) {
			known = o.To
		}
	}
	return known >= 0 && s.From >= 0 && s.To == known && s.From != known
}

// holds reports whether the present number of replicas agrees with a scaling of
// the newest revision: the last one led to it, unless somebody wrote since. An
// Event that does not was forged, or its successor was not kept.
func (b *builder) holds(s record.Scaling) bool {
	later := func(t time.Time) bool { return t.After(s.Time) }
	return s.To == b.w.Desired ||
		slices.ContainsFunc(b.w.Scalings, func(o record.Scaling) bool { return o.Revision == s.Revision && later(o.Time) }) ||
		slices.ContainsFunc(b.w.Managers, func(m record.Manager) bool { return later(m.Time) })
}

// stepAt finds the step that was current at t, -1 when that is not told. A step
// that is about to be replaced is not: its successor may have begun.
func (b *builder) stepAt(t time.Time) int {
	found := -1
	for i := range b.steps {
		switch s := &b.steps[i]; {
		case s.start.IsZero() && (s.notBefore.IsZero() || t.After(s.notBefore)):
			return -1
		case s.start.IsZero():
			return found
		case !t.Before(s.start):
			found = i
		case t.After(s.start.Add(-near)):
			return -1
		default:
			return found
		}
	}
	return found
}

// drained is when the last replica of the revision before step i was taken
// away, which ends the rollout but for what the new one still gains at once. It
// is zero when that was not told before t.
func (b *builder) drained(i int, t time.Time) (last time.Time) {
	start := b.steps[i].start
	for _, s := range b.w.Scalings {
		if s.Revision != b.steps[i].revision.Name && s.To == 0 && !s.Time.Before(start) && s.Time.Before(t) && s.Time.After(last) {
			last = s.Time
		}
	}
	return last
}

// rescaled tells that two looks saw different numbers of replicas, as far as
// events have not told it.
func (b *builder) rescaled(events []evidence.Event) []evidence.Event {
	r := b.w.Rescaled
	if r == nil {
		return nil
	}
	from, after := r.From, r.After
	for _, e := range events {
		replicas := e.Deployment.Replicas
		if replicas == nil || e.Time.Before(r.After.Add(-near)) || !r.Before.IsZero() && e.Time.After(r.Before) {
			continue
		}
		from = replicas.To
		if e.Time.After(after) {
			after = e.Time
		}
	}
	if from == r.To {
		return nil
	}
	e := b.event(evidence.ChangeScale)
	d := e.Deployment
	// The key is that of the change and not of the look that found it.
	e.ID = b.id("scale", seconds(after), strconv.Itoa(int(from)), strconv.Itoa(int(r.To)))
	e.Time = moment(after, r.Before)
	e.Actor = manager(b.scaleOwner())
	b.triggered(&e, b.scaleOwner())
	d.Replicas = &evidence.Replicas{From: &from, To: r.To}
	d.StartedBasis = evidence.BasisSnapshot
	d.NotBefore, d.NotAfter = timePtr(after), timePtr(r.Before)
	return []evidence.Event{e}
}

// scaleOwner is the one manager that set the present number of replicas at a
// time that is not told; nil when there is none or there are several.
func (b *builder) scaleOwner() *record.Manager {
	var owner *record.Manager
	for i := range b.w.Managers {
		if m := &b.w.Managers[i]; m.Subresource == "scale" && m.Time.IsZero() {
			if owner != nil {
				return nil
			}
			owner = m
		}
	}
	return owner
}

// scaleManager finds the writer that an Event followed: one at about that time,
// or, for an entry without a time, the owner of the present number when the
// Event was the last one and led to that number.
func (b *builder) scaleManager(s record.Scaling) *record.Manager {
	for _, m := range slices.Backward(b.w.Managers) {
		if m.Subresource == "scale" && !m.Time.IsZero() && distance(m.Time, s.Time) <= sameScale {
			return &m
		}
	}
	if last := b.w.Scalings[len(b.w.Scalings)-1]; s == last && s.To == b.w.Desired {
		return b.scaleOwner()
	}
	return nil
}

// scale makes the event of a scaling that an Event, a manager or both told of.
func (b *builder) scale(at *step, s *record.Scaling, m *record.Manager) evidence.Event {
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
	b.triggered(&e, m)
	e.ID = b.id("scale", seconds(e.Time))
	d.Started = timePtr(e.Time)
	if !at.start.IsZero() && !e.Time.Before(at.start) {
		d.To = template(at)
	}
	return e
}

// controllerManager is the field manager of Kubernetes' own controllers. Of them
// only the one for autoscalers writes the scale subresource.
const controllerManager = "kube-controller-manager"

// triggered says what asked for a scale: who wrote the scale subresource, else the
// autoscaler, when it says that it set that number at that time.
func (b *builder) triggered(e *evidence.Event, m *record.Manager) {
	a, d := b.w.Autoscaler, e.Deployment
	switch {
	case m != nil && m.Subresource == "scale" && m.Name == controllerManager:
		d.Trigger = evidence.TriggerAutoscaler
	case m != nil:
		d.Trigger = evidence.TriggerClient
	case a != nil && !a.LastScale.IsZero() && d.Replicas != nil && d.Replicas.To == a.Desired && distance(a.LastScale, e.Time) <= near:
		d.Trigger = evidence.TriggerAutoscaler
	}
	if a != nil && d.Trigger == evidence.TriggerAutoscaler {
		d.TriggerObject = &evidence.TriggerObject{Kind: "HorizontalPodAutoscaler", Name: a.Name}
	}
}

// lastWriter reports whether nobody wrote the object after m, so that the number
// of replicas is still the one that m wrote.
func (b *builder) lastWriter(m record.Manager) bool {
	return b.w.Desired >= 0 && !slices.ContainsFunc(b.w.Managers, func(o record.Manager) bool { return o.Time.After(m.Time) })
}
