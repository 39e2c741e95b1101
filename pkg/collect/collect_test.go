package collect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/run"
)

func TestCursorRunsMissNothingAndRepeatNothing(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(60, start(), time.Minute)}
	source := memory(t, "memory/a", m)
	var all []string
	for i, want := range []int{60, 0} {
		out := h.run(h.options(source))
		if out.Events != want || out.Genesis != (i == 0) || int(out.Head.Sequence) != i+1 {
			t.Fatalf("run %d: %+v", i, out)
		}
		all = append(all, names(t, out.Dir, "memory")...)
		if through := h.cursor("memory/a").Streams[connectortest.StreamA]; !through.Equal(h.now) {
			t.Errorf("the cursor stands at %v, want %v", through, h.now)
		}
	}
	h.now = h.now.Add(30 * time.Minute)
	// New facts, one of them late, and one that changed since.
	m.Records = append(m.Records,
		connectortest.Signal(connectortest.StreamA, "new", h.now.Add(-time.Minute)),
		connectortest.Signal(connectortest.StreamB, "late", start().Add(58*time.Minute)))
	m.Records[59].Count = 7
	out := h.run(h.options(source))
	got := names(t, out.Dir, "memory")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"late", "new", "pod-000059"}, got); diff != "" {
		t.Error(diff)
	}
	slices.Sort(all)
	if diff := cmp.Diff(namesOf(m.Records[:60]), all); diff != "" {
		t.Error(diff)
	}
	src := sourceOf(t, out, "memory/a")
	if c := src.Cursor; c == nil || c.Before.SHA256 == "" || c.After.SHA256 == "" || c.Before == c.After {
		t.Errorf("the manifest does not pin the cursor: %+v", c)
	}
	if state := string(h.cursor("memory/a").State); state != "3" {
		t.Errorf("the connector's state is %q, want 3: it is handed on", state)
	}
}

func TestTheSameWindowTwiceGivesTheSameBytes(t *testing.T) {
	h := newHouse(t)
	sources := []collect.Source{
		memory(t, "memory/a", &connectortest.Memory{Records: connectortest.Signals(200, start(), time.Second)}),
		memory(t, "memory/b", &connectortest.Memory{Records: connectortest.Signals(100, start(), time.Second)}),
	}
	h.run(h.options(sources...)) // a cursor run before changes nothing
	cursors := evidenceFolder(t, filepath.Join(h.state(), "cursors"))
	o := h.options(sources...)
	o.Window = hour()
	first := h.run(o)
	h.now = h.now.Add(24 * time.Hour)
	o.Redactor = h.options(sources...).Redactor
	second := h.run(o)
	if diff := cmp.Diff(evidenceOf(t, first.Dir, ""), evidenceOf(t, second.Dir, "")); diff != "" {
		t.Error(diff)
	}
	if first.Events != 300 {
		t.Errorf("%d events", first.Events)
	}
	if diff := cmp.Diff(cursors, evidenceFolder(t, filepath.Join(h.state(), "cursors"))); diff != "" {
		t.Error("a window that somebody named moved a cursor:\n" + diff)
	}
	if diff := cmp.Diff(first.Statement.Predicate.Redaction, second.Statement.Predicate.Redaction); diff != "" {
		t.Error(diff)
	}
}

func evidenceFolder(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		check(t, err)
		files[e.Name()] = string(text)
	}
	return files
}

