package kubernetes

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/record"
)

// objectKey names an object where its uid is not known.
type objectKey struct{ kind, namespace, name string }

// joined is what was listed, tied together by owners and names.
type joined struct {
	workloads []*workload // sorted by namespace, kind, name
	byUID     map[types.UID]*workload
	byName    map[objectKey]*workload
	// ReplicaSets by uid and by name, for pods and events.
	setByUID  map[types.UID]*revision
	setByName map[objectKey]*revision
	pods      map[string]*pod
	ordered   []*pod // sorted by namespace, name
	// before gives the service of a workload that the last look saw; nil without one.
	before func(objectKey) string
}

// join ties revisions, pods and scalings to their workloads.
func join(b *batch) *joined {
	j := &joined{
		byUID: map[types.UID]*workload{}, byName: map[objectKey]*workload{},
		setByUID: map[types.UID]*revision{}, setByName: map[objectKey]*revision{}, pods: map[string]*pod{},
	}
	for i := range b.workloads {
		w := &b.workloads[i]
		j.workloads = append(j.workloads, w)
		j.byUID[types.UID(w.Object.UID)] = w
		j.byName[objectKey{w.Object.Kind, w.Object.Namespace, w.Object.Name}] = w
	}
	slices.SortFunc(j.workloads, func(a, c *workload) int { return compareObjects(a.Object, c.Object) })
	j.joinPods(b)
	for owner, list := range b.scalings {
		if w := j.byUID[types.UID(owner)]; w != nil {
			w.Scalings = list
		}
	}
	j.joinRevisions(b)
	j.serveRuns()
	j.autoscale(b.autoscalers)
	for _, w := range j.workloads {
		w.ownScalings()
		w.sortScalings()
	}
	return j
}

func (j *joined) joinPods(b *batch) {
	for i := range b.pods {
		p := &b.pods[i]
		j.pods[p.object.UID] = p
		j.ordered = append(j.ordered, p)
	}
	slices.SortFunc(j.ordered, func(a, c *pod) int { return compareObjects(a.object, c.object) })
}

func (j *joined) joinRevisions(b *batch) {
	byHash := map[objectKey]*revision{} // ControllerRevisions, by owner and hash
	for i := range b.revisions {
		r := &b.revisions[i]
		if r.hash != "" {
			byHash[objectKey{string(r.owner), r.namespace, r.hash}] = r
			continue
		}
		j.setByUID[types.UID(r.UID)] = r
		j.setByName[objectKey{"ReplicaSet", r.namespace, r.Name}] = r
	}
	for _, p := range j.ordered {
		r := j.setByUID[p.owner]
		if r == nil {
			r = byHash[objectKey{string(p.owner), p.object.Namespace, p.revision}]
		}
		if r != nil {
			r.addPod(p)
		} else if w := j.byUID[p.owner]; w != nil {
			w.digests = addDigests(w.Containers, w.digests, p)
		}
	}
	for i := range b.revisions {
		r := &b.revisions[i]
		if w := j.byUID[r.owner]; w != nil {
			r.ScaledUp = lastScaleUp(w.Scalings, r.Name)
			w.Revisions = append(w.Revisions, r.Revision)
		}
	}
	for _, w := range j.workloads {
		sortRevisions(w.Revisions)
		// A StatefulSet that has settled on a later revision has finished its
		// rollout, whatever its pods suffer now.
		if n := len(w.Revisions); w.settled && w.Rollout.State == record.RolloutUnknown && n > 0 && w.Revisions[n-1].Number > 1 {
			w.Rollout.State = record.RolloutComplete
		}
	}
}

// conflict marks a container whose pods run different digests.
const conflict = "-"

// addPod takes the creation of a pod of the revision and the digests that it runs.
func (r *revision) addPod(p *pod) {
	if r.FirstPod.IsZero() || p.created.Before(r.FirstPod) {
		r.FirstPod = p.created
	}
	r.digests = addDigests(r.Containers, r.digests, p)
}

// addDigests takes the digests that a pod runs. told are those of other pods.
func addDigests(containers []record.Container, told map[string]string, p *pod) map[string]string {
	for _, running := range p.containers {
		for i := range containers {
			c := &containers[i]
			if c.Name != running.Name || running.Digest == "" {
				continue
			}
			if told == nil {
				told = map[string]string{}
			}
			switch told[c.Name] {
			case "", running.Digest:
				told[c.Name], c.Digest = running.Digest, running.Digest
			default:
				told[c.Name], c.Digest = conflict, ""
			}
		}
	}
	return told
}

func lastScaleUp(list []record.Scaling, name string) (last time.Time) {
	for _, s := range list {
		if s.Revision == name && s.From == 0 && s.To > 0 && s.Time.After(last) {
			last = s.Time
		}
	}
	return last
}

func compareObjects(a, b record.Object) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind),
		strings.Compare(a.Name, b.Name), strings.Compare(a.UID, b.UID))
}

// ownScalings leaves out scalings of what is no revision of the workload.
func (w *workload) ownScalings() {
	w.Scalings = slices.DeleteFunc(w.Scalings, func(s record.Scaling) bool {
		return !slices.ContainsFunc(w.Revisions, func(r record.Revision) bool { return r.Name == s.Revision })
	})
}

