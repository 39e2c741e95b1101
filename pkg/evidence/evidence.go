// Package evidence is the vocabulary of what rcactl writes: one typed event a
// line of JSONL.
//
// An Event has an envelope, which is the same for every kind, and one body, the
// field named after its kind. The JSON Schemas in package schemas are the
// contract for programs; a test holds these types and the schemas together.
//
// An event says what is known and how. Its id is derived from what the fact is
// (kind, source, natural key), never from when it was read, so that collecting
// twice gives the same bytes. Times are UTC. A field that is not known is absent;
// it is never guessed.
package evidence

import "time"

// Schema is the value of every event's schema field.
const Schema = "https://rcactl.dev/schemas/evidence.v1.json"

// Kind names a kind of event.
type Kind string

// The kinds. A kind's events are written to one file.
const (
	KindDeployment   Kind = "DeploymentEvent"
	KindConfigChange Kind = "ConfigChangeEvent"
	KindSignal       Kind = "RuntimeSignal"
)

// Kinds lists all kinds in the order of the files in a manifest.
func Kinds() []Kind { return []Kind{KindConfigChange, KindDeployment, KindSignal} }

// Severity orders events for people. It says how much something hurts, not how
// likely it is to be a cause.
type Severity string

// The severities.
const (
	SeverityInfo    Severity = "info"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error"
)

// Event is one piece of evidence.
type Event struct {
	Schema string `json:"schema"`
	// ID is "ev1:" and 32 hexadecimal digits; see ID.
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Time is when the fact began: a rollout's start, a signal's first time.
	Time time.Time `json:"time"`
	// ServiceKey is <cluster_id>/<namespace>/<service_name>; absent when the
	// fact belongs to no known service.
	ServiceKey string   `json:"service_key,omitempty"`
	Source     Source   `json:"source"`
	Actor      *Actor   `json:"actor,omitempty"`
	Severity   Severity `json:"severity"`
	// Summary is a sentence made from the fields of this event after redaction.
	// Package redact writes it; normalisers leave it empty.
	Summary string `json:"summary"`

	ConfigChange *ConfigChange `json:"config_change,omitempty"`
	Deployment   *Deployment   `json:"deployment,omitempty"`
	Signal       *Signal       `json:"signal,omitempty"`

	Links []Link `json:"links,omitempty"`
	Marks []Mark `json:"marks,omitempty"`
}

// Source says where a fact was read.
type Source struct {
	// Connector is the instance's key in the config: kubernetes, postgres/orders.
	Connector string `json:"connector"`
	Stream    string `json:"stream"`
	Object    Object `json:"object"`
}

