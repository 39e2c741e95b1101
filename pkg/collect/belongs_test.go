package collect

import (
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/window"
)

// What happened at some time between two others belongs to each window that it may
// have happened in, and to no later one.
func TestWhatIsBoundedBelongsToTheWindowsBetween(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC) }
	bounded := evidence.Span{Instants: []time.Time{at(20)}, Since: at(10), Until: at(20)}
	for name, test := range map[string]struct {
		from, to int
		want     bool
	}{
		"before": {0, 10, false}, "over the beginning": {0, 11, true}, "inside": {12, 15, true},
		"over the end": {15, 30, true}, "from the end": {20, 30, true}, "after": {21, 30, false},
	} {
		if got := belongs(bounded, window.Window{Start: at(test.from), End: at(test.to)}); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
