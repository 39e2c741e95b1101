package evidence

import (
	"fmt"
	"strings"
	"time"
)

// Signal is the body of a RuntimeSignal.
type Signal struct {
	// Class is one of a closed set of well-known troubles.
	Class string `json:"class"`
	// Detail refines the class out of a closed set.
	Detail string `json:"detail,omitempty"`
	// Reason is the reason in the API's words.
	Reason string `json:"reason,omitempty"`
	// Reporter is the component that says so, in the name that it gives itself.
	Reporter  string `json:"reporter,omitempty"`
	Container string `json:"container,omitempty"`
	Image     string `json:"image,omitempty"`
	Node      string `json:"node,omitempty"`
	// Count is how often, as the API counts.
	Count int32      `json:"count"`
	First time.Time  `json:"first"`
	Last  *time.Time `json:"last,omitempty"`
	// Ongoing says that the state stood when it was read.
	Ongoing  bool   `json:"ongoing"`
	ExitCode *int32 `json:"exit_code,omitempty"`
	Restarts *int32 `json:"restart_count,omitempty"`

	// What follows was read out of messages of Kubernetes' own components.

	Registry string `json:"registry,omitempty"`
	Webhook  string `json:"webhook,omitempty"`
	Volume   string `json:"volume,omitempty"`
	// Missing is an object that is named and is not there.
	Missing   *Missing `json:"missing,omitempty"`
	Quota     string   `json:"quota,omitempty"`
	Resources []string `json:"resources,omitempty"`
	Process   string   `json:"process,omitempty"`
	// PreemptedBy is the uid of the pod that took the place.
	PreemptedBy   string  `json:"preempted_by,omitempty"`
	Unschedulable []Unfit `json:"unschedulable,omitempty"`
	NodesTotal    *int32  `json:"nodes_total,omitempty"`
	ProbeHandler  string  `json:"probe_handler,omitempty"`
	ProbeOutcome  string  `json:"probe_outcome,omitempty"`
	HTTPStatus    *int32  `json:"http_status,omitempty"`

	// What the pod asked for, or the container.

	QOSClass      string `json:"qos_class,omitempty"`
	MemoryRequest *int64 `json:"memory_request_bytes,omitempty"`
	// MemoryLimit is zero when there is none.
	MemoryLimit       *int64 `json:"memory_limit_bytes,omitempty"`
	MemoryLimitOrigin string `json:"memory_limit_origin,omitempty"`

	// Contrasts set the nodes that are not well against the others, for class node.
	Contrasts []NodeContrast `json:"contrasts,omitempty"`
}

// Missing names an object that is not there.
type Missing struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Unfit is a reason for which nodes did not take a pod.
type Unfit struct {
	Reason string `json:"reason"`
	// Name is the extended resource, or the key of the taint.
	Name  string `json:"name,omitempty"`
	Nodes int32  `json:"nodes,omitempty"`
}

func summarizeSignal(name string, s *Signal) string {
	var b strings.Builder
	b.WriteString(name)
	if s.Container != "" {
		fmt.Fprintf(&b, ", container %s", s.Container)
	}
	fmt.Fprintf(&b, ": %s", strings.ReplaceAll(s.Class, "_", " "))
	if s.Detail != "" {
		fmt.Fprintf(&b, " (%s)", strings.ReplaceAll(s.Detail, "_", " "))
	}
	for _, part := range signalParts(s) {
		b.WriteString(", ")
		b.WriteString(part)
	}
	if shared := summarizeContrasts(s.Contrasts); shared != "" {
		b.WriteString(", ")
		b.WriteString(shared)
	}
	if s.ExitCode != nil {
		fmt.Fprintf(&b, ", exit code %d", *s.ExitCode)
	}
	if s.Count > 1 {
		fmt.Fprintf(&b, ", %d times", s.Count)
	}
	if s.Ongoing {
		b.WriteString(", still so when it was read")
	}
	return b.String()
}

// signalParts are the facts of a signal that a sentence tells.
func signalParts(s *Signal) []string {
	var parts []string
	add := func(format, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf(format, value))
		}
	}
	if len(s.Unschedulable) > 0 {
		parts = append(parts, unfits(s))
	}
	if s.HTTPStatus != nil {
		parts = append(parts, fmt.Sprintf("HTTP status %d", *s.HTTPStatus))
	} else {
		add("%s", strings.ReplaceAll(s.ProbeOutcome, "_", " "))
	}
	if s.Missing != nil {
		parts = append(parts, s.Missing.Kind+" "+s.Missing.Name)
	}
	add("registry %s", s.Registry)
	add("webhook %s", s.Webhook)
	add("volume %s", s.Volume)
	if s.Quota != "" && len(s.Resources) > 0 {
		parts = append(parts, "quota "+s.Quota+" for "+listed(s.Resources))
	} else {
		add("quota %s", s.Quota)
		add("of %s", listed(s.Resources))
	}
	add("process %s", s.Process)
	switch {
	case s.MemoryLimit == nil:
	case *s.MemoryLimit == 0:
		parts = append(parts, "no memory limit")
	default:
		parts = append(parts, fmt.Sprintf("memory limit %s", mebibytes(*s.MemoryLimit)))
	}
	return parts
}

// unfits tells of each reason how many nodes gave it.
func unfits(s *Signal) string {
	words := make([]string, 0, len(s.Unschedulable))
	for _, u := range s.Unschedulable {
		word := strings.ReplaceAll(u.Reason, "_", " ")
		if u.Name != "" {
			word += " " + u.Name
		}
		if u.Nodes > 0 {
			word = fmt.Sprintf("%d %s", u.Nodes, word)
		}
		words = append(words, word)
	}
	out := listed(words)
	if s.NodesTotal != nil {
		out += fmt.Sprintf(" (of %d nodes)", *s.NodesTotal)
	}
	return out
}

// listed joins words, the first few of them.
func listed(words []string) string {
	const most = 5
	if len(words) > most {
		return strings.Join(words[:most], ", ") + fmt.Sprintf(" and %d more", len(words)-most)
	}
	return strings.Join(words, ", ")
}

// mebibytes shows a size in whole MiB, or in bytes where it is none.
func mebibytes(n int64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
