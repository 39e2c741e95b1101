package kubernetes

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// stateVersion changes when an older program could misread the state.
const stateVersion = 1

// state is what the next look is compared with: the workloads that were there.
// A namespace and kind that could not be listed in full keeps its older look.
type state struct {
	Version int    `json:"version"`
	Looks   []look `json:"looks"`
}

// look is one kind in one namespace, listed in full.
type look struct {
	Namespace string    `json:"namespace"`
	Kind      string    `json:"kind"`
	At        time.Time `json:"at"`
	Seen      []seen    `json:"seen"`
}

// seen is a workload: uid, name, service.
type seen [3]string

// readState reads what Collect gave out before; nil gives an empty state.
func readState(raw []byte) (state, error) {
	if raw == nil {
		return state{Version: stateVersion}, nil
	}
	var st state
	if err := json.Unmarshal(raw, &st); err != nil || st.Version != stateVersion {
		return state{}, connector.Errorf(connector.ClassConfig, err,
			"the state of the last run is not one of this version of rcactl; remove the cursor of this connector to start anew")
	}
	return st, nil
}

// remember makes the state of this look. whole says which lists were complete.
func (st state) remember(workloads []*workload, at time.Time, whole func(kind, namespace string) bool) state {
	next := state{Version: stateVersion}
	for _, l := range st.Looks {
		if !whole(l.Kind, l.Namespace) {
			next.Looks = append(next.Looks, l)
		}
	}
	var current *look
	for _, w := range workloads {
		o := w.Object
		if !whole(o.Kind, o.Namespace) {
			continue
		}
		if current == nil || current.Namespace != o.Namespace || current.Kind != o.Kind {
			next.Looks = append(next.Looks, look{Namespace: o.Namespace, Kind: o.Kind, At: at.UTC()})
			current = &next.Looks[len(next.Looks)-1]
		}
		current.Seen = append(current.Seen, seen{o.UID, o.Name, w.Service.Name})
	}
	slices.SortStableFunc(next.Looks, func(a, b look) int {
		return strings.Compare(a.Namespace+"/"+a.Kind, b.Namespace+"/"+b.Kind)
	})
	return next
}

// vanished lists the workloads that were there at the last look and are not
// any more, in lists that were complete both times.
func (st state) vanished(cluster string, there func(uid string) bool, at time.Time, whole func(kind, namespace string) bool) []record.Workload {
	var out []record.Workload
	for _, l := range st.Looks {
		if !whole(l.Kind, l.Namespace) || !at.After(l.At) {
			continue
		}
		for _, s := range l.Seen {
			if there(s[0]) {
				continue
			}
			out = append(out, record.Workload{
				Object:   record.Object{Cluster: cluster, Kind: l.Kind, Namespace: l.Namespace, Name: s[1], UID: s[0]},
				Service:  record.Service{Name: s[2], Basis: "snapshot"},
				Vanished: &record.Vanished{After: l.At.UTC(), Before: at.UTC()},
			})
		}
	}
	return out
}
