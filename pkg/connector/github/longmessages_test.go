package github

import (
	"net/http"
	"strings"
	"testing"

	standin "github.com/rcactl/rcactl/pkg/testbed/github"
)

// Whoever may push writes messages as long as they like. A page that they make too
// large is asked for in tenths, and none is held until the details are there.
func TestLongMessagesOfAList(t *testing.T) {
	clone := standin.History(t, standin.Linear(35)...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	filler := strings.Repeat(" ", maxAnswer)
	b.server.Fail(standin.Fault{
		Route: "GET /repos/{owner}/{repo}/commits",
		Match: func(r *http.Request) bool { return r.URL.Query().Get("per_page") == "100" },
		Effect: func(_ *standin.Server, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
			serve(w, r)
			_, _ = w.Write([]byte(filler))
		},
	})
	g, _ := b.gatherAt(all())
	g.complete(t)
	if n := len(g.shas()); n != 35 {
		t.Errorf("%d commits", n)
	}
	look := &branchLook{}
	page := []commitJSON{{SHA: clone.Git("rev-parse", "HEAD")}}
	page[0].Commit.Message = "planted"
	look.add(page)
	if len(look.commits) != 1 || look.commits[0].Commit.Message != "" || look.commits[0].SHA != page[0].SHA {
		t.Errorf("%+v", look.commits)
	}
}
