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
	ChangePause    Change = "pause"
	ChangeResume   Change = "resume"
	ChangeRun      Change = "run"    // of a Job
	ChangeUpdate   Change = "update" // of what runs no pods by itself: which fields is not known
	ChangeApply    Change = "apply"  // of what a delivery tool applies
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
	// Workload is the kind: Deployment, StatefulSet, DaemonSet, CronJob, or a
	// ReplicaSet or Job of its own. The name is that of the event's object.
	Workload string `json:"workload"`
	// From and To are the pod templates before and after. From is absent when it
	// is not known, or when there was none.
	From *Template `json:"from,omitempty"`
	To   *Template `json:"to,omitempty"`
	// TemplateChanges says which fields of the pod template differ between From and
	// To, and never their values; absent when nothing does or when that is not
	// known. TemplateChangesMore counts those that were left out.
	TemplateChanges     []TemplateChange `json:"template_changes,omitempty"`
	TemplateChangesMore int32            `json:"template_changes_more,omitempty"`
	// Replicas is set for a scale.
	Replicas *Replicas `json:"replicas,omitempty"`
	// Applied is set for an apply.
	Applied *Applied `json:"applied,omitempty"`
	// Trigger says what asked for the change, where that is known, and
	// TriggerObject which object did.
	Trigger       Trigger        `json:"trigger,omitempty"`
	TriggerObject *TriggerObject `json:"trigger_object,omitempty"`
	Status        Status         `json:"status"`
	// Reason is the reason of the Progressing condition, or of that of a Job, in
	// Kubernetes' words.
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
	// ManagedBy is the delivery tool that manages the workload. BesideManager says
	// that the change was made by something else than that tool.
	ManagedBy     *ManagedBy `json:"managed_by,omitempty"`
	BesideManager bool       `json:"beside_manager,omitempty"`
	// Revision is the commit that runs after the change, PreviousRevision the one
	// before; absent where they are not known with at least medium confidence.
	// Mapping is that of Revision, or of PreviousRevision where nothing runs any more.
	Revision         string       `json:"revision,omitempty"`
	PreviousRevision string       `json:"previous_revision,omitempty"`
	Mapping          *Mapping     `json:"mapping,omitempty"`
	ChangeRange      *ChangeRange `json:"change_range,omitempty"`
	// Environment is that of a deployment that GitHub was told of.
	Environment *Environment `json:"environment,omitempty"`
}

// Environment is where GitHub was told that something was deployed to.
type Environment struct {
	Repository string `json:"repository"`
	// Number is the id of the deployment.
	Number     int64   `json:"number"`
	Production bool    `json:"production,omitempty"`
	Creator    *Person `json:"creator,omitempty"`
	// State is GitHub's newest word: error, failure, inactive, in_progress, queued,
	// pending or success.
	State string `json:"state,omitempty"`
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
	BasisStatus        TimeBasis = "status"     // a time in the object's status
	BasisTaint         TimeBasis = "taint"      // when a node got it
	BasisSource        TimeBasis = "source"     // when a delivery tool had fetched what it applied
	BasisLabel         TimeBasis = "label"      // that a delivery tool writes
	BasisDeployment    TimeBasis = "deployment" // of a deployment that GitHub was told of
)

// Trigger says what asked for a change.
type Trigger string

// The triggers.
const (
	TriggerAutoscaler Trigger = "autoscaler" // a HorizontalPodAutoscaler
	TriggerClient     Trigger = "client"     // a client of the API: a person's tool or another program
	TriggerSchedule   Trigger = "schedule"   // the schedule of a CronJob
)

// TriggerObject names the object that asked for a change.
type TriggerObject struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// FieldChange says what became of a field.
type FieldChange string

// The changes of a field.
const (
	FieldAdded   FieldChange = "added"
	FieldRemoved FieldChange = "removed"
	FieldChanged FieldChange = "changed"
)

// TemplateChange is a field of a pod template that differs.
type TemplateChange struct {
	// Path is spelled like Kubernetes' field paths, with names in brackets:
	// spec.containers[app].env[TIMEOUT].
	Path   string      `json:"path"`
	Change FieldChange `json:"change"`
}

