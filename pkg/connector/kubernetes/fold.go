package kubernetes

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

// One image that cannot be pulled gives a waiting state and four or five Events. All of
// them name the same container of the same pod, so that they are told as one trouble,
// whose id is the same whether the pod is still there or not.

// maxFolded bounds the troubles of pods that no status tells of. Those beyond are told
// Event by Event.
const maxFolded = 8192

// sameTime is how far the stamps of a status and of an Event of one act may lie apart.
const sameTime = 2 * time.Second

// trouble is what a status and its Events have in common.
type trouble struct {
	pod, container string
	class          record.SignalClass
}

// folding gathers the Events of troubles.
type folding struct {
	troubles map[trouble]*heard
	// passed are those that only Events tell of, in the order of their first ones.
	passed []*heard
	// refused says that emit gave an error: nothing more is to be emitted.
	refused bool
}

// heard is a trouble with what its Events say. In whichever order they come, the
// result is the same.
type heard struct {
	// sig is the signal of the status, or one of Events alone.
	sig      *record.Signal
	standing bool
	// last is the last Event, said the last one that tells why.
	last, said saying
}

// saying is what one Event says of a trouble.
type saying struct {
	at                       time.Time
	count                    int32
	reason, reporter, detail string
	facts                    record.SignalFacts
}

func (s *saying) tellsWhy() bool {
	return s.detail != "" || len(s.facts.Unschedulable) > 0 || s.facts.PreemptedBy != ""
}

func (s *saying) compare(o *saying) int {
	return cmp.Or(s.at.Compare(o.at), cmp.Compare(s.count, o.count), strings.Compare(s.reason, o.reason),
		strings.Compare(s.detail, o.detail), strings.Compare(s.reporter, o.reporter))
}

func newFolding(pods []*pod) *folding {
	f := &folding{troubles: map[trouble]*heard{}}
	for _, p := range pods {
		for i := range p.signals {
			if sig := &p.signals[i]; sig.Folded {
				f.troubles[trouble{sig.Object.UID, sig.Container, sig.Class}] = &heard{sig: sig, standing: true}
			}
		}
	}
	return f
}

// folds reports whether an Event tells of a trouble that a status can tell of too.
func folds(sig *record.Signal) bool {
	if sig.Object.Kind != "Pod" || sig.Object.UID == "" {
		return false
	}
	switch sig.Class {
	case record.SignalImagePull, record.SignalCrashLoop, record.SignalContainerConfig:
		return sig.Container != ""
	case record.SignalUnschedulable:
		return sig.Reason == "FailedScheduling"
	case record.SignalEvicted:
		return true
	}
	return false
}

// take takes an Event; false when it has to be told by itself.
func (f *folding) take(sig *record.Signal) bool {
	if !folds(sig) {
		return false
	}
	key := trouble{sig.Object.UID, sig.Container, sig.Class}
	if sig.Class == record.SignalUnschedulable || sig.Class == record.SignalEvicted {
		key.container = ""
	}
	h := f.troubles[key]
	switch {
	case h == nil && len(f.passed) >= maxFolded:
		return false
	case h == nil:
		own := *sig
		own.Folded, own.Key, own.Container = true, key.container, key.container
		own.Detail, own.Facts = "", record.SignalFacts{}
		h = &heard{sig: &own}
		f.troubles[key] = h
		f.passed = append(f.passed, h)
	case h.standing && (sig.First.Before(h.sig.First.Add(-sameTime)) || h.sig.Image != "" && sig.Image != h.sig.Image):
		// What began before the status did tells of more than the status: an earlier
		// crash, or another image.
		return false
	}
	h.hear(sig)
	return true
}

func (h *heard) hear(sig *record.Signal) {
	s := h.sig
	if sig.First.Before(s.First) && !h.standing {
		s.First = sig.First
	}
	if sig.Last.After(s.Last) {
		s.Last = sig.Last
	}
	if !h.standing || s.Class != record.SignalCrashLoop { // whose count is that of the restarts
		s.Count = max(s.Count, sig.Count)
	}
	s.Image, s.Node = max(s.Image, sig.Image), max(s.Node, sig.Node)
	s.Facts.Registry = max(s.Facts.Registry, sig.Facts.Registry)
	says := saying{at: sig.Last, count: sig.Count, reason: sig.Reason, reporter: sig.Reporter, detail: sig.Detail, facts: sig.Facts}
	if says.compare(&h.last) > 0 {
		h.last = says
	}
	if says.tellsWhy() && (!h.said.tellsWhy() || says.compare(&h.said) > 0) {
		h.said = says
	}
}

// finish completes the signals with what the Events said. What the status says goes
// before.
func (f *folding) finish() {
	for _, h := range f.troubles {
		h.sig.Facts = fill(h.sig.Facts, h.said.facts)
		h.sig.Detail = cmp.Or(h.sig.Detail, h.said.detail)
		if !h.standing {
			h.sig.Reason, h.sig.Reporter = h.last.reason, h.last.reporter
		}
	}
}

// fill completes facts with others.
func fill(f, with record.SignalFacts) record.SignalFacts {
	f.Registry, f.Webhook, f.Volume = cmp.Or(f.Registry, with.Registry), cmp.Or(f.Webhook, with.Webhook), cmp.Or(f.Volume, with.Volume)
	f.Missing, f.Quota = cmp.Or(f.Missing, with.Missing), cmp.Or(f.Quota, with.Quota)
	f.Process, f.PreemptedBy = cmp.Or(f.Process, with.Process), cmp.Or(f.PreemptedBy, with.PreemptedBy)
	if len(f.Resources) == 0 {
		f.Resources = with.Resources
	}
	if len(f.Unschedulable) == 0 {
		f.Unschedulable, f.NodesTotal = with.Unschedulable, with.NodesTotal
	}
	return f
}

// passedIn gives the troubles that only Events tell of, and that touch the window.
func (f *folding) passedIn(w window.Window) []record.Signal {
	var out []record.Signal
	for _, h := range f.passed {
		if !h.sig.Last.Before(w.Start) && h.sig.First.Before(w.End) {
			out = append(out, *h.sig)
		}
	}
	return out
}

// emitFolded emits the troubles of pods when all Events are in. What a status tells is
// given even where the Events could not be read to their end.
func (c *collection) emitFolded(ctx context.Context, j *joined) error {
	c.fold.finish()
	if err := c.emitPods(ctx, j, true); err != nil {
		return err
	}
	c.done[record.StreamPods] = true
	for _, sig := range c.fold.passedIn(c.eventWindow()) {
		if err := c.give(ctx, sig, sig.Object, sig.Service); err != nil {
			return err
		}
	}
	return nil
}

// emitPods emits what the status of pods tells: what Events can tell of too, or the
// rest.
func (c *collection) emitPods(ctx context.Context, j *joined, folded bool) error {
	for _, p := range j.ordered {
		for _, sig := range p.signals {
			if sig.Folded != folded {
				continue
			}
			sig.Service = j.serviceOfPod(p)
			if err := c.give(ctx, sig, sig.Object, sig.Service); err != nil {
				return err
			}
		}
	}
	return nil
}
