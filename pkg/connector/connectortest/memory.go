package connectortest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

// StreamA and StreamB are the streams of a Memory.
const (
	StreamA = record.StreamPods
	StreamB = record.StreamEvents
)

// Overlap is how far a Memory looks back for late data.
const Overlap = 10 * time.Minute

// Trouble is what a Memory can be told to do instead of its work.
type Trouble string

// The troubles. Those that need a position happen after Memory.After records.
const (
	Healthy     Trouble = ""
	Panics      Trouble = "panics"
	HangsUntil  Trouble = "hangs until its context is done"
	HangsAlways Trouble = "hangs and ignores its context"
	FailsMidway Trouble = "fails midway"
	Blurts      Trouble = "fails with the source's own words"
	Floods      Trouble = "emits without end"
	Forbidden   Trouble = "is refused one stream"
	CannotStart Trouble = "cannot connect"
	Forgets     Trouble = "has forgotten the first half of the window"
	Leaks       Trouble = "names a credential in what it asked"
)

// Memory is a connector whose source is a slice. Its zero value reads nothing
// and is healthy. It does not change while it collects; tests may change it
// between two runs.
type Memory struct {
	// Records are its source: kubernetes signals, since those need no more than
	// a name and times. They are emitted in this order when their Last lies in
	// the window of their stream.
	Records []record.Signal
	// Generous emits them whatever the window is, as a source does that cannot
	// be asked for one.
	Generous bool
	// Target, Aliases, Skew and AsOf are what Identity says.
	Target  string
	Aliases []string
	Skew    time.Duration
	AsOf    time.Time
	// Trouble and After make it misbehave.
	Trouble Trouble
	After   int
	// Release ends HangsAlways, so that a test can end. Nil hangs for ever.
	Release <-chan struct{}
	// Requests gets every request, if it is not nil.
	Requests *[]connector.Request
}

// Config makes a Memory the config of itself, for package collect.
type Config struct {
	*Memory `json:"-"`
	// Reads stands for what the config says about what is read.
	Reads string
}

// Validate accepts everything.
func (Config) Validate() error { return nil }

// Connect gives the Memory.
func (c Config) Connect(context.Context, connector.Env) (connector.Connector, error) {
	if c.Trouble == CannotStart {
		return nil, connector.Errorf(connector.ClassConfig, nil, "the source in memory was told not to connect")
	}
	return c.Memory, nil
}

// HealthCheck always finds a healthy source.
func (m *Memory) HealthCheck(ctx context.Context) connector.Health {
	if err := ctx.Err(); err != nil {
		return connector.Health{Err: err}
	}
	return connector.Health{Reachable: true, Authenticated: true, Version: "v1", Skew: m.skew()}
}

// Identity gives Target, Aliases and Skew.
func (m *Memory) Identity(ctx context.Context) (connector.Identity, error) {
	if err := ctx.Err(); err != nil {
		return connector.Identity{}, err
	}
	target := m.Target
	if target == "" {
		target = "memory"
	}
	return connector.Identity{Target: target, Aliases: m.Aliases, Version: "v1", Skew: m.skew(), AsOf: m.AsOf}, nil
}

func (m *Memory) skew() connector.Skew {
	return connector.Skew{Measured: true, Offset: m.Skew}
}

// Capabilities names two streams.
func (m *Memory) Capabilities() connector.Capabilities {
	stream := func(name string) connector.Stream {
		return connector.Stream{
			Name: name, Incremental: true, Overlap: Overlap,
			Needs: []connector.Grant{{Verb: "list", Resource: name, Rule: "none: it is in memory"}},
		}
	}
	return connector.Capabilities{
		Streams:    []connector.Stream{stream(StreamA), stream(StreamB)},
		NeverReads: []string{"anything outside the memory of the process"},
	}
}

