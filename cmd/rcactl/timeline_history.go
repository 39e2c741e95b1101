package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
)

// historyCells tell of a deployment which commits it went from and to, how sure
// that is, what lies between them, and the pull requests that brought it.
const historyCells = 4

func (t *timeline) historyCells(p *printer, e evidence.Event) []cell {
	d := e.Deployment
	none := make([]cell, historyCells)
	switch {
	case d == nil || d.Mapping == nil:
		return none
	case d.Mapping.Confidence != evidence.ConfidenceLow && (d.Revision != "" || d.PreviousRevision != ""):
		return []cell{{text: commitsOf(d)}, confidenceCell(p, d.Mapping), {text: rangeText(d)}, {text: pullRequestsText(d)}}
	case !t.tied || !changesImages(d):
		return none
	}
	return []cell{{"commit unknown", p.dim}, confidenceCell(p, d.Mapping), {evidence.ReasonWords(d.Mapping.Decisive().Code), p.dim}, {}}
}

// changesImages reports whether a change may be one of images, so that a person
// asks for its commit.
func changesImages(d *evidence.Deployment) bool {
	switch d.Change {
	case evidence.ChangeCreate, evidence.ChangeRollout, evidence.ChangeRollback:
		return true
	}
	return false
}

func confidenceCell(p *printer, m *evidence.Mapping) cell {
	style := p.dim
	if m.Confidence == evidence.ConfidenceHigh {
		style = p.good
	}
	return cell{string(m.Confidence), style}
}

func commitsOf(d *evidence.Deployment) string {
	before, now := evidence.ShortCommit(d.PreviousRevision), evidence.ShortCommit(d.Revision)
	switch {
	case now == "":
		return "was " + before
	case before == "" || d.PreviousRevision == d.Revision:
		return now
	}
	return before + " → " + now
}

// maxCategories is how many kinds of files a row names.
const maxCategories = 2

// rangeText says in a few words what lies between the two commits: "3 commits, 1
// migration file".
func rangeText(d *evidence.Deployment) string {
	r := d.ChangeRange
	switch {
	case r == nil && d.Revision != "" && d.Revision == d.PreviousRevision:
		return "the same commit"
	case r == nil:
		return ""
	}
	var parts []string
	switch r.Status {
	case "identical":
		return "the same commit"
	case "behind":
		parts = []string{"back " + plural(int64(r.Behind), "commit")}
	case "diverged":
		parts = []string{plural(int64(r.Ahead), "commit"), strconv.Itoa(int(r.Behind)) + " taken back"}
	case "ahead":
		parts = []string{plural(int64(r.Ahead), "commit")}
	default:
		if r.Reason == evidence.RangeNotAsked { // which is said once, of all of them
			return ""
		}
		return "what lies between is not known"
	}
	for _, notable := range []string{"migration", "infrastructure", "configuration", "dependency"} {
		for _, c := range r.Categories {
			if c.Category == notable && c.Files > 0 && len(parts) <= maxCategories {
				parts = append(parts, plural(int64(c.Files), notable+" file"))
			}
		}
	}
	if slices.Contains(r.Risks, "breaking") {
		parts = append(parts, "breaking")
	}
	return strings.Join(parts, ", ")
}

func pullRequestsText(d *evidence.Deployment) string {
	if d.ChangeRange == nil || len(d.ChangeRange.PullRequests) == 0 {
		return ""
	}
	var numbers []string
	for _, n := range d.ChangeRange.PullRequests {
		numbers = append(numbers, "#"+strconv.FormatInt(n, 10))
	}
	if len(numbers) == 1 {
		return "PR " + numbers[0]
	}
	return "PRs " + evidence.Some(numbers)
}

// branchCommits are the commits of one branch, which are told in one row.
type branchCommits struct {
	repository, branch string
	first, last        time.Time
	commits, carried   int
	risks              map[string]int
}

// addCommit counts a commit. One that was only met between two revisions is told
// with the deployment that has them.
func (t *timeline) addCommit(e evidence.Event) {
	c := e.Commit
	if c.Forced && len(t.changes) < maxTimeline {
		t.changes = append(t.changes, e)
	}
	branch := c.Branch
	if c.DefaultBranch {
		branch = ""
	} else if branch == "" {
		return
	}
	key := c.Repository + "\x00" + branch
	b := t.branches[key]
	if b == nil {
		if len(t.branches) >= maxTimeline {
			return
		}
		if t.branches == nil {
			t.branches = map[string]*branchCommits{}
		}
		b = &branchCommits{repository: c.Repository, branch: branch, first: e.Time, last: e.Time, risks: map[string]int{}}
		t.branches[key] = b
	}
	b.commits++
	if len(c.Deployments) > 0 {
		b.carried++
	}
	for _, risk := range c.Risks {
		b.risks[risk]++
	}
	if e.Time.Before(b.first) {
		b.first = e.Time
	}
	if e.Time.After(b.last) {
		b.last = e.Time
	}
}

