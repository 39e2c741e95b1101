package github

import (
	"context"
	"fmt"

	"github.com/rcactl/rcactl/pkg/record"
)

// maxReleasePages bounds how many pages of releases are read.
const maxReleasePages = 10

// releaseJSON is what is decoded of a release: never its name or body.
type releaseJSON struct {
	ID         int64     `json:"id"`
	Tag        string    `json:"tag_name"`
	Draft      bool      `json:"draft"`
	Prerelease bool      `json:"prerelease"`
	Created    stamp     `json:"created_at"` // of the commit that is tagged
	Published  stamp     `json:"published_at"`
	Author     *userJSON `json:"author"`
}

// listReleases reads the releases that were published in the window. GitHub lists
// them by the date of the commit; the list is read up to a page on which nothing is of
// the window or later, neither commit nor release.
func (s *source) listReleases(ctx context.Context, l *look, r *repository) {
	if l.quiet(r, record.StreamReleases) {
		return
	}
	p, reach := r.part(record.StreamReleases), l.reach(record.StreamReleases)
	var found []releaseJSON
	seen := map[int64]bool{}
	read := 0
	err := pages(ctx, s.asking(r, record.StreamReleases, "releases"), "releases", nil, func(page *[]releaseJSON) (bool, error) {
		recent := false
		for _, one := range *page {
			recent = recent || one.Draft || !one.Created.Before(reach.Start) || !one.Published.Before(reach.Start)
			if one.ID > 0 && !seen[one.ID] && reach.Contains(one.Published.Time) {
				seen[one.ID] = true
				found = append(found, one)
			}
		}
		if read++; recent && read >= maxReleasePages {
			p.cut("more than %d releases were made since the window began", maxReleasePages*perPage)
			return false, nil
		}
		return recent, nil
	})
	p.fail(err)
	for i := range found {
		one := &found[i]
		out := record.Release{
			Repository: r.name, ID: one.ID, Tag: ifFits(tagForm, one.Tag), Published: one.Published.Time,
			Prerelease: one.Prerelease, Author: s.summaries.people.person(one.Author, ""),
		}
		commit, err := s.detail(ctx, r, commitPath("tags/"+one.Tag), "", "the commit of a tag")
		switch {
		case err == nil:
			out.Commit = commit.SHA
		case isNotFound(err) || isUnprocessable(err): // the tag was deleted
		default:
			p.fail(err)
			continue
		}
		p.add(out.Published, fmt.Sprintf("%020d", out.ID), out)
	}
	if p.whole() {
		l.listed(r, record.StreamReleases)
	}
}
