package correlate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/correlate"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/evidence/evidencetest"
	"github.com/rcactl/rcactl/pkg/record"
)

const (
	shop   = "github.com/acme/shop"
	config = "github.com/acme/config"
	image  = "ghcr.io/acme/shop"
)

// noon is when most rollouts of these tests begin.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// sha is the n-th commit.
func sha(n int) string { return fmt.Sprintf("%07x%033x", 0x9be01d0+n, 0xabc) }

// digest is that of the n-th image.
func digest(n int) string { return fmt.Sprintf("sha256:%064x", n+1) }

func id(parts ...any) string { return evidence.ID("test", fmt.Sprint(parts...)) }

// event is a rollout of web from one image to another one at noon.
func event(change func(*evidence.Event)) evidence.Event {
	started := noon()
	e := evidence.Event{
		Schema: evidence.Schema, ID: id("rollout"), Kind: evidence.KindDeployment, Time: started, ServiceKey: "prod-eu1/shop/web",
		Source:   evidence.Source{Connector: "kubernetes", Stream: "workloads", Object: evidence.Object{Cluster: "prod-eu1", Kind: "Deployment", Namespace: "shop", Name: "web"}},
		Severity: evidence.SeverityInfo,
		Deployment: &evidence.Deployment{
			Change: evidence.ChangeRollout, Workload: "Deployment", Status: evidence.StatusComplete,
			Started: &started, StartedBasis: evidence.BasisCreation,
			From: &evidence.Template{Images: []evidence.Image{{Container: "app", Image: image + ":1", Digest: digest(1)}}},
			To:   &evidence.Template{Images: []evidence.Image{{Container: "app", Image: image + ":2", Digest: digest(2)}}},
		},
	}
	if change != nil {
		change(&e)
	}
	return e
}

// labelled is an image that names a commit.
func labelled(n int, claims ...record.ImageClaim) correlate.Image {
	return correlate.Image{
		Reference: fmt.Sprintf("%s:%d", image, n), Digest: digest(n),
		Metadata: &record.ImageMetadata{
			Image: image, Digest: digest(n), Created: noon().Add(-time.Hour), Claims: claims,
		},
	}
}

func label(revision string) record.ImageClaim {
	return record.ImageClaim{Place: record.PlaceLabel, Revision: revision, Source: shop}
}

// unlabelled images were read, and say nothing.
func unlabelled() []correlate.Image { return []correlate.Image{labelled(1), labelled(2)} }

// made is when the n-th commit was.
func made(n int) time.Time { return noon().Add(-2*time.Hour + time.Duration(n)*10*time.Second) }

// author is who wrote it.
func author(n int) string { return "user:" + strings.Repeat("a", 25) + string(rune('a'+n%20)) }

// commit is the event of the n-th commit.
func commit(n int, change func(*evidence.Commit)) evidence.Event {
	e := evidence.Event{
		Schema: evidence.Schema, ID: id("commit", n), Kind: evidence.KindCommit, Time: made(n),
		Source:   evidence.Source{Connector: "github", Stream: "commits", Object: evidence.Object{Kind: "Commit", Name: sha(n)[:12]}},
		Severity: evidence.SeverityInfo,
		Commit: &evidence.Commit{
			Repository: shop, SHA: sha(n), Parents: []string{sha(n - 1)}, DefaultBranch: true,
			Author: &evidence.Person{Pseudonym: author(n), Bot: n%7 == 0}, PullRequests: []int64{int64(100 + n)},
			Size: &evidence.Size{Additions: 3, Files: 2, Categories: []evidence.Category{{Category: "code", Files: 2}}},
		},
	}
	if change != nil {
		change(e.Commit)
	}
	return e
}

func pull(n int64, change func(*evidence.Event)) evidence.Event {
	e := evidence.Event{
		Schema: evidence.Schema, ID: id("pull", n), Kind: evidence.KindPullRequest, Time: noon().Add(-time.Hour),
		Source:      evidence.Source{Connector: "github", Stream: "pull_requests", Object: evidence.Object{Kind: "PullRequest", Name: fmt.Sprintf("#%d", n)}},
		Severity:    evidence.SeverityInfo,
		PullRequest: &evidence.PullRequest{Repository: shop, Number: n, DefaultBranch: true},
	}
	if change != nil {
		change(&e)
	}
	return e
}

