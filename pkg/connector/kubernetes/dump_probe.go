package kubernetes

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

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

// belongs reports whether an object is one of a list.
func (p *probed) belongs(l *listing, t dump.Type) bool {
	if !l.resource.serves(t, l.accept == asMetadata) || l.namespace != "" && !l.resource.cluster && p.Metadata.Namespace != l.namespace {
		return false
	}
	if l.selector == "" {
		return true
	}
	selector, err := fields.ParseSelector(l.selector)
	return err == nil && selector.Matches(fields.Set{
		"reason": string(p.Reason), "type": string(p.Type),
		"metadata.name": p.Metadata.Name, "metadata.namespace": p.Metadata.Namespace,
	})
}

// eventsAPI is the other view of Events.
const eventsAPI = "events.k8s.io/v1"

// coreEvent turns the newer view of an Event into the one that is read.
func coreEvent(t dump.Type, text []byte) ([]byte, error) {
	if t.APIVersion != eventsAPI {
		return text, nil
	}
	var e struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		EventTime         metav1.MicroTime       `json:"eventTime"`
		Series            *corev1.EventSeries    `json:"series"`
		Controller        string                 `json:"reportingController"`
		Instance          string                 `json:"reportingInstance"`
		Action            string                 `json:"action"`
		Reason            string                 `json:"reason"`
		Regarding         corev1.ObjectReference `json:"regarding"`
		Note              string                 `json:"note"`
		Type              string                 `json:"type"`
		Source            corev1.EventSource     `json:"deprecatedSource"`
		First             metav1.Time            `json:"deprecatedFirstTimestamp"`
		Last              metav1.Time            `json:"deprecatedLastTimestamp"`
		Count             int32                  `json:"deprecatedCount"`
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, errWrongKind
	}
	return json.Marshal(&corev1.Event{
		ObjectMeta: e.ObjectMeta, InvolvedObject: e.Regarding, Reason: e.Reason, Message: e.Note, Source: e.Source,
		FirstTimestamp: e.First, LastTimestamp: e.Last, Count: e.Count, Type: e.Type, EventTime: e.EventTime,
		Series: e.Series, Action: e.Action, ReportingController: e.Controller, ReportingInstance: e.Instance,
	})
}
