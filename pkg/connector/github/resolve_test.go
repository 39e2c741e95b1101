package github

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rcactl/rcactl/pkg/record"
	standin "github.com/rcactl/rcactl/pkg/testbed/github"
)

const shop = "github.com/acme/shop"

// ask resolves without having collected before.
func (b *bench) ask(questions ...record.HistoryQuestion) []record.HistoryAnswer {
	b.t.Helper()
	answers, err := b.connect().Resolve(b.t.Context(), questions)
	if err != nil || len(answers) != len(questions) {
		b.t.Fatalf("%v, %d answers to %d questions", err, len(answers), len(questions))
	}
	for i, a := range answers {
		if a.Question != questions[i] {
			b.t.Errorf("answer %d is to %+v", i, a.Question)
		}
	}
	return answers
}

func revision(r string) record.HistoryQuestion {
	return record.HistoryQuestion{Repository: shop, Revision: r}
}

func between(base, head string) record.HistoryQuestion {
	return record.HistoryQuestion{Repository: shop, Base: base, Head: head}
}

func TestRevisionsAreFound(t *testing.T) {
	history := standin.Shapes()
	history = append(history, standin.Commit{Name: "hex", Message: "a tag like digits", Tag: "20310101"}, standin.Commit{Name: "late", Branch: "deadbee", Message: "a branch like a commit"})
	clone := standin.History(t, history...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	full := clone.SHA("feature")
	for _, tt := range []struct {
		name, revision string
		finding        record.Finding
		sha            string
		reach          record.Reach
	}{
		{"a commit", full, record.Found, full, record.ReachOn},
		{"the beginning of one", full[:9], record.Found, full, record.ReachOn},
		{"a tag", "v1.1.0-rc.1", record.Found, clone.SHA("release"), record.ReachOn},
		{"a tag with an object", "v1.0.0", record.Found, clone.SHA("after"), record.ReachOn},
		{"a tag that could be a commit", "20310101", record.Found, clone.SHA("hex"), record.ReachOn},
		{"off the default branch", clone.SHA("hotfix"), record.Found, clone.SHA("hotfix"), record.ReachOff},
		{"no relation", clone.SHA("orphan"), record.Found, clone.SHA("orphan"), record.ReachOff},
		{"a commit that is not there", strings.Repeat("0b", 20), record.NotFound, "", ""},
		{"a beginning that is not there", "0b0b0b0b", record.NotFound, "", ""},
		{"a tag that is not there", "v7.7.7", record.NotFound, "", ""},
		{"a branch is no revision", "release/1.0", record.NotFound, "", ""},
		{"nor one that looks like a commit", "deadbee", record.NotFound, "", ""},
		{"climbing", "../../acme/other", record.NotFound, "", ""},
		{"a query", "v1?x=y", record.NotFound, "", ""},
		{"nothing", "", record.NotFound, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := b.ask(revision(tt.revision))[0]
			if a.Finding != tt.finding || a.Commit.SHA != tt.sha || a.ReachOf != tt.reach {
				t.Errorf("%+v", a)
			}
			if tt.finding == record.Found && (!a.Commit.Detailed || a.Commit.Repository != shop) {
				t.Errorf("%+v", a.Commit)
			}
		})
	}
	// A commit and that it is on the branch are known for ever.
	b.server.Forget()
	if a := b.ask(revision(full))[0]; a.ReachOf != record.ReachOn || b.asked() != 1 {
		t.Errorf("%d requests: %v", b.asked(), b.server.Count())
	}
}

