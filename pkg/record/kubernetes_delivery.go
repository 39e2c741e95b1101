package record

import "time"

// Tool is a delivery tool.
type Tool string

// The tools that are known.
const (
	ToolHelm   Tool = "helm"
	ToolArgoCD Tool = "argocd"
	ToolFlux   Tool = "flux"
)

// ManagedBy says which tool manages an object: by labels and annotations that the
// tool writes, a claim of whoever may write the object, or by the tool's own list
// of what it applied.
type ManagedBy struct {
	Tool Tool
	// Kind of the managing object: Application, Kustomization, HelmRelease, or
	// Release for Helm itself. Namespace may be empty when it is not told.
	Kind, Namespace, Name string
}

// Delivery is what a delivery tool applied: an Argo CD Application, a Flux
// Kustomization or HelmRelease, or a release of Helm itself, with what it
// remembers.
type Delivery struct {
	// From is StreamGitOps or StreamHelm.
	From   string
	Tool   Tool
	Object Object
	// Service and its namespace are those of the workloads that the tool manages by
	// this object, when they all belong to one service.
	Service          Service
	ServiceNamespace string
	// Target is the namespace that is deployed into, empty when it is not told.
	// OtherCluster says that it is not one of this cluster.
	Target       string
	OtherCluster bool
	// Created is that of the object, zero for a release, which is no object.
	// Deleted and Vanished are those of Workload.
	Created  time.Time
	Deleted  time.Time
	Vanished *Vanished
	// Applied is what was applied or tried, oldest first. One without any time tells
	// only what was there before the next one.
	Applied []Applied
}

// Stream implements Record.
func (d Delivery) Stream() string { return d.From }

// StartedFrom says what Applied.Started was taken from.
type StartedFrom string

// What tells when applying began.
const (
	StartedStatus   StartedFrom = "status"   // of the tool's object
	StartedSource   StartedFrom = "source"   // when the tool had fetched the revision, which it then applied
	StartedCreation StartedFrom = "creation" // of the object that keeps the release
)

// Applied is one application of a configuration, or an attempt at one.
type Applied struct {
	// Key tells this application apart from others of the same object, whenever it
	// is read.
	Key string
	// Number is the one that the tool gives it: the history id of an Application,
	// the version of a Helm release. Negative when it gives none.
	Number int64
	// Sources are what was applied. None is told for a release of Helm itself.
	Sources []ConfigSource
	// Selective says that only chosen objects of the source were applied.
	Selective bool
	// Started and Finished may be zero. Finished is when it was applied, or failed.
	Started     time.Time
	StartedFrom StartedFrom
	Finished    time.Time
	// After and Before bound an application of which no start is told. Looks says
	// that they are the times of two looks, as those of Vanished.
	After, Before time.Time
	Looks         bool
	// State is complete, failed, progressing or unknown. Reason is a CamelCase word
	// of the tool; may be empty.
	State  RolloutState
	Reason string
}

// ConfigSource is a revision of a configuration. Its repository is that of the
// configuration, which is hardly ever that of the source code.
type ConfigSource struct {
	// Repository is its host and path, without user, query and fragment, and Path
	// the folder in it; either may be empty.
	Repository, Path string
	// Revision is a commit, a tag or the digest of an artifact, without the
	// decoration of the tool ("main@sha1:"); empty when it is not known.
	Revision string
	// Chart is the name of a Helm chart and ChartVersion its version, in which case
	// there is no Revision.
	Chart, ChartVersion string
}
