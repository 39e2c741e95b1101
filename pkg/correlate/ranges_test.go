package correlate_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/correlate"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// both are the images of a rollout from one commit to another.
func both(from, to int) []correlate.Image {
	return images(labelled(1, label(sha(from))), labelled(2, label(sha(to))))
}

func shas(from, to int) []string {
	var out []string
	for n := from; n <= to; n++ {
		out = append(out, sha(n))
	}
	return out
}

// sayRange writes a range in one line.
func sayRange(r *evidence.ChangeRange) string {
	if r == nil {
		return "none"
	}
	text := fmt.Sprintf("%s +%d -%d", r.Status, r.Ahead, r.Behind)
	if r.Rollback {
		text += " rollback"
	}
	text += fmt.Sprintf(" commits %d more %d pulls %v authors %d", len(r.Commits), r.CommitsMore, r.PullRequests, len(r.Authors))
	if r.Files != nil {
		text += fmt.Sprintf(" files %d in %v", *r.Files, r.Categories)
	}
	if r.Reason != "" {
		text += " " + r.Reason
	}
	return text
}

func TestWhatLiesBetween(t *testing.T) {
	for _, c := range []struct {
		name string
		in   correlate.Input
		ask  *history
		want string
		list []string
	}{
		{
			"ahead, as answered",
			correlate.Input{Events: events(event(nil)), Images: both(1, 4)},
			line(1, 5),
			"ahead +3 -0 commits 3 more 0 pulls [102 103 104] authors 3 files 5 in [{migration 1} {code 4}]", shas(2, 4),
		},
		{
			"back, as answered",
			correlate.Input{Events: events(event(nil)), Images: both(4, 1)},
			line(1, 5),
			"behind +0 -3 rollback commits 3 more 0 pulls [102 103 104] authors 3 files 5 in [{migration 1} {code 4}]", shas(2, 4),
		},
		{
			"a bot is no author",
			correlate.Input{Events: events(event(nil)), Images: both(6, 8)},
			line(1, 9),
			"ahead +2 -0 commits 2 more 0 pulls [107 108] authors 1 files 5 in [{migration 1} {code 4}]", shas(7, 8),
		},
		{
			"the same, without a question",
			correlate.Input{Events: events(event(nil), commit(2, nil)), Images: both(2, 2)},
			line(1, 1),
			"identical +0 -0 commits 0 more 0 pulls [] authors 0", nil,
		},
		{
			"more than is listed",
			correlate.Input{Events: events(event(nil)), Images: both(1, 120)},
			line(1, 121),
			"ahead +119 -0 commits 100 more 19 pulls " + fmt.Sprint(numbers(102, 201)) + " authors 20 files 5 in [{migration 1} {code 4}]", shas(21, 120),
		},
		{
			"one commit that was collected",
			correlate.Input{Events: events(event(nil), commit(1, nil), commit(2, nil)), Images: both(1, 2)},
			nil,
			"ahead +1 -0 commits 1 more 0 pulls [102] authors 1 files 2 in [{code 2}]", shas(2, 2),
		},
		{
			"several that were collected, and nobody to ask for files",
			correlate.Input{Events: events(event(nil), commit(1, nil), commit(2, nil), commit(3, nil)), Images: both(1, 3)},
			nil,
			"ahead +2 -0 commits 2 more 0 pulls [102 103] authors 2", shas(2, 3),
		},
		{
			"the same backwards",
			correlate.Input{Events: events(event(nil), commit(1, nil), commit(2, nil), commit(3, nil)), Images: both(3, 1)},
			nil,
			"behind +0 -2 rollback commits 2 more 0 pulls [102 103] authors 2", shas(2, 3),
		},
		{
			"a merge that was collected whole",
			correlate.Input{Images: both(1, 4), Events: events(event(nil), commit(1, nil), commit(2, nil),
				commit(3, func(c *evidence.Commit) { c.Parents = []string{sha(1)} }),
				commit(4, func(c *evidence.Commit) { c.Parents = []string{sha(2), sha(3)} }))},
			nil,
			"ahead +3 -0 commits 3 more 0 pulls [102 103 104] authors 3", shas(2, 4),
		},
		{
			"a merge of what began earlier",
			correlate.Input{Images: both(2, 4), Events: events(event(nil), commit(1, nil), commit(2, nil),
				commit(3, func(c *evidence.Commit) { c.Parents = []string{sha(1)} }),
				commit(4, func(c *evidence.Commit) { c.Parents = []string{sha(2), sha(3)} }))},
			nil,
			"unknown +0 -0 commits 0 more 0 pulls [] authors 0 not_asked", nil,
		},
		{
			"a first commit that leads nowhere",
			correlate.Input{Images: both(1, 4), Events: events(event(nil), commit(1, nil),
				commit(4, func(c *evidence.Commit) { c.Parents = nil }))},
			nil,
			"unknown +0 -0 commits 0 more 0 pulls [] authors 0 not_asked", nil,
		},
		{
			"a merge of another first commit",
			correlate.Input{Images: both(1, 4), Events: events(event(nil), commit(1, nil),
				commit(3, func(c *evidence.Commit) { c.Parents = nil }),
				commit(4, func(c *evidence.Commit) { c.Parents = []string{sha(1), sha(3)} }))},
			nil,
			"unknown +0 -0 commits 0 more 0 pulls [] authors 0 not_asked", nil,
		},
		{
			"a bot's commit that was collected",
			correlate.Input{Events: events(event(nil), commit(6, nil), commit(7, nil)), Images: both(6, 7)},
			nil,
			"ahead +1 -0 commits 1 more 0 pulls [107] authors 0 files 2 in [{code 2}]", shas(7, 7),
		},
		{
			"a gap in what was collected",
			correlate.Input{Events: events(event(nil), commit(1, nil), commit(4, nil)), Images: both(1, 4)},
			nil,
			"unknown +0 -0 commits 0 more 0 pulls [] authors 0 not_asked", nil,
		},
		{
			"nobody answers",
			correlate.Input{Events: events(event(nil), commit(1, nil), commit(4, nil)), Images: both(1, 4)},
			&history{silent: true},
			"unknown +0 -0 commits 0 more 0 pulls [] authors 0 unanswered", nil,
		},
		{
			"the repository may not be read",
			correlate.Input{Events: events(event(nil), commit(1, nil), commit(4, nil)), Images: both(1, 4)},
			&history{unreadable: true},
			"unknown +0 -0 commits 0 more 0 pulls [] authors 0 unreadable", nil,
		},
		{
			"a commit is gone",
			correlate.Input{Events: events(event(nil), commit(1, nil), commit(4, nil)), Images: both(1, 4)},
			line(4, 5),
			"unknown +0 -0 commits 0 more 0 pulls [] authors 0 not_found", nil,
		},
		{"the commit before is not known", correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label(sha(2))))}, line(1, 3), "none", nil},
		{"two repositories", correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label(sha(2))),
			labelled(1, record.ImageClaim{Place: record.PlaceLabel, Revision: sha(1), Source: "github.com/acme/old"}))}, line(1, 3), "none", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := settle(t, c.in, c.ask)
			r := out.Events[0].Deployment.ChangeRange
			if got := sayRange(r); got != c.want {
				t.Errorf("between them lies\n  %s\nand not\n  %s", got, c.want)
			}
			if r != nil && !slices.Equal(r.Commits, c.list) {
				t.Errorf("the commits are %v and not %v", r.Commits, c.list)
			}
		})
	}
}

