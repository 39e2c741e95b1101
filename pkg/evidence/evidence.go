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
	KindCommit       Kind = "CommitEvent"
	KindConfigChange Kind = "ConfigChangeEvent"
	KindDeployment   Kind = "DeploymentEvent"
	KindNode         Kind = "NodeEvent"
	KindPipeline     Kind = "PipelineEvent"
	KindPullRequest  Kind = "PullRequestEvent"
	KindRelease      Kind = "ReleaseEvent"
	KindSignal       Kind = "RuntimeSignal"
)

// Kinds lists all kinds in the order of the files in a manifest.
func Kinds() []Kind {
	return []Kind{KindCommit, KindConfigChange, KindDeployment, KindNode, KindPipeline, KindPullRequest, KindRelease, KindSignal}
}

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

	Commit       *Commit       `json:"commit,omitempty"`
	ConfigChange *ConfigChange `json:"config_change,omitempty"`
	Deployment   *Deployment   `json:"deployment,omitempty"`
	Node         *Node         `json:"node,omitempty"`
	Pipeline     *Pipeline     `json:"pipeline,omitempty"`
	PullRequest  *PullRequest  `json:"pull_request,omitempty"`
	Release      *Release      `json:"release,omitempty"`
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
