package kubernetes

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/record"
)

// selector is a label selector, requirement by requirement; nil takes all.
type selector labels.Requirements

// parseSelector reads the syntax of kubectl; ok is false for what is none.
func parseSelector(text string) (s selector, ok bool) {
	if text == "" {
		return nil, true
	}
	parsed, err := labels.Parse(text)
	if err != nil {
		return nil, false
	}
	requirements, _ := parsed.Requirements()
	return selector(requirements), len(requirements) > 0
}

// takes reports whether one of the sets has what is asked for, and none has what
// is excluded: env!=dev leaves out a workload of which only the pods say dev.
func (s selector) takes(sets ...labels.Set) bool {
	for i := range s {
		r := &s[i]
		fits := func(set labels.Set) bool { return r.Matches(set) }
		switch r.Operator() {
		case selection.NotEquals, selection.NotIn, selection.DoesNotExist:
			if slices.ContainsFunc(sets, func(set labels.Set) bool { return !fits(set) }) {
				return false
			}
		default:
			if !slices.ContainsFunc(sets, fits) {
				return false
			}
		}
	}
	return true
}

// templateLabels are the labels that an object gives to its pods.
func templateLabels(object metav1.Object) labels.Set {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return o.Spec.Template.Labels
	case *appsv1.StatefulSet:
		return o.Spec.Template.Labels
	case *appsv1.DaemonSet:
		return o.Spec.Template.Labels
	case *appsv1.ReplicaSet:
		return o.Spec.Template.Labels
	case *batchv1.Job:
		return o.Spec.Template.Labels
	case *batchv1.CronJob:
		return o.Spec.JobTemplate.Spec.Template.Labels
	}
	return nil
}

// admits reports whether an object is to be cut down at all. With a selector it
// notes the objects that are chosen for their labels; the others are cut down
// too, since they may belong to one that is.
func (c *collection) admits(j *job, object metav1.Object) bool {
	if !c.scope.covers(object.GetNamespace()) {
		return false
	}
	j.admitted++
	if c.scope.chooses != nil && c.scope.chooses.takes(object.GetLabels(), templateLabels(object)) {
		j.chosen = append(j.chosen, object.GetUID())
	}
	return true
}

// choice says what a selector chooses of what was read. A nil choice takes all.
type choice struct {
	joined *joined
	// chosen are the objects that are chosen for their labels.
	chosen map[types.UID]bool
	// services says of the services of workloads whether all their workloads are
	// chosen: what is known by its service alone is of no other then.
	services map[[2]string]bool
	// managers are the tools' objects that chosen workloads name.
	managers map[record.ManagedBy]bool
	// before and now are keys of what was chosen of what the next look may miss, so
	// that of a deleted object it is known whether it was asked for.
	before, now map[string]bool
}

// choose is called when everything but the streamed Events was read and tied
// together.
func (c *collection) choose(j *joined) {
	if c.scope.chooses == nil {
		return
	}
	out := &choice{
		joined: j, chosen: map[types.UID]bool{}, services: map[[2]string]bool{},
		managers: map[record.ManagedBy]bool{}, before: map[string]bool{}, now: map[string]bool{},
	}
	for _, j := range c.jobs {
		for _, uid := range j.chosen {
			out.chosen[uid] = true
		}
		j.chosen = nil
	}
	for _, w := range j.workloads {
		key := [2]string{w.Object.Namespace, w.Service.Name}
		all, met := out.services[key]
		out.services[key] = out.workload(w.Object) && (all || !met)
		if w.ManagedBy != nil && out.workload(w.Object) {
			out.managers[*w.ManagedBy] = true
		}
	}
	for _, key := range c.prior.Chosen {
		out.before[key], out.now[key] = true, true
	}
	c.choice = out
}

func (ch *choice) workload(o record.Object) bool { return ch.chosen[types.UID(o.UID)] }

// takes reports whether a record was asked for. What is of the whole cluster
// always is.
func (ch *choice) takes(r record.Record, o record.Object, service record.Service) bool {
	if ch == nil || o.Namespace == "" {
		return true
	}
	switch r := r.(type) {
	case record.Workload:
		return ch.remember(o, r.Vanished, ch.workload(o))
	case record.Setting:
		return ch.remember(o, r.Vanished, ch.setting(r))
	case record.Delivery:
		return ch.remember(o, r.Vanished, ch.delivery(r))
	}
	return ch.belongs(o, service)
}

// remember decides of an object that may be gone at the next look, and notes it.
func (ch *choice) remember(o record.Object, gone *record.Vanished, chosen bool) bool {
	key := chosenKey(o.UID)
	delete(ch.now, key)
	if gone != nil {
		return ch.before[key]
	}
	if chosen {
		ch.now[key] = true
	}
	return chosen
}

// remembered is state.Chosen of this look.
func (ch *choice) remembered(limit int) []string {
	if ch == nil {
		return nil
	}
	keys := slices.Sorted(maps.Keys(ch.now))
	return keys[:min(len(keys), limit)]
}

// setting takes a Setting for its own labels, or because a chosen workload
// consumes it.
func (ch *choice) setting(s record.Setting) bool {
	return ch.workload(s.Object) || slices.ContainsFunc(s.Consumers, func(c record.Consumer) bool { return ch.workload(c.Object) })
}

// delivery takes what a tool applied for its own labels, or because a chosen
// workload names it.
func (ch *choice) delivery(d record.Delivery) bool {
	by := managerOf(&d)
	nowhere := by
	nowhere.Namespace = ""
	return ch.workload(d.Object) || ch.managers[by] || ch.managers[nowhere]
}

// belongs reports whether an object that something is told of is chosen, or is
// of a chosen workload. One that is not known is so by its service, unless
// another workload of that service is not chosen.
func (ch *choice) belongs(o record.Object, service record.Service) bool {
	uid := types.UID(o.UID)
	if ch.joined.byUID[uid] != nil {
		return ch.chosen[uid]
	}
	if r := ch.joined.setByUID[uid]; r != nil && ch.joined.byUID[r.owner] != nil {
		return ch.chosen[r.owner]
	}
	if p := ch.joined.pods[o.UID]; p != nil {
		owner := p.owner
		if r := ch.joined.setByUID[owner]; r != nil {
			owner = r.owner
		}
		if ch.joined.byUID[owner] != nil {
			return ch.chosen[owner]
		}
	}
	return ch.chosen[uid] || ch.services[[2]string{o.Namespace, service.Name}]
}

// chosenKey is a uid in the state: which are equal is all that is asked.
func chosenKey(uid string) string {
	sum := sha256.Sum256([]byte(uid))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}
