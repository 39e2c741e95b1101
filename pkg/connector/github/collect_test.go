package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/record"
	standin "github.com/rcactl/rcactl/pkg/testbed/github"
	"github.com/rcactl/rcactl/pkg/window"
)

// shelf is a connector.Store in memory.
type shelf struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func newShelf() *shelf { return &shelf{kept: map[string][]byte{}} }

func (s *shelf) Get(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.kept[key]
	return v, ok
}

func (s *shelf) Put(key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[key] = slices.Clone(value)
}

const readerToken = "ghp_plantedToken000000000000000000000000"

// bench is a connector at a stand-in.
type bench struct {
	t      *testing.T
	server *standin.Server
	store  *shelf
	now    time.Time
	log    bytes.Buffer
	change func(*Config)
	scrub  func(string) string
}

func newBench(t *testing.T, served standin.Repository, now time.Time) *bench {
	t.Helper()
	b := &bench{t: t, store: newShelf(), now: now}
	b.server = standin.New(t, served, standin.WithNow(func() time.Time { return b.now }), standin.WithToken(readerToken, standin.Access{Login: "planted-reader"}))
	return b
}

func (b *bench) connect() *source {
	b.t.Helper()
	cfg := defaultConfig()
	cfg.BaseURL, cfg.Host, cfg.Repositories = b.server.URL+"/", "github.com", []string{"acme/shop"}
	if b.change != nil {
		b.change(cfg)
	}
	if err := cfg.Validate(); err != nil {
		b.t.Fatal(err)
	}
	env := connector.Env{
		Store: b.store, Scrub: b.scrub, Now: func() time.Time { return b.now }, UserAgent: "rcactl/test",
		Log:       slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Pseudonym: func(domain, value string) string { return fmt.Sprintf("%s:%x", domain, digestName(domain, value)) },
		LookupEnv: func(name string) (string, bool) { return readerToken, name == "GITHUB_TOKEN" },
	}
	c, err := cfg.Connect(b.t.Context(), env)
	if err != nil {
		b.t.Fatal(err)
	}
	return c.(*source)
}

// gathered is what a Collect gave.
type gathered struct {
	records []record.Record
	result  connector.Result
	source  *source
}

