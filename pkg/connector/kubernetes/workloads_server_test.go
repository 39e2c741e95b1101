package kubernetes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/window"
)

// changesOf lists the changes of a workload of one kind, in their order.
func changesOf(events []evidence.Event, kind, name string) []evidence.Event {
	return slices.DeleteFunc(changes(events), func(e evidence.Event) bool {
		return e.Source.Object.Kind != kind || e.Source.Object.Name != name
	})
}

// words names the changes in one line.
func words(events []evidence.Event) string {
	var out []string
	for _, e := range events {
		out = append(out, string(e.Deployment.Change))
	}
	return strings.Join(out, " ")
}

// after is a request of a run that follows one with that result.
func after(result connector.Result) connector.Request {
	now := time.Now()
	return connector.Request{
		Window:      window.Window{Start: now.Add(-time.Minute).UTC(), End: now.Add(2 * time.Second).UTC()},
		Incremental: true, State: result.State,
	}
}

// leaksNothing fails when a planted value is in the evidence.
func (c *cluster) leaksNothing(events []evidence.Event) {
	c.Helper()
	raw, err := json.Marshal(events)
	if err != nil {
		c.Fatal(err)
	}
	if strings.Contains(string(raw), planted) {
		c.Errorf("a value came out: %s", raw)
	}
}

func (c *cluster) podsOf(image string, policy corev1.RestartPolicy) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		RestartPolicy: policy, Containers: []corev1.Container{{Name: "run", Image: image, Env: []corev1.EnvVar{{Name: "P", Value: planted}}}},
	}}
}

func TestWhatChangedInATemplateIsToldByPath(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	c.tick()
	c.patch("web", "helm", `{"spec":{"template":{"metadata":{"annotations":{"checksum/config":"`+planted+`"}},"spec":{
		"serviceAccountName":"default",
		"volumes":[{"name":"config","emptyDir":{}}],
		"containers":[{"name":"app",
			"env":[{"name":"PASSWORD","$patch":"delete"},{"name":"PAYMENT_TIMEOUT","value":"`+planted+`"}],
			"args":["--token=`+planted+`2"],
			"command":["serve"],
			"resources":{"limits":{"memory":"64Mi"}},
			"readinessProbe":{"httpGet":{"path":"/`+planted+`","port":80}},
			"volumeMounts":[{"name":"config","mountPath":"/etc/app"}]}]}}}}`)
	c.awaitRollout("web")
	events, _ := c.collect(c.config(), request(), env())
	c.leaksNothing(events)
	told := changesOf(events, "Deployment", "web")
	if len(told) != 2 || told[1].Deployment.Change != evidence.ChangeRollout {
		t.Fatalf("told: %s", words(told))
	}
	var got []string
	for _, f := range told[1].Deployment.TemplateChanges {
		got = append(got, string(f.Change)+" "+f.Path)
	}
	want := []string{
		"removed spec.containers[app].env[PASSWORD]",
		"added spec.containers[app].env[PAYMENT_TIMEOUT]",
		"changed spec.containers[app].args",
		"added spec.containers[app].command",
		"added spec.containers[app].resources.limits.memory",
		"added spec.containers[app].resources.requests.memory", // which the API server sets to the limit
		"added spec.containers[app].readinessProbe",
		"added spec.containers[app].volumeMounts",
		"added spec.volumes[config]",
		"added spec.serviceAccountName",
		"added metadata.annotations[checksum/config]",
	}
	// The API server may set the requests, or leave that to the kubelet.
	got = slices.DeleteFunc(got, func(s string) bool { return s == want[5] })
	if want = slices.Delete(want, 5, 6); !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if s := evidence.Summarize(told[1]); !strings.Contains(s, "changed: env PASSWORD of app (removed), env PAYMENT_TIMEOUT of app (added), args of app and ") {
		t.Errorf("summary: %s", s)
	}
	if told[0].Deployment.TemplateChanges != nil {
		t.Error("a creation changed fields")
	}
}

