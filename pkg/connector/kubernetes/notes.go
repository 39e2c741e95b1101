package kubernetes

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// writeNotes says what this look could not know.
func (c *collection) writeNotes(j *joined) {
	c.noteRecording()
	c.noteIdentity()
	c.noteScope()
	c.noteEmpty()
	c.noteLooks()
	streams := c.config.streams()
	if slices.Contains(streams, record.StreamWorkloads) {
		c.noteWorkloads(j)
	}
	if slices.Contains(streams, record.StreamPods) {
		c.routineNotes = append(c.routineNotes, "Container status is that of the moment of the look: of each container only the present state and the last end are known.")
	}
	c.noteNodeEvents(streams)
	c.noteSettings(streams)
}

func (c *collection) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// noteLooks says what it takes two looks to see, and what the next one will not
// be able to compare.
func (c *collection) noteLooks() {
	switch {
	case c.req.State == nil:
		c.note("This is a first look, with none before it to compare with: %s are not known. Runs that continue from a cursor compare with the run before.", c.unseen())
	case !c.req.Incremental:
		c.note("The window was named by a person: of objects that were deleted, scaled or changed since the last look it is told that they were so " +
			"when they were read, and not since when, because a list shows the present and not the end of the window.")
	}
	if n := c.forgotten.objects; n > 0 {
		c.note("Objects that are not remembered for the next run, which will not see that they change or go away: %d. The newest are remembered (max_objects: %d).", n, c.config.MaxObjects)
	}
	if n := c.forgotten.facts; n > 0 {
		c.note("Objects of which less is remembered, because they have more to compare than %d bytes hold: %d. That they change will be told, and not always where.", maxRemembered, n)
	}
}

// unseen lists what a first look does not see of what it reads.
func (c *collection) unseen() string {
	things := []string{"what was deleted before"}
	if slices.Contains(c.config.streams(), record.StreamWorkloads) {
		things = append(things, "scalings whose Event is gone or was combined with others")
	}
	if c.done[record.StreamNodes] && slices.ContainsFunc(c.jobs, func(j *job) bool { return j.stream == record.StreamNodes && j.objects > 0 }) {
		things = append(things, "reboots, upgrades, labels and taints of nodes that changed")
	}
	if n := len(things); n > 1 {
		return strings.Join(things[:n-1], ", ") + ", and " + things[n-1]
	}
	return things[0]
}

// noteIdentity says when service keys are not stable, or have just changed.
func (c *collection) noteIdentity() {
	if c.clusterID == c.serverName() {
		c.note(guessedIDNote)
	}
	if before := c.prior.Cluster; before != "" && before != c.clusterID {
		c.note("%s", relabelledNote(before, c.clusterID))
	}
}

// noteScope names the services of the command line that nothing belongs to.
func (c *collection) noteScope() {
	for _, service := range slices.Compact(slices.Sorted(slices.Values(c.req.Scope.Services))) {
		ns, _, _ := strings.Cut(service, "/")
		switch {
		case !slices.Contains(c.scope.namespaces, ns):
			c.note("The service %q is in a namespace that is not read (read: %s): add the namespace, or correct the name.", service, c.where)
		case !c.scope.services[service]:
			c.note("Nothing that was read belongs to the service %q: is the name right?", service)
		}
	}
}

// noteEmpty names the namespaces that gave nothing: a namespace that does not
// exist is answered like one that is empty.
func (c *collection) noteEmpty() {
	for _, ns := range c.scope.namespaces {
		whole, objects, standing, admitted := false, 0, 0, 0
		for _, j := range c.jobs {
			if j.namespace == ns {
				whole = whole || j.whole()
				objects, standing = objects+j.objects, standing+j.standing
				if !j.resource.cluster {
					admitted += j.admitted
				}
			}
		}
		switch {
		case ns == "" && whole && objects > 0 && admitted == 0:
			c.note("No object that was read is in %s: is the name right?", c.where)
		case ns == "" || !whole || objects > standing:
		case standing > 0:
			c.note("namespace %s holds nothing that is read but %s, which every namespace has: is it the one that was meant?", ns, rootCA)
		default:
			c.note("namespace %s holds no objects that are read: is the name right?", ns)
		}
	}
}

// noteWorkloads says what one look at workloads cannot know.
func (c *collection) noteWorkloads(j *joined) {
	if n := c.routine(j); n > 0 {
		c.note("Jobs of CronJobs and other controllers that ended well in the window are not told one by one: %d.", n)
	}
	if n := adopted(j); n > 0 {
		c.note("Deployments whose ReplicaSets are older than they are: %d. They took them over from an earlier Deployment, whose rollouts are not told.", n)
	}
	left := 0
	for _, j := range c.jobs {
		if j.templates != nil {
			left += j.templates.left
		}
	}
	if left > 0 {
		c.note("Pod templates with too many fields to be compared one by one: %d. That they changed is told, and not where.", left)
	}
	short := 0
	for _, w := range j.workloads {
		if w.history < 2 {
			short++
		}
	}
	switch short {
	case 0:
	case 1:
		c.note("1 workload keeps fewer than two old revisions (revisionHistoryLimit): its older rollouts cannot be seen.")
	default:
		c.note("%d workloads keep fewer than two old revisions (revisionHistoryLimit): their older rollouts cannot be seen.", short)
	}
}

// noteSettings says what is not known of configuration, and what was read to know
// more.
func (c *collection) noteSettings(streams []string) {
	data := slices.ContainsFunc(streams, func(s string) bool { return s == record.StreamConfigMaps || s == record.StreamSecrets })
	if data && c.config.Fingerprints {
		c.note("Values of ConfigMaps and Secrets were read, because the config asks for fingerprints: of each value a keyed fingerprint is kept for the next run, and nothing else.")
	} else if data {
		c.routineNotes = append(c.routineNotes,
			"Of ConfigMaps and Secrets only the metadata was read: the last write by each field manager is known and which keys it owns, and not which of them it changed.")
	}
	locks, copies := 0, 0
	for _, j := range c.jobs {
		locks, copies = locks+j.locks, copies+j.copies
	}
	if locks > 0 {
		c.note("Objects without data that are locks of a leader election were left out: %d.", locks)
	}
	if copies > 0 && !c.config.Fingerprints {
		c.note("Secrets with a copy of their values in the annotation of kubectl apply: %d. Annotations come with the metadata, so that the copies crossed the wire; "+
			"they were dropped unread. kubectl apply --server-side leaves none.", copies)
	}
}

// noteNodeEvents says that Events of nodes were not seen: they are in one namespace.
// Who asked for some services did not ask for nodes.
func (c *collection) noteNodeEvents(streams []string) {
	seen := slices.Contains(c.scope.namespaces, "") && c.scope.covers(metav1.NamespaceDefault) || slices.Contains(c.scope.namespaces, metav1.NamespaceDefault)
	if slices.Contains(streams, record.StreamEvents) && !seen && len(c.req.Scope.Services) == 0 {
		c.note("Events of nodes (not ready, rebooted, out of memory) are in the namespace default, which is not read; to see them, add it.")
	}
}
