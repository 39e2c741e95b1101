package normalize

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// step is one revision number and the template that it named: a Deployment
// that was rolled back names one template by two numbers.
type step struct {
	number   int64
	revision *record.Revision
	// before is the step of the number just below, nil when that is not known.
	before *step
	change evidence.Change
	start  time.Time
	basis  evidence.TimeBasis
	// notBefore and notAfter bound a rollback of which no start is known.
	notBefore, notAfter time.Time
	// inherited says that the template is older than the workload, which took it
	// over from another one: nothing tells when that one got it.
	inherited bool
	// claims are what the template, and of the present one the workload too, say of
	// their source code.
	claims []evidence.Claim
}

// workload tells the history of a workload: the creation, each change of the
// pod template that its revisions still tell of, scalings and the end.
func workload(connectorName string, w record.Workload) []evidence.Event {
	b := builder{connector: connectorName, w: w}
	if w.Vanished != nil {
		return []evidence.Event{b.vanished()}
	}
	b.steps = timeline(w)
	var events []evidence.Event
	switch {
	case w.Object.Kind == "Job":
		events = append(events, b.ran())
	case !w.Created.IsZero():
		events = append(events, b.created())
	}
	for i := range b.steps {
		s := &b.steps[i]
		switch {
		case s.change == evidence.ChangeCreate:
		case !s.start.IsZero():
			events = append(events, b.changed(s))
		case !s.notAfter.IsZero():
			events = append(events, b.bounded(s))
		}
	}
	events = append(events, b.scaled()...)
	events = append(events, b.paused()...)
	events = append(events, b.updated()...)
	if !w.Deleted.IsZero() {
		events = append(events, b.deleted())
	}
	return events
}

// timeline puts all known numbers in order and says what each was.
func timeline(w record.Workload) []step {
	var steps []step
	for i := range w.Revisions {
		r := &w.Revisions[i]
		for _, n := range append(slices.Clone(r.Former), r.Number) {
			steps = append(steps, step{number: n, revision: r})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.number, b.number) })
	steps = slices.CompactFunc(steps, func(a, b step) bool { return a.number == b.number })
	for i := range steps {
		s := &steps[i]
		if s.claims = claims(s.revision.Claims); i == len(steps)-1 {
			s.claims = claims(s.revision.Claims, w.Claims)
		}
		if i > 0 && steps[i-1].number == s.number-1 {
			s.before = &steps[i-1]
		}
		s.change = changeOf(w, steps[:i], s)
		s.inherited = s.change != evidence.ChangeCreate && s.revision.Created.Before(w.Created.Add(-stamp))
		if s.inherited && s.change != evidence.ChangeRollback {
			continue
		}
		s.start, s.basis = startOf(w, steps, i)
		if s.start.IsZero() {
			s.notBefore, s.notAfter = bounds(w, steps, i)
			// While it is under way the condition tells of its progress.
			if at := w.Rollout.Updated; s.notAfter.IsZero() && i == len(steps)-1 && at.After(s.notBefore) {
				s.notAfter = at
			}
		}
	}
	return steps
}

// changeOf sorts a step by what came before it.
func changeOf(w record.Workload, earlier []step, s *step) evidence.Change {
	switch {
	case s.number == 1:
		return evidence.ChangeCreate
	case reused(w, earlier, s):
		return evidence.ChangeRollback
	case s.before != nil && s.before.revision.Template == s.revision.Template && !s.revision.RestartedAt.IsZero() &&
		!s.revision.RestartedAt.Equal(s.before.revision.RestartedAt):
		return evidence.ChangeRestart
	}
	return evidence.ChangeRollout
}

// reused reports whether the template was there before: under a smaller number,
// or as an object that is older than one with a smaller number. A
// ControllerRevision does not tell its former numbers; one that is as old as
// the workload itself and is not the first was the first.
func reused(w record.Workload, earlier []step, s *step) bool {
	for _, e := range earlier {
		if e.revision == s.revision || e.revision.Created.After(s.revision.Created) {
			return true
		}
	}
	return w.Object.Kind != "Deployment" && len(earlier) == 0 && !s.revision.Created.After(w.Created)
}

// startOf says when a step began, by the best evidence that is left.
func startOf(w record.Workload, steps []step, i int) (time.Time, evidence.TimeBasis) {
	s := &steps[i]
	switch s.change {
	case evidence.ChangeCreate:
		return w.Created, evidence.BasisCreation
	case evidence.ChangeRestart:
		// The annotation is the client's clock; one that is far off is not used.
		if distance(s.revision.RestartedAt, s.revision.Created) <= time.Minute {
			return s.revision.RestartedAt, evidence.BasisAnnotation
		}
		return s.revision.Created, evidence.BasisCreation
	case evidence.ChangeRollback:
		return rollbackStart(w, steps, i)
	}
	return s.revision.Created, evidence.BasisCreation
}

