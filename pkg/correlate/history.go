package correlate

import (
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/record"
)

// maxQuestions bounds what is asked in all calls for one run.
const maxQuestions = 2000

// state says what is known of a revision.
type state uint8

// The states.
const (
	stateOpen state = iota // nobody was asked, or nobody answered
	stateFound
	stateMissing
	stateAmbiguous
	stateUnreadable
)

// fact is what history says of a revision.
type fact struct {
	state state
	// pending says that the question is among those that this call puts.
	pending   bool
	sha       string // the full commit; of an open one the best that is known, or empty
	reach     record.Reach
	committed time.Time
}

// history looks revisions up in what was collected and answered, and gathers the
// questions that are left.
type history struct {
	*index
	questions map[record.HistoryQuestion]bool
	room      int // how many more may be put
	cut       int // how many were not put for want of room
	refused   map[record.HistoryQuestion]bool
	left      bool // something that was looked for, another run may be told
	used      scratch
	spans     []span              // room for some that are to come
	byName    map[string][]string // repositories by the last part of their names
}

func newHistory(x *index) *history {
	return &history{
		index: x, questions: map[record.HistoryQuestion]bool{}, refused: map[record.HistoryQuestion]bool{},
		room: max(0, maxQuestions-len(x.answers)),
	}
}

// ask puts a question unless it was answered, and reports whether it is open.
func (h *history) ask(q record.HistoryQuestion) bool {
	switch {
	case !h.in.Asked || q.Repository == "" || h.answers[q] != nil:
		return false
	case h.questions[q]:
		return true
	case len(h.questions) >= h.room:
		h.left = true
		if !h.refused[q] {
			h.refused[q] = true
			h.cut++
		}
		return false
	}
	h.questions[q] = true
	return true
}

// sorted gives the questions.
func (h *history) sorted() []record.HistoryQuestion {
	if len(h.questions) == 0 {
		return nil
	}
	out := make([]record.HistoryQuestion, 0, len(h.questions))
	for q := range h.questions {
		out = append(out, q)
	}
	slices.SortFunc(out, compareQuestions)
	return out
}

// look says what is known of a revision in a repository, and puts the question that
// would tell more.
func (h *history) look(repo string, n named) fact {
	switch n.form {
	case formFull:
		return h.lookFull(repo, n.value)
	case formShort:
		return h.lookShort(repo, n.value)
	case formName:
		return h.lookTag(repo, n.value)
	}
	return fact{state: stateMissing}
}

func (h *history) lookFull(repo, sha string) fact {
	f := fact{sha: sha}
	r := h.repos[repo]
	if r != nil {
		if n := r.find(sha); n != nil {
			f.state, f.committed = stateFound, n.committed
			f.reach = n.reach()
		}
	}
	if f.reach == "" && r != nil && r.forced[sha] {
		f.reach = record.ReachForced
	}
	if f.state == stateFound && (f.reach != "" || h.repos[repo].find(sha).onBranch) {
		return f
	}
	q := record.HistoryQuestion{Repository: repo, Revision: sha}
	a := h.answers[q]
	if a == nil {
		f.pending = h.ask(q)
		return f
	}
	if f.state == stateFound && a.Finding != record.Found {
		return f // it is there, and only where is not known
	}
	got := h.answered(a, sha)
	if got.reach == "" && got.state != stateMissing {
		got.reach = f.reach
	}
	if got.sha == "" {
		got.sha = sha
	}
	return got
}

// reach is how a commit of which events tell stands to the default branch.
func (n *node) reach() record.Reach {
	if n.onDefault {
		return record.ReachOn
	}
	return record.ReachUnknown
}

// answered reads an answer about a revision. A commit that does not begin as was
// asked is no answer.
func (h *history) answered(a *record.HistoryAnswer, prefix string) fact {
	switch a.Finding {
	case record.Found:
		if !isFull(a.Commit.SHA) || !strings.HasPrefix(a.Commit.SHA, prefix) {
			return fact{state: stateMissing}
		}
		f := fact{state: stateFound, sha: a.Commit.SHA, reach: a.ReachOf, committed: a.Commit.Committed}
		if n := h.repos[a.Question.Repository].find(f.sha); n != nil && n.onDefault {
			f.reach = record.ReachOn
		}
		return f
	case record.NotFound:
		return fact{state: stateMissing}
	case record.Ambiguous:
		return fact{state: stateAmbiguous}
	case record.Unreadable:
		return fact{state: stateUnreadable}
	}
	h.leave(a)
	return fact{}
}