// sortScalings puts scalings in the order of their times, and those of one
// second in the order of the revisions that they are about.
func (w *workload) sortScalings() {
	number := map[string]int64{}
	for _, r := range w.Revisions {
		number[r.Name] = r.Number
	}
	slices.SortFunc(w.Scalings, func(a, b record.Scaling) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(number[a.Revision], number[b.Revision]),
			strings.Compare(a.Revision, b.Revision), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
}

// serviceOf finds the service of an object that an event is about: by what is
// there, else by what the last look saw.
func (j *joined) serviceOf(o record.Object) record.Service {
	s := j.serviceOfPresent(o)
	if s.Name == "" && j.before != nil {
		for _, key := range makers(o) {
			if s.Name = j.before(key); s.Name != "" {
				s.Basis = "snapshot"
				break
			}
		}
	}
	return s
}

// makers are the workloads that may have made an object with such a name, the
// object itself first.
func makers(o record.Object) []objectKey {
	key := func(kind, name string) objectKey { return objectKey{kind, o.Namespace, name} }
	parent := withoutSuffix(o.Name)
	switch {
	case o.Kind == "ReplicaSet":
		return []objectKey{key(o.Kind, o.Name), key("Deployment", parent)}
	case o.Kind == "Job":
		return []objectKey{key(o.Kind, o.Name), key("CronJob", parent)}
	case o.Kind != "Pod":
		return []objectKey{key(o.Kind, o.Name)}
	}
	keys := []objectKey{key("DaemonSet", parent), key("StatefulSet", parent), key("Job", parent), key("ReplicaSet", parent), key("CronJob", withoutSuffix(parent))}
	if base := withoutSuffix(parent); base != "" && random(o.Name[len(parent)+1:]) && random(parent[len(base)+1:]) {
		keys = append(keys, key("Deployment", base))
	}
	return keys
}

// random reports whether the last part of a name is one that Kubernetes makes:
// it leaves out vowels and digits that look like letters.
func random(suffix string) bool {
	return suffix != "" && len(suffix) <= 10 && strings.Trim(suffix, "bcdfghjklmnpqrstvwxz2456789") == ""
}

func (j *joined) serviceOfPresent(o record.Object) record.Service {
	switch o.Kind {
	case "Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job":
		if w := j.byUID[types.UID(o.UID)]; w != nil {
			return w.Service
		}
		return generated(j.byName[objectKey{o.Kind, o.Namespace, o.Name}])
	case "ReplicaSet":
		if r := j.setByUID[types.UID(o.UID)]; r != nil {
			return owned(j.byUID[r.owner])
		}
		if w := j.byUID[types.UID(o.UID)]; w != nil {
			return w.Service
		}
		return generated(j.byName[objectKey{"Deployment", o.Namespace, withoutSuffix(o.Name)}])
	case "Pod":
		if p := j.pods[o.UID]; p != nil {
			return j.serviceOfPod(p)
		}
		return j.serviceOfGonePod(o)
	}
	return record.Service{}
}

// serviceOfPod goes up the owners, else by the pod's own labels, else by the
// name of its owner, which was made from the workload's.
func (j *joined) serviceOfPod(p *pod) record.Service {
	if w := j.byUID[p.owner]; w != nil {
		return owned(w)
	}
	if r := j.setByUID[p.owner]; r != nil && j.byUID[r.owner] != nil {
		return owned(j.byUID[r.owner])
	}
	switch {
	case p.own.Name != "":
		return p.own
	case p.ownerKind == "ReplicaSet" && withoutSuffix(p.ownerName) != "":
		return record.Service{Name: withoutSuffix(p.ownerName), Basis: "generated name"}
	case p.ownerKind == "Job":
		return j.serviceOfGoneJob(p.object.Namespace, p.ownerName)
	case p.ownerKind == "StatefulSet", p.ownerKind == "DaemonSet":
		return record.Service{Name: p.ownerName, Basis: "owner"}
	}
	return record.Service{}
}

// serviceOfGonePod knows a pod that no longer exists by its name.
func (j *joined) serviceOfGonePod(o record.Object) record.Service {
	parent := withoutSuffix(o.Name)
	if r := j.setByName[objectKey{"ReplicaSet", o.Namespace, parent}]; r != nil {
		return generated(j.byUID[r.owner])
	}
	for _, kind := range []string{"DaemonSet", "StatefulSet", "Job", "ReplicaSet"} {
		if w := j.byName[objectKey{kind, o.Namespace, parent}]; w != nil {
			return generated(w)
		}
	}
	if w := j.byName[objectKey{"CronJob", o.Namespace, withoutSuffix(parent)}]; w != nil {
		return generated(w)
	}
	// The ReplicaSet may be gone as well, and its Deployment be there.
	if keys := makers(o); keys[len(keys)-1].kind == "Deployment" {
		return generated(j.byName[keys[len(keys)-1]])
	}
	return record.Service{}
}

// serviceOfGoneJob knows a Job that was not listed by its name.
func (j *joined) serviceOfGoneJob(namespace, name string) record.Service {
	if w := j.byName[objectKey{"CronJob", namespace, withoutSuffix(name)}]; w != nil {
		return generated(w)
	}
	return record.Service{Name: name, Basis: "owner"}
}

// withoutSuffix drops the last part of a generated name.
func withoutSuffix(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		return name[:i]
	}
	return ""
}

func owned(w *workload) record.Service {
	if w == nil {
		return record.Service{}
	}
	return record.Service{Name: w.Service.Name, Basis: "owner"}
}

func generated(w *workload) record.Service {
	if w == nil {
		return record.Service{}
	}
	return record.Service{Name: w.Service.Name, Basis: "generated name"}
}
