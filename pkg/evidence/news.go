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
		if env := e.Deployment.Environment; env != nil {
			parts = append(parts, env.State)
		}
	case e.Pipeline != nil:
		p := e.Pipeline
		parts = append(parts, strconv.Itoa(int(p.Attempt)), p.Status, p.Conclusion)
	case e.Signal != nil:
		s := e.Signal
		parts = append(parts, strconv.Itoa(int(s.Count)), strconv.FormatBool(s.Ongoing), number(s.Restarts), number(s.ExitCode))
	}
	return strings.Join(parts, "|"), weak
}

// Aspect is a further fact that an event brings and that is news by itself: that
// another deployment carried a commit, that a branch was rewritten.
type Aspect struct {
	// Key holds the id of the event.
	Key string
	// Of is the id of another event from which it follows: it is news when that one is
	// told. Empty when it stands for itself.
	Of string
}

// Aspects gives the aspects of an event. An event that was told is told again when it
// has one that was not, and not when it has fewer.
func (e Event) Aspects() []Aspect {
	var all []Aspect
	carried := func(by []CarriedBy) {
		for _, d := range by {
			all = append(all, Aspect{strings.Join([]string{e.ID, "carried", d.ID, strconv.FormatBool(d.TakenBack)}, "|"), d.ID})
		}
	}
	switch {
	case e.Commit != nil:
		carried(e.Commit.Deployments)
		if e.Commit.Forced {
			all = append(all, Aspect{Key: strings.Join([]string{e.ID, "forced", e.Commit.PreviousHead}, "|")})
		}
	case e.PullRequest != nil:
		carried(e.PullRequest.Deployments)
	}
	return all
}

// Tie says what is known of the commit that a deployment is tied to, as far as it is
// news.
type Tie struct {
	// To is the commit; where a source of history says that there is none to be told,
	// what it says.
	To string
	// Depth is 0 without a commit, then medium (2) and high (4) confidence, each one more
	// when what lies between it and the commit before is known, up to DeepestTie.
	Depth int
	// Answered says that a source of history was asked for the commit and answered.
	Answered bool
}

// DeepestTie is the depth of a tie of which no run could tell more.
const DeepestTie = 5

// Tie gives the tie of a deployment. What a source of history answered counts more
// than anything that nobody verified; of two answers the later one counts when they
// differ, and the deeper one when they do not. A run that knows less, because a
// source could not be asked, is no news.
func (e Event) Tie() Tie {
	d := e.Deployment
	if d == nil || d.Mapping == nil {
		return Tie{}
	}
	answer := d.Mapping.answer()
	t := Tie{Answered: answer != ""}
	switch d.Mapping.Confidence {
	case ConfidenceHigh:
		t.Depth = DeepestTie - 1
	case ConfidenceMedium:
		t.Depth = DeepestTie - 3
	case ConfidenceLow:
		t.To = answer
		return t
	}
	if r := d.ChangeRange; r != nil && r.Status != RangeUnknown {
		t.Depth++
	}
	if t.To = d.Revision; t.To == "" {
		t.To = d.PreviousRevision
	}
	return t
}

// answer is the code of the reason that only a source of history can give; empty when
// none answered.
func (m *Mapping) answer() string {
	for _, r := range m.Reasons {
		switch r.Code {
		case ReasonCommitExists, ReasonCommitNotFound, ReasonAmbiguous:
			return r.Code
		}
	}
	return ""
}

// number tells a number that is not known from zero.
func number(n *int32) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(int(*n))
}
