package evidence_test

import (
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
)

// What two looks tell of configuration happened before the later one, which is read
// after the window has ended; no later run tells it again.
func TestTheSpanOfAConfigChange(t *testing.T) {
	from := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	to := from.Add(time.Hour)
	for name, c := range map[string]struct {
		at      time.Time
		body    evidence.ConfigChange
		between bool
		ongoing bool
	}{
		"gone between two looks":    {to, evidence.ConfigChange{Change: "delete", How: "snapshot", NotBefore: &from, NotAfter: &to}, true, false},
		"gone since a look":         {from, evidence.ConfigChange{Change: "delete", How: "snapshot", NotBefore: &from}, false, true},
		"written at a time between": {from.Add(time.Minute), evidence.ConfigChange{Change: "update", How: "snapshot", NotBefore: &from, NotAfter: &to}, false, false},
		"written at a time":         {to, evidence.ConfigChange{Change: "update", How: "managed_fields"}, false, false},
	} {
		s := evidence.Event{Time: c.at, ConfigChange: &c.body}.Span()
		if between := s.Since.Equal(from) && s.Until.Equal(to); between != c.between {
			t.Errorf("%s: bounds %s to %s", name, s.Since, s.Until)
		}
		if s.Ongoing != c.ongoing || s.Ongoing && !s.Instants[len(s.Instants)-1].Equal(from) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
