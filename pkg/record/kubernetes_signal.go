package record

import "time"

// SignalClass sorts what hurts. The set is closed: what is not known is
// SignalUnclassified.
type SignalClass string

// The classes of signals.
const (
	SignalCrashLoop       SignalClass = "crash_loop"
	SignalOOMKilled       SignalClass = "oom_killed"
	SignalContainerExit   SignalClass = "container_exit"
	SignalImagePull       SignalClass = "image_pull"
	SignalContainerConfig SignalClass = "container_config"
	SignalProbeFailed     SignalClass = "probe_failed"
	SignalUnschedulable   SignalClass = "unschedulable"
	SignalEvicted         SignalClass = "evicted"
	SignalSandbox         SignalClass = "sandbox"
	SignalVolume          SignalClass = "volume"
	SignalCreateFailed    SignalClass = "create_failed"
	SignalNode            SignalClass = "node"
	SignalUnclassified    SignalClass = "unclassified"
)

// Signal is something that hurts: a state of a container, or an Event that is
// a warning.
type Signal struct {
	// From is StreamPods or StreamEvents.
	From    string
	Object  Object
	Service Service
	Class   SignalClass
	// Key tells apart several signals of one object in one class: the container
	// and its restart, the uid of an Event and its count. It is part of the natural
	// key.
	Key string
	// Reason is the reason in the API's words (CamelCase), for example BackOff.
	Reason string
	// Container is empty when the whole object is meant.
	Container string
	// Count is how often, as the API counts.
	Count int32
	// First and Last are the first and last time that the API tells of. Ongoing
	// says that the state stood when it was read.
	First, Last time.Time
	Ongoing     bool
	// ExitCode and Restarts are nil when they were not told.
	ExitCode, Restarts *int32
	// Image is the image that the signal is about, if it is about one.
	Image string
	// Node is where it happened, if it is known.
	Node string
	// Detail is a refinement of the class out of a closed set: for image_pull
	// not_found, auth, rate_limited, dns, timeout, tls; for probe_failed liveness,
	// readiness, startup; for create_failed quota, webhook, pod_security, invalid.
	Detail string
}

// Stream implements Record.
func (s Signal) Stream() string { return s.From }