func TestTheTemplateOfAStatefulSetIsComparedToo(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	template := podTemplate("shop/db:1")
	if _, err := c.client.AppsV1().StatefulSets(c.ns).Create(t.Context(), &appsv1.StatefulSet{
		ObjectMeta: c.meta("db"),
		Spec:       appsv1.StatefulSetSpec{Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	settled := func(revisions int) {
		t.Helper()
		c.await("the StatefulSet", func(ctx context.Context) (bool, error) {
			list, err := c.client.AppsV1().ControllerRevisions(c.ns).List(ctx, metav1.ListOptions{})
			return err == nil && len(list.Items) == revisions, err
		})
	}
	settled(1)
	c.tick()
	if _, err := c.client.AppsV1().StatefulSets(c.ns).Patch(t.Context(), "db", types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"app","env":[{"name":"POOL","value":"9"}]}]}}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	settled(2)
	events, _ := c.collect(c.config(), request(), env())
	told := changesOf(events, "StatefulSet", "db")
	if len(told) != 2 || len(told[1].Deployment.TemplateChanges) != 1 ||
		told[1].Deployment.TemplateChanges[0] != (evidence.TemplateChange{Path: "spec.containers[app].env[POOL]", Change: evidence.FieldAdded}) {
		t.Errorf("told: %s, %+v", words(told), told[len(told)-1].Deployment)
	}
}

func TestARolloutPastItsDeadlineHasFailed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	c.tick()
	c.patch("web", "kubectl-set", `{"spec":{"progressDeadlineSeconds":2,"template":{"spec":{"containers":[{"name":"app","image":"shop/web:2-broken"}]}}}}`)
	c.await("the deadline", func(ctx context.Context) (bool, error) {
		d, err := c.client.AppsV1().Deployments(c.ns).Get(ctx, "web", metav1.GetOptions{})
		return err == nil && slices.ContainsFunc(d.Status.Conditions, func(c appsv1.DeploymentCondition) bool {
			return c.Reason == "ProgressDeadlineExceeded"
		}), err
	})
	events, _ := c.collect(c.config(), request(), env())
	told := changesOf(events, "Deployment", "web")
	if words(told) != "create rollout" {
		t.Fatalf("told: %s", words(told))
	}
	d := told[1].Deployment
	if told[1].Severity != evidence.SeverityError || d.Status != evidence.StatusFailed || d.Reason != "ProgressDeadlineExceeded" ||
		d.Finished == nil || d.FinishedBasis != evidence.BasisCondition || d.Finished.Sub(*d.Started) < time.Second {
		t.Errorf("told: %+v, %s", d, told[1].Severity)
	}
	if told[0].Severity != evidence.SeverityInfo {
		t.Error("the creation has the severity of the rollout")
	}
}

func TestAPauseAndItsEndAreTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	_, first := c.collect(c.config(), request(), env())
	finished := func(events []evidence.Event) *time.Time {
		return changesOf(events, "Deployment", "web")[0].Deployment.Finished
	}
	c.tick()
	c.tick()
	reason := func(word string) {
		t.Helper()
		c.await(word, func(ctx context.Context) (bool, error) {
			d, err := c.client.AppsV1().Deployments(c.ns).Get(ctx, "web", metav1.GetOptions{})
			return err == nil && slices.ContainsFunc(d.Status.Conditions, func(c appsv1.DeploymentCondition) bool { return c.Reason == word }), err
		})
	}
	paused := time.Now()
	c.patch("web", "kubectl-rollout", `{"spec":{"paused":true}}`)
	reason("DeploymentPaused")
	events, second := c.collect(c.config(), after(first), env())
	told := changesOf(events, "Deployment", "web")
	if words(told) != "create pause" {
		t.Fatalf("told: %s", words(told))
	}
	d := told[1].Deployment
	if d.Status != evidence.StatusPaused || d.StartedBasis != evidence.BasisCondition || d.Started.Sub(paused).Abs() > 3*time.Second ||
		told[1].Actor == nil || told[1].Actor.Manager != "kubectl-rollout" {
		t.Errorf("told: %+v by %+v", d, told[1].Actor)
	}
	again, _ := c.collect(c.config(), request(), env())
	if told := changesOf(again, "Deployment", "web"); words(told) != "create pause" || told[1].ID != changes(events)[1].ID {
		t.Errorf("another look tells: %s", words(told))
	}

	// The end of the pause moves the time of the condition: that is not the end of
	// the rollout, which was over long before.
	time.Sleep(5 * time.Second)
	c.patch("web", "kubectl-rollout", `{"spec":{"paused":false}}`)
	reason("NewReplicaSetAvailable")
	events, _ = c.collect(c.config(), after(second), env())
	told = changesOf(events, "Deployment", "web")
	if words(told) != "create resume" {
		t.Fatalf("told: %s", words(told))
	}
	if f := finished(events); f != nil {
		t.Errorf("the creation is said to have finished at %v, when the pause ended", f)
	}
	if told[1].Deployment.Started == nil || time.Since(*told[1].Deployment.Started).Abs() > 5*time.Second {
		t.Errorf("resumed: %+v", told[1].Deployment)
	}
}

