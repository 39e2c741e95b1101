package collect

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/redact"
	"github.com/rcactl/rcactl/pkg/window"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func TestWhereAStreamGoesOn(t *testing.T) {
	const overlap = 10 * time.Minute
	ago := func(d time.Duration) time.Time { return noon().Add(-d) }
	tests := []struct {
		name    string
		through time.Time // zero: the cursor does not know the stream
		overlap time.Duration
		start   time.Time
		note    string
		wantErr string
	}{
		{"no cursor", time.Time{}, overlap, ago(time.Hour), "", ""},
		{"goes on", ago(5 * time.Minute), overlap, ago(5 * time.Minute), "", ""},
		{"little overlap", ago(5 * time.Minute), 0, ago(5*time.Minute + 2*time.Second), "", ""},
		{"long ago", ago(30 * 24 * time.Hour), overlap, ago(7 * 24 * time.Hour), "last 7 days", ""},
		{"clock set back a little", ago(-time.Minute), overlap, ago(time.Second), "", ""},
		{"the same moment", noon(), overlap, ago(time.Second), "", ""},
		{"future", ago(-time.Hour), overlap, time.Time{}, "", "in the future"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := memory{path: "/state/x.json", known: true}
			if !tt.through.IsZero() {
				m.file.Streams = map[string]time.Time{"s": tt.through}
			}
			caps := connector.Capabilities{Streams: []connector.Stream{{Name: "s", Overlap: tt.overlap}}}
			p, err := planFor(Options{Since: time.Hour}, noon(), caps, m, connector.Identity{})
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) || !strings.Contains(err.Error(), m.path) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := (window.Window{Start: tt.start, End: noon()}); p.streams["s"] != want {
				t.Errorf("got %v, want %v", p.streams["s"], want)
			}
			if got := strings.Join(p.notes, " "); !strings.Contains(got, tt.note) || (tt.note == "") != (got == "") {
				t.Errorf("note %q", got)
			}
			if got := p.reach(caps.Streams[0]); got != p.streams["s"].Back(tt.overlap) {
				t.Errorf("reach %v", got)
			}
			if got := p.request(connector.Scope{}, nil).WindowOf("s"); got != p.streams["s"] {
				t.Errorf("request %v", got)
			}
		})
	}
}

func TestACursorIsMovedOnlyWhenNothingIsLeft(t *testing.T) {
	asked := window.Window{Start: noon(), End: noon().Add(time.Hour)}
	late := window.Window{Start: noon().Add(time.Minute), End: asked.End}
	early := window.Window{Start: noon(), End: asked.End.Add(-time.Minute)}
	for _, tt := range []struct {
		name string
		c    connector.Coverage
		want bool
	}{
		{"complete", connector.Coverage{Status: connector.Complete, Answered: asked}, true},
		{"not asked by choice", connector.Coverage{Status: connector.Skipped}, true},
		{"the source forgot the beginning", connector.Coverage{Status: connector.Partial, Answered: late}, true},
		{"the end is missing", connector.Coverage{Status: connector.Partial, Answered: early}, false},
		{"an error", connector.Coverage{Status: connector.Partial, Answered: late, Class: connector.ClassTimeout}, false},
		{"a bound", connector.Coverage{Status: connector.Partial, Answered: late, Truncated: true}, false},
		{"a grant", connector.Coverage{Status: connector.Partial, Answered: late, Missing: []connector.Grant{{Verb: "list"}}}, false},
		{"nothing answered", connector.Coverage{Status: connector.Partial}, false},
		{"failed", connector.Coverage{Status: connector.Failed, Answered: asked}, false},
	} {
		tt.c.Stream, tt.c.Asked = "s", asked
		p := plan{streams: map[string]window.Window{"s": asked}}
		for _, known := range []time.Time{{}, noon().Add(-time.Hour)} {
			m, want := memory{}, asked.Start
			if !known.IsZero() {
				m.file = cursor.File{Streams: map[string]time.Time{"s": known}}
				want = known
			}
			if tt.want {
				want = asked.End
			}
			streams, whole := m.next(p, []connector.Coverage{tt.c})
			if whole != tt.want || !streams["s"].Equal(want) {
				t.Errorf("%s, known %v: %v, whole %v; want %v", tt.name, known, streams["s"], whole, want)
			}
		}
	}
}

