package kubernetes

import (
	"encoding/json"
	"time"

	"github.com/rcactl/rcactl/pkg/connector/kubernetes/dump"
)

// probed is what is looked at in every object of a recording before it is known
// what it is.
type probed struct {
	APIVersion loose `json:"apiVersion"`
	Kind       loose `json:"kind"`
	Reason     loose `json:"reason"`
	Type       loose `json:"type"`
	Metadata   struct {
		Name              string       `json:"name"`
		Namespace         string       `json:"namespace"`
		UID               string       `json:"uid"`
		CreationTimestamp string       `json:"creationTimestamp"`
		ManagedFields     []probedTime `json:"managedFields"`
	} `json:"metadata"`
	LastTimestamp loose `json:"lastTimestamp"`
	EventTime     loose `json:"eventTime"`
	Series        struct {
		LastObservedTime string `json:"lastObservedTime"`
	} `json:"series"`
	Status struct {
		Conditions []probedCondition `json:"conditions"`
	} `json:"status"`
}

type probedTime struct {
	Time string `json:"time"`
}

type probedCondition struct {
	Transition string `json:"lastTransitionTime"`
	Update     string `json:"lastUpdateTime"`
	Heartbeat  string `json:"lastHeartbeatTime"`
}

// loose is a text where there is one: foreign kinds have other things in fields of
// these names.
type loose string

// UnmarshalJSON implements json.Unmarshaler.
func (l *loose) UnmarshalJSON(raw []byte) error {
	if len(raw) == 0 || raw[0] != '"' {
		return nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	*l = loose(s)
	return err
}

// probe looks at an object. What has another form than expected is left out.
func probe(text []byte) (p probed) {
	_ = json.Unmarshal(text, &p) // a field of another type leaves the others read
	return p
}

// is says what the object is: as it says itself, else as its list does.
func (p *probed) is(in dump.Type) dump.Type {
	if p.Kind != "" && p.APIVersion != "" {
		return dump.Type{APIVersion: string(p.APIVersion), Kind: string(p.Kind)}
	}
	return in
}

// eventSlack is how much later than all else an Event may say that it was: whoever
// may create Events chooses its times, and a wrong one would move the window to
// where nothing happened.
const eventSlack = time.Hour

// times finds when a recording was made: the latest time that the API server or
// a controller wrote, and the latest that an Event tells. They are RFC 3339 in
// UTC, so that texts compare as times do.
type recordedTimes struct{ served, told string }

func (t *recordedTimes) see(p *probed, now string) {
	t.serve(p.Metadata.CreationTimestamp, now)
	for _, m := range p.Metadata.ManagedFields {
		t.serve(m.Time, now)
	}
	for _, c := range p.Status.Conditions {
		t.serve(c.Transition, now)
		t.serve(c.Update, now)
		t.serve(c.Heartbeat, now)
	}
	for _, told := range []string{string(p.LastTimestamp), string(p.EventTime), p.Series.LastObservedTime} {
		laterTime(&t.told, told, now)
	}
}

func (t *recordedTimes) serve(text, now string) { laterTime(&t.served, text, now) }

func (t *recordedTimes) merge(o recordedTimes) {
	laterTime(&t.served, o.served, "")
	laterTime(&t.told, o.told, "")
}

// laterTime keeps the later time. One after now, if that is known, is of no recording.
func laterTime(latest *string, text, now string) {
	const whole = len("2006-01-02T15:04:05Z")
	if len(text) < whole || text[len(text)-1] != 'Z' || len(text) > whole+10 {
		return
	}
	if len(*latest) >= whole && text[:whole-1] <= (*latest)[:whole-1] || now != "" && text[:whole-1] > now[:whole-1] {
		return
	}
	if _, err := time.Parse(time.RFC3339Nano, text); err == nil {
		*latest = text[:whole-1] + "Z"
	}
}

// present is the time of the recording: that of its own stamp, unless objects tell
// of later. It is the end of the second, so that what happened last is before it.
func (t recordedTimes) present(stamp time.Time) (asOf time.Time, stamped bool) {
	served, _ := time.Parse(time.RFC3339, t.served)
	told, _ := time.Parse(time.RFC3339, t.told)
	asOf = served
	if told.After(asOf) && (served.IsZero() || told.Before(served.Add(eventSlack))) {
		asOf = told
	}
	if stamp.After(asOf) {
		asOf, stamped = stamp.Truncate(time.Second), true
	}
	if asOf.IsZero() {
		return asOf, false
	}
	return asOf.Add(time.Second).UTC(), stamped
}

// basis says where asOf is from.
func (s *survey) basis() string {
	if s.stamped {
		return "the time that its file \"timestamp\" tells"
	}
	return "the latest time that an object in it tells"
}
