package github

import (
	"errors"
	"path"
	"strings"
)

// The bounds of a glob.
const (
	maxGlobLength = 256
	maxGlobParts  = 32
)

var (
	errGlobEmpty = errors.New("a glob of nothing")
	errGlobLarge = errors.New("a glob is at most 256 characters and 32 folders long")
	errGlobForm  = errors.New("not a glob: a bracket is not closed, a folder has no name, or ** is beside other characters")
)

// glob fits paths of files. A * stands for anything within a folder, ? for one
// character, [a-z] for one of these, and ** for any number of folders. One without
// "/" fits the base name, one that ends in "/" all that is below a folder.
type glob struct {
	parts []string // "**" stands alone
}

// parseGlob reads a glob.
func parseGlob(pattern string) (glob, error) {
	switch {
	case pattern == "":
		return glob{}, errGlobEmpty
	case len(pattern) > maxGlobLength:
		return glob{}, errGlobLarge
	}
	anywhere := !strings.Contains(pattern, "/")
	below := strings.HasSuffix(pattern, "/")
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(pattern, "/"), "/"), "/")
	if anywhere {
		parts = append([]string{"**"}, parts...)
	}
	if below {
		parts = append(parts, "**")
	}
	if parts[len(parts)-1] == "**" {
		parts = append(parts, "*") // what is below a folder is not the folder
	}
	if len(parts) > maxGlobParts {
		return glob{}, errGlobLarge
	}
	for _, p := range parts {
		if p == "**" {
			continue
		}
		if p == "" || strings.Contains(p, "**") {
			return glob{}, errGlobForm
		}
		if _, err := path.Match(p, ""); err != nil {
			return glob{}, errGlobForm
		}
	}
	return glob{parts: parts}, nil
}

// fits reports whether the glob fits a path, of which the folders are given. Its
// time is bounded by the product of the lengths.
func (g glob) fits(folders []string) bool {
	// The usual way for one kind of wildcard that spans: go back to the last ** only,
	// since an earlier one can take nothing that a later one could not.
	at, star, from := 0, -1, 0
	for i := 0; i < len(folders); {
		switch {
		case at < len(g.parts) && g.parts[at] == "**":
			star, from = at, i
			at++
		case at < len(g.parts) && segmentFits(g.parts[at], folders[i]):
			at++
			i++
		case star >= 0:
			from++
			at, i = star+1, from
		default:
			return false
		}
	}
	for at < len(g.parts) && g.parts[at] == "**" {
		at++
	}
	return at == len(g.parts)
}

// segmentFits compares one folder or file name. A pattern was checked before.
func segmentFits(pattern, name string) bool {
	if !strings.ContainsAny(pattern, `*?[\`) {
		return pattern == name
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// rules tells the first rule that fits a path. Most rules name a file or an ending,
// which is looked up; the others are tried one by one.
type rules struct {
	base    map[string]int // base names without wildcards
	ending  map[string]int // "*.go": ".go"
	others  []ruleGlob
	longest int // of the endings, in dots
}

type ruleGlob struct {
	glob
	rule int
}

func newRules() *rules { return &rules{base: map[string]int{}, ending: map[string]int{}} }

// add adds a glob to a rule; rules are added in their order.
func (r *rules) add(rule int, pattern string) error {
	g, err := parseGlob(pattern)
	if err != nil {
		return err
	}
	keep := func(m map[string]int, key string) {
		if _, there := m[key]; !there {
			m[key] = rule
		}
	}
	last := g.parts[len(g.parts)-1]
	switch {
	case len(g.parts) != 2 || g.parts[0] != "**" || last == "**":
		r.others = append(r.others, ruleGlob{g, rule})
	case !strings.ContainsAny(last, `*?[\`):
		keep(r.base, last)
	case strings.HasPrefix(last, "*.") && !strings.ContainsAny(last[1:], `*?[\`):
		keep(r.ending, last[1:])
		r.longest = max(r.longest, strings.Count(last, "."))
	default:
		r.others = append(r.others, ruleGlob{g, rule})
	}
	return nil
}

// first gives the first rule that fits, or -1.
func (r *rules) first(file string) int {
	folders := strings.Split(strings.TrimPrefix(file, "/"), "/")
	name := folders[len(folders)-1]
	best := -1
	take := func(rule int, ok bool) {
		if ok && (best < 0 || rule < best) {
			best = rule
		}
	}
	rule, ok := r.base[name]
	take(rule, ok)
	for i, dots := len(name)-1, 0; i >= 0 && dots < r.longest; i-- {
		if name[i] == '.' {
			dots++
			rule, ok = r.ending[name[i:]]
			take(rule, ok)
		}
	}
	for _, g := range r.others {
		if best >= 0 && g.rule >= best {
			break // they are in the order of their rules
		}
		if g.fits(folders) {
			take(g.rule, true)
		}
	}
	return best
}