// told is a deployment that GitHub was told of some minutes before noon.
func told(before time.Duration, n int, change func(*evidence.Event)) evidence.Event {
	e := evidence.Event{
		Schema: evidence.Schema, ID: id("told", before, n), Kind: evidence.KindDeployment, Time: noon().Add(-before),
		Source:   evidence.Source{Connector: "github", Stream: "deployments", Object: evidence.Object{Kind: "Environment", Name: "production"}},
		Severity: evidence.SeverityInfo,
		Deployment: &evidence.Deployment{
			Change: evidence.ChangeApply, Workload: "Environment", Status: evidence.StatusComplete, Revision: sha(n),
			Environment: &evidence.Environment{Repository: shop, Number: int64(n), State: "success"},
		},
	}
	if change != nil {
		change(&e)
	}
	return e
}

// applied is what an Argo CD Application applied of a repository some time before
// noon.
func applied(before time.Duration, repository, revision, previous string) evidence.Event {
	return evidence.Event{
		Schema: evidence.Schema, ID: id("applied", before, revision), Kind: evidence.KindDeployment, Time: noon().Add(-before),
		ServiceKey: "prod-eu1/shop/web",
		Source:     evidence.Source{Connector: "kubernetes", Stream: "delivery", Object: evidence.Object{Cluster: "prod-eu1", Kind: "Application", Namespace: "argocd", Name: "web"}},
		Severity:   evidence.SeverityInfo,
		Deployment: &evidence.Deployment{
			Change: evidence.ChangeApply, Workload: "Application", Status: evidence.StatusComplete,
			Applied: &evidence.Applied{Sources: []evidence.ConfigSource{{ConfigRepository: repository, ConfigRevision: revision, PreviousConfigRevision: previous}}},
		},
	}
}

func managed(e *evidence.Event) {
	e.Deployment.ManagedBy = &evidence.ManagedBy{Tool: "argocd", Kind: "Application", Namespace: "argocd", Name: "web"}
}

// services is a config that says where web comes from.
func services() []correlate.Service {
	return []correlate.Service{{Namespace: "shop", Name: "web", Repository: shop, Path: "services/web"}}
}

// history answers questions as a repository would that has a line of commits.
type history struct {
	first, last int // the commits that there are
	tags        map[string]int
	off, forced map[int]bool
	unreadable  bool
	silent      bool
	twins       bool // every beginning is of two commits
	asked       []record.HistoryQuestion
}

func line(first, last int) *history { return &history{first: first, last: last} }

func (h *history) commit(n int) record.Commit {
	return record.Commit{
		Repository: shop, SHA: sha(n), Parents: []string{sha(n - 1)}, Committed: made(n),
		Author:   record.Person{Pseudonym: author(n), Bot: n%7 == 0},
		Detailed: true, Files: 2, Categories: []record.CategoryCount{{Category: record.CategoryCode, Files: 2}},
		PullRequests: []int64{int64(100 + n)},
	}
}

func (h *history) answer(q record.HistoryQuestion) record.HistoryAnswer {
	h.asked = append(h.asked, q)
	a := record.HistoryAnswer{Question: q}
	switch {
	case h.silent:
		a.Finding, a.Reason = record.Unanswered, "nobody was there"
	case h.unreadable:
		a.Finding = record.Unreadable
	case h.twins && len(q.Revision) < 40 && q.Revision != "":
		a.Finding = record.Ambiguous
	case q.Revision != "":
		h.revision(&a)
	default:
		h.between(&a)
	}
	return a
}

func (h *history) revision(a *record.HistoryAnswer) {
	a.Finding = record.NotFound
	if n, ok := h.tags[a.Question.Revision]; ok {
		a.Finding, a.Commit, a.ReachOf = record.Found, h.commit(n), record.ReachOn
		return
	}
	for n := h.first; n <= h.last; n++ {
		if !strings.HasPrefix(sha(n), a.Question.Revision) {
			continue
		}
		if a.Finding == record.Found {
			*a = record.HistoryAnswer{Question: a.Question, Finding: record.Ambiguous}
			return
		}
		a.Finding, a.Commit, a.ReachOf = record.Found, h.commit(n), record.ReachOn
		if h.off[n] {
			a.ReachOf = record.ReachOff
		}
		if h.forced[n] {
			a.ReachOf = record.ReachForced
		}
	}
}