func TestAStreamGoesBackToWhatIsOpen(t *testing.T) {
	const overlap = time.Minute
	ago := func(d time.Duration) time.Time { return noon().Add(-d) }
	for _, tt := range []struct {
		name        string
		open, start time.Time
		note        string
	}{
		{"nothing is open", time.Time{}, ago(5 * time.Minute), ""},
		{"within the window", ago(4 * time.Minute), ago(5 * time.Minute), ""},
		{"before it", ago(3 * time.Hour), ago(3 * time.Hour), "goes back to 2026-03-01T09:00:00Z"},
		{"too long ago", ago(30 * time.Hour), ago(24 * time.Hour), "stay as they were told"},
	} {
		m := memory{known: true, file: cursor.File{
			Streams: map[string]time.Time{"s": ago(5 * time.Minute), "other": ago(5 * time.Minute)}, Open: map[string]time.Time{"s": tt.open},
		}}
		caps := connector.Capabilities{Streams: []connector.Stream{{Name: "s", Overlap: overlap}, {Name: "other", Overlap: overlap}}}
		skew := connector.Identity{Skew: connector.Skew{Measured: true, Offset: 10 * time.Second}}
		p, err := planFor(Options{Since: 5 * time.Minute}, noon(), caps, m, skew)
		if err != nil {
			t.Fatal(err)
		}
		own, wide := window.Window{Start: ago(5 * time.Minute), End: noon()}, window.Window{Start: tt.start, End: noon()}
		if p.streams["s"] != wide || p.asked("s") != wide || p.streams["other"] != own || p.window != wide {
			t.Errorf("%s: %v of %v", tt.name, p.streams, p.window)
		}
		req := p.request(connector.Scope{}, nil)
		if req.WindowOf("s") != wide.In(p.offset) || req.WindowOf("other") != own.In(p.offset) {
			t.Errorf("%s: asked for %v", tt.name, req)
		}
		// What is new is what it would be without.
		if got := p.reach(caps.Streams[0]); got != own.In(p.offset).Back(overlap) {
			t.Errorf("%s: reach %v", tt.name, got)
		}
		if _, ok := p.own["s"]; ok != (wide != own) || ok && p.again(caps.Streams[0]) != wide.In(p.offset).Back(overlap) {
			t.Errorf("%s: again %v", tt.name, p.again(caps.Streams[0]))
		}
		if got := strings.Join(p.notes, " "); !strings.Contains(got, tt.note) || (tt.note == "") != (got == "") {
			t.Errorf("%s: notes %q", tt.name, got)
		}
	}
}

