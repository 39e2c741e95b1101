// Package connectortest holds the conformance suite of connectors and an
// in-memory connector that passes it.
//
// Every connector's test file runs the suite against a source that it knows:
//
//	connectortest.Suite{New: …, Request: …, Planted: …}.Run(t)
//
// A subtest is named after the sentence of the contract in package connector
// that it holds the connector to.
package connectortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

// Suite holds a connector to its contract.
type Suite struct {
	// New makes the connector under test over one and the same unchanging
	// source. It is called for each subtest.
	New func(t *testing.T) connector.Connector
	// Request asks for a window in which the source has at least two records.
	Request connector.Request
	// Planted are strings that stand in the source and must not come out of it:
	// secrets, and texts that people wrote.
	Planted []string
	// Prompt is what "soon" and "cheap" mean; zero is five seconds.
	Prompt time.Duration
}

// Run runs all subtests.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	if s.Prompt == 0 {
		s.Prompt = 5 * time.Second
	}
	for _, test := range []struct {
		sentence string
		run      func(Suite, *testing.T)
	}{
		{"HealthCheck is cheap", Suite.healthIsCheap},
		{"Capabilities always answers the same", Suite.capabilitiesAreStable},
		{"Identity is stable and holds no credentials", Suite.identityIsStable},
		{"emit is called from one goroutine at a time", Suite.emitIsSerial},
		{"The first error of emit stops the collection, and Collect returns it", Suite.emitErrorStops},
		{"Collect returns soon after ctx is done", Suite.contextStops},
		{"The Result is meaningful beside an error", Suite.resultBesideError},
		{"Collecting twice emits equal records in the same order", Suite.deterministic},
		{"A record belongs to a stream of Capabilities", Suite.streamsAreDeclared},
		{"Coverage has one entry a stream, in the order of Capabilities", Suite.coverageIsWhole},
		{"Answered is the part of Asked that the source still knew", Suite.answeredInsideAsked},
		{"What is not complete has a reason", Suite.reasonsAreGiven},
		{"State is bounded and is taken back", Suite.stateIsTakenBack},
		{"Actions only read", Suite.actionsOnlyRead},
		{"Nothing planted comes out", Suite.nothingPlanted},
	} {
		t.Run(test.sentence, func(t *testing.T) { test.run(s, t) })
	}
}

// limit is when a subtest gives up on a connector.
const limit = 2 * time.Minute

type collected struct {
	records []record.Record
	result  connector.Result
	err     error
}

// collect runs Collect with each for every record (nil for none), and fails the
// test when it does not come back.
func (s Suite) collect(ctx context.Context, t *testing.T, req connector.Request, each func(n int) error) collected {
	t.Helper()
	c := s.New(t)
	done := make(chan collected, 1)
	go func() {
		var got collected
		got.result, got.err = c.Collect(ctx, req, func(r record.Record) error {
			got.records = append(got.records, r)
			if each == nil {
				return nil
			}
			return each(len(got.records))
		})
		done <- got
	}()
	select {
	case got := <-done:
		return got
	case <-time.After(limit):
		t.Fatalf("Collect did not return within %v", limit)
		return collected{}
	}
}

// all collects everything and expects at least two records.
func (s Suite) all(t *testing.T) collected {
	t.Helper()
	got := s.collect(t.Context(), t, s.Request, nil)
	if got.err != nil {
		t.Fatalf("Collect: %v", got.err)
	}
	if len(got.records) < 2 {
		t.Fatalf("the suite needs a source with at least two records in the window, got %d", len(got.records))
	}
	return got
}

