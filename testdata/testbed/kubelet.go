package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
)

// kubeletWorkers is how many pods are worked on at once.
const kubeletWorkers = 8

// kubelet plays the scheduler (see scheduler.go) and every node's kubelet: it
// binds pods to Nodes, reports their status (see podstatus.go for which image
// fails in which way) and removes them when they are deleted. No container ever
// runs. Of Nodes it writes nothing after the start: what a test writes stays.
type kubelet struct {
	client kubernetes.Interface
	pods   corelisters.PodLister
	nodes  corelisters.NodeLister
	queue  workqueue.TypedRateLimitingInterface[types.NamespacedName]

	next      atomic.Int64 // round robin over nodes, and pod addresses
	events    record.EventBroadcaster
	scheduler events.EventRecorderLogger
}

// startKubelet registers the nodes and returns once they are Ready; the pods are
// looked after until ctx ends.
func startKubelet(ctx context.Context, cfg *rest.Config, nodes int) error {
	if nodes < 1 {
		return errors.New("give at least one node (-nodes)")
	}
	client, err := kubernetes.NewForConfig(protobuf(cfg))
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	k := &kubelet{
		client: client,
		queue:  workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[types.NamespacedName]()),
	}
	if err := k.startEvents(ctx); err != nil {
		return err
	}
	for i := range nodes {
		if err := k.registerNode(ctx, nodeName(i)); err != nil {
			return fmt.Errorf("register node %s: %w", nodeName(i), err)
		}
	}

	shared := informers.NewSharedInformerFactory(client, 0)
	pods := shared.Core().V1().Pods()
	k.pods, k.nodes = pods.Lister(), shared.Core().V1().Nodes().Lister()
	enqueue := func(obj any) {
		if pod, ok := obj.(*corev1.Pod); ok {
			k.queue.Add(types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name})
		}
	}
	if _, err := pods.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, obj any) { enqueue(obj) },
	}); err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	shared.Start(ctx.Done())
	shared.WaitForCacheSync(ctx.Done())
	for range kubeletWorkers {
		go k.work(ctx)
	}
	go func() {
		<-ctx.Done()
		k.queue.ShutDown()
	}()
	return nil
}

// startEvents sends Events through the two recorders that a real cluster uses:
// the kubelet's counts repetitions, the scheduler's writes events.k8s.io.
func (k *kubelet) startEvents(ctx context.Context) error {
	k.events = record.NewBroadcaster(record.WithContext(ctx))
	k.events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: k.client.CoreV1().Events("")})
	s := events.NewBroadcaster(&events.EventSinkImpl{Interface: k.client.EventsV1()})
	k.scheduler = s.NewRecorder(scheme.Scheme, "default-scheduler")
	if err := s.StartRecordingToSinkWithContext(ctx); err != nil {
		return fmt.Errorf("record events: %w", err)
	}
	return nil
}

func (k *kubelet) work(ctx context.Context) {
	for {
		key, down := k.queue.Get()
		if down {
			return
		}
		again, err := k.sync(ctx, key)
		switch {
		case err != nil && ctx.Err() == nil:
			klog.FromContext(ctx).Error(err, "fake kubelet", "pod", key)
			k.queue.AddRateLimited(key)
		case again > 0:
			k.queue.Forget(key)
			k.queue.AddAfter(key, again)
		default:
			k.queue.Forget(key)
		}
		k.queue.Done(key)
	}
}

// sync brings one pod one step further, and says when to look at it again (0:
// when it changes). A pod that is gone or has changed meanwhile is no error: the
// informer brings the new state.
func (k *kubelet) sync(ctx context.Context, key types.NamespacedName) (again time.Duration, err error) {
	pod, err := k.pods.Pods(key.Namespace).Get(key.Name)
	if err != nil {
		return 0, nil //nolint:nilerr // deleted: nothing is left to do
	}
	switch {
	case pod.DeletionTimestamp != nil:
		err = k.remove(ctx, pod)
	case pod.Spec.NodeName == "":
		again, err = k.schedule(ctx, pod)
	default:
		again, err = k.report(ctx, pod)
	}
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return 0, nil
	}
	return again, err
}

