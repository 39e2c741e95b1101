package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/lipgloss"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/window"
)

func testPrinter(width int, env map[string]string, terminal bool) (*printer, *bytes.Buffer) {
	var out bytes.Buffer
	sys := &System{Terminal: terminal, Width: width, LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	return newPrinter(sys, &out), &out
}

func TestColourOnlyOnATerminalThatWantsIt(t *testing.T) {
	for _, c := range []struct {
		terminal bool
		env      map[string]string
		colour   bool
	}{
		{true, nil, true},
		{false, nil, false},
		{true, map[string]string{"NO_COLOR": "1"}, false},
		{true, map[string]string{"TERM": "dumb"}, false},
	} {
		p, out := testPrinter(80, c.env, c.terminal)
		p.line("%s", p.bad.Render("x"))
		if got := strings.Contains(out.String(), "\x1b["); got != c.colour {
			t.Errorf("terminal %v, env %v: colour %v", c.terminal, c.env, got)
		}
	}
}

func TestANarrowTerminalLosesColumnsAndKeepsRowsWhole(t *testing.T) {
	rows := [][]cell{
		{{text: "14:00:00"}, {text: "rollout"}, {text: "shop/a-service-with-a-very-long-name-indeed-0123456789"}, {text: "1 → 2"}, {text: strings.Repeat("x", 90)}},
		{{text: "14:00:01"}, {text: "restart"}, {text: "shop/b"}, {text: "2 → 3"}, {text: "y"}},
	}
	for _, width := range []int{20, 40, 60, 100, 200} {
		p, out := testPrinter(width, nil, true)
		p.table("  ", rows)
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != len(rows) {
			t.Errorf("width %d: %d lines:\n%s", width, len(lines), out)
		}
		for _, line := range lines {
			if lipgloss.Width(line) > width || !strings.Contains(line, "14:00:0") {
				t.Errorf("width %d: %q", width, line)
			}
		}
	}
}

func TestSentencesWrap(t *testing.T) {
	p, out := testPrinter(30, nil, true)
	p.sentence("  ", strings.Repeat("word ", 20))
	for line := range strings.Lines(out.String()) {
		if lipgloss.Width(strings.TrimSuffix(line, "\n")) > 30 {
			t.Errorf("%q", line)
		}
	}
	if strings.Count(out.String(), "word") != 20 {
		t.Errorf("words were lost:\n%s", out)
	}
}

func TestTextFromOutsideCannotDriveTheTerminal(t *testing.T) {
	const hostile = "a\x1b[31m\x1b]0;t\a\u202eb\u009bc"
	p, out := testPrinter(0, nil, false)
	p.table("", [][]cell{{{text: hostile}}})
	p.sentence("", hostile)
	printError(out, fmt.Errorf("%s", hostile))
	for _, bad := range []string{"\x1b", "\a", "\u202e", "\u009b"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("%q came through: %q", bad, out)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for text, want := range map[string]string{
		"/var/lib/rcactl": "/var/lib/rcactl", "": "''", "a b": "'a b'", "a;b": "'a;b'", "it's": `'it'\''s'`,
	} {
		if got := shellQuote(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestOrderIsOnlyToldWhereItIsKnown(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2026, 1, 31, 14, 0, s, 0, time.UTC) }
	w := window.Window{Start: at(0), End: at(59)}
	for _, c := range []struct {
		from, to, symptom time.Time
		want              string
	}{
		{at(10), at(10), at(20), "10s before the first symptom"},
		{at(30), at(30), at(20), "10s after the first symptom"},
		{at(20), at(20), at(20), "in the second of the first symptom"},
		{at(10), at(30), at(20), "before or after the first symptom"},
		{at(10), at(15), at(20), "5s before the first symptom"},
		{at(25), at(30), at(20), "5s after the first symptom"},
		{at(10), at(10), time.Time{}, ""},
		{at(-5), at(-5), time.Time{}, "began before the window"},
	} {
		if got := order(c.from, c.to, c.symptom, w); got != c.want {
			t.Errorf("%s–%s, symptom %s: %q, want %q", c.from, c.to, c.symptom, got, c.want)
		}
	}
}

func TestTheTimelineDoesNotSayNothingWhenNobodyAnswered(t *testing.T) {
	w := window.Window{Start: time.Date(2026, 1, 31, 14, 0, 0, 0, time.UTC), End: time.Date(2026, 1, 31, 15, 0, 0, 0, time.UTC)}
	p, out := testPrinter(0, nil, false)
	(&timeline{}).print(p, w, false)
	if !strings.Contains(out.String(), "not known: no source answered") || strings.Contains(out.String(), "nothing") {
		t.Errorf("%s", out)
	}
}

// What no source was read for is not known; that is another thing than nothing.
func TestNothingIsSaidOnlyOfWhatWasRead(t *testing.T) {
	source := func(typ string, status, stream manifest.Status) manifest.Source {
		return manifest.Source{Type: typ, Status: status, Streams: []manifest.Stream{{Status: stream}}}
	}
	for name, c := range map[string]struct {
		sources        []manifest.Source
		changes, hurts bool
	}{
		"a cluster":                  {[]manifest.Source{source("kubernetes", manifest.StatusComplete, manifest.StatusComplete)}, true, true},
		"GitHub alone":               {[]manifest.Source{source("github", manifest.StatusPartial, manifest.StatusPartial)}, true, false},
		"GitHub, and no repository":  {[]manifest.Source{source("github", manifest.StatusComplete, manifest.StatusSkipped)}, false, false},
		"GitHub, a cluster is down":  {[]manifest.Source{source("github", manifest.StatusComplete, manifest.StatusComplete), source("kubernetes", manifest.StatusFailed, manifest.StatusFailed)}, true, false},
		"images, and a failed other": {[]manifest.Source{source(typeImages, manifest.StatusComplete, manifest.StatusComplete), source("kubernetes", manifest.StatusFailed, manifest.StatusFailed)}, false, false},
	} {
		var s manifest.Statement
		s.Predicate.Sources = c.sources
		if changes, hurts := whatWasRead(s); changes != c.changes || hurts != c.hurts {
			t.Errorf("%s: changes %v, what hurts %v", name, changes, hurts)
		}
	}
	p, out := testPrinter(0, nil, false)
	(&timeline{painless: true}).print(p, window.Window{}, true)
	if !strings.Contains(out.String(), "What hurt\n  not known: no source that knows it was read") {
		t.Errorf("%s", out)
	}
}

func TestEqualTimesAreInTheOrderOfRevisions(t *testing.T) {
	at := time.Date(2026, 1, 31, 14, 0, 0, 0, time.UTC)
	var tl timeline
	for _, n := range []int64{10, 9, 8} {
		tl.add(evidence.Event{ID: fmt.Sprint(n), Time: at, Deployment: &evidence.Deployment{
			Change: evidence.ChangeRollout, Started: &at, From: &evidence.Template{Revision: n - 1}, To: &evidence.Template{Revision: n},
		}})
	}
	p, out := testPrinter(0, nil, false)
	tl.print(p, window.Window{Start: at, End: at.Add(time.Hour)}, true)
	first, last := strings.Index(out.String(), "7 → 8"), strings.Index(out.String(), "9 → 10")
	if first < 0 || last < first {
		t.Errorf("%s", out)
	}
}

func TestImagesAreToldByWhatChanged(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"r.example/shop/a:v1", "r.example/shop/a:v2", "v1 → v2"},
		{"r.example/shop/a:v1", "r.example/shop/b:v1", "a:v1 → b:v1"},
		{"localhost:5000/a", "localhost:5000/a:v1", "a → a:v1"},
		{"a@sha256:0123456789abcdef0123", "a@sha256:fedcba9876543210fedc", "0123456789ab → fedcba987654"},
	} {
		if got := imageChange(c.from, c.to); got != c.want {
			t.Errorf("%s, %s: %q, want %q", c.from, c.to, got, c.want)
		}
	}
}

func TestNodesAreInTheTimeline(t *testing.T) {
	at := time.Date(2026, 1, 31, 14, 0, 0, 0, time.UTC)
	from := at.Add(-time.Minute)
	node := evidence.Source{Object: evidence.Object{Kind: "Node", Name: "node-3"}}
	var tl timeline
	tl.add(evidence.Event{ID: "a", Time: at, Source: node, Node: &evidence.Node{
		Change: evidence.NodeUpgraded, NotBefore: &from, NotAfter: &at, Upgraded: []evidence.VersionChange{{Component: "kernel", From: "6.1.1", To: "6.1.2"}, {Component: "os_image", To: "x 2"}},
	}})
	tl.add(evidence.Event{ID: "b", Time: at, Source: node, Node: &evidence.Node{
		Change: evidence.NodeTaintsChanged, TaintsAdded: []string{"a:NoSchedule"}, TaintsRemoved: []string{"b:NoExecute"},
	}})
	p, out := testPrinter(0, nil, false)
	tl.print(p, window.Window{Start: from.Add(-time.Hour), End: at.Add(time.Hour)}, true)
	for _, want := range []string{"node-3", "upgraded", "kernel 6.1.1 → 6.1.2, os image x 2", "taints changed", "+a:NoSchedule, -b:NoExecute", when(from, at, "15:04:05")} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("without %q:\n%s", want, out)
		}
	}
}
