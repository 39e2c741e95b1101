package normalize

import (
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// near is how far apart the stamps of one act may lie: a client writes an
// object, a controller reacts, each with a resolution of one second.
const near = 5 * time.Second

// serviceKey is <cluster>/<namespace>/<service>, empty when a part is not known.
func serviceKey(o record.Object, s record.Service) string {
	if o.Cluster == "" || o.Namespace == "" || s.Name == "" {
		return ""
	}
	return o.Cluster + "/" + o.Namespace + "/" + s.Name
}

func envelope(connectorName string, kind evidence.Kind, r record.Record, o record.Object, s record.Service) evidence.Event {
	return evidence.Event{
		Schema: evidence.Schema, Kind: kind, ServiceKey: serviceKey(o, s), Severity: evidence.SeverityInfo,
		Source: evidence.Source{
			Connector: connectorName, Stream: r.Stream(),
			Object: evidence.Object{Cluster: o.Cluster, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, UID: o.UID},
		},
	}
}

// identity is the part of a natural key that names an object: its uid, else its
// name, since the objects of some Events have no uid.
func identity(o record.Object) []string {
	if o.UID != "" {
		return []string{o.Cluster, o.UID}
	}
	return []string{o.Cluster, o.Kind, o.Namespace, o.Name}
}

func manager(m *record.Manager) *evidence.Actor {
	if m == nil {
		return nil
	}
	return &evidence.Actor{Attribution: evidence.AttributionManager, Manager: m.Name}
}

// managerAt finds the one manager that wrote at about that time. When two did,
// it is not known which.
func managerAt(list []record.Manager, t time.Time, fits func(record.Manager) bool) *record.Manager {
	var best *record.Manager
	tie := false
	for i := range list {
		m := &list[i]
		if !fits(*m) || distance(m.Time, t) > near {
			continue
		}
		switch {
		case best == nil || distance(m.Time, t) < distance(best.Time, t):
			best, tie = m, false
		case distance(m.Time, t) == distance(best.Time, t) && m.Name != best.Name:
			tie = true
		}
	}
	if tie {
		return nil
	}
	return best
}

func distance(a, b time.Time) time.Duration { return a.Sub(b).Abs() }

func seconds(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func timePtr(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}
