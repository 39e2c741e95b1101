package kubernetes

import (
	"time"

	"github.com/rcactl/rcactl/pkg/record"
)

// glance is how this run looked at a kind in a namespace, in the server's clock:
// what the list shows was there after began, and what it does not show was gone
// by ended. A zero ended leaves that out. end is the end of the window. asked is
// false when the kind is not read there at all.
type glance struct {
	stream            string
	began, ended, end time.Time
	asked             bool
}

// glances says how this run looked at a kind in a namespace, and whether the list
// was complete.
type glances func(kind, namespace string) (glance, bool)

// since says between which two looks an object that was known before changed, if
// the list that it is in can be compared now. before is zero where the window was
// named by a person.
func (looked glances) since(k known) (after, before time.Time, ok bool) {
	g, whole := looked(k.Kind, k.Namespace)
	if !whole || !g.compares(k.At) {
		return time.Time{}, time.Time{}, false
	}
	return k.At, g.ended.UTC(), true
}

// compares reports whether what changed since a look at that time can be told in
// the window. Where clocks were set back it cannot, and the look is kept.
func (g glance) compares(at time.Time) bool {
	return at.Before(g.end) && (g.ended.IsZero() || at.Before(g.ended))
}

// glance says when the list of a kind in a namespace was read, in the server's
// clock, and whether it was complete. Its times are widened to whole seconds,
// since that clock is not known better. With a window that a person named the
// time of the look is left out: the same window is to give the same bytes.
func (c *collection) glance(kind, namespace string) (glance, bool) {
	g := glance{end: c.end()}
	var found *job
	for _, j := range c.jobs {
		if j.resource.kind != kind || j.namespace != namespace && j.namespace != "" {
			continue
		}
		g.asked, g.stream, g.end = true, j.stream, c.req.WindowOf(j.stream).End
		if j.listing.whole() {
			found = j
			break
		}
	}
	if found == nil {
		return g, false
	}
	if c.env.Now == nil {
		g.began, g.ended = g.end, g.end
		return g, true
	}
	offset := c.api.requests.Clock().Offset
	g.began = found.began.Add(offset).UTC().Truncate(time.Second)
	if c.req.Incremental {
		g.ended = found.ended.Add(offset).UTC().Truncate(time.Second).Add(time.Second)
	}
	return g, true
}

// since is that of the glances of this run.
func (c *collection) since(k known) (after, before time.Time, ok bool) {
	return glances(c.glance).since(k)
}

// end is the end of the window of workloads.
func (c *collection) end() time.Time { return c.req.WindowOf(record.StreamWorkloads).End }

func (c *collection) now() time.Time {
	if c.env.Now == nil {
		return time.Time{}
	}
	return c.env.Now()
}