// printBranches tells of the commits of each branch in a row.
func (t *timeline) printBranches(p *printer, layout string) {
	rows := [][]cell{}
	for _, b := range slices.SortedFunc(maps.Values(t.branches), func(a, b *branchCommits) int {
		return cmp.Or(cmp.Compare(a.repository, b.repository), cmp.Compare(a.branch, b.branch))
	}) {
		rows = append(rows, []cell{
			{when(b.first, b.last, layout), p.dim},
			{"commits", p.title},
			{shortRepository(b.repository), p.title},
			{text: plural(int64(b.commits), "commit")},
			{text: b.on()},
			{text: b.carriedText()},
			{b.riskText(), p.warn},
		})
	}
	p.table("  ", rows)
}

func (b *branchCommits) on() string {
	if b.branch == "" {
		return "on the default branch"
	}
	return "on " + b.branch
}

func (b *branchCommits) carriedText() string {
	switch b.carried {
	case 0:
		return "in no deployment above"
	case b.commits:
		return "all in deployments above"
	}
	return fmt.Sprintf("%d in deployments above", b.carried)
}

func (b *branchCommits) riskText() string {
	var parts []string
	for _, risk := range slices.Sorted(maps.Keys(b.risks)) {
		parts = append(parts, fmt.Sprintf("%d %s", b.risks[risk], strings.ReplaceAll(risk, "_", " ")))
	}
	return strings.Join(parts, ", ")
}

// shortRepository leaves out the host that most repositories have.
func shortRepository(name string) string { return strings.TrimPrefix(name, "github.com/") }

// historyRow is a change of source code that is a row of its own; nil for what is
// told with a deployment, or is not worth a row.
func historyRow(p *printer, e evidence.Event) []cell {
	row := func(kind, repository, what, detail string, status cell) []cell {
		return []cell{{kind, p.title}, {shortRepository(repository), p.title}, {text: what}, {text: detail}, status}
	}
	at := func(sha string) string {
		if sha == "" {
			return ""
		}
		return "at " + evidence.ShortCommit(sha)
	}
	switch {
	case e.Commit != nil && e.Commit.Forced:
		c := e.Commit
		return row("forced", c.Repository, evidence.ShortCommit(c.PreviousHead)+" → "+evidence.ShortCommit(c.SHA), "history of "+branchText(c.Branch, c.DefaultBranch)+" rewritten", cell{})
	case e.PullRequest != nil && len(e.PullRequest.Deployments) == 0:
		pr := e.PullRequest
		kind := pr.Type
		if pr.Breaking {
			kind = strings.TrimSpace(kind + " breaking")
		}
		return row("merge", pr.Repository, "PR #"+strconv.FormatInt(pr.Number, 10), strings.TrimSpace("into "+branchText(pr.Branch, pr.DefaultBranch)+" "+at(pr.MergeCommit)), cell{text: kind})
	case e.Release != nil:
		r := e.Release
		what := r.Tag
		if what == "" {
			what = strconv.FormatInt(r.Number, 10)
		}
		status := cell{}
		if r.Prerelease {
			status.text = "pre-release"
		}
		return row("release", r.Repository, what, at(r.Commit), status)
	case e.Pipeline != nil && pipelineFailed(e.Pipeline):
		run := e.Pipeline
		what := run.Workflow
		if what == "" {
			what = "run " + strconv.FormatInt(run.Number, 10)
		}
		detail := at(run.Commit)
		if run.Deployed {
			detail += ", which deploys"
		}
		return row("pipeline", run.Repository, what, strings.TrimPrefix(detail, ", "), cell{strings.ReplaceAll(run.Conclusion, "_", " "), p.bad})
	}
	return nil
}

func branchText(branch string, isDefault bool) string {
	switch {
	case isDefault:
		return "the default branch"
	case branch == "":
		return "another branch"
	}
	return branch
}

// pipelineFailed reports whether a run is worth a row.
func pipelineFailed(run *evidence.Pipeline) bool {
	switch run.Conclusion {
	case "", "success", "neutral", "skipped", "cancelled", "stale", "action_required":
		return false
	}
	return true
}

// addRegistry notes where the images of a deployment are, when they were not asked
// for.
func (t *timeline) addRegistry(d *evidence.Deployment) {
	const most = 5
	if d == nil || d.Mapping == nil || d.To == nil || len(t.registries) == most ||
		!slices.ContainsFunc(d.Mapping.Reasons, func(r evidence.Reason) bool { return r.Code == "image_unread" }) {
		return
	}
	for _, image := range d.To.Images {
		host, _, ok := strings.Cut(image.Image, "/")
		if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
			host = "docker.io"
		}
		if t.registries == nil {
			t.registries = map[string]bool{}
		}
		t.registries[host] = true
	}
}

// registryHint says how to have images read that were not; nothing when none was to
// be.
func (t *timeline) registryHint(off bool) []string {
	if off || len(t.registries) == 0 {
		return nil
	}
	hosts := slices.Sorted(maps.Keys(t.registries))
	return []string{"To ask registries without a login: --registry " + strings.Join(hosts, ",")}
}
