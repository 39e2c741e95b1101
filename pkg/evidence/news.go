package evidence

import (
	"strconv"
	"strings"
)

// News says when this event, met again, is worth telling again. The key holds
// the id and what about the fact is news when it changes: how far a rollout
// came, how often a signal was counted and whether it still stands. What is
// only derived (links, the basis of a time, bounds in place of a start, a
// summary) is not in it: sources forget, and the same fact is then read in a
// poorer form.
//
// A weak event says less than any other form of the fact: that a rollout is
// superseded tells of its successor, which is an event of its own. It is news
// only where nothing with its id was told before.
func (e Event) News() (key string, weak bool) {
	parts := []string{e.ID}
	switch {
	case e.Deployment != nil:
		status := e.Deployment.Status
		weak = status == StatusSuperseded || status == StatusUnknown
		parts = append(parts, string(status))
	case e.Signal != nil:
		s := e.Signal
		parts = append(parts, strconv.Itoa(int(s.Count)), strconv.FormatBool(s.Ongoing), number(s.Restarts), number(s.ExitCode))
	}
	return strings.Join(parts, "|"), weak
}

// number tells a number that is not known from zero.
func number(n *int32) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(int(*n))
}
