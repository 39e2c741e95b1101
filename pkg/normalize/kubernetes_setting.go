package normalize

import (
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// maxConsumers bounds the consumers of one event.
const maxConsumers = 50

// setting tells that an object that configures others was created, when each of
// those who write it wrote last, what differs from the last look, and that it is
// gone.
func setting(connectorName string, m record.Setting) []evidence.Event {
	b := settings{connector: connectorName, m: m}
	switch {
	case m.Vanished != nil:
		return []evidence.Event{b.vanished()}
	case m.Created.IsZero():
		return nil
	}
	events := append([]evidence.Event{b.created()}, b.updates()...)
	if !m.Deleted.IsZero() {
		e := b.event("delete", "managed_fields", m.Deleted, "delete")
		b.consumers(&e, m.Deleted, m.Deleted)
		events = append(events, e)
	}
	return events
}

// settings makes the events of one setting.
type settings struct {
	connector string
	m         record.Setting
}

func (b *settings) event(change, how string, at time.Time, key ...string) evidence.Event {
	e := envelope(b.connector, evidence.KindConfigChange, b.m, b.m.Object, b.m.Service)
	e.ID = evidence.ID(evidence.KindConfigChange, append(identity(b.m.Object), key...)...)
	e.Time = at.UTC()
	e.ConfigChange = &evidence.ConfigChange{Change: change, How: how, Keys: b.m.Keys}
	return e
}

// created tells of the creation. Who wrote at the creation and again later left
// only the later time.
func (b *settings) created() evidence.Event {
	m := b.m
	// Who owns no data changed a label or an annotation, unless there is no data.
	wrote := func(w record.Manager) bool { return w.Subresource == "" && (w.Data || len(m.Keys) == 0) }
	e := b.event("create", "managed_fields", m.Created, "create")
	e.Actor = manager(writer(m.Managers, m.Created.Add(-stamp), m.Created, wrote))
	b.consumers(&e, m.Created, m.Created)
	return e
}

func (b *settings) vanished() evidence.Event {
	between := b.m.Vanished
	e := b.event("delete", "snapshot", moment(between.After, between.Before), "delete")
	e.ConfigChange.NotBefore, e.ConfigChange.NotAfter = timePtr(between.After), timePtr(between.Before)
	b.consumers(&e, between.After, between.Before)
	return e
}

// write is what managers wrote in one second.
type write struct {
	at       time.Time
	managers []record.Manager
	data     bool
}

// owns reports whether one of the managers owns a key.
func (w write) owns(key string) bool {
	return slices.ContainsFunc(w.managers, func(m record.Manager) bool {
		_, found := slices.BinarySearch(m.Keys, key)
		return found
	})
}

// by is the manager that wrote, when it is one.
func (w write) by() *record.Manager {
	for _, m := range w.managers[1:] {
		if m.Name != w.managers[0].Name || m.Name == record.UnusualManager {
			return nil
		}
	}
	return &w.managers[0]
}

// writes lists the last writes of those who own something of the object, oldest
// first. An entry has only the time of the last write, of whatever field.
func (b *settings) writes() []write {
	var out []write
	for _, m := range b.m.Managers { // newest last
		if m.Subresource != "" || !m.Data && len(m.Keys) == 0 || !m.Time.After(b.m.Created) {
			continue
		}
		if n := len(out); n == 0 || !out[n-1].at.Equal(m.Time) {
			out = append(out, write{at: m.Time})
		}
		w := &out[len(out)-1]
		w.managers, w.data = append(w.managers, m), w.data || m.Data
	}
	return out
}

// updates tells of each write, and puts what differs from the last look to the
// write that it was. A write between the looks is told once, by its own time,
// whether it was compared or not.
func (b *settings) updates() []evidence.Event {
	writes, d := b.writes(), b.m.Diff
	var between []int
	for i, w := range writes {
		if d != nil && !w.at.Before(d.After.Truncate(stamp)) && (d.Before.IsZero() || !w.at.After(d.Before)) {
			between = append(between, i)
		}
	}
	var events []evidence.Event
	var told []string
	newest := slices.IndexFunc(writes, func(w write) bool { return w.data })
	for i, w := range writes {
		if w.data {
			newest = i
		}
	}
	for i, w := range writes {
		e := b.event("update", "managed_fields", w.at, "update", seconds(w.at))
		e.Actor = manager(w.by())
		c := e.ConfigChange
		if slices.Contains(between, i) {
			part := *d
			if len(between) > 1 {
				part = share(d, writes, between, i)
			}
			if !w.data && len(part.Added)+len(part.Removed)+len(part.Changed) == 0 {
				continue
			}
			c.How = "snapshot"
			b.compared(c, part)
			told = slices.Concat(told, part.Added, part.Removed, part.Changed)
		} else if !w.data {
			continue // a label or an annotation, of which nothing is known
		}
		if i == newest && !c.KeysKnown {
			c.KeysOfManager = b.narrowed(w)
		}
		b.consumers(&e, w.at, w.at)
		events = append(events, e)
	}
	if d == nil {
		return events
	}
	rest := record.Diff{Added: without(d.Added, told), Removed: without(d.Removed, told), Changed: without(d.Changed, told), KeysKnown: d.KeysKnown, After: d.After, Before: d.Before}
	if len(between) > 0 && len(rest.Added)+len(rest.Removed)+len(rest.Changed) == 0 {
		return events
	}
	e := b.event("update", "snapshot", moment(d.After, d.Before), "update", "after", seconds(d.After))
	if len(between) > 0 {
		rest.KeysKnown = false
	}
	b.compared(e.ConfigChange, rest)
	b.consumers(&e, d.After, d.Before)
	return append(events, e)
}

// share is what of a Diff one of several writes between the looks did: what was
// added or changed is owned by who wrote it last. What was removed belongs to
// nobody any more.
func share(d *record.Diff, writes []write, between []int, i int) record.Diff {
	mine := func(keys []string) (out []string) {
		for _, key := range keys {
			owners := 0
			for _, k := range between {
				if writes[k].owns(key) {
					owners++
				}
			}
			if owners == 1 && writes[i].owns(key) {
				out = append(out, key)
			}
		}
		return out
	}
	return record.Diff{Added: mine(d.Added), Changed: mine(d.Changed), After: d.After, Before: d.Before}
}

func (b *settings) compared(c *evidence.ConfigChange, d record.Diff) {
	c.Added, c.Removed, c.Changed, c.KeysKnown = d.Added, d.Removed, d.Changed, d.KeysKnown
	c.NotBefore, c.NotAfter = timePtr(d.After), timePtr(d.Before)
	c.ValuesRead = b.m.ValuesRead
}

// narrowed are the keys that the last writer owns, when they are not all.
func (b *settings) narrowed(w write) []string {
	m := w.by()
	if m == nil || len(w.managers) > 1 {
		return nil
	}
	data := 0
	for _, key := range m.Keys {
		if !strings.HasPrefix(key, "metadata.") {
			data++
		}
	}
	if data >= len(b.m.Keys) {
		return nil
	}
	return m.Keys
}

// consumers says what a change between from and to means to those who consume the
// object; a zero to is not known. A start in the second of the change is neither
// before nor after it.
func (b *settings) consumers(e *evidence.Event, from, to time.Time) {
	c := e.ConfigChange
	for _, consumer := range b.m.Consumers {
		if len(c.Consumers) == maxConsumers {
			c.ConsumersLeftOut++
			continue
		}
		out := evidence.ConfigConsumer{
			Kind: consumer.Object.Kind, Name: consumer.Object.Name, ServiceKey: serviceKey(consumer.Object, consumer.Service),
			TakesEffect: takesEffect(consumer.Via),
		}
		for _, via := range consumer.Via {
			out.Via = append(out.Via, string(via))
		}
		before, after := int32(0), int32(0)
		for _, start := range consumer.Starts {
			switch {
			case start.Before(from):
				before++
			case !to.IsZero() && start.After(to):
				after++
			}
		}
		pods := int32(len(consumer.Starts)) //nolint:gosec // fewer than max_objects
		if consumer.PodsKnown {
			out.Pods, out.PodsStartedBefore = &pods, &before
		}
		if c.Change != "create" {
			out.Restarted = restarted(consumer.PodsKnown, pods, before, after)
		}
		c.Consumers = append(c.Consumers, out)
	}
}

func restarted(known bool, pods, before, after int32) string {
	switch {
	case !known:
		return "unknown"
	case pods == 0:
		return "not_running"
	case before == pods:
		return "no"
	case after == pods:
		return "yes"
	case before > 0 && after > 0:
		return "partly"
	}
	return "unknown"
}

// takesEffect says how a change reaches containers that run.
func takesEffect(via []record.Via) string {
	live, restart := false, false
	for _, v := range via {
		if v == record.ViaVolume || v == record.ViaProjected {
			live = true
		} else {
			restart = true
		}
	}
	switch {
	case live && restart:
		return "mixed"
	case live:
		return "live"
	}
	return "restart"
}
