package normalize

import (
	"slices"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// near is how far apart the stamps of one act may lie: a client writes an
// object, a controller reacts, each with a resolution of one second.
const near = 5 * time.Second

// stamp is the resolution of the API's times.
const stamp = time.Second

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

// writer finds the one manager that wrote between from and to. It is not known
// which one it was when two fit, and neither when one that fits has a later time:
// an entry has only the time of the last write, of whatever field, so that an
// earlier one may have been its own.
func writer(list []record.Manager, from, to time.Time, fits func(record.Manager) bool) *record.Manager {
	var found *record.Manager
	for i := range list {
		m := &list[i]
		switch {
		case !fits(*m) || m.Time.Before(from):
		case m.Time.After(to.Add(stamp)), found != nil && (m.Name != found.Name || m.Name == record.UnusualManager):
			return nil
		default:
			found = m
		}
	}
	return found
}

func distance(a, b time.Time) time.Duration { return a.Sub(b).Abs() }

func seconds(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// moment stands for what happened between two looks: the later one, where it is
// known.
func moment(after, before time.Time) time.Time {
	if before.IsZero() {
		return after.UTC()
	}
	return before.UTC()
}

// without gives what is in a and not in b.
func without(a, b []string) (out []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// timePtr leaves out what is no time, and one that cannot be written down: a line
// would be lost for it.
func timePtr(t time.Time) *time.Time {
	if year := t.UTC().Year(); t.IsZero() || year < 1 || year > 9999 {
		return nil
	}
	u := t.UTC()
	return &u
}
