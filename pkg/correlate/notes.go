package correlate

import (
	"fmt"
	"strings"
)

// tally counts for the notes.
type tally struct {
	why   [codes]int
	apart int // deployments between whose commits it is not known what lies
}

func (t *tally) count(r *result) {
	for c := range codes {
		if r.why.has(c) {
			t.why[c]++
		}
	}
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

// notes say which links were impossible, and why: counts, and no names.
func (t *tally) notes(c *correlation) []string {
	var out []string
	say := func(n int, one, many string) {
		if text := counted(n, one, many); text != "" {
			out = append(out, text)
		}
	}
	commits, pulls := false, false
	for i := range c.in.Events {
		commits = commits || c.in.Events[i].Commit != nil
		pulls = pulls || c.in.Events[i].PullRequest != nil
	}
	if (commits || pulls) && len(c.deployments) == 0 {
		out = append(out, "no deployment is told of in this run: commits and pull requests are not tied to any")
	}
	say(t.why[imageUnread], oneUnread, manyUnread)
	say(t.why[imageUnreadable], "the image of 1 deployment could not be read", "the images of %d deployments could not be read")
	say(t.why[noClaim], "neither the image nor the workload of 1 deployment names a commit",
		"neither the images nor the workloads of %d deployments name a commit")
	say(t.why[repositoryUnknown], "it is not known which repository 1 deployment comes from",
		"it is not known which repositories %d deployments come from")
	nobody := "no source of history answered: "
	if c.in.Asked {
		nobody = "not all questions about history were answered: "
	}
	verified := counted(t.why[notVerified], "the commit of 1 deployment was not verified", "the commits of %d deployments were not verified")
	apart := counted(t.apart, "what lies between the two commits of 1 deployment is not known", "what lies between the two commits of %d deployments is not known")
	switch {
	case verified != "" && apart != "":
		out = append(out, nobody+verified+", and "+apart)
	case verified+apart != "":
		out = append(out, nobody+verified+apart)
	}
	say(t.why[repositoryUnreadable], "the repository of 1 deployment does not exist, or may not be read",
		"the repositories of %d deployments do not exist, or may not be read")
	say(c.cut, fmt.Sprintf("1 question about history was left out: at most %d are put in a run", maxQuestions),
		"%d questions about history were left out: at most "+fmt.Sprint(maxQuestions)+" are put in a run")
	say(c.dropped, fmt.Sprintf("1 commit between deployments was left out: at most %d are told in a run", maxCommits),
		"%d commits between deployments were left out: at most "+fmt.Sprint(maxCommits)+" are told in a run")
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