// Collect emits what lies in the window. Its State counts the runs.
func (m *Memory) Collect(ctx context.Context, req connector.Request, emit func(record.Record) error) (connector.Result, error) {
	if m.Requests != nil {
		*m.Requests = append(*m.Requests, req)
	}
	runs, err := countRuns(req.State)
	if err != nil {
		return connector.Result{}, err
	}
	result := connector.Result{State: []byte(strconv.Itoa(runs + 1))}
	for _, s := range m.Capabilities().Streams {
		asked := req.WindowOf(s.Name)
		reach := asked
		if req.Incremental {
			reach = asked.Back(s.Overlap)
		}
		cover := connector.Coverage{Stream: s.Name, Status: connector.Complete, Asked: asked, Answered: asked}
		switch {
		case m.Trouble == Forbidden && s.Name == StreamB:
			cover = refused(cover, s.Needs)
		case err == nil:
			if m.Trouble == Forgets {
				cover.Status, cover.Reason = connector.Partial, "the source keeps half a window"
				cover.Answered.Start = asked.Start.Add(asked.End.Sub(asked.Start) / 2)
			}
			err = m.stream(ctx, s.Name, reach, emit)
			result.Actions = append(result.Actions, connector.Action{Stream: s.Name, Method: "GET", Target: m.address() + s.Name, Requests: 1})
		}
		if err != nil {
			cover.Status, cover.Answered = connector.Failed, window.Window{}
			cover.Class, cover.Reason = connector.ClassOf(err), "the source stopped before its end"
		}
		result.Coverage = append(result.Coverage, cover)
	}
	return result, err
}

func (m *Memory) address() string {
	if m.Trouble == Leaks {
		return "https://reader:" + Planted + "@memory/"
	}
	return "memory/"
}

func refused(c connector.Coverage, needs []connector.Grant) connector.Coverage {
	c.Status, c.Answered = connector.Failed, window.Window{}
	c.Class, c.Reason, c.Missing = connector.ClassForbidden, "the source refused the stream", needs
	return c
}

func countRuns(state []byte) (int, error) {
	if state == nil {
		return 0, nil
	}
	n, err := strconv.Atoi(string(state))
	if err != nil {
		return 0, connector.Errorf(connector.ClassConfig, err, "the state is not one that a source in memory wrote")
	}
	return n, nil
}

func (m *Memory) stream(ctx context.Context, name string, reach window.Window, emit func(record.Record) error) error {
	for i := range len(m.Records) + 1 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i == m.After {
			if err := m.trouble(ctx, name, reach, emit); err != nil {
				return err
			}
		}
		if i == len(m.Records) {
			break
		}
		r := m.Records[i]
		if r.From == name && (m.Generous || r.Ongoing || reach.Contains(r.Last)) {
			if err := emit(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Memory) trouble(ctx context.Context, name string, reach window.Window, emit func(record.Record) error) error {
	switch m.Trouble {
	case Panics:
		panic("the source in memory was told to panic: " + Planted)
	case HangsUntil:
		<-ctx.Done()
		return ctx.Err()
	case HangsAlways:
		<-m.Release
		return errors.New("released")
	case FailsMidway:
		return connector.Errorf(connector.ClassProtocol, errors.New(Planted), "the source in memory was told to fail")
	case Blurts:
		return errors.New("the source says: " + Planted)
	case Floods:
		for i := 0; ; i++ {
			if err := emit(Signal(name, fmt.Sprintf("flood-%d", i), reach.Start)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Planted is a string that a Memory's panics and causes of errors hold and
// that must come out nowhere.
const Planted = "planted-canary-hunter2"

// Signal makes a record of a stream of a Memory. Name tells it from others.
func Signal(stream, name string, at time.Time) record.Signal {
	return record.Signal{
		From:    stream,
		Object:  record.Object{Cluster: "memory", Kind: "Pod", Namespace: "shop", Name: name, UID: "uid-" + name},
		Service: record.Service{Name: "checkout", Basis: "workload name"},
		Class:   record.SignalCrashLoop, Key: "main/1", Reason: "BackOff", Container: "main",
		Count: 1, First: at, Last: at,
	}
}

// Signals makes n records, alternating between the streams, one every step from
// start on.
func Signals(n int, start time.Time, step time.Duration) []record.Signal {
	all := make([]record.Signal, 0, n)
	for i := range n {
		stream := []string{StreamA, StreamB}[i%2]
		all = append(all, Signal(stream, fmt.Sprintf("pod-%06d", i), start.Add(time.Duration(i)*step)))
	}
	return slices.Clip(all)
}
