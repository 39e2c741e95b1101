package collect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/evidence/evidencetest"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/run"
)

const shopRepository = "github.com/acme/shop"

// sha is a commit with a number.
func sha(n int) string { return fmt.Sprintf("%040x", 0xabc000+n) }

// scribe is a source of history with commits in a row: 1 is the parent of 2 and so
// on. It follows.
type scribe struct {
	connectortest.Config
	// head is the newest commit, repository the one that it can read.
	head       int
	repository string
	// resolve, if set, is asked before.
	resolve func(ctx context.Context, questions []record.HistoryQuestion) ([]record.HistoryAnswer, error)
	// env and requests get what the scribe was given.
	env      func(connector.Env)
	requests *[]connector.Request
	// emits are its records.
	emits []record.Record
}

func (scribe) Follows() bool { return true }

func (s scribe) Connect(_ context.Context, env connector.Env) (connector.Connector, error) {
	if s.env != nil {
		s.env(env)
	}
	return &writing{scribe: s}, nil
}

type writing struct {
	*connectortest.Memory
	scribe
	asked int
}

func (w *writing) Identity(context.Context) (connector.Identity, error) {
	return connector.Identity{Target: "https://api.github.test"}, nil
}

func (w *writing) HealthCheck(context.Context) connector.Health { return connector.Health{} }

func (w *writing) Capabilities() connector.Capabilities {
	return connector.Capabilities{Streams: []connector.Stream{
		{Name: record.StreamCommits, Incremental: true, Overlap: connectortest.Overlap},
		{Name: record.StreamDeployments, Incremental: true, Overlap: connectortest.Overlap},
	}}
}

func (w *writing) Collect(_ context.Context, req connector.Request, emit func(record.Record) error) (connector.Result, error) {
	if w.requests != nil {
		*w.requests = append(*w.requests, req)
	}
	var result connector.Result
	for _, s := range w.Capabilities().Streams {
		asked := req.WindowOf(s.Name)
		result.Coverage = append(result.Coverage, connector.Coverage{Stream: s.Name, Status: connector.Complete, Asked: asked, Answered: asked})
	}
	for _, r := range w.emits {
		if err := emit(r); err != nil {
			return result, err
		}
	}
	return result, nil
}

func (w *writing) commit(n int) record.Commit {
	return record.Commit{
		Repository: w.repository, SHA: sha(n), Parents: []string{sha(n - 1)}, Committed: start().Add(time.Duration(n) * time.Minute),
		Authored: start(), Author: record.Person{Pseudonym: "user:" + strings.Repeat("a", 26)},
	}
}

func (w *writing) number(revision string) int {
	for n := range w.head + 1 {
		if n > 0 && revision == sha(n) {
			return n
		}
	}
	return 0
}

func (w *writing) Resolve(ctx context.Context, questions []record.HistoryQuestion) ([]record.HistoryAnswer, error) {
	if w.resolve != nil {
		return w.resolve(ctx, questions)
	}
	answers := make([]record.HistoryAnswer, len(questions))
	for i, q := range questions {
		w.asked++
		answers[i] = record.HistoryAnswer{Question: q, Finding: record.NotFound}
		switch base, head := w.number(q.Base), w.number(q.Head); {
		case q.Repository != w.repository:
			answers[i].Finding = record.Unreadable
		case q.Revision != "" && w.number(q.Revision) > 0:
			answers[i].Finding, answers[i].ReachOf, answers[i].Commit = record.Found, record.ReachOn, w.commit(w.number(q.Revision))
		case base > 0 && head > 0:
			answers[i].Finding = record.Found
			answers[i].Range = record.Range{Status: record.RangeAhead, Ahead: int32(head - base)}
			for n := base + 1; n <= head; n++ {
				answers[i].Range.Commits = append(answers[i].Range.Commits, w.commit(n))
			}
		}
	}
	return answers, nil
}

