package github

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rcactl/rcactl/pkg/record"
)

// The bounds of what is read of a message.
const (
	maxMessage = 64 << 10
	maxNumbers = 100
	maxScope   = 64
)

var (
	conventionalForm = regexp.MustCompile(`^([A-Za-z]{2,12})(?:\(([^()]{1,64})\))?(!)?: +\S`)
	scopeForm        = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	longWord         = regexp.MustCompile(`[A-Za-z0-9]{20,}`) // like a token; the names of files can be, too
	breakingForm     = regexp.MustCompile(`(?m)^BREAKING[ -]CHANGE: *\S`)
	mergeForm        = regexp.MustCompile(`^Merge pull request #([0-9]{1,9}) from `)
	squashForm       = regexp.MustCompile(`\(#([0-9]{1,9})\)$`)
	revertForm       = regexp.MustCompile(`(?m)^This reverts commit ([0-9a-f]{64}|[0-9a-f]{40})\b`)
	// numberForm finds #12 and GH-12, but not owner/repo#12, a colour, or &#39;.
	numberForm = regexp.MustCompile(`(?:^|[\s(\[,:;])(?:#|GH-)([0-9]{1,9})\b`)
)

// message is what is kept of a commit message or of the title of a pull request:
// nothing of its text.
type message struct {
	conventional record.Conventional
	pulls        []int64 // it says that it merges them
	issues       []int64 // other numbers that it names
	reverts      string
	revert       bool // it says so, whether or not it names the commit
}

// conventionalTypes are the types that are known, by how people write them.
func conventionalType(word string) string {
	switch t := strings.ToLower(word); t {
	case "feat", "fix", "perf", "refactor", "revert", "build", "ci", "chore", "docs", "style", "test", "deps", "security", "config", "release":
		return t
	case "feature":
		return "feat"
	case "bugfix", "hotfix":
		return "fix"
	case "doc":
		return "docs"
	case "tests":
		return "test"
	case "dep":
		return "deps"
	}
	return ""
}

// readMessage reads a message of up to 64 KiB; what is beyond is not looked at. The
// scope is as it stands there: see knownScope.
func readMessage(text string) message {
	if len(text) > maxMessage {
		text = text[:maxMessage]
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	subject, body, _ := strings.Cut(text, "\n")
	subject = strings.TrimSpace(subject)
	var m message
	merged := mergeForm.FindStringSubmatch(subject)
	heading := subject
	switch {
	case merged != nil:
		m.pulls = numbers(m.pulls, merged[1])
		// GitHub puts the title of the pull request below.
		heading, _, _ = strings.Cut(strings.TrimLeft(body, "\n"), "\n")
		heading = strings.TrimSpace(heading)
	default:
		if squashed := squashForm.FindStringSubmatch(subject); squashed != nil {
			m.pulls = numbers(m.pulls, squashed[1])
		}
	}
	m.conventional = readConventional(heading)
	m.conventional.Breaking = m.conventional.Breaking || breakingForm.MatchString(body)
	if r := revertForm.FindStringSubmatch(text); r != nil {
		m.reverts = r[1]
	}
	m.revert = m.reverts != "" || m.conventional.Type == "revert" || strings.HasPrefix(heading, `Revert "`)
	for _, n := range numberForm.FindAllStringSubmatch(text, 4*maxNumbers) {
		m.issues = numbers(m.issues, n[1])
	}
	m.issues = slices.DeleteFunc(m.issues, func(n int64) bool { return slices.Contains(m.pulls, n) })
	if m.issues = pullNumbers(m.issues); len(m.issues) > maxNumbers {
		m.issues = m.issues[:maxNumbers]
	}
	return m
}

// readConventional reads "type(scope)!: subject". Of a type that is not well known
// nothing is kept.
func readConventional(subject string) record.Conventional {
	found := conventionalForm.FindStringSubmatch(subject)
	if found == nil {
		return record.Conventional{}
	}
	kind := conventionalType(found[1])
	if kind == "" {
		return record.Conventional{}
	}
	c := record.Conventional{Type: kind, Breaking: found[3] != ""}
	if scope := strings.TrimSpace(found[2]); len(scope) <= maxScope && scopeForm.MatchString(scope) && !longWord.MatchString(scope) {
		c.Scope = scope
	}
	return c
}

func numbers(list []int64, digits string) []int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 {
		return list
	}
	return append(list, n)
}

// knownScope reports whether a scope names a folder or file of a path, the file with
// or without its ending: then it is a word of the repository and not one of a
// person.
func knownScope(scope, file string) bool {
	if scope == "" {
		return false
	}
	for part := range strings.SplitSeq(file, "/") {
		if part == scope {
			return true
		}
		if rest, ok := strings.CutPrefix(part, scope); ok && rest[0] == '.' {
			return true
		}
	}
	return false
}