func (h *history) between(a *record.HistoryAnswer) {
	base, head := -1, -1
	for n := h.first; n <= h.last; n++ {
		if sha(n) == a.Question.Base {
			base = n
		}
		if sha(n) == a.Question.Head {
			head = n
		}
	}
	if base < 0 || head < 0 {
		a.Finding = record.NotFound
		return
	}
	a.Finding = record.Found
	r := &a.Range
	r.Status, r.Ahead = record.RangeAhead, int32(head-base)
	if head < base {
		r.Status, r.Ahead, r.Behind = record.RangeBehind, 0, int32(base-head)
		base, head = head, base
	}
	for n := base + 1; n <= head; n++ {
		r.Commits = append(r.Commits, h.commit(n))
	}
	r.FilesKnown, r.Files = true, 5
	r.Categories = []record.CategoryCount{{Category: record.CategoryMigration, Files: 1}, {Category: record.CategoryCode, Files: 4}}
}

// settle asks until nothing is left to ask, as a run does, and makes events of the
// commits that came.
func settle(t testing.TB, in correlate.Input, h *history) correlate.Output {
	t.Helper()
	in.Asked = h != nil
	for range 8 {
		out := correlate.Correlate(in)
		if h == nil && len(out.Questions) > 0 {
			t.Fatalf("there is nobody to ask, and still: %v", out.Questions)
		}
		if len(out.Questions) == 0 {
			check(t, out)
			return out
		}
		for _, q := range out.Questions {
			in.Answers = append(in.Answers, h.answer(q))
		}
	}
	t.Fatal("questions without an end")
	return correlate.Output{}
}

// check holds what came out to the schema and to what every output promises.
func check(t testing.TB, out correlate.Output) {
	t.Helper()
	for _, e := range out.Events {
		e.Summary = "-"
		var line bytes.Buffer
		if err := json.NewEncoder(&line).Encode(e); err != nil {
			t.Fatal(err)
		}
		evidencetest.Validate(t, line.Bytes())
		if e.Deployment == nil || e.Deployment.Mapping == nil || e.Deployment.Environment != nil {
			continue
		}
		d, m := e.Deployment, e.Deployment.Mapping
		score := int(m.Score*100 + 0.5)
		want := evidence.ConfidenceLow
		switch {
		case score >= 85:
			want = evidence.ConfidenceHigh
		case score >= 50:
			want = evidence.ConfidenceMedium
		}
		if m.Confidence != want || m.Score != float64(score)/100 {
			t.Errorf("%s: score %v is called %s", e.ID, m.Score, m.Confidence)
		}
		sum := base(t, m.Method)
		for _, r := range m.Reasons {
			sum += int(r.Delta*100+1000.5) - 1000
		}
		if sum != score {
			t.Errorf("%s: method %s with the reasons %v adds up to %d, and the score is %d", e.ID, m.Method, m.Reasons, sum, score)
		}
		if m.Confidence == evidence.ConfidenceLow {
			if d.To != nil && (d.Revision != "" || d.ChangeRange != nil) || d.To == nil && d.PreviousRevision != "" && d.From != nil {
				t.Errorf("%s: something is attributed with confidence low: %s", e.ID, line.Bytes())
			}
		} else if d.Revision == "" && d.PreviousRevision == "" || m.Repository == "" {
			t.Errorf("%s: nothing is attributed with confidence %s: %s", e.ID, m.Confidence, line.Bytes())
		}
		if c := d.ChangeRange; c != nil && (c.Base != d.PreviousRevision || c.Head != d.Revision) {
			t.Errorf("%s: the range is of other commits", e.ID)
		}
	}
}

func base(t testing.TB, m evidence.Method) int {
	t.Helper()
	for method, base := range correlate.Rungs() {
		if method == m {
			return base
		}
	}
	t.Fatalf("no rung is called %s", m)
	return 0
}

// say writes a mapping in one line: "high 0.90 image_label: full_sha, dirty -0.20".
func say(m *evidence.Mapping) string {
	var reasons []string
	for _, r := range m.Reasons {
		if r.Delta != 0 {
			reasons = append(reasons, fmt.Sprintf("%s %+.2f", r.Code, r.Delta))
		} else {
			reasons = append(reasons, r.Code)
		}
	}
	return fmt.Sprintf("%s %.2f %s: %s", m.Confidence, m.Score, m.Method, strings.Join(reasons, ", "))
}