func (w *writing) Resolved() ([]connector.Action, []string) {
	if w.asked == 0 {
		return nil, nil
	}
	return []connector.Action{{Stream: record.StreamCommits, Method: "GET", Target: "repos/acme/shop/compare", Requests: w.asked}},
		[]string{"the scribe was asked"}
}

func scribeSource(name string, s scribe) collect.Source {
	return collect.Source{Name: name, Type: "scribe", Config: s, ConfigDigest: "x"}
}

// rollout is a workload that was rolled out at a minute, from one commit to another.
func rollout(name string, minute, from, to int) record.Workload {
	at := start().Add(time.Duration(minute) * time.Minute)
	claims := func(n int) []record.Claim {
		return []record.Claim{
			{Kind: record.ClaimRevision, Key: "org.opencontainers.image.revision", Value: sha(n)},
			{Kind: record.ClaimSource, Key: "org.opencontainers.image.source", Value: shopRepository},
		}
	}
	revise := func(suffix string, number int64, created time.Time, commit int) record.Revision {
		r := revision(name+"-"+suffix, number, created)
		r.Claims = claims(commit)
		r.Containers = []record.Container{{Name: "app", Image: "ghcr.io/acme/" + name + ":" + suffix}}
		return r
	}
	return record.Workload{
		Object:  record.Object{Cluster: "memory", Kind: "Deployment", Namespace: "shop", Name: name, UID: "uid-" + name},
		Service: record.Service{Name: name, Basis: "workload name"}, Created: start().Add(-24 * time.Hour),
		Revisions: []record.Revision{revise("one", 1, start().Add(-24*time.Hour), from), revise("two", 2, at, to)},
		Rollout:   record.Rollout{State: record.RolloutComplete, Updated: at.Add(time.Minute)}, Claims: claims(to),
	}
}

func shelfSource(records ...record.Record) collect.Source {
	return collect.Source{Name: "shelf", Type: "shelf", Config: shelf{records: &records}, ConfigDigest: "x"}
}

// eventsOf gives the events of one source, in the order of the files.
func eventsOf(t testing.TB, dir, instance string) (all []evidence.Event) {
	t.Helper()
	files := evidenceOf(t, dir, instance)
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for line := range bytes.Lines([]byte(files[name])) {
			evidencetest.Validate(t, bytes.TrimSuffix(line, []byte("\n")))
			var e evidence.Event
			check(t, json.Unmarshal(line, &e))
			all = append(all, e)
		}
	}
	return all
}

