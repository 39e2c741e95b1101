package github

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/rcactl/rcactl/pkg/record"
)

const (
	// maxRange is how many commits of a range are read, maxRangeDetails of how many the
	// details are.
	maxRange        = 250
	maxRangeDetails = 100
	// maxRangePulls is up to how many commits GitHub is asked which pull request brought
	// them, when nothing else told.
	maxRangePulls = 20
)

// keptRange is a range in the store: its commits are there by themselves.
type keptRange struct {
	record.Range
	Commits []string `json:"Commits"`
}

// answerRange tells what lies between two commits.
func (s *source) answerRange(ctx context.Context, r *repository, out *record.HistoryAnswer) error {
	q := out.Question
	if !fullSHA(q.Base) || !fullSHA(q.Head) {
		out.Finding = record.NotFound
		return nil
	}
	if known, ok := s.keptRange(r, q.Base, q.Head); ok {
		out.Finding, out.Range = record.Found, known
		return nil
	}
	between, err := s.readRange(ctx, r, q.Base, q.Head)
	if isNotFound(err) || isUnprocessable(err) || isEmptyRepository(err) {
		out.Finding = record.NotFound
		return nil
	}
	if err != nil {
		return err
	}
	out.Finding, out.Range = record.Found, between
	s.keepRange(r, q.Base, q.Head, between)
	return nil
}

// readRange asks GitHub. Of a range that goes back the other way round is asked, too:
// what was taken back is what head lacks.
func (s *source) readRange(ctx context.Context, r *repository, base, head string) (record.Range, error) {
	out, commits, err := s.difference(ctx, r, base, head)
	if err != nil {
		return out, err
	}
	if out.Status == record.RangeBehind {
		taken, lost, err := s.difference(ctx, r, head, base)
		if err != nil {
			return out, err
		}
		taken.Status, taken.Ahead, taken.Behind = out.Status, out.Ahead, out.Behind
		out, commits = taken, lost
	}
	if err := s.detailRange(ctx, r, &out, commits); err != nil {
		return out, err
	}
	return out, s.rangePulls(ctx, r, &out)
}

// difference compares two commits, page by page. All files are on the first page, and
// GitHub does not say that there are more.
func (s *source) difference(ctx context.Context, r *repository, base, head string) (record.Range, []commitJSON, error) {
	if known := s.history.compared[comparisonKey(r, base, head)]; known != nil {
		return known.between, known.commits, nil
	}
	var c comparison
	a := s.asking(r, record.StreamCommits, "what lies between two commits")
	err := pages(ctx, a, "compare/"+base+"..."+head, nil, func(page *compareJSON) (bool, error) {
		c.add(page, s.summaries.sorter)
		return len(c.commits) < maxRange, nil
	})
	if err == nil && !c.known() {
		err = errStatus
	}
	return c.between, c.commits, err
}

// comparison is what GitHub tells of two commits.
type comparison struct {
	between record.Range // without its commits
	commits []commitJSON // at most maxRange
	total   int32
	begun   bool
}

// add takes a page.
func (c *comparison) add(page *compareJSON, by *sorter) {
	if !c.begun {
		c.begun, c.total = true, max(page.Total, page.Ahead)
		c.between.Status, c.between.Ahead, c.between.Behind = record.RangeStatus(page.Status), page.Ahead, page.Behind
		counted := by.counting()
		for _, f := range page.Files {
			counted.add(f.Filename, f.Previous)
		}
		c.between.FilesKnown, c.between.FilesTruncated = true, counted.files >= filesPage
		c.between.Files, c.between.Categories = counted.files, counted.categories()
	}
	for _, one := range page.Commits {
		if fullSHA(one.SHA) && len(c.commits) < maxRange {
			c.commits = append(c.commits, one)
		}
	}
	c.between.More = max(c.total-int32(len(c.commits)), 0) //nolint:gosec // at most maxRange
}

// known reports whether the status is one that there is.
func (c *comparison) known() bool {
	switch c.between.Status {
	case record.RangeIdentical, record.RangeAhead, record.RangeBehind, record.RangeDiverged:
		return true
	}
	return false
}

// short reports whether the comparison can be used without the messages of its
// commits: it is whole, and they all have details.
func (c *comparison) short() bool {
	return c.known() && c.between.More == 0 && len(c.commits) <= maxRangeDetails
}