func (b *bench) collect(req connector.Request) gathered {
	b.t.Helper()
	s := b.connect()
	g := gathered{source: s}
	if _, err := s.Identity(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	var err error
	g.result, err = s.Collect(b.t.Context(), req, func(r record.Record) error {
		g.records = append(g.records, r)
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return g
}

func (g gathered) of(stream string) (out []record.Record) {
	for _, r := range g.records {
		if r.Stream() == stream {
			out = append(out, r)
		}
	}
	return out
}

func (g gathered) shas() (out []string) {
	for _, r := range g.of(record.StreamCommits) {
		out = append(out, r.(record.BranchCommit).SHA)
	}
	slices.Sort(out)
	return out
}

func (g gathered) commit(t *testing.T, sha string) record.BranchCommit {
	t.Helper()
	for _, r := range g.of(record.StreamCommits) {
		if c := r.(record.BranchCommit); c.SHA == sha {
			return c
		}
	}
	t.Fatalf("no commit %s was told", sha)
	return record.BranchCommit{}
}

func (g gathered) cover(stream string) connector.Coverage {
	for _, c := range g.result.Coverage {
		if c.Stream == stream {
			return c
		}
	}
	return connector.Coverage{}
}

func (g gathered) complete(t *testing.T) {
	t.Helper()
	for _, c := range g.result.Coverage {
		if c.Status != connector.Complete {
			t.Errorf("%s is %s: %s", c.Stream, c.Status, c.Reason)
		}
	}
}

// all is a window around the generated histories, then is its end.
func then() time.Time { return standin.Start().Add(40 * 24 * time.Hour) }

func all() connector.Request {
	return connector.Request{Window: window.Window{Start: standin.Start().Add(-24 * time.Hour), End: then()}}
}

// after continues from a run.
func (b *bench) after(g gathered, end time.Time) connector.Request {
	return connector.Request{Window: window.Window{Start: g.result.Coverage[0].Asked.End, End: end}, Incremental: true, State: g.result.State}
}

func (b *bench) asked() int { return len(b.server.Requests()) }

func lines(s string) []string {
	out := strings.Fields(s)
	slices.Sort(out)
	return out
}

// pullsOfGit are the numbers of pull requests that the subjects of commits say were
// merged.
func pullsOfGit(clone *standin.Clone, args ...string) (out []int64) {
	log := clone.Git(append([]string{"log", "--format=%s"}, args...)...)
	for _, m := range regexp.MustCompile(`(?m)^Merge pull request #(\d+) |\(#(\d+)\)$`).FindAllStringSubmatch(log, -1) {
		n, _ := strconv.ParseInt(m[1]+m[2], 10, 64)
		out = append(out, n)
	}
	return pullNumbers(out)
}

func TestCommitsAreThoseOfGit(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	g := b.collect(all())
	g.complete(t)
	// git log --since stops at the first older commit, which is what GitHub may do or
	// not; by dates alone these are all.
	want := lines(clone.Git("rev-list", "--since-as-filter="+all().Window.Start.Format(time.RFC3339), "--until="+then().Format(time.RFC3339), "main"))
	if diff := cmp.Diff(want, g.shas()); diff != "" {
		t.Error(diff)
	}
	var pulls []int64
	for _, r := range g.of(record.StreamPullRequests) {
		p := r.(record.PullRequest)
		pulls = append(pulls, p.Number)
		if !p.DefaultBranch || p.MergeCommit == "" || p.Merged.IsZero() {
			t.Errorf("%+v", p)
		}
	}
	slices.Sort(pulls)
	if diff := cmp.Diff(pullsOfGit(clone, "--first-parent", "main"), pulls); diff != "" {
		t.Error(diff)
	}
}

func TestACommitIsSummarized(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	g := b.collect(all())
	c := g.commit(t, clone.SHA("migration"))
	want := record.Commit{
		Repository: "github.com/acme/shop", SHA: c.SHA, Parents: c.Parents, Authored: c.Authored, Committed: c.Committed, Author: c.Author, Committer: c.Committer,
		Verification: record.VerificationUnsigned, Conventional: record.Conventional{Type: "feat", Scope: "db", Breaking: true},
		Detailed: true, Additions: c.Additions, Files: 2,
		Categories: []record.CategoryCount{{Category: record.CategoryMigration, Files: 1}, {Category: record.CategoryCode, Files: 1}},
		Risks:      []record.Risk{record.RiskBreaking, record.RiskMigrationWithCode},
	}
	if diff := cmp.Diff(want, c.Commit); diff != "" {
		t.Error(diff)
	}
	if c.Additions == 0 || len(c.Parents) != 1 || c.Author.Pseudonym == "" || !c.DefaultBranch {
		t.Errorf("%+v", c)
	}
	if c := g.commit(t, clone.SHA("lock")); !c.Author.Bot || !slices.Equal(c.Risks, []record.Risk{record.RiskLockFileOnly}) {
		t.Errorf("%+v", c)
	}
	if c := g.commit(t, clone.SHA("ci")); !slices.Contains(c.Risks, record.RiskCIChanged) {
		t.Errorf("%+v", c)
	}
	if c := g.commit(t, clone.SHA("revert")); c.Reverts != "0123456789abcdef0123456789abcdef01234567" || !slices.Contains(c.Risks, record.RiskRevert) {
		t.Errorf("%+v", c)
	}
	if c := g.commit(t, clone.SHA("feature")); !slices.Equal(c.Issues, []int64{3}) || c.Conventional.Scope != "checkout" {
		t.Errorf("%+v", c)
	}
	if c := g.commit(t, clone.SHA("octopus")); len(c.Parents) != 3 {
		t.Errorf("%+v", c)
	}
}

func TestASecondRunOnAnUnchangedRepositoryCostsThreeRequests(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	served := clone.Served("acme", "shop")
	at := then().Add(-time.Minute)
	served.Deployments = []standin.Deployment{{SHA: clone.SHA("head"), Environment: "production", Created: at, Statuses: []standin.Status{{State: "success", Created: at}}}}
	b := newBench(t, served, then())
	first := b.collect(all())
	first.complete(t)
	b.server.Forget()
	b.now = then().Add(5 * time.Minute)
	second := b.collect(b.after(first, b.now))
	second.complete(t)
	if n := b.asked(); n > 3 {
		t.Errorf("%d requests: %v", n, b.server.Count())
	}
	if len(second.records) != 0 {
		t.Errorf("told again: %+v", second.records)
	}
	// Within the hour something is looked at again even so.
	b.server.Forget()
	b.now = then().Add(70 * time.Minute)
	b.collect(b.after(second, b.now))
	if n := b.server.Count()["GET /repos/{owner}/{repo}/releases"]; n != 1 {
		t.Errorf("after an hour the releases were asked for %d times", n)
	}
}

func TestAThousandNewCommits(t *testing.T) {
	clone := standin.History(t, standin.Linear(20)...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	first := b.collect(all())
	clone.Add(standin.Linear(1000)...)
	b.server.Update("acme", "shop", func(*standin.Repository) {})
	b.server.Forget()
	b.now = then().Add(time.Hour)
	second := b.collect(b.after(first, b.now))
	second.complete(t)
	count := b.server.Count()
	if n := len(second.shas()); n != 1000 {
		t.Errorf("%d commits", n)
	}
	if n := count["GET /repos/{owner}/{repo}/commits/{ref}"]; n != 1000 {
		t.Errorf("%d details", n)
	}
	if n := count["GET /repos/{owner}/{repo}/commits"] + count["GET /repos/{owner}/{repo}/compare/{basehead}"]; n > 11 {
		t.Errorf("%d requests for lists: %v", n, count)
	}
	if n := b.server.MostAtOnce(); n > 4 {
		t.Errorf("%d requests at once", n)
	}
	// What is in the store is not asked for again.
	b.server.Forget()
	again := b.collect(b.after(first, b.now))
	if n := b.server.Count()["GET /repos/{owner}/{repo}/commits/{ref}"]; n != 0 || len(again.shas()) != 1000 {
		t.Errorf("%d details, %d commits", n, len(again.shas()))
	}
}

func TestALongHistoryCostsNoMoreThanAShortOne(t *testing.T) {
	cost := func(n int) int {
		history := append(standin.Hollow(n-20), standin.Linear(20)...)
		for i := range history {
			history[i].Committed = standin.Start().Add(time.Duration(i-n) * time.Minute)
		}
		b := newBench(t, standin.History(t, history...).Served("acme", "shop"), standin.Start())
		g := b.collect(connector.Request{Window: window.Window{Start: standin.Start().Add(-20 * time.Minute), End: standin.Start()}})
		if len(g.shas()) != 20 {
			t.Errorf("%d commits", len(g.shas()))
		}
		return b.asked()
	}
	if short, long := cost(50), cost(50_000); long > short {
		t.Errorf("%d requests for 50,000 commits, %d for 50", long, short)
	}
}

func TestWhatIsMergedLateIsNotMissed(t *testing.T) {
	old := standin.Start().Add(-100 * 24 * time.Hour)
	clone := standin.History(t, standin.Commit{Name: "root"},
		standin.Commit{Name: "old", Branch: "refs/pull/5/head", Committed: old, Authored: old}, standin.Commit{Name: "before", Committed: standin.Start()})
	b := newBench(t, clone.Served("acme", "shop"), then())
	first := b.collect(all())
	if slices.Contains(first.shas(), clone.SHA("old")) {
		t.Fatal("it is there before it was merged")
	}
	clone.Add(standin.Commit{Name: "merge", Parents: []string{"before", "old"}, Empty: true, Committed: then().Add(time.Minute), Message: "Merge pull request #5 from acme/planted-branch"})
	b.server.Update("acme", "shop", func(*standin.Repository) {})
	b.now = then().Add(10 * time.Minute)
	second := b.collect(b.after(first, b.now))
	if diff := cmp.Diff(lines(clone.SHA("old")+" "+clone.SHA("merge")), second.shas()); diff != "" {
		t.Fatal(diff)
	}
	c := second.commit(t, clone.SHA("old"))
	if !c.NotBefore.Equal(then()) || !c.NotAfter.Equal(b.now) {
		t.Errorf("it came between %v and %v", c.NotBefore, c.NotAfter)
	}
	if c := second.commit(t, clone.SHA("merge")); !c.NotBefore.IsZero() || !slices.Equal(c.PullRequests, []int64{5}) {
		t.Errorf("%+v", c)
	}
}

func TestWhatIsPushedMeanwhileIsTheNextRuns(t *testing.T) {
	clone := standin.History(t, standin.Commit{Name: "root"},
		standin.Commit{Name: "meanwhile", Committed: then().Add(time.Second)}, standin.Commit{Name: "wrong clock", Committed: then().Add(1000 * time.Hour)})
	b := newBench(t, clone.Served("acme", "shop"), then())
	first := b.collect(all())
	first.complete(t)
	if diff := cmp.Diff([]string{clone.SHA("root")}, first.shas()); diff != "" {
		t.Error(diff)
	}
	b.now = then().Add(10 * time.Minute)
	second := b.collect(b.after(first, b.now))
	if !slices.Contains(second.shas(), clone.SHA("meanwhile")) {
		t.Errorf("lost: %v", second.shas())
	}
	// One with a later date need not be the head,
	clone = standin.History(t, standin.Commit{Name: "root"},
		standin.Commit{Name: "meanwhile", Committed: then().Add(time.Second)}, standin.Commit{Name: "head", Committed: then().Add(-time.Minute)})
	b = newBench(t, clone.Served("acme", "shop"), then())
	first = b.collect(all())
	b.now = then().Add(10 * time.Minute)
	if second = b.collect(b.after(first, b.now)); !slices.Contains(second.shas(), clone.SHA("meanwhile")) {
		t.Errorf("lost: %v", second.shas())
	}
	// and a head that no list by date has is not passed over.
	clone = standin.History(t, standin.Commit{Name: "root"}, standin.Commit{Name: "wrong clock", Committed: then().Add(1000 * time.Hour)})
	b = newBench(t, clone.Served("acme", "shop"), then())
	if first = b.collect(all()); strings.Contains(string(first.result.State), clone.SHA("wrong clock")) {
		t.Errorf("%s", first.result.State)
	}
	// Of a branch that was seen before, one with a wrong date is told when it comes.
	clone = standin.History(t, standin.Commit{Name: "root"})
	b = newBench(t, clone.Served("acme", "shop"), then())
	first = b.collect(all())
	clone.Add(standin.Commit{Name: "wrong clock", Committed: then().Add(1000 * time.Hour)})
	b.server.Update("acme", "shop", func(*standin.Repository) {})
	b.now = then().Add(10 * time.Minute)
	second = b.collect(b.after(first, b.now))
	if c := second.commit(t, clone.SHA("wrong clock")); !c.NotBefore.Equal(then()) || !c.NotAfter.Equal(b.now) {
		t.Errorf("%+v", c)
	}
	b.server.Forget()
	b.now = b.now.Add(time.Minute)
	if third := b.collect(b.after(second, b.now)); len(third.shas()) != 0 {
		t.Errorf("told again: %v", third.shas())
	}
}

func TestARewrittenBranchIsSeen(t *testing.T) {
	clone := standin.History(t, standin.Commit{Name: "root"}, standin.Commit{Name: "wrong"}, standin.Commit{Name: "right", Branch: "other", Parents: []string{"root"}})
	b := newBench(t, clone.Served("acme", "shop"), then())
	first := b.collect(all())
	b.server.Update("acme", "shop", func(r *standin.Repository) { r.Branches = map[string]string{"main": clone.SHA("right")} })
	b.now = then().Add(10 * time.Minute)
	second := b.collect(b.after(first, b.now))
	c := second.commit(t, clone.SHA("right"))
	if !c.Forced || c.Before != clone.SHA("wrong") || !c.NotBefore.Equal(then()) {
		t.Errorf("%+v", c)
	}
	answers, err := second.source.Resolve(t.Context(), []record.HistoryQuestion{
		{Repository: "github.com/acme/shop", Revision: clone.SHA("wrong")},
		{Repository: "github.com/acme/shop", Revision: clone.SHA("right")},
	})
	if err != nil || answers[0].ReachOf != record.ReachForced || answers[1].ReachOf != record.ReachOn {
		t.Errorf("%v %+v", err, answers)
	}
	// Set back to a commit that it had before.
	b.server.Update("acme", "shop", func(r *standin.Repository) { r.Branches = map[string]string{"main": clone.SHA("root")} })
	b.now = b.now.Add(10 * time.Minute)
	third := b.collect(b.after(second, b.now))
	if c := third.commit(t, clone.SHA("root")); !c.Forced || c.Before != clone.SHA("right") {
		t.Errorf("%+v", c)
	}
}

func TestAnInterruptedRunAndTheNextGiveTheSame(t *testing.T) {
	clone := standin.History(t, append(standin.Shapes(), standin.Linear(150)...)...)
	whole := newBench(t, clone.Served("acme", "shop"), then())
	want := whole.collect(all())
	for _, bound := range []int{3, 12, 40, 90} {
		b := newBench(t, clone.Served("acme", "shop"), then())
		b.change = func(c *Config) { c.MaxRequests = bound }
		got := b.collect(all())
		partial := 0
		for _, c := range got.result.Coverage {
			if c.Status != connector.Complete {
				partial++
				if c.Class != connector.ClassBound || !c.Truncated || !strings.Contains(c.Reason, "max_requests") {
					t.Errorf("%d: %+v", bound, c)
				}
			}
		}
		if partial == 0 {
			t.Errorf("%d: all is complete", bound)
		}
		union := map[string]bool{}
		for _, r := range got.records {
			union[fmt.Sprintf("%#v", r)] = true
		}
		b.change = nil
		// The window of a stream that was not complete begins where it began.
		next := connector.Request{Window: all().Window, Incremental: true, State: got.result.State}
		last := b.collect(next)
		last.complete(t)
		for _, r := range last.records {
			union[fmt.Sprintf("%#v", r)] = true
		}
		for _, r := range want.records {
			if !union[fmt.Sprintf("%#v", r)] {
				t.Errorf("%d: missing %+v", bound, r)
			}
		}
	}
}

func TestALimitStopsAndSaysUntilWhen(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	b.server.Fail(standin.Fault{Route: "GET /repos/{owner}/{repo}/commits/{ref}", After: 5, Effect: standin.PrimaryLimit(403, 30*time.Minute)})
	g := b.collect(all())
	c := g.cover(record.StreamCommits)
	if c.Status != connector.Partial || c.Class != connector.ClassLimited || !strings.Contains(c.Reason, then().Add(30*time.Minute).Format(time.RFC3339)) {
		t.Errorf("%+v", c)
	}
	if c := g.cover(record.StreamPullRequests); c.Status != connector.Complete {
		t.Errorf("%+v", c)
	}
	if n := len(g.shas()); n == 0 || n > 8 {
		t.Errorf("%d commits", n)
	}
	b.server.Recover()
	b.now = then().Add(time.Hour)
	last := b.collect(connector.Request{Window: window.Window{Start: all().Window.Start, End: b.now}, Incremental: true, State: g.result.State})
	last.complete(t)
	var missed []string
	for _, sha := range lines(clone.Git("rev-list", "--since-as-filter="+all().Window.Start.Format(time.RFC3339), "main")) {
		if !slices.Contains(last.shas(), sha) && !slices.Contains(g.shas(), sha) {
			missed = append(missed, sha)
		}
	}
	if len(missed) > 0 {
		t.Errorf("missed %v", missed)
	}
}

func TestRepositoriesOfAllKinds(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	t.Run("renamed", func(t *testing.T) {
		served := clone.Served("acme", "store")
		served.FormerNames = []string{"acme/shop"}
		b := newBench(t, served, then())
		g := b.collect(all())
		g.complete(t)
		if c := g.commit(t, clone.SHA("head")); c.Repository != "github.com/acme/store" {
			t.Errorf("%+v", c)
		}
		if !slices.ContainsFunc(g.result.Notes, func(n string) bool {
			return strings.Contains(n, "github.com/acme/shop") && strings.Contains(n, "github.com/acme/store")
		}) {
			t.Errorf("%q", g.result.Notes)
		}
		answers, _ := g.source.Resolve(t.Context(), []record.HistoryQuestion{{Repository: "github.com/acme/shop", Revision: clone.SHA("head")}, {Repository: "github.com/acme/store", Revision: clone.SHA("head")}})
		if answers[0].Finding != record.Found || answers[1].Finding != record.Found {
			t.Errorf("%+v", answers)
		}
	})
	t.Run("archived", func(t *testing.T) {
		served := clone.Served("acme", "shop")
		served.Archived = true
		g := newBench(t, served, then()).collect(all())
		g.complete(t)
		if !strings.Contains(strings.Join(g.result.Notes, "\n"), "archived") {
			t.Errorf("%q", g.result.Notes)
		}
	})
	t.Run("empty", func(t *testing.T) {
		g := newBench(t, standin.History(t).Served("acme", "shop"), then()).collect(all())
		g.complete(t)
		if len(g.records) != 0 || !strings.Contains(strings.Join(g.result.Notes, "\n"), "empty") {
			t.Errorf("%q %v", g.result.Notes, g.records)
		}
	})
	t.Run("missing beside another", func(t *testing.T) {
		b := newBench(t, clone.Served("acme", "shop"), then())
		b.change = func(c *Config) { c.Repositories = []string{"acme/missing", "acme/shop"} }
		g := b.collect(all())
		for _, c := range g.result.Coverage {
			if c.Status != connector.Partial || c.Class != connector.ClassForbidden || len(c.Missing) != 1 || !strings.Contains(c.Reason, "acme/missing") {
				t.Errorf("%+v", c)
			}
		}
		if len(g.shas()) == 0 {
			t.Error("the other one was not read")
		}
	})
	t.Run("missing alone", func(t *testing.T) {
		b := newBench(t, clone.Served("acme", "shop"), then())
		b.change = func(c *Config) { c.Repositories = []string{"acme/missing"} }
		_, err := b.connect().Collect(t.Context(), all(), func(record.Record) error { return nil })
		if connector.ClassOf(err) != connector.ClassForbidden {
			t.Errorf("%v", err)
		}
	})
	t.Run("followed and missing", func(t *testing.T) {
		b := newBench(t, clone.Served("acme", "shop"), then())
		b.change = func(c *Config) { c.Repositories = nil }
		req := all()
		req.Scope.Repositories = []string{"github.com/acme/missing", "github.com/acme/shop", "gitlab.example/acme/shop"}
		g := b.collect(req)
		g.complete(t)
		if !strings.Contains(strings.Join(g.result.Notes, "\n"), "github.com/acme/missing") {
			t.Errorf("%q", g.result.Notes)
		}
	})
	t.Run("followed and none", func(t *testing.T) {
		b := newBench(t, clone.Served("acme", "shop"), then())
		b.change = func(c *Config) { c.Repositories = nil }
		for _, c := range b.collect(all()).result.Coverage {
			if c.Status != connector.Skipped || !strings.Contains(c.Reason, "repositories:") {
				t.Errorf("%+v", c)
			}
		}
	})
	t.Run("moved since the last run", func(t *testing.T) {
		b := newBench(t, clone.Served("acme", "shop"), then())
		first := b.collect(all())
		b.server.Update("acme", "shop", func(r *standin.Repository) { r.Name, r.FormerNames = "store", []string{"acme/shop"} })
		b.now = then().Add(time.Minute)
		b.server.Forget()
		second := b.collect(b.after(first, b.now))
		second.complete(t)
		if n := b.server.Count()["GET /repos/{owner}/{repo}/commits"]; n != 0 {
			t.Errorf("what was known of it is forgotten: %v", b.server.Count())
		}
	})
}

func TestBranchesOfTheConfig(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	b.change = func(c *Config) { c.Branches = []string{"release/1.0", "main", "nowhere"} }
	g := b.collect(all())
	g.complete(t)
	if c := g.commit(t, clone.SHA("hotfix")); c.DefaultBranch || c.Branch != "release/1.0" {
		t.Errorf("%+v", c)
	}
	if c := g.commit(t, clone.SHA("after")); !c.DefaultBranch || c.Branch != "" {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(strings.Join(g.result.Notes, "\n"), "no branch nowhere") {
		t.Errorf("%q", g.result.Notes)
	}
}

func TestReleases(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	served := clone.Served("acme", "shop")
	served.Releases = []standin.Release{{Tag: "not-a-version", Published: then().Add(-time.Hour)}, {Tag: "draft"}, {Tag: "v9.9.9", Published: then().Add(-time.Minute)}}
	g := newBench(t, served, then()).collect(all())
	g.complete(t)
	got := map[string]string{}
	for _, r := range g.of(record.StreamReleases) {
		one := r.(record.Release)
		got[one.Tag] += one.Commit
	}
	want := map[string]string{"v1.0.0": clone.SHA("after"), "v1.1.0-rc.1": clone.SHA("release"), "v1.0.1": clone.SHA("hotfix"), "": clone.SHA("head"), "v9.9.9": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDeploymentsAndRuns(t *testing.T) {
	clone := standin.History(t, standin.Linear(3)...)
	at := func(m int) time.Time { return then().Add(time.Duration(m) * time.Minute) }
	shas := strings.Fields(clone.Git("rev-list", "--reverse", "main"))
	served := clone.Served("acme", "shop")
	served.Deployments = []standin.Deployment{
		{ID: 1, SHA: shas[0], Environment: "production", Production: true, Created: at(-300), Statuses: []standin.Status{{State: "success", Created: at(-299)}, {State: "inactive", Created: at(-30)}}},
		{ID: 2, SHA: shas[1], Environment: "production", Created: at(-200), Statuses: []standin.Status{{State: "failure", Created: at(-199)}}},
		{ID: 3, SHA: shas[1], Environment: "staging", Created: at(-100), Statuses: []standin.Status{{State: "success", Created: at(-99)}}},
		{ID: 4, SHA: shas[2], Environment: "production", Production: true, Creator: "planted-person", Created: at(-31), Payload: "planted", Description: "planted", Statuses: []standin.Status{{State: "in_progress", Created: at(-31)}, {State: "success", Created: at(-30)}}},
		{ID: 5, SHA: shas[2], Environment: "review/planted-branch", Created: at(-20)},
	}
	served.Runs = []standin.Run{
		{ID: 10, Path: ".github/workflows/ci.yml", SHA: shas[2], Status: "completed", Conclusion: "success", Created: at(-25), Updated: at(-24)},
		{ID: 11, Path: ".github/workflows/ci.yml", SHA: shas[2], Status: "completed", Conclusion: "failure", Created: at(-25), Updated: at(-22)},
		{ID: 12, Path: ".github/workflows/ship.yml@refs/heads/planted", SHA: shas[2], Status: "completed", Conclusion: "success", Created: at(-35), Updated: at(-28)},
		{ID: 13, Path: ".github/workflows/deploy.yml", SHA: shas[1], Status: "in_progress", Created: at(-5), Updated: at(-5)},
		{ID: 14, Path: ".github/workflows/ci.yml", SHA: shas[1], Status: "completed", Conclusion: "cancelled", Created: at(-5), Updated: at(-4)},
		{ID: 15, Path: ".github/workflows/ci.yml", SHA: shas[1], Status: "completed", Conclusion: "timed_out", Created: at(-120), Updated: at(-50), Attempt: 2, Started: at(-70)},
		{ID: 16, Path: ".github/workflows/ci.yml", SHA: shas[1], Status: "completed", Conclusion: "failure", Created: at(-120), Updated: at(-90)},
		{ID: 17, Path: ".github/workflows/deploy.yml", SHA: shas[1], Status: "in_progress", Created: at(-300), Updated: at(-300)},
	}
	b := newBench(t, served, then())
	b.change = func(c *Config) { c.DeployWorkflows = []string{"deploy.yml"} }
	req := connector.Request{Window: window.Window{Start: at(-60), End: then()}}
	g := b.collect(req)
	g.complete(t)
	var told []int64
	for _, r := range g.of(record.StreamDeployments) {
		d := r.(record.CodeDeployment)
		told = append(told, d.ID)
		switch d.ID {
		case 4:
			if d.Previous != shas[0] || d.Environment != "production" || !d.Production || len(d.Statuses) != 2 || d.Statuses[1].State != "success" || d.Creator.Pseudonym == "" {
				t.Errorf("%+v", d)
			}
		case 5:
			if d.Environment != "" || d.Previous != "" {
				t.Errorf("%+v", d)
			}
		}
	}
	if diff := cmp.Diff([]int64{4, 5}, told); diff != "" {
		t.Error(diff)
	}
	runs := map[int64]bool{}
	for _, r := range g.of(record.StreamWorkflowRuns) {
		w := r.(record.WorkflowRun)
		runs[w.ID] = w.Deployed
		if w.ID == 12 && w.Workflow != "ship.yml" || w.ID == 15 && (w.Attempt != 2 || w.Conclusion != "timed_out") {
			t.Errorf("%+v", w)
		}
	}
	if diff := cmp.Diff(map[int64]bool{11: false, 12: true, 13: true, 15: false, 17: true}, runs); diff != "" {
		t.Error(diff)
	}

	// A run that had not ended is looked at again.
	b.server.Update("acme", "shop", func(r *standin.Repository) {
		r.Runs = slices.Clone(r.Runs)
		r.Runs[7].Status, r.Runs[7].Conclusion, r.Runs[7].Updated = "completed", "failure", at(175)
	})
	b.now = at(180)
	second := b.collect(b.after(g, b.now))
	second.complete(t)
	ended := false
	for _, r := range second.of(record.StreamWorkflowRuns) {
		w := r.(record.WorkflowRun)
		ended = ended || w.ID == 17 && w.Conclusion == "failure"
	}
	if !ended {
		t.Errorf("%+v", second.of(record.StreamWorkflowRuns))
	}

	// And a deployment that had no outcome, whatever its last change is said to be.
	b.server.Update("acme", "shop", func(r *standin.Repository) {
		r.Deployments = slices.Clone(r.Deployments)
		r.Deployments[4].Statuses = []standin.Status{{State: "failure", Created: at(590)}}
	})
	b.server.Fail(standin.Fault{Route: "GET /repos/{owner}/{repo}/deployments", Effect: unchanged("2026-02-14T08:40:00Z")})
	b.now = at(600)
	third := b.collect(b.after(second, b.now))
	third.complete(t)
	if d := third.of(record.StreamDeployments); len(d) != 1 || d[0].(record.CodeDeployment).ID != 5 || len(d[0].(record.CodeDeployment).Statuses) != 1 {
		t.Errorf("%+v", d)
	}
}

// unchanged answers with another updated_at.
func unchanged(at string) standin.Effect {
	return func(_ *standin.Server, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
		got := httptest.NewRecorder()
		serve(got, r)
		var list []map[string]any
		if json.Unmarshal(got.Body.Bytes(), &list) != nil {
			return
		}
		for _, d := range list {
			d["updated_at"] = at
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list)
	}
}

func TestAPullRequestThatWasMadeLongAgo(t *testing.T) {
	clone := standin.History(t, standin.Linear(2)...)
	served := clone.Served("acme", "shop")
	sha, long := clone.Git("rev-parse", "main"), then().Add(-900*time.Hour)
	for n := range int64(120) {
		served.PullRequests = append(served.PullRequests, standin.PullRequest{Number: n + 2, Created: long.Add(time.Hour), Updated: long.Add(2 * time.Hour), Merged: long.Add(2 * time.Hour), HeadSHA: sha, MergeCommit: sha})
	}
	served.PullRequests = append(served.PullRequests, standin.PullRequest{Number: 1, Created: long, Updated: then().Add(-time.Minute), Merged: then().Add(-time.Minute), HeadSHA: sha, MergeCommit: sha})
	b := newBench(t, served, then())
	g := b.collect(connector.Request{Window: window.Window{Start: then().Add(-time.Hour), End: then()}})
	if p := g.of(record.StreamPullRequests); len(p) != 1 || p[0].(record.PullRequest).Number != 1 {
		t.Errorf("%+v", p)
	}
	if n := b.server.Count()["GET /repos/{owner}/{repo}/pulls"]; n != 1 {
		t.Errorf("%d pages", n)
	}
}

func TestMoreRunsThanGitHubGives(t *testing.T) {
	clone := standin.History(t, standin.Linear(1)...)
	served := clone.Served("acme", "shop")
	for i := range 1300 {
		served.Runs = append(served.Runs, standin.Run{SHA: clone.Git("rev-parse", "main"), Status: "completed", Conclusion: "failure", Created: then().Add(-time.Duration(1300-i) * 2 * time.Second)})
	}
	b := newBench(t, served, then())
	g := b.collect(connector.Request{Window: window.Window{Start: then().Add(-time.Hour), End: then()}})
	g.complete(t)
	if n := len(g.of(record.StreamWorkflowRuns)); n != 1300 {
		t.Errorf("%d runs", n)
	}
}

func TestOneStreamThatIsRefusedStopsNoOther(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	served := clone.Served("acme", "shop")
	served.Private = true
	b := newBench(t, served, then())
	b.server = standin.New(t, served, standin.WithNow(func() time.Time { return b.now }), standin.WithToken(readerToken, standin.Access{Permissions: map[string]string{"metadata": "read", "contents": "read"}}))
	g := b.collect(all())
	for stream, permission := range map[string]string{record.StreamPullRequests: "pull_requests", record.StreamDeployments: "deployments", record.StreamWorkflowRuns: "actions"} {
		c := g.cover(stream)
		if c.Status != connector.Failed || c.Class != connector.ClassForbidden || len(c.Missing) != 1 || c.Missing[0].Resource != permission {
			t.Errorf("%+v", c)
		}
	}
	if c := g.cover(record.StreamCommits); c.Status != connector.Complete || len(g.shas()) == 0 {
		t.Errorf("%+v", c)
	}
}

func TestTextIsKeptOnlyScrubbed(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	b.scrub = func(s string) string { return fmt.Sprintf("scrubbed %d", len(s)) }
	for _, r := range b.collect(all()).records {
		switch r := r.(type) {
		case record.BranchCommit:
			if !strings.HasPrefix(r.Subject, "scrubbed ") {
				t.Errorf("%+v", r)
			}
		case record.PullRequest:
			if !strings.HasPrefix(r.Title, "scrubbed ") {
				t.Errorf("%+v", r)
			}
		}
	}
}

// planted is what must not come out anywhere.
func planted() []string {
	out := []string{readerToken, "Planted Person", "planted@example.test", "planted-person"}
	for _, p := range standin.Plants() {
		out = append(out, p)
	}
	return out
}

func TestNothingPlantedIsKept(t *testing.T) {
	plant := standin.Plants()
	clone := standin.History(t, standin.Shapes()...)
	served := clone.Served("acme", "shop")
	served.PullRequests = []standin.PullRequest{{Number: 77, Title: plant["title"], Body: plant["body"], Author: "planted-person", Head: plant["branch"], Merged: then().Add(-time.Hour), Created: then().Add(-2 * time.Hour), HeadSHA: clone.SHA("head"), MergeCommit: clone.SHA("head")}}
	served.Releases = []standin.Release{{Tag: plant["branch"], Name: plant["title"], Body: plant["body"], Author: "planted-person", Published: then().Add(-time.Hour)}}
	served.Deployments = []standin.Deployment{{SHA: clone.SHA("head"), Environment: plant["name"], Description: plant["body"], Creator: "planted-person", Payload: plant["token"], Created: then().Add(-time.Hour), Statuses: []standin.Status{{State: "failure", Description: plant["body"], Created: then().Add(-time.Hour)}}}}
	served.Runs = []standin.Run{{SHA: clone.SHA("head"), Name: plant["name"], Title: plant["subject"], Branch: plant["branch"], Actor: "planted-person", Path: ".github/workflows/" + plant["address"] + ".yml", Status: "completed", Conclusion: "failure", Created: then().Add(-time.Hour)}}
	b := newBench(t, served, then())
	g := b.collect(all())
	answers, err := g.source.Resolve(t.Context(), []record.HistoryQuestion{
		{Repository: "github.com/acme/shop", Base: clone.SHA("root"), Head: clone.SHA("head")},
		{Repository: "github.com/acme/shop", Revision: clone.SHA("planted")},
		{Repository: "github.com/acme/shop", Revision: "v1.0.1"},
		{Repository: "github.com/acme/missing", Revision: "v1.0.1"},
	})
	if err != nil || len(g.records) == 0 {
		t.Fatal(err)
	}
	for i := range answers {
		answers[i].Question = record.HistoryQuestion{}
	}
	actions, notes := g.source.Resolved()
	var kept strings.Builder
	for key, value := range b.store.kept {
		kept.WriteString(key + " " + string(value) + "\n")
	}
	text, err := json.Marshal([]any{g.records, g.result, answers, actions, notes})
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"output": string(text), "output as Go": fmt.Sprintf("%+v %+v", g.records, answers), "state": string(g.result.State), "store": kept.String(), "log": b.log.String()} {
		if text == "" {
			t.Errorf("the %s is empty", where)
		}
		for _, p := range planted() {
			if strings.Contains(text, p) {
				t.Errorf("%q is in the %s", p, where)
			}
		}
	}
}

func TestTheConnectorKeepsItsContract(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	connectortest.Suite{
		New:     func(*testing.T) connector.Connector { b.store = newShelf(); return b.connect() },
		Request: all(),
		Planted: planted(),
	}.Run(t)
}

func TestTheTimeThatIsOverLeavesWhatWasRead(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), time.Now())
	b.server.Fail(standin.Fault{Route: "GET /repos/{owner}/{repo}/commits/{ref}", After: 3, Effect: standin.Hang()})
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	var got int
	result, err := b.connect().Collect(ctx, all(), func(record.Record) error { got++; return nil })
	if err != nil || got == 0 {
		t.Fatalf("%v, %d records", err, got)
	}
	for _, c := range result.Coverage {
		if c.Stream == record.StreamCommits && (c.Status != connector.Partial || c.Class != connector.ClassTimeout) {
			t.Errorf("%+v", c)
		}
	}
}

func TestPagesThatShift(t *testing.T) {
	clone := standin.History(t, standin.Linear(2)...)
	served := clone.Served("acme", "shop")
	add := func(r *standin.Repository, n int64) {
		r.PullRequests = append(slices.Clone(r.PullRequests), standin.PullRequest{
			Number: n, Merged: then().Add(-time.Duration(1000-n) * time.Second), Updated: then().Add(-time.Duration(1000-n) * time.Second), MergeCommit: clone.Git("rev-parse", "main"), HeadSHA: clone.Git("rev-parse", "main"),
		})
	}
	for n := range int64(150) {
		add(&served, n+1)
	}
	b := newBench(t, served, then())
	b.server.Fail(standin.Fault{
		Route: "GET /repos/{owner}/{repo}/pulls", Match: func(r *http.Request) bool { return r.URL.Query().Get("page") == "2" }, Times: 1,
		Effect: standin.Before(func() {
			b.server.Update("acme", "shop", func(r *standin.Repository) { add(r, 500) })
		}),
	})
	g := b.collect(all())
	var numbers []int64
	for _, r := range g.of(record.StreamPullRequests) {
		numbers = append(numbers, r.(record.PullRequest).Number)
	}
	slices.Sort(numbers)
	if n := len(numbers); n != 150 || len(slices.Compact(numbers)) != n {
		t.Errorf("%d pull requests", n)
	}
}

func TestAStateThatIsNotOurs(t *testing.T) {
	clone := standin.History(t, standin.Linear(2)...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	for _, state := range []string{"{", "[]", `{"version":99}`} {
		req := all()
		req.State = []byte(state)
		if _, err := b.connect().Collect(t.Context(), req, nil); connector.ClassOf(err) != connector.ClassConfig {
			t.Errorf("%s: %v", state, err)
		}
	}
	sha := strings.Repeat("0a", 20)
	bad := fmt.Sprintf(`{"version":1,"repositories":{"github.com/acme/shop":null,"x":{"id":1,"heads":{"a":{"sha":"../%s"},"b":{"sha":"%s"}},"gone":["x","%s"],"open_deployments":[-1,5,5]}}}`, sha, sha, sha)
	s, err := readState([]byte(bad))
	if err != nil {
		t.Fatal(err)
	}
	r := s.Repositories["x"]
	if len(s.Repositories) != 1 || len(r.Heads) != 1 || len(r.Gone) != 1 || !slices.Equal(r.OpenDeployments, []int64{5}) {
		t.Errorf("%+v", r)
	}
	if errors.Is(err, errEndless) {
		t.Error(err)
	}
}

// A repository that is deleted and made anew under its name has nothing of the old one.
func TestAnotherRepositoryOfTheSameName(t *testing.T) {
	b := newBench(t, standin.History(t, standin.Linear(1)...).Served("acme", "shop"), then())
	s := b.connect()
	old, anew := &repository{name: shop, id: 1}, &repository{name: shop, id: 2}
	commit := record.Commit{Repository: shop, SHA: strings.Repeat("a", 40), Detailed: true}
	s.keep(old, commit)
	if got, ok := s.kept(old, commit.SHA); !ok || got.SHA != commit.SHA {
		t.Fatalf("%+v %v", got, ok)
	}
	if got, ok := s.kept(anew, commit.SHA); ok {
		t.Errorf("%+v", got)
	}
	if base := strings.Repeat("b", 40); s.rangeKey(old, base, commit.SHA) == s.rangeKey(anew, base, commit.SHA) {
		t.Error("a range of the one is one of the other")
	}
}
