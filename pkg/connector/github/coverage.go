package github

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

// maxNamed is how many repositories a reason names.
const maxNamed = 3

// part is what came of one stream of one repository.
type part struct {
	repo    string
	stream  string
	records []timed
	// class and reason say what went wrong; both are empty when nothing did.
	class   connector.Class
	reason  string
	missing []connector.Grant
	// truncated says that a bound cut the answer.
	truncated bool
}

// timed is a record with what it is sorted by.
type timed struct {
	at     time.Time
	id     string
	record record.Record
}

func (p *part) add(at time.Time, id string, r record.Record) {
	p.records = append(p.records, timed{at, id, r})
}

// fail notes an error. The first one stays.
func (p *part) fail(err error) {
	if err == nil || p.reason != "" {
		return
	}
	told := explain(err)
	p.class, p.reason, p.missing = told.Class, told.Message, missingGrants(err)
	if errors.Is(err, errEndless) {
		p.class, p.reason = connector.ClassProtocol, "a list of GitHub's did not end"
	}
	p.truncated = p.truncated || p.class == connector.ClassBound
}

// cut notes that a bound of ours or of GitHub's left something out.
func (p *part) cut(format string, args ...any) {
	if p.reason != "" {
		return
	}
	p.class, p.reason, p.truncated = connector.ClassBound, fmt.Sprintf(format, args...), true
}

func (p *part) whole() bool { return p.reason == "" }

// streamCoverage puts together what came of a stream in all repositories. The order
// of the parts is that of the repositories.
func streamCoverage(stream string, asked window.Window, parts []*part) connector.Coverage {
	c := connector.Coverage{Stream: stream, Status: connector.Complete, Asked: asked, Answered: asked}
	var bad []*part
	nothing := true
	for _, p := range parts {
		if !p.whole() {
			bad = append(bad, p)
		}
		nothing = nothing && !p.whole() && len(p.records) == 0
	}
	if len(bad) == 0 {
		return c
	}
	c.Status = connector.Partial
	if nothing {
		c.Status, c.Answered = connector.Failed, window.Window{}
	}
	c.Class = bad[0].class
	for _, p := range bad {
		c.Truncated = c.Truncated || p.truncated
		for _, g := range p.missing {
			if !slices.Contains(c.Missing, g) {
				c.Missing = append(c.Missing, g)
			}
		}
	}
	slices.SortFunc(c.Missing, func(a, b connector.Grant) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Verb, b.Verb), cmp.Compare(a.Rule, b.Rule))
	})
	c.Reason = reasonOf(bad, len(parts))
	return c
}

// reasonOf names the repositories by their reasons: "acme/shop: ...; 4 more ...".
func reasonOf(bad []*part, all int) string {
	byReason := map[string][]string{}
	var order []string
	for _, p := range bad {
		if byReason[p.reason] == nil {
			order = append(order, p.reason)
		}
		byReason[p.reason] = append(byReason[p.reason], p.repo)
	}
	var out []string
	for _, reason := range order[:min(len(order), maxNamed)] {
		repos := byReason[reason]
		who := strings.Join(repos[:min(len(repos), maxNamed)], ", ")
		switch {
		case len(repos) == all && all > 1:
			who = fmt.Sprintf("all %d repositories", all)
		case len(repos) > maxNamed:
			who = fmt.Sprintf("%s and %d more", who, len(repos)-maxNamed)
		}
		out = append(out, who+": "+reason)
	}
	if more := len(order) - maxNamed; more > 0 {
		out = append(out, fmt.Sprintf("%d more reasons", more))
	}
	return strings.Join(out, "; ")
}
