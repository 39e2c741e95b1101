package github

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/record"
	standin "github.com/rcactl/rcactl/pkg/testbed/github"
)

// Of more repositories than may be followed those are read that come first: what is
// named most, whatever it is called.
func TestWhatIsNamedMostIsFollowed(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	b.change = func(c *Config) { c.Repositories = nil }
	req := all()
	req.Scope.Repositories = []string{"github.com/acme/shop"}
	for i := range maxFollowed {
		req.Scope.Repositories = append(req.Scope.Repositories, fmt.Sprintf("github.com/acme/a%02d", i))
	}
	g := b.collect(req)
	if len(g.shas()) == 0 {
		t.Error("what comes first was not read")
	}
	if notes := strings.Join(g.result.Notes, "\n"); !strings.Contains(notes, "the 20 that are named most were read") {
		t.Errorf("%q", notes)
	}
}

// What a list of GitHub's hides is said in every run that reads it, and in no other.
func TestWhatListsHideIsARoutineNote(t *testing.T) {
	for stream, want := range map[string]string{
		record.StreamDeployments: "more than 24 hours before the window may be missed when its status changes",
		record.StreamReleases:    "behind 100 others of before the window, is missed",
	} {
		if got := strings.Join(routineNotes([]string{stream}), " "); !strings.Contains(got, want) {
			t.Errorf("%s: %q", stream, got)
		}
		if got := strings.Join(routineNotes([]string{record.StreamCommits}), " "); strings.Contains(got, want) {
			t.Errorf("not read, and %q", got)
		}
	}
}
