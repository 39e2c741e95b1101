package connector

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// RequestLog collects what a source was asked, and what its clock said. The zero
// value is empty and ready; many goroutines may use one.
type RequestLog struct {
	mu      sync.Mutex
	actions map[Action]int // keyed without Requests
	skew    Skew
}

// Note counts one request of an action, whatever its Requests says.
func (l *RequestLog) Note(action Action) {
	action.Requests = 0
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.actions == nil {
		l.actions = map[Action]int{}
	}
	l.actions[action]++
}

// ReadClock compares the Date header of the first answer that has one with the middle
// of its request. Date has a resolution of one second and is cut, not rounded: half a
// second is added, so that the error is at most that either way. A date that is none,
// and a request of which nobody knows when it was sent, tell nothing.
func (l *RequestLog) ReadClock(date string, sent, received time.Time) {
	server, err := http.ParseTime(date)
	if err != nil || sent.IsZero() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.skew.Measured {
		middle := sent.Add(received.Sub(sent) / 2)
		l.skew = Skew{Measured: true, Offset: server.Add(time.Second / 2).Sub(middle)}
	}
}

// Clock gives what ReadClock found; not measured when it found nothing.
func (l *RequestLog) Clock() Skew {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.skew
}

// Take hands over the actions since the last Take, with their Requests, in a stable
// order: first what belongs to no stream or to one that streams does not name, then
// stream by stream, within each by method, target and purpose.
func (l *RequestLog) Take(streams []string) []Action {
	l.mu.Lock()
	defer l.mu.Unlock()
	actions := make([]Action, 0, len(l.actions))
	for action, n := range l.actions {
		action.Requests = n
		actions = append(actions, action)
	}
	l.actions = nil
	slices.SortFunc(actions, func(a, b Action) int {
		if d := slices.Index(streams, a.Stream) - slices.Index(streams, b.Stream); d != 0 {
			return d
		}
		return strings.Compare(a.Stream+" "+a.Method+" "+a.Target+" "+a.Purpose, b.Stream+" "+b.Method+" "+b.Target+" "+b.Purpose)
	})
	return actions
}
