package kubernetes_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// ofNode picks what was told of one node.
func ofNode(events []evidence.Event, name string) (changes map[evidence.NodeChange]evidence.Event, signals map[string]evidence.Event) {
	changes, signals = map[evidence.NodeChange]evidence.Event{}, map[string]evidence.Event{}
	for _, e := range events {
		switch {
		case e.Source.Object.Kind != "Node" || e.Source.Object.Name != name || e.Source.Stream != record.StreamNodes:
		case e.Node != nil:
			changes[e.Node.Change] = e
		case e.Signal != nil:
			signals[e.Signal.Detail] = e
		}
	}
	return changes, signals
}

// lookOn continues from a state.
func lookOn(r connector.Result) connector.Request {
	req := request()
	req.State, req.Incremental = r.State, true
	return req
}

func TestASickNodeIsTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	name := c.srv.Node(t)
	c.srv.UpdateNode(t, name, func(n *corev1.Node) { n.Status.NodeInfo.KernelVersion = "6.66.6-" + name })
	since := metav1.NewTime(time.Now().Add(-10 * time.Minute).Truncate(time.Second))
	c.srv.SetNodeCondition(t, name, corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Reason: "KubeletNotReady", Message: planted, LastTransitionTime: since})
	c.srv.SetNodeCondition(t, name, corev1.NodeCondition{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionTrue, Reason: "KubeletHasInsufficientMemory", LastTransitionTime: since})
	events, first := c.collect(c.config(), request(), env())
	changes, signals := ofNode(events, name)
	if len(changes) != 1 || changes[evidence.NodeAdded].Node == nil || changes[evidence.NodeAdded].Node.Versions.Kubelet != "v1.37.1" {
		t.Errorf("changes %+v", changes)
	}
	ready, pressure := signals["not_ready"], signals["memory_pressure"]
	if len(signals) != 2 || ready.Signal == nil || !ready.Time.Equal(since.Time) || ready.Severity != evidence.SeverityError || !ready.Signal.Ongoing ||
		ready.Signal.Reason != "KubeletNotReady" || ready.Signal.Node != name || pressure.Severity != evidence.SeverityWarning {
		t.Fatalf("signals %+v", signals)
	}
	i := slices.IndexFunc(ready.Signal.Contrasts, func(x evidence.NodeContrast) bool { return x.Attribute == "kernel" })
	if i < 0 {
		t.Fatalf("contrasts %+v", ready.Signal.Contrasts)
	}
	if x := ready.Signal.Contrasts[i]; x.Value != "6.66.6-"+name || x.With != 1 || x.SickWith != 1 || x.Without < 1 || x.SickWithout >= x.Without {
		t.Errorf("contrast %+v", x)
	}

	// Nobody hears of it, then it is well again.
	gone, back := metav1.NewTime(since.Add(2*time.Minute)), metav1.NewTime(since.Add(4*time.Minute))
	c.srv.SetNodeCondition(t, name, corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown", LastTransitionTime: gone})
	events, second := c.collect(c.config(), lookOn(first), env())
	_, signals = ofNode(events, name)
	if s := signals["not_ready"].Signal; s == nil || s.Ongoing || s.Last == nil || !s.Last.Equal(gone.Time) || signals["not_ready"].ID != ready.ID {
		t.Errorf("not ready: %+v", signals["not_ready"])
	}
	if s := signals["unreachable"].Signal; s == nil || !s.Ongoing || !s.First.Equal(gone.Time) {
		t.Errorf("unreachable: %+v", signals)
	}
	c.srv.SetNodeCondition(t, name, corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastTransitionTime: back})
	events, third := c.collect(c.config(), lookOn(second), env())
	_, signals = ofNode(events, name)
	if s := signals["unreachable"].Signal; s == nil || s.Ongoing || !s.Last.Equal(back.Time) || len(s.Contrasts) != 0 {
		t.Errorf("back: %+v", signals)
	}
	events, _ = c.collect(c.config(), lookOn(third), env())
	if _, signals = ofNode(events, name); len(signals) != 1 || signals["memory_pressure"].ID != pressure.ID {
		t.Errorf("told again: %+v", signals)
	}
}

