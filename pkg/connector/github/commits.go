package github

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// maxNewCommits bounds how many commits of one branch a run tells.
const maxNewCommits = 50_000

// head is a commit that a branch was at, and the end of the window that it was read
// for.
type head struct {
	SHA string    `json:"sha"`
	At  time.Time `json:"at"`
}

// pendingCommit is a commit that was met, of which the details are not known yet.
type pendingCommit struct {
	record.BranchCommit
	sha       string
	committed time.Time
	branches  []*branchLook
	err       error
}

// branchLook is a branch that is read.
type branchLook struct {
	name      string
	isDefault bool
	key       string // in the state
	before    head   // SHA empty for none
	at        commitJSON
	commits   []commitJSON // that are new, oldest first as far as GitHub tells
	compared  bool         // they are what came since before
	since     *comparison  // how it stands to before, without messages; nil where that is not known, or is long
	forced    bool
	// held says that some were left to the next run, so that the head must not move.
	held bool
}

// compareJSON is what is decoded of a comparison.
type compareJSON struct {
	Status  string       `json:"status"`
	Ahead   int32        `json:"ahead_by"`
	Behind  int32        `json:"behind_by"`
	Total   int32        `json:"total_commits"`
	Commits []commitJSON `json:"commits"`
	Files   []fileJSON   `json:"files"`
}

