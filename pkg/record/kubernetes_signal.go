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
	SignalAutoscaler      SignalClass = "autoscaler"
	SignalLoadBalancer    SignalClass = "load_balancer"
	SignalUnclassified    SignalClass = "unclassified"
)

// Signal is something that hurts: a state of a container, or an Event that is
// a warning.
type Signal struct {
	// From is StreamPods, StreamNodes or StreamEvents.
	From    string
	Object  Object
	Service Service
	Class   SignalClass
	// Key tells apart several signals of one object in one class: the container
	// and its restart, the uid of an Event and its count. It is part of the natural
	// key.
	Key string
	// Folded says that Key names a trouble of a container or pod and not an Event:
	// the pod's status and its Events tell of one and the same trouble, under one id.
	Folded bool
	// Reason is the reason in the API's words (CamelCase), for example BackOff.
	Reason string
	// Reporter is the component that says so, in the name that it gives itself; empty
	// for a status.
	Reporter string
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
	// Detail is a refinement of the class out of the closed set that the schema of
	// evidence lists.
	Detail  string
	Facts   SignalFacts
	Posture *Posture
}

// Stream implements Record.
func (s Signal) Stream() string { return s.From }

// SignalFacts are read out of messages that Kubernetes' own components write: words
// of closed sets, numbers, and names of the forms that the API takes. What is zero was
// not told.
type SignalFacts struct {
	// Registry is the host that an image is pulled from.
	Registry string
	// Webhook is the name of an admission webhook.
	Webhook string
	// Volume is the name of a volume.
	Volume string
	// Missing is an object that is named and is not there.
	Missing Missing
	// Quota is the name of a ResourceQuota. Resources are what it has too little of,
	// or what a node ran short of.
	Quota     string
	Resources []string
	// Process is the name of a process that was killed.
	Process string
	// PreemptedBy is the uid of the pod or group that took the place.
	PreemptedBy string
	// Unschedulable says why no node took a pod; NodesTotal is how many were looked
	// at.
	Unschedulable []Unfit
	NodesTotal    *int32
	// ProbeHandler is http, tcp, grpc or exec; ProbeOutcome how the probe failed;
	// HTTPStatus the answer that it got.
	ProbeHandler, ProbeOutcome string
	HTTPStatus                 *int32
}

// Missing names an object that is not there. Kind is ConfigMap, Secret,
// PersistentVolumeClaim or ServiceAccount.
type Missing struct{ Kind, Name string }

// Unfit is a reason for which nodes did not take a pod.
type Unfit struct {
	// Reason is a word of the closed set that the schema of evidence lists.
	Reason string
	// Name is the extended resource, or the key of the taint.
	Name string
	// Nodes is how many nodes gave this reason; zero when it was not told.
	Nodes int32
}

// Posture is what a pod asked for, or one container of it.
type Posture struct {
	// QOSClass is Guaranteed, Burstable or BestEffort.
	QOSClass string
	// MemoryRequest and MemoryLimit are bytes, zero when there is none. MemoryLimit
	// is nil for a whole pod.
	MemoryRequest int64
	MemoryLimit   *int64
	// LimitOrigin is pod_spec or limit_range; empty without a limit, or when it is not
	// known.
	LimitOrigin string
}
