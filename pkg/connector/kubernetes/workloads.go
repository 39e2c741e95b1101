package kubernetes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/record"
)

const (
	revisionAnnotation        = "deployment.kubernetes.io/revision"
	revisionHistoryAnnotation = "deployment.kubernetes.io/revision-history"
)

// revision is a ReplicaSet or a ControllerRevision, cut down, with what ties it
// to its owner and its pods.
type revision struct {
	record.Revision
	namespace string
	owner     types.UID
	// hash is the value of the label by which pods name a ControllerRevision.
	hash string
	// digests are those that pods told of, by container; see addPod.
	digests map[string]string
}

// workloadKinds are what runs pods, and the revisions that it had.
func workloadKinds() []kind {
	const stream = record.StreamWorkloads
	return slices.Concat([]kind{
		kindOf(apps("deployments", "Deployment"), stream, func(l *appsv1.DeploymentList) []appsv1.Deployment { return l.Items }, (*collection).takeDeployment),
		kindOf(apps("replicasets", "ReplicaSet"), stream, func(l *appsv1.ReplicaSetList) []appsv1.ReplicaSet { return l.Items }, (*collection).takeReplicaSet),
		kindOf(apps("statefulsets", "StatefulSet"), stream, func(l *appsv1.StatefulSetList) []appsv1.StatefulSet { return l.Items }, (*collection).takeStatefulSet),
		kindOf(apps("daemonsets", "DaemonSet"), stream, func(l *appsv1.DaemonSetList) []appsv1.DaemonSet { return l.Items }, (*collection).takeDaemonSet),
		kindOf(apps("controllerrevisions", "ControllerRevision"), stream, func(l *appsv1.ControllerRevisionList) []appsv1.ControllerRevision { return l.Items }, (*collection).takeControllerRevision),
	}, runKinds())
}

func (c *collection) takeDeployment(j *job, d *appsv1.Deployment) error {
	j.workloads = append(j.workloads, c.cutDeployment(d))
	return nil
}

func (c *collection) takeStatefulSet(j *job, d *appsv1.StatefulSet) error {
	j.workloads = append(j.workloads, c.cutStatefulSet(d))
	return nil
}

func (c *collection) takeDaemonSet(j *job, d *appsv1.DaemonSet) error {
	j.workloads = append(j.workloads, c.cutDaemonSet(d))
	return nil
}

// templates gives the reader of a list. Of one list are all revisions of a
// workload, and it is read by one goroutine.
func (c *collection) templates(j *job) *templateReader {
	if j.templates == nil {
		j.templates = newTemplateReader(c.layout)
		j.templates.claims = c.claims
	}
	return j.templates
}

func (c *collection) takeReplicaSet(j *job, rs *appsv1.ReplicaSet) error {
	if metav1.GetControllerOfNoCopy(rs) == nil {
		j.workloads = append(j.workloads, c.cutReplicas(rs))
	} else if r, ok := cutReplicaSet(rs, c.templates(j)); ok {
		j.revisions = append(j.revisions, r)
	} else {
		j.aside = append(j.aside, rs.UID)
	}
	return nil
}

func (c *collection) takeControllerRevision(j *job, cr *appsv1.ControllerRevision) error {
	if r, ok := cutControllerRevision(cr, c.templates(j)); ok {
		j.revisions = append(j.revisions, r)
	}
	return nil
}

// defaultHistory is how many old revisions a workload keeps when nobody says.
const defaultHistory = 10

// workload is a record in the making.
type workload struct {
	record.Workload
	// history is revisionHistoryLimit.
	history int32
	// refs are the ConfigMaps and Secrets that the present template names.
	refs []reference
	// settled is that of a StatefulSet.
	settled bool
	// paused says that a Deployment is paused or a CronJob suspended.
	paused     bool
	generation int64
	// owner is the controller of a Job. routine says that nothing is told of it.
	owner   types.UID
	routine bool
	// digests are those of Containers; see addDigests.
	digests map[string]string
}

func (s *source) cutDeployment(d *appsv1.Deployment) workload {
	w := s.cutWorkload("Deployment", &d.ObjectMeta, &d.Spec.Template, d.Spec.RevisionHistoryLimit)
	w.Desired = replicas(d.Spec.Replicas)
	w.Rollout = deploymentRollout(d)
	w.paused = d.Spec.Paused
	for _, condition := range d.Status.Conditions {
		if condition.Type == appsv1.DeploymentProgressing {
			w.Pauses = pauses(condition)
		}
	}
	return w
}