func (s Suite) healthIsCheap(t *testing.T) {
	start := time.Now()
	health := s.New(t).HealthCheck(t.Context())
	if health.Err != nil || !health.Reachable {
		t.Errorf("the source under test is not healthy: %+v", health)
	}
	if took := time.Since(start); took > s.Prompt {
		t.Errorf("took %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start = time.Now()
	if health := s.New(t).HealthCheck(ctx); health.Err == nil {
		t.Error("healthy although its context was done before it asked")
	}
	if took := time.Since(start); took > s.Prompt {
		t.Errorf("took %v after its context was done", took)
	}
}

func (s Suite) capabilitiesAreStable(t *testing.T) {
	c := s.New(t)
	first := c.Capabilities()
	if len(first.Streams) == 0 {
		t.Fatal("no streams")
	}
	seen := map[string]bool{}
	for _, stream := range first.Streams {
		if stream.Name == "" || seen[stream.Name] {
			t.Errorf("stream %q is without a name or there twice", stream.Name)
		}
		seen[stream.Name] = true
		if stream.Overlap < 0 {
			t.Errorf("stream %s: negative overlap", stream.Name)
		}
	}
	if _, err := c.Collect(t.Context(), s.Request, func(record.Record) error { return nil }); err != nil {
		t.Fatalf("Collect: %v", err)
	}
	if diff := cmp.Diff(first, c.Capabilities()); diff != "" {
		t.Error("another answer after collecting:\n" + diff)
	}
}

func (s Suite) identityIsStable(t *testing.T) {
	identify := func() connector.Identity {
		c, ok := s.New(t).(connector.Identifier)
		if !ok {
			t.Skip("the connector is no Identifier")
		}
		id, err := c.Identity(t.Context())
		if err != nil {
			t.Fatalf("Identity: %v", err)
		}
		return id
	}
	first, second := identify(), identify()
	if first.Target == "" || first.Target != second.Target {
		t.Errorf("targets %q and %q", first.Target, second.Target)
	}
	if strings.Contains(first.Target, "@") {
		t.Errorf("target %q looks as if it held credentials", first.Target)
	}
}

func (s Suite) emitIsSerial(t *testing.T) {
	var inside, overlaps, late atomic.Int32
	var returned atomic.Bool
	c := s.New(t)
	_, err := c.Collect(t.Context(), s.Request, func(record.Record) error {
		if inside.Add(1) > 1 {
			overlaps.Add(1)
		}
		if returned.Load() {
			late.Add(1)
		}
		time.Sleep(time.Millisecond)
		inside.Add(-1)
		return nil
	})
	returned.Store(true)
	if err != nil {
		t.Fatalf("Collect: %v", err)
	}
	time.Sleep(50 * time.Millisecond)
	if n := overlaps.Load(); n > 0 {
		t.Errorf("emit was called %d times while it was running", n)
	}
	if n := late.Load(); n > 0 {
		t.Errorf("emit was called %d times after Collect had returned", n)
	}
}

func (s Suite) emitErrorStops(t *testing.T) {
	stop := errors.New("stop here")
	calls := 0
	got := s.collect(t.Context(), t, s.Request, func(int) error { calls++; return stop })
	if calls != 1 {
		t.Errorf("emit was called %d times, want once", calls)
	}
	if !errors.Is(got.err, stop) {
		t.Errorf("Collect returned %v, want the error of emit", got.err)
	}
}

func (s Suite) contextStops(t *testing.T) {
	full := len(s.all(t).records)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var cancelled time.Time
	got := s.collect(ctx, t, s.Request, func(n int) error {
		if n == 1 {
			cancelled = time.Now()
			cancel()
		}
		return nil
	})
	if took := time.Since(cancelled); took > s.Prompt {
		t.Errorf("returned %v after its context was done", took)
	}
	// What was in its hands already it may still give away, all or nothing.
	if got.err == nil && len(got.records) != full {
		t.Errorf("no error although only %d of %d records came", len(got.records), full)
	}
	if got := s.collect(ctx, t, s.Request, nil); got.err == nil && len(got.records) == 0 && full > 0 {
		t.Error("no error although the context was done before it started")
	}
}

func (s Suite) resultBesideError(t *testing.T) {
	stop := errors.New("stop here")
	got := s.collect(t.Context(), t, s.Request, func(int) error { return stop })
	s.checkCoverage(t, got.result)
	complete := 0
	for _, c := range got.result.Coverage {
		if c.Status == connector.Complete {
			complete++
		}
	}
	if n := len(got.result.Coverage); n > 0 && complete == n {
		t.Error("every stream is complete although the first record was refused")
	}
}

func (s Suite) deterministic(t *testing.T) {
	first, second := s.all(t), s.all(t)
	if diff := cmp.Diff(first.records, second.records); diff != "" {
		t.Error("other records the second time:\n" + diff)
	}
	if diff := cmp.Diff(first.result, second.result); diff != "" {
		t.Error("another result the second time:\n" + diff)
	}
}

func (s Suite) streamsAreDeclared(t *testing.T) {
	declared := map[string]bool{}
	for _, stream := range s.New(t).Capabilities().Streams {
		declared[stream.Name] = true
	}
	for _, r := range s.all(t).records {
		if !declared[r.Stream()] {
			t.Fatalf("a record of the stream %q, which Capabilities does not name", r.Stream())
		}
	}
}

func (s Suite) checkCoverage(t *testing.T, result connector.Result) {
	t.Helper()
	var want, got []string
	for _, stream := range s.New(t).Capabilities().Streams {
		want = append(want, stream.Name)
	}
	for _, c := range result.Coverage {
		got = append(got, c.Stream)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func (s Suite) coverageIsWhole(t *testing.T) {
	got := s.all(t)
	s.checkCoverage(t, got.result)
	for _, c := range got.result.Coverage {
		if want := s.Request.WindowOf(c.Stream); c.Asked != want {
			t.Errorf("stream %s: asked %v, the request said %v", c.Stream, c.Asked, want)
		}
	}
}

func (s Suite) answeredInsideAsked(t *testing.T) {
	for _, c := range s.all(t).result.Coverage {
		if c.Answered == (window.Window{}) {
			if c.Status == connector.Complete {
				t.Errorf("stream %s is complete and answered for no time at all", c.Stream)
			}
			continue
		}
		if c.Answered.Start.Before(c.Asked.Start) || c.Answered.End.After(c.Asked.End) || !c.Answered.Start.Before(c.Answered.End) {
			t.Errorf("stream %s: answered %v, asked %v", c.Stream, c.Answered, c.Asked)
		}
	}
}

func (s Suite) reasonsAreGiven(t *testing.T) {
	for _, c := range s.all(t).result.Coverage {
		switch c.Status {
		case connector.Complete:
			if c.Truncated || c.Class != connector.ClassNone || len(c.Missing) > 0 {
				t.Errorf("stream %s is complete, and yet: %+v", c.Stream, c)
			}
		case connector.Partial, connector.Failed, connector.Skipped:
			if c.Reason == "" {
				t.Errorf("stream %s is %s without a reason", c.Stream, c.Status)
			}
		default:
			t.Errorf("stream %s: status %q", c.Stream, c.Status)
		}
	}
}

func (s Suite) stateIsTakenBack(t *testing.T) {
	state := s.all(t).result.State
	if len(state) > connector.MaxState {
		t.Errorf("the state has %d bytes, more than %d", len(state), connector.MaxState)
	}
	again := s.Request
	again.State, again.Incremental = state, true
	if got := s.collect(t.Context(), t, again, nil); got.err != nil {
		t.Errorf("Collect with its own state: %v", got.err)
	}
}

func (s Suite) actionsOnlyRead(t *testing.T) {
	streams := map[string]bool{}
	for _, stream := range s.New(t).Capabilities().Streams {
		streams[stream.Name] = true
	}
	got := s.all(t)
	if len(got.result.Actions) == 0 {
		t.Error("records came and no action says what was asked")
	}
	for _, a := range got.result.Actions {
		switch a.Method {
		case "GET", "HEAD", "SELECT", "SHOW", "OPEN":
		case "POST": // token exchange and access reviews, which belong to no stream
			if streams[a.Stream] {
				t.Errorf("a POST for the data of stream %s: %s", a.Stream, a.Target)
			}
		default:
			t.Errorf("the method %q does not only read: %s", a.Method, a.Target)
		}
		if a.Requests < 1 || a.Target == "" || strings.Contains(a.Target, "?") {
			t.Errorf("an action without requests, without a target or with a query: %+v", a)
		}
	}
}

func (s Suite) nothingPlanted(t *testing.T) {
	got := s.all(t)
	text := fmt.Sprintf("%+v\n%#v\n", got.records, got.result)
	for _, v := range []any{got.records, got.result.Actions, got.result.Coverage, got.result.Notes, got.result.Routine} {
		js, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text += string(js) + "\n"
	}
	text += string(got.result.State)
	if id, ok := s.New(t).(connector.Identifier); ok {
		identity, err := id.Identity(t.Context())
		text += fmt.Sprintf("%+v %v", identity, err)
	}
	text += fmt.Sprintf("%+v", s.New(t).HealthCheck(t.Context()))
	for _, planted := range s.Planted {
		if planted != "" && strings.Contains(text, planted) {
			t.Errorf("%q stands in the source and came out", planted)
		}
	}
}
