package record

import "time"

// Setting is an object that configures workloads or the cluster: a ConfigMap, a
// Secret, a Service, a quota. It has no values.
type Setting struct {
	// From is the stream that read it.
	From    string
	Object  Object
	Service Service
	Created time.Time
	// Deleted is when deletion was asked for, zero when it was not; an object
	// that vanished between two looks has Vanished instead.
	Deleted  time.Time
	Vanished *Vanished
	// ManagedBy is that of Workload.
	ManagedBy *ManagedBy
	// Managers are its field managers, newest last.
	Managers []Manager
	// Keys are what the object consists of, sorted: the data keys that
	// managedFields or the data itself names; of other kinds the paths of the
	// spec ("spec.minReplicas"). Not those that the last change was about.
	Keys []string
	// Diff is what differs from the last look; nil when nothing does, or when
	// there was none to compare with.
	Diff *Diff
	// ValuesRead says that values were read to be compared (fingerprints: true).
	ValuesRead bool
	// Consumers are the workloads whose pod template names this object, sorted.
	Consumers []Consumer
}

// Stream implements Record.
func (s Setting) Stream() string { return s.From }

// Diff says which keys differ between two looks. A key of a label or annotation
// is written "metadata.labels[KEY]".
type Diff struct {
	Added, Removed, Changed []string
	// KeysKnown says that these are all: false when the object differs and the
	// looks do not hold enough to say where.
	KeysKnown bool
	// After and Before are the times of the two looks, as in Vanished.
	After, Before time.Time
}

// Via says how a pod template names a ConfigMap or a Secret.
type Via string

// The ways to name one. Only a plain volume is brought up to date while the
// container runs.
const (
	ViaEnv             Via = "env"
	ViaEnvFrom         Via = "env_from"
	ViaVolume          Via = "volume"
	ViaProjected       Via = "projected"
	ViaSubPath         Via = "sub_path"
	ViaImagePullSecret Via = "image_pull_secret" //nolint:gosec // G101: the name of a field
)

// Consumer is a workload whose pod template names a Setting.
type Consumer struct {
	Object  Object
	Service Service
	Via     []Via
	// Starts says when the containers that run now were started, for each pod the
	// earliest of its containers, sorted. It is shared between Settings and not to
	// be changed. PodsKnown is false when the pods could not be listed.
	Starts    []time.Time
	PodsKnown bool
}
