package kubernetes

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/record"
)

// workloadFacts are what the next look is to know of a workload. Their JSON is
// an array, since there are many: desired replicas; one when it was paused and
// zero when not; the generation; and an array of starts. Those after the first
// may be missing.
type workloadFacts struct {
	// Desired is spec.replicas, -1 when it is not known.
	Desired int32
	// Paused is nil when it is not known or when the kind cannot be paused.
	Paused *bool
	// Generation is kept of CronJobs; zero when it is not known.
	Generation int64
	Starts     []start
}

// start is what told when a revision that was there before came back: Events
// expire and pods are replaced, and what was told once must not be told another
// way in every run.
type start struct {
	// UID is how the uid of the revision begins: with the number it tells the
	// revisions of one workload apart.
	UID    string
	Number int64
	// Scaled and Pod are Revision.ScaledUp and Revision.FirstPod.
	Scaled, Pod time.Time
}

// startUID is how much of a uid a start keeps.
const startUID = 8

// append writes the array; a start is an array of its own, with times in seconds.
func (f workloadFacts) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, '['), int64(f.Desired), 10)
	if f.Paused != nil {
		paused := byte('0')
		if *f.Paused {
			paused = '1'
		}
		b = append(b, ',', paused)
		if f.Generation > 0 {
			b = strconv.AppendInt(append(b, ','), f.Generation, 10)
		}
	}
	for i, s := range f.Starts {
		if i == 0 {
			b = append(b, ",["...)
		} else {
			b = append(b, ',')
		}
		uid, _ := json.Marshal(s.UID[:min(len(s.UID), startUID)])
		b = append(append(append(b, '['), uid...), ',')
		b = strconv.AppendInt(b, s.Number, 10)
		for _, t := range []time.Time{s.Scaled, s.Pod} {
			n := int64(0)
			if !t.IsZero() {
				n = t.Unix()
			}
			b = strconv.AppendInt(append(b, ','), n, 10)
		}
		b = append(b, ']')
	}
	if len(f.Starts) > 0 {
		b = append(b, ']')
	}
	return append(b, ']')
}

// readWorkloadFacts reads the array; what cannot be read is not known.
func readWorkloadFacts(raw json.RawMessage) workloadFacts {
	f := workloadFacts{Desired: -1}
	var array []json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &array) != nil {
		return f
	}
	if len(array) > 0 && json.Unmarshal(array[0], &f.Desired) != nil {
		f.Desired = -1
	}
	for i, field := range array {
		var number int64
		switch {
		case i == 0:
		case len(field) > 0 && field[0] == '[':
			if json.Unmarshal(field, &f.Starts) != nil {
				f.Starts = nil
			}
		case json.Unmarshal(field, &number) != nil:
		case i == 1:
			f.Paused = new(number == 1)
		case i == 2:
			f.Generation = number
		}
	}
	return f
}

// UnmarshalJSON reads the array, and the object of earlier versions.
func (s *start) UnmarshalJSON(raw []byte) error {
	var old struct {
		UID    string    `json:"uid"`
		Number int64     `json:"n"`
		Scaled time.Time `json:"scaled"`
		Pod    time.Time `json:"pod"`
	}
	if json.Unmarshal(raw, &old) == nil {
		*s = start{old.UID, old.Number, old.Scaled.UTC(), old.Pod.UTC()}
		return nil
	}
	var array []json.RawMessage
	if err := json.Unmarshal(raw, &array); err != nil {
		return err
	}
	var scaled, pod int64
	fields := []any{&s.UID, &s.Number, &scaled, &pod}
	if len(array) != len(fields) {
		return errNotState
	}
	for i, field := range array {
		if err := json.Unmarshal(field, fields[i]); err != nil {
			return err
		}
	}
	for into, n := range map[*time.Time]int64{&s.Scaled: scaled, &s.Pod: pod} {
		if *into = (time.Time{}); n != 0 {
			*into = time.Unix(n, 0).UTC()
		}
	}
	return nil
}

// is reports whether a start is that of a revision.
func (s start) is(r *record.Revision) bool {
	return s.UID != "" && strings.HasPrefix(r.UID, s.UID) && r.Number == s.Number
}

