package kubernetes

import (
	"cmp"
	"context"
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
	// standing are signals of the status of pods, passed those that only Events tell
	// of, order their order.
	standing map[trouble]*record.Signal
	passed   map[trouble]*record.Signal
	order    []trouble
	// refused says that emit gave an error: nothing more is to be emitted.
	refused bool
}

func newFolding(pods []*pod) *folding {
	f := &folding{standing: map[trouble]*record.Signal{}, passed: map[trouble]*record.Signal{}}
	for _, p := range pods {
		for i := range p.signals {
			if sig := &p.signals[i]; sig.Folded {
				f.standing[trouble{sig.Object.UID, sig.Container, sig.Class}] = sig
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
	if s := f.standing[key]; s != nil {
		// What began before the status did tells of more than the status: an
		// earlier crash, or another image.
		if sig.First.Before(s.First.Add(-sameTime)) || s.Image != "" && sig.Image != s.Image {
			return false
		}
		s.Facts = fill(s.Facts, sig.Facts)
		s.Detail = cmp.Or(s.Detail, sig.Detail)
		if sig.Last.After(s.Last) {
			s.Last = sig.Last
		}
		if s.Class != record.SignalCrashLoop { // its count is that of the restarts
			s.Count = max(s.Count, sig.Count)
		}
		return true
	}
	if p := f.passed[key]; p != nil {
		*p = later(*p, *sig)
		return true
	}
	if len(f.order) >= maxFolded {
		return false
	}
	own := *sig
	own.Folded, own.Key, own.Container = true, key.container, key.container
	f.passed[key] = &own
	f.order = append(f.order, key)
	return true
}

// later ties two Events of one trouble: what the later one says goes before. Which of
// them comes first makes no difference.
func later(a, b record.Signal) record.Signal {
	if cmp.Or(a.Last.Compare(b.Last), cmp.Compare(a.Count, b.Count), cmp.Compare(b.Reason, a.Reason), cmp.Compare(b.Detail, a.Detail)) < 0 {
		a, b = b, a
	}
	if b.First.Before(a.First) {
		a.First = b.First
	}
	a.Count = max(a.Count, b.Count)
	a.Detail, a.Image, a.Node = cmp.Or(a.Detail, b.Detail), cmp.Or(a.Image, b.Image), cmp.Or(a.Node, b.Node)
	a.Facts = fill(a.Facts, b.Facts)
	return a
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
	for _, key := range f.order {
		if sig := f.passed[key]; !sig.Last.Before(w.Start) && sig.First.Before(w.End) {
			out = append(out, *sig)
		}
	}
	return out
}

// emitFolded emits the troubles of pods when all Events are in. What a status tells is
// given even where the Events could not be read to their end.
func (c *collection) emitFolded(ctx context.Context, j *joined) error {
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