func numbers(from, to int64) (out []int64) {
	for n := from; n <= to; n++ {
		out = append(out, n)
	}
	return out
}

func TestADivergedRangeAndOneThatIsCut(t *testing.T) {
	in := correlate.Input{Events: events(event(nil), commit(1, nil), commit(4, nil)), Images: both(1, 4), Asked: true}
	q := record.HistoryQuestion{Repository: shop, Base: sha(1), Head: sha(4)}
	h := line(1, 5)
	for want, r := range map[string]record.Range{
		"diverged +2 -1 commits 1 more 0 pulls [9 104] authors 1": {Status: record.RangeDiverged, Ahead: 2, Behind: 1, Commits: []record.Commit{h.commit(4)}, PullRequests: []int64{9}},
		"ahead +7 -0 commits 1 more 6 pulls [104] authors 1 files 300 in [] truncated": {
			Status: record.RangeAhead, Ahead: 7, More: 6,
			Commits: []record.Commit{h.commit(4)}, FilesKnown: true, FilesTruncated: true, Files: 300,
		},
		"unknown +0 -0 commits 0 more 0 pulls [] authors 0 unanswered": {Status: "sideways", Ahead: 7},
	} {
		in.Answers = []record.HistoryAnswer{{Question: q, Finding: record.Found, Range: r}}
		out := correlate.Correlate(in)
		check(t, out)
		if got := sayRange(out.Events[0].Deployment.ChangeRange); got != want {
			t.Errorf("between them lies\n  %s\nand not\n  %s", got, want)
		}
		if len(out.Questions) > 0 {
			t.Errorf("it is asked again: %v", out.Questions)
		}
	}
}

