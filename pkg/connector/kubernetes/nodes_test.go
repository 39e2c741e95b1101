package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

func TestWhatIsKeptOfANode(t *testing.T) {
	s := &source{clusterID: "c"}
	added := at("09:30:00")
	n := s.cutNode(&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "u1", Labels: map[string]string{
			"eks.amazonaws.com/nodegroup": "general", corev1.LabelTopologyZone: "eu-west-1a", corev1.LabelInstanceTypeStable: "s3cret token",
		}},
		Spec: corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{
			{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule, TimeAdded: &added},
			{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute, TimeAdded: &added},
			{Key: "gpu", Value: "s3cret", Effect: corev1.TaintEffectNoSchedule},
			{Key: "b", Effect: "s3cret"},
			{Key: "s3cret token!", Effect: corev1.TaintEffectNoSchedule},
		}},
		Status: corev1.NodeStatus{
			NodeInfo: corev1.NodeSystemInfo{
				BootID: "s3cret", KubeletVersion: "v1.37.1", KernelVersion: "s3cret", OSImage: "Ubuntu 24.04.1 LTS", ContainerRuntimeVersion: "containerd://2.1.4\n",
			},
			Conditions: []corev1.NodeCondition{
				{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown", Message: "s3cret", LastTransitionTime: added},
				{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionUnknown, LastTransitionTime: added},
				{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue, Reason: "s3cret token", LastTransitionTime: added},
				{Type: corev1.NodePIDPressure, Status: corev1.ConditionFalse, LastTransitionTime: added},
				{Type: "FrequentRestarts", Status: corev1.ConditionTrue},
				{Type: corev1.NodeNetworkUnavailable, Status: "s3cret"},
			},
		},
	})
	want := record.Node{
		Object: record.Object{Cluster: "c", Kind: "Node", Name: "n1", UID: "u1"}, Cordoned: added.UTC(),
		Facts: record.NodeFacts{
			BootID: digestOf("s3cret"), Kubelet: "v1.37.1", OSImage: "Ubuntu 24.04.1 LTS", Unschedulable: true,
			Taints: []string{"gpu:NoSchedule"}, Pool: "general", Zone: "eu-west-1a",
		},
		Conditions: []record.NodeCondition{
			{Type: "DiskPressure", Status: "True", Reason: "Unknown", Since: added.UTC()}, {Type: "Ready", Status: "Unknown", Reason: "NodeStatusUnknown", Since: added.UTC()},
		},
	}
	if diff := cmp.Diff(want, n.Node); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]time.Time{"PIDPressure": added.UTC()}, n.healthy); diff != "" {
		t.Error(diff)
	}
}

// fullNode has facts of the usual lengths.
func fullNode() node {
	n := node{}
	n.Facts = record.NodeFacts{
		BootID: digestOf("x"), Kubelet: "v1.31.4-eks-5d632ec", Runtime: "containerd://1.7.25", Kernel: "6.1.124-134.200.amzn2023.x86_64",
		OSImage: "Amazon Linux 2023.6.20250203", Taints: []string{"dedicated:NoSchedule", "gpu:NoExecute"},
		Pool: "general-purpose-1", Zone: "eu-west-1a", InstanceType: "m7i.2xlarge", CPU: 7910, Memory: 32_000_000_000, Pods: 58,
	}
	return n
}

func TestFactsOfNodesFitInBrief(t *testing.T) {
	n := fullNode()
	full, brief := encodeFacts(n.facts(false)), encodeFacts(n.facts(true))
	t.Logf("%d bytes, in brief %d", len(full), len(brief))
	if line := len(brief) + packed + len("ip-10-112-34-201.eu-west-1.compute.internal") + len("\t\t\t\n"); line > maxRemembered {
		t.Errorf("in brief %d bytes with a name and a uid", line)
	}
	for _, raw := range [][]byte{full, brief} {
		if got, _, ok := readNodeFacts(raw, &n.Facts); !ok || cmp.Diff(n.Facts, got) != "" {
			t.Errorf("%s: %v %s", raw, ok, cmp.Diff(n.Facts, got))
		}
	}
	other := n.Facts
	other.Kernel, other.Taints = "6.1.125", nil
	got, _, ok := readNodeFacts(brief, &other)
	if !ok || got.Kernel != record.FactForgotten || got.OSImage != other.OSImage || cmp.Diff([]string{record.FactForgotten}, got.Taints) != "" {
		t.Errorf("%+v", got)
	}
	if got, _, _ := readNodeFacts(full, &other); got.Kernel != n.Facts.Kernel || len(got.Taints) != 2 {
		t.Errorf("%+v", got)
	}
	if got, _, _ := readNodeFacts(brief, nil); got.Kernel != record.FactForgotten || got.Zone != "#"+digestOf("eu-west-1a") && got.Zone != record.FactForgotten {
		t.Errorf("of a node that is gone: %+v", got)
	}
	for _, bad := range []string{"", "{}", "[]", strings.Replace(string(full), `"v1.31`, `1,"v1.31`, 1), strings.Replace(string(full), "58", `"x"`, 1)} {
		if _, _, ok := readNodeFacts(json.RawMessage(bad), nil); ok {
			t.Errorf("%s is read", bad)
		}
	}
}

func TestWhatSickNodesShare(t *testing.T) {
	var nodes []node
	add := func(kernel, zone string, sick bool) {
		n := node{}
		n.Facts.Kernel, n.Facts.Zone, n.Facts.Kubelet = kernel, zone, "v1.37.1"
		if sick {
			n.Conditions = []record.NodeCondition{{Type: "Ready"}}
		}
		nodes = append(nodes, n)
	}
	add("6.1", "a", false)
	contrast(nodes)
	add("6.2", "a", true)
	add("6.2", "b", true)
	add("6.1", "b", false)
	add("", "a", true)
	contrast(nodes)
	if nodes[0].Contrasts != nil || nodes[3].Contrasts != nil {
		t.Error("a healthy node is set against others")
	}
	kernel := record.NodeContrast{Attribute: "kernel", Value: "6.2", SickWith: 2, With: 2, SickWithout: 1, Without: 3}
	if diff := cmp.Diff([]record.NodeContrast{kernel}, nodes[2].Contrasts); diff != "" {
		t.Error(diff)
	}
	zone := record.NodeContrast{Attribute: "zone", Value: "a", SickWith: 2, With: 3, SickWithout: 1, Without: 2}
	if diff := cmp.Diff([]record.NodeContrast{kernel, zone}, nodes[1].Contrasts); diff != "" {
		t.Error(diff)
	}
	even := make([]node, 4)
	for i := range even {
		even[i].Facts.Pool = []string{"p", "q"}[i%2]
		if i < 2 {
			even[i].Conditions = []record.NodeCondition{{Type: "Ready"}}
		}
	}
	if contrast(even); even[0].Contrasts != nil {
		t.Errorf("equal shares are told: %+v", even[0].Contrasts)
	}
	all := []node{nodes[1], nodes[2]}
	all[0].Contrasts, all[1].Contrasts = nil, nil
	if contrast(all); all[0].Contrasts != nil {
		t.Error("where all are sick nothing is told apart")
	}
}

// FuzzNodeFacts: the state is a file that others may have touched.
func FuzzNodeFacts(f *testing.F) {
	n := fullNode()
	f.Add(encodeFacts(n.facts(false)))
	f.Add(encodeFacts(n.facts(true)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if facts, _, ok := readNodeFacts(raw, &n.Facts); ok && len(facts.Kernel) > len(raw)+len(record.FactForgotten)+len(n.Facts.Kernel) {
			t.Error("longer than what was read")
		}
	})
}
