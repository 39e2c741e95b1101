package correlate

import (
	"cmp"
	"math"
	"slices"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

const (
	maxListed = 100   // commits, pull requests and authors of a range that are listed
	maxWalk   = 1_000 // commits that are walked without asking
)

// Reasons why something of a range is not known.
const (
	whyNotAsked   = "not_asked"
	whyUnreadable = "unreadable"
	whyUnanswered = "unanswered"
	whyNotFound   = "not_found"
	whyTruncated  = "truncated"
)

// span is what lies between two commits of a repository. It is made once, however
// many deployments it is of.
type span struct {
	body    evidence.ChangeRange
	commits []string // all that are known, oldest first
	nodes   []int32  // the same, those of which anything is known
	pulls   []int64  // sorted
	backOut bool     // they were taken back
	known   bool     // the status is
}

// between finds what lies between two commits, and asks for what is not known.
func (h *history) between(repo, base, head string) *span {
	r := h.repo(repo)
	if s := r.ranges[pair{base, head}]; s != nil {
		return s
	}
	s := &span{body: evidence.ChangeRange{Repository: repo, Base: base, Head: head}}
	h.fill(r, s)
	if r.ranges == nil {
		r.ranges = map[pair]*span{}
	}
	r.ranges[pair{base, head}] = s
	return s
}

func (h *history) fill(r *repository, s *span) {
	b := &s.body
	if b.Base == b.Head {
		b.Status, s.known = string(record.RangeIdentical), true
		return
	}
	q := record.HistoryQuestion{Repository: r.name, Base: b.Base, Head: b.Head}
	a := h.answers[q]
	if a != nil && a.Finding == record.Found && s.take(&a.Range) {
		s.describe(r, a.Range.PullRequests)
		return
	}
	local := s.walk(r)
	if !local {
		b.Status, b.Reason = "unknown", h.why(a)
	}
	// What was collected tells the commits. Which files differ over several of them
	// only the repository can tell.
	if b.Files == nil {
		h.ask(q)
	}
	if local {
		s.describe(r, nil)
	}
}

// why says why a range is not known.
func (h *history) why(a *record.HistoryAnswer) string {
	switch {
	case a == nil && !h.in.Asked:
		return whyNotAsked
	case a == nil:
		return whyUnanswered
	}
	switch a.Finding {
	case record.NotFound, record.Ambiguous:
		return whyNotFound
	case record.Unreadable:
		return whyUnreadable
	}
	return whyUnanswered
}

// take reads an answer, and reports whether it is one.
func (s *span) take(from *record.Range) bool {
	b := &s.body
	switch from.Status {
	case record.RangeIdentical, record.RangeAhead, record.RangeDiverged:
	case record.RangeBehind:
		s.backOut = true
	default:
		return false
	}
	b.Status, s.known = string(from.Status), true
	b.Rollback = s.backOut
	b.Ahead, b.Behind = max(from.Ahead, 0), max(from.Behind, 0)
	met := make(map[string]bool, len(from.Commits))
	for i := range from.Commits {
		if sha := from.Commits[i].SHA; isFull(sha) && !met[sha] {
			met[sha] = true
			s.commits = append(s.commits, sha)
		}
	}
	b.CommitsMore = max(from.More, 0)
	if b.CommitsMore > 0 {
		b.Reason = whyTruncated
	}
	if from.FilesKnown {
		files := max(from.Files, 0)
		b.Files, b.FilesTruncated = &files, from.FilesTruncated
		for _, c := range from.Categories {
			b.Categories = append(b.Categories, evidence.Category{Category: string(c.Category), Files: c.Files})
		}
	}
	return true
}

// walk looks for the range in what was collected, and reports whether it is wholly
// there: every way from one commit ends at the other one, and so no ancestor of that
// is among what lies between.
func (s *span) walk(r *repository) bool {
	base, head := r.find(s.body.Base), r.find(s.body.Head)
	back := base != nil && head != nil && base.committed.After(head.committed) // the likely way first: it is shorter
	if !s.walkTo(r, back) && !s.walkTo(r, !back) {
		return false
	}
	s.known = true
	if len(s.commits) == 1 {
		s.single(r.find(s.commits[0]))
	}
	return true
}

func (s *span) walkTo(r *repository, back bool) (ok bool) {
	b := &s.body
	if back {
		if s.commits, ok = r.descend(b.Base, b.Head); ok {
			b.Status, b.Behind = string(record.RangeBehind), int32(len(s.commits)) //nolint:gosec // at most maxWalk
			b.Rollback, s.backOut = true, true
		}
		return ok
	}
	if s.commits, ok = r.descend(b.Head, b.Base); ok {
		b.Status, b.Ahead = string(record.RangeAhead), int32(len(s.commits)) //nolint:gosec // as above
	}
	return ok
}

// single says that the files of a range of one commit are those of the commit.
func (s *span) single(n *node) {
	switch {
	case len(n.parents()) != 1:
	case n.body != nil && n.body.Size != nil:
		files := n.body.Size.Files
		s.body.Files, s.body.FilesTruncated, s.body.Categories = &files, n.body.Size.Truncated, n.body.Size.Categories
	case n.body == nil && n.answer != nil && n.answer.Detailed:
		files := n.answer.Files
		s.body.Files, s.body.FilesTruncated = &files, n.answer.FilesTruncated
		for _, c := range n.answer.Categories {
			s.body.Categories = append(s.body.Categories, evidence.Category{Category: string(c.Category), Files: c.Files})
		}
	}
}

// descend walks from a commit towards another one. It gives what lies between,
// oldest first, with the commit itself and without the other one; ok is false where
// a way leads elsewhere.
func (r *repository) descend(from, to string) (list []string, ok bool) {
	// Most ranges are one line of commits. They need no set of what was met.
	for at := from; at != to; {
		n := r.find(at)
		if n == nil || len(list) == maxWalk {
			return nil, false
		}
		parents := n.parents()
		if len(parents) != 1 {
			if len(parents) == 0 {
				return nil, false
			}
			return r.descendMerges(from, to)
		}
		list = append(list, at)
		at = parents[0]
	}
	slices.Reverse(list)
	return list, true
}

// descendMerges does so over merges: parents come before their children, and of
// several that may come the older one does.
func (r *repository) descendMerges(from, to string) (list []string, ok bool) {
	met := map[string]int{from: 0} // how many children are still to be listed
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		n := r.find(queue[0])
		if n == nil || len(n.parents()) == 0 || len(met) > maxWalk {
			return nil, false
		}
		for _, p := range n.parents() {
			if p == to {
				continue
			}
			if _, again := met[p]; !again {
				queue = append(queue, p)
			}
			met[p]++
		}
	}
	ready := []string{from}
	for len(ready) > 0 {
		i := r.newest(ready)
		at := ready[i]
		ready = slices.Delete(ready, i, i+1)
		list = append(list, at)
		for _, p := range r.find(at).parents() {
			if p == to {
				continue
			}
			if met[p]--; met[p] == 0 {
				ready = append(ready, p)
			}
		}
	}
	slices.Reverse(list)
	return list, len(list) == len(met) // a commit is no ancestor of itself
}