// rollbackStart looks for the time of a rollback, which the re-used revision
// does not carry. after and until bound it: what lies outside tells of another
// change.
//
// The same rollback should be told the same way whenever it is looked at. Of
// what tells of it the Event is gone after an hour and a manager's entry with
// its next write; pods stay longest. So the pod is taken, unless something tells
// that the rollback began well before it. The time of the condition is the end,
// and no start at all.
func rollbackStart(w record.Workload, steps []step, i int) (time.Time, evidence.TimeBasis) {
	s := &steps[i]
	after, until := bounds(w, steps, i)
	fits := func(t time.Time) bool {
		return !t.IsZero() && !t.Before(after) && (until.IsZero() || !t.After(until))
	}
	// What the revision itself carries is of its present number; of a former one
	// only what is bounded by its successor tells.
	present := s.number == s.revision.Number
	var pod time.Time
	if present && fits(s.revision.FirstPod) {
		pod = s.revision.FirstPod
	}
	best := func(t time.Time) bool { return !t.IsZero() && (pod.IsZero() || pod.Sub(t) > sameScale) }
	if present || !until.IsZero() {
		if event := scaledFromZero(w, s.revision, fits); best(event) {
			return event, evidence.BasisEvent
		}
	}
	if i == len(steps)-1 { // a manager that wrote the template wrote the newest one
		if written := lastWrite(w, fits); best(written) {
			return written, evidence.BasisManagedFields
		}
	}
	if !pod.IsZero() {
		return pod, evidence.BasisPodCreation
	}
	return time.Time{}, ""
}

// scaledFromZero is when it was first told that a revision got its first
// replica: by an Event that is there, or by one that an earlier look saw.
func scaledFromZero(w record.Workload, r *record.Revision, fits func(time.Time) bool) time.Time {
	first := time.Time{}
	if fits(r.ScaledUp) {
		first = r.ScaledUp
	}
	for _, s := range w.Scalings {
		if s.Revision == r.Name && s.From == 0 && s.To > 0 && fits(s.Time) && (first.IsZero() || s.Time.Before(first)) {
			first = s.Time
		}
	}
	return first
}

// lastWrite is when somebody last wrote the template of the object itself.
func lastWrite(w record.Workload, fits func(time.Time) bool) time.Time {
	for _, m := range slices.Backward(w.Managers) {
		if m.Template && m.Subresource == "" && fits(m.Time) {
			return m.Time
		}
	}
	return time.Time{}
}

// bounds gives the earliest and the latest time at which step i can have begun.
func bounds(w record.Workload, steps []step, i int) (after, until time.Time) {
	if steps[i].inherited {
		after = w.Created
	}
	for _, e := range steps[:i] {
		for _, t := range []time.Time{e.start, e.revision.Created} {
			if e.revision != steps[i].revision && t.After(after) {
				after = t
			}
		}
	}
	for _, later := range steps[i+1:] {
		if later.revision.Created.After(after) && (until.IsZero() || later.revision.Created.Before(until)) &&
			!createdBefore(steps[:i+1], later.revision) {
			until = later.revision.Created
		}
	}
	if i == len(steps)-1 && (w.Rollout.State == record.RolloutComplete || w.Rollout.State == record.RolloutFailed) {
		until = w.Rollout.Updated
	}
	return after, until
}

// createdBefore reports whether a revision already had a number among steps.
func createdBefore(steps []step, r *record.Revision) bool {
	return slices.ContainsFunc(steps, func(s step) bool { return s.revision == r })
}

// builder makes the events of one workload.
type builder struct {
	connector string
	w         record.Workload
	steps     []step
}

// event is an event without its id and time.
func (b *builder) event(change evidence.Change) evidence.Event {
	e := envelope(b.connector, evidence.KindDeployment, b.w, b.w.Object, b.w.Service)
	e.Deployment = &evidence.Deployment{Change: change, Workload: b.w.Object.Kind, Status: evidence.StatusUnknown}
	return e
}

func (b *builder) id(key ...string) string {
	return evidence.ID(evidence.KindDeployment, append(identity(b.w.Object), key...)...)
}

func (b *builder) newest() *step {
	if len(b.steps) == 0 {
		return nil
	}
	return &b.steps[len(b.steps)-1]
}

// created tells of the creation. Its template is known only while the first
// number is.
func (b *builder) created() evidence.Event {
	e := b.event(evidence.ChangeCreate)
	e.ID = b.id("create")
	b.starts(&e, b.w.Created, evidence.BasisCreation)
	e.Actor = manager(b.templateWriter(b.w.Created, stamp))
	switch {
	case b.w.Containers != nil:
		if b.untouched() {
			e.Deployment.To = b.bareTemplate()
		}
		b.rolloutState(&e)
	case len(b.steps) > 0 && b.steps[0].number == 1 && !b.steps[0].revision.Created.Before(b.w.Created.Add(-stamp)):
		e.Deployment.To = template(&b.steps[0])
		b.ends(&e, &b.steps[0])
	case len(b.steps) > 0:
		e.Deployment.Status = evidence.StatusSuperseded
	default:
		// No revision is known at all, and so not whether the state of the newest
		// rollout is that of the creation.
	}
	return e
}

