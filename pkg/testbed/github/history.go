package github

import (
	"bytes"
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ident is the author or committer of a commit.
type ident struct {
	name, email string
	when        time.Time
}

// commit is one commit of the history, as its object says.
type commit struct {
	sha, tree         string
	parents           []int32 // those that the clone has; a shallow one lacks some
	author, committer ident
	message           string
	signature         string
	payload           []byte // the object without its signature; only of signed commits
}

// subject is the first line of the message.
func (c *commit) subject() string {
	s, _, _ := strings.Cut(c.message, "\n")
	return s
}

// tag is a tag; object is what the ref points to, target the commit behind it.
type tag struct {
	name, object, target string
	annotated            bool
	tagger               ident // of an annotated one, as its message
	message              string
}

// history is everything that git knows of a repository, read once. It does not
// change, except for its caches, which are guarded by mu.
type history struct {
	dir      string
	calls    atomic.Int32 // how often git ran
	commits  []commit
	index    map[string]int32
	sorted   []string          // all SHAs, for those that are given in short
	branches map[string]string // name to SHA
	tags     []tag             // by name
	head     string            // the branch that HEAD names, or empty

	mu      sync.Mutex
	walks   map[int32][]int32
	diffs   map[[2]string]*diff
	patches map[[2]string][]string
	bases   map[[2]int32]int32
}

// git runs git in the repository.
func (h *history) git(stdin io.Reader, args ...string) ([]byte, error) {
	h.calls.Add(1)
	return runGit(h.dir, stdin, args...)
}

// readHistory reads all commits, reachable or not: GitHub goes on serving by its
// SHA what a force-push took away.
func readHistory(dir string) (*history, error) {
	h := &history{
		dir: dir, index: map[string]int32{}, branches: map[string]string{},
		walks: map[int32][]int32{}, diffs: map[[2]string]*diff{}, patches: map[[2]string][]string{}, bases: map[[2]int32]int32{},
	}
	if err := h.readCommits(); err != nil {
		return nil, err
	}
	if err := h.readRefs(); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *history) readCommits() error {
	list, err := h.git(nil, "cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objecttype) %(objectname)")
	if err != nil {
		return err
	}
	var want bytes.Buffer
	for line := range strings.Lines(string(list)) {
		if sha, ok := strings.CutPrefix(line, "commit "); ok {
			want.WriteString(sha)
		}
	}
	raw, err := h.git(&want, "cat-file", "--batch", "--buffer")
	if err != nil {
		return err
	}
	parents, err := h.parseCommits(raw)
	if err != nil {
		return err
	}
	for i, shas := range parents {
		for _, sha := range shas {
			if p, ok := h.index[sha]; ok {
				h.commits[i].parents = append(h.commits[i].parents, p)
			}
		}
	}
	h.sorted = make([]string, 0, len(h.commits))
	for i := range h.commits {
		h.sorted = append(h.sorted, h.commits[i].sha)
	}
	slices.Sort(h.sorted)
	return nil
}

// parseCommits reads what git cat-file --batch prints, and gives the parents of
// each commit.
func (h *history) parseCommits(raw []byte) ([][]string, error) {
	var parents [][]string
	for len(raw) > 0 {
		line, rest, ok := bytes.Cut(raw, []byte("\n"))
		f := strings.Fields(string(line))
		if !ok || len(f) != 3 || f[1] != "commit" {
			return nil, fmt.Errorf("git cat-file printed %.80q, want a commit", line)
		}
		size, err := strconv.Atoi(f[2])
		if err != nil || size < 0 || size >= len(rest) {
			return nil, fmt.Errorf("git cat-file printed the size %q of a commit", f[2])
		}
		c, ps, err := parseCommit(f[0], rest[:size])
		if err != nil {
			return nil, err
		}
		h.index[c.sha] = int32(len(h.commits)) //nolint:gosec // a history of 2^31 commits does not fit in memory
		h.commits = append(h.commits, c)
		parents = append(parents, ps)
		raw = rest[size+1:]
	}
	return parents, nil
}

// parseCommit reads a commit object.
func parseCommit(sha string, object []byte) (commit, []string, error) {
	c := commit{sha: sha}
	var parents []string
	head, message, _ := strings.Cut(string(object), "\n\n")
	c.message = strings.TrimRight(message, "\n")
	key := ""
	for line := range strings.SplitSeq(head, "\n") {
		value, more := strings.CutPrefix(line, " ")
		if !more {
			key, value, _ = strings.Cut(line, " ")
		}
		var err error
		switch key {
		case "tree":
			c.tree = value
		case "parent":
			parents = append(parents, value)
		case "author":
			c.author, err = parseIdent(value)
		case "committer":
			c.committer, err = parseIdent(value)
		case "gpgsig":
			c.signature += value + "\n"
		}
		if err != nil {
			return commit{}, nil, fmt.Errorf("commit %s: %w", sha, err)
		}
	}
	if c.signature != "" {
		c.payload = unsigned(object)
	}
	return c, parents, nil
}

// unsigned is a commit object without its signature: what was signed.
func unsigned(object []byte) []byte {
	var out []byte
	in, body := false, false
	for line := range bytes.Lines(object) {
		switch {
		case body:
		case len(line) == 1:
			body = true
		case bytes.HasPrefix(line, []byte("gpgsig ")):
			in = true
			continue
		case in && line[0] == ' ':
			continue
		default:
			in = false
		}
		out = append(out, line...)
	}
	return out
}

// parseIdent reads "Name <mail> 1700000000 +0100".
func parseIdent(s string) (ident, error) {
	open, end := strings.LastIndex(s, "<"), strings.LastIndex(s, ">")
	if open < 0 || end < open {
		return ident{}, errors.New("it has an author that is none")
	}
	f := strings.Fields(s[end+1:])
	if len(f) == 0 {
		return ident{}, errors.New("it has an author without a time")
	}
	sec, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return ident{}, fmt.Errorf("it has a time that is none: %w", err)
	}
	return ident{name: strings.TrimSpace(s[:open]), email: s[open+1 : end], when: time.Unix(sec, 0).UTC()}, nil
}

