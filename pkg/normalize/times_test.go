package normalize_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/normalize"
	"github.com/rcactl/rcactl/pkg/record"
)

// A time that a text cannot hold is left out: the line would be lost for it.
func TestTimesThatCannotBeWrittenAreLeftOut(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<60, 0)} {
		for _, r := range []record.Record{
			record.Delivery{Tool: record.ToolArgoCD, Object: record.Object{Kind: "Application", Name: "a", UID: "u"}, Applied: []record.Applied{{Key: "k", Started: now, Finished: at}}},
			record.Signal{Class: record.SignalCrashLoop, Object: record.Object{Kind: "Pod", Name: "p", UID: "u"}, First: now, Last: at},
		} {
			events, err := normalize.Record("kubernetes", r)
			if err != nil || len(events) != 1 {
				t.Fatal(events, err)
			}
			if _, err := json.Marshal(events[0]); err != nil {
				t.Errorf("%T at %d: %v", r, at.Year(), err)
			}
		}
	}
}
