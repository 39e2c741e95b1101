package kubernetes_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

func memory(request, limit string) corev1.ResourceRequirements {
	out := corev1.ResourceRequirements{}
	if request != "" {
		out.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(request)}
	}
	if limit != "" {
		out.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(limit)}
	}
	return out
}

// pod makes a pod of its own.
func (c *cluster) pod(name, image string, change func(*corev1.PodSpec)) *corev1.Pod {
	c.Helper()
	template := podTemplate(image)
	if change != nil {
		change(&template.Spec)
	}
	p, err := c.client.CoreV1().Pods(c.ns).Create(c.Context(), &corev1.Pod{ObjectMeta: c.meta(name), Spec: template.Spec}, metav1.CreateOptions{})
	if err != nil {
		c.Fatal(err)
	}
	return p
}

func (c *cluster) awaitEvent(what string, is func(corev1.Event) bool) {
	c.Helper()
	c.await(what, func(ctx context.Context) (bool, error) {
		list, err := c.client.CoreV1().Events(c.ns).List(ctx, metav1.ListOptions{})
		return err == nil && slices.ContainsFunc(list.Items, is), err
	})
}

func (c *cluster) awaitContainer(pod string, is func(corev1.ContainerStatus) bool) {
	c.Helper()
	c.await("the container of "+pod, func(ctx context.Context) (bool, error) {
		p, err := c.client.CoreV1().Pods(c.ns).Get(ctx, pod, metav1.GetOptions{})
		return err == nil && slices.ContainsFunc(p.Status.ContainerStatuses, is), err
	})
}

// signals are those of an object, by class.
func signals(events []evidence.Event, object, class string) []evidence.Event {
	var out []evidence.Event
	for _, e := range events {
		if e.Signal != nil && e.Source.Object.Name == object && e.Signal.Class == class {
			out = append(out, e)
		}
	}
	return out
}

// one is the one signal of a class that an object has.
func (c *cluster) one(events []evidence.Event, object, class string) *evidence.Signal {
	c.Helper()
	got := signals(events, object, class)
	if len(got) != 1 {
		c.Errorf("%d signals %s of %s: %+v", len(got), class, object, got)
		return &evidence.Signal{}
	}
	return got[0].Signal
}