// starts keeps what told of revisions that were there before. A
// ControllerRevision does not say whether it was, but the first one was not.
func starts(w *workload) []start {
	var out []start
	for _, r := range w.Revisions {
		again := len(r.Former) > 0 || w.Object.Kind != "Deployment" && r.Number > 1
		if again && (!r.ScaledUp.IsZero() || !r.FirstPod.IsZero()) {
			out = append(out, start{r.UID, r.Number, r.ScaledUp, r.FirstPod})
		}
	}
	return out
}

// keepWorkloads hands over what the next look is to know. Of a workload that was
// rolled back often the newest start matters most. Jobs go away when they have
// ended, and those of a controller anyhow: that is not to be told.
func keepWorkloads(workloads []*workload) []snapshotObject {
	out := make([]snapshotObject, 0, len(workloads))
	for _, w := range workloads {
		if w.Object.Kind == "Job" && (w.owner != "" || w.Rollout.State == record.RolloutComplete || w.Rollout.State == record.RolloutFailed) {
			continue
		}
		f := workloadFacts{Desired: w.Desired, Starts: starts(w)}
		if w.Object.Kind == "Deployment" || w.Object.Kind == "CronJob" {
			f.Paused, f.Generation = &w.paused, w.generation
		}
		k := snapshotObject{object: w.Object, service: w.Service.Name, created: w.Created, facts: f.append(nil)}
		if n := len(f.Starts); n > 1 {
			f.Starts = f.Starts[n-1:]
			k.brief = f.append(nil)
		}
		out = append(out, k)
	}
	return out
}

// recall adds to the workloads what the last look knew of them: another number
// of replicas, whether they were paused, and when revisions came back.
func (st state) recall(workloads []*workload, looked glances) {
	for _, w := range workloads {
		k, ok := st.before(w.Object.UID)
		if !ok {
			continue
		}
		f := readWorkloadFacts(k.Facts)
		if after, before, ok := looked.since(k); ok {
			if f.Desired >= 0 && w.Desired >= 0 && f.Desired != w.Desired {
				w.Rescaled = &record.Rescaled{From: f.Desired, To: w.Desired, After: after, Before: before}
			}
			w.recallPause(f, record.Vanished{After: after, Before: before})
		}
		for _, s := range f.Starts {
			for i := range w.Revisions {
				if r := &w.Revisions[i]; s.is(r) {
					r.ScaledUp, r.FirstPod = earlier(r.ScaledUp, s.Scaled), earlier(r.FirstPod, s.Pod)
				}
			}
		}
	}
}

// recallPause adds that the workload was paused or resumed between two looks, and
// that a CronJob was changed, unless that was all.
func (w *workload) recallPause(f workloadFacts, between record.Vanished) {
	if f.Paused == nil {
		return
	}
	toggled := *f.Paused != w.paused
	within := func(t time.Time) bool {
		return !t.IsZero() && !t.Before(between.After) && (between.Before.IsZero() || !t.After(between.Before))
	}
	told := slices.ContainsFunc(w.Pauses, func(p record.Pause) bool { return p.Paused == w.paused && within(p.Time) })
	switch {
	case !toggled || told:
	case !w.paused && within(w.Rollout.Transitioned):
		w.Pauses = append(w.Pauses, record.Pause{Time: w.Rollout.Transitioned})
	default:
		w.Pauses = append(w.Pauses, record.Pause{Paused: w.paused, After: between.After, Before: between.Before})
	}
	written := w.generation - f.Generation
	if f.Generation > 0 && written > 0 && (!toggled || written > 1) {
		w.Updated = &between
	}
}

// earlier gives the earlier of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b.UTC()
	}
	return a
}

// vanishedWorkloads makes the records of the workloads that are gone.
func (c *collection) vanishedWorkloads(j *joined) []record.Workload {
	var kinds []string
	for _, k := range workloadKinds() {
		kinds = append(kinds, k.kind)
	}
	// A ReplicaSet of its own that was adopted is still there.
	aside := map[types.UID]bool{}
	for _, job := range c.jobs {
		for _, uid := range job.aside {
			aside[uid] = true
		}
	}
	there := func(uid string) bool {
		return j.byUID[types.UID(uid)] != nil || j.setByUID[types.UID(uid)] != nil || aside[types.UID(uid)]
	}
	var out []record.Workload
	for _, g := range c.prior.vanished(there, c.glance, kinds...) {
		out = append(out, record.Workload{
			Object: g.object(c.clusterID), Service: record.Service{Name: g.Service, Basis: "snapshot"}, Vanished: &g.between,
		})
	}
	return out
}
