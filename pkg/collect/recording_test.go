package collect_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/window"
)

// recorded is a source that was recorded four days before the run, at the end of
// the hour in which its records lie.
func recorded(t *testing.T, h *house, requests *[]connector.Request) collect.Source {
	t.Helper()
	h.now = start().Add(4 * 24 * time.Hour)
	return memory(t, "memory", &connectortest.Memory{
		Records: connectortest.Signals(60, start(), time.Minute), AsOf: start().Add(time.Hour), Requests: requests,
	})
}

// ago is what --since names.
func (h *house) ago(d time.Duration) *window.Window {
	return &window.Window{Start: h.now.Add(-d), End: h.now}
}

func TestAWindowThatReachesBackEndsWhenARecordingWasMade(t *testing.T) {
	h := newHouse(t)
	var requests []connector.Request
	o := h.options(recorded(t, h, &requests))
	o.Window, o.Relative = h.ago(30*time.Minute), true
	out := h.run(o)
	want := window.Window{Start: start().Add(30 * time.Minute), End: start().Add(time.Hour)}
	if requests[0].Window != want || requests[0].Incremental || out.Events != 30 || out.Window != want {
		t.Errorf("asked for %v, %d events, told as %v", requests[0].Window, out.Events, out.Window)
	}
	p := out.Statement.Predicate
	if p.Window == nil || *p.Window != want || p.Run.Invocation != manifest.InvocationWindow || p.Sources[0].Window != nil {
		t.Errorf("the manifest says %v, %v", p.Window, p.Sources[0].Window)
	}
	if p.Sources[0].Cursor != nil {
		t.Error("a cursor was moved")
	}
}

func TestNamedTimesStayWhateverWasRecorded(t *testing.T) {
	h := newHouse(t)
	var requests []connector.Request
	o := h.options(recorded(t, h, &requests))
	o.Window = &window.Window{Start: start().Add(10 * time.Minute), End: start().Add(20 * time.Minute)}
	if out := h.run(o); requests[0].Window != *o.Window || out.Events != 10 {
		t.Errorf("asked for %v, %d events", requests[0].Window, out.Events)
	}
}

func TestALiveSourceBesideARecordingHasAWindowOfItsOwn(t *testing.T) {
	h := newHouse(t)
	var requests []connector.Request
	o := h.options(recorded(t, h, &requests), memory(t, "live", &connectortest.Memory{}))
	o.Window, o.Relative = h.ago(time.Hour), true
	p := h.run(o).Statement.Predicate
	if *p.Window != *o.Window || p.Sources[0].Window == nil || p.Sources[0].Window.End != start().Add(time.Hour) || p.Sources[1].Window != nil {
		t.Errorf("the manifest says %v, %v, %v", p.Window, p.Sources[0].Window, p.Sources[1].Window)
	}
}

func TestCursorsGoOnFromRecordingToRecording(t *testing.T) {
	h := newHouse(t)
	source := recorded(t, h, nil)
	m := source.Config.(connectortest.Config).Memory
	if out := h.run(h.options(source)); out.Events != 60 || !h.cursor("memory").Streams[connectortest.StreamA].Equal(m.AsOf) {
		t.Fatalf("the first: %d events, cursor %v", out.Events, h.cursor("memory").Streams)
	}
	if out := h.run(h.options(source)); out.Events != 0 {
		t.Errorf("the same again: %d events", out.Events)
	}
	m.AsOf = m.AsOf.Add(time.Hour)
	m.Records = append(m.Records, connectortest.Signal(connectortest.StreamA, "new", m.AsOf.Add(-time.Minute)))
	if out := h.run(h.options(source)); out.Events != 1 {
		t.Errorf("the next: %d events", out.Events)
	}
	m.AsOf = m.AsOf.Add(-3 * time.Hour)
	out := h.run(h.options(source))
	if src := sourceOf(t, out, "memory"); src.Status != manifest.StatusFailed || !strings.Contains(src.Error, "recording was made before") {
		t.Errorf("an older one: %s %q", src.Status, src.Error)
	}
}
