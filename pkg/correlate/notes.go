package correlate

import (
	"fmt"
	"strings"

	"github.com/rcactl/rcactl/pkg/evidence"
)

// Tally counts deployments by why links of theirs were impossible. Its zero value is
// empty.
type Tally struct {
	why map[string]int // by the code of a reason
	// apart are those between whose commits it is not known what lies.
	apart int
}

// Add counts a deployment.
func (t *Tally) Add(d *evidence.Deployment) {
	if d.Mapping == nil {
		return
	}
	if t.why == nil {
		t.why = map[string]int{}
	}
	for _, r := range d.Mapping.Reasons {
		t.why[r.Code]++
	}
	if d.ChangeRange != nil && d.ChangeRange.Status == evidence.RangeUnknown {
		t.apart++
	}
}

// AddAll counts what another Tally has.
func (t *Tally) AddAll(o Tally) {
	if t.why == nil {
		t.why = map[string]int{}
	}
	for why, n := range o.why {
		t.why[why] += n
	}
	t.apart += o.apart
}

const (
	oneUnread  = "the image of 1 deployment was not read: what it says of its commit is not known"
	manyUnread = "the images of %d deployments were not read: what they say of their commits is not known"
)

// OfUnreadImages reports whether a note says that images were not read.
func OfUnreadImages(note string) bool {
	_, many, _ := strings.Cut(manyUnread, "%d")
	return note == oneUnread || strings.HasSuffix(note, many)
}

// Notes say of what was counted which links were impossible, and why: counts, and no
// names. asked says that there was a source of history.
func (t *Tally) Notes(asked bool) (out []string) {
	all := circumstances()
	count := func(c code, one, many string) string { return counted(t.why[all[c].name], one, many) }
	say := func(text string) {
		if text != "" {
			out = append(out, text)
		}
	}
	say(count(imageUnread, oneUnread, manyUnread))
	say(count(imageUnreadable, "the image of 1 deployment could not be read", "the images of %d deployments could not be read"))
	say(count(noClaim, "neither the image nor the workload of 1 deployment names a commit",
		"neither the images nor the workloads of %d deployments name a commit"))
	say(count(repositoryUnknown, "it is not known which repository 1 deployment comes from",
		"it is not known which repositories %d deployments come from"))
	nobody := "no source of history answered: "
	if asked {
		nobody = "not all questions about history were answered: "
	}
	verified := count(notVerified, "the commit of 1 deployment was not verified", "the commits of %d deployments were not verified")
	apart := counted(t.apart, "what lies between the two commits of 1 deployment is not known", "what lies between the two commits of %d deployments is not known")
	switch {
	case verified != "" && apart != "":
		say(nobody + verified + ", and " + apart)
	case verified+apart != "":
		say(nobody + verified + apart)
	}
	say(count(repositoryUnreadable, "the repository of 1 deployment does not exist, or may not be read",
		"the repositories of %d deployments do not exist, or may not be read"))
	return out
}

// notes are those of the work as a whole.
func (c *correlation) notes() (out []string) {
	commits, pulls := false, false
	for i := range c.in.Events {
		commits = commits || c.in.Events[i].Commit != nil
		pulls = pulls || c.in.Events[i].PullRequest != nil
	}
	if (commits || pulls) && len(c.deployments) == 0 {
		out = append(out, "no deployment is told of in this run: commits and pull requests are not tied to any")
	}
	for _, text := range []string{
		counted(c.cut, fmt.Sprintf("1 question about history was left out: at most %d are put in a run", maxQuestions),
			"%d questions about history were left out: at most "+fmt.Sprint(maxQuestions)+" are put in a run"),
		counted(c.dropped, fmt.Sprintf("1 commit between deployments was left out: at most %d are told in a run", maxCommits),
			"%d commits between deployments were left out: at most "+fmt.Sprint(maxCommits)+" are told in a run"),
	} {
		if text != "" {
			out = append(out, text)
		}
	}
	return out
}

// counted is a sentence of one, or of many; empty of none.
func counted(n int, one, many string) string {
	switch {
	case n == 1:
		return one
	case n > 1:
		return fmt.Sprintf(many, n)
	}
	return ""
}