func TestAJobThatFailedAndOneThatRanAreTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for name, image := range map[string]string{"migrate": "shop/job-ok:1", "import": "shop/job-fail:1"} {
		if _, err := c.client.BatchV1().Jobs(c.ns).Create(t.Context(), &batchv1.Job{
			ObjectMeta: c.meta(name),
			Spec:       batchv1.JobSpec{BackoffLimit: new(int32(0)), Template: c.podsOf(image, corev1.RestartPolicyNever)},
		}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
			t.Fatal(err)
		}
	}
	c.awaitJob("migrate", batchv1.JobComplete)
	c.awaitJob("import", batchv1.JobFailed)
	events, result := c.collect(c.config(), request(), env())
	c.leaksNothing(events)
	ok, failed := changesOf(events, "Job", "migrate"), changesOf(events, "Job", "import")
	if words(ok) != "run" || words(failed) != "run" {
		t.Fatalf("told: %q and %q", words(ok), words(failed))
	}
	d := ok[0].Deployment
	if d.Status != evidence.StatusComplete || d.StartedBasis != evidence.BasisStatus || d.Finished == nil || ok[0].Severity != evidence.SeverityInfo ||
		d.To == nil || d.To.Revision != 0 || !strings.HasPrefix(d.To.Images[0].Digest, "sha256:") || !strings.HasSuffix(ok[0].ServiceKey, "/migrate-service") {
		t.Errorf("the one that ran: %+v, %+v", d, d.To)
	}
	d = failed[0].Deployment
	if d.Status != evidence.StatusFailed || d.Reason != "BackoffLimitExceeded" || d.Finished == nil || failed[0].Severity != evidence.SeverityError || d.Trigger != "" {
		t.Errorf("the one that failed: %+v", d)
	}
	if s := evidence.Summarize(failed[0]); s != "Job import was run; failed (BackoffLimitExceeded)" {
		t.Errorf("summary: %s", s)
	}
	for _, e := range events {
		if e.Signal != nil && !strings.HasSuffix(e.ServiceKey, "/import-service") {
			t.Errorf("a signal of the failed Job is that of %q", e.ServiceKey)
		}
	}
	// A finished Job that is cleaned away is no deletion worth telling.
	policy := metav1.DeletePropagationBackground
	if err := c.client.BatchV1().Jobs(c.ns).Delete(t.Context(), "migrate", metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
		t.Fatal(err)
	}
	c.tick()
	events, _ = c.collect(c.config(), after(result), env())
	if told := changesOf(events, "Job", "migrate"); len(told) != 0 {
		t.Errorf("told of a Job that was cleaned away: %s", words(told))
	}
}

func (c *cluster) awaitJob(name string, condition batchv1.JobConditionType) {
	c.Helper()
	c.await(fmt.Sprintf("Job %s %s", name, condition), func(ctx context.Context) (bool, error) {
		j, err := c.client.BatchV1().Jobs(c.ns).Get(ctx, name, metav1.GetOptions{})
		return err == nil && slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == condition && c.Status == corev1.ConditionTrue
		}), err
	})
}

