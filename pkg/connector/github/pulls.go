package github

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/rcactl/rcactl/pkg/record"
)

// maxPullPages bounds how many pages of pull requests are read for a window that is
// long over: GitHub lists them by their last change alone.
const maxPullPages = 100

// pullJSON is what is decoded of a pull request: never its body or its branch's name.
type pullJSON struct {
	Number      int64     `json:"number"`
	Title       string    `json:"title"`
	Created     stamp     `json:"created_at"`
	Updated     stamp     `json:"updated_at"`
	Merged      stamp     `json:"merged_at"`
	MergeCommit string    `json:"merge_commit_sha"`
	User        *userJSON `json:"user"`
	Head        struct {
		SHA string `json:"sha"`
	} `json:"head"`
	Base struct {
		Ref string `json:"ref"`
	} `json:"base"`
}

// listPulls reads the pull requests that were merged in the window. The list is that
// of closed ones, the last changed first; it is read up to one that was not changed
// since the window began.
func (s *source) listPulls(ctx context.Context, l *look, r *repository) {
	if l.quiet(r, record.StreamPullRequests) {
		return
	}
	p, reach := r.part(record.StreamPullRequests), l.reach(record.StreamPullRequests)
	query := url.Values{"state": {"closed"}, "sort": {"updated"}, "direction": {"desc"}}
	seen := map[int64]bool{} // pages shift while pull requests are changed
	read := 0
	err := pages(ctx, s.asking(r, record.StreamPullRequests, "merged pull requests"), "pulls", query, func(page *[]pullJSON) (bool, error) {
		for i := range *page {
			pull := &(*page)[i]
			if pull.Updated.Before(reach.Start) {
				return false, nil
			}
			if pull.Number > 0 && !seen[pull.Number] && reach.Contains(pull.Merged.Time) {
				seen[pull.Number] = true
				s.addPull(r, p, pull)
			}
		}
		if read++; read >= maxPullPages {
			p.cut("more than %d pull requests were changed since the window began", maxPullPages*perPage)
			return false, nil
		}
		return true, nil
	})
	p.fail(err)
	if p.whole() {
		l.listed(r, record.StreamPullRequests)
	}
}

func (s *source) addPull(r *repository, p *part, pull *pullJSON) {
	m := readMessage(pull.Title)
	m.conventional.Scope = "" // its files are not known
	out := record.PullRequest{
		Repository: r.name, Number: pull.Number, Created: pull.Created.Time, Merged: pull.Merged.Time,
		MergeCommit: ifFits(shaForm, pull.MergeCommit), Head: ifFits(shaForm, pull.Head.SHA),
		Author: s.summaries.people.person(pull.User, ""), Conventional: m.conventional, Title: s.summaries.text(pull.Title),
	}
	switch {
	case pull.Base.Ref == r.branch:
		out.DefaultBranch = true
	case slices.Contains(s.cfg.Branches, pull.Base.Ref):
		out.Branch = pull.Base.Ref
	}
	if out.MergeCommit != "" {
		r.merged = append(r.merged, mergedPull{commit: out.MergeCommit, number: out.Number})
	}
	p.add(out.Merged, fmt.Sprintf("%020d", out.Number), out)
}

// mergedPull says which pull request made a commit.
type mergedPull struct {
	commit string
	number int64
}
