package github

import (
	"cmp"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	standin "github.com/rcactl/rcactl/pkg/testbed/github"
	"github.com/rcactl/rcactl/pkg/window"
)

// realClone is a clone with a real history: RCACTL_GIT_HISTORY, or the one that this
// file is in. Where that is shallow or none, one is made in its place.
func realClone(t *testing.T) (dir string, git func(args ...string) string) {
	t.Helper()
	dir = cmp.Or(os.Getenv("RCACTL_GIT_HISTORY"), "../../..")
	git = func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-c", "safe.directory=*", "-C", dir}, args...)...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	if git("rev-parse", "--is-shallow-repository") != "false" || git("rev-parse", "--verify", "HEAD~60") == "" {
		clone := standin.History(t, append(standin.Linear(100), standin.Shapes()...)...)
		dir = clone.Dir
	}
	return dir, git
}

// Commits and pull requests of a window of a real history are those of git log, and
// what lies between two commits is what git says of them.
func TestARealHistory(t *testing.T) {
	dir, git := realClone(t)
	head, base := git("rev-parse", "HEAD"), git("rev-parse", "HEAD~60")
	at := func(format string) time.Time {
		when, err := time.Parse(time.RFC3339, git("log", "-1", "--format="+format, head))
		if err != nil {
			t.Fatal(err)
		}
		return when.UTC()
	}
	end := at("%cI").Add(time.Second)
	start, err := time.Parse(time.RFC3339, git("log", "-1", "--format=%cI", base))
	if err != nil {
		t.Fatal(err)
	}
	served := standin.Repository{Dir: dir, Owner: "acme", Name: "shop", DefaultBranch: "main", Branches: map[string]string{"main": head}}
	b := newBench(t, served, end.Add(time.Hour))
	g := b.collect(connector.Request{Window: window.Window{Start: start.UTC(), End: end}})
	g.complete(t)
	want := lines(git("rev-list", "--since-as-filter="+start.Format(time.RFC3339), "--until="+end.Add(-time.Second).Format(time.RFC3339), head))
	if diff := gocmp.Diff(want, g.shas()); diff != "" || len(want) < 10 {
		t.Errorf("%d commits: %s", len(want), diff)
	}
	answers, err := g.source.Resolve(t.Context(), []record.HistoryQuestion{between(base, head), revision(base)})
	if err != nil || answers[1].ReachOf != record.ReachOn {
		t.Fatalf("%v %+v", err, answers[1])
	}
	var got []string
	for _, c := range answers[0].Range.Commits {
		got = append(got, c.SHA)
	}
	if diff := gocmp.Diff(lines(git("rev-list", base+".."+head)), lines(strings.Join(got, " "))); diff != "" {
		t.Error(diff)
	}
	if files := len(strings.Split(git("diff", "--name-only", base+"..."+head), "\n")); files < filesPage && int(answers[0].Range.Files) != files {
		t.Errorf("%d files, git says %d", answers[0].Range.Files, files)
	}
}
