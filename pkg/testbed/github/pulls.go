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
			if p, ok := r.derived(i); ok {
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
	p.Number, _ = strconv.ParseInt(digits, 10, 64) //nolint:errcheck // the expression lets nothing else through
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
	state, sort := cmp.Or(c.query.Get("state"), "open"), cmp.Or(c.query.Get("sort"), "created")
	direction := c.query.Get("direction")
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
		if (state == "all" || p.State == state) && (c.query.Get("base") == "" || p.Base == c.query.Get("base")) {
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
	for _, p := range c.repo.pulls {
		if strconv.FormatInt(p.Number, 10) == c.path["pull_number"] {
			return ok(c.pullDetail(p))
		}
	}
	return notFound()
}

// pullsOfCommit are the merged pull requests that brought a commit to the default
// branch, or, of a commit that is not on it, the open ones that have it.
func (c *call) pullsOfCommit() answer {
	i, found := c.repo.resolve(c.path["commit_sha"])
	if !found {
		return fail(http.StatusUnprocessableEntity, "No commit found for SHA: "+c.path["commit_sha"])
	}
	var list []PullRequest
	head, _ := c.repo.resolve(c.repo.DefaultBranch)
	on := c.repo.history.reach(head)[i]
	for _, p := range c.repo.pulls {
		if (on && !p.Merged.IsZero() || !on && p.State == "open") && c.repo.brought(p, i) {
			list = append(list, p)
		}
	}
	return paged(c, list, func(p PullRequest) any { return c.pull(p) })
}

// brought says whether a commit came with a pull request: it is what merging made,
// or one of the branch that was merged.
func (r *repo) brought(p PullRequest, i int32) bool {
	h := r.history
	if h.commits[i].sha == p.MergeCommit {
		return true
	}
	head, ok := h.index[p.HeadSHA]
	if !ok {
		return false
	}
	base, ok := r.resolve(p.Base)
	if m, merged := h.index[p.MergeCommit]; merged && len(h.commits[m].parents) > 0 {
		base, ok = h.commits[m].parents[0], true
	}
	return ok && slices.Contains(h.between(base, head), i)
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
func (c *call) pullDetail(p PullRequest) obj {
	out := c.pull(p)
	merged := !p.Merged.IsZero()
	var by any
	if merged && p.Author != "" {
		by = c.user(p.Author, "User")
	}
	for k, v := range (obj{
		"merged": merged, "mergeable": nil, "mergeable_state": "unknown", "merged_by": by, "comments": 0, "review_comments": 0,
		"maintainer_can_modify": false, "commits": 1, "additions": 0, "deletions": 0, "changed_files": 0, "rebaseable": nil,
	}) {
		out[k] = v
	}
	return out
}

// escapePath escapes each part of a path.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
