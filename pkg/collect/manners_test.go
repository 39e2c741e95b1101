package collect_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/window"
)

// A window that a person named does not depend on what the cron job left behind.
func TestANamedWindowNeedsNoCursor(t *testing.T) {
	path := func(h *house) string { return filepath.Join(h.state(), "cursors", "memory.json") }
	for name, tt := range map[string]struct {
		change func(*house, *connectortest.Memory)
		says   string
	}{
		"corrupt": {func(h *house, _ *connectortest.Memory) { check(h.t, os.WriteFile(path(h), []byte("{"), 0o600)) }, "corrupt"},
		"newer": {func(h *house, _ *connectortest.Memory) {
			check(h.t, os.WriteFile(path(h), []byte(`{"version":99}`), 0o600))
		}, "version 99"},
		"foreign": {func(_ *house, m *connectortest.Memory) { m.Target = "another" }, `"another"`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			var requests []connector.Request
			m := &connectortest.Memory{Records: connectortest.Signals(10, start(), time.Minute), Requests: &requests}
			source := memory(t, "memory", m)
			h.run(h.options(source))
			tt.change(h, m)
			before, err := os.ReadFile(path(h))
			check(t, err)
			o := h.options(source)
			o.Window = hour()
			out := h.run(o)
			src := sourceOf(t, out, "memory")
			if src.Status != manifest.StatusComplete || out.Events != 10 || requests[1].State != nil {
				t.Errorf("%d events, state %q, %+v", out.Events, requests[1].State, src)
			}
			if len(src.Notes) != 1 || !strings.Contains(src.Notes[0], path(h)) || !strings.Contains(src.Notes[0], tt.says) {
				t.Errorf("notes %q", src.Notes)
			}
			after, err := os.ReadFile(path(h))
			check(t, err)
			if !bytes.Equal(before, after) {
				t.Error("the cursor was overwritten")
			}
			// And a run that goes on from the cursor still fails.
			if src := sourceOf(t, h.run(h.options(source)), "memory"); src.Status != manifest.StatusFailed {
				t.Errorf("%+v", src)
			}
		})
	}
}

// The same target under another name: better known now, or poorer.
func TestACursorKnowsItsTargetByItsAliases(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(10, start(), time.Minute), Target: "https://10.0.0.1"}
	source := memory(t, "memory", m)
	h.run(h.options(source))
	for _, is := range []struct {
		target  string
		aliases []string
	}{{"uid-7", []string{"https://10.0.0.1"}}, {"https://10.0.0.1", nil}} {
		m.Target, m.Aliases = is.target, is.aliases
		out := h.run(h.options(source))
		if src := sourceOf(t, out, "memory"); src.Status != manifest.StatusComplete || out.Events != 0 {
			t.Errorf("%s: %d events, %+v", is.target, out.Events, src)
		}
		if f := h.cursor("memory"); f.Target != is.target {
			t.Errorf("the cursor is of %q", f.Target)
		}
	}
	m.Target, m.Aliases = "uid-8", []string{"https://10.0.0.2"}
	if src := sourceOf(t, h.run(h.options(source)), "memory"); src.Status != manifest.StatusFailed {
		t.Errorf("another target was gone on from: %+v", src)
	}
}

// Why a source failed stands once in what is signed.
func TestTheReasonOfAFailureIsSaidOnce(t *testing.T) {
	for _, trouble := range []connectortest.Trouble{
		connectortest.FailsMidway, connectortest.Panics, connectortest.HangsUntil, connectortest.Floods,
	} {
		h := newHouse(t)
		o := h.options(memory(t, "memory", &connectortest.Memory{Records: connectortest.Signals(10, start(), time.Second), Trouble: trouble, After: 4}))
		o.Limits.Events, o.Timeout = 50, 2*time.Second
		out := h.run(o)
		src := sourceOf(t, out, "memory")
		text, err := os.ReadFile(filepath.Join(out.Dir, "manifest.json"))
		check(t, err)
		if n := strings.Count(string(text), src.Error); src.Error == "" || n != 1 {
			t.Errorf("%s: %q stands %d times", trouble, src.Error, n)
		}
		for _, s := range src.Streams {
			if s.Reason == "" || s.ErrorClass == "" {
				t.Errorf("%s: %+v", trouble, s)
			}
			if trouble == connectortest.Panics && (s.Reason != "the source failed" || s.ErrorClass != "panic") {
				t.Errorf("%s: %+v", trouble, s)
			}
		}
	}
}

// A run in which nobody answered still says for which window it asked.
func TestAFailedRunHasTheWindowThatWasAskedFor(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Trouble: connectortest.CannotStart}
	source := memory(t, "memory", m)
	skipped := collect.Source{Name: "postgres", Type: "postgres", Skip: "not asked"}
	since := window.Window{Start: h.now.Add(-2 * time.Hour), End: h.now}
	o := h.options(source, skipped)
	o.Since = 2 * time.Hour
	out := h.run(o)
	if src := sourceOf(t, out, "memory"); out.Window != since || src.Window == nil || *src.Window != since || sourceOf(t, out, "postgres").Window != nil {
		t.Errorf("first look: %v, %+v", out.Window, src.Window)
	}
	o = h.options(source)
	o.Window = hour()
	if out := h.run(o); out.Window != *hour() || *out.Statement.Predicate.Window != *hour() {
		t.Errorf("named: %v", out.Window)
	}
	m.Trouble = connectortest.Healthy
	h.run(h.options(source))
	m.Trouble = connectortest.CannotStart
	through := h.now
	h.now = h.now.Add(10 * time.Minute)
	if out := h.run(h.options(source)); out.Window != (window.Window{Start: through, End: h.now}) {
		t.Errorf("from the cursor: %v", out.Window)
	}
}