func number[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

func TestAnImageThatCannotBePulledIsOneSignal(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.pod("web", "registry.example.com/shop/web:2-broken", nil)
	c.awaitEvent("the back-off", func(e corev1.Event) bool { return e.Message == "Error: ImagePullBackOff" })
	events, _ := c.collect(c.config(), request(), env())
	s := c.one(events, "web", "image_pull")
	if s.Detail != "not_found" || s.Registry != "registry.example.com" || !s.Ongoing || s.Last == nil || s.Container != "app" {
		t.Errorf("%+v", s)
	}
	id := signals(events, "web", "image_pull")[0].ID
	if err := c.client.CoreV1().Pods(c.ns).Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.await("the pod to be gone", func(ctx context.Context) (bool, error) {
		list, err := c.client.CoreV1().Pods(c.ns).List(ctx, metav1.ListOptions{})
		return err == nil && len(list.Items) == 0, err
	})
	events, _ = c.collect(c.config(), request(), env())
	if s = c.one(events, "web", "image_pull"); s.Ongoing || s.Detail != "not_found" {
		t.Errorf("when the pod is gone: %+v", s)
	}
	if again := signals(events, "web", "image_pull"); len(again) == 1 && again[0].ID != id {
		t.Error("when the pod is gone the trouble has another id")
	}
}

func TestACrashLoopIsOneSignalAndItsLastEndAnother(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.pod("web", "shop/web:crash", func(s *corev1.PodSpec) { s.Containers[0].Resources = memory("64Mi", "128Mi") })
	c.awaitContainer("web", func(s corev1.ContainerStatus) bool { return s.RestartCount == 3 })
	c.awaitEvent("the back-off", func(e corev1.Event) bool { return e.Reason == "BackOff" })
	events, _ := c.collect(c.config(), request(), env())
	s := c.one(events, "web", "crash_loop")
	if s.Count != 3 || number(s.ExitCode) != 1 || s.QOSClass != "Burstable" || number(s.MemoryLimit) != 128<<20 || number(s.MemoryRequest) != 64<<20 || s.MemoryLimitOrigin != "pod_spec" {
		t.Errorf("%+v", s)
	}
	c.one(events, "web", "container_exit")
}

func TestAnOOMKillIsToldWithItsLimit(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.pod("own", "shop/oom:1", func(s *corev1.PodSpec) { s.Containers[0].Resources = memory("64Mi", "128Mi") })
	c.pod("none", "shop/oom:1", nil)
	if _, err := c.client.CoreV1().LimitRanges(c.ns).Create(t.Context(), &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "defaults"}, Spec: corev1.LimitRangeSpec{
		Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Default: memory("", "32Mi").Limits}},
	}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// The API server may learn of the LimitRange a moment later.
	i := 0
	c.await("a pod with a limit by the LimitRange", func(context.Context) (bool, error) {
		i++
		p := c.pod(fmt.Sprint("ranged-", i), "shop/oom:1", nil)
		return p.Annotations["kubernetes.io/limit-ranger"] != "", nil
	})
	ranged := fmt.Sprint("ranged-", i)
	for _, name := range []string{"own", "none", ranged} {
		c.awaitContainer(name, func(s corev1.ContainerStatus) bool { return s.RestartCount == 3 })
	}
	events, _ := c.collect(c.config(), request(), env())
	for name, want := range map[string]evidence.Signal{
		"own":  {QOSClass: "Burstable", MemoryLimit: new(int64(128 << 20)), MemoryRequest: new(int64(64 << 20)), MemoryLimitOrigin: "pod_spec"},
		"none": {QOSClass: "BestEffort", MemoryLimit: new(int64(0)), MemoryRequest: new(int64(0))},
		ranged: {QOSClass: "Burstable", MemoryLimit: new(int64(32 << 20)), MemoryRequest: new(int64(32 << 20)), MemoryLimitOrigin: "limit_range"},
	} {
		s := c.one(events, name, "oom_killed")
		if s.QOSClass != want.QOSClass || s.MemoryLimit == nil || *s.MemoryLimit != *want.MemoryLimit || number(s.MemoryRequest) != *want.MemoryRequest ||
			s.MemoryLimitOrigin != want.MemoryLimitOrigin || number(s.ExitCode) != 137 {
			t.Errorf("%s: %+v, limit %d", name, s, number(s.MemoryLimit))
		}
	}
}

func TestAFailedProbeIsToldWithItsStatus(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.pod("web", "shop/probe:1", func(s *corev1.PodSpec) {
		s.Containers[0].ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/" + planted, Port: intstr.FromInt32(8080)}}}
	})
	c.awaitEvent("a repeated failure", func(e corev1.Event) bool { return e.Reason == "Unhealthy" && e.Count == 3 })
	events, _ := c.collect(c.config(), request(), env())
	found := false
	for _, e := range signals(events, "web", "probe_failed") {
		s := e.Signal
		found = found || s.Count == 3 && s.Detail == "readiness" && s.ProbeHandler == "http" && s.ProbeOutcome == "status" && number(s.HTTPStatus) == 503 && s.Reporter == "kubelet"
	}
	if !found {
		t.Errorf("%+v", signals(events, "web", "probe_failed"))
	}
}

