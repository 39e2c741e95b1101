package testbed_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/rcactl/rcactl/pkg/testbed"
)

func TestJobsFinishAndFail(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.job("good", "shop/job-ok:1", 0, corev1.RestartPolicyNever)
	c.job("bad", "shop/job-fail:1", 1, corev1.RestartPolicyNever)
	c.job("stubborn", "shop/job-fail:1", 1, corev1.RestartPolicyOnFailure)

	good := c.awaitJob("good", batchv1.JobComplete)
	if good.Status.Succeeded != 1 || good.Status.CompletionTime == nil {
		t.Errorf("the good Job's status is %+v", good.Status)
	}
	bad := c.awaitJob("bad", batchv1.JobFailed)
	if bad.Status.Failed != 2 {
		t.Errorf("%d pods failed, want 2: one, and one more that backoffLimit allows", bad.Status.Failed)
	}
	c.awaitJob("stubborn", batchv1.JobFailed)
	c.awaitEvents("bad BackoffLimitExceeded Job has reached the specified backoff limit", "good Completed Job completed")

	var ends []string
	for _, p := range c.pods("job-name in (good,bad)") {
		ended := p.Status.ContainerStatuses[0].State.Terminated
		if ended == nil {
			t.Fatalf("pod %s has not ended: %+v", p.Name, p.Status)
		}
		ends = append(ends, fmt.Sprintf("%s %s %d %s", p.Labels["job-name"], p.Status.Phase, ended.ExitCode, ended.Reason))
	}
	slices.Sort(ends)
	if want := []string{"bad Failed 1 Error", "bad Failed 1 Error", "good Succeeded 0 Completed"}; !slices.Equal(ends, want) {
		t.Errorf("the pods ended as %q, want %q", ends, want)
	}
}

func TestCronJobMakesJobs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	cron := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "nightly"}, Spec: batchv1.CronJobSpec{
		Schedule:    "@every 1s", // the first at once; the name holds the minute, so the next comes with the next minute
		JobTemplate: batchv1.JobTemplateSpec{Spec: jobSpec("shop/job-ok:1", 0, corev1.RestartPolicyNever)},
	}}
	if _, err := c.client.BatchV1().CronJobs(c.ns).Create(t.Context(), cron, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.await("a Job of the CronJob to succeed", func() (bool, string) {
		jobs, err := c.client.BatchV1().Jobs(c.ns).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		return slices.ContainsFunc(jobs.Items, func(j batchv1.Job) bool {
			owner := metav1.GetControllerOf(&j)
			return j.Status.Succeeded == 1 && owner != nil && owner.Kind == "CronJob" && owner.Name == "nightly"
		}), fmt.Sprintf("%+v", jobs.Items)
	})
	c.awaitEvents("nightly SuccessfulCreate Created job nightly-", "nightly SawCompletedJob Saw completed job: nightly-")
}

func TestAutoscalerFollowsTheLoad(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("shop/web:1")
	c.patchWeb(`{"spec":{"template":{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"100m"}}}]}}}}`)
	c.awaitRollout()
	half := int32(50)
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Annotations: map[string]string{testbed.LoadAnnotation: "200"}},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
			MaxReplicas:    10,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &half},
			}}},
		},
	}
	if _, err := c.client.AutoscalingV2().HorizontalPodAutoscalers(c.ns).Create(t.Context(), hpa, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	web := c.awaitReplicas(4) // 200 percent shared so that each has 50
	if i := slices.IndexFunc(web.ManagedFields, func(f metav1.ManagedFieldsEntry) bool {
		return f.Subresource == "scale" && f.Manager == "kube-controller-manager" && f.Operation == metav1.ManagedFieldsOperationUpdate &&
			strings.Contains(f.FieldsV1.GetRawString(), "f:replicas")
	}); i < 0 {
		t.Errorf("nobody who looks like the autoscaler owns spec.replicas: %+v", web.ManagedFields)
	}
	c.awaitEvents("web SuccessfulRescale New size: 4; reason: cpu resource utilization (percentage of request) above target")

	c.patchHPA("web", `{"metadata":{"annotations":{"`+testbed.LoadAnnotation+`":"50"}}}`)
	c.awaitReplicas(1)
	c.awaitEvents("web SuccessfulRescale New size: 1; reason: All metrics below target")
}

