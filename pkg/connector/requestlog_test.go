package connector_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
)

func TestRequestsAreCountedAndHandedOverOnce(t *testing.T) {
	var log connector.RequestLog
	for _, action := range []connector.Action{
		{Stream: "pods", Method: "GET", Target: "/b"},
		{Stream: "events", Method: "GET", Target: "/z"},
		{Method: "GET", Target: "/version"},
		{Stream: "unknown", Method: "GET", Target: "/a"},
		{Stream: "events", Method: "GET", Target: "/a", Purpose: "the first"},
		{Stream: "events", Method: "GET", Target: "/a"},
		{Stream: "events", Method: "GET", Target: "/z", Requests: 7},
	} {
		log.Note(action)
	}
	want := []connector.Action{
		{Method: "GET", Target: "/version", Requests: 1},
		{Stream: "unknown", Method: "GET", Target: "/a", Requests: 1},
		{Stream: "events", Method: "GET", Target: "/a", Requests: 1},
		{Stream: "events", Method: "GET", Target: "/a", Purpose: "the first", Requests: 1},
		{Stream: "events", Method: "GET", Target: "/z", Requests: 2},
		{Stream: "pods", Method: "GET", Target: "/b", Requests: 1},
	}
	if got := log.Take([]string{"events", "pods"}); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := log.Take([]string{"events", "pods"}); got == nil || len(got) != 0 {
		t.Errorf("handed over twice: %#v", got)
	}
	log.Note(connector.Action{Method: "GET", Target: "/version"})
	if got := log.Take(nil); len(got) != 1 || got[0].Requests != 1 {
		t.Errorf("after a Take: %+v", got)
	}
}

func TestManyMayNoteAtOnce(t *testing.T) {
	var log connector.RequestLog
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				log.Note(connector.Action{Method: "GET", Target: "/a"})
				log.ReadClock("Sat, 01 Aug 2026 10:00:00 GMT", time.Unix(1, 0), time.Unix(2, 0))
				_ = log.Clock()
			}
		})
	}
	all.Wait()
	if got := log.Take(nil); len(got) != 1 || got[0].Requests != 800 {
		t.Errorf("%+v", got)
	}
}

func TestTheClockOfTheFirstAnswerCounts(t *testing.T) {
	sent := time.Date(2026, 8, 1, 10, 0, 0, 0, time.UTC)
	received := sent.Add(2 * time.Second)
	var log connector.RequestLog
	if got := log.Clock(); got.Measured {
		t.Errorf("measured without an answer: %+v", got)
	}
	log.ReadClock("", sent, received)
	log.ReadClock("yesterday", sent, received)
	log.ReadClock("Sat, 01 Aug 2026 10:00:31 GMT", time.Time{}, received)
	if got := log.Clock(); got.Measured {
		t.Errorf("measured from nothing: %+v", got)
	}
	log.ReadClock("Sat, 01 Aug 2026 10:00:31 GMT", sent, received) // the middle is 10:00:01
	log.ReadClock("Sat, 01 Aug 2026 11:00:00 GMT", sent, received)
	if got, want := log.Clock(), (connector.Skew{Measured: true, Offset: 30*time.Second + 500*time.Millisecond}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
