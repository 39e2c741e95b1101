package record

import (
	"slices"
	"time"
)

// Workload is what runs pods (a Deployment, StatefulSet, DaemonSet, CronJob, or a
// ReplicaSet or Job of its own) with all the revisions that the cluster still
// remembers.
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
	// ManagedBy is what the object itself says of the tool that manages it; nil
	// when it says nothing.
	ManagedBy *ManagedBy
	// Scalings are the changes of the number of replicas that Events told of,
	// oldest first.
	Scalings []Scaling
	// Autoscaler is the one that sets the number of replicas; nil when there is
	// none, more than one, or when that is not known.
	Autoscaler *Autoscaler
	// Owner is the controller of a Job; nil when it has none.
	Owner *Owner
	// Containers are those of the pod template of a kind without revisions.
	Containers []Container
	// Pauses are the pauses (suspensions of a Job or CronJob) and their ends that
	// are known, in their order.
	Pauses []Pause
	// Updated says that the specification was another one at the last look; it is
	// told of kinds without revisions.
	Updated *Vanished
	// FailedPods is how many pods of a Job had failed.
	FailedPods int32
	// Claims are what the workload itself says now of its source code: of its current
	// revision, or of a kind without revisions.
	Claims []Claim
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

// Owner names the controller that made an object.
type Owner struct {
	Kind, Name string
	// Manual says that a person had the object made: kubectl create job --from.
	Manual bool
}

// Autoscaler is a HorizontalPodAutoscaler. Desired is the number of replicas that
// it asked for at LastScale.
type Autoscaler struct {
	Name      string
	LastScale time.Time
	Desired   int32
}

// Pause is that a workload was paused, or ceased to be.
type Pause struct {
	Paused bool
	// Time is that of the condition, zero when nothing but two looks told: it
	// happened between them, as in Vanished.
	Time          time.Time
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

// Rollout is the state of the newest rollout, or that of a Job.
type Rollout struct {
	State RolloutState
	// Reason is the reason of the Progressing condition, for example
	// ProgressDeadlineExceeded, or of that of a Job; empty where there is none.
	Reason string
	// Updated is the condition's lastUpdateTime: for a complete or failed rollout
	// when it became so. Zero where the kind has none.
	Updated time.Time
	// Transitioned is when the condition's status last changed, which the end of a
	// pause does too: a rollout that was complete before looks as if it were then.
	Transitioned time.Time
	// Started is the startTime of a Job.
	Started time.Time
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
	// Fields are the fields of the pod template; none when they are too many to
	// be kept, or not known.
	Fields Fields
	// RestartedAt is the template's kubectl.kubernetes.io/restartedAt.
	RestartedAt time.Time
	Containers  []Container
	// FirstPod is the creation of the oldest pod of this revision that exists, or
	// of an older one that an earlier look saw under the same Number.
	FirstPod time.Time
	// Claims are what the pod template, and the annotations that a ReplicaSet keeps of
	// its Deployment, say of its source code.
	Claims []Claim
	// ScaledUp is when an Event last told that this revision was scaled up from
	// zero, or an earlier time that an earlier look was told under the same Number;
	// zero when no Event said so.
	ScaledUp time.Time
}

// Fields are the fields of a pod template by path, each with a digest of its value
// that is good for one look: it is compared, never written. The restartedAt
// annotation and the hash label are not among them.
type Fields struct {
	// Paths are spelled like Kubernetes' field paths, with names in brackets:
	// spec.containers[app].env[TIMEOUT]. Templates with the same ones share them,
	// and they are not to be changed.
	Paths   []string
	Digests []uint64
}

// Equal compares the paths: digests of two looks say nothing about each other.
func (f Fields) Equal(o Fields) bool {
	return slices.Equal(f.Paths, o.Paths) && len(f.Digests) == len(o.Digests)
}

// Container is a container of a pod template with the image that runs.
type Container struct {
	Name string
	// Image is the reference in the template. Digest ("sha256:...") is what the
	// pods of the revision run, from their status; empty when no pod tells, or
	// when they differ.
	Image, Digest string
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

// ClaimKind says what a claim is of.
type ClaimKind string

// The kinds of claims.
const (
	ClaimRevision ClaimKind = "revision" // a commit, or something that names one
	ClaimSource   ClaimKind = "source"   // a repository, in the form of RepositoryName
	ClaimVersion  ClaimKind = "version"  // a version, often a tag
)

// Claim is what an object says of its source code, in an annotation or label of a
// well-known key or of one that the config names. Whoever may write the object can
// write it.
type Claim struct {
	Kind ClaimKind
	// Key is that of the annotation or label.
	Key   string
	Value string
}