func TestUnschedulablePods(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	big := podSpec("shop/web:1")
	big.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5000"), corev1.ResourceMemory: resource.MustParse("1Pi")}
	c.pod("big", big)
	lost := podSpec("shop/web:1")
	lost.NodeSelector = map[string]string{"disk": "of-another-cluster"}
	c.pod("lost", lost)

	// Other tests' nodes come and go, so the numbers are not ours to know.
	for name, want := range map[string]string{
		"big": `^0/\d+ nodes are available: (.*, )?\d+ Insufficient cpu, \d+ Insufficient memory(, .*)?\. ` +
			`preemption: 0/\d+ nodes are available: \d+ Preemption is not helpful for scheduling\.$`,
		"lost": `^0/\d+ nodes are available: (.*, )?\d+ node\(s\) didn't match Pod's node affinity/selector(, .*)?\. preemption: .*$`,
	} {
		c.await("the scheduler's refusal of "+name, func() (bool, string) {
			p, err := c.client.CoreV1().Pods(c.ns).Get(t.Context(), name, metav1.GetOptions{})
			if err != nil {
				return false, err.Error()
			}
			i := slices.IndexFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodScheduled })
			return i >= 0 && p.Status.Phase == corev1.PodPending && p.Status.Conditions[i].Status == corev1.ConditionFalse &&
				p.Status.Conditions[i].Reason == corev1.PodReasonUnschedulable &&
				regexp.MustCompile(want).MatchString(p.Status.Conditions[i].Message), fmt.Sprintf("%+v", p.Status)
		})
		c.await("a series of the scheduler's Events on "+name, func() (bool, string) {
			list, err := c.client.EventsV1().Events(c.ns).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				return false, err.Error()
			}
			i := slices.IndexFunc(list.Items, func(e eventsv1.Event) bool {
				return e.Regarding.Name == name && e.Reason == "FailedScheduling" && e.Series != nil && e.Series.Count >= 2
			})
			return i >= 0 && regexp.MustCompile(want).MatchString(list.Items[i].Note) && list.Items[i].ReportingController == "default-scheduler",
				fmt.Sprintf("%+v", list.Items)
		})
	}
}

func TestReadinessProbeFails(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.pod("web", podSpec("shop/probe:1"))
	c.awaitContainer("web", func(s corev1.ContainerStatus) bool { return s.State.Running != nil && !s.Ready && s.RestartCount == 0 })
	c.await("a repeated Event", func() (bool, string) {
		list, err := c.client.CoreV1().Events(c.ns).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		return slices.ContainsFunc(list.Items, func(e corev1.Event) bool {
			return e.Reason == "Unhealthy" && e.Count == 3 && e.Message == "Readiness probe failed: HTTP probe failed with statuscode: 503"
		}), fmt.Sprintf("%+v", list.Items)
	})
}

func TestQuotaRefusesPods(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "small"}, Spec: corev1.ResourceQuotaSpec{
		Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")},
	}}
	if _, err := c.client.CoreV1().ResourceQuotas(c.ns).Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.create("shop/web:1")
	c.await("the quota to be used up", func() (bool, string) {
		q, err := c.client.CoreV1().ResourceQuotas(c.ns).Get(t.Context(), "small", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		used := q.Status.Used[corev1.ResourcePods]
		return used.Value() == 1, fmt.Sprintf("%+v", q.Status)
	})
	c.awaitEvents("FailedCreate Error creating: pods ", "exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1")
}

func TestOwnNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	node := c.srv.Node(t)
	spec := podSpec("shop/web:1")
	spec.NodeSelector = map[string]string{corev1.LabelHostname: node}
	spec.Tolerations = []corev1.Toleration{{Key: testbed.OwnNodeTaint, Operator: corev1.TolerationOpExists}}
	c.pod("guest", spec)
	c.awaitContainer("guest", func(s corev1.ContainerStatus) bool { return s.Ready })
	c.awaitEvents("guest Started Container started")

	c.srv.SetNodeCondition(t, node, corev1.NodeCondition{
		Type: corev1.NodeMemoryPressure, Status: corev1.ConditionTrue, Reason: "KubeletHasInsufficientMemory", Message: "kubelet has insufficient memory available",
	})
	c.srv.SetNodeCondition(t, node, corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown"})
	c.srv.UpdateNode(t, node, func(n *corev1.Node) {
		n.Spec.Unschedulable = true
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute})
		n.Status.NodeInfo.BootID, n.Status.NodeInfo.KubeletVersion = "after a reboot", "v1.36.3"
	})
	c.pod("late", spec) // whatever the fake kubelet does to nodes, it has done by the time it refuses this
	c.awaitEvents("late FailedScheduling 0/")

	n, err := c.client.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var conditions []string
	for _, c := range n.Status.Conditions {
		conditions = append(conditions, fmt.Sprintf("%s=%s", c.Type, c.Status))
	}
	if want := "MemoryPressure=True DiskPressure=False PIDPressure=False Ready=Unknown"; strings.Join(conditions, " ") != want {
		t.Errorf("conditions %s, want %s", conditions, want)
	}
	if info := n.Status.NodeInfo; info.BootID != "after a reboot" || info.KubeletVersion != "v1.36.3" || !n.Spec.Unschedulable || len(n.Spec.Taints) < 2 {
		t.Errorf("somebody wrote over the node: %+v, %+v", info, n.Spec)
	}
}