// branches are those to read, the default one first.
func (s *source) branches(r *repository) []*branchLook {
	names := []string{r.branch}
	for _, name := range s.cfg.Branches {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var out []*branchLook
	for i, name := range names {
		b := &branchLook{name: name, isDefault: i == 0, key: digestName("branch", name)}
		if r.before != nil {
			b.before = r.before.Heads[b.key]
		}
		out = append(out, b)
	}
	return out
}

// listCommits finds the commits of the window, without their details.
func (s *source) listCommits(ctx context.Context, l *look, r *repository) (notes []string) {
	p := r.part(record.StreamCommits)
	if l.quiet(r, record.StreamCommits) {
		return nil
	}
	met := map[string]*pendingCommit{}
	for _, b := range s.branches(r) {
		err := s.listBranch(ctx, l, r, b)
		switch {
		case isEmptyRepository(err):
			return append(notes, r.name+" is empty: it has no commit yet")
		case b.name != r.branch && isNotFound(err):
			notes = append(notes, fmt.Sprintf("%s has no branch %s", r.name, b.name))
			continue
		case err != nil:
			p.fail(err)
			return notes
		}
		if b.isDefault {
			r.head = b.at.SHA
		}
		r.looked = append(r.looked, b)
		b.meet(l, r, met)
		if len(b.commits) >= maxNewCommits {
			p.cut("a branch has more than %d new commits", maxNewCommits)
		}
	}
	slices.SortFunc(r.pending, func(a, b *pendingCommit) int {
		return cmp.Or(a.committed.Compare(b.committed), cmp.Compare(a.sha, b.sha))
	})
	return notes
}

// listBranch asks where a branch is and what it has that is new. A branch that was
// seen before is compared with what it was, which finds what was merged late, and
// that it was rewritten; else its commits are found by their dates.
func (s *source) listBranch(ctx context.Context, l *look, r *repository, b *branchLook) error {
	a := s.asking(r, record.StreamCommits, "where a branch is")
	at, err := a.tip(ctx, b.name)
	if err != nil {
		return err
	}
	b.at = at
	if !l.req.Incremental || b.before.SHA == "" {
		return s.listByDate(ctx, l, r, b)
	}
	if b.before.SHA == b.at.SHA {
		b.compared = true
		return nil
	}
	return s.listSince(ctx, l, r, b)
}

// tip gives the commit that a name stands for, as lists have it.
func (a asking) tip(ctx context.Context, ref string) (commitJSON, error) {
	var page []commitJSON
	if _, err := a.get(ctx, "commits?per_page=1&sha="+url.QueryEscape(ref), &page); err != nil {
		return commitJSON{}, err
	}
	if len(page) == 0 || !fullSHA(page[0].SHA) {
		return commitJSON{}, connector.Errorf(connector.ClassProtocol, nil, "GitHub named no commit for a branch")
	}
	return page[0], nil
}

// listByDate reads the commits of a branch that were committed in the window.
func (s *source) listByDate(ctx context.Context, l *look, r *repository, b *branchLook) error {
	reach := l.reach(record.StreamCommits)
	query := url.Values{
		"sha":   {b.at.SHA},
		"since": {reach.Start.Add(-time.Second).Format(time.RFC3339)},
		"until": {reach.End.Add(ahead).Format(time.RFC3339)},
	}
	err := pages(ctx, s.asking(r, record.StreamCommits, "commits of a branch"), "commits", query, func(page *[]commitJSON) (bool, error) {
		b.add(*page)
		return len(b.commits) < maxNewCommits, nil
	})
	slices.Reverse(b.commits)
	return err
}

// listSince reads what a branch has that it did not have before.
func (s *source) listSince(ctx context.Context, l *look, r *repository, b *branchLook) error {
	status := record.RangeStatus("")
	path := "compare/" + b.before.SHA + "..." + b.at.SHA
	var since comparison
	err := pages(ctx, s.asking(r, record.StreamCommits, "what a branch has since the last run"), path, nil, func(page *compareJSON) (bool, error) {
		if status == "" {
			status = record.RangeStatus(page.Status)
		}
		b.add(page.Commits)
		for i := range page.Commits {
			page.Commits[i].Commit.Message = ""
		}
		since.add(page, s.summaries.sorter)
		return len(b.commits) < maxNewCommits, nil
	})
	if isNotFound(err) || isUnprocessable(err) { // what it was is not there any more
		b.forced = true
		return s.listByDate(ctx, l, r, b)
	}
	if err != nil {
		return err
	}
	if b.compared = true; since.short() {
		b.since = &since
	}
	b.forced = status == record.RangeBehind || status == record.RangeDiverged
	if b.forced && !slices.ContainsFunc(b.commits, func(c commitJSON) bool { return c.SHA == b.at.SHA }) {
		b.commits = append(b.commits, b.at) // what it was set back to
	}
	return nil
}

// add keeps commits of a page, without their messages: those are read with the
// details, and whoever may push can make them long.
func (b *branchLook) add(page []commitJSON) {
	for _, c := range page {
		c.Commit.Message = ""
		b.commits = append(b.commits, c)
	}
}

// meet adds the commits of a branch that belong to the window to those whose details
// are to be asked for.
func (b *branchLook) meet(l *look, r *repository, met map[string]*pendingCommit) {
	reach := l.reach(record.StreamCommits)
	if at := b.at.Commit.Committer.Date.Time; !at.Before(reach.End) && (!b.compared || at.Before(reach.End.Add(ahead))) {
		b.held = true // there is more than was listed
	}
	for i := range b.commits {
		c := &b.commits[i]
		at := c.Commit.Committer.Date.Time
		inside := reach.Contains(at)
		switch {
		case !fullSHA(c.SHA):
			continue
		case !at.Before(reach.End) && at.Before(reach.End.Add(ahead)):
			b.held = true // pushed while we ask: the next run's
			continue
		case !inside && !b.compared:
			continue
		}
		m := met[c.SHA]
		if m == nil {
			m = &pendingCommit{sha: c.SHA, committed: at}
			met[c.SHA] = m
			r.pending = append(r.pending, m)
		}
		m.branches = append(m.branches, b)
		if b.isDefault {
			m.DefaultBranch, m.Branch = true, ""
		} else if !m.DefaultBranch && m.Branch == "" {
			m.Branch = b.name
		}
		if !inside {
			m.NotBefore, m.NotAfter = b.before.At, reach.End
		}
		if b.forced && c.SHA == b.at.SHA {
			m.Forced, m.Before = true, b.before.SHA
			m.NotBefore, m.NotAfter = b.before.At, reach.End
		}
	}
}

// settleCommits turns the pending commits into records, and moves the heads of those
// branches of which every commit was told.
func (s *source) settleCommits(l *look, r *repository) {
	p := r.part(record.StreamCommits)
	for _, m := range r.pending {
		if m.err != nil {
			p.fail(m.err)
			for _, b := range m.branches {
				b.held = true
			}
			continue
		}
		p.add(m.Committed, m.sha, m.BranchCommit)
	}
	if !p.whole() {
		for _, b := range r.looked {
			b.held = b.held || len(b.commits) >= maxNewCommits
		}
	}
	for _, b := range r.looked {
		if b.held {
			continue
		}
		if b.forced {
			r.next.Gone = append(slices.DeleteFunc(r.next.Gone, func(sha string) bool { return sha == b.before.SHA }), b.before.SHA)
		}
		r.next.Heads[b.key] = head{SHA: b.at.SHA, At: l.asked(record.StreamCommits).End}
	}
	if p.whole() && len(r.looked) > 0 && !slices.ContainsFunc(r.looked, func(b *branchLook) bool { return b.held }) {
		l.listed(r, record.StreamCommits)
	}
}