func (c *cluster) cronJob(name, schedule, image string) {
	c.Helper()
	if _, err := c.client.BatchV1().CronJobs(c.ns).Create(c.Context(), &batchv1.CronJob{
		ObjectMeta: c.meta(name),
		Spec: batchv1.CronJobSpec{Schedule: schedule, JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{
			BackoffLimit: new(int32(0)), Template: c.podsOf(image, corev1.RestartPolicyNever),
		}}},
	}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) patchCronJob(name, manager, patch string) {
	c.Helper()
	if _, err := c.client.BatchV1().CronJobs(c.ns).Patch(c.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: manager}); err != nil {
		c.Fatal(err)
	}
}

func TestJobsOfACronJobAreToldWhenTheyFail(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.cronJob("fine", "@every 1s", "shop/job-ok:1")
	c.cronJob("bad", "@every 1s", "shop/job-fail:1")
	byCronJob := func(name string, condition batchv1.JobConditionType) string {
		t.Helper()
		job := ""
		c.await("a Job of "+name, func(ctx context.Context) (bool, error) {
			list, err := c.client.BatchV1().Jobs(c.ns).List(ctx, metav1.ListOptions{})
			if err != nil {
				return false, err
			}
			for _, j := range list.Items {
				if strings.HasPrefix(j.Name, name+"-") {
					job = j.Name
				}
			}
			return job != "", nil
		})
		c.patchCronJob(name, "kubectl-patch", `{"spec":{"suspend":true}}`)
		c.awaitJob(job, condition)
		return job
	}
	fine, bad := byCronJob("fine", batchv1.JobComplete), byCronJob("bad", batchv1.JobFailed)
	events, result := c.collect(c.config(), request(), env())
	if told := changesOf(events, "Job", fine); len(told) != 0 {
		t.Errorf("a Job of a CronJob that ended well is told: %s", words(told))
	}
	if !slices.ContainsFunc(result.Notes, func(n string) bool {
		return strings.Contains(n, "ended well in the window") && strings.Contains(n, ": 1.")
	}) {
		t.Errorf("the Job that is left out is not counted: %q", result.Notes)
	}
	told := changesOf(events, "Job", bad)
	if words(told) != "run" {
		t.Fatalf("told: %s", words(told))
	}
	d := told[0].Deployment
	if d.Status != evidence.StatusFailed || d.Trigger != evidence.TriggerSchedule || d.TriggerObject == nil ||
		*d.TriggerObject != (evidence.TriggerObject{Kind: "CronJob", Name: "bad"}) || !strings.HasSuffix(told[0].ServiceKey, "/bad-service") {
		t.Errorf("told: %+v of %s", d, told[0].ServiceKey)
	}
	if s := evidence.Summarize(told[0]); !strings.Contains(s, "on the schedule of CronJob bad; failed") {
		t.Errorf("summary: %s", s)
	}
}