func (s *source) cutStatefulSet(d *appsv1.StatefulSet) workload {
	w := s.cutWorkload("StatefulSet", &d.ObjectMeta, &d.Spec.Template, d.Spec.RevisionHistoryLimit)
	w.Desired = replicas(d.Spec.Replicas)
	w.Rollout.State, w.settled = statefulSetState(d), settled(d)
	return w
}

func (s *source) cutDaemonSet(d *appsv1.DaemonSet) workload {
	w := s.cutWorkload("DaemonSet", &d.ObjectMeta, &d.Spec.Template, d.Spec.RevisionHistoryLimit)
	w.Desired = -1
	w.Rollout.State = daemonSetState(d)
	return w
}

func (s *source) cutWorkload(kind string, meta *metav1.ObjectMeta, t *corev1.PodTemplateSpec, history *int32) workload {
	w := workload{history: defaultHistory, refs: references(&t.Spec)}
	if history != nil {
		w.history = *history
	}
	w.Object = s.object(kind, meta)
	w.Service = s.service(meta.Name, meta.Labels, t.Labels)
	w.ManagedBy = managedBy(w.Object, meta.Labels, meta.Annotations)
	w.Created = meta.CreationTimestamp.UTC()
	if meta.DeletionTimestamp != nil {
		w.Deleted = meta.DeletionTimestamp.UTC()
	}
	w.Managers = managers(meta.ManagedFields)
	w.Claims = s.claims.read(t.Annotations, t.Labels, meta.Annotations, meta.Labels)
	return w
}

func (s *source) object(kind string, meta *metav1.ObjectMeta) record.Object {
	return record.Object{Cluster: s.clusterID, Kind: kind, Namespace: meta.Namespace, Name: meta.Name, UID: string(meta.UID)}
}

// ownName says that a service is called like its workload.
const ownName = "workload name"

// service names the service of a workload: the first label that it or its pods
// carry, else its own name.
func (s *source) service(name string, labels ...map[string]string) record.Service {
	if service, ok := s.labelled(labels...); ok {
		return service
	}
	return record.Service{Name: name, Basis: ownName}
}

func (s *source) labelled(labels ...map[string]string) (record.Service, bool) {
	for _, key := range s.config.ServiceLabels {
		for _, set := range labels {
			if value := set[key]; value != "" {
				return record.Service{Name: value, Basis: "label " + key}, true
			}
		}
	}
	return record.Service{}, false
}

func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// deploymentRollout reads the Progressing condition. A Deployment that is
// complete stays so when pods fail later.
func deploymentRollout(d *appsv1.Deployment) record.Rollout {
	r := record.Rollout{State: record.RolloutUnknown}
	n := replicas(d.Spec.Replicas)
	full := d.Status.ObservedGeneration >= d.Generation &&
		d.Status.UpdatedReplicas == n && d.Status.Replicas == n && d.Status.AvailableReplicas == n
	if full {
		r.State = record.RolloutComplete
	}
	i := slices.IndexFunc(d.Status.Conditions, func(c appsv1.DeploymentCondition) bool { return c.Type == appsv1.DeploymentProgressing })
	if i < 0 {
		if !full {
			r.State = record.RolloutProgressing
		}
		return r
	}
	c := d.Status.Conditions[i]
	r.Reason, r.Updated, r.Transitioned = reasonWord(c.Reason), c.LastUpdateTime.UTC(), c.LastTransitionTime.UTC()
	switch {
	case c.Reason == "NewReplicaSetAvailable":
		r.State = record.RolloutComplete
	case c.Reason == "ProgressDeadlineExceeded", c.Reason == "ReplicaSetCreateError":
		r.State = record.RolloutFailed
	case full:
		// Paused and complete: the condition tells of the pause, and its time is
		// not that of the completion.
		r.Updated = time.Time{}
	case d.Spec.Paused:
		r.State = record.RolloutPaused
	default:
		r.State = record.RolloutProgressing
	}
	return r
}

// statefulSetState: the controller moves currentRevision only when every pod
// was updated and ready, so that it proves completion for good.
func statefulSetState(d *appsv1.StatefulSet) record.RolloutState {
	n, status := replicas(d.Spec.Replicas), d.Status
	rolling := d.Spec.UpdateStrategy.RollingUpdate
	switch {
	case status.ObservedGeneration < d.Generation:
		return record.RolloutProgressing
	case settled(d) && status.ReadyReplicas >= n:
		return record.RolloutComplete
	case settled(d), d.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType:
		return record.RolloutUnknown
	case rolling != nil && rolling.Partition != nil && *rolling.Partition > 0 && status.UpdatedReplicas >= n-*rolling.Partition:
		return record.RolloutPaused
	}
	return record.RolloutProgressing
}

