package kubernetes

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// This file cuts down what runs pods and keeps no revisions: Jobs, CronJobs, and
// ReplicaSets that nobody owns.

// atCreation is how long after its creation the controller may take to write the
// first condition of a Job: one that was made suspended was not suspended later.
const atCreation = 5 * time.Second

// runKinds are those kinds but for ReplicaSets, which mostly are revisions.
func runKinds() []kind {
	const stream = record.StreamWorkloads
	batch := func(plural, kind string) resource {
		return resource{group: "batch", version: "v1", plural: plural, kind: kind}
	}
	return []kind{
		kindOf(batch("cronjobs", "CronJob"), stream, func(l *batchv1.CronJobList) []batchv1.CronJob { return l.Items }, (*collection).takeCronJob),
		kindOf(batch("jobs", "Job"), stream, func(l *batchv1.JobList) []batchv1.Job { return l.Items }, (*collection).takeJob),
	}
}

func (c *collection) takeCronJob(j *job, cj *batchv1.CronJob) error {
	w := c.cutWorkload("CronJob", &cj.ObjectMeta, &cj.Spec.JobTemplate.Spec.Template, nil)
	w.Desired, w.Rollout.State = -1, record.RolloutComplete
	w.Containers = containers(&cj.Spec.JobTemplate.Spec.Template.Spec)
	w.paused = cj.Spec.Suspend != nil && *cj.Spec.Suspend
	w.generation = cj.Generation
	j.workloads = append(j.workloads, w)
	return nil
}

func (c *collection) takeJob(j *job, b *batchv1.Job) error {
	j.workloads = append(j.workloads, c.cutJob(b))
	return nil
}

func (s *source) cutJob(b *batchv1.Job) workload {
	w := s.cutWorkload("Job", &b.ObjectMeta, &b.Spec.Template, nil)
	w.Desired, w.Containers, w.FailedPods = -1, containers(&b.Spec.Template.Spec), b.Status.Failed
	if b.Status.StartTime != nil {
		w.Rollout.Started = b.Status.StartTime.UTC()
	}
	readJobConditions(&w, b)
	if owner := metav1.GetControllerOf(b); owner != nil {
		w.owner = owner.UID
		if isKind(owner.Kind) && isObject(owner.Name) {
			w.Owner = &record.Owner{Kind: owner.Kind, Name: owner.Name, Manual: b.Annotations["cronjob.kubernetes.io/instantiate"] == "manual"}
		}
		// A controller makes Jobs all the time: one that ended well is no news.
		w.routine = w.Rollout.State == record.RolloutComplete
	}
	return w
}

// readJobConditions says how far a Job came, and when it was suspended.
func readJobConditions(w *workload, b *batchv1.Job) {
	w.Rollout.State = record.RolloutProgressing
	if b.Spec.Suspend != nil && *b.Spec.Suspend {
		w.Rollout.State = record.RolloutPaused
	}
	for _, c := range b.Status.Conditions {
		var state record.RolloutState
		switch c.Type {
		case batchv1.JobComplete:
			state = record.RolloutComplete
		case batchv1.JobFailed:
			state = record.RolloutFailed
		case batchv1.JobSuspended:
			paused := c.Status == corev1.ConditionTrue
			if !c.LastTransitionTime.IsZero() && (!paused || c.LastTransitionTime.Sub(b.CreationTimestamp.Time) > atCreation) {
				w.Pauses = append(w.Pauses, record.Pause{Paused: paused, Time: c.LastTransitionTime.UTC()})
			}
			continue
		default:
			continue
		}
		if c.Status == corev1.ConditionTrue {
			w.Rollout.State, w.Rollout.Reason, w.Rollout.Updated = state, reasonWord(c.Reason), c.LastTransitionTime.UTC()
		}
	}
}

// cutReplicas cuts down a ReplicaSet of its own.
func (s *source) cutReplicas(rs *appsv1.ReplicaSet) workload {
	w := s.cutWorkload("ReplicaSet", &rs.ObjectMeta, &rs.Spec.Template, nil)
	w.Desired, w.Containers = replicas(rs.Spec.Replicas), containers(&rs.Spec.Template.Spec)
	w.Rollout.State = record.RolloutUnknown // that pods are ready now does not tell since when
	return w
}

// pauses reads the Progressing condition of a Deployment.
func pauses(c appsv1.DeploymentCondition) []record.Pause {
	switch {
	case c.LastUpdateTime.IsZero():
	case c.Reason == "DeploymentPaused":
		return []record.Pause{{Paused: true, Time: c.LastUpdateTime.UTC()}}
	case c.Reason == "DeploymentResumed":
		return []record.Pause{{Time: c.LastUpdateTime.UTC()}}
	}
	return nil
}

// serveRuns gives a Job the service of its CronJob, unless its own labels name one.
func (j *joined) serveRuns() {
	for _, w := range j.workloads {
		if w.Owner == nil || w.Service.Basis != ownName {
			continue
		}
		if o := j.byUID[w.owner]; o != nil {
			w.Service = owned(o)
		} else if w.Owner.Kind == "CronJob" {
			w.Service = record.Service{Name: w.Owner.Name, Basis: "owner"}
		}
	}
}

// routine counts the Jobs that ended well in the window and are not told.
func (c *collection) routine(j *joined) (n int) {
	window := c.req.WindowOf(record.StreamWorkloads)
	for _, w := range j.workloads {
		r := w.Rollout
		if w.routine && c.scope.has(w.Object.Namespace, w.Service.Name) && r.Started.Before(window.End) && !r.Updated.Before(window.Start) {
			n++
		}
	}
	return n
}

// adopted counts the Deployments whose ReplicaSets are older than they are.
func adopted(j *joined) (n int) {
	for _, w := range j.workloads {
		if w.Object.Kind == "Deployment" && slices.ContainsFunc(w.Revisions, func(r record.Revision) bool {
			return r.Created.Before(w.Created.Add(-time.Second))
		}) {
			n++
		}
	}
	return n
}
