package github

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

const (
	// maxRevision bounds what is asked for.
	maxRevision = 256
	// maxGoneAsked is how many heads that a branch was rewritten away from are compared
	// with a commit that is on no branch any more.
	maxGoneAsked = 3
)

var (
	shortForm = regexp.MustCompile(`^[0-9a-f]{7,63}$`)
	// refForm is what a name of a tag can be, without what git refuses anyway.
	refForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/+@=-]*$`)
)

// history is what Resolve knows: of the last Collect, and of its own answers.
type history struct {
	mu sync.Mutex
	// repos are by the name that they were asked by, and by the one that they have.
	repos map[string]*opened
	// merged are the pull requests that made a commit, by repository and commit.
	merged map[string][]int64
	// onDefault are commits that were met on the default branch.
	onDefault map[string]bool
	// compared are commits that were compared for what a branch has since the last run.
	compared map[string]*comparison
	answers  map[record.HistoryQuestion]*answering
	// unanswered counts the questions that a limit or a failure left open, by reason.
	unanswered map[string]int
	asked      int
}

// opened is a repository that is opened once.
type opened struct {
	once sync.Once
	repo *repository
	err  error
}

// answering is a question that is answered once.
type answering struct {
	once   sync.Once
	answer record.HistoryAnswer
}

func newHistory() *history {
	return &history{
		repos: map[string]*opened{}, merged: map[string][]int64{}, onDefault: map[string]bool{}, compared: map[string]*comparison{},
		answers: map[record.HistoryQuestion]*answering{}, unanswered: map[string]int{},
	}
}

// learn keeps of a collection what answers questions without asking.
func (c *collection) learn() *history {
	h := newHistory()
	done := func(name string, r *repository, err error) {
		o := &opened{repo: r, err: err}
		o.once.Do(func() {})
		h.repos[name] = o
	}
	for _, r := range c.repos {
		done(r.name, r, nil)
		done(r.asked, r, nil)
		for _, p := range r.merged {
			key := r.name + "@" + p.commit
			h.merged[key] = append(h.merged[key], p.number)
		}
		if r.head != "" {
			h.onDefault[r.name+"@"+r.head] = true
		}
		for _, b := range r.looked {
			if b.since != nil {
				h.compared[comparisonKey(r, b.before.SHA, b.at.SHA)] = b.since
			}
		}
		for _, m := range r.pending {
			if m.DefaultBranch {
				h.onDefault[r.name+"@"+m.sha] = true
			}
		}
	}
	for _, r := range c.refused {
		if !isStopped(r.err) {
			done(r.name, nil, r.err)
		}
	}
	return h
}

// Resolve implements connector.RangeResolver. It asks for no repository that the
// config leaves out; where the config names none, any of the same host may be asked
// for.
func (s *source) Resolve(ctx context.Context, questions []record.HistoryQuestion) ([]record.HistoryAnswer, error) {
	answers := make([]record.HistoryAnswer, len(questions))
	sideBySide(len(questions), func(i int) {
		a := s.history.answering(questions[i])
		a.once.Do(func() { a.answer = s.answer(ctx, questions[i]) })
		answers[i] = a.answer
	})
	for _, a := range answers {
		if a.Finding == record.Unanswered {
			s.history.unanswered[a.Reason]++
			delete(s.history.answers, a.Question) // it may be asked again
		}
	}
	s.history.asked += len(questions)
	return answers, nil
}

func (h *history) answering(q record.HistoryQuestion) *answering {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.answers[q]
	if a == nil {
		a = &answering{}
		h.answers[q] = a
	}
	return a
}

// Resolved implements connector.RangeResolver.
func (s *source) Resolved() (actions []connector.Action, notes []string) {
	h := s.history
	var reasons []string
	left := 0
	for reason, n := range h.unanswered {
		reasons = append(reasons, reason)
		left += n
	}
	slices.Sort(reasons)
	if left > 0 {
		notes = append(notes, fmt.Sprintf("questions about the history without an answer: %d of %d (%s)", left, h.asked, strings.Join(reasons[:min(len(reasons), maxNamed)], "; ")))
	}
	h.unanswered, h.asked = map[string]int{}, 0
	return s.client.actions(), notes
}

// answer answers one question.
func (s *source) answer(ctx context.Context, q record.HistoryQuestion) record.HistoryAnswer {
	out := record.HistoryAnswer{Question: q}
	r, err := s.repositoryOf(ctx, q.Repository)
	switch {
	case err == nil:
	case isNotFound(err), isGone(err), explain(err).Class == connector.ClassForbidden:
		out.Finding, out.Reason = record.Unreadable, explain(err).Message
		return out
	default:
		return unanswered(out, err)
	}
	switch {
	case q.Base != "" || q.Head != "":
		err = s.answerRange(ctx, r, &out)
	default:
		err = s.answerRevision(ctx, r, &out)
	}
	if err != nil {
		return unanswered(out, err)
	}
	return out
}

// unanswered says why a question stays open.
func unanswered(out record.HistoryAnswer, err error) record.HistoryAnswer {
	told := explain(err)
	return record.HistoryAnswer{Question: out.Question, Finding: record.Unanswered, Reason: told.Message, Final: errors.Is(err, errNotMine)}
}

// errNotMine says that a repository is somebody else's to be asked for.
var errNotMine = errors.New("not of this source")

// repositoryOf opens a repository once.
func (s *source) repositoryOf(ctx context.Context, name string) (*repository, error) {
	if _, _, ok := s.client.split(name); !ok {
		return nil, connector.Errorf(connector.ClassConfig, errNotMine, "the repository is not of %s", s.client.host())
	}
	if !s.cfg.Follows() && !s.names(name) {
		return nil, connector.Errorf(connector.ClassConfig, errNotMine, "the config does not name the repository")
	}
	h := s.history
	h.mu.Lock()
	o := h.repos[name]
	if o == nil {
		o = &opened{}
		h.repos[name] = o
	}
	h.mu.Unlock()
	o.once.Do(func() {
		if o.repo, o.err = s.open(ctx, name); o.err == nil {
			o.repo.next = &repoState{}
		}
	})
	if isStopped(o.err) {
		h.mu.Lock()
		delete(h.repos, name)
		h.mu.Unlock()
	}
	return o.repo, o.err
}

// names reports whether the config names a repository, by the name that it has or by
// the one that it was asked by.
func (s *source) names(name string) bool {
	targets, _ := s.client.targets(connector.Scope{})
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	return slices.Contains(targets, name) || s.history.repos[name] != nil
}

// answerRevision finds what a revision names: a commit, the beginning of one, a tag.
func (s *source) answerRevision(ctx context.Context, r *repository, out *record.HistoryAnswer) (err error) {
	rev := out.Question.Revision
	switch {
	case fullSHA(rev):
		err = s.findCommit(ctx, r, rev, out)
	case len(rev) > maxRevision || !refForm.MatchString(rev) || strings.Contains(rev, "..") || strings.Contains(rev, "//"):
		out.Finding = record.NotFound
	case shortForm.MatchString(rev):
		err = s.findShort(ctx, r, rev, out)
	default:
		err = s.findTag(ctx, r, rev, out)
	}
	if err != nil || out.Finding != record.Found {
		return err
	}
	out.ReachOf, err = s.reach(ctx, r, out.Commit.SHA)
	return err
}

// found takes the answer to a request for a commit. A commit that is not there is an
// answer, too: the repository was read.
func found(out *record.HistoryAnswer, c record.Commit, err error) error {
	switch {
	case err == nil:
		out.Finding, out.Commit = record.Found, c
	case isNotFound(err), isUnprocessable(err), isEmptyRepository(err):
		out.Finding, err = record.NotFound, nil
	}
	return err
}

func (s *source) findCommit(ctx context.Context, r *repository, sha string, out *record.HistoryAnswer) error {
	if known, ok := s.kept(r, sha); ok {
		return found(out, known, nil)
	}
	c, err := s.detail(ctx, r, "commits/"+sha, sha, "the commit of a deployment")
	return found(out, c, err)
}

// findShort finds the commit that begins so. GitHub takes names first, so that what
// comes back may be that of a tag, which is fine, or of a branch, which is not: it
// moves. GitHub does not say of a beginning that it is one of several; it then says
// that there is none.
func (s *source) findShort(ctx context.Context, r *repository, short string, out *record.HistoryAnswer) error {
	if len(r.beginning(short)) > 1 { // of one that was met others may begin so, too
		out.Finding = record.Ambiguous
		return nil
	}
	c, err := s.detail(ctx, r, commitPath(short), "", "the commit of a deployment")
	if err == nil && !strings.HasPrefix(c.SHA, short) {
		return s.findTag(ctx, r, short, out)
	}
	return found(out, c, err)
}

// beginning are the commits of this run that begin so.
func (r *repository) beginning(short string) (known []string) {
	for _, m := range r.pending {
		if strings.HasPrefix(m.sha, short) {
			known = append(known, m.sha)
		}
	}
	return known
}

func (s *source) findTag(ctx context.Context, r *repository, tag string, out *record.HistoryAnswer) error {
	c, err := s.detail(ctx, r, commitPath("tags/"+tag), "", "the commit of a tag")
	return found(out, c, err)
}

// reach tells how a commit stands to the default branch. That it is on it is kept for
// ever, as long as that branch is not seen to be rewritten.
func (s *source) reach(ctx context.Context, r *repository, sha string) (record.Reach, error) {
	if s.history.onDefault[r.name+"@"+sha] {
		return record.ReachOn, nil
	}
	key := "reach/" + r.storeName() + "/" + sha + "/" + digestName("branch", r.branch+"\x00"+strings.Join(r.next.Gone, " "))
	if s.env.Store != nil {
		if text, ok := s.env.Store.Get(key); ok && string(text) == `"on"` {
			return record.ReachOn, nil
		}
	}
	status, err := s.compare(ctx, r, r.branch, sha)
	switch {
	case isNotFound(err):
		// The commit is there and so is the branch: they have no ancestor in common. A
		// commit of a fork is found like one of the repository itself, and may be such.
		return s.gone(ctx, r, sha)
	case err != nil:
		return record.ReachUnknown, err
	case status == record.RangeBehind || status == record.RangeIdentical:
		if s.env.Store != nil {
			s.env.Store.Put(key, []byte(`"on"`))
		}
		return record.ReachOn, nil
	case status != record.RangeAhead && status != record.RangeDiverged:
		return record.ReachUnknown, nil
	}
	return s.gone(ctx, r, sha)
}

// gone tells whether a commit that is not on the default branch was on a branch that
// was rewritten: on the way to a head that it had.
func (s *source) gone(ctx context.Context, r *repository, sha string) (record.Reach, error) {
	for i, head := range slices.Backward(r.next.Gone) {
		if len(r.next.Gone)-i > maxGoneAsked {
			break
		}
		if head == sha {
			return record.ReachForced, nil
		}
		status, err := s.compare(ctx, r, head, sha)
		switch {
		case isNotFound(err):
			continue
		case err != nil:
			return record.ReachUnknown, err
		case status == record.RangeBehind:
			return record.ReachForced, nil
		}
	}
	return record.ReachOff, nil
}

// compare tells how head stands to base.
func (s *source) compare(ctx context.Context, r *repository, base, head string) (record.RangeStatus, error) {
	var answer compareJSON
	path := "compare/" + url.PathEscape(base) + "..." + url.PathEscape(head) + "?per_page=1"
	_, err := s.asking(r, record.StreamCommits, "is a commit on the branch").get(ctx, path, &answer)
	return record.RangeStatus(answer.Status), err
}
