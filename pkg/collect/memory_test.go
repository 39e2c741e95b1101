package collect_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/record"
)

// river is a connector that makes its records as they are asked for, so that
// nothing but the run itself can hold on to them.
type river struct {
	connectortest.Config
	n    int
	peak func()
}

func (r river) Connect(context.Context, connector.Env) (connector.Connector, error) {
	return flow{&connectortest.Memory{}, r}, nil
}

type flow struct {
	*connectortest.Memory
	river river
}

func (f flow) Collect(ctx context.Context, req connector.Request, emit func(record.Record) error) (connector.Result, error) {
	for i := range f.river.n {
		if err := emit(connectortest.Signal(connectortest.StreamA, fmt.Sprintf("pod-%09d", i), req.Window.Start)); err != nil {
			return connector.Result{}, err
		}
		if i%50_000 == 0 {
			f.river.peak()
		}
	}
	return f.Memory.Collect(ctx, req, emit)
}

// heapOf gives the largest live heap during a run of n events, in bytes above
// what was there before.
func heapOf(t testing.TB, n int) int64 {
	t.Helper()
	h := newHouse(t)
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := live()
	var highest int64
	peak := func() { highest = max(highest, live()-before) }
	o := h.options(collect.Source{Name: "river", Type: "river", Config: river{n: n, peak: peak}})
	o.Timeout = 10 * time.Minute
	out := h.run(o)
	peak()
	if out.Events != n {
		t.Fatalf("%d events, want %d", out.Events, n)
	}
	return highest
}

// What a run holds on to is a hash for each event: 16 bytes, and as much again
// twice for finding it. An event itself has about 700.
func TestMemoryDoesNotGrowWithEvents(t *testing.T) {
	const n = 100_000
	small, large := heapOf(t, 1000), heapOf(t, n)
	if perEvent := float64(large-small) / n; perEvent > 80 {
		t.Errorf("%.0f bytes of heap for each event", perEvent)
	}
}

// BenchmarkMillion is the same with a million events; minutes.
func BenchmarkMillion(b *testing.B) {
	const n = 1_000_000
	small := heapOf(b, 1000)
	for b.Loop() {
		b.ReportMetric(float64(heapOf(b, n)-small)/n, "heap-B/event")
	}
}