// One source's trouble is its own: the other's evidence has the same bytes as
// without it, the manifest says what happened, and nothing of the trouble's
// text comes out.
func TestTroubleStaysWhereItIs(t *testing.T) {
	tests := []struct {
		trouble connectortest.Trouble
		status  manifest.Status
		class   connector.Class
	}{
		{connectortest.Panics, manifest.StatusFailed, connector.ClassPanic},
		{connectortest.HangsUntil, manifest.StatusFailed, connector.ClassTimeout},
		{connectortest.HangsAlways, manifest.StatusFailed, connector.ClassTimeout},
		{connectortest.FailsMidway, manifest.StatusFailed, connector.ClassProtocol},
		{connectortest.Blurts, manifest.StatusFailed, connector.ClassInternal},
		{connectortest.Floods, manifest.StatusPartial, connector.ClassBound},
		{connectortest.Forbidden, manifest.StatusPartial, connector.ClassNone},
		{connectortest.CannotStart, manifest.StatusFailed, connector.ClassConfig},
	}
	good := func(t *testing.T) collect.Source {
		return memory(t, "memory/good", &connectortest.Memory{Records: connectortest.Signals(50, start(), time.Second)})
	}
	alone := newHouse(t)
	o := alone.options(good(t))
	o.Window = hour()
	want := evidenceOf(t, alone.run(o).Dir, "memory/good")

	for _, tt := range tests {
		t.Run(string(tt.trouble), func(t *testing.T) {
			h := newHouse(t)
			h.key = alone.key
			release := make(chan struct{})
			defer close(release)
			bad := memory(t, "memory/bad", &connectortest.Memory{
				Records: connectortest.Signals(50, start(), time.Second), Trouble: tt.trouble, After: 20, Release: release,
			})
			o := h.options(bad, good(t))
			o.Window, o.Limits.Events, o.Timeout = hour(), 500, 4*time.Second
			var log, told bytes.Buffer
			o.Env.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			o.Observe = func(p collect.Progress) { fmt.Fprintf(&told, "%+v\n", p) }
			began := time.Now()
			out, err := collect.Run(t.Context(), o)
			check(t, err)
			if took := time.Since(began); took > o.Timeout {
				t.Errorf("took %v, more than the timeout of the run", took)
			}
			h.verify(out.Dir)
			src := sourceOf(t, out, "memory/bad")
			if src.Status != tt.status || src.ErrorClass != string(tt.class) {
				t.Errorf("status %q, class %q (%s); want %q, %q", src.Status, src.ErrorClass, src.Error, tt.status, tt.class)
			}
			if (src.Error == "") != (tt.class == connector.ClassNone) {
				t.Errorf("error %q for class %q", src.Error, tt.class)
			}
			if src := sourceOf(t, out, "memory/good"); src.Status != manifest.StatusComplete || src.Counts["RuntimeSignal"] != 50 {
				t.Errorf("the other source suffered: %+v", src)
			}
			if out.Statement.Predicate.Outcome != manifest.OutcomePartial {
				t.Errorf("outcome %q", out.Statement.Predicate.Outcome)
			}
			if diff := cmp.Diff(want, evidenceOf(t, out.Dir, "memory/good")); diff != "" {
				t.Error(diff)
			}
			h.nowhere(connectortest.Planted)
			if strings.Contains(log.String()+told.String(), connectortest.Planted) {
				t.Errorf("what was planted was told:\n%s\n%s", &log, &told)
			}
		})
	}
}

func TestAllSourcesFailedIsStillSigned(t *testing.T) {
	h := newHouse(t)
	bad := memory(t, "memory", &connectortest.Memory{Trouble: connectortest.CannotStart})
	skipped := collect.Source{Name: "postgres", Type: "postgres", Skip: "DATABASE_URL is set; add --connector postgres"}
	out := h.run(h.options(bad, skipped))
	if out.Statement.Predicate.Outcome != manifest.OutcomeFailed || out.Statement.Predicate.Signing == nil {
		t.Errorf("%+v", out.Statement.Predicate)
	}
	if src := sourceOf(t, out, "postgres"); src.Status != manifest.StatusSkipped || len(src.Notes) != 1 {
		t.Errorf("%+v", src)
	}
	if _, err := os.Stat(filepath.Join(h.state(), "cursors")); err == nil {
		t.Error("a source that gave nothing has a cursor")
	}
	if _, err := collect.Run(t.Context(), h.options(skipped)); err == nil {
		t.Error("a run without a source to ask was made")
	}
}

// A connector may emit too much; what is outside the window is left out.
func TestOnlyTheWindowIsWritten(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(180, start().Add(-time.Hour), time.Minute), Generous: true}
	o := h.options(memory(t, "memory", m))
	o.Window = hour()
	out := h.run(o)
	if diff := cmp.Diff(namesOf(m.Records[60:120]), slices.Sorted(slices.Values(names(t, out.Dir, "memory")))); diff != "" {
		t.Error(diff)
	}
	if n := sourceOf(t, out, "memory").Streams[0].Records; n != 90 {
		t.Errorf("%d records read, want 90", n)
	}
}