func TestCustomResources(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, k := range []struct{ test, group, version, kind, plural string }{
		{"Argo CD", "argoproj.io", "v1alpha1", "Application", "applications"},
		{"Argo CD in another test at the same time", "argoproj.io", "v1alpha1", "Application", "applications"},
		{"Flux kustomize", "kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations"},
		{"Flux helm", "helm.toolkit.fluxcd.io", "v2beta2", "HelmRelease", "helmreleases"},
		{"Flux source", "source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories"},
	} {
		t.Run(k.test, func(t *testing.T) {
			t.Parallel()
			kind := c.srv.InstallCRD(t, k.group, k.version, k.kind, k.plural, true)
			client, err := dynamic.NewForConfig(c.srv.AdminConfig())
			if err != nil {
				t.Fatal(err)
			}
			app := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": kind.GroupVersion().String(), "kind": k.kind,
				"metadata": map[string]any{"generateName": "shop-"},
				"spec":     map[string]any{"source": map[string]any{"targetRevision": "v1.2.3"}},
			}}
			made, err := client.Resource(kind).Namespace(c.ns).Create(t.Context(), app, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := unstructured.SetNestedField(made.Object, "Synced", "status", "sync", "status"); err != nil {
				t.Fatal(err)
			}
			if made, err = client.Resource(kind).Namespace(c.ns).UpdateStatus(t.Context(), made, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			revision, _, _ := unstructured.NestedString(made.Object, "spec", "source", "targetRevision")
			status, _, _ := unstructured.NestedString(made.Object, "status", "sync", "status")
			if revision != "v1.2.3" || status != "Synced" {
				t.Errorf("spec and status came back as %q and %q", revision, status)
			}
		})
	}
}

func TestContinueTokensExpire(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for i := range 5 {
		m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("map-", i)}}
		if _, err := c.client.CoreV1().ConfigMaps(c.ns).Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	maps := c.client.CoreV1().ConfigMaps(c.ns)
	first, err := maps.List(t.Context(), metav1.ListOptions{Limit: 2})
	if err != nil || first.Continue == "" {
		t.Fatalf("the first page: %v, continue %q", err, first.Continue)
	}
	next := metav1.ListOptions{Limit: 2, Continue: first.Continue}
	if _, err := maps.List(t.Context(), next); err != nil {
		t.Fatalf("the second page, in time: %v", err)
	}
	c.srv.ExpireContinueTokens(t)
	_, err = maps.List(t.Context(), next)
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Code != 410 || !apierrors.IsResourceExpired(err) {
		t.Fatalf("the second page, too late: %v, want 410 Expired", err)
	}
	// The refusal has a token to go on with, at the price of a list that is of two times.
	if rest, err := maps.List(t.Context(), metav1.ListOptions{Limit: 2, Continue: status.ErrStatus.ListMeta.Continue}); err != nil || len(rest.Items) == 0 {
		t.Errorf("going on with the token of the refusal: %v", err)
	}
}

func (c *cluster) pod(name string, spec corev1.PodSpec) {
	c.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	if _, err := c.client.CoreV1().Pods(c.ns).Create(c.Context(), p, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) pods(selector string) []corev1.Pod {
	c.Helper()
	list, err := c.client.CoreV1().Pods(c.ns).List(c.Context(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		c.Fatal(err)
	}
	return list.Items
}

func jobSpec(image string, backoffLimit int32, restart corev1.RestartPolicy) batchv1.JobSpec {
	spec := podSpec(image)
	spec.RestartPolicy = restart
	return batchv1.JobSpec{BackoffLimit: &backoffLimit, Template: corev1.PodTemplateSpec{Spec: spec}}
}

func (c *cluster) job(name, image string, backoffLimit int32, restart corev1.RestartPolicy) {
	c.Helper()
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: jobSpec(image, backoffLimit, restart)}
	if _, err := c.client.BatchV1().Jobs(c.ns).Create(c.Context(), j, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) awaitJob(name string, end batchv1.JobConditionType) *batchv1.Job {
	c.Helper()
	var job *batchv1.Job
	c.await(fmt.Sprintf("Job %s to be %s", name, end), func() (bool, string) {
		var err error
		if job, err = c.client.BatchV1().Jobs(c.ns).Get(c.Context(), name, metav1.GetOptions{}); err != nil {
			return false, err.Error()
		}
		return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == end && c.Status == corev1.ConditionTrue
		}), fmt.Sprintf("%+v", job.Status)
	})
	return job
}

func (c *cluster) awaitReplicas(want int32) *appsv1.Deployment {
	c.Helper()
	var web *appsv1.Deployment
	c.await(fmt.Sprint(want, " replicas"), func() (bool, string) {
		var err error
		if web, err = c.client.AppsV1().Deployments(c.ns).Get(c.Context(), "web", metav1.GetOptions{}); err != nil {
			return false, err.Error()
		}
		hpa, err := c.client.AutoscalingV2().HorizontalPodAutoscalers(c.ns).Get(c.Context(), "web", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return *web.Spec.Replicas == want && web.Status.ReadyReplicas == want, fmt.Sprintf("%+v; %+v", web.Status, hpa.Status)
	})
	return web
}

func (c *cluster) patchHPA(name, patch string) {
	c.Helper()
	if _, err := c.client.AutoscalingV2().HorizontalPodAutoscalers(c.ns).Patch(c.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		c.Fatal(err)
	}
}