// changed tells of a rollout, rollback or restart. The number is its natural
// key and the kind of change is not: that may be told better or worse,
// depending on how much history is left.
func (b *builder) changed(s *step) evidence.Event {
	e := b.event(s.change)
	e.ID = b.id("revision", strconv.FormatInt(s.number, 10))
	b.starts(&e, s.start, s.basis)
	e.Actor = manager(b.templateWriter(s.seen(), near))
	e.Deployment.To = template(s)
	if s.before != nil {
		e.Deployment.From = template(s.before)
		e.Deployment.TemplateChanges, e.Deployment.TemplateChangesMore = templateChanges(s.before.revision.Fields, s.revision.Fields)
	}
	b.ends(&e, s)
	return e
}

// bounded tells of a rollback at a time that nothing tells any more: it lies
// between two other changes, or before the end that the condition tells.
func (b *builder) bounded(s *step) evidence.Event {
	e := b.changed(s)
	e.Time = s.notAfter.UTC()
	e.Deployment.Started, e.Deployment.StartedBasis, e.Actor = nil, "", nil
	e.Deployment.NotBefore, e.Deployment.NotAfter = timePtr(s.notBefore), timePtr(s.notAfter)
	return e
}

func (b *builder) starts(e *evidence.Event, t time.Time, basis evidence.TimeBasis) {
	e.Time = t.UTC()
	e.Deployment.Started, e.Deployment.StartedBasis = timePtr(t), basis
}

// seen is when the controller took up the write that began the step: the start,
// unless that is a client's word.
func (s *step) seen() time.Time {
	if s.basis == evidence.BasisAnnotation {
		return s.revision.Created
	}
	return s.start
}

// templateWriter finds the manager whose write the controller took up at t, at
// most lead later. A write that may have begun the step before or after as well
// is not claimed for either.
func (b *builder) templateWriter(t time.Time, lead time.Duration) *record.Manager {
	others := []time.Time{b.w.Created}
	for i := range b.steps {
		others = append(others, b.steps[i].seen())
	}
	from := t.Add(-lead)
	for _, o := range others {
		if o.Before(t) && !o.Before(from) {
			from = o.Add(stamp)
		}
	}
	m := writer(b.w.Managers, from, t, func(m record.Manager) bool { return m.Template && m.Subresource == "" })
	either := func(o time.Time) bool {
		if o.Before(t) {
			return !m.Time.After(o.Add(stamp)) && m.Time.Sub(o) <= t.Sub(m.Time)
		}
		return o.After(t) && m.Time.After(t) && o.Sub(m.Time) <= near
	}
	if m == nil || slices.ContainsFunc(others, func(o time.Time) bool { return !o.IsZero() && either(o) }) {
		return nil
	}
	return m
}

// ends says how far a step came: only the newest has the state of the rollout.
func (b *builder) ends(e *evidence.Event, s *step) {
	if s != b.newest() {
		e.Deployment.Status = evidence.StatusSuperseded
		return
	}
	b.rolloutState(e)
}

func (b *builder) rolloutState(e *evidence.Event) {
	d, r := e.Deployment, b.w.Rollout
	d.Status, d.Reason = evidence.Status(r.State), r.Reason
	if r.State == "" {
		d.Status = evidence.StatusUnknown
	}
	if d.Status == evidence.StatusFailed {
		e.Severity = evidence.SeverityError
	}
	if (d.Status == evidence.StatusComplete || d.Status == evidence.StatusFailed) && !r.Updated.IsZero() && !r.Updated.Before(e.Time) && !resumed(r, e.Time) {
		d.Finished, d.FinishedBasis = timePtr(r.Updated), evidence.BasisCondition
	}
}

// resumed reports whether the condition of a complete rollout that began at start
// may tell no more than that a pause ended: its status changed and settled at once.
func resumed(r record.Rollout, start time.Time) bool {
	return r.State == record.RolloutComplete && r.Transitioned.After(start.Add(near)) && r.Updated.Sub(r.Transitioned) <= near
}

func (b *builder) deleted() evidence.Event {
	e := b.event(evidence.ChangeDelete)
	e.ID = b.id("delete")
	b.starts(&e, b.w.Deleted, evidence.BasisDeletion)
	e.Deployment.Status = evidence.StatusProgressing // it still shows
	if s := b.newest(); s != nil {
		e.Deployment.From = template(s)
	}
	return e
}

func (b *builder) vanished() evidence.Event {
	e := b.event(evidence.ChangeDelete)
	b.between(&e, "delete", b.w.Vanished.After, b.w.Vanished.Before)
	e.ID = b.id("delete") // once, whenever it is found
	e.Deployment.Status = evidence.StatusComplete
	return e
}

func template(s *step) *evidence.Template {
	t := &evidence.Template{Revision: s.number, Name: s.revision.Name, Claims: s.claims}
	for _, n := range s.revision.Former {
		if n < s.number {
			t.FormerRevisions = append(t.FormerRevisions, n)
		}
	}
	t.Images = images(s.revision.Containers)
	return t
}
