package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	resourcehelper "k8s.io/component-helpers/resource"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
)

// schedulingRetry is how soon a pod that fits nowhere is tried again. The real
// scheduler waits for a change or five minutes; a test cannot.
const schedulingRetry = time.Second

// schedule binds a pod to one of the nodes that it fits on, or says why it fits
// on none, as the real scheduler does: by a condition and an Event. Every try
// sends the Event; from the second of the same pod version on they are a series.
func (k *kubelet) schedule(ctx context.Context, pod *corev1.Pod) (again time.Duration, err error) {
	nodes, err := k.nodes.List(labels.Everything())
	if err != nil {
		return 0, fmt.Errorf("list the nodes: %w", err)
	}
	var fitting []string
	refusals := make(map[string]int)
	for _, node := range nodes {
		reasons, err := refusal(pod, node)
		if err != nil {
			return 0, err
		}
		if len(reasons) == 0 {
			fitting = append(fitting, node.Name)
		}
		for _, r := range reasons {
			refusals[r]++
		}
	}
	if len(fitting) > 0 {
		slices.Sort(fitting)
		return 0, k.bind(ctx, pod, fitting[int(k.next.Add(1))%len(fitting)])
	}
	return schedulingRetry, k.refuse(ctx, pod, unschedulable(len(nodes), refusals))
}

func (k *kubelet) bind(ctx context.Context, pod *corev1.Pod, node string) error {
	err := k.client.CoreV1().Pods(pod.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: node},
	}, metav1.CreateOptions{})
	if err == nil {
		k.scheduler.Eventf(pod, nil, corev1.EventTypeNormal, "Scheduled", "Binding",
			"Successfully assigned %s/%s to %s", pod.Namespace, pod.Name, node)
	}
	return err
}

func (k *kubelet) refuse(ctx context.Context, pod *corev1.Pod, message string) error {
	k.scheduler.Eventf(pod, nil, corev1.EventTypeWarning, "FailedScheduling", "Scheduling", "%s", message)
	since := metav1.Now()
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodScheduled || c.Status != corev1.ConditionFalse {
			continue
		}
		if c.Message == message {
			return nil
		}
		since = c.LastTransitionTime
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"status": corev1.PodStatus{Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
			Message: message, LastTransitionTime: since,
		}}},
	})
	if err != nil {
		return fmt.Errorf("encode the pod condition: %w", err)
	}
	_, err = k.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// refusal is why a pod does not fit on a node; nothing when it does. The order
// and the words are those of the real scheduler's filters, of which the first
// that refuses speaks. A node is never full: other pods are not counted.
func refusal(pod *corev1.Pod, node *corev1.Node) ([]string, error) {
	unschedulable := corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	if node.Spec.Unschedulable && !schedulinghelper.TolerationsTolerateTaint(klog.Background(), pod.Spec.Tolerations, &unschedulable, false) {
		return []string{"node(s) were unschedulable"}, nil
	}
	keepsOff := func(t *corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	}
	if _, refused := schedulinghelper.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, pod.Spec.Tolerations, keepsOff, false); refused {
		return []string{"node(s) had untolerated taint(s)"}, nil
	}
	matches, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(node)
	if err != nil {
		return nil, fmt.Errorf("read the node affinity: %w", err)
	}
	if !matches {
		return []string{"node(s) didn't match Pod's node affinity/selector"}, nil
	}
	var lacks []string
	for name, wanted := range resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}) {
		if has := node.Status.Allocatable[name]; wanted.Cmp(has) > 0 {
			lacks = append(lacks, fmt.Sprintf("Insufficient %s", name))
		}
	}
	return lacks, nil
}

// unschedulable words a refusal by all nodes like the real scheduler's FitError.
// Since only other pods could be preempted, and they are not counted, preemption
// never helps.
func unschedulable(nodes int, refusals map[string]int) string {
	if nodes == 0 {
		return "no nodes available to schedule pods"
	}
	var reasons []string
	for reason, n := range refusals {
		reasons = append(reasons, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(reasons)
	return fmt.Sprintf("0/%d nodes are available: %s. preemption: 0/%d nodes are available: %d Preemption is not helpful for scheduling.",
		nodes, strings.Join(reasons, ", "), nodes, nodes)
}