// readRefs reads branches, tags and HEAD. A clone as CI makes it has the branches
// of origin only.
func (h *history) readRefs() error {
	format := strings.Join([]string{
		"%(refname)", "%(objectname)", "%(objecttype)", "%(*objectname)", "%(taggername)", "%(taggeremail:trim)", "%(taggerdate:unix)", "%(contents)",
	}, "%01") + "%02"
	out, err := h.git(nil, "for-each-ref", "--format="+format, "refs/heads", "refs/remotes/origin", "refs/tags")
	if err != nil {
		return err
	}
	remote := map[string]string{}
	for record := range strings.SplitSeq(string(out), "\x02") {
		f := strings.SplitN(strings.TrimPrefix(record, "\n"), "\x01", 8)
		if len(f) < 8 {
			continue
		}
		if name, ok := strings.CutPrefix(f[0], "refs/heads/"); ok {
			h.branches[name] = f[1]
		} else if name, ok := strings.CutPrefix(f[0], "refs/remotes/origin/"); ok && name != "HEAD" {
			remote[name] = f[1]
		} else if name, ok := strings.CutPrefix(f[0], "refs/tags/"); ok {
			h.addTag(name, f[1:])
		}
	}
	if len(h.branches) == 0 {
		h.branches = remote
	}
	slices.SortFunc(h.tags, func(a, b tag) int { return cmp.Compare(a.name, b.name) })
	return h.readHead()
}

// addTag adds a tag: its object, type, target, tagger's name, address and time,
// and message.
func (h *history) addTag(name string, f []string) {
	t := tag{name: name, object: f[0], target: f[0]}
	if f[1] == "tag" {
		sec, _ := strconv.ParseInt(f[5], 10, 64) // a tag without a tagger has none
		t.annotated, t.target, t.message = true, f[2], strings.TrimRight(f[6], "\n")
		t.tagger = ident{name: f[3], email: f[4], when: time.Unix(sec, 0).UTC()}
	}
	if _, ok := h.index[t.target]; ok { // a tag of a tree or a blob is none of a commit
		h.tags = append(h.tags, t)
	}
}