// What cannot be redacted is not written, is counted, and is asked for again.
func TestRedactionFailsClosed(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(10, start(), time.Second)}
	m.Records[4].First = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) // no JSON for that
	m.Records[4].Object.Name = connectortest.Planted
	out := h.run(h.options(memory(t, "memory", m)))
	src := sourceOf(t, out, "memory")
	if src.Status != manifest.StatusPartial || out.Events != 9 || out.Statement.Predicate.Redaction.Dropped != 1 {
		t.Errorf("status %q, %d events, %d dropped", src.Status, out.Events, out.Statement.Predicate.Redaction.Dropped)
	}
	if src.Streams[0].Status != manifest.StatusPartial || !strings.Contains(src.Streams[0].Reason, "dropped") || src.Streams[1].Status != manifest.StatusComplete {
		t.Errorf("%+v", src.Streams)
	}
	h.nowhere(connectortest.Planted)
	if through := h.cursor("memory").Streams; !through[connectortest.StreamA].Equal(start()) || !through[connectortest.StreamB].Equal(h.now) {
		t.Errorf("cursor %v", through)
	}
}

// A stream that failed is asked again from where it stood, for all the time
// since, and what it told before is not told twice.
func TestPartialStreamsStandStill(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(60, start(), time.Minute)}
	source := memory(t, "memory", m)
	h.run(h.options(source))
	before := h.now

	m.Trouble = connectortest.Forbidden
	for range 3 {
		h.now = h.now.Add(time.Hour)
		m.Records = append(m.Records,
			connectortest.Signal(connectortest.StreamA, "a"+h.now.Format("15"), h.now.Add(-time.Minute)),
			connectortest.Signal(connectortest.StreamB, "b"+h.now.Format("15"), h.now.Add(-time.Minute)))
		out := h.run(h.options(source))
		if got := names(t, out.Dir, "memory"); !slices.Equal(got, []string{"a" + h.now.Format("15")}) {
			t.Errorf("got %v", got)
		}
	}
	if through := h.cursor("memory").Streams; !through[connectortest.StreamB].Equal(before) || !through[connectortest.StreamA].Equal(h.now) {
		t.Errorf("cursor %v", through)
	}
	m.Trouble = connectortest.Healthy
	out := h.run(h.options(source))
	if got := names(t, out.Dir, "memory"); !slices.Equal(got, []string{"b14", "b15", "b16"}) {
		t.Errorf("got %v", got)
	}
}

// A source that failed halfway is asked for everything again, with the state of
// its last good run, and what it told before it failed is not told twice.
func TestAFailedSourceGoesOnFromItsLastGoodRun(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(60, start(), time.Minute)}
	source := memory(t, "memory", m)
	h.run(h.options(source))
	good := h.cursor("memory")
	h.now = h.now.Add(time.Hour)
	m.Records = append(m.Records, connectortest.Signals(120, start(), time.Minute)[60:]...)
	for _, tt := range []struct {
		trouble connectortest.Trouble
		events  int
	}{{connectortest.FailsMidway, 10}, {connectortest.Panics, 0}, {connectortest.Healthy, 50}} {
		m.Trouble, m.After = tt.trouble, 80
		if out := h.run(h.options(source)); out.Events != tt.events {
			t.Errorf("%s: %d events, want %d", tt.trouble, out.Events, tt.events)
		}
		if now := h.cursor("memory"); tt.trouble != connectortest.Healthy &&
			(string(now.State) != "1" || !now.Streams[connectortest.StreamA].Equal(good.Streams[connectortest.StreamA])) {
			t.Errorf("%s: state %q, %v", tt.trouble, now.State, now.Streams)
		}
	}
}

// A run for one service must not make the next one pass over the others.
func TestANarrowedRunMovesNoCursor(t *testing.T) {
	h := newHouse(t)
	source := memory(t, "memory", &connectortest.Memory{Records: connectortest.Signals(10, start(), time.Minute)})
	h.run(h.options(source))
	before := evidenceFolder(t, filepath.Join(h.state(), "cursors"))
	h.now = h.now.Add(time.Hour)
	o := h.options(source)
	o.Scope.Services = []string{"shop/checkout"}
	src := sourceOf(t, h.run(o), "memory")
	if diff := cmp.Diff(before, evidenceFolder(t, filepath.Join(h.state(), "cursors"))); diff != "" {
		t.Error(diff)
	}
	if src.Cursor.After.SHA256 != "" || !strings.Contains(strings.Join(src.Notes, " "), "narrowed") {
		t.Errorf("%+v, notes %q", src.Cursor, src.Notes)
	}
}

