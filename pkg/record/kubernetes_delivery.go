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

// ManagedBy says which tool manages an object, by labels and annotations that
// the tool writes: a claim of whoever may write the object.
type ManagedBy struct {
	Tool Tool
	// Kind of the managing object: Application, Kustomization, HelmRelease, or
	// Release for Helm itself. Namespace may be empty when it is not told.
	Kind, Namespace, Name string
}

// Delivery is what a delivery tool applied: an Argo CD Application, a Flux
// Kustomization or HelmRelease, or a release of Helm itself, with the revisions
// that it tells of.
type Delivery struct {
	// From is StreamGitOps or StreamHelm.
	From   string
	Tool   Tool
	Object Object
	// Target is the namespace that is deployed into, empty when it is not told.
	Target string
	// Applied is what was applied and when, oldest first.
	Applied []Applied
	// Attempted is a revision that was tried after the last applied one and is
	// not applied; nil when there is none.
	Attempted *Applied
	Vanished  *Vanished
}

// Stream implements Record.
func (d Delivery) Stream() string { return d.From }

// Applied is one revision of a configuration as it was applied. Its repository
// is that of the configuration, which is hardly ever that of the source code.
type Applied struct {
	// Key tells this application apart from others of the same object: a history
	// id, a release version, else the revision.
	Key string
	// Revision is a commit, a tag or a chart version, without the decoration of
	// the tool ("main@sha1:").
	Revision string
	// Repository is its address without user, query and fragment; empty for none.
	// Path is the folder in it. Chart is the name of a Helm chart.
	Repository, Path, Chart string
	// Started may be zero; Finished is when it was applied, or failed.
	Started, Finished time.Time
	// State is complete, failed, progressing, superseded or unknown. Reason is a
	// CamelCase word of the tool; may be empty.
	State  RolloutState
	Reason string
}