func (r *repository) newest(shas []string) int {
	best := 0
	for i, sha := range shas {
		a, b := r.find(sha), r.find(shas[best])
		if cmp.Or(a.committed.Compare(b.committed), cmp.Compare(sha, shas[best])) > 0 {
			best = i
		}
	}
	return best
}

// describe gathers who made the commits, what marks they have and which pull requests
// brought them.
func (s *span) describe(r *repository, pulls []int64) {
	b := &s.body
	var authors, risks []string
	pulls = slices.Clone(pulls)
	s.nodes = make([]int32, 0, len(s.commits))
	for _, sha := range s.commits {
		at, ok := r.commits[sha]
		if !ok {
			continue
		}
		n := &r.nodes[at]
		s.nodes = append(s.nodes, at)
		authors = append(authors, n.author())
		risks = n.risks(risks)
		pulls = r.pullsOf(sha, n, pulls)
	}
	s.pulls = distinct(pulls, math.MinInt64)
	b.Authors, b.Risks, b.PullRequests = first(distinct(authors, "")), first(distinct(risks, "")), first(s.pulls)
	listed := s.commits
	if more := len(listed) - maxListed; more > 0 {
		listed = listed[more:]       // those that are nearest to what runs, or ran
		b.CommitsMore += int32(more) //nolint:gosec // answers are bounded far below
	}
	b.Commits = slices.Clip(listed)
}

// author is who wrote a commit; empty for a program, or when it is not known.
func (n *node) author() string {
	if n.body != nil && n.body.Author != nil {
		if n.body.Author.Bot {
			return ""
		}
		return n.body.Author.Pseudonym
	}
	if n.answer != nil && !n.answer.Author.Bot {
		return n.answer.Author.Pseudonym
	}
	return ""
}

// risks adds the marks of a commit.
func (n *node) risks(to []string) []string {
	if n.body != nil {
		to = append(to, n.body.Risks...)
	}
	if n.answer != nil {
		for _, k := range n.answer.Risks {
			to = append(to, string(k))
		}
	}
	return to
}

// pullsOf adds the pull requests that brought a commit: those that its message names
// as merged, and those that it is the merge of.
func (r *repository) pullsOf(sha string, n *node, to []int64) []int64 {
	if n.body != nil {
		to = append(to, n.body.PullRequests...)
	}
	if n.answer != nil {
		to = append(to, n.answer.PullRequests...)
	}
	for _, at := range r.pulls[sha] {
		to = append(to, r.pullEvents[at])
	}
	return to
}

// distinct gives what is in a list, sorted, each once, without one that says nothing.
func distinct[T cmp.Ordered](list []T, nothing T) []T {
	slices.Sort(list)
	list = slices.Compact(list)
	list = slices.DeleteFunc(list, func(v T) bool { return v == nothing })
	if len(list) == 0 {
		return nil
	}
	return slices.Clip(list)
}

// first gives as many as are listed.
func first[T any](list []T) []T { return list[:min(len(list), maxListed):min(len(list), maxListed)] }