// Nobody can tell what the source has forgotten: asking again would never end.
func TestForgottenTimeIsNotAskedForEver(t *testing.T) {
	h := newHouse(t)
	out := h.run(h.options(memory(t, "memory", &connectortest.Memory{Trouble: connectortest.Forgets})))
	src := sourceOf(t, out, "memory")
	if src.Status != manifest.StatusPartial || src.Streams[0].Answered.Start == src.Streams[0].Asked.Start {
		t.Errorf("%+v", src)
	}
	if through := h.cursor("memory").Streams[connectortest.StreamA]; !through.Equal(h.now) {
		t.Errorf("cursor %v", through)
	}
}

func TestClockSkew(t *testing.T) {
	for _, tt := range []struct{ skew, applied time.Duration }{
		{time.Second, 0}, {-1999 * time.Millisecond, 0}, {2 * time.Second, 2 * time.Second}, {-time.Hour, -time.Hour},
	} {
		t.Run(tt.skew.String(), func(t *testing.T) {
			h := newHouse(t)
			var requests []connector.Request
			m := &connectortest.Memory{
				Skew: tt.skew, Requests: &requests,
				Records: connectortest.Signals(60, start().Add(tt.applied), time.Minute), // all inside, in the source's time
			}
			o := h.options(memory(t, "memory", m))
			o.Window = hour()
			out := h.run(o)
			if got := requests[0].Window; got != hour().In(tt.applied) {
				t.Errorf("asked for %v", got)
			}
			src := sourceOf(t, out, "memory")
			if out.Events != 60 || *src.Streams[0].Asked != *hour() || *src.Streams[0].Answered != *hour() {
				t.Errorf("%d events, %+v", out.Events, src.Streams[0])
			}
			if src.Skew == nil || int64(src.Skew.OffsetMilliseconds) != tt.skew.Milliseconds() {
				t.Errorf("skew %+v", src.Skew)
			}
		})
	}
}

func TestCursorsThatCannotBeUsed(t *testing.T) {
	path := func(h *house) string { return filepath.Join(h.state(), "cursors", "memory.json") }
	tests := map[string]struct {
		change func(*house, *connectortest.Memory, *collect.Source)
		want   string
	}{
		"corrupt": {func(h *house, _ *connectortest.Memory, _ *collect.Source) {
			check(h.t, os.WriteFile(path(h), []byte("{"), 0o600))
		}, "remove the file"},
		"newer": {func(h *house, _ *connectortest.Memory, _ *collect.Source) {
			check(h.t, os.WriteFile(path(h), []byte(`{"version":99}`), 0o600))
		}, "upgrade rcactl"},
		"other target": {func(_ *house, m *connectortest.Memory, _ *collect.Source) { m.Target = "another" }, `"another"`},
		"other type":   {func(_ *house, _ *connectortest.Memory, s *collect.Source) { s.Type = "other" }, "belongs to"},
		"future":       {func(h *house, _ *connectortest.Memory, _ *collect.Source) { h.now = start() }, "in the future"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			m := &connectortest.Memory{Records: connectortest.Signals(10, start(), time.Minute)}
			source := memory(t, "memory", m)
			h.run(h.options(source))
			tt.change(h, m, &source)
			before, err := os.ReadFile(path(h))
			check(t, err)
			out := h.run(h.options(source, memory(t, "other", m)))
			src := sourceOf(t, out, "memory")
			if src.Status != manifest.StatusFailed || src.ErrorClass != string(connector.ClassConfig) ||
				!strings.Contains(src.Error, path(h)) || !strings.Contains(src.Error, tt.want) {
				t.Errorf("%+v", src)
			}
			if other := sourceOf(t, out, "other"); other.Status != manifest.StatusComplete {
				t.Errorf("the other source suffered: %+v", other)
			}
			after, err := os.ReadFile(path(h))
			check(t, err)
			if string(before) != string(after) {
				t.Error("the cursor was overwritten")
			}
		})
	}
}