func comparisonKey(r *repository, base, head string) string {
	return r.name + "@" + base + "..." + head
}

var errStatus = errors.New("a comparison without a status that is known")

// detailRange fills in the commits, with details of as many as there may be.
func (s *source) detailRange(ctx context.Context, r *repository, out *record.Range, commits []commitJSON) error {
	if len(commits) == 0 {
		return nil
	}
	out.Commits = make([]record.Commit, len(commits))
	errs := make([]error, len(commits))
	sideBySide(len(commits), func(i int) {
		c := &commits[i]
		out.Commits[i] = s.summarize(r, c)
		if out.Commits[i].Detailed || i >= maxRangeDetails {
			return
		}
		var full record.Commit
		if full, errs[i] = s.detail(ctx, r, "commits/"+c.SHA, c.SHA, "what a deployed commit touched"); errs[i] == nil {
			out.Commits[i] = full
		}
	})
	return errors.Join(errs...)
}

// rangePulls finds the pull requests that brought the commits: by what the messages
// say, by those that were read anyway, and for a short range that none is known of, by
// asking.
func (s *source) rangePulls(ctx context.Context, r *repository, out *record.Range) error {
	var all []int64
	for _, c := range out.Commits {
		all = append(all, c.PullRequests...)
		all = append(all, s.history.merged[r.name+"@"+c.SHA]...)
	}
	if len(all) == 0 && out.More == 0 && len(out.Commits) <= maxRangePulls {
		asked := make([][]int64, len(out.Commits))
		errs := make([]error, len(out.Commits))
		sideBySide(len(out.Commits), func(i int) { asked[i], errs[i] = s.pullsOf(ctx, r, out.Commits[i].SHA) })
		if err := errors.Join(errs...); err != nil {
			return err
		}
		for _, one := range asked {
			all = append(all, one...)
		}
	}
	out.PullRequests = pullNumbers(all)
	return nil
}

// pullsOf asks which merged pull requests a commit belongs to. A credential that may
// not see pull requests is no reason to tell nothing of the commits.
func (s *source) pullsOf(ctx context.Context, r *repository, sha string) ([]int64, error) {
	var page []pullJSON
	_, err := s.asking(r, record.StreamPullRequests, "the pull request of a commit").get(ctx, "commits/"+sha+"/pulls?per_page=100", &page)
	if err != nil {
		if hasStatus(err, 403, 404, 422) {
			err = nil
		}
		return nil, err
	}
	var out []int64
	for _, p := range page {
		if p.Number > 0 && !p.Merged.IsZero() {
			out = append(out, p.Number)
		}
	}
	return out, nil
}

func (s *source) rangeKey(r *repository, base, head string) string {
	return "range/" + r.storeName() + "/" + base + "..." + head + "/" + s.summaries.sorter.digest
}

// keptRange gives a range that the store has, if it has all its commits too.
func (s *source) keptRange(r *repository, base, head string) (record.Range, bool) {
	if s.env.Store == nil {
		return record.Range{}, false
	}
	text, ok := s.env.Store.Get(s.rangeKey(r, base, head))
	if !ok {
		return record.Range{}, false
	}
	var kept keptRange
	if json.Unmarshal(text, &kept) != nil || kept.Status == "" || len(kept.Commits) > maxRangeDetails {
		return record.Range{}, false
	}
	out := kept.Range
	for _, sha := range kept.Commits {
		c, ok := s.kept(r, sha)
		if !ok {
			return record.Range{}, false
		}
		out.Commits = append(out.Commits, c)
	}
	return out, true
}

// keepRange puts a range between two commits into the store: it never changes. A long
// one, of which not all details are known, is asked for again.
func (s *source) keepRange(r *repository, base, head string, between record.Range) {
	if s.env.Store == nil || len(between.Commits) > maxRangeDetails {
		return
	}
	kept := keptRange{Range: between}
	kept.Range.Commits = nil
	for _, c := range between.Commits {
		if !c.Detailed {
			return
		}
		kept.Commits = append(kept.Commits, c.SHA)
	}
	if text, err := json.Marshal(kept); err == nil {
		s.env.Store.Put(s.rangeKey(r, base, head), text)
	}
}
