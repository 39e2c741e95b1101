package github

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // to make a SHA that looks like git's
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PullRequest is a pull request.
type PullRequest struct {
	Number int64
	Title  string
	Body   string
	// Author is a login; empty is an account that is gone.
	Author string
	// State is open or closed; empty follows from the times.
	State                    string
	Draft                    bool
	Created, Updated, Closed time.Time
	Merged                   time.Time // zero: not merged
	// Base is the branch that it goes to, empty the default branch; Head the one that it comes from.
	Base, Head string
	// HeadSHA is the last commit of Head, MergeCommit what merging made.
	HeadSHA, MergeCommit string
	// Commits are further commits that it brought, as rebasing makes new ones.
	Commits []string
}

var (
	mergeSubject  = regexp.MustCompile(`^Merge pull request #([0-9]{1,9}) from [^/\s]+/(\S+)`)
	squashSubject = regexp.MustCompile(`\(#([0-9]{1,9})\)$`)
)

// allPulls are the pull requests that the history tells of and those of the test,
// by number.
func (r *repo) allPulls() []PullRequest {
	byNumber := map[int64]PullRequest{}
	if head, ok := r.resolve(r.DefaultBranch); ok && !r.NoDerived {
		for _, i := range r.history.walk(head) {
			if r.landed[i] != i {
				continue // merged into another branch first, of which nothing is known
			}
			if p, ok := r.derived(i); ok && byNumber[p.Number].Number == 0 {
				byNumber[p.Number] = p
			}
		}
	}
	for _, p := range r.PullRequests {
		byNumber[p.Number] = r.completed(p)
	}
	out := make([]PullRequest, 0, len(byNumber))
	for _, p := range byNumber {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b PullRequest) int { return cmp.Compare(a.Number, b.Number) })
	return out
}

// derived is the pull request that a commit of the default branch says it merged.
func (r *repo) derived(i int32) (PullRequest, bool) {
	h := r.history
	m := &h.commits[i]
	p := PullRequest{
		Author: r.login(m.author), MergeCommit: m.sha, Base: r.DefaultBranch,
		Created: m.author.when.Add(-time.Hour), Merged: m.committer.when, Closed: m.committer.when, Updated: m.committer.when,
	}
	var digits string
	if found := mergeSubject.FindStringSubmatch(m.subject()); found != nil && len(m.parents) > 1 {
		digits, p.Head, p.HeadSHA = found[1], found[2], h.commits[m.parents[1]].sha
		p.Title, _, _ = strings.Cut(strings.TrimSpace(strings.TrimPrefix(m.message, m.subject())), "\n")
		p.Author, p.Created = r.login(h.commits[m.parents[1]].author), h.commits[m.parents[1]].author.when
	} else if found := squashSubject.FindStringSubmatch(m.subject()); found != nil {
		digits, p.Head = found[1], "pull-"+found[1]
		p.Title = strings.TrimSpace(strings.TrimSuffix(m.subject(), found[0]))
	} else {
		return PullRequest{}, false
	}
	p.Number, _ = strconv.ParseInt(digits, 10, 64) // the expression lets nothing else through
	return r.completed(p), p.Number > 0
}

