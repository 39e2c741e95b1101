package testbed

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

// OwnNodeTaint keeps the pods of other tests off a node made by Node.
const OwnNodeTaint = "testbed/own"

// Node makes a Ready Node for one test, which may do with it what it likes, and
// deletes it when the test ends. It has room for 4 CPUs and 8Gi, and the taint
// OwnNodeTaint: a pod gets there by tolerating the taint and selecting the label
// kubernetes.io/hostname, and the fake kubelet then looks after it.
func (s *Server) Node(t testing.TB) string {
	t.Helper()
	ctx := t.Context()
	name := "node-" + strings.ToLower(rand.Text()[:8])
	nodes := s.client.CoreV1().Nodes()
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("4"),
		corev1.ResourceMemory: resource.MustParse("8Gi"),
		corev1.ResourcePods:   resource.MustParse("110"),
	}
	if _, err := nodes.Create(ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: OwnNodeTaint, Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{
			Capacity: capacity, Allocatable: capacity,
			NodeInfo: corev1.NodeSystemInfo{KubeletVersion: "v1.37.1", BootID: rand.Text(), OperatingSystem: "linux", Architecture: "amd64"},
		},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("make the test's node: %v", err)
	}
	t.Cleanup(func() {
		if err := nodes.Delete(context.WithoutCancel(ctx), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("delete the test's node: %v", err)
		}
	})
	s.UpdateNode(t, name, func(n *corev1.Node) {
		// Admission adds node.kubernetes.io/not-ready to every new Node; nobody else
		// would take it off.
		n.Spec.Taints = []corev1.Taint{{Key: OwnNodeTaint, Effect: corev1.TaintEffectNoSchedule}}
	})
	for _, c := range []corev1.NodeCondition{
		{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory"},
		{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasNoDiskPressure"},
		{Type: corev1.NodePIDPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientPID"},
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady"},
	} {
		s.SetNodeCondition(t, name, c)
	}
	return name
}

// SetNodeCondition sets one condition of a node made by Node, as its kubelet
// would. The times default to now; LastTransitionTime stays when the status does.
// It adds no taints: in a real cluster the node lifecycle controller does that,
// and a test that wants them sets them by UpdateNode.
func (s *Server) SetNodeCondition(t testing.TB, node string, condition corev1.NodeCondition) {
	t.Helper()
	s.UpdateNode(t, node, func(n *corev1.Node) {
		condition := condition
		now := metav1.Now()
		if condition.LastHeartbeatTime.IsZero() {
			condition.LastHeartbeatTime = now
		}
		if condition.LastTransitionTime.IsZero() {
			condition.LastTransitionTime = now
		}
		for i, old := range n.Status.Conditions {
			if old.Type != condition.Type {
				continue
			}
			if old.Status == condition.Status {
				condition.LastTransitionTime = old.LastTransitionTime
			}
			n.Status.Conditions[i] = condition
			return
		}
		n.Status.Conditions = append(n.Status.Conditions, condition)
	})
}

// UpdateNode changes a node made by Node: taints and unschedulable as an
// administrator, the status (conditions, bootID, kubeletVersion) as its kubelet.
// Nobody writes over it. It refuses the nodes that all tests share.
func (s *Server) UpdateNode(t testing.TB, node string, change func(*corev1.Node)) {
	t.Helper()
	if strings.HasPrefix(node, "fake-") {
		t.Fatalf("node %s belongs to all tests: make one with Node", node)
	}
	nodes := s.client.CoreV1().Nodes()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		old, err := nodes.Get(t.Context(), node, metav1.GetOptions{})
		if err != nil {
			return err
		}
		changed := old.DeepCopy()
		change(changed)
		status := changed.Status
		if !equality.Semantic.DeepEqual(old.Spec, changed.Spec) || !equality.Semantic.DeepEqual(old.ObjectMeta, changed.ObjectMeta) {
			if changed, err = nodes.Update(t.Context(), changed, metav1.UpdateOptions{}); err != nil {
				return err
			}
		}
		if !equality.Semantic.DeepEqual(old.Status, status) {
			changed.Status = status
			_, err = nodes.UpdateStatus(t.Context(), changed, metav1.UpdateOptions{FieldManager: "kubelet"})
		}
		return err
	})
	if err != nil {
		t.Fatalf("change node %s: %v", node, err)
	}
}
