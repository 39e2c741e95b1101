package github

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// diffAhead is how many commits are diffed at once: one git process a commit is
// what would make a thousand details slow.
const diffAhead = 200

// emptyTree is the tree that a first commit is compared with.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// change is one file of a difference.
type change struct {
	path, previous       string
	status               string // in GitHub's words
	blob                 string
	additions, deletions int
	patch                string
}

// diff is what differs between two commits.
type diff struct {
	files                []change
	additions, deletions int
}

// ofCommit is what a commit changed against its first parent. It diffs the next
// ones of the walk along with it.
func (h *history) ofCommit(i int32) (*diff, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	pair := h.pair(i)
	if d := h.diffs[pair]; d != nil || pair[0] == emptyTree {
		if d != nil {
			return d, nil
		}
		return h.diffLocked(pair)
	}
	var in strings.Builder
	want := h.ahead(i)
	for _, j := range want {
		p := h.pair(j)
		fmt.Fprintf(&in, "%s %s\n", p[1], p[0])
	}
	out, err := h.git(strings.NewReader(in.String()), "diff-tree", "--stdin", "-r", "-z", "-M", "--raw", "--numstat")
	if err != nil {
		return nil, err
	}
	bySHA, err := parseDiffs(out)
	if err != nil {
		return nil, err
	}
	for _, j := range want {
		d := bySHA[h.commits[j].sha]
		if d == nil {
			d = &diff{} // nothing changed
		}
		h.diffs[h.pair(j)] = d
	}
	return h.diffs[pair], nil
}

// ahead is a commit and those that follow it in a walk that was made: what will
// be asked for next. First commits are left out.
func (h *history) ahead(i int32) []int32 {
	out := []int32{i}
	for _, order := range h.walks {
		at := slices.Index(order, i)
		if at < 0 {
			continue
		}
		for _, j := range order[at+1 : min(at+diffAhead, len(order))] {
			if pair := h.pair(j); h.diffs[pair] == nil && pair[0] != emptyTree {
				out = append(out, j)
			}
		}
		break
	}
	return out
}

// pair is what a commit is compared with, and itself.
func (h *history) pair(i int32) [2]string {
	c := &h.commits[i]
	if len(c.parents) == 0 {
		return [2]string{emptyTree, c.sha}
	}
	return [2]string{h.commits[c.parents[0]].sha, c.sha}
}

// diff is what differs between any two commits.
func (h *history) diff(base, head int32) (*diff, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.diffLocked([2]string{h.commits[base].sha, h.commits[head].sha})
}

func (h *history) diffLocked(pair [2]string) (*diff, error) {
	if d := h.diffs[pair]; d != nil {
		return d, nil
	}
	out, err := h.git(nil, "diff-tree", "-r", "-z", "-M", "--raw", "--numstat", pair[0], pair[1])
	if err != nil {
		return nil, err
	}
	all, err := parseDiffs([]byte(pair[1] + "\x00" + string(out)))
	if err != nil {
		return nil, err
	}
	h.diffs[pair] = all[pair[1]]
	return h.diffs[pair], nil
}

// parseDiffs reads what git diff-tree --stdin -z --raw --numstat prints: for each
// commit its SHA, the raw lines, then the numbers.
func parseDiffs(out []byte) (map[string]*diff, error) {
	tokens := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	all := map[string]*diff{}
	var d *diff
	next := func() string {
		if len(tokens) == 0 {
			return ""
		}
		t := tokens[0]
		tokens = tokens[1:]
		return t
	}
	numbered := 0
	for len(tokens) > 0 {
		t := next()
		switch {
		case len(t) == 40 && !strings.Contains(t, "\t"):
			d, numbered = &diff{}, 0
			all[t] = d
		case t == "" || d == nil:
		case t[0] == ':':
			c, renamed, err := parseRaw(t)
			if err != nil {
				return nil, err
			}
			c.path = next()
			if renamed {
				c.previous, c.path = c.path, next()
			}
			d.files = append(d.files, c)
		default:
			if numbered >= len(d.files) {
				return nil, fmt.Errorf("git diff-tree printed %.80q after the last file", t)
			}
			c := &d.files[numbered]
			numbered++
			if err := c.count(t); err != nil {
				return nil, err
			}
			if strings.HasSuffix(t, "\t") {
				next()
				next()
			}
			d.additions += c.additions
			d.deletions += c.deletions
		}
	}
	return all, nil
}

// parseRaw reads ":100644 100644 <sha> <sha> R090".
func parseRaw(t string) (change, bool, error) {
	f := strings.Fields(t)
	if len(f) != 5 {
		return change{}, false, fmt.Errorf("git diff-tree printed %.80q, want a raw line", t)
	}
	c := change{blob: f[3]}
	switch f[4][0] {
	case 'A':
		c.status = "added"
	case 'D':
		c.status, c.blob = "removed", f[2]
	case 'R':
		c.status = "renamed"
	case 'C':
		c.status = "copied"
	case 'T':
		c.status = "changed"
	default:
		c.status = "modified"
	}
	return c, f[4][0] == 'R' || f[4][0] == 'C', nil
}

// count reads "12\t3\tpath", or "-\t-\tpath" of a binary file.
func (c *change) count(t string) error {
	f := strings.SplitN(t, "\t", 3)
	if len(f) != 3 {
		return fmt.Errorf("git diff-tree printed %.80q, want numbers", t)
	}
	if f[0] == "-" {
		return nil
	}
	var err error
	if c.additions, err = strconv.Atoi(f[0]); err != nil {
		return fmt.Errorf("git diff-tree printed %.80q, want numbers: %w", t, err)
	}
	if c.deletions, err = strconv.Atoi(f[1]); err != nil {
		return fmt.Errorf("git diff-tree printed %.80q, want numbers: %w", t, err)
	}
	return nil
}

// maxPatch is the longest text of a change that is given. GitHub leaves out long
// ones as well.
const maxPatch = 100_000

// withPatches is a difference with the text of its changes.
func (h *history) withPatches(d *diff, base, head string) (*diff, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	pair := [2]string{base, head}
	texts, known := h.patches[pair]
	if !known {
		out, err := h.git(nil, "diff-tree", "-r", "-p", "-M", base, head)
		if err != nil {
			return nil, err
		}
		texts = splitPatch(string(out))
		h.patches[pair] = texts
	}
	full := *d
	full.files = slices.Clone(d.files)
	for i, at := 0, 0; i < len(full.files) && at < len(texts); i, at = i+1, at+1 {
		if full.files[i].status == "changed" {
			at++ // told as one file that goes and one that comes
		} else if len(texts[at]) <= maxPatch {
			full.files[i].patch = texts[at]
		}
	}
	return &full, nil
}

// splitPatch cuts a patch into its files, from the first hunk on. One without hunks
// is empty.
func splitPatch(s string) []string {
	var out []string
	for part := range strings.SplitSeq("\n"+s, "\ndiff --git ") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		_, hunks, found := strings.Cut(part, "\n@@ ")
		if found {
			hunks = strings.TrimSuffix("@@ "+hunks, "\n")
		}
		out = append(out, hunks)
	}
	return out
}
