package github

import (
	"net/http"
	"regexp"
	"strings"
	"time"
)

// The bounds of files: of one page, of a commit, of a comparison.
const (
	filesPage    = 300
	filesMost    = 3000
	compareFiles = 300
	compareMost  = 250
)

var hexadecimal = regexp.MustCompile(`^[0-9a-f]{4,40}$`)

// resolve finds the commit that a branch, a tag, a SHA or the beginning of one
// names, in this order.
func (r *repo) resolve(ref string) (int32, bool) {
	h := r.history
	if ref == "HEAD" {
		ref = r.DefaultBranch
	}
	name := strings.TrimPrefix(ref, "refs/")
	if sha, ok := h.branches[strings.TrimPrefix(name, "heads/")]; ok {
		i, ok := h.index[sha]
		return i, ok
	}
	for _, t := range h.tags {
		if t.name == strings.TrimPrefix(name, "tags/") {
			i, ok := h.index[t.target]
			return i, ok
		}
	}
	if hexadecimal.MatchString(ref) {
		if found := h.prefixed(ref); len(found) == 1 {
			return h.index[found[0]], true
		}
	}
	return 0, false
}

// empty is what is answered for a repository without a commit.
func empty() answer { return fail(http.StatusConflict, "Git Repository is empty.") }

func (c *call) listCommits() answer {
	h := c.repo.history
	if len(h.commits) == 0 {
		return empty()
	}
	ref := c.param("sha")
	if ref == "" {
		ref = c.repo.DefaultBranch
	}
	head, found := c.repo.resolve(ref)
	if !found {
		return notFound()
	}
	since, until, bad := c.between()
	if bad != nil {
		return *bad
	}
	var list []int32
	for _, i := range h.walk(head) {
		t := h.commits[i].committer.when
		if (since.IsZero() || !t.Before(since)) && (until.IsZero() || !t.After(until)) {
			list = append(list, i)
		}
	}
	return paged(c, list, func(i int32) any { return c.commit(c.repo, i) })
}

// between reads since and until.
func (c *call) between() (since, until time.Time, bad *answer) {
	for name, t := range map[string]*time.Time{"since": &since, "until": &until} {
		v := c.param(name)
		if v == "" {
			continue
		}
		var err error
		if *t, err = time.Parse(time.RFC3339, v); err != nil {
			a := fail(http.StatusUnprocessableEntity, "Invalid value for "+name)
			return since, until, &a
		}
	}
	return since, until, nil
}

// commit is a commit as lists have it: without numbers and files.
func (c *call) commit(r *repo, i int32) obj {
	h := r.history
	m := &h.commits[i]
	parents := []any{}
	for _, p := range m.parents {
		sha := h.commits[p].sha
		parents = append(parents, obj{"sha": sha, "url": c.api(r, "/commits/"+sha), "html_url": c.html(r.Owner + "/" + r.Name + "/commit/" + sha)})
	}
	return obj{
		"sha": m.sha, "node_id": node("Commit", m.sha), "url": c.api(r, "/commits/"+m.sha),
		"html_url":     c.html(r.Owner + "/" + r.Name + "/commit/" + m.sha),
		"comments_url": c.api(r, "/commits/"+m.sha+"/comments"),
		"commit": obj{
			"url":    c.api(r, "/git/commits/"+m.sha),
			"author": person(m.author), "committer": person(m.committer), "message": m.message,
			"tree":          obj{"sha": m.tree, "url": c.api(r, "/git/trees/"+m.tree)},
			"comment_count": 0, "verification": m.verification(r.Verifications[m.sha]),
		},
		"author": c.account(r, m.author), "committer": c.account(r, m.committer), "parents": parents,
	}
}

func person(who ident) obj {
	return obj{"name": who.name, "email": who.email, "date": stamp(who.when)}
}

