package record

import "time"

// Streams of the kubernetes connector.
const (
	StreamWorkloads  = "workloads"  // Deployments, StatefulSets, DaemonSets with their revisions
	StreamPods       = "pods"       // container status
	StreamEvents     = "events"     // core/v1 Events
	StreamConfigMaps = "configmaps" // metadata only
)

// Object names a Kubernetes object.
type Object struct {
	// Cluster is the cluster id of the service key.
	Cluster string
	// Kind as the API spells it: Deployment, Pod.
	Kind string
	// Namespace is empty for a cluster-scoped object.
	Namespace, Name, UID string
}

// Service says which service an object belongs to.
type Service struct {
	// Name is the last part of the service key; empty when it is not known.
	Name string
	// Basis says how the name is known: "label app.kubernetes.io/name",
	// "workload name", "owner" or "generated name".
	Basis string
}

// Workload is a Deployment, StatefulSet or DaemonSet with all the revisions
// that the cluster still remembers.
type Workload struct {
	Object  Object
	Service Service
	Created time.Time
	// Deleted is when deletion was asked for, zero when it was not; a workload
	// that vanished between two looks has Vanished instead.
	Deleted  time.Time
	Vanished *Vanished
	// Desired is spec.replicas; -1 for a DaemonSet.
	Desired int32
	// Rescaled says that Desired was another one at the last look; nil when it was
	// not, or when that is not known.
	Rescaled *Rescaled
	Rollout  Rollout
	// Revisions are sorted by Number, the current one last.
	Revisions []Revision
	// Managers are the field managers of the object itself, newest last, without
	// those of the status subresource and of Kubernetes' own controllers, but for
	// the scale subresource, where that is the HPA.
	Managers []Manager
	// Scalings are the changes of the number of replicas that Events told of,
	// oldest first.
	Scalings []Scaling
}

// Stream implements Record.
func (Workload) Stream() string { return StreamWorkloads }

// Vanished says between which two looks an object went away. After is when the
// list of the earlier one was begun, Before when that of the later one had been
// read. Before is zero when the window was named by a person, so that the same
// window gives the same evidence: the object was gone when it was read.
type Vanished struct{ After, Before time.Time }

// Rescaled says between which two looks the desired number of replicas changed;
// the times are those of Vanished.
type Rescaled struct {
	From, To      int32
	After, Before time.Time
}

// RolloutState is the state of the newest rollout as the cluster tells it.
type RolloutState string

// The states of a rollout.
const (
	RolloutComplete    RolloutState = "complete"
	RolloutProgressing RolloutState = "progressing"
	RolloutFailed      RolloutState = "failed"
	RolloutPaused      RolloutState = "paused"
	RolloutUnknown     RolloutState = "unknown"
)

// Rollout is the state of the newest rollout.
type Rollout struct {
	State RolloutState
	// Reason is the reason of the Progressing condition, for example
	// ProgressDeadlineExceeded; empty where the kind has none.
	Reason string
	// Updated is the condition's lastUpdateTime: for a complete or failed rollout
	// when it became so. Zero where the kind has none.
	Updated time.Time
}

// Revision is a pod template that the workload had: a ReplicaSet or a
// ControllerRevision.
type Revision struct {
	// Name and UID of the ReplicaSet or ControllerRevision.
	Name, UID string
	// Number is the present revision number. Former are numbers that the same
	// object had before it was rolled back to, oldest first.
	Number int64
	Former []int64
	// Created is the object's creationTimestamp, which a rollback to it does not
	// change.
	Created time.Time
	// Template is a digest of the pod template without the restartedAt
	// annotation and the hash label. It is compared, never written.
	Template string
	// RestartedAt is the template's kubectl.kubernetes.io/restartedAt.
	RestartedAt time.Time
	Containers  []Container
	// FirstPod is the creation of the oldest pod of this revision that exists, or
	// of an older one that an earlier look saw under the same Number.
	FirstPod time.Time
	// ScaledUp is when an Event last told that this revision was scaled up from
	// zero, or an earlier time that an earlier look was told under the same Number;
	// zero when no Event said so.
	ScaledUp time.Time
}

// Container is a container of a pod template with the image that runs.
type Container struct {
	Name string
	// Image is the reference in the template. Digest ("sha256:...") is what the
	// pods of the revision run, from their status; empty when no pod tells, or
	// when they differ.
	Image, Digest string
}

// UnusualManager stands for the name of a manager that is not like that of a
// program: free text, or somebody's address.
const UnusualManager = "(unusual name)"

// Manager is an entry of metadata.managedFields.
type Manager struct {
	// Name is chosen by the client: kubectl-edit, helm, argocd-controller; or
	// UnusualManager.
	Name string
	// Subresource is "scale" or empty.
	Subresource string
	// Template says that the entry owns fields of the pod template, Data that it
	// owns keys of a ConfigMap.
	Template, Data bool
	// Time is when this manager last changed a field of its own, whichever that
	// was: a later change of a label hides when it wrote the template. It is zero for
	// the scale subresource, where Kubernetes leaves it out: such an entry says
	// who set the present number of replicas, and not when.
	Time time.Time
}

// Scaling is a change of the number of replicas of one revision, as an Event in
// the name of the deployment controller told it. Whoever may create Events can
// write one.
type Scaling struct {
	// Revision is the name of the ReplicaSet.
	Revision string
	// From is -1 when it was not told.
	From, To int32
	Time     time.Time
}

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

// ConfigMap is a ConfigMap without its values.
type ConfigMap struct {
	Object  Object
	Service Service
	Created time.Time
	// Managers are its field managers, newest last; Keys are all data keys that
	// managedFields names, sorted: not those that the last change was about.
	Managers []Manager
	Keys     []string
}

// Stream implements Record.
func (ConfigMap) Stream() string { return StreamConfigMaps }
