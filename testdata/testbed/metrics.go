package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	appslisters "k8s.io/client-go/listers/apps/v1"
	autoscalinglisters "k8s.io/client-go/listers/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

// loadAnnotation on a HorizontalPodAutoscaler is the load on its target, in
// percent of what one pod requests. The target's ready pods share it, so the
// autoscaler comes to rest at load / target utilisation replicas, as in a real
// cluster, and does not run on to its maximum.
const loadAnnotation = "testbed/load"

// loadMetrics stands in for the metrics server. It has no memory: what it says
// follows from the autoscaler's annotation and the pods that are ready now.
type loadMetrics struct {
	autoscalers  autoscalinglisters.HorizontalPodAutoscalerLister
	pods         corelisters.PodLister
	deployments  appslisters.DeploymentLister
	statefulSets appslisters.StatefulSetLister
}

var errNoMetrics = errors.New("the test API server has resource metrics only")

// GetResourceMetric implements metrics.MetricsClient.
func (m *loadMetrics) GetResourceMetric(_ context.Context, resource corev1.ResourceName, namespace string, selector labels.Selector, container string) (metrics.PodMetricsInfo, time.Time, error) {
	now := time.Now()
	load, err := m.load(namespace, selector)
	if err != nil {
		return nil, time.Time{}, err
	}
	pods, err := m.pods.Pods(namespace).List(selector)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("list the target's pods: %w", err)
	}
	info := make(metrics.PodMetricsInfo, len(pods))
	for _, pod := range pods {
		if !ready(pod) {
			continue
		}
		var requested int64
		for _, c := range pod.Spec.Containers {
			if q, ok := c.Resources.Requests[resource]; ok && (container == "" || container == c.Name) {
				requested += q.MilliValue()
			}
		}
		info[pod.Name] = metrics.PodMetric{Timestamp: now, Value: requested}
	}
	for name, metric := range info {
		metric.Value = metric.Value * load / 100 / int64(len(info))
		info[name] = metric
	}
	return info, now, nil
}

// load reads the annotation of the autoscaler whose target has this selector:
// the controller does not say for which autoscaler it asks.
func (m *loadMetrics) load(namespace string, selector labels.Selector) (int64, error) {
	autoscalers, err := m.autoscalers.HorizontalPodAutoscalers(namespace).List(labels.Everything())
	if err != nil {
		return 0, fmt.Errorf("list the autoscalers: %w", err)
	}
	for _, a := range autoscalers {
		target, err := m.selector(namespace, a.Spec.ScaleTargetRef)
		if err != nil || target.String() != selector.String() {
			continue
		}
		load, err := strconv.ParseInt(a.Annotations[loadAnnotation], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("annotation %s of autoscaler %s: %w", loadAnnotation, a.Name, err)
		}
		return load, nil
	}
	return 0, fmt.Errorf("no autoscaler of a Deployment or StatefulSet selects %s", selector)
}

func (m *loadMetrics) selector(namespace string, target autoscalingv2.CrossVersionObjectReference) (labels.Selector, error) {
	switch target.Kind {
	case "Deployment":
		d, err := m.deployments.Deployments(namespace).Get(target.Name)
		if err != nil {
			return nil, err
		}
		return metav1.LabelSelectorAsSelector(d.Spec.Selector)
	case "StatefulSet":
		s, err := m.statefulSets.StatefulSets(namespace).Get(target.Name)
		if err != nil {
			return nil, err
		}
		return metav1.LabelSelectorAsSelector(s.Spec.Selector)
	}
	return nil, fmt.Errorf("%s is no kind that the test API server scales", target.Kind)
}

func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}

// GetRawMetric implements metrics.MetricsClient.
func (*loadMetrics) GetRawMetric(string, string, labels.Selector, labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	return nil, time.Time{}, errNoMetrics
}

// GetObjectMetric implements metrics.MetricsClient.
func (*loadMetrics) GetObjectMetric(string, string, *autoscalingv2.CrossVersionObjectReference, labels.Selector) (int64, time.Time, error) {
	return 0, time.Time{}, errNoMetrics
}

// GetExternalMetric implements metrics.MetricsClient.
func (*loadMetrics) GetExternalMetric(string, string, labels.Selector) ([]int64, time.Time, error) {
	return nil, time.Time{}, errNoMetrics
}