// Template is a pod template that a workload had.
type Template struct {
	// Revision is the revision number in Kubernetes' counting, not a commit; absent
	// for kinds that have none.
	Revision int64 `json:"revision_number,omitempty"`
	// FormerRevisions are earlier numbers of the same template: it was rolled
	// back to.
	FormerRevisions []int64 `json:"former_revision_numbers,omitempty"`
	// Name of the ReplicaSet or ControllerRevision.
	Name   string  `json:"name,omitempty"`
	Images []Image `json:"images,omitempty"`
	// Claims are what the template and the workload say of their source code.
	Claims []Claim `json:"claims,omitempty"`
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
	switch {
	case d.Environment != nil:
		b.WriteString(summarizeEnvironment(name, d))
	case d.Change == ChangeApply:
		b.WriteString(summarizeApply(name, d))
	default:
		fmt.Fprintf(&b, "%s %s", name, d.verb())
	}
	if r := d.Replicas; r != nil {
		if r.From != nil {
			fmt.Fprintf(&b, " from %d", *r.From)
		}
		fmt.Fprintf(&b, " to %d replicas", r.To)
	}
	switch {
	case d.To == nil || d.To.Revision == 0:
	case d.From != nil && d.From.Revision != 0:
		fmt.Fprintf(&b, " from revision %d to %d", d.From.Revision, d.To.Revision)
	default:
		fmt.Fprintf(&b, " at revision %d", d.To.Revision)
	}
	if d.Change == ChangeRollback && d.To != nil && len(d.To.FormerRevisions) > 0 {
		fmt.Fprintf(&b, ", the template of revision %d", d.To.FormerRevisions[len(d.To.FormerRevisions)-1])
	}
	b.WriteString(d.triggered())
	b.WriteString(d.commits())
	b.WriteString(d.changedFields())
	switch d.Status {
	case StatusProgressing, StatusFailed, StatusPaused:
		if d.Change == ChangePause || d.Environment != nil {
			break
		}
		fmt.Fprintf(&b, "; %s", d.Status)
		if d.Reason != "" {
			fmt.Fprintf(&b, " (%s)", d.Reason)
		}
	}
	return b.String()
}

func (d *Deployment) verb() string {
	switch d.Change {
	case ChangeCreate:
		return "was created"
	case ChangeRollout:
		return "was rolled out"
	case ChangeRollback:
		return "was rolled back"
	case ChangeRestart:
		return "was restarted with the same template"
	case ChangeScale:
		return "was scaled"
	case ChangeDelete:
		return "was deleted"
	case ChangePause:
		if d.Workload == "CronJob" || d.Workload == "Job" {
			return "was suspended"
		}
		return "was paused"
	case ChangeResume:
		return "was resumed"
	case ChangeRun:
		if d.Status == StatusComplete {
			return "ran to its end"
		}
		return "was run"
	case ChangeUpdate:
		return "was changed"
	}
	return "changed"
}

func (d *Deployment) triggered() string {
	who := ""
	if o := d.TriggerObject; o != nil {
		who = " " + o.Kind + " " + o.Name
	}
	switch {
	case d.Trigger == TriggerAutoscaler && who == "":
		return " by an autoscaler"
	case d.Trigger == TriggerAutoscaler:
		return " by" + who
	case d.Trigger == TriggerSchedule && who != "":
		return " on the schedule of" + who
	}
	return ""
}

// namedFields is how many fields of a template a summary names.
const namedFields = 3

func (d *Deployment) changedFields() string {
	if fields := someFields(d.TemplateChanges, d.TemplateChangesMore); fields != "" {
		return "; changed: " + fields
	}
	return ""
}

// FieldsBesideImages names the first fields of the pod template that changed and
// are no image of a container, and no claim of what the image was built from: what
// the images and commits of a change do not tell.
func (d *Deployment) FieldsBesideImages() string {
	claims := map[string]bool{}
	for _, t := range []*Template{d.From, d.To} {
		if t == nil {
			continue
		}
		for _, c := range t.Claims {
			claims["metadata.annotations["+c.Key+"]"], claims["metadata.labels["+c.Key+"]"] = true, true
		}
	}
	var others []TemplateChange
	for _, c := range d.TemplateChanges {
		if !claims[c.Path] && (c.Change != FieldChanged || !strings.HasSuffix(c.Path, "].image")) {
			others = append(others, c)
		}
	}
	return someFields(others, d.TemplateChangesMore)
}

func someFields(changes []TemplateChange, more int32) string {
	if len(changes) == 0 {
		return ""
	}
	var names []string
	for _, c := range changes[:min(len(changes), namedFields)] {
		names = append(names, c.say())
	}
	text := strings.Join(names, ", ")
	if more := len(changes) + int(more) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// say names a field for people: env TIMEOUT of app.
func (c TemplateChange) say() string {
	text := sayPath(c.Path)
	if c.Change != FieldChanged {
		text += " (" + string(c.Change) + ")"
	}
	return text
}

func sayPath(path string) string {
	for _, list := range []string{"spec.containers[", "spec.initContainers["} {
		rest, ok := strings.CutPrefix(path, list)
		container, field, named := strings.Cut(rest, "].")
		if !ok || !named {
			continue
		}
		if name, ok := inBrackets(field, "env["); ok {
			field = "env " + name
		} else if name, ok := strings.CutPrefix(field, "resources.limits."); ok {
			field = name + " limit"
		} else if name, ok := strings.CutPrefix(field, "resources.requests."); ok {
			field = name + " request"
		}
		return field + " of " + container
	}
	for prefix, noun := range map[string]string{
		"spec.volumes[": "volume ", "metadata.annotations[": "annotation ", "metadata.labels[": "label ",
	} {
		if name, ok := inBrackets(path, prefix); ok {
			return noun + name
		}
	}
	return strings.TrimPrefix(path, "spec.")
}

func inBrackets(s, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	name, whole := strings.CutSuffix(rest, "]")
	return name, ok && whole
}