func TestWhatHappenedToANodeBetweenTwoLooks(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	name := c.srv.Node(t)
	set := func(change func(*corev1.Node)) { t.Helper(); c.srv.UpdateNode(t, name, change) }
	set(func(n *corev1.Node) {
		n.Labels[corev1.LabelTopologyZone] = "z1"
		n.Status.NodeInfo.KernelVersion = "6.1.1"
	})
	_, result := c.collect(c.config(), request(), env())
	look := func() map[evidence.NodeChange]evidence.Event {
		t.Helper()
		c.tick()
		var events []evidence.Event
		before := time.Now().Add(-time.Hour)
		events, result = c.collect(c.config(), lookOn(result), env())
		changes, _ := ofNode(events, name)
		delete(changes, evidence.NodeAdded)
		for _, e := range changes {
			if n := e.Node; n.TimeBasis == evidence.BasisSnapshot && (n.NotBefore == nil || n.NotAfter == nil || !n.NotBefore.After(before) || !n.NotBefore.Before(*n.NotAfter)) {
				t.Errorf("bounds of %+v", n)
			}
		}
		return changes
	}
	if changes := look(); len(changes) != 0 {
		t.Errorf("nothing happened: %+v", changes)
	}

	set(func(n *corev1.Node) { n.Spec.Unschedulable = true })
	changes := look()
	if e := changes[evidence.NodeCordoned]; len(changes) != 1 || e.Node == nil {
		t.Errorf("cordon: %+v", changes)
	}
	set(func(n *corev1.Node) { n.Spec.Unschedulable = false })
	if changes = look(); len(changes) != 1 || changes[evidence.NodeUncordoned].Node == nil {
		t.Errorf("uncordon: %+v", changes)
	}

	set(func(n *corev1.Node) {
		n.Status.NodeInfo.BootID, n.Status.NodeInfo.KernelVersion = "another", "6.1.2"
		n.Labels[corev1.LabelTopologyZone] = "z2"
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "maintenance", Value: planted, Effect: corev1.TaintEffectNoSchedule})
		n.Status.Allocatable[corev1.ResourcePods] = resource.MustParse("58")
	})
	changes = look()
	if len(changes) != 5 || changes[evidence.NodeRebooted].Node == nil {
		t.Fatalf("changes %+v", changes)
	}
	if up := changes[evidence.NodeUpgraded].Node; !slices.Equal(up.Upgraded, []evidence.VersionChange{{Component: "kernel", From: "6.1.1", To: "6.1.2"}}) {
		t.Errorf("upgrade %+v", up)
	}
	if l := changes[evidence.NodeLabelChanged].Node; !slices.Equal(l.Labels, []evidence.LabelChange{{Label: "zone", From: "z1", To: "z2"}}) {
		t.Errorf("label %+v", l)
	}
	if n := changes[evidence.NodeTaintsChanged].Node; !slices.Equal(n.TaintsAdded, []string{"maintenance:NoSchedule"}) || n.TaintsRemoved != nil {
		t.Errorf("taints %+v", n)
	}
	if n := changes[evidence.NodeAllocatableChanged].Node; !slices.Equal(n.Allocatable, []evidence.QuantityChange{{Resource: "pods", From: 110, To: 58}}) {
		t.Errorf("allocatable %+v", n)
	}

	if err := c.client.CoreV1().Nodes().Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	changes = look()
	if e := changes[evidence.NodeRemoved]; len(changes) != 1 || e.Node == nil || e.Node.Zone != "z2" || e.Node.Versions.Kernel != "6.1.2" {
		t.Errorf("removal: %+v", changes)
	}
	if changes = look(); len(changes) != 0 {
		t.Errorf("removed twice: %+v", changes)
	}
}

func TestWithoutTheGrantNodesAreLeftOut(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	config := c.config()
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "nonodes", readRules())
	events, result := c.collect(config, request(), env())
	if slices.ContainsFunc(events, func(e evidence.Event) bool { return e.Source.Stream == record.StreamNodes }) {
		t.Error("nodes were read")
	}
	i := slices.IndexFunc(result.Coverage, func(cov connector.Coverage) bool { return cov.Stream == record.StreamNodes })
	if i < 0 {
		t.Fatalf("no coverage of nodes: %+v", result.Coverage)
	}
	cov := result.Coverage[i]
	if cov.Status != connector.Skipped || len(cov.Missing) != 1 || !strings.Contains(cov.Missing[0].Rule, "ClusterRole") || cov.Missing[0].Resource != "nodes" {
		t.Errorf("coverage %+v", cov)
	}

	// Who names the stream wants it.
	config.Streams = []string{record.StreamNodes}
	if _, err := c.connect(config, env()).Collect(t.Context(), request(), func(record.Record) error { return nil }); connector.ClassOf(err) != connector.ClassForbidden {
		t.Errorf("nodes alone, without the grant: %v", err)
	}
}

func TestOfNodesThatRunAServiceAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	other := c.srv.Node(t)
	c.deploy("web", "shop/web:1.0.0")
	pods, err := c.client.CoreV1().Pods(c.ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) == 0 {
		t.Fatalf("%d pods, %v", len(pods.Items), err)
	}
	runs := map[string]bool{}
	for _, p := range pods.Items {
		runs[p.Spec.NodeName] = true
	}
	req := request()
	req.Scope.Services = []string{c.ns + "/web-service"}
	events, _ := c.collect(c.config(), req, env())
	told := map[string]bool{}
	for _, e := range events {
		if e.Source.Stream == record.StreamNodes {
			told[e.Source.Object.Name] = true
		}
	}
	if !maps.Equal(told, runs) || told[other] {
		t.Errorf("told of %v, the pods are on %v", told, runs)
	}
}
