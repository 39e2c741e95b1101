package github

import "github.com/rcactl/rcactl/pkg/connector"

// stopped reports whether no further request may be made, for our bound or for
// GitHub's limit, and says why: a whole sentence, with the time from which on GitHub
// answers again, in RFC 3339. Of an App, whose installations have limits of their
// own, it reports so only when none of those that were asked is left.
func (c *client) stopped() (class connector.Class, reason string, ok bool) {
	l := c.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all != nil {
		return l.all.class, l.all.reason, true
	}
	var first *bucket
	for name, b := range l.buckets {
		if name == appBucket {
			continue
		}
		if b.stop == nil || !b.until.IsZero() && !l.now().Before(b.until) {
			return connector.ClassNone, "", false
		}
		if first == nil || b.until.Before(first.until) || b.until.Equal(first.until) && b.stop.reason < first.stop.reason {
			first = b
		}
	}
	if first == nil {
		return connector.ClassNone, "", false
	}
	return first.stop.class, first.stop.reason, true
}