// leave notes that an answer may be another one in another run.
func (h *history) leave(a *record.HistoryAnswer) {
	h.left = h.left || mayCome(a)
}

// mayCome reports whether another run may be told what this one was not.
func mayCome(a *record.HistoryAnswer) bool {
	return a != nil && a.Finding == record.Unanswered && !a.Final
}

// lookShort looks for the beginning of a commit. What was collected is only a part
// of the history: it can tell which commit is meant, and not that no other is.
func (h *history) lookShort(repo, prefix string) fact {
	q := record.HistoryQuestion{Repository: repo, Revision: prefix}
	a := h.answers[q]
	if a != nil && a.Finding != record.Unanswered {
		return h.answered(a, prefix)
	}
	h.leave(a)
	f := fact{pending: h.ask(q)}
	r := h.repos[repo]
	if r == nil {
		return f
	}
	switch n, several := r.beginning(prefix); {
	case several:
		return fact{state: stateAmbiguous}
	case n != "":
		at := r.find(n)
		f.sha, f.committed, f.reach = n, at.committed, at.reach()
	}
	return f
}

// beginning finds the commit that begins so; several says that more than one does.
func (r *repository) beginning(prefix string) (sha string, several bool) {
	if r.order == nil {
		r.order = make([]string, 0, len(r.commits))
		for sha := range r.commits {
			r.order = append(r.order, sha)
		}
		slices.Sort(r.order)
	}
	i, _ := slices.BinarySearch(r.order, prefix)
	if i == len(r.order) || !strings.HasPrefix(r.order[i], prefix) {
		return "", false
	}
	return r.order[i], i+1 < len(r.order) && strings.HasPrefix(r.order[i+1], prefix)
}

// lookTag looks for a tag, as it is written and then with the v in front or without.
func (h *history) lookTag(repo, tag string) fact {
	spellings := [2]string{tag, otherSpelling(tag)}
	if r := h.repos[repo]; r != nil {
		for _, t := range spellings {
			if sha := r.tags[t]; sha != "" {
				f := h.lookFull(repo, sha)
				if f.state == stateOpen || f.state == stateFound {
					return f
				}
			}
		}
	}
	var f fact
	for _, t := range spellings {
		q := record.HistoryQuestion{Repository: repo, Revision: t}
		a := h.answers[q]
		if a == nil {
			return fact{pending: h.ask(q)}
		}
		if f = h.answered(a, ""); f.state != stateMissing {
			return f
		}
	}
	return f
}

// homes finds the repository of a full commit of which nothing says where it is
// from: the one that has it, among those that may be meant. Empty when none has it,
// or when several do, such as a fork and what it was forked from.
func (h *history) homes(sha, image string) string {
	home := ""
	for _, name := range h.mayBeHome(image) {
		f := h.lookFull(name, sha)
		if f.state != stateFound {
			continue
		}
		if home != "" {
			return ""
		}
		home = name
	}
	return home
}

// maxHomes bounds how many repositories are asked for one commit.
const maxHomes = 3

// mayBeHome are the repositories that are known when there are few, else those whose
// name is a part of the image's.
func (h *history) mayBeHome(image string) []string {
	if len(h.known) <= maxHomes {
		return h.known
	}
	if h.byName == nil {
		h.byName = make(map[string][]string, len(h.known))
		for _, name := range h.known {
			last := name[strings.LastIndexByte(name, '/')+1:]
			h.byName[last] = append(h.byName[last], name)
		}
	}
	for rest := strings.ToLower(image); rest != ""; { // the last part says most
		i := strings.LastIndexByte(rest, '/')
		if names := h.byName[rest[i+1:]]; len(names) > 0 {
			return names[:min(len(names), maxHomes)]
		}
		rest = rest[:max(i, 0)]
	}
	return nil
}

// ownedAlike reports whether only the owner of a repository can have published an
// image: it lies under the owner's name in the registry of the repository's own host,
// as ghcr.io/acme/web does for github.com/acme/shop. In other registries anybody may
// have taken the name.
func ownedAlike(repo, image string) bool {
	home, path, _ := strings.Cut(repo, "/")
	owner, _, _ := strings.Cut(path, "/")
	host, rest, _ := strings.Cut(strings.ToLower(image), "/")
	if home == "github.com" {
		home = "ghcr.io"
	}
	if host != home && !strings.HasSuffix(host, "."+home) {
		return false
	}
	first, _, more := strings.Cut(rest, "/")
	return more && first == owner
}