// settled says that the last update was completed, or that there was none yet.
func settled(d *appsv1.StatefulSet) bool {
	return d.Status.UpdateRevision != "" && d.Status.CurrentRevision == d.Status.UpdateRevision
}

// daemonSetState does not claim that a rollout is under way when all pods have
// the newest template and some are not ready: that may be a sick node, long
// after.
func daemonSetState(d *appsv1.DaemonSet) record.RolloutState {
	status := d.Status
	switch {
	case status.ObservedGeneration < d.Generation:
		return record.RolloutProgressing
	case status.UpdatedNumberScheduled >= status.DesiredNumberScheduled && status.NumberAvailable >= status.DesiredNumberScheduled:
		return record.RolloutComplete
	case status.UpdatedNumberScheduled >= status.DesiredNumberScheduled, d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType:
		return record.RolloutUnknown
	}
	return record.RolloutProgressing
}

// cutReplicaSet takes what the rollout history needs; ok is false for one that
// is no revision of anything, or has no number yet.
func cutReplicaSet(rs *appsv1.ReplicaSet, templates *templateReader) (revision, bool) {
	owner := metav1.GetControllerOf(rs)
	number, err := strconv.ParseInt(rs.Annotations[revisionAnnotation], 10, 64)
	if owner == nil || owner.Kind != "Deployment" || err != nil || number < 1 {
		return revision{}, false
	}
	t := cutTemplate(&rs.Spec.Template, templates, rs.Annotations) // which are those that its Deployment had
	return revision{
		owner: owner.UID, namespace: rs.Namespace,
		Revision: record.Revision{
			Name: rs.Name, UID: string(rs.UID), Number: number,
			Former:  formerNumbers(rs.Annotations[revisionHistoryAnnotation], number),
			Created: rs.CreationTimestamp.UTC(), Template: t.digest, RestartedAt: t.restartedAt, Containers: t.containers, Fields: t.fields,
			Claims: t.claims,
		},
	}, true
}

// Kubernetes bounds the annotation at maxHistory characters. Whoever may write
// ReplicaSets can write more, and each number would be a rollback.
const (
	maxHistory = 2000
	maxFormer  = 50
)

// formerNumbers reads "1,3": rising numbers below the present one. Of too many
// the newest are kept.
func formerNumbers(s string, number int64) []int64 {
	if len(s) > maxHistory {
		return nil
	}
	var former []int64
	last := int64(0)
	for field := range strings.SplitSeq(s, ",") {
		if n, err := strconv.ParseInt(strings.TrimSpace(field), 10, 64); err == nil && n > last && n < number {
			former, last = append(former, n), n
		}
	}
	return former[max(0, len(former)-maxFormer):]
}

func cutControllerRevision(cr *appsv1.ControllerRevision, templates *templateReader) (revision, bool) {
	owner := metav1.GetControllerOf(cr)
	if owner == nil || cr.Revision < 1 || owner.Kind != "StatefulSet" && owner.Kind != "DaemonSet" {
		return revision{}, false
	}
	t, ok := cutRawTemplate(cr.Data.Raw, templates)
	if !ok {
		return revision{}, false
	}
	hash := cr.Labels[revisionHashLabel]
	if hash == "" || owner.Kind == "StatefulSet" {
		hash = cr.Name // StatefulSet pods carry the whole name
	}
	return revision{
		owner: owner.UID, namespace: cr.Namespace, hash: hash,
		Revision: record.Revision{
			Name: cr.Name, UID: string(cr.UID), Number: cr.Revision, Created: cr.CreationTimestamp.UTC(),
			Template: t.digest, RestartedAt: t.restartedAt, Containers: t.containers, Fields: t.fields, Claims: t.claims,
		},
	}, true
}

func sortRevisions(r []record.Revision) {
	slices.SortFunc(r, func(a, b record.Revision) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
	})
}

// reasonWord keeps a reason. It is a CamelCase word by the API's rules; what is not
// may be free text.
func reasonWord(s string) string {
	if s == "" || isReason(s) {
		return s
	}
	return "Unknown"
}
