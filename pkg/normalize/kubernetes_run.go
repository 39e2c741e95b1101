package normalize

import (
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// ran tells of a Job from its start to its end, as far as it came.
func (b *builder) ran() evidence.Event {
	e := b.event(evidence.ChangeRun)
	e.ID = b.id("run")
	r := b.w.Rollout
	switch {
	case !r.Started.IsZero():
		b.starts(&e, r.Started, evidence.BasisStatus)
	case r.State == record.RolloutPaused:
		// Suspended before it began: it waits since it was created.
		e.Time = b.w.Created.UTC()
		e.Deployment.NotBefore = timePtr(b.w.Created)
	default:
		b.starts(&e, b.w.Created, evidence.BasisCreation)
	}
	e.Deployment.To = b.bareTemplate()
	b.rolloutState(&e)
	if e.Deployment.Status == evidence.StatusProgressing && b.w.FailedPods > 0 {
		e.Severity = evidence.SeverityWarning
	}
	if o := b.w.Owner; o != nil && o.Kind == "CronJob" {
		e.Deployment.Trigger = evidence.TriggerSchedule
		e.Deployment.TriggerObject = &evidence.TriggerObject{Kind: o.Kind, Name: o.Name}
		if o.Manual {
			e.Deployment.Trigger, e.Deployment.TriggerObject = evidence.TriggerClient, nil
		}
	}
	return e
}

// untouched reports whether nobody wrote the object since its creation, so that
// its template is still the first one.
func (b *builder) untouched() bool {
	for _, m := range b.w.Managers {
		if m.Time.After(b.w.Created.Add(near)) {
			return false
		}
	}
	return b.w.Updated == nil
}

// bareTemplate is a template without a revision.
func (b *builder) bareTemplate() *evidence.Template {
	if len(b.w.Containers) == 0 {
		return nil
	}
	return &evidence.Template{Images: images(b.w.Containers), Claims: claims(b.w.Claims)}
}

func images(containers []record.Container) []evidence.Image {
	var out []evidence.Image
	for _, c := range containers {
		out = append(out, evidence.Image{Container: c.Name, Image: c.Image, Digest: c.Digest})
	}
	return out
}

// paused tells of pauses and of their ends.
func (b *builder) paused() []evidence.Event {
	var events []evidence.Event
	for i, p := range b.w.Pauses {
		change, status := evidence.ChangeResume, evidence.StatusComplete
		if p.Paused {
			change, status = evidence.ChangePause, evidence.StatusComplete
			if i == len(b.w.Pauses)-1 {
				status = evidence.StatusPaused
			}
		}
		e := b.event(change)
		e.Deployment.Status = status
		if p.Time.IsZero() {
			b.between(&e, string(change), p.After, p.Before)
		} else {
			e.ID = b.id(string(change), seconds(p.Time))
			b.starts(&e, p.Time, evidence.BasisCondition)
		}
		e.Actor = manager(b.pauser(p))
		if s := b.newest(); s != nil && !s.start.IsZero() && !s.start.After(e.Time) {
			e.Deployment.To = template(s)
		}
		events = append(events, e)
	}
	return events
}

// between tells of what two looks told, and nothing else: the key is the
// earlier one, so that the same pair gives the same id.
func (b *builder) between(e *evidence.Event, what string, after, before time.Time) {
	e.ID = b.id(what, seconds(after))
	e.Time = moment(after, before)
	e.Deployment.StartedBasis = evidence.BasisSnapshot
	e.Deployment.NotBefore, e.Deployment.NotAfter = timePtr(after), timePtr(before)
}

// pauser is who wrote the field that pauses when that happened.
func (b *builder) pauser(p record.Pause) *record.Manager {
	from, to := p.Time.Add(-near), p.Time
	if p.Time.IsZero() {
		from, to = p.After, p.Before
	}
	if to.IsZero() {
		return nil
	}
	return writer(b.w.Managers, from, to, func(m record.Manager) bool { return m.Pauses && m.Subresource == "" })
}

// updated tells that a CronJob was written. An entry of managedFields has the time
// of its last write alone, and a write of a moment after the creation is part of
// that. Two looks tell of what no entry told.
func (b *builder) updated() []evidence.Event {
	if b.w.Object.Kind != "CronJob" {
		return nil
	}
	var events []evidence.Event
	told := false
	for i := range b.w.Managers {
		m := &b.w.Managers[i]
		if m.Subresource != "" || m.Time.IsZero() || !m.Time.After(b.w.Created.Add(near)) || b.onlyPaused(m) {
			continue
		}
		e := b.event(evidence.ChangeUpdate)
		e.ID = b.id("update", m.Name, seconds(m.Time))
		b.starts(&e, m.Time, evidence.BasisManagedFields)
		e.Deployment.Status = evidence.StatusComplete
		e.Actor = manager(m)
		if b.lastWritten(*m) {
			e.Deployment.To = b.bareTemplate()
		}
		events = append(events, e)
		told = told || b.w.Updated != nil && !m.Time.Before(b.w.Updated.After.Add(-near))
	}
	if u := b.w.Updated; u != nil && !told {
		e := b.event(evidence.ChangeUpdate)
		b.between(&e, "update", u.After, u.Before)
		e.Deployment.Status = evidence.StatusComplete
		e.Deployment.To = b.bareTemplate()
		events = append(events, e)
	}
	return events
}

// onlyPaused reports whether an entry's write is the pause that was told between
// two looks.
func (b *builder) onlyPaused(m *record.Manager) bool {
	if b.w.Updated != nil {
		return false
	}
	for _, p := range b.w.Pauses {
		if m.Pauses && p.Time.IsZero() && !m.Time.Before(p.After) && (p.Before.IsZero() || !m.Time.After(p.Before.Add(stamp))) {
			return true
		}
	}
	return false
}

func (b *builder) lastWritten(m record.Manager) bool {
	for _, o := range b.w.Managers {
		if o.Time.After(m.Time) {
			return false
		}
	}
	return true
}