// verification says that a signed commit is verified, unless there is a reason: it
// cannot be known without the keys.
func (m *commit) verification(reason string) obj {
	if m.signature == "" {
		return obj{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
	}
	out := obj{"verified": true, "reason": "valid", "signature": m.signature, "payload": string(m.payload), "verified_at": stamp(m.committer.when)}
	if reason != "" {
		out["verified"], out["reason"], out["verified_at"] = false, reason, nil
	}
	return out
}

func (c *call) getCommit() answer {
	if len(c.repo.history.commits) == 0 {
		return empty()
	}
	i, found := c.repo.resolve(c.path["ref"])
	if !found {
		return fail(http.StatusUnprocessableEntity, "No commit found for SHA: "+c.path["ref"])
	}
	m := &c.repo.history.commits[i]
	if strings.Contains(c.request.Header.Get("Accept"), "application/vnd.github.sha") {
		return answer{status: http.StatusOK, raw: []byte(m.sha), kind: "application/vnd.github.sha; charset=utf-8"}
	}
	d, err := c.repo.history.ofCommit(i)
	if err == nil {
		pair := c.repo.history.pair(i)
		d, err = c.patched(d, pair[0], pair[1])
	}
	if err != nil {
		return fail(http.StatusInternalServerError, err.Error())
	}
	out := c.commit(c.repo, i)
	out["stats"] = obj{"additions": d.additions, "deletions": d.deletions, "total": d.additions + d.deletions}
	files := d.files[:min(len(d.files), filesMost)]
	p := c.pages(filesPage, filesPage)
	out["files"] = c.files(cut(files, p), m.sha)
	a := ok(out)
	c.link(&a, p, len(files))
	return a
}

// files are the files of a commit or of a comparison, at one commit.
func (c *call) files(list []change, sha string) []any {
	out := []any{}
	for _, f := range list {
		out = append(out, c.file(f, sha))
	}
	return out
}

func (c *call) file(f change, sha string) obj {
	at, path := c.repo.Owner+"/"+c.repo.Name, escapePath(f.path)
	entry := obj{
		"sha": f.blob, "filename": f.path, "status": f.status,
		"additions": f.additions, "deletions": f.deletions, "changes": f.additions + f.deletions,
		"blob_url": c.html(at + "/blob/" + sha + "/" + path), "raw_url": c.html(at + "/raw/" + sha + "/" + path),
		"contents_url": c.api(c.repo, "/contents/"+path+"?ref="+sha),
	}
	if f.previous != "" {
		entry["previous_filename"] = f.previous
	}
	if f.patch != "" {
		entry["patch"] = f.patch
	}
	return entry
}

// patched is a difference with the text of its changes, where the test asks for it.
func (c *call) patched(d *diff, base, head string) (*diff, error) {
	if !c.repo.Patches {
		return d, nil
	}
	return c.repo.history.withPatches(d, base, head)
}

func (c *call) compare() answer {
	h := c.repo.history
	base, head, three := strings.Cut(c.path["basehead"], "...")
	if !three {
		return notFound()
	}
	a, okA := c.repo.resolve(base)
	b, okB := c.repo.resolve(head)
	if !okA || !okB {
		return notFound()
	}
	merge, found, err := h.mergeBase(a, b)
	if err != nil {
		return fail(http.StatusInternalServerError, err.Error())
	}
	if !found {
		return fail(http.StatusNotFound, "No common ancestor between "+base+" and "+head+".")
	}
	ahead, behind := h.between(a, b), h.between(b, a)
	return c.comparison(a, b, merge, ahead, len(behind))
}

// comparison answers a comparison; ahead is newest first.
func (c *call) comparison(base, head, merge int32, ahead []int32, behind int) answer {
	h := c.repo.history
	d, err := h.diff(merge, head)
	if err == nil {
		d, err = c.patched(d, h.commits[merge].sha, h.commits[head].sha)
	}
	if err != nil {
		return fail(http.StatusInternalServerError, err.Error())
	}
	oldest := make([]int32, len(ahead))
	for i, v := range ahead {
		oldest[len(ahead)-1-i] = v
	}
	paging := c.param("page") != "" || c.param("per_page") != ""
	p := c.pages(perPage, maxPerPage)
	list := oldest[max(0, len(oldest)-compareMost):]
	if paging {
		list = cut(oldest, p)
	}
	commits := []any{}
	for _, i := range list {
		commits = append(commits, c.commit(c.repo, i))
	}
	at := c.html(c.repo.Owner + "/" + c.repo.Name + "/compare/" + h.commits[base].sha + "..." + h.commits[head].sha)
	out := obj{
		"url": c.api(c.repo, "/compare/"+h.commits[base].sha+"..."+h.commits[head].sha), "html_url": at,
		"permalink_url": at, "diff_url": at + ".diff", "patch_url": at + ".patch",
		"base_commit": c.commit(c.repo, base), "merge_base_commit": c.commit(c.repo, merge), "status": status(len(ahead), behind),
		"ahead_by": len(ahead), "behind_by": behind, "total_commits": len(ahead), "commits": commits,
	}
	if !paging || p.page == 1 {
		out["files"] = c.files(d.files[:min(len(d.files), compareFiles)], h.commits[head].sha)
	}
	a := ok(out)
	if paging {
		c.link(&a, p, len(ahead))
	}
	return a
}

func status(ahead, behind int) string {
	switch {
	case ahead > 0 && behind > 0:
		return "diverged"
	case ahead > 0:
		return "ahead"
	case behind > 0:
		return "behind"
	}
	return "identical"
}
