package kubernetes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

// coverage says for each stream what it could answer for. err is what ended
// the collection early, if anything did.
func (c *collection) coverage(err error) []connector.Coverage {
	var out []connector.Coverage
	for _, stream := range c.config.streams() {
		out = append(out, c.cover(stream, err))
	}
	return out
}

// tally sums up the lists of a stream.
type tally struct {
	lists, whole, objects int
	reasons               []string
	missing               []connector.Grant
	class                 connector.Class
	truncated             bool
	// left counts lists of a stream that is read where it may be, and may not be
	// here; absent those of kinds that the cluster does not have.
	left, absent int
	// damaged says that files of a recording could not be read in full.
	damaged bool
}

func (c *collection) tally(stream string) tally {
	var t tally
	say := func(sentence string) {
		if !slices.Contains(t.reasons, sentence) {
			t.reasons = append(t.reasons, sentence)
		}
	}
	everywhere := false
	var unrecorded []*job
	var refused, left []*job
	for _, j := range c.jobs {
		if j.stream != stream {
			continue
		}
		switch {
		case j.unknown:
			t.left++
			say("the API server did not say which kinds it knows, so that these were not asked for")
			continue
		case j.absent && c.api.recording != nil && !j.optional:
			unrecorded = append(unrecorded, j)
		case j.absent:
			t.absent++
			continue
		case j.optional && j.refused:
			t.left++
			t.miss(grant("list", j.resource, j.namespace))
			left = append(left, j)
			continue
		}
		t.lists++
		t.objects += j.objects
		if j.listing.whole() {
			t.whole++
		}
		switch {
		case j.refused:
			t.class = connector.ClassForbidden
			t.miss(grant("list", j.resource, j.namespace))
			everywhere = everywhere || j.namespace == "" && !j.resource.cluster
			refused = append(refused, j)
		case j.err != nil:
			if t.class == connector.ClassNone {
				t.class = j.err.Class
			}
			say(j.err.Message)
		case j.truncated:
			t.truncated, t.class = true, connector.ClassBound
			say(fmt.Sprintf("%s are more than max_objects (%d): the rest was not read", j.what(), c.config.MaxObjects))
		}
		if damage := c.damage(j); damage != "" {
			t.class, t.damaged = connector.ClassProtocol, true
			say(damage)
		}
		if j.restarted {
			say("the pages of " + j.what() + " expired (410) and the list was started again")
		}
	}
	if len(refused) > 0 {
		say("not allowed to list " + sayLists(refused))
	}
	for _, j := range refused {
		if lost := consequence(j.resource); lost != "" {
			say(lost)
		}
	}
	if len(left) > 0 {
		say("not allowed to list " + sayLists(left) + ", which are read only where the credential may")
	}
	if len(unrecorded) > 0 {
		say(c.unrecorded(unrecorded))
	}
	if everywhere {
		say("a list of all namespaces needs a ClusterRole; with Roles name in namespaces those that may be read")
	}
	return t
}

// maxNamed is how many namespaces a sentence names.
const maxNamed = 5

// sayLists names lists, those of the same namespaces together.
func sayLists(jobs []*job) string {
	var plurals, places []string
	where := map[string][]string{}
	for _, j := range jobs {
		if where[j.resource.plural] == nil {
			plurals = append(plurals, j.resource.plural)
		}
		// Two APIs may have lists of one name: Events.
		if !slices.Contains(where[j.resource.plural], j.namespace) {
			where[j.resource.plural] = append(where[j.resource.plural], j.namespace)
		}
	}
	kinds := map[string][]string{}
	for _, plural := range plurals {
		names := where[plural]
		place := sayNamespaces(names[:min(len(names), maxNamed)])
		if more := len(names) - maxNamed; more > 0 {
			place += fmt.Sprintf(" and %d more", more)
		}
		if slices.ContainsFunc(jobs, func(j *job) bool { return j.resource.plural == plural && j.resource.cluster }) {
			place = "the cluster"
		}
		if kinds[place] == nil {
			places = append(places, place)
		}
		kinds[place] = append(kinds[place], plural)
	}
	for i, place := range places {
		places[i] = "the " + strings.Join(kinds[place], ", ") + " of " + place
	}
	return strings.Join(places, ", ")
}

// miss notes a grant that was refused.
func (t *tally) miss(g connector.Grant) {
	if !slices.Contains(t.missing, g) {
		t.missing = append(t.missing, g)
	}
}

// consequence says what cannot be told without a kind.
func consequence(r resource) string {
	switch r.plural {
	case "replicasets":
		return "without ReplicaSets the rollouts, rollbacks and images of Deployments are not known"
	case "controllerrevisions":
		return "without ControllerRevisions the rollouts, rollbacks and images of StatefulSets and DaemonSets are not known"
	case "jobs":
		return "which Jobs ran or failed is not known"
	case "cronjobs":
		return "suspended and deleted CronJobs are not known"
	}
	return ""
}

func (c *collection) cover(stream string, err error) connector.Coverage {
	asked := c.req.WindowOf(stream)
	t := c.tally(stream)
	out := connector.Coverage{
		Stream: stream, Asked: asked, Answered: asked, Missing: t.missing, Class: t.class, Truncated: t.truncated,
	}
	switch {
	case t.lists == 0 && t.left > 0:
		out.Status = connector.Skipped
	case t.lists == 0 && t.absent > 0:
		out.Status = connector.Skipped
		t.reasons = append(t.reasons, c.sayAbsent())
	case t.lists == 0 && err == nil:
		out.Status = connector.Skipped
		t.reasons = append(t.reasons, "none of the services that were asked for is in "+sayNamespaces(c.namespaces))
	case t.whole == t.lists && c.done[stream] && t.lists > 0 && !t.damaged:
		out.Status = connector.Complete
	case t.whole == 0 && t.objects == 0, err != nil && !c.done[stream]:
		out.Status = connector.Failed
	default:
		out.Status = connector.Partial
	}
	if out.Status == connector.Failed || out.Status == connector.Skipped {
		out.Answered = window.Window{}
	} else if stream == record.StreamEvents {
		answered, why, ok := c.clip(asked)
		out.Answered = answered
		if !ok {
			out.Status = connector.Partial
		}
		if why != "" {
			t.reasons = append(t.reasons, why)
		}
	}
	if err != nil && !c.done[stream] {
		if len(t.reasons) == 0 {
			t.reasons = append(t.reasons, "stopped before the stream was read to its end")
		}
		if out.Class == connector.ClassNone && out.Status != connector.Skipped {
			out.Class = connector.ClassOf(err)
		}
	}
	out.Reason = strings.Join(t.reasons, "; ")
	return out
}

// clip cuts the answered window at the oldest event that the server still has.
// ok is false when that is younger than the whole window.
func (c *collection) clip(asked window.Window) (answered window.Window, why string, ok bool) {
	switch {
	case c.oldest.IsZero():
		// Nothing tells how long events are kept, but that there are none now.
		answered = window.Window{Start: asked.End.Add(-time.Second), End: asked.End}
		if answered.Start.Before(asked.Start) {
			answered.Start = asked.Start
		}
		return answered, "there are no Events; how long this API server keeps them is not known (one hour by default)", true
	case !c.oldest.After(asked.Start):
		return asked, "", true
	case !c.oldest.Before(asked.End):
		return window.Window{}, "every Event that the API server still has is younger than the window (it keeps them for an hour by default)", false
	}
	return window.Window{Start: c.oldest.UTC(), End: asked.End},
		"the oldest Event that the API server still has is younger than the start of the window (it keeps them for an hour by default)", true
}
