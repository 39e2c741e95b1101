package collect_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/run"
)

// hangs is a source that never connects and ignores its context.
type hangs struct{ release <-chan struct{} }

func (hangs) Validate() error { return nil }

func (h hangs) Connect(context.Context, connector.Env) (connector.Connector, error) {
	<-h.release
	return nil, errors.New("released")
}

// Waiting for another run and asking share one deadline, and so do more hanging
// sources than are asked side by side.
func TestTheTimeoutBoundsTheWholeRun(t *testing.T) {
	h := newHouse(t)
	other, err := manifest.OpenLedger(t.Context(), h.state(), h.runs(), manifest.LedgerOptions{Random: h.options().Rand})
	check(t, err)
	release := make(chan struct{})
	defer close(release)
	var sources []collect.Source
	for i := range 20 {
		sources = append(sources, collect.Source{Name: fmt.Sprintf("memory/%d", i), Type: "memory", Config: hangs{release}})
	}
	o := h.options(sources...)
	o.Timeout = 6 * time.Second
	time.AfterFunc(2*time.Second, func() { _ = other.Close() })
	began := time.Now()
	out := h.run(o)
	if took := time.Since(began); took > o.Timeout+time.Second/4 {
		t.Errorf("took %v with a timeout of %v", took, o.Timeout)
	}
	if out.Statement.Predicate.Outcome != manifest.OutcomeFailed {
		t.Errorf("%+v", out.Statement.Predicate)
	}

	other, err = manifest.OpenLedger(t.Context(), h.state(), h.runs(), manifest.LedgerOptions{Random: h.options().Rand})
	check(t, err)
	defer func() { _ = other.Close() }()
	o.Timeout = 2 * time.Second
	began = time.Now()
	if _, err := collect.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "another run is under way") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > o.Timeout {
		t.Errorf("waited %v with a timeout of %v", took, o.Timeout)
	}
}

// Two states with one folder of runs: the second waits, is told, and takes
// nothing away.
func TestTwoStatesDoNotShareAFolderOfRuns(t *testing.T) {
	a, b := newHouse(t), newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(10, start(), time.Minute)}
	o := a.options(memory(t, "memory", m))
	var once sync.Once
	ended := make(chan error, 1)
	o.Evidence = func(evidence.Event) {
		once.Do(func() {
			p := b.options(memory(t, "memory", &connectortest.Memory{}))
			p.RunsDir = a.runs()
			waits := make(chan struct{})
			p.Waiting = func(int) { close(waits) }
			go func() {
				_, err := collect.Run(t.Context(), p)
				ended <- err
			}()
			<-waits
		})
	}
	a.run(o)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "one --out belongs to one state") || !strings.Contains(err.Error(), a.runs()) {
		t.Errorf("got %v", err)
	}
}

// A clock that is hours off means that nobody knows what was asked for.
func TestALargeSkewIsNotComplete(t *testing.T) {
	for _, skew := range []time.Duration{2 * time.Hour, -11 * time.Minute} {
		h := newHouse(t)
		m := &connectortest.Memory{Records: connectortest.Signals(60, start(), time.Minute)}
		source := memory(t, "memory", m)
		h.run(h.options(source))
		before := h.now
		h.now = h.now.Add(time.Hour)
		m.Skew = skew
		o := h.options(source)
		var told collect.Progress
		o.Observe = func(p collect.Progress) { told = p }
		src := sourceOf(t, h.run(o), "memory")
		if src.Status != manifest.StatusPartial || told.Skew != skew || !strings.Contains(src.Streams[0].Reason, "clock") {
			t.Errorf("%v: told %+v, %+v", skew, told, src)
		}
		if through := h.cursor("memory").Streams[connectortest.StreamA]; !through.Equal(before) {
			t.Errorf("%v: the cursor was moved to %v", skew, through)
		}
	}
}

// Two names with one file are the trouble of the second of them.
func TestNamesThatShareAFileAreTheSecondOnesTrouble(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(10, start(), time.Minute)}
	out := h.run(h.options(memory(t, "memory/A", m), memory(t, "memory/a", m)))
	byStatus := map[manifest.Status]manifest.Source{}
	for _, name := range []string{"memory/A", "memory/a"} {
		src := sourceOf(t, out, name)
		byStatus[src.Status] = src
	}
	if failed := byStatus[manifest.StatusFailed]; failed.ErrorClass != string(connector.ClassConfig) || !strings.Contains(failed.Error, "share the file") {
		t.Errorf("%+v", out.Statement.Predicate.Sources)
	}
	if byStatus[manifest.StatusComplete].Counts["RuntimeSignal"] != 10 {
		t.Errorf("%+v", out.Statement.Predicate.Sources)
	}
}

// What is wrong with our disk is not said of a source.
func TestTheDisksTroubleIsNotTheSources(t *testing.T) {
	h := newHouse(t)
	m := &connectortest.Memory{Records: connectortest.Signals(10, start(), time.Minute)}
	o := h.options(memory(t, "memory", m), memory(t, "memory/waits", &connectortest.Memory{Trouble: connectortest.HangsUntil}))
	ended := map[string]collect.Progress{}
	o.Observe = func(p collect.Progress) {
		if ended[p.Source] = p; p.Source != "memory" || p.Status != "" {
			return
		}
		partial, err := filepath.Glob(filepath.Join(h.runs(), run.PartialPrefix+"*", "evidence"))
		if err != nil || len(partial) != 1 {
			t.Errorf("%v, %v", partial, err)
			return
		}
		if err := os.Remove(partial[0]); err != nil {
			t.Error(err)
		}
	}
	_, err := collect.Run(t.Context(), o)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	for name, p := range ended {
		if p.Class != connector.ClassNone || !strings.Contains(p.Error, "the run could not be written") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