// readHead finds the default branch. A detached HEAD is served as main, when
// there is no branch of that name.
func (h *history) readHead() error {
	out, err := h.git(nil, "symbolic-ref", "--quiet", "--short", "HEAD")
	if err == nil {
		h.head = strings.TrimSpace(string(out))
		return nil
	}
	if exitCode(err) != 1 {
		return err
	}
	h.head = "main"
	if _, ok := h.branches[h.head]; ok {
		return nil
	}
	sha, err := h.git(nil, "rev-parse", "--verify", "HEAD")
	if err != nil {
		return err
	}
	h.branches[h.head] = strings.TrimSpace(string(sha))
	return nil
}

// prefixed gives the commits whose SHA begins with a prefix, two at most.
func (h *history) prefixed(prefix string) []string {
	i, _ := slices.BinarySearch(h.sorted, prefix)
	var out []string
	for ; i < len(h.sorted) && strings.HasPrefix(h.sorted[i], prefix) && len(out) < 2; i++ {
		out = append(out, h.sorted[i])
	}
	return out
}

// walk is every commit that a head has, in the order of git rev-list: the newest
// committer date first, among those whose child was seen.
func (h *history) walk(head int32) []int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if order, ok := h.walks[head]; ok {
		return order
	}
	seen := make([]bool, len(h.commits))
	q := &queue{h: h}
	push := func(i int32) {
		if !seen[i] {
			seen[i] = true
			heap.Push(q, waiting{i, q.next})
			q.next++
		}
	}
	push(head)
	var order []int32
	for q.Len() > 0 {
		i := heap.Pop(q).(waiting).commit
		order = append(order, i)
		for _, p := range h.commits[i].parents {
			push(p)
		}
	}
	h.walks[head] = order
	return order
}

// reach marks every commit that a head has.
func (h *history) reach(head int32) []bool {
	seen := make([]bool, len(h.commits))
	for _, i := range h.walk(head) {
		seen[i] = true
	}
	return seen
}

// between is what head has and base has not, newest first.
func (h *history) between(base, head int32) []int32 {
	has := h.reach(base)
	var out []int32
	for _, i := range h.walk(head) {
		if !has[i] {
			out = append(out, i)
		}
	}
	return out
}

// mergeBase is the best common ancestor as git names it first; false when there
// is none.
func (h *history) mergeBase(a, b int32) (int32, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := [2]int32{a, b}
	if m, ok := h.bases[key]; ok {
		return m, m >= 0, nil
	}
	out, err := h.git(nil, "merge-base", h.commits[a].sha, h.commits[b].sha)
	if err != nil && exitCode(err) != 1 {
		return 0, false, err
	}
	m, ok := h.index[strings.TrimSpace(string(out))]
	if !ok {
		m = -1
	}
	h.bases[key] = m
	return m, ok, nil
}

// queue is commits that wait for their turn in a walk.
type queue struct {
	h    *history
	list []waiting
	next int
}

type waiting struct {
	commit int32
	seq    int
}

func (q *queue) Len() int { return len(q.list) }

func (q *queue) Less(i, j int) bool {
	a, b := q.list[i], q.list[j]
	if c := q.h.commits[a.commit].committer.when.Compare(q.h.commits[b.commit].committer.when); c != 0 {
		return c > 0
	}
	return a.seq < b.seq
}
func (q *queue) Swap(i, j int) { q.list[i], q.list[j] = q.list[j], q.list[i] }
func (q *queue) Push(x any)    { q.list = append(q.list, x.(waiting)) }
func (q *queue) Pop() any {
	last := q.list[len(q.list)-1]
	q.list = q.list[:len(q.list)-1]
	return last
}