// remove ends a deleted pod at once, as a kubelet does when the containers stop.
func (k *kubelet) remove(ctx context.Context, pod *corev1.Pod) error {
	if started(pod) && !ended(pod) {
		for _, c := range pod.Spec.Containers {
			k.event(pod, c.Name, corev1.EventTypeNormal, "Killing", fmt.Sprintf("Stopping container %s", c.Name))
		}
		// Who put a finalizer there (the Job controller) waits for a pod that has ended.
		if len(pod.Finalizers) > 0 {
			ended := []byte(`{"metadata":{"uid":"` + pod.UID + `"},"status":{"phase":"Failed"}}`)
			if _, err := k.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name,
				types.MergePatchType, ended, metav1.PatchOptions{}, "status"); err != nil {
				return err
			}
		}
	}
	return k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: ptr.To(int64(0)),
		Preconditions:      &metav1.Preconditions{UID: &pod.UID},
	})
}

// report writes the pod's next status, if it is due, and the events that a real
// kubelet would send with it.
func (k *kubelet) report(ctx context.Context, pod *corev1.Pod) (time.Duration, error) {
	now := metav1.Now()
	step := nextStatus(pod, now)
	if step.status != nil {
		if err := k.writeStatus(ctx, pod, step.status); err != nil {
			return 0, err
		}
	}
	for _, e := range step.events {
		k.event(pod, e.container, e.kind, e.reason, e.message)
	}
	return step.after, nil
}

func (k *kubelet) writeStatus(ctx context.Context, pod *corev1.Pod, status *corev1.PodStatus) error {
	if status.PodIP == "" {
		n := k.next.Add(1)
		status.PodIP = fmt.Sprintf("10.244.%d.%d", n/250%250, n%250+1)
		status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"status":   status,
	})
	if err != nil {
		return fmt.Errorf("encode the pod status: %w", err)
	}
	_, err = k.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name,
		types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// event sends an Event about one container, as the pod's kubelet.
func (k *kubelet) event(pod *corev1.Pod, container, kind, reason, message string) {
	from := corev1.EventSource{Component: "kubelet", Host: pod.Spec.NodeName}
	k.events.NewRecorder(scheme.Scheme, from).Event(&corev1.ObjectReference{
		Kind: "Pod", APIVersion: "v1", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
		ResourceVersion: pod.ResourceVersion,
		FieldPath:       fmt.Sprintf("spec.containers{%s}", container),
	}, kind, reason, message)
}

func nodeName(i int) string { return fmt.Sprintf("fake-%d", i) }

// registerNode makes a Ready Node without taints.
func (k *kubelet) registerNode(ctx context.Context, name string) error {
	nodes := k.client.CoreV1().Nodes()
	node, err := nodes.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: name,
		Labels: map[string]string{
			corev1.LabelHostname:   name,
			corev1.LabelOSStable:   "linux",
			corev1.LabelArchStable: "amd64",
		},
	}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	now := metav1.Now()
	condition := func(t corev1.NodeConditionType, s corev1.ConditionStatus, reason string) corev1.NodeCondition {
		return corev1.NodeCondition{Type: t, Status: s, Reason: reason, LastHeartbeatTime: now, LastTransitionTime: now}
	}
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("1000"),
		corev1.ResourceMemory: resource.MustParse("4Ti"),
		corev1.ResourcePods:   resource.MustParse("100000"),
	}
	node.Status = corev1.NodeStatus{
		Capacity: capacity, Allocatable: capacity,
		NodeInfo: corev1.NodeSystemInfo{
			KubeletVersion: "v1.37.1", ContainerRuntimeVersion: "containerd://2.2.0", OperatingSystem: "linux", Architecture: "amd64",
			KernelVersion: "6.12.0", OSImage: "testbed", MachineID: name, SystemUUID: name, BootID: digest("boot/" + name),
		},
		Conditions: []corev1.NodeCondition{
			condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory"),
			condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure"),
			condition(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID"),
			condition(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady"),
		},
	}
	if _, err := nodes.UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("report Ready: %w", err)
	}
	// Admission adds node.kubernetes.io/not-ready to every new Node, and the
	// controller that takes it off again does not run here.
	if _, err := nodes.Patch(ctx, name, types.MergePatchType, []byte(`{"spec":{"taints":null}}`), metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("remove the not-ready taint: %w", err)
	}
	return nil
}