func TestAnotherConfigResetsTheCursorAndSaysSo(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(10, start().Add(time.Minute), time.Minute)}
	source := memory(t, "memory", m)
	h.run(h.options(source))
	source.Config = connectortest.Config{Memory: m, Reads: "more"}
	digest, err := collect.ConfigDigest(source.Config)
	check(t, err)
	if digest == source.ConfigDigest {
		t.Fatal("the digest does not see what the config reads")
	}
	source.ConfigDigest = digest
	m.Target = "another" // the cursor is not used, so its target does not matter
	out := h.run(h.options(source))
	src := sourceOf(t, out, "memory")
	if src.Cursor == nil || src.Cursor.Reset == "" || src.Cursor.Before.SHA256 == "" || out.Events != 10 {
		t.Errorf("%d events, %+v", out.Events, src.Cursor)
	}
	if f := h.cursor("memory"); string(f.State) != "1" || f.ConfigDigest != digest || f.Target != "another" {
		t.Errorf("%+v", f)
	}
}

func TestLeaksAreQuarantinedAndNothingMoves(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(10, start(), time.Minute)}
	source := memory(t, "memory", m)
	first := h.run(h.options(source))
	cursors := evidenceFolder(t, filepath.Join(h.state(), "cursors"))
	m.Trouble = connectortest.Leaks
	h.now = h.now.Add(time.Minute)
	out, err := collect.Run(t.Context(), h.options(source))
	var leak *collect.LeakError
	if !errors.As(err, &leak) || out.Dir != "" {
		t.Fatalf("got %+v, %v", out, err)
	}
	if strings.Contains(err.Error(), connectortest.Planted) || !strings.Contains(err.Error(), leak.Dir) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(leak.Dir, "manifest.json")); err == nil {
		t.Error("it was signed")
	}
	if diff := cmp.Diff(cursors, evidenceFolder(t, filepath.Join(h.state(), "cursors"))); diff != "" {
		t.Error(diff)
	}
	m.Trouble = connectortest.Healthy
	if out := h.run(h.options(source)); out.Head.Sequence != first.Head.Sequence+1 {
		t.Errorf("head %v", out.Head)
	}
}

func TestTheManifestIsLookedThroughToo(t *testing.T) {
	h := newHouse(t)
	asked := memory(t, "memory", &connectortest.Memory{})
	skipped := memory(t, "memory/other", &connectortest.Memory{})
	skipped.Skip = "not with the token ghp_" + strings.Repeat("a1B2", 9)
	out, err := collect.Run(t.Context(), h.options(asked, skipped))
	var leak *collect.LeakError
	if !errors.As(err, &leak) || out.Dir != "" || leak.Leaks[0].File != "manifest.json" {
		t.Fatalf("got %+v, %v", out, err)
	}
	if strings.Contains(err.Error(), "ghp_") {
		t.Errorf("error %v", err)
	}
}

func TestInterruptionLeavesNothing(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(10, start(), time.Minute)}
	h.run(h.options(memory(t, "memory", m)))
	before := evidenceFolder(t, filepath.Join(h.state(), "cursors"))
	for _, trouble := range []connectortest.Trouble{connectortest.HangsUntil, connectortest.HangsAlways} {
		release := make(chan struct{})
		m.Trouble, m.After, m.Release = trouble, 5, release
		ctx, cancel := context.WithCancel(t.Context())
		o := h.options(memory(t, "memory", m))
		o.Window = hour()
		seen := 0
		o.Evidence = func(evidence.Event) {
			if seen++; seen == 2 {
				cancel()
			}
		}
		began := time.Now()
		out, err := collect.Run(ctx, o)
		if !errors.Is(err, context.Canceled) || out.Dir != "" {
			t.Errorf("%s: %+v, %v", trouble, out, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: took %v", trouble, took)
		}
		close(release)
		entries, err := os.ReadDir(h.runs())
		check(t, err)
		if len(entries) != 2 || entries[0].Name() != ".lock" {
			t.Errorf("%s: left %v", trouble, entries)
		}
	}
	if diff := cmp.Diff(before, evidenceFolder(t, filepath.Join(h.state(), "cursors"))); diff != "" {
		t.Error(diff)
	}
}