func TestWhyAPodFitsNowhereIsToldByReason(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.pod("big", "shop/web:1", func(s *corev1.PodSpec) {
		s.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5000"), corev1.ResourceMemory: resource.MustParse("1Pi")}
	})
	c.pod("lost", "shop/web:1", func(s *corev1.PodSpec) { s.NodeSelector = map[string]string{"disk": planted} })
	for _, name := range []string{"big", "lost"} {
		c.awaitEvent("a series of Events on "+name, func(e corev1.Event) bool {
			return e.InvolvedObject.Name == name && e.Reason == "FailedScheduling" && e.Series != nil && e.Series.Count >= 2
		})
	}
	events, _ := c.collect(c.config(), request(), env())
	for name, reasons := range map[string][]string{"big": {"insufficient_cpu", "insufficient_memory"}, "lost": {"node_selector"}} {
		s := c.one(events, name, "unschedulable")
		// Nodes of other tests come and go.
		for _, want := range reasons {
			if !slices.ContainsFunc(s.Unschedulable, func(u evidence.Unfit) bool { return u.Reason == want && u.Nodes > 0 && u.Nodes <= number(s.NodesTotal) }) {
				t.Errorf("%s: %+v of %v nodes", name, s.Unschedulable, number(s.NodesTotal))
			}
		}
		if s.Count < 2 || !s.Ongoing || s.Reason != "Unschedulable" || signals(events, name, "unschedulable")[0].Severity != evidence.SeverityError {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if s := c.one(events, "big", "unschedulable"); number(s.MemoryRequest) != 1<<50 || s.QOSClass != "Burstable" {
		t.Errorf("%+v", s)
	}
}

func TestAQuotaThatRefusesPodsIsNamed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "small"}, Spec: corev1.ResourceQuotaSpec{
		Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1"), "count/configmaps": resource.MustParse("100")},
	}}
	if _, err := c.client.CoreV1().ResourceQuotas(c.ns).Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.await("the quota's own count", func(ctx context.Context) (bool, error) {
		q, err := c.client.CoreV1().ResourceQuotas(c.ns).Get(ctx, "small", metav1.GetOptions{})
		return err == nil && len(q.Status.Used) == 2, err
	})
	template := podTemplate("shop/web:1")
	if _, err := c.client.AppsV1().Deployments(c.ns).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: c.meta("web"),
		Spec:       appsv1.DeploymentSpec{Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.awaitEvent("the refusal", func(e corev1.Event) bool {
		return e.Reason == "FailedCreate" && strings.Contains(e.Message, "exceeded quota")
	})
	events, _ := c.collect(c.config(), request(), env())
	found := false
	for _, e := range events {
		if s := e.Signal; s != nil && s.Class == "create_failed" {
			found = true
			if s.Detail != "quota" || s.Quota != "small" || !slices.Equal(s.Resources, []string{"pods"}) || e.Source.Object.Kind != "ReplicaSet" || !strings.HasSuffix(e.ServiceKey, "/web-service") {
				t.Errorf("%+v of %+v", s, e.Source.Object)
			}
		}
	}
	if !found {
		t.Error("the refusal is not told")
	}
}

func TestAnEvictionIsToldWithItsResource(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := c.pod("web", "shop/web:1", nil)
	c.awaitContainer("web", func(s corev1.ContainerStatus) bool { return s.Ready })
	const message = "The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi, available: 9Gi. "
	patch := `{"status":{"phase":"Failed","reason":"Evicted","message":"` + message + planted + `","conditions":[{"type":"DisruptionTarget","status":"True",` +
		`"reason":"TerminationByKubelet","lastTransitionTime":"` + time.Now().UTC().Format(time.RFC3339) + `"}]}}`
	if _, err := c.client.CoreV1().Pods(c.ns).Patch(t.Context(), "web", "application/strategic-merge-patch+json", []byte(patch), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	c.coreEvent(corev1.Event{Type: "Warning", Reason: "Evicted", Message: message + planted, InvolvedObject: referenceTo(p), Source: corev1.EventSource{Component: "kubelet", Host: "fake-0"}})
	events, _ := c.collect(c.config(), request(), env())
	s := c.one(events, "web", "evicted")
	if s.Detail != "node_pressure" || !slices.Equal(s.Resources, []string{"ephemeral-storage"}) || s.QOSClass != "BestEffort" {
		t.Errorf("%+v", s)
	}
}

func referenceTo(p *corev1.Pod) corev1.ObjectReference {
	return corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID}
}