// tied gives the rollouts of a run as "name confidence range", sorted.
func tied(t testing.TB, dir string) []string {
	t.Helper()
	all := []string{}
	for _, e := range eventsOf(t, dir, "shelf") {
		if e.Deployment == nil || e.Deployment.From == nil {
			continue
		}
		text := e.Source.Object.Name
		if m := e.Deployment.Mapping; m != nil {
			text += " " + string(m.Confidence)
		}
		if r := e.Deployment.ChangeRange; r != nil {
			text += " " + r.Status
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

func TestADeploymentIsTiedToItsCommits(t *testing.T) {
	h := newHouse(t)
	var requests []connector.Request
	o := h.options(
		scribeSource("scribe", scribe{head: 9, repository: shopRepository, requests: &requests}),
		shelfSource(rollout("cart", 30, 2, 5)))
	o.Window = hour()
	out := h.run(o)
	if diff := gocmp.Diff([]string{shopRepository}, requests[0].Scope.Repositories); diff != "" {
		t.Error("what the follower is told of:\n" + diff)
	}
	var d evidence.Event
	for _, e := range eventsOf(t, out.Dir, "shelf") {
		if e.Deployment != nil && e.Deployment.Change == evidence.ChangeRollout {
			d = e
		}
	}
	if d.Deployment == nil || d.Deployment.Revision != sha(5) || d.Deployment.PreviousRevision != sha(2) ||
		d.Deployment.ChangeRange == nil || d.Deployment.ChangeRange.Ahead != 3 {
		t.Fatalf("%+v", d.Deployment)
	}
	carried := map[string]string{}
	for _, e := range eventsOf(t, out.Dir, "scribe") {
		if e.Source.Connector != "scribe" || e.Source.Stream != record.StreamCommits {
			t.Errorf("source %+v", e.Source)
		}
		for _, by := range e.Commit.Deployments {
			carried[e.Commit.SHA] = by.ID
		}
	}
	if diff := gocmp.Diff(map[string]string{sha(3): d.ID, sha(4): d.ID, sha(5): d.ID}, carried); diff != "" {
		t.Error("the commits that it carried:\n" + diff)
	}
	c := out.Statement.Predicate.Correlation
	if c == nil || c.Deployments == 0 || c.High+c.Medium != 1 || c.Questions == 0 || c.Unanswered != 0 {
		t.Errorf("%+v", c)
	}
	src := sourceOf(t, out, "scribe")
	if src.Actions.Count != 1 || !slices.Contains(src.Notes, "the scribe was asked") || src.Counts["CommitEvent"] < 3 {
		t.Errorf("%+v", src)
	}
	actions, err := os.ReadFile(filepath.Join(out.Dir, run.ActionsFile))
	check(t, err)
	if !strings.Contains(string(actions), "repos/acme/shop/compare") {
		t.Errorf("the actions:\n%s", actions)
	}
}

// What a run knows less than the one before is no news; what it knows more is.
func TestATieIsToldAgainWhenItIsDeeper(t *testing.T) {
	h := newHouse(t)
	down := func(context.Context, []record.HistoryQuestion) ([]record.HistoryAnswer, error) {
		return nil, connector.Errorf(connector.ClassLimited, nil, "the scribe is tired")
	}
	w := rollout("cart", 30, 2, 5)
	for i, step := range []struct {
		resolve func(context.Context, []record.HistoryQuestion) ([]record.HistoryAnswer, error)
		news    bool
	}{{down, true}, {down, false}, {nil, true}, {nil, false}, {down, false}, {nil, false}} {
		h.now = start().Add(time.Duration(35+i) * time.Minute)
		out := h.run(h.options(shelfSource(w), scribeSource("scribe", scribe{head: 9, repository: shopRepository, resolve: step.resolve})))
		got := tied(t, out.Dir)
		if (len(got) == 1) != step.news {
			t.Errorf("run %d: %v", i, got)
		}
		if i == 2 && !slices.Contains(got, "cart high ahead") && !slices.Contains(got, "cart medium ahead") {
			t.Errorf("run %d: %v", i, got)
		}
		if commits := len(eventsOf(t, out.Dir, "scribe")); (commits > 0) != (i == 2) {
			t.Errorf("run %d: %d commits", i, commits)
		}
	}
	// And a change of its status is told as ever, and again when more is known.
	w.Rollout = record.Rollout{State: record.RolloutFailed, Updated: h.now}
	for i, step := range []struct {
		resolve resolve
		want    []string
	}{{down, []string{"cart medium unknown"}}, {down, nil}, {nil, []string{"cart medium ahead"}}, {nil, nil}} {
		h.now = h.now.Add(time.Hour)
		got := tied(t, h.run(h.options(shelfSource(w), scribeSource("scribe", scribe{head: 9, repository: shopRepository, resolve: step.resolve}))).Dir)
		if !slices.Equal(got, step.want) {
			t.Errorf("the rollout failed, run %d: %v, want %v", i, got, step.want)
		}
	}
}

// What history said of a commit is not taken back by a run that could not ask it, and
// is corrected when it says something else.
func TestWhatHistorySaidCountsMoreThanWhatNobodyVerified(t *testing.T) {
	h := newHouse(t)
	silent, missing := finding(record.Unanswered, false), finding(record.NotFound, false)
	for i, step := range []struct {
		resolve resolve
		want    []string
	}{
		{silent, []string{"cart medium unknown"}},
		{missing, []string{"cart low"}},
		{silent, nil},
		{finding(record.Unreadable, false), nil},
		{missing, nil},
		{nil, []string{"cart medium ahead"}},
		{silent, nil},
	} {
		h.now = start().Add(time.Duration(35+i) * time.Minute)
		got := tied(t, h.run(h.options(shelfSource(rollout("cart", 30, 2, 5)), scribeSource("scribe", scribe{head: 9, repository: shopRepository, resolve: step.resolve}))).Dir)
		if !slices.Equal(got, step.want) {
			t.Errorf("run %d: %v, want %v", i, got, step.want)
		}
	}
}

// gated is a shelf that gives nothing before, and tells when it gave all.
type gated struct {
	shelf
	wait <-chan struct{}
	done chan<- struct{}
}

func (g gated) Connect(ctx context.Context, env connector.Env) (connector.Connector, error) {
	c, err := g.shelf.Connect(ctx, env)
	return gate{c.(fetch), g}, err
}

type gate struct {
	fetch
	gated gated
}

func (g gate) Collect(ctx context.Context, req connector.Request, emit func(record.Record) error) (connector.Result, error) {
	defer close(g.gated.done)
	select {
	case <-g.gated.wait:
	case <-ctx.Done():
		return connector.Result{}, ctx.Err()
	}
	return g.fetch.Collect(ctx, req, emit)
}

// Which source was faster makes no difference to what is written.
func TestTheOrderOfArrivalMakesNoDifference(t *testing.T) {
	var want map[string]string
	h := newHouse(t)
	for _, first := range []int{0, 1} {
		open := make(chan struct{})
		close(open)
		ended := []chan struct{}{make(chan struct{}), make(chan struct{})}
		var sources []collect.Source
		for i := range 2 {
			var records []record.Record
			for n := range 5 {
				records = append(records, rollout(fmt.Sprintf("cart%d%d", i, n), 20+n, 2+n%2, 5+n%3))
			}
			g := gated{shelf{records: &records}, open, ended[i]}
			if i != first {
				g.wait = ended[first]
			}
			sources = append(sources, collect.Source{Name: fmt.Sprintf("shelf/%d", i), Type: "shelf", Config: g, ConfigDigest: "x"})
		}
		sources = append(sources, scribeSource("scribe", scribe{head: 9, repository: shopRepository}))
		o := h.options(sources...)
		o.Window = hour()
		got := evidenceOf(t, h.run(o).Dir, "")
		if want == nil {
			want = got
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if len(want) < 3 {
		t.Errorf("%d files: the test shows little", len(want))
	}
}

// Whatever a source of history does when it is asked, the run is there, what was
// collected is in it, and what was not answered is counted.
func TestTroubleWithTheHistory(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	answers := func(n int, change func(*record.HistoryAnswer)) func(context.Context, []record.HistoryQuestion) ([]record.HistoryAnswer, error) {
		return func(_ context.Context, questions []record.HistoryQuestion) (all []record.HistoryAnswer, _ error) {
			for _, q := range questions {
				a := record.HistoryAnswer{Question: q, Finding: record.NotFound}
				change(&a)
				all = append(all, a)
			}
			return all[:min(len(all), n)], nil
		}
	}
	for name, resolve := range map[string]func(context.Context, []record.HistoryQuestion) ([]record.HistoryAnswer, error){
		"panics": func(context.Context, []record.HistoryQuestion) ([]record.HistoryAnswer, error) {
			panic(connectortest.Planted)
		},
		"fails": func(context.Context, []record.HistoryQuestion) ([]record.HistoryAnswer, error) {
			return nil, errors.New(connectortest.Planted)
		},
		"hangs": func(context.Context, []record.HistoryQuestion) ([]record.HistoryAnswer, error) {
			<-release
			return nil, errors.New("released")
		},
		"waits": func(ctx context.Context, _ []record.HistoryQuestion) ([]record.HistoryAnswer, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"answers nothing": answers(0, func(*record.HistoryAnswer) {}),
		"answers too much": func(_ context.Context, questions []record.HistoryQuestion) ([]record.HistoryAnswer, error) {
			return append(make([]record.HistoryAnswer, len(questions)), record.HistoryAnswer{Finding: record.Found}), nil
		},
		"answers another":      answers(99, func(a *record.HistoryAnswer) { a.Question.Revision = "another" }),
		"finds without saying": answers(99, func(a *record.HistoryAnswer) { a.Finding = "" }),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			o := h.options(shelfSource(rollout("cart", 30, 2, 5)), scribeSource("scribe", scribe{resolve: resolve, repository: shopRepository}))
			o.Window, o.Timeout = hour(), 3*time.Second
			began := time.Now()
			out := h.run(o)
			if took := time.Since(began); took > o.Timeout+time.Second {
				t.Errorf("took %v", took)
			}
			if got := tied(t, out.Dir); len(got) != 1 {
				t.Errorf("got %v", got)
			}
			c := out.Statement.Predicate.Correlation
			if c == nil || c.Unanswered == 0 || c.Unanswered != c.Questions {
				t.Errorf("%+v", c)
			}
			// One that may still be at it is not called again.
			unlisted := slices.ContainsFunc(sourceOf(t, out, "scribe").Notes, func(n string) bool { return strings.Contains(n, "not among the actions") })
			if unlisted != (name == "panics" || name == "hangs") {
				t.Errorf("notes %q", sourceOf(t, out, "scribe").Notes)
			}
			h.nowhere(connectortest.Planted)
		})
	}
}

// A question that one source cannot answer goes to the next one.
func TestTheNextSourceIsAsked(t *testing.T) {
	h := newHouse(t)
	tired := func(context.Context, []record.HistoryQuestion) ([]record.HistoryAnswer, error) {
		return nil, connector.Errorf(connector.ClassLimited, nil, "the scribe is tired")
	}
	o := h.options(
		scribeSource("scribe/a", scribe{repository: "git.example.test/acme/other"}),
		scribeSource("scribe/b", scribe{resolve: tired}),
		scribeSource("scribe/c", scribe{head: 9, repository: shopRepository}),
		shelfSource(rollout("cart", 30, 2, 5)))
	o.Window = hour()
	out := h.run(o)
	if c := out.Statement.Predicate.Correlation; c.Unanswered != 0 || c.High+c.Medium != 1 {
		t.Errorf("%+v", c)
	}
	if a, c := len(eventsOf(t, out.Dir, "scribe/a")), len(eventsOf(t, out.Dir, "scribe/c")); a != 0 || c < 3 {
		t.Errorf("%d events of the first, %d of the last", a, c)
	}
}

// An interruption while the history is asked leaves nothing, and what had been put
// in the store is kept.
func TestInterruptedWhileCorrelating(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	var kept connector.Store
	s := scribe{env: func(env connector.Env) { kept = env.Store }, resolve: func(ctx context.Context, _ []record.HistoryQuestion) ([]record.HistoryAnswer, error) {
		kept.Put("a", []byte(`{"n":1}`))
		cancel()
		return nil, ctx.Err()
	}}
	o := h.options(shelfSource(rollout("cart", 30, 2, 5)), scribeSource("scribe", s))
	if out, err := collect.Run(ctx, o); !errors.Is(err, context.Canceled) || out.Dir != "" {
		t.Fatalf("%+v, %v", out, err)
	}
	entries, err := os.ReadDir(h.runs())
	check(t, err)
	if len(entries) != 1 {
		t.Errorf("left %v", entries)
	}
	s.resolve = nil
	h.run(h.options(scribeSource("scribe", s)))
	if value, ok := kept.Get("a"); !ok || string(value) != `{"n":1}` {
		t.Errorf("kept %q, %v", value, ok)
	}
}

// A follower that nobody tells of a repository is asked all the same: it may know
// one itself.
func TestAFollowerIsAskedWithoutRepositories(t *testing.T) {
	h := newHouse(t)
	var requests []connector.Request
	out := h.run(h.options(scribeSource("scribe", scribe{requests: &requests}), memory(t, "memory", &connectortest.Memory{Requests: &requests})))
	if len(requests) != 2 || len(requests[1].Scope.Repositories) != 0 || out.Statement.Predicate.Correlation != nil {
		t.Errorf("%+v, %+v", requests, out.Statement.Predicate.Correlation)
	}
}

// Workloads of which nothing is to be told name repositories too, so that each run
// follows the same ones; of too many the most named are followed, and that is said.
func TestWhichRepositoriesAreFollowed(t *testing.T) {
	h := newHouse(t)
	var records []record.Record
	for i := range 60 {
		w := rollout(fmt.Sprintf("old%02d", i), -600, 2, 5)
		name := fmt.Sprintf("github.com/acme/r%02d", i)
		for _, claims := range [][]record.Claim{w.Claims, w.Revisions[0].Claims, w.Revisions[1].Claims} {
			claims[1].Value = name
		}
		records = append(records, w)
	}
	records = append(records, records[59])
	var requests []connector.Request
	o := h.options(shelfSource(records...), scribeSource("scribe", scribe{requests: &requests}))
	o.Window = hour()
	p := h.run(o).Statement.Predicate
	got := requests[0].Scope.Repositories
	if len(got) != 50 || got[0] != "github.com/acme/r59" {
		t.Errorf("%v", got)
	}
	if c := p.Correlation; c == nil || !slices.ContainsFunc(c.Notes, func(n string) bool { return strings.Contains(n, "of 60 repositories") }) {
		t.Errorf("%+v", c)
	}
}

// What a source keeps is apart for each key and policy, and at most one other of
// them stays.
func TestTheStoreIsApartForEachKey(t *testing.T) {
	h := newHouse(t)
	var kept connector.Store
	s := scribe{env: func(env connector.Env) {
		kept = env.Store
		if env.Pseudonym("user", "planted-person") == "" || env.Scrub("text") != "" {
			t.Error("people and texts are not handled as the policy says")
		}
	}}
	for i := range 4 {
		h.key = redactionKey(t)
		for range 2 {
			h.run(h.options(scribeSource("scribe", s)))
			if _, ok := kept.Get("a"); ok {
				t.Errorf("key %d: there is what another key made", i)
			}
		}
		kept.Put("a", []byte(`1`))
		again := false
		s := s
		s.env = func(env connector.Env) { env.Store.Put("a", []byte(`1`)); _, again = env.Store.Get("a") }
		h.run(h.options(scribeSource("scribe", s)))
		if !again {
			t.Error("it cannot be read again")
		}
	}
	spaces, err := os.ReadDir(filepath.Join(h.state(), "store"))
	check(t, err)
	if len(spaces) != 2 {
		t.Errorf("%d spaces are left: %v", len(spaces), spaces)
	}
}

func TestAStoreThatCannotBeWrittenIsANote(t *testing.T) {
	h := newHouse(t)
	check(t, os.MkdirAll(h.state(), 0o700))
	check(t, os.WriteFile(filepath.Join(h.state(), "store"), nil, 0o600))
	s := scribe{env: func(env connector.Env) { env.Store.Put("a", []byte(`1`)) }}
	src := sourceOf(t, h.run(h.options(scribeSource("scribe", s))), "scribe")
	if src.Status != manifest.StatusComplete || !slices.ContainsFunc(src.Notes, func(n string) bool { return strings.Contains(n, "asked for again") }) {
		t.Errorf("%+v", src)
	}
}

// The limit of a source holds for what waits, too.
func TestTheLimitHoldsForWhatWaits(t *testing.T) {
	h := newHouse(t)
	var records []record.Record
	for i := range 20 {
		records = append(records, rollout(fmt.Sprintf("cart%02d", i), 30, 2, 5))
	}
	o := h.options(shelfSource(records...))
	o.Window, o.Limits.Events = hour(), 10
	out := h.run(o)
	src := sourceOf(t, out, "shelf")
	if src.Status != manifest.StatusPartial || src.ErrorClass != string(connector.ClassBound) || src.Counts["DeploymentEvent"] != 10 || !src.Streams[0].Truncated {
		t.Errorf("%+v", src)
	}
}
