package kubernetes

import (
	"context"
)

// reviewing is how many access reviews run side by side: they are small, and the
// lists wait for them.
const reviewing = 16

// question is what one access review asks.
type question struct {
	resource  resource
	namespace string
}

// review asks once for each resource and namespace whether it may be listed,
// before anything is. What keeps the server from answering at all is met once.
func (c *collection) review(ctx context.Context) {
	asking := map[question][]*job{}
	var order []question
	for _, j := range c.jobs {
		if j.absent || j.reviewed {
			j.reviewed = true
			continue
		}
		q := question{j.resource, j.namespace}
		if asking[q] == nil {
			order = append(order, q)
		}
		asking[q] = append(asking[q], j)
	}
	sideBySide(reviewing, order, func(q question) bool {
		first := &asking[q][0].listing
		first.mayList(ctx, c.api)
		for _, j := range asking[q] {
			j.reviewed, j.refused, j.err = true, first.refused, first.err
		}
		return first.err == nil
	})
	c.unanswered()
}

// unanswered gives the lists that were not asked about the error that ended the
// asking: it is one of the credential or of the way to the server.
func (c *collection) unanswered() {
	for _, met := range c.jobs {
		if met.err == nil {
			continue
		}
		for _, j := range c.jobs {
			if !j.reviewed {
				j.reviewed, j.err = true, met.err
			}
		}
		return
	}
}

// mayList asks whether the list is allowed, if nobody did yet.
func (l *listing) mayList(ctx context.Context, c *client) bool {
	if l.reviewed {
		return l.err == nil && !l.refused && !l.absent
	}
	v, err := c.review(ctx, grant("list", l.resource, l.namespace))
	if err != nil {
		l.err = classify(ctx, err, l.what())
		return false
	}
	l.refused = v == denied
	return !l.refused
}
