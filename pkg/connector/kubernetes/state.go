package kubernetes

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// stateVersion changes when an older program could misread the state. Version 1
// had no numbers of replicas, no starts and no label.
const stateVersion = 2

// state is what the next look is compared with: the workloads that were there.
// A namespace and kind that could not be listed in full keeps its older look.
type state struct {
	Version int `json:"version"`
	// Cluster is the label of service keys.
	Cluster string `json:"cluster,omitempty"`
	Looks   []look `json:"looks"`
}

// look is one kind in one namespace, listed in full.
type look struct {
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`
	// At is when the list was begun: what was seen was still there then.
	At   time.Time `json:"at"`
	Seen []seen    `json:"seen"`
}

// glance is when a list was read, in the server's clock: what it shows was there
// after began, and what it does not show was gone by ended. A zero ended leaves
// that out.
type glance struct{ began, ended time.Time }

// glances says how this run looked at a kind in a namespace, and whether the list
// was complete.
type glances func(kind, namespace string) (glance, bool)

// compares reports whether what changed since the look can be told in a window
// with that end. Where clocks were set back it cannot, and the look is kept.
func (l look) compares(g glance, end time.Time) bool {
	return l.At.Before(end) && (g.ended.IsZero() || l.At.Before(g.ended))
}

// seen is a workload. Its JSON is an array, since there are many: uid, name,
// service, desired replicas, starts. The last two may be missing.
type seen struct {
	UID, Name, Service string
	// Desired is spec.replicas, -1 when it is not known.
	Desired int32
	Starts  []start
}

// start is what told when a revision that was there before came back: Events
// expire and pods are replaced, and what was told once must not be told another
// way in every run.
type start struct {
	UID    string `json:"uid"`
	Number int64  `json:"n"`
	// Scaled and Pod are Revision.ScaledUp and Revision.FirstPod.
	Scaled time.Time `json:"scaled,omitzero"`
	Pod    time.Time `json:"pod,omitzero"`
}

// MarshalJSON writes the array.
func (s seen) MarshalJSON() ([]byte, error) {
	array := []any{s.UID, s.Name, s.Service, s.Desired}
	if len(s.Starts) > 0 {
		array = append(array, s.Starts)
	}
	return json.Marshal(array)
}

// UnmarshalJSON reads the array of this version and of version 1.
func (s *seen) UnmarshalJSON(raw []byte) error {
	*s = seen{Desired: -1}
	var array []json.RawMessage
	if err := json.Unmarshal(raw, &array); err != nil {
		return err
	}
	fields := []any{&s.UID, &s.Name, &s.Service, &s.Desired, &s.Starts}
	if len(array) < 3 || len(array) > len(fields) {
		return errNotSeen
	}
	for i, field := range array {
		if err := json.Unmarshal(field, fields[i]); err != nil {
			return err
		}
	}
	return nil
}

// errNotSeen says that a workload of a state has too few or too many fields.
var errNotSeen = errors.New("not a workload of a state")

// readState reads what Collect gave out before; nil gives an empty state.
func readState(raw []byte) (state, error) {
	if raw == nil {
		return state{Version: stateVersion}, nil
	}
	var st state
	if err := json.Unmarshal(raw, &st); err != nil || st.Version < 1 || st.Version > stateVersion {
		return state{}, connector.Errorf(connector.ClassConfig, err,
			"the state of the last run is not one of this version of rcactl; remove the cursor of this connector to start anew")
	}
	return st, nil
}

// remember makes the state of this look. A list that was not complete, or that
// could not be compared, keeps its older look: what went away is told later.
func (st state) remember(workloads []*workload, end time.Time, looked glances) state {
	next := state{Version: stateVersion, Cluster: st.Cluster}
	kept := map[[2]string]bool{}
	for _, l := range st.Looks {
		if g, whole := looked(l.Kind, l.Namespace); !whole || !l.compares(g, end) {
			next.Looks = append(next.Looks, l)
			kept[[2]string{l.Kind, l.Namespace}] = true
		}
	}
	var current *look
	for _, w := range workloads {
		o := w.Object
		g, whole := looked(o.Kind, o.Namespace)
		if !whole || kept[[2]string{o.Kind, o.Namespace}] {
			continue
		}
		if current == nil || current.Namespace != o.Namespace || current.Kind != o.Kind {
			next.Looks = append(next.Looks, look{Namespace: o.Namespace, Kind: o.Kind, At: g.began.UTC()})
			current = &next.Looks[len(next.Looks)-1]
		}
		current.Seen = append(current.Seen, seen{o.UID, o.Name, w.Service.Name, w.Desired, starts(w)})
	}
	slices.SortStableFunc(next.Looks, func(a, b look) int {
		return strings.Compare(a.Namespace+"/"+a.Kind, b.Namespace+"/"+b.Kind)
	})
	return next
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

// recall adds to the workloads what the last look knew of them: another number
// of replicas, and when revisions came back.
func (st state) recall(workloads []*workload, end time.Time, looked glances) {
	type known struct {
		seen
		look
	}
	before := map[string]known{}
	for _, l := range st.Looks {
		for _, s := range l.Seen {
			before[s.UID] = known{s, l}
		}
	}
	for _, w := range workloads {
		k, ok := before[w.Object.UID]
		if !ok {
			continue
		}
		g, whole := looked(k.Kind, k.Namespace)
		if k.Desired >= 0 && w.Desired >= 0 && k.Desired != w.Desired && whole && k.compares(g, end) {
			w.Rescaled = &record.Rescaled{From: k.Desired, To: w.Desired, After: k.At.UTC(), Before: g.ended.UTC()}
		}
		for _, s := range k.Starts {
			for i := range w.Revisions {
				if r := &w.Revisions[i]; r.UID == s.UID && r.Number == s.Number {
					r.ScaledUp, r.FirstPod = earlier(r.ScaledUp, s.Scaled), earlier(r.FirstPod, s.Pod)
				}
			}
		}
	}
}

// earlier gives the earlier of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b.UTC()
	}
	return a
}

// vanished lists the workloads that were there at the last look and are not
// any more, in lists that were complete both times.
func (st state) vanished(cluster string, there func(uid string) bool, end time.Time, looked glances) []record.Workload {
	var out []record.Workload
	for _, l := range st.Looks {
		g, whole := looked(l.Kind, l.Namespace)
		if !whole || !l.compares(g, end) {
			continue
		}
		for _, s := range l.Seen {
			if there(s.UID) {
				continue
			}
			out = append(out, record.Workload{
				Object:   record.Object{Cluster: cluster, Kind: l.Kind, Namespace: l.Namespace, Name: s.Name, UID: s.UID},
				Service:  record.Service{Name: s.Service, Basis: "snapshot"},
				Vanished: &record.Vanished{After: l.At.UTC(), Before: g.ended.UTC()},
			})
		}
	}
	return out
}