func TestACommitListsTheDeploymentsThatCarriedIt(t *testing.T) {
	forth := event(nil)
	back := event(func(e *evidence.Event) {
		e.ID, e.Time = id("back"), noon().Add(time.Hour)
		e.Deployment.Started, e.Deployment.Change = nil, evidence.ChangeRollback
		e.Deployment.From, e.Deployment.To = e.Deployment.To, e.Deployment.From
	})
	made := event(func(e *evidence.Event) {
		e.ID, e.Time, e.ServiceKey = id("made"), noon().Add(2*time.Hour), "prod-eu1/shop/worker"
		e.Deployment.Started, e.Deployment.Change, e.Deployment.From = nil, evidence.ChangeCreate, nil
	})
	scaled := event(func(e *evidence.Event) {
		e.ID, e.Time = id("scaled"), noon().Add(3*time.Hour)
		e.Deployment.Started, e.Deployment.Change, e.Deployment.From = nil, evidence.ChangeScale, nil
	})
	merged := pull(104, nil)
	byCommit := pull(12, func(e *evidence.Event) { e.PullRequest.MergeCommit = sha(3) })
	in := correlate.Input{Images: both(1, 4), Events: events(scaled, made, back, forth, commit(1, nil), commit(3, nil), commit(4, nil), merged, byCommit)}
	h := line(1, 5)
	out := settle(t, in, h)

	if got := carriedBy(out.Events[4].Commit.Deployments); got != "" {
		t.Errorf("the commit that ran before was carried by %s", got)
	}
	for _, at := range []int{5, 8} { // commit 3, and the pull request that it merged
		e := out.Events[at]
		list := deploymentsOf(e)
		if got, want := carriedBy(list), carriedBy([]evidence.CarriedBy{by(forth, false), by(back, true)}); got != want {
			t.Errorf("%s was carried by\n%s and not by\n%s", e.Source.Object.Name, got, want)
		}
	}
	for _, at := range []int{6, 7} { // commit 4, and the pull request that its message names
		e := out.Events[at]
		want := []evidence.CarriedBy{by(forth, false), by(back, true), by(made, false)}
		if got := carriedBy(deploymentsOf(e)); got != carriedBy(want) {
			t.Errorf("%s was carried by\n%s and not by\n%s", e.Source.Object.Name, got, carriedBy(want))
		}
	}
	// Commit 2 was only met between the two; it becomes an event, and then says so too.
	if len(out.Commits) != 1 || out.Commits[0].SHA != sha(2) || out.Commits[0].Repository != shop {
		t.Fatalf("commits to tell are %v", out.Commits)
	}
	in.Events = append(in.Events, commit(2, func(c *evidence.Commit) { c.DefaultBranch = false }))
	again := settle(t, in, h)
	if len(again.Commits) != 0 {
		t.Errorf("it is to be told again: %v", again.Commits)
	}
	if got, want := carriedBy(again.Events[9].Commit.Deployments), carriedBy([]evidence.CarriedBy{by(forth, false), by(back, true)}); got != want {
		t.Errorf("the commit that was met was carried by\n%s and not by\n%s", got, want)
	}
	if a, b := text(t, out.Events), text(t, again.Events[:9]); a != b {
		t.Errorf("telling it changes other events:\n%s\n%s", a, b)
	}
	if in.Events[5].Commit.Deployments != nil || in.Events[3].Deployment.Mapping != nil {
		t.Error("the input was changed")
	}
}

