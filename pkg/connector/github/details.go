package github

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// detailAll asks for the details of what is pending, the oldest first. How many there
// is room for is decided before, so that equal runs tell equal commits; what GitHub's
// own limits or the time cut off is left to the next run.
func (s *source) detailAll(ctx context.Context, repos []*repository) {
	type one struct {
		r *repository
		m *pendingCommit
	}
	var missing []one
	for _, r := range repos {
		for _, m := range r.pending {
			var ok bool
			if m.Commit, ok = s.kept(r, m.sha); !ok {
				missing = append(missing, one{r, m})
			}
		}
	}
	room := min(max(s.cfg.MaxRequests-s.cfg.MaxRequests/10-s.client.requests(), 0), len(missing))
	for _, o := range missing[room:] {
		o.m.err = connector.Errorf(connector.ClassBound, nil,
			"nine tenths of max_requests (%d) were spent, the rest is for looking up deployments; the next run goes on from there, or raise it", s.cfg.MaxRequests)
	}
	sideBySide(room, func(i int) {
		r, m := missing[i].r, missing[i].m
		m.Commit, m.err = s.detail(ctx, r, "commits/"+m.sha, m.sha, "what a commit touched")
	})
}

// kept gives the summary of a commit that the store has.
func (s *source) kept(r *repository, sha string) (record.Commit, bool) {
	if s.env.Store == nil {
		return record.Commit{}, false
	}
	text, ok := s.env.Store.Get(s.summaries.storeKey(r, sha))
	if !ok {
		return record.Commit{}, false
	}
	return readSummary(text, r.name, sha)
}

// keep puts a summary into the store.
func (s *source) keep(r *repository, c record.Commit) {
	if s.env.Store == nil || !c.Detailed {
		return
	}
	if text, err := json.Marshal(c); err == nil {
		s.env.Store.Put(s.summaries.storeKey(r, c.SHA), text)
	}
}

// detail asks for a commit with its files, makes the summary and keeps it. sha is
// what the answer has to be of; empty when only a name for it is known.
func (s *source) detail(ctx context.Context, r *repository, path, sha, purpose string) (record.Commit, error) {
	a := s.asking(r, record.StreamCommits, purpose)
	var c commitJSON
	next, err := a.get(ctx, path, &c)
	if err != nil {
		return record.Commit{}, err
	}
	if !fullSHA(c.SHA) || sha != "" && c.SHA != sha {
		return record.Commit{}, connector.Errorf(connector.ClassProtocol, nil, "GitHub gave another commit than was asked for")
	}
	files := c.Files
	for next != "" && len(c.Files) > 0 && len(files) < maxFiles {
		var more commitJSON // repeats the commit, with other files
		if next, err = a.read(ctx, next, &more); err != nil {
			return record.Commit{}, err
		}
		if more.SHA != c.SHA || len(more.Files) == 0 {
			break
		}
		files = append(files, more.Files...)
	}
	out := s.summaries.commit(r.name, &c, files, len(files) >= maxFiles || next != "")
	s.keep(r, out)
	return out, nil
}

// summarize makes the summary of a commit from what lists have of it.
func (s *source) summarize(r *repository, c *commitJSON) record.Commit {
	if known, ok := s.kept(r, c.SHA); ok {
		return known
	}
	light := *c
	light.Stats = nil
	return s.summaries.commit(r.name, &light, nil, false)
}

// commitPath is the address of the commit that a name stands for.
func commitPath(ref string) string { return "commits/" + url.PathEscape(ref) }