// completed fills in what a test need not say.
func (r *repo) completed(p PullRequest) PullRequest {
	if p.Base == "" {
		p.Base = r.DefaultBranch
	}
	if p.Head == "" {
		p.Head = fmt.Sprintf("pull-%d", p.Number)
	}
	if p.HeadSHA == "" { // a squash does not keep it, and neither has the clone
		p.HeadSHA = fmt.Sprintf("%x", sha1.Sum([]byte(p.Head+p.MergeCommit))) //nolint:gosec // see above
	}
	if p.Closed.IsZero() {
		p.Closed = p.Merged
	}
	if p.Created.IsZero() {
		p.Created = cmp.Or(p.Closed, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	if p.Updated.IsZero() {
		p.Updated = cmp.Or(p.Closed, p.Created)
	}
	if p.State == "" {
		p.State = "open"
		if !p.Closed.IsZero() {
			p.State = "closed"
		}
	}
	return p
}

func (c *call) listPulls() answer {
	state, sort := cmp.Or(c.param("state"), "open"), cmp.Or(c.param("sort"), "created")
	direction := c.param("direction")
	if direction == "" {
		direction = "asc"
		if sort == "created" {
			direction = "desc"
		}
	}
	if !slices.Contains([]string{"open", "closed", "all"}, state) {
		return fail(http.StatusUnprocessableEntity, "Validation Failed")
	}
	var list []PullRequest
	for _, p := range c.repo.pulls {
		if (state == "all" || p.State == state) && (c.param("base") == "" || p.Base == c.param("base")) {
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b PullRequest) int {
		x, y := a.Created, b.Created
		if sort == "updated" {
			x, y = a.Updated, b.Updated
		}
		by := cmp.Or(x.Compare(y), cmp.Compare(a.Number, b.Number))
		if direction == "desc" {
			return -by
		}
		return by
	})
	return paged(c, list, func(p PullRequest) any { return c.pull(p) })
}

func (c *call) getPull() answer {
	p := c.findPull()
	if p == nil {
		return notFound()
	}
	out, err := c.pullDetail(*p)
	if err != nil {
		return fail(http.StatusInternalServerError, err.Error())
	}
	return ok(out)
}

// land finds out for each commit which one of the default branch's first parents
// brought it there: itself, or the merge by which it came.
func (r *repo) land() []int32 {
	h := r.history
	landed := make([]int32, len(h.commits))
	for i := range landed {
		landed[i] = -1
	}
	head, found := r.resolve(r.DefaultBranch)
	if !found {
		return landed
	}
	line := []int32{head}
	for at := head; len(h.commits[at].parents) > 0; {
		at = h.commits[at].parents[0]
		line = append(line, at)
	}
	for _, by := range slices.Backward(line) {
		landed[by] = by
		for todo := slices.Clone(h.commits[by].parents); len(todo) > 0; {
			i := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if landed[i] < 0 {
				landed[i] = by
				todo = append(todo, h.commits[i].parents...)
			}
		}
	}
	return landed
}

// pullsOfCommit are the merged pull requests that brought a commit to the default
// branch, or, of a commit that is not on it, the open ones that have it.
func (c *call) pullsOfCommit() answer {
	if len(c.repo.history.commits) == 0 {
		return empty()
	}
	i, found := c.repo.resolve(c.path["commit_sha"])
	if !found {
		return fail(http.StatusUnprocessableEntity, "No commit found for SHA: "+c.path["commit_sha"])
	}
	on := c.repo.landed[i] >= 0
	list := slices.DeleteFunc(slices.Clone(c.repo.pulls), func(p PullRequest) bool {
		return on == p.Merged.IsZero() || !on && p.State != "open" || !c.repo.brought(p, i)
	})
	return paged(c, list, func(p PullRequest) any { return c.pull(p) })
}

// brought says whether a commit came with a pull request: it is what merging made,
// or one of the branch that was merged or is to be.
func (r *repo) brought(p PullRequest, i int32) bool {
	h := r.history
	sha := h.commits[i].sha
	if sha == p.MergeCommit || sha == p.HeadSHA || slices.Contains(p.Commits, sha) {
		return true
	}
	if !p.Merged.IsZero() {
		by := r.landed[i]
		return by >= 0 && h.commits[by].sha == p.MergeCommit
	}
	list, _ := r.pullRange(p)
	return slices.Contains(list, i)
}

// pullRange is the commits of a pull request, newest first, and what its branch
// started from. Both are unknown where the clone lacks its head, as of a squash.
func (r *repo) pullRange(p PullRequest) (list []int32, base int32) {
	h := r.history
	head, found := h.index[p.HeadSHA]
	if !found {
		return nil, -1
	}
	base, found = r.resolve(p.Base)
	if m, merged := h.index[p.MergeCommit]; merged && !p.Merged.IsZero() && len(h.commits[m].parents) > 0 {
		base, found = h.commits[m].parents[0], true
	}
	if !found {
		return nil, -1
	}
	return h.between(base, head), base
}

// The bounds of a pull request's commits and files.
const (
	pullCommitsMost = 250
	pullFilesMost   = 3000
)

func (c *call) pullCommits() answer {
	p := c.findPull()
	if p == nil {
		return notFound()
	}
	list, _ := c.repo.pullRange(*p)
	list = slices.Clone(list)
	slices.Reverse(list)
	return paged(c, list[:min(len(list), pullCommitsMost)], func(i int32) any { return c.commit(c.repo, i) })
}

func (c *call) pullFiles() answer {
	p := c.findPull()
	if p == nil {
		return notFound()
	}
	d, at, err := c.repo.pullDiff(*p)
	if err != nil {
		return fail(http.StatusInternalServerError, err.Error())
	}
	files := d.files[:min(len(d.files), pullFilesMost)]
	return paged(c, files, func(f change) any { return c.file(f, at) })
}

// pullDiff is what a pull request changes, and the commit that has it.
func (r *repo) pullDiff(p PullRequest) (*diff, string, error) {
	if list, base := r.pullRange(p); len(list) > 0 {
		if from, found, err := r.history.mergeBase(base, list[0]); err != nil || found {
			if err != nil {
				return nil, "", err
			}
			d, err := r.history.diff(from, list[0])
			return d, p.HeadSHA, err
		}
	}
	if i, found := r.history.index[p.MergeCommit]; found {
		d, err := r.history.ofCommit(i)
		return d, p.MergeCommit, err
	}
	return &diff{}, p.HeadSHA, nil
}

func (c *call) findPull() *PullRequest {
	for i, p := range c.repo.pulls {
		if strconv.FormatInt(p.Number, 10) == c.path["pull_number"] {
			return &c.repo.pulls[i]
		}
	}
	return nil
}

// pull is a pull request as lists have it.
func (c *call) pull(p PullRequest) obj {
	n := strconv.FormatInt(p.Number, 10)
	u := func(path string) string { return c.api(c.repo, path) }
	html := c.html(c.repo.Owner + "/" + c.repo.Name + "/pull/" + n)
	id := number(c.repo.Owner + "/" + c.repo.Name + "#" + n)
	links := obj{}
	for name, at := range map[string]string{
		"self": u("/pulls/" + n), "html": html, "issue": u("/issues/" + n), "comments": u("/issues/" + n + "/comments"),
		"review_comments": u("/pulls/" + n + "/comments"), "review_comment": u("/pulls/comments{/number}"),
		"commits": u("/pulls/" + n + "/commits"), "statuses": u("/statuses/" + p.HeadSHA),
	} {
		links[name] = obj{"href": at}
	}
	end := func(ref, sha string) obj {
		return obj{"label": c.repo.Owner + ":" + ref, "ref": ref, "sha": sha, "user": c.owner(c.repo), "repo": c.repository(c.repo)}
	}
	var author, merge any
	if p.Author != "" {
		author = c.user(p.Author, "User")
	}
	if p.MergeCommit != "" {
		merge = p.MergeCommit
	}
	base := p.MergeCommit
	if i, ok := c.repo.history.index[p.MergeCommit]; ok && len(c.repo.history.commits[i].parents) > 0 {
		base = c.repo.history.commits[c.repo.history.commits[i].parents[0]].sha
	} else if i, ok := c.repo.resolve(p.Base); ok {
		base = c.repo.history.commits[i].sha
	}
	var body any
	if p.Body != "" {
		body = p.Body
	}
	return obj{
		"url": u("/pulls/" + n), "id": id, "node_id": node("PullRequest", n), "html_url": html, "diff_url": html + ".diff", "patch_url": html + ".patch",
		"issue_url": u("/issues/" + n), "commits_url": u("/pulls/" + n + "/commits"), "review_comments_url": u("/pulls/" + n + "/comments"),
		"review_comment_url": u("/pulls/comments{/number}"), "comments_url": u("/issues/" + n + "/comments"), "statuses_url": u("/statuses/" + p.HeadSHA),
		"number": p.Number, "state": p.State, "locked": false, "title": p.Title, "user": author, "body": body, "labels": []any{}, "milestone": nil,
		"created_at": stamp(p.Created), "updated_at": stamp(p.Updated), "closed_at": stampOrNull(p.Closed), "merged_at": stampOrNull(p.Merged),
		"merge_commit_sha": merge, "assignee": nil, "assignees": []any{}, "requested_reviewers": []any{}, "requested_teams": []any{},
		"head": end(p.Head, p.HeadSHA), "base": end(p.Base, base), "_links": links,
		"author_association": "CONTRIBUTOR", "auto_merge": nil, "draft": p.Draft,
	}
}

// pullDetail is a pull request that was asked for by itself.
func (c *call) pullDetail(p PullRequest) (obj, error) {
	d, _, err := c.repo.pullDiff(p)
	if err != nil {
		return nil, err
	}
	list, _ := c.repo.pullRange(p)
	out := c.pull(p)
	merged := !p.Merged.IsZero()
	var by any
	if merged && p.Author != "" {
		by = c.user(p.Author, "User")
	}
	for k, v := range (obj{
		"merged": merged, "mergeable": nil, "mergeable_state": "unknown", "merged_by": by, "comments": 0, "review_comments": 0, "rebaseable": nil,
		"maintainer_can_modify": false, "commits": max(len(list), 1), "additions": d.additions, "deletions": d.deletions, "changed_files": len(d.files),
	}) {
		out[k] = v
	}
	return out, nil
}

// escapePath escapes each part of a path.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
