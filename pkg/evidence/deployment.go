package evidence

import (
	"fmt"
	"strings"
	"time"
)

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

func summarizeDeployment(name string, d *Deployment) string {
	var b strings.Builder
	switch d.Change {
	case ChangeCreate:
		fmt.Fprintf(&b, "%s was created", name)
	case ChangeRollout:
		fmt.Fprintf(&b, "%s was rolled out", name)
	case ChangeRollback:
		fmt.Fprintf(&b, "%s was rolled back", name)
	case ChangeRestart:
		fmt.Fprintf(&b, "%s was restarted with the same template", name)
	case ChangeScale:
		fmt.Fprintf(&b, "%s was scaled", name)
	case ChangeDelete:
		fmt.Fprintf(&b, "%s was deleted", name)
	}
	if r := d.Replicas; r != nil {
		if r.From != nil {
			fmt.Fprintf(&b, " from %d", *r.From)
		}
		fmt.Fprintf(&b, " to %d replicas", r.To)
	}
	if d.From != nil && d.To != nil {
		fmt.Fprintf(&b, " from revision %d to %d", d.From.Revision, d.To.Revision)
	} else if d.To != nil {
		fmt.Fprintf(&b, " at revision %d", d.To.Revision)
	}
	if d.Change == ChangeRollback && d.To != nil && len(d.To.FormerRevisions) > 0 {
		fmt.Fprintf(&b, ", the template of revision %d", d.To.FormerRevisions[len(d.To.FormerRevisions)-1])
	}
	switch d.Status {
	case StatusProgressing, StatusFailed, StatusPaused:
		fmt.Fprintf(&b, "; %s", d.Status)
		if d.Reason != "" {
			fmt.Fprintf(&b, " (%s)", d.Reason)
		}
	}
	return b.String()
}