// What is not there is left out of a failed run's manifest.
func TestAFailedRunHasNoEmptyDigests(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{}
	source := memory(t, "memory", m)
	h.run(h.options(source))
	m.Trouble = connectortest.CannotStart
	text, err := os.ReadFile(filepath.Join(h.run(h.options(source)).Dir, "manifest.json"))
	check(t, err)
	if strings.Contains(string(text), `"sha256": ""`) {
		t.Errorf("%s", text)
	}
}

// A flag that changes what is read in this run must not reset the cursor of the
// configured whole.
func TestASourceNarrowedByFlagsHasNoCursor(t *testing.T) {
	h := newHouse(t)
	var requests []connector.Request
	m := &connectortest.Memory{Records: connectortest.Signals(10, start().Add(50*time.Minute), time.Second), Requests: &requests}
	source := memory(t, "memory", m)
	h.run(h.options(source))
	cursors := evidenceFolder(t, filepath.Join(h.state(), "cursors"))
	h.now = h.now.Add(30 * time.Minute)
	narrowed := source
	narrowed.Narrowed, narrowed.ConfigDigest = true, "another"
	out := h.run(h.options(narrowed))
	src := sourceOf(t, out, "memory")
	if diff := cmp.Diff(cursors, evidenceFolder(t, filepath.Join(h.state(), "cursors"))); diff != "" {
		t.Error(diff)
	}
	if req := requests[1]; out.Events != 10 || req.Incremental || req.State != nil || req.Window != (window.Window{Start: h.now.Add(-time.Hour), End: h.now}) {
		t.Errorf("%d events, asked %+v", out.Events, req)
	}
	if src.Cursor != nil || len(src.Notes) != 1 || !strings.Contains(src.Notes[0], "narrowed") {
		t.Errorf("%+v, notes %q", src.Cursor, src.Notes)
	}
	if out := h.run(h.options(source)); out.Events != 0 || sourceOf(t, out, "memory").Cursor.Reset != "" {
		t.Errorf("afterwards %d events, %+v", out.Events, sourceOf(t, out, "memory").Cursor)
	}
	o := h.options(narrowed)
	o.Window = hour()
	if src := sourceOf(t, h.run(o), "memory"); len(src.Notes) != 0 {
		t.Errorf("a named window: notes %q", src.Notes)
	}
}

func TestAFolderThatCannotBeWrittenIsSaidSo(t *testing.T) {
	for _, flag := range []string{"--state", "--out"} {
		h := newHouse(t)
		o := h.options(memory(t, "memory", &connectortest.Memory{}))
		blocked := filepath.Join(h.dir, "a-file")
		check(t, os.WriteFile(blocked, nil, 0o600))
		if flag == "--state" {
			o.StateDir = filepath.Join(blocked, "state")
		} else {
			o.RunsDir = filepath.Join(blocked, "runs")
		}
		_, err := collect.Run(t.Context(), o)
		if err == nil || strings.Contains(err.Error(), "another run") || !strings.Contains(err.Error(), blocked) || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

func TestWaitingForAnotherRunIsTold(t *testing.T) {
	h := newHouse(t)
	ledger, err := manifest.OpenLedger(t.Context(), h.state(), h.runs(), manifest.LedgerOptions{Random: bytes.NewReader(make([]byte, 16))})
	check(t, err)
	o := h.options(memory(t, "memory", &connectortest.Memory{}))
	var pids []int
	o.Waiting = func(pid int) {
		pids = append(pids, pid)
		check(t, ledger.Close())
	}
	h.run(o)
	if diff := cmp.Diff([]int{os.Getpid()}, pids); diff != "" {
		t.Error(diff)
	}
}

// With -v a run says what it does; never what it found.
func TestTheLogTellsTheStages(t *testing.T) {
	h := newHouse(t)
	var log bytes.Buffer
	m := &connectortest.Memory{Records: connectortest.Signals(10, start(), time.Minute)}
	o := h.options(memory(t, "memory", m))
	o.Env.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.run(o)
	for _, want := range []string{
		`msg=stage doing="ask the sources" took=`, `doing="move the cursors"`, `msg="source starts" source=memory`,
		`msg="source ended" source=memory status=complete`, "records=10 events=10", "msg=cursor source=memory known=false", `msg="the cursor will be moved"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	for _, never := range []string{"pod-0000", "shop", "checkout", "uid-"} {
		if strings.Contains(log.String(), never) {
			t.Errorf("the log tells %q", never)
		}
	}
	if t.Failed() {
		t.Log(log.String())
	}
}