// coreEvent writes an Event as the older recorder does.
func (c *cluster) coreEvent(e corev1.Event) {
	c.Helper()
	e.ObjectMeta = metav1.ObjectMeta{GenerateName: "test-", Namespace: c.ns}
	if e.InvolvedObject.Namespace == "" {
		e.Namespace = metav1.NamespaceDefault
	}
	now := metav1.Now()
	e.FirstTimestamp, e.LastTimestamp, e.Count = now, now, 1
	if _, err := c.client.CoreV1().Events(e.Namespace).Create(c.Context(), &e, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
}

func TestASeriesOfTheNewAPIIsReadThroughTheOld(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	first := time.Now().Add(-40 * time.Minute).UTC().Truncate(time.Microsecond)
	last := first.Add(33*time.Minute + 123456*time.Microsecond)
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "series", Namespace: c.ns}, EventTime: metav1.NewMicroTime(first),
		ReportingController: "network-operator", ReportingInstance: "network-operator-0", Action: "Attach", Reason: "FailedAttachVolume", Type: "Warning",
		Regarding: corev1.ObjectReference{Kind: "Pod", Namespace: c.ns, Name: "db-0", UID: "0b1c2d3e-1111-4222-8333-444455556666"},
		Note:      `Multi-Attach error for volume "pvc-1" ` + planted,
	}
	api := c.client.EventsV1().Events(c.ns)
	if _, err := api.Create(t.Context(), event, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	events, _ := c.collect(c.config(), request(), env())
	once := c.one(events, "db-0", "volume")
	if once.Count != 1 || !once.First.Equal(first) || once.Last == nil || !once.Last.Equal(first) && time.Until(*once.Last).Abs() > time.Minute {
		t.Errorf("once: %+v", once)
	}
	patch := fmt.Sprintf(`{"series":{"count":41,"lastObservedTime":%q}}`, last.Format("2006-01-02T15:04:05.000000Z07:00"))
	if _, err := api.Patch(t.Context(), "series", "application/strategic-merge-patch+json", []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	// An older window: the last time that was written down is before it, by less than
	// the half hour that the recorder may be late.
	events, _ = c.collect(c.config(), request(), env())
	s := c.one(events, "db-0", "volume")
	if s.Count != 41 || !s.First.Equal(first) || s.Last == nil || s.Last.Before(last) || s.Reporter != "network-operator" || s.Detail != "multi_attach" || s.Volume != "pvc-1" {
		t.Errorf("series: %+v, last %v, want %v", s, s.Last, last)
	}
}

func TestEventsOfNodesAreInTheNamespaceDefault(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	node := c.srv.Node(t)
	object, err := c.client.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	about := corev1.ObjectReference{Kind: "Node", Name: node, UID: object.UID}
	for _, e := range []corev1.Event{
		{Type: "Normal", Reason: "NodeNotReady", Message: "Node " + node + " status is now: NodeNotReady", Source: corev1.EventSource{Component: "node-controller"}},
		{Type: "Warning", Reason: "SystemOOM", Message: "System OOM encountered, victim process: java, pid: 4711", Source: corev1.EventSource{Component: "kubelet", Host: node}},
		{Type: "Warning", Reason: "EvictionThresholdMet", Message: "Attempting to reclaim memory", Source: corev1.EventSource{Component: "kubelet", Host: node}},
	} {
		e.InvolvedObject = about
		c.coreEvent(e)
	}
	config := c.config()
	config.Streams = []string{record.StreamEvents}
	events, result := c.collect(config, request(), env())
	if got := signals(events, node, "node"); len(got) != 0 || !noted(result, "Events of nodes") {
		t.Errorf("%+v, notes %q", got, result.Notes)
	}
	config.Namespaces = []string{c.ns, metav1.NamespaceDefault}
	events, result = c.collect(config, request(), env())
	if noted(result, "Events of nodes") {
		t.Errorf("notes %q", result.Notes)
	}
	details := map[string]evidence.Event{}
	for _, e := range signals(events, node, "node") {
		details[e.Signal.Detail] = e
		if e.Source.Object.Namespace != "" || e.Signal.Node != node {
			t.Errorf("%+v", e)
		}
	}
	if len(details) != 2 || details["not_ready"].Severity != evidence.SeverityError || details["eviction_threshold"].Severity != evidence.SeverityWarning ||
		!slices.Equal(details["eviction_threshold"].Signal.Resources, []string{"memory"}) {
		t.Errorf("%+v", details)
	}
	if s := c.one(events, node, "oom_killed"); s.Process != "java" {
		t.Errorf("%+v", s)
	}
}