func TestASuspendedCronJobIsToldByTheNextLook(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.cronJob("nightly", "0 3 * * *", "shop/job-ok:1")
	events, first := c.collect(c.config(), request(), env())
	if told := changesOf(events, "CronJob", "nightly"); words(told) != "create" || told[0].Deployment.To.Images[0].Image != "shop/job-ok:1" {
		t.Fatalf("told: %s", words(told))
	}
	time.Sleep(6 * time.Second) // a write a moment after the creation is part of it
	c.patchCronJob("nightly", "kubectl-patch", `{"spec":{"suspend":true}}`)
	events, second := c.collect(c.config(), after(first), env())
	told := changesOf(events, "CronJob", "nightly")
	if words(told) != "create pause" {
		t.Fatalf("told: %s", words(told))
	}
	d := told[1].Deployment
	if d.NotBefore == nil || d.NotAfter == nil || d.Started != nil || d.StartedBasis != evidence.BasisSnapshot || d.Status != evidence.StatusPaused ||
		told[1].Actor == nil || told[1].Actor.Manager != "kubectl-patch" {
		t.Errorf("told: %+v by %+v", d, told[1].Actor)
	}
	if s := evidence.Summarize(told[1]); s != "CronJob nightly was suspended" {
		t.Errorf("summary: %s", s)
	}
	c.tick()
	c.patchCronJob("nightly", "kubectl-edit", `{"spec":{"suspend":false,"schedule":"0 4 * * *"}}`)
	c.patchCronJob("nightly", "kubectl-edit", `{"spec":{"schedule":"0 5 * * *"}}`)
	events, third := c.collect(c.config(), after(second), env())
	told = changesOf(events, "CronJob", "nightly")
	// The entry of the manager that suspended it stays, with the time of then.
	told = slices.DeleteFunc(told, func(e evidence.Event) bool { return e.Actor != nil && e.Actor.Manager == "kubectl-patch" })
	if words(told) != "create resume update" || told[2].Actor == nil || told[2].Actor.Manager != "kubectl-edit" {
		t.Fatalf("told: %s", words(told))
	}
	c.tick()
	if err := c.client.BatchV1().CronJobs(c.ns).Delete(t.Context(), "nightly", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.tick()
	events, _ = c.collect(c.config(), after(third), env())
	if told := changesOf(events, "CronJob", "nightly"); words(told) != "delete" {
		t.Errorf("told: %s", words(told))
	}
}

func TestASuspendedJobIsTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	if _, err := c.client.BatchV1().Jobs(c.ns).Create(t.Context(), &batchv1.Job{
		ObjectMeta: c.meta("backfill"),
		Spec:       batchv1.JobSpec{Suspend: new(true), Template: c.podsOf("shop/backfill:1", corev1.RestartPolicyNever)},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.awaitJob("backfill", batchv1.JobSuspended)
	events, _ := c.collect(c.config(), request(), env())
	told := changesOf(events, "Job", "backfill")
	if words(told) != "run" || told[0].Deployment.Status != evidence.StatusPaused || told[0].Deployment.Started != nil {
		t.Fatalf("told: %s, %+v", words(told), told[0].Deployment)
	}
	c.tick()
	if _, err := c.client.BatchV1().Jobs(c.ns).Patch(t.Context(), "backfill", types.MergePatchType, []byte(`{"spec":{"suspend":false}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	c.await("the Job runs", func(ctx context.Context) (bool, error) {
		j, err := c.client.BatchV1().Jobs(c.ns).Get(ctx, "backfill", metav1.GetOptions{})
		return err == nil && j.Status.StartTime != nil, err
	})
	events, _ = c.collect(c.config(), request(), env())
	told = changesOf(events, "Job", "backfill")
	if words(told) != "run resume" || told[0].Deployment.Status != evidence.StatusProgressing || told[0].Deployment.StartedBasis != evidence.BasisStatus {
		t.Fatalf("told: %s, %+v", words(told), told[0].Deployment)
	}
}

func TestAnAutoscalerIsToldFromAHand(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	template := podTemplate("shop/web:1")
	template.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("100m")}
	for _, name := range []string{"auto", "hand"} {
		labels := map[string]string{"app": name}
		template.Labels = labels
		if _, err := c.client.AppsV1().Deployments(c.ns).Create(t.Context(), &appsv1.Deployment{
			ObjectMeta: c.meta(name),
			Spec:       appsv1.DeploymentSpec{Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
		}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
			t.Fatal(err)
		}
		c.awaitRollout(name)
	}
	c.tick()
	c.tick()
	if _, err := c.client.AppsV1().Deployments(c.ns).Patch(t.Context(), "hand", types.MergePatchType, []byte(`{"spec":{"replicas":3}}`),
		metav1.PatchOptions{FieldManager: "kubectl"}, "scale"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.client.AutoscalingV2().HorizontalPodAutoscalers(c.ns).Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "auto-hpa", Annotations: map[string]string{"testbed/load": "200"}},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "auto"},
			MinReplicas:    new(int32(1)), MaxReplicas: 3,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name: "cpu", Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(80))},
			}}},
		},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"auto", "hand"} {
		c.await("three replicas of "+name, func(ctx context.Context) (bool, error) {
			d, err := c.client.AppsV1().Deployments(c.ns).Get(ctx, name, metav1.GetOptions{})
			return err == nil && *d.Spec.Replicas == 3 && d.Status.AvailableReplicas == 3, err
		})
	}
	scale := func(events []evidence.Event, name string) evidence.Event {
		t.Helper()
		var found []evidence.Event
		for _, e := range changesOf(events, "Deployment", name) {
			if e.Deployment.Change == evidence.ChangeScale {
				found = append(found, e)
			}
		}
		if len(found) == 0 || found[len(found)-1].Deployment.Replicas == nil || found[len(found)-1].Deployment.Replicas.To != 3 {
			t.Fatalf("%s: %s", name, words(found))
		}
		return found[len(found)-1]
	}
	events, _ := c.collect(c.config(), request(), env())
	auto, hand := scale(events, "auto"), scale(events, "hand")
	if d := auto.Deployment; d.Trigger != evidence.TriggerAutoscaler || d.TriggerObject == nil ||
		*d.TriggerObject != (evidence.TriggerObject{Kind: "HorizontalPodAutoscaler", Name: "auto-hpa"}) {
		t.Errorf("by the autoscaler: %+v", d)
	}
	if s := evidence.Summarize(auto); !strings.Contains(s, "to 3 replicas") || !strings.Contains(s, "by HorizontalPodAutoscaler auto-hpa") {
		t.Errorf("summary: %s", s)
	}
	if d := hand.Deployment; d.Trigger != evidence.TriggerClient || d.TriggerObject != nil || hand.Actor == nil || hand.Actor.Manager != "kubectl" {
		t.Errorf("by hand: %+v, %+v", d, hand.Actor)
	}
}

func TestAReplicaSetOfItsOwnIsAWorkload(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	template := podTemplate("shop/cache:1")
	template.Labels = map[string]string{"app": "cache"}
	sets := c.client.AppsV1().ReplicaSets(c.ns)
	meta := c.meta("cache")
	meta.Labels["app"] = "cache"
	if _, err := sets.Create(t.Context(), &appsv1.ReplicaSet{
		ObjectMeta: meta,
		Spec:       appsv1.ReplicaSetSpec{Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template},
	}, metav1.CreateOptions{FieldManager: "kubectl-create"}); err != nil {
		t.Fatal(err)
	}
	c.await("its pod", func(ctx context.Context) (bool, error) {
		rs, err := sets.Get(ctx, "cache", metav1.GetOptions{})
		return err == nil && rs.Status.ReadyReplicas == 1, err
	})
	events, first := c.collect(c.config(), request(), env())
	told := changesOf(events, "ReplicaSet", "cache")
	if words(told) != "create" || told[0].Deployment.Workload != "ReplicaSet" || !strings.HasSuffix(told[0].ServiceKey, "/cache-service") ||
		!strings.HasPrefix(told[0].Deployment.To.Images[0].Digest, "sha256:") {
		t.Fatalf("told: %s, %+v", words(told), told)
	}
	c.tick()
	if _, err := sets.Patch(t.Context(), "cache", types.MergePatchType, []byte(`{"spec":{"replicas":2}}`), metav1.PatchOptions{FieldManager: "kubectl"}, "scale"); err != nil {
		t.Fatal(err)
	}
	events, second := c.collect(c.config(), after(first), env())
	told = changesOf(events, "ReplicaSet", "cache")
	if words(told) != "create scale" || *told[1].Deployment.Replicas.From != 1 || told[1].Deployment.Replicas.To != 2 || told[1].Deployment.Trigger != evidence.TriggerClient {
		t.Fatalf("told: %s", words(told))
	}

	// A Deployment with its selector takes it over: it is not gone.
	c.tick()
	if _, err := c.client.AppsV1().Deployments(c.ns).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: c.meta("cache"),
		Spec:       appsv1.DeploymentSpec{Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.awaitRollout("cache")
	c.tick()
	events, _ = c.collect(c.config(), after(second), env())
	if told := changesOf(events, "ReplicaSet", "cache"); len(told) != 0 {
		t.Errorf("a ReplicaSet that was adopted: %s", words(told))
	}
	told = changesOf(events, "Deployment", "cache")
	if len(told) == 0 {
		t.Fatal("nothing is told of the Deployment")
	}
	for _, e := range told {
		if at := e.Deployment.Started; at == nil || at.Before(*told[0].Deployment.Started) {
			t.Errorf("the Deployment did something before it was there: %+v", e.Deployment)
		}
	}
}

func TestATakenOverReplicaSetTellsNoRolloutOfItsNewOwner(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	c.tick()
	c.rollout("web", "shop/web:2.0.0")
	c.tick()
	orphan := metav1.DeletePropagationOrphan
	if err := c.client.AppsV1().Deployments(c.ns).Delete(t.Context(), "web", metav1.DeleteOptions{PropagationPolicy: &orphan}); err != nil {
		t.Fatal(err)
	}
	c.await("orphans", func(ctx context.Context) (bool, error) {
		list, err := c.client.AppsV1().ReplicaSets(c.ns).List(ctx, metav1.ListOptions{})
		return err == nil && !slices.ContainsFunc(list.Items, func(rs appsv1.ReplicaSet) bool { return len(rs.OwnerReferences) > 0 }), err
	})
	c.tick()
	c.tick()
	c.deploy("web", "shop/web:2.0.0")
	events, result := c.collect(c.config(), request(), env())
	c.expectLines(changesOf(events, "Deployment", "web"),
		"testbed/NS/web-service create | - -> - | superseded | creation_timestamp | by helm")
	if !slices.ContainsFunc(result.Notes, func(n string) bool { return strings.Contains(n, "older than they are: 1.") }) {
		t.Errorf("notes: %q", result.Notes)
	}
}

func TestAScaledReplicaSetIsNoScaleOfItsDeployment(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	c.tick()
	c.tick()
	list, err := c.client.AppsV1().ReplicaSets(c.ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Fatal(err, len(list.Items))
	}
	if _, err := c.client.AppsV1().ReplicaSets(c.ns).Patch(t.Context(), list.Items[0].Name, types.MergePatchType, []byte(`{"spec":{"replicas":5}}`),
		metav1.PatchOptions{FieldManager: "kubectl"}, "scale"); err != nil {
		t.Fatal(err)
	}
	c.await("the Deployment takes it back", func(ctx context.Context) (bool, error) {
		list, err := c.client.CoreV1().Events(c.ns).List(ctx, metav1.ListOptions{FieldSelector: "reason=ScalingReplicaSet"})
		return err == nil && slices.ContainsFunc(list.Items, func(e corev1.Event) bool { return strings.Contains(e.Message, "from 5 to 2") }), err
	})
	c.awaitRollout("web")
	events, _ := c.collect(c.config(), request(), env())
	if told := changesOf(events, "Deployment", "web"); words(told) != "create" {
		t.Errorf("told: %s", words(told))
	}
}

func TestWithoutHistoryNothingIsClaimedOfIt(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	template := podTemplate("shop/web:1.0.0")
	if _, err := c.client.AppsV1().Deployments(c.ns).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: c.meta("web"),
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template, RevisionHistoryLimit: new(int32(0)),
		},
	}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		t.Fatal(err)
	}
	c.awaitRollout("web")
	for _, version := range []string{"2.0.0", "3.0.0"} {
		c.tick()
		c.rollout("web", "shop/web:"+version)
	}
	c.await("no old ReplicaSet", func(ctx context.Context) (bool, error) {
		list, err := c.client.AppsV1().ReplicaSets(c.ns).List(ctx, metav1.ListOptions{})
		return err == nil && len(list.Items) == 1, err
	})
	events, result := c.collect(c.config(), request(), env())
	told := changesOf(events, "Deployment", "web")
	c.expectLines(told,
		"testbed/NS/web-service create | - -> - | superseded | creation_timestamp | by -",
		"testbed/NS/web-service rollout | - -> 3 shop/web:3.0.0 | complete | creation_timestamp | by kubectl-set")
	if told[1].Deployment.TemplateChanges != nil {
		t.Errorf("what changed is not known, and told: %+v", told[1].Deployment.TemplateChanges)
	}
	if !slices.ContainsFunc(result.Notes, func(n string) bool { return strings.Contains(n, "revisionHistoryLimit") }) {
		t.Errorf("notes: %q", result.Notes)
	}
}