func TestRepositoriesThatAreNotToBeAsked(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	b.server.Add(clone.Served("other", "repo"))
	sha := clone.SHA("head")
	of := func(name string) record.HistoryQuestion {
		return record.HistoryQuestion{Repository: name, Revision: sha}
	}
	a := b.ask(of("github.com/other/repo"), of("gitlab.example/acme/shop"), of("github.com/acme"), of(""))
	for _, one := range a {
		if one.Finding != record.Unanswered || one.Reason == "" || !one.Final {
			t.Errorf("%+v", one)
		}
	}
	if n := b.asked(); n != 0 {
		t.Errorf("%d requests for what the config leaves out", n)
	}
	b.change = func(c *Config) { c.Repositories = nil }
	a = b.ask(of("github.com/other/repo"), of("github.com/acme/missing"), of(shop))
	if a[0].Finding != record.Found || a[1].Finding != record.Unreadable || a[1].Reason == "" || a[2].Finding != record.Found {
		t.Errorf("%+v", a)
	}
}

func TestRanges(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	git := func(base, head string) []string { return lines(clone.Git("rev-list", base+".."+head)) }
	for _, tt := range []struct {
		name, base, head string
		status           record.RangeStatus
	}{
		{"forward", "root", "head", record.RangeAhead},
		{"back", "head", "planted", record.RangeBehind},
		{"the same", "head", "head", record.RangeIdentical},
		{"apart", "release", "hotfix", record.RangeDiverged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base, head := clone.SHA(tt.base), clone.SHA(tt.head)
			a := b.ask(between(base, head))[0]
			r := a.Range
			if a.Finding != record.Found || r.Status != tt.status || int(r.Ahead) != len(git(base, head)) || int(r.Behind) != len(git(head, base)) {
				t.Fatalf("%+v", a)
			}
			want := git(base, head)
			if tt.status == record.RangeBehind {
				want = git(head, base)
			}
			var got []string
			for _, c := range r.Commits {
				got = append(got, c.SHA)
				if !c.Detailed {
					t.Errorf("%+v", c)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || r.More != 0 {
				t.Errorf("%d more, %s", r.More, diff)
			}
			if !r.FilesKnown || (r.Files == 0) != (tt.status == record.RangeIdentical) {
				t.Errorf("%+v", r)
			}
			// It never changes, and is not asked for again.
			b.server.Forget()
			if again := b.ask(between(base, head))[0]; !cmp.Equal(a, again) || b.asked() != 1 {
				t.Errorf("%d requests, %s", b.asked(), cmp.Diff(a, again))
			}
		})
	}
	forward := b.ask(between(clone.SHA("root"), clone.SHA("head")))[0]
	if diff := cmp.Diff(pullsOfGit(clone, clone.SHA("root")+"..main"), forward.Range.PullRequests); diff != "" {
		t.Error(diff)
	}
	gone := strings.Repeat("0b", 20)
	for _, q := range []record.HistoryQuestion{between(gone, clone.SHA("head")), between(clone.SHA("head"), gone), between("v1.0.0", clone.SHA("head"))} {
		if a := b.ask(q)[0]; a.Finding != record.NotFound {
			t.Errorf("%+v", a)
		}
	}
}

func TestThePullRequestOfARebase(t *testing.T) {
	clone := standin.History(t, standin.Commit{Name: "root"}, standin.Commit{Name: "one"}, standin.Commit{Name: "two"})
	served := clone.Served("acme", "shop")
	served.PullRequests = []standin.PullRequest{
		{Number: 31, Merged: then().Add(-time.Hour), HeadSHA: clone.SHA("two"), MergeCommit: clone.SHA("two"), Commits: []string{clone.SHA("one")}},
		{Number: 32, HeadSHA: clone.SHA("one"), Commits: []string{clone.SHA("one")}},
	}
	b := newBench(t, served, then())
	if a := b.ask(between(clone.SHA("root"), clone.SHA("two")))[0]; !slices.Equal(a.Range.PullRequests, []int64{31}) {
		t.Errorf("%+v", a.Range.PullRequests)
	}
	// One that is open brought nothing.
	clone.Add(standin.Commit{Name: "side", Branch: "side", Parents: []string{"root"}})
	b.server.Update("acme", "shop", func(r *standin.Repository) {
		r.PullRequests = append(slices.Clone(r.PullRequests), standin.PullRequest{Number: 33, HeadSHA: clone.SHA("side")})
	})
	if a := b.ask(between(clone.SHA("root"), clone.SHA("side")))[0]; a.Finding != record.Found || len(a.Range.PullRequests) != 0 {
		t.Errorf("%+v", a)
	}
	// What was collected is not asked for.
	b.store = newShelf()
	g := b.collect(all())
	b.server.Forget()
	answers, err := g.source.Resolve(t.Context(), []record.HistoryQuestion{between(clone.SHA("one"), clone.SHA("two"))})
	if err != nil || !slices.Equal(answers[0].Range.PullRequests, []int64{31}) || b.server.Count()["GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls"] != 0 {
		t.Errorf("%v %+v %v", err, answers[0].Range.PullRequests, b.server.Count())
	}
}

// A rollout from the head of the last run to that of this one is what the branch was
// compared for.
func TestWhatABranchWasComparedForIsNotAskedAgain(t *testing.T) {
	clone := standin.History(t, standin.Commit{Name: "root"}, standin.Commit{Name: "one"})
	b := newBench(t, clone.Served("acme", "shop"), then())
	first := b.collect(all())
	clone.Add(standin.Commit{Name: "two", Parents: []string{"one"}, Committed: then().Add(time.Minute), Files: map[string]string{"db/migrations/2.sql": "select 2"}},
		standin.Commit{Name: "three", Parents: []string{"two"}, Committed: then().Add(2 * time.Minute), Message: "feat: planted (#9)"})
	b.server.Update("acme", "shop", func(*standin.Repository) {})
	b.now = then().Add(10 * time.Minute)
	second := b.collect(b.after(first, b.now))
	q := []record.HistoryQuestion{between(clone.SHA("one"), clone.SHA("three"))}
	b.server.Forget()
	got, err := second.source.Resolve(t.Context(), q)
	if err != nil || b.server.Count()["GET /repos/{owner}/{repo}/compare/{basehead}"] != 0 {
		t.Errorf("%v %v", err, b.server.Count())
	}
	b.store = newShelf()
	want, err := b.connect().Resolve(t.Context(), q)
	if diff := cmp.Diff(want, got); err != nil || diff != "" || len(got[0].Range.Commits) != 2 || b.server.Count()["GET /repos/{owner}/{repo}/compare/{basehead}"] != 1 {
		t.Errorf("%v %s, %d commits, %v", err, diff, len(got[0].Range.Commits), b.server.Count())
	}
	// A long one is: its commits beyond the details have their messages.
	long := comparison{begun: true, total: maxRangeDetails + 1, between: record.Range{Status: record.RangeAhead}, commits: make([]commitJSON, maxRangeDetails+1)}
	if long.short() {
		t.Error("messages of commits without details are not kept")
	}
}

func TestALongRangeIsCut(t *testing.T) {
	clone := standin.History(t, standin.Linear(400)...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	shas := strings.Fields(clone.Git("rev-list", "--reverse", "main"))
	a := b.ask(between(shas[0], shas[399]))[0]
	if a.Finding != record.Found || a.Range.Ahead != 399 || len(a.Range.Commits) != maxRange || a.Range.More != 399-maxRange {
		t.Fatalf("%s, %d ahead, %d commits, %d more", a.Finding, a.Range.Ahead, len(a.Range.Commits), a.Range.More)
	}
	for i, c := range a.Range.Commits {
		if c.SHA != shas[i+1] || c.Detailed != (i < maxRangeDetails) {
			t.Fatalf("%d: %+v", i, c)
		}
	}
	if n := b.server.Count()["GET /repos/{owner}/{repo}/commits/{ref}"]; n != maxRangeDetails {
		t.Errorf("%d details", n)
	}
}

func TestQuestionsThatALimitLeavesOpen(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	b.server.Fail(standin.Fault{Route: "GET /repos/{owner}/{repo}/compare/{basehead}", Effect: standin.PrimaryLimit(429, time.Hour)})
	s := b.connect()
	questions := []record.HistoryQuestion{between(clone.SHA("root"), clone.SHA("head")), revision(clone.SHA("head"))}
	answers, err := s.Resolve(t.Context(), questions)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a.Finding != record.Unanswered || a.Final || !strings.Contains(a.Reason, then().Add(time.Hour).Format(time.RFC3339)) {
			t.Errorf("%+v", a)
		}
	}
	actions, notes := s.Resolved()
	if len(actions) == 0 || len(notes) != 1 || !strings.HasPrefix(notes[0], "questions about the history without an answer: 2 of 2 (") {
		t.Errorf("%+v %q", actions, notes)
	}
	// Another try is another try.
	b.server.Recover()
	b.now = then().Add(2 * time.Hour)
	answers, err = s.Resolve(t.Context(), questions)
	if err != nil || answers[0].Finding != record.Found || answers[1].Finding != record.Found {
		t.Errorf("%v %+v", err, answers)
	}
}

func TestNextPages(t *testing.T) {
	for header, want := range map[string]string{
		"": "",
		`<https://api.example/x?page=2>; rel="next", <https://api.example/x?page=9>; rel="last"`:  "https://api.example/x?page=2",
		`<https://api.example/x?page=1>; rel="prev", <https://api.example/x?after=a,b>; rel=next`: "https://api.example/x?after=a,b",
		`<https://api.example/x?page=4>; rel="next last"`:                                         "https://api.example/x?page=4",
		`<https://api.example/x?page=1>; title="; rel=next"; rel="prev"`:                          "",
		`<https://api.example/x?page=1>; rel="prev"`:                                              "",
		`<https://api.example/x?page=3>; title="a"; REL="next"`:                                   "https://api.example/x?page=3",
		`https://api.example/x; rel="next"`:                                                       "",
	} {
		if got := nextPage([]string{header}); got != want {
			t.Errorf("%s: %q", header, got)
		}
	}
}

func FuzzNextPage(f *testing.F) {
	f.Add(`<https://api.example/x?page=2>; rel="next"`)
	f.Fuzz(func(t *testing.T, header string) {
		if got := nextPage([]string{header}); got != "" && !strings.Contains(header, "<"+got+">") {
			t.Errorf("%q", got)
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"version":1,"repositories":{"x":{"id":1,"heads":{"a":{"sha":"b"}},"settled_deployments":{"5":"2031-01-01T00:00:00Z"}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := readState(text)
		if err != nil {
			return
		}
		once, err := s.write(time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := readState(once)
		if err != nil {
			t.Fatal(err)
		}
		if twice, _ := again.write(time.Time{}); string(once) != string(twice) {
			t.Errorf("%s and then %s", once, twice)
		}
	})
}

func TestAStateIsBounded(t *testing.T) {
	r := &repoState{ID: 1, Seen: then(), Deployed: map[string]deployed{}, Settled: map[int64]time.Time{}}
	for i := range 3000 {
		r.Deployed[fmt.Sprint(i)] = deployed{ID: int64(i + 1), Commit: strings.Repeat("0a", 20)}
		r.Settled[int64(i)] = then()
		r.OpenDeployments = append(r.OpenDeployments, int64(i+1))
		r.Gone = append(r.Gone, fmt.Sprintf("%040x", i))
	}
	s := state{Version: stateVersion, Repositories: map[string]*repoState{shop: r, "github.com/acme/old": {ID: 2, Seen: then().Add(-31 * 24 * time.Hour)}}}
	text, err := s.write(then())
	if err != nil || len(text) > 64<<10 {
		t.Fatalf("%v, %d bytes", err, len(text))
	}
	back, err := readState(text)
	if err != nil || len(back.Repositories) != 1 {
		t.Fatalf("%v %+v", err, back)
	}
	got := back.Repositories[shop]
	if len(got.Deployed) != maxEnvironments || len(got.Settled) != maxSettled || len(got.OpenDeployments) != maxOpen || len(got.Gone) != maxGone || got.Gone[maxGone-1] != fmt.Sprintf("%040x", 2999) {
		t.Errorf("%d %d %d %d", len(got.Deployed), len(got.Settled), len(got.OpenDeployments), len(got.Gone))
	}
}