func TestWhatStaysOpen(t *testing.T) {
	ago := func(d time.Duration) time.Time { return noon().Add(-d) }
	p := plan{offset: 10 * time.Second, streams: map[string]window.Window{"s": {Start: ago(time.Hour), End: noon()}}}
	whole := connector.Coverage{Stream: "s", Status: connector.Complete}
	failed := connector.Coverage{Stream: "s", Status: connector.Failed}
	for _, tt := range []struct {
		name                string
		before, found, want time.Time
		coverage            connector.Coverage
		asked               bool
	}{
		{"nothing", time.Time{}, time.Time{}, time.Time{}, whole, true},
		{"found", time.Time{}, ago(time.Hour), ago(time.Hour + p.offset), whole, true},
		{"found, and more was", ago(2 * time.Hour), ago(time.Hour), ago(time.Hour + p.offset), whole, true},
		{"all is answered", ago(2 * time.Hour), time.Time{}, time.Time{}, whole, true},
		{"not seen", ago(2 * time.Hour), time.Time{}, ago(2 * time.Hour), failed, true},
		{"not all was seen", ago(2 * time.Hour), ago(time.Hour), ago(2 * time.Hour), failed, true},
		{"nobody was asked", ago(2 * time.Hour), time.Time{}, ago(2 * time.Hour), whole, false},
		{"given up", ago(25 * time.Hour), time.Time{}, time.Time{}, failed, false},
	} {
		m := memory{file: cursor.File{Open: map[string]time.Time{"s": tt.before}}}
		found := map[string]time.Time{}
		if !tt.found.IsZero() {
			found["s"] = tt.found
		}
		got := m.open(p, []connector.Coverage{tt.coverage}, found, tt.asked)
		if !got["s"].Equal(tt.want) || tt.want.IsZero() && got != nil {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// What a source says that may know counts more than what one says that may not read,
// and that more than what one says that is not there for it.
func TestWhichAnswerCounts(t *testing.T) {
	answer := func(f record.Finding, final bool) record.HistoryAnswer {
		return record.HistoryAnswer{Finding: f, Final: final}
	}
	ranked := []record.HistoryAnswer{
		answer(record.Unanswered, true), answer(record.Unreadable, false), answer(record.Unanswered, false), answer(record.NotFound, false),
	}
	for i, a := range ranked {
		for _, b := range ranked[:i] {
			if better(a, b).Finding != a.Finding || better(b, a).Finding != a.Finding || better(a, b).Final != a.Final || better(b, a).Final != a.Final {
				t.Errorf("%+v does not count more than %+v", a, b)
			}
		}
	}
}

func TestBelongs(t *testing.T) {
	w := window.Window{Start: noon(), End: noon().Add(time.Hour)}
	at := func(minutes int) time.Time { return noon().Add(time.Duration(minutes) * time.Minute) }
	for _, tt := range []struct {
		name     string
		instants []time.Time
		ongoing  bool
		want     bool
	}{
		{"inside", []time.Time{at(10)}, false, true},
		{"at the start", []time.Time{at(0)}, false, true},
		{"at the end", []time.Time{at(60)}, false, false},
		{"before", []time.Time{at(-10)}, false, false},
		{"ended inside", []time.Time{at(-10), at(10)}, false, true},
		{"around, and over", []time.Time{at(-10), at(70)}, false, false},
		{"before, and still so", []time.Time{at(-10)}, true, true},
		{"after, and still so", []time.Time{at(70)}, true, false},
		{"no time", []time.Time{{}}, true, false},
		{"none", nil, true, false},
	} {
		if got := belongs(evidence.Span{Instants: tt.instants, Ongoing: tt.ongoing}, w); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// What a connector that was left behind emits later changes nothing.
func TestAClosedSieveLetsNothingThrough(t *testing.T) {
	r := connectortest.Signal(connectortest.StreamA, "late", noon())
	key, err := redact.NewKey([]byte("0123456789abcdefghijklmnopqrstuvwxyz-not-a-real-key"))
	if err != nil {
		t.Fatal(err)
	}
	redactor, err := redact.Compile(redact.DefaultPolicy(), key)
	if err != nil {
		t.Fatal(err)
	}
	written := 0
	through := (&sieve{
		source: "memory", redact: redactor, limits: Limits{}.orDefaults(), log: slog.New(slog.DiscardHandler),
		reach: map[string]window.Window{connectortest.StreamA: {Start: noon(), End: noon().Add(time.Hour)}},
		write: func(redact.Redacted) error { written++; return nil },
	}).open()
	if err := through.emit(r); err != nil || written != 1 {
		t.Fatalf("%d written, %v", written, err)
	}
	if err := through.emit(r); err != nil || written != 1 {
		t.Errorf("the same line twice in one run: %d written, %v", written, err)
	}
	undeclared := r
	undeclared.From = "elsewhere"
	if err := through.emit(undeclared); connector.ClassOf(err) != connector.ClassInternal {
		t.Errorf("a stream that nobody declared: %v", err)
	}
	before := through.close()
	r.Count = 2
	if err := through.emit(r); !errors.Is(err, errLate) || written != 1 || through.close().events != before.events {
		t.Errorf("%d written, %v", written, err)
	}
}

// A connector that gives each stream the reason of the whole has it told once.
func TestAStreamDoesNotRepeatItsSource(t *testing.T) {
	s := source{err: connector.Errorf(connector.ClassUnreachable, nil, "the server cannot be reached")}
	s.result.Coverage = []connector.Coverage{
		{Stream: "a", Status: connector.Failed, Class: connector.ClassUnreachable, Reason: "list pods: the server cannot be reached"},
		{Stream: "b", Status: connector.Failed, Class: connector.ClassForbidden, Reason: "not allowed"},
	}
	for stream, want := range map[string]string{"a": SourceFailed, "b": "not allowed", "c": SourceFailed} {
		if c := s.said(stream); c.Reason != want || c.Class == connector.ClassNone {
			t.Errorf("%s: %+v", stream, c)
		}
	}
}