func TestALostLedgerIsAnError(t *testing.T) {
	h := newHouse(t)
	source := memory(t, "memory", &connectortest.Memory{})
	h.run(h.options(source))
	check(t, os.Remove(filepath.Join(h.state(), "ledger", "head.json")))
	if _, err := collect.Run(t.Context(), h.options(source)); !errors.Is(err, manifest.ErrNoHead) {
		t.Errorf("got %v", err)
	}
	o := h.options(source)
	o.LedgerInit = true
	if out, err := collect.Run(t.Context(), o); err != nil || !out.Genesis {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestCallbacksTellWhatWasWritten(t *testing.T) {
	h := newHouse(t)
	o := h.options(
		memory(t, "memory/a", &connectortest.Memory{Records: connectortest.Signals(30, start(), time.Minute), Target: "here"}),
		memory(t, "memory/b", &connectortest.Memory{Records: connectortest.Signals(30, start(), time.Minute), Trouble: connectortest.FailsMidway, After: 10}))
	var told []string
	ended := map[string]collect.Progress{}
	started := 0
	o.Evidence = func(e evidence.Event) { told = append(told, e.Source.Object.Name) }
	o.Observe = func(p collect.Progress) {
		if p.Status == "" {
			started++
			return
		}
		ended[p.Source] = p
	}
	out := h.run(o)
	written := names(t, out.Dir, "memory")
	slices.Sort(told)
	slices.Sort(written)
	if diff := cmp.Diff(written, told); diff != "" {
		t.Error(diff)
	}
	a, b := ended["memory/a"], ended["memory/b"]
	if started != 2 || a.Status != connector.Complete || a.Records != 30 || a.Events != 30 || a.Requests != 2 || a.Version != "v1" {
		t.Errorf("%d started, %+v", started, a)
	}
	if b.Status != connector.Failed || b.Class != connector.ClassProtocol || b.Error == "" || b.Events != 5 {
		t.Errorf("%+v", b)
	}
}

// hookedSigner does something at the moment of signing.
type hookedSigner struct {
	dsse.Signer
	hook func() error
}

func (s hookedSigner) Sign(ctx context.Context, pae []byte) ([]byte, error) {
	if err := s.hook(); err != nil {
		return nil, err
	}
	return s.Signer.Sign(ctx, pae)
}

// Cursors and ledger stand for runs that are in place, so they move after that.
func TestARunThatCannotBePutInPlaceMovesNothing(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(60, start(), time.Minute)}
	source := memory(t, "memory", m)
	h.run(h.options(source))
	state := func() map[string]string {
		all := evidenceFolder(t, filepath.Join(h.state(), "cursors"))
		maps.Copy(all, evidenceFolder(t, filepath.Join(h.state(), "ledger")))
		return all
	}
	before := state()
	h.now = h.now.Add(time.Minute)
	m.Records = append(m.Records, connectortest.Signal(connectortest.StreamA, "new", h.now.Add(-time.Second)))
	inTheWay := ""
	for name, hook := range map[string]func() error{
		"the signer fails": func() error { return errors.New("the key service is down") },
		"the rename fails": func() error {
			partial, err := filepath.Glob(filepath.Join(h.runs(), run.PartialPrefix+"*"))
			if err != nil || len(partial) != 1 {
				t.Fatalf("%v, %v", partial, err)
			}
			inTheWay = filepath.Join(h.runs(), strings.TrimPrefix(filepath.Base(partial[0]), run.PartialPrefix))
			return os.Mkdir(inTheWay, 0o700)
		},
	} {
		o := h.options(source)
		o.Signer = hookedSigner{h.signer, hook}
		if out, err := collect.Run(t.Context(), o); err == nil || out.Dir != "" {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
		if inTheWay != "" {
			check(t, os.Remove(inTheWay))
			inTheWay = ""
		}
		if diff := cmp.Diff(before, state()); diff != "" {
			t.Errorf("%s: something moved:\n%s", name, diff)
		}
	}
	if out := h.run(h.options(source)); !slices.Equal(names(t, out.Dir, "memory"), []string{"new"}) {
		t.Errorf("%d events afterwards", out.Events)
	}
}