func deploymentsOf(e evidence.Event) []evidence.CarriedBy {
	if e.Commit != nil {
		return e.Commit.Deployments
	}
	return e.PullRequest.Deployments
}

func by(e evidence.Event, back bool) evidence.CarriedBy {
	return evidence.CarriedBy{ID: e.ID, Time: e.Time, ServiceKey: e.ServiceKey, TakenBack: back}
}

func carriedBy(list []evidence.CarriedBy) (text string) {
	for _, c := range list {
		text += fmt.Sprintln(" ", c.ID, c.Time, c.ServiceKey, c.TakenBack)
	}
	return text
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestACommitIsCarriedByManyDeployments(t *testing.T) {
	list := events(commit(1, nil), commit(2, nil))
	for i := range 130 {
		list = append(list, event(func(e *evidence.Event) {
			e.ID, e.Time = id("rollout", i), noon().Add(time.Duration(i)*time.Minute)
			e.Deployment.Started = nil
		}))
	}
	list = append(list, list[len(list)-1], list[2]) // told twice, by two sources
	out := settle(t, correlate.Input{Events: list, Images: both(1, 2)}, nil)
	c := out.Events[1].Commit
	if len(c.Deployments) != 100 || c.DeploymentsMore != 30 || c.Deployments[0].ID != id("rollout", 0) {
		t.Errorf("%d deployments and %d more, of which the first is %s", len(c.Deployments), c.DeploymentsMore, c.Deployments[0].ID)
	}
}

func TestNearInTimeIsALinkAndNoRevision(t *testing.T) {
	list := events(event(nil), pull(1, func(e *evidence.Event) { e.Time = noon().Add(-5 * time.Hour) }),
		pull(2, func(e *evidence.Event) { e.Time = noon().Add(-3 * time.Hour) }),
		pull(3, func(e *evidence.Event) { e.Time = noon().Add(-2 * time.Hour); e.PullRequest.DefaultBranch = false }),
		pull(4, func(e *evidence.Event) { e.Time = noon().Add(time.Minute) }))
	in := correlate.Input{Events: list, Images: unlabelled(), Services: services()}
	out := settle(t, in, nil)
	d, p := out.Events[0], out.Events[2]
	if want := (evidence.Link{Relation: "followed", To: list[2].ID, OrderSeconds: 3 * 3600, Basis: "time"}); !slices.Equal(d.Links, []evidence.Link{want}) {
		t.Errorf("the rollout has the links %v", d.Links)
	}
	if want := (evidence.Link{Relation: "preceded", To: list[0].ID, OrderSeconds: -3 * 3600, Basis: "time"}); !slices.Equal(p.Links, []evidence.Link{want}) {
		t.Errorf("the pull request has the links %v", p.Links)
	}
	if d.Deployment.Revision != "" || d.Deployment.Mapping.Confidence != evidence.ConfidenceLow || len(p.PullRequest.Deployments) > 0 {
		t.Errorf("closeness in time attributes something: %s", text(t, out.Events))
	}
	in.Events = out.Events
	if again := settle(t, in, nil); text(t, again.Events) != text(t, out.Events) {
		t.Error("a second time adds something")
	}
	list[2].Time = noon().Add(-25 * time.Hour)
	list[1].Time = noon().Add(-26 * time.Hour)
	in.Events = list
	if out := settle(t, in, nil); len(out.Events[0].Links) > 0 || out.Events[0].Deployment.Mapping.Method != evidence.MethodNone {
		t.Errorf("a day and an hour is near: %s", text(t, out.Events[0]))
	}
}
