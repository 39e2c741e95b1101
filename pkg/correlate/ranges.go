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
	whyNotAsked   = evidence.RangeNotAsked
	whyUnreadable = "unreadable"
	whyUnanswered = "unanswered"
	whyNotFound   = "not_found"
	whyTruncated  = "truncated"
)

// span is what lies between two commits of a repository. It is made once, however
// many deployments it is of.
type span struct {
	body    evidence.ChangeRange
	commits []string // those that are told, oldest first
	nodes   []int32  // those of which anything is known, likewise
	pulls   []int64  // sorted
	backOut bool     // they were taken back
	known   bool     // the status is
	left    bool     // it is not, and another run may be told
}

// between finds what lies between two commits, and asks for what is not known.
func (h *history) between(repo, base, head string) *span {
	r := h.repo(repo)
	if s := r.ranges[pair{base, head}]; s != nil {
		return s
	}
	if len(h.spans) == 0 {
		h.spans = make([]span, 64)
	}
	s := &h.spans[0]
	h.spans = h.spans[1:]
	s.body = evidence.ChangeRange{Repository: repo, Base: base, Head: head}
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
	if a != nil && a.Finding == record.Found && s.take(r, &a.Range) {
		s.describe(r, a.Range.PullRequests, &h.used)
		return
	}
	local := s.walk(r, &h.used)
	if !local {
		b.Status, b.Reason = evidence.RangeUnknown, h.why(a)
	}
	// What was collected tells the commits. Which files differ over several of them
	// only the repository can tell.
	if b.Files == nil {
		h.ask(q)
	}
	s.left = !local && (mayCome(a) || h.refused[q])
	if local {
		s.describe(r, nil, &h.used)
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
	if a.Final {
		return whyNotAsked // nobody is there for the repository
	}
	return whyUnanswered
}

// take reads an answer, and reports whether it is one.
func (s *span) take(r *repository, from *record.Range) bool {
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
			if at, ok := r.commits[sha]; ok {
				s.nodes = append(s.nodes, at)
			}
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
func (s *span) walk(r *repository, u *scratch) bool {
	base, head := r.find(s.body.Base), r.find(s.body.Head)
	back := base != nil && head != nil && base.committed.After(head.committed) // the likely way first: it is shorter
	if !s.walkTo(r, back, u) && !s.walkTo(r, !back, u) {
		return false
	}
	s.known = true
	s.commits = make([]string, len(s.nodes))
	for i, at := range s.nodes {
		s.commits[i] = r.nodes[at].sha
	}
	if len(s.nodes) == 1 {
		s.single(&r.nodes[s.nodes[0]])
	}
	return true
}

func (s *span) walkTo(r *repository, back bool, u *scratch) (ok bool) {
	b := &s.body
	if back {
		if s.nodes, ok = r.descend(b.Base, b.Head, u); ok {
			b.Status, b.Behind = string(record.RangeBehind), int32(len(s.nodes)) //nolint:gosec // at most maxWalk
			b.Rollback, s.backOut = true, true
		}
		return ok
	}
	if s.nodes, ok = r.descend(b.Head, b.Base, u); ok {
		b.Status, b.Ahead = string(record.RangeAhead), int32(len(s.nodes)) //nolint:gosec // as above
	}
	return ok
}

// single says that the files of a range of one commit are those of the commit.
func (s *span) single(n *node) {
	switch {
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
func (r *repository) descend(from, to string, u *scratch) ([]int32, bool) {
	list := u.nodes[:0]
	at, ok := r.commits[from]
	if !ok {
		return nil, false
	}
	// Most ranges are one line of commits. They need no set of what was met.
	for {
		n := &r.nodes[at]
		parents := n.parents()
		if len(parents) > 1 {
			return r.descendMerges(from, to)
		}
		if len(parents) == 0 || len(list) == maxWalk {
			return nil, false
		}
		list = append(list, at)
		if parents[0] == to {
			break
		}
		if at = r.parent(n); at < 0 {
			return nil, false
		}
	}
	u.nodes = list
	list = slices.Clone(list)
	slices.Reverse(list)
	return list, true
}

// descendMerges does so over merges: parents come before their children, and of
// several that may come the older one does.
func (r *repository) descendMerges(from, to string) (list []int32, ok bool) {
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
	ready := []int32{r.commits[from]}
	for len(ready) > 0 {
		i := r.newest(ready)
		at := ready[i]
		ready = slices.Delete(ready, i, i+1)
		list = append(list, at)
		for _, p := range r.nodes[at].parents() {
			if p == to {
				continue
			}
			if met[p]--; met[p] == 0 {
				ready = append(ready, r.commits[p])
			}
		}
	}
	slices.Reverse(list)
	return list, len(list) == len(met) // a commit is no ancestor of itself
}

func (r *repository) newest(list []int32) int {
	best := 0
	for i := range list {
		a, b := &r.nodes[list[i]], &r.nodes[list[best]]
		if cmp.Or(a.committed.Compare(b.committed), cmp.Compare(a.sha, b.sha)) > 0 {
			best = i
		}
	}
	return best
}

// scratch is memory that is used again for each range.
type scratch struct {
	authors, risks []string
	pulls          []int64
	nodes          []int32
}

// describe gathers who made the commits, what marks they have and which pull requests
// brought them.
func (s *span) describe(r *repository, pulls []int64, u *scratch) {
	b := &s.body
	u.authors, u.risks, u.pulls = u.authors[:0], u.risks[:0], append(u.pulls[:0], pulls...)
	for _, at := range s.nodes {
		n := &r.nodes[at]
		u.authors = append(u.authors, n.author())
		u.risks = n.risks(u.risks)
		u.pulls = r.pullsOf(n, u.pulls)
	}
	s.pulls = distinct(u.pulls, math.MinInt64)
	b.Authors, b.Risks, b.PullRequests = first(distinct(u.authors, "")), first(distinct(u.risks, "")), first(s.pulls)
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
func (r *repository) pullsOf(n *node, to []int64) []int64 {
	if n.body != nil {
		to = append(to, n.body.PullRequests...)
	}
	if n.answer != nil {
		to = append(to, n.answer.PullRequests...)
	}
	for _, at := range r.pulls[n.sha] {
		to = append(to, r.pullEvents[at])
	}
	return to
}

// distinct gives what is in a list, sorted, each once, without one that says nothing.
// It sorts the list itself.
func distinct[T cmp.Ordered](list []T, nothing T) []T {
	slices.Sort(list)
	list = slices.Compact(list)
	if len(list) > 0 && list[0] == nothing { // there is nothing less
		list = list[1:]
	}
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}

// first gives as many as are listed.
func first[T any](list []T) []T { return list[:min(len(list), maxListed):min(len(list), maxListed)] }
