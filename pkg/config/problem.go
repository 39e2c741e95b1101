package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a problem stops the run.
type Severity string

// The two severities.
const (
	Error   Severity = "error"   // the file is not used
	Warning Severity = "warning" // the file is used; somebody should look
)

// Problem is one thing about a config file that somebody should know. It never
// holds the value of a key where a credential belongs.
type Problem struct {
	File string `json:"file"`
	// Line and Column count from 1, columns in characters.
	Line   int `json:"line"`
	Column int `json:"column"`

	Severity Severity `json:"severity"`
	// Rule is a stable id; see Rules.
	Rule string `json:"rule"`
	// Path leads to the value, as in connectors.kubernetes.namespaces[0]. It is
	// empty for the file as a whole.
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	// Hint says what to do; may be empty.
	Hint string `json:"hint,omitempty"`
}

// String gives file:line:column, severity, path and message on one line. The
// hint is not part of it.
func (p Problem) String() string {
	severity := string(p.Severity)
	if p.Severity == Warning {
		severity += "[" + p.Rule + "]"
	}
	s := fmt.Sprintf("%s:%d:%d: %s: ", p.File, p.Line, p.Column, severity)
	if p.Path != "" {
		s += p.Path + ": "
	}
	return s + p.Message
}

// Problems is what is wrong with one or more files, in the order of position.
// As JSON it is a list.
type Problems []Problem

// Errors counts the problems that stop the run.
func (ps Problems) Errors() int { return ps.count(Error) }

// Warnings counts the others.
func (ps Problems) Warnings() int { return ps.count(Warning) }

func (ps Problems) count(s Severity) (n int) {
	for _, p := range ps {
		if p.Severity == s {
			n++
		}
	}
	return n
}

// Text gives a line a problem, each followed by its hint.
func (ps Problems) Text() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String() + "\n")
		if p.Hint != "" {
			b.WriteString("   " + p.Hint + "\n")
		}
	}
	return b.String()
}

// Summary counts in words: "2 errors, 1 warning", or "no problems".
func (ps Problems) Summary() string {
	var parts []string
	for _, s := range []Severity{Error, Warning} {
		switch n := ps.count(s); n {
		case 0:
		case 1:
			parts = append(parts, "1 "+string(s))
		default:
			parts = append(parts, fmt.Sprintf("%d %ss", n, s))
		}
	}
	if len(parts) == 0 {
		return "no problems"
	}
	return strings.Join(parts, ", ")
}

// collector gathers the problems of one file.
type collector struct {
	file   string
	schema *schema
	found  []located
}

// located is a problem with the place in the tree that it is about, so that
// healthy parts can be told from sick ones.
type located struct {
	Problem
	at path
}

func (c *collector) add(rule string, pos position, at path, hint, format string, args ...any) {
	severity := Error
	if rule == ruleBroadScope || rule == ruleNoExpansion {
		severity = Warning
	}
	c.found = append(c.found, located{
		Problem: Problem{
			File: c.file, Line: max(pos.line, 1), Column: max(pos.column, 1),
			Severity: severity, Rule: rule,
			Message: fmt.Sprintf(format, args...), Hint: hint,
		},
		at: at,
	})
}

// sick reports whether an error lies at or below a place.
func (c *collector) sick(at path) bool {
	return slices.ContainsFunc(c.found, func(l located) bool {
		return l.Severity == Error && l.at.within(at)
	})
}

func (c *collector) failed() bool { return c.sick(nil) }

// problems sorts by position and drops what says the same of the same place: a
// value behind an anchor is met once for each alias. A warning about a value
// that has an error is dropped too.
func (c *collector) problems() Problems {
	ps := make(Problems, len(c.found))
	paths, steps := make([]path, len(c.found)), map[string]bool{}
	for i, l := range c.found {
		paths[i] = c.schema.showable(l.at)
		for _, step := range paths[i] {
			steps[step] = true
		}
	}
	hidden := credentials(steps)
	for i, l := range c.found {
		ps[i] = l.Problem
		ps[i].Path = paths[i].text(hidden)
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Message, b.Message), cmp.Compare(a.Path, b.Path))
	})
	kept := ps[:0]
	for _, p := range ps {
		if n := len(kept); n > 0 && kept[n-1].Line == p.Line && kept[n-1].Column == p.Column {
			same := kept[n-1].Rule == p.Rule && kept[n-1].Message == p.Message
			if same || kept[n-1].Severity == Error && p.Severity == Warning {
				continue
			}
		}
		kept = append(kept, p)
	}
	return kept
}