// Object names the object that a fact is about, in the words of its source.
type Object struct {
	// Cluster is the cluster id, for sources that have one.
	Cluster   string `json:"cluster,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
}

// Attribution says what an actor really is.
type Attribution string

// The attributions.
const (
	AttributionManager  Attribution = "manager"  // a field manager: a program, chosen by the client, never a person
	AttributionUser     Attribution = "user"     // an authenticated user, by an audit source
	AttributionProvider Attribution = "provider" // the cloud or cluster provider itself
)

// Actor is who or what made a change.
type Actor struct {
	Attribution Attribution `json:"attribution"`
	// Manager is the field manager, for attribution manager.
	Manager string `json:"manager,omitempty"`
	// User is an authenticated user name; a pseudonym once written.
	User string `json:"user,omitempty"`
}

// Link ties an event to another one.
type Link struct {
	// Relation is what the tie says: preceded, followed, same_object, restarted.
	Relation string `json:"relation"`
	// To is the id of the other event.
	To string `json:"to"`
	// OrderSeconds is this event's time minus the other's, signed.
	OrderSeconds int64 `json:"order_seconds"`
	// Basis says what kind of tie it is: digest, reference, owner, lock, table,
	// node, or time when nothing but time ties them.
	Basis string `json:"basis"`
}

// Mark says that a field is not what the source gave, and why.
type Mark struct {
	// Field is a JSON pointer into the event; array indexes are written as *.
	Field string `json:"field"`
	// Action is hashed, omitted, truncated or dropped.
	Action string `json:"action"`
	// Reason names the rule: "class personal".
	Reason string `json:"reason"`
}

// Change says what happened to a workload.
type Change string

// The changes of a DeploymentEvent.
const (
	ChangeCreate   Change = "create"
	ChangeRollout  Change = "rollout"
	ChangeRollback Change = "rollback"
	ChangeRestart  Change = "restart"
	ChangeScale    Change = "scale"
	ChangeDelete   Change = "delete"
)

// Status says how far a change came, as the cluster tells it.
type Status string

// The statuses of a DeploymentEvent.
const (
	StatusComplete    Status = "complete"
	StatusProgressing Status = "progressing"
	StatusFailed      Status = "failed"
	StatusPaused      Status = "paused"
	StatusSuperseded  Status = "superseded" // a newer change followed; whether this one had finished is not known
	StatusUnknown     Status = "unknown"
)

// Deployment is the body of a DeploymentEvent.
type Deployment struct {
	Change Change `json:"change"`
	// Workload is the kind: Deployment, StatefulSet, DaemonSet. The name is that
	// of the event's object.
	Workload string `json:"workload"`
	// From and To are the pod templates before and after. From is absent when it
	// is not known, or when there was none.
	From *Template `json:"from,omitempty"`
	To   *Template `json:"to,omitempty"`
	// Replicas is set for a scale.
	Replicas *Replicas `json:"replicas,omitempty"`
	Status   Status    `json:"status"`
	// Reason is the reason of the Progressing condition, in Kubernetes' words.
	Reason string `json:"reason,omitempty"`
	// Started is when the change began; StartedBasis says how that is known.
	Started      *time.Time `json:"started,omitempty"`
	StartedBasis TimeBasis  `json:"started_basis,omitempty"`
	// Finished is when it was complete or had failed.
	Finished      *time.Time `json:"finished,omitempty"`
	FinishedBasis TimeBasis  `json:"finished_basis,omitempty"`
	// NotBefore and NotAfter bound a change of which nothing tells when it began:
	// by two looks a while apart, by the changes before and after it, or by the
	// end that a condition tells. Of looks, NotAfter is absent where a person named
	// the window: the change was there when it was read.
	NotBefore *time.Time `json:"not_before,omitempty"`
	NotAfter  *time.Time `json:"not_after,omitempty"`
}

// TimeBasis says what a time was taken from.
type TimeBasis string

// The bases of times.
const (
	BasisCreation      TimeBasis = "creation_timestamp"
	BasisDeletion      TimeBasis = "deletion_timestamp"
	BasisCondition     TimeBasis = "condition"
	BasisEvent         TimeBasis = "event" // which whoever may create Events can write
	BasisManagedFields TimeBasis = "managed_fields"
	BasisPodCreation   TimeBasis = "pod_creation"
	BasisAnnotation    TimeBasis = "annotation" // restartedAt
	BasisSnapshot      TimeBasis = "snapshot"   // between two looks
)

// Template is a pod template that a workload had.
type Template struct {
	// Revision is the revision number in Kubernetes' counting, not a commit.
	Revision int64 `json:"revision_number"`
	// FormerRevisions are earlier numbers of the same template: it was rolled
	// back to.
	FormerRevisions []int64 `json:"former_revision_numbers,omitempty"`
	// Name of the ReplicaSet or ControllerRevision.
	Name   string  `json:"name,omitempty"`
	Images []Image `json:"images,omitempty"`
}

// Image is the image of one container.
type Image struct {
	Container string `json:"container"`
	// Image is the reference in the template. A tag may have moved since.
	Image string `json:"image"`
	// Digest is what ran, from pod status; absent when no pod told.
	Digest string `json:"digest,omitempty"`
}

// Replicas is a change of scale. From is absent when it is not known.
type Replicas struct {
	From *int32 `json:"from,omitempty"`
	To   int32  `json:"to"`
}

// ConfigChange is the body of a ConfigChangeEvent.
type ConfigChange struct {
	// Change is create, update or delete.
	Change string `json:"change"`
	// How says how the change is known: managed_fields, snapshot, audit.
	How string `json:"how"`
	// KeysKnown says whether Added, Removed and Changed could be told.
	KeysKnown bool     `json:"keys_known"`
	Added     []string `json:"keys_added,omitempty"`
	Removed   []string `json:"keys_removed,omitempty"`
	Changed   []string `json:"keys_changed,omitempty"`
	// Keys are all data keys that the object has now, not those that the change
	// was about.
	Keys []string `json:"keys,omitempty"`
}

// Signal is the body of a RuntimeSignal.
type Signal struct {
	// Class is one of a closed set of well-known troubles.
	Class string `json:"class"`
	// Detail refines the class out of a closed set.
	Detail string `json:"detail,omitempty"`
	// Reason is the reason in the API's words.
	Reason    string `json:"reason,omitempty"`
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
}
