package kubernetes

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/record"
)

// firstStatus is how long the kubelet may take from the start of a pod to its
// first status.
const firstStatus = 3 * time.Second

// pod is a pod cut down: what ties it to its workload, what runs, what hurts.
type pod struct {
	object  record.Object
	created time.Time
	// started is when the first of the containers that run now was started.
	started   time.Time
	ownerKind string
	ownerName string
	owner     types.UID
	// revision is the label by which it names a ControllerRevision.
	revision string
	// own is the service that its own labels name, for pods without a workload.
	own        record.Service
	node       string
	containers []record.Container
	// demands is what each of the containers asks for, qos the class that the whole
	// of it gives, request the memory that the pod requests.
	demands []demand
	qos     string
	request int64
	signals []record.Signal
}

// podKinds are the pods.
func podKinds() []kind {
	return []kind{kindOf(pods(), record.StreamPods, func(l *corev1.PodList) []corev1.Pod { return l.Items }, (*collection).takePod)}
}

func (c *collection) takePod(j *job, p *corev1.Pod) error {
	j.pods = append(j.pods, c.cutPod(p))
	j.takePulls(p)
	return nil
}

// image is what a container was told to run.
func (p *pod) image(name string) string {
	for _, c := range p.containers {
		if c.Name == name {
			return c.Image
		}
	}
	return ""
}

// runs reports whether a container of the pod was told to run the image.
func (p *pod) runs(image string) bool {
	return slices.ContainsFunc(p.containers, func(c record.Container) bool { return c.Image == image })
}

func (s *source) cutPod(p *corev1.Pod) pod {
	out := pod{
		object: s.object("Pod", &p.ObjectMeta), created: p.CreationTimestamp.UTC(),
		revision: p.Labels[revisionHashLabel], node: p.Spec.NodeName,
		containers: containers(&p.Spec), started: startedAt(p),
	}
	if owner := metav1.GetControllerOf(p); owner != nil {
		out.ownerKind, out.ownerName, out.owner = owner.Kind, owner.Name, owner.UID
	}
	out.own, _ = s.labelled(p.Labels)
	out.ask(p)
	for _, status := range containerStatuses(p) {
		for i := range out.containers {
			if out.containers[i].Name == status.Name {
				out.containers[i].Digest = runningDigest(status.ImageID)
			}
		}
	}
	out.signals = podSignals(p, &out)
	return out
}

func containerStatuses(p *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses)
}

// podSignals says what hurts in a pod. The present end of a container and the one
// before it are two signals; what has the same container, class and key is one.
func podSignals(p *corev1.Pod, cut *pod) []record.Signal {
	var out []record.Signal
	add := func(sig record.Signal) {
		sig.From, sig.Object, sig.Node = record.StreamPods, cut.object, cut.node
		sig.Reason = reasonWord(sig.Reason)
		if sig.Count == 0 {
			sig.Count = 1
		}
		if sig.Container != "" && sig.Class == record.SignalImagePull {
			sig.Image = cut.image(sig.Container)
		}
		if sig.Facts.Registry == "" && sig.Class == record.SignalImagePull {
			sig.Facts.Registry = registryOf(sig.Image, "")
		}
		sig.Posture = cut.posture(&sig)
		same := func(o record.Signal) bool {
			return o.Container == sig.Container && o.Class == sig.Class && o.Key == sig.Key
		}
		if !slices.ContainsFunc(out, same) {
			out = append(out, sig)
		}
	}
	since := unreadySince(p)
	if sig, ok := evictedSignal(p, since); ok {
		add(sig)
	}
	if refusedFor(p.Status.Reason) != "" && p.Status.Phase == corev1.PodFailed {
		f := readMessage(p.Status.Reason, p.Status.Message, "")
		add(record.Signal{Class: f.class, Detail: f.detail, Facts: f.SignalFacts, Reason: p.Status.Reason, First: since, Last: since})
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			f := readMessage("FailedScheduling", c.Message, "")
			add(record.Signal{
				Class: record.SignalUnschedulable, Detail: f.detail, Facts: f.SignalFacts, Folded: true,
				Reason: c.Reason, First: c.LastTransitionTime.UTC(), Ongoing: true,
			})
		}
	}
	for _, status := range containerStatuses(p) {
		if sig, ok := waitingSignal(status, since, p); ok {
			add(sig)
		}
		// The number tells the containers of one name apart: the first has 0.
		if sig, ok := exitSignal(status, status.State.Terminated, status.RestartCount, p); ok {
			add(sig)
		}
		if sig, ok := exitSignal(status, status.LastTerminationState.Terminated, status.RestartCount-1, p); ok {
			add(sig)
		}
	}
	return out
}

// evictedSignal tells of a pod that was evicted, or is about to be. The condition
// stays on a pod that went on running, so that it counts only on one that does not.
func evictedSignal(p *corev1.Pod, since time.Time) (record.Signal, bool) {
	at := conditionSince(p, corev1.DisruptionTarget, corev1.ConditionTrue)
	reason, message := p.Status.Reason, p.Status.Message
	switch {
	case p.Status.Phase == corev1.PodFailed && isOneOf(reason, "Evicted", "Preempting", "Terminated", "NodeShutdown"):
	case !at.IsZero() && (p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodFailed):
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.DisruptionTarget {
				reason, message = c.Reason, ""
			}
		}
	default:
		return record.Signal{}, false
	}
	if at.IsZero() {
		at = since
	}
	f := facts{}
	f.readEviction(reason, cutMessage(message))
	return record.Signal{Class: record.SignalEvicted, Detail: f.detail, Facts: f.SignalFacts, Reason: reason, First: at, Last: at, Folded: true}, true
}

// waitingClass sorts the reasons for which a container waits. Others, such as
// ContainerCreating, do not hurt.
func waitingClass(reason string) (record.SignalClass, bool) {
	switch reason {
	case "CrashLoopBackOff":
		return record.SignalCrashLoop, true
	case "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
		return record.SignalImagePull, true
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError", "PreStartHookError", "PostStartHookError":
		return record.SignalContainerConfig, true
	}
	return "", false
}

// waitingSignal reads the waiting state. It has no time of its own: since is
// when the pod became unready.
func waitingSignal(status corev1.ContainerStatus, since time.Time, p *corev1.Pod) (record.Signal, bool) {
	waiting := status.State.Waiting
	if waiting == nil {
		return record.Signal{}, false
	}
	class, ok := waitingClass(waiting.Reason)
	if !ok {
		return record.Signal{}, false
	}
	sig := record.Signal{
		Class: class, Key: status.Name, Container: status.Name, Reason: waiting.Reason,
		First: since, Ongoing: true, Restarts: new(status.RestartCount), Folded: true,
	}
	f := facts{class: class}
	switch class {
	case record.SignalImagePull:
		sig.Detail, sig.Facts.Registry = pullDetail(waiting.Message), registryOf(status.Image, waiting.Message)
	case record.SignalContainerConfig:
		f.readConfig(waiting.Message)
		sig.Detail, sig.Facts = f.detail, f.SignalFacts
	case record.SignalCrashLoop:
		sig.Count, sig.First = status.RestartCount, crashingSince(status, since, p)
		if last := status.LastTerminationState.Terminated; last != nil {
			sig.ExitCode = new(last.ExitCode)
		}
	}
	return sig, true
}

// crashingSince is when a container that crashes again and again began to, as
// far as its status tells. It is never before a crash can have happened, which
// the creation of the pod is. After one restart the last end is the only crash.
// After more the first one is not told: a pod that had been ready stopped being
// so at about that time (a probe may have noticed first); of one that never was
// ready the last run is known, which began after a crash.
func crashingSince(status corev1.ContainerStatus, since time.Time, p *corev1.Pod) time.Time {
	last := status.LastTerminationState.Terminated
	switch {
	case last == nil:
		return since // the kubelet has forgotten the end: nothing else is left
	case status.RestartCount <= 1 && !last.FinishedAt.IsZero():
		return last.FinishedAt.UTC()
	case wasReady(p, since) && (last.FinishedAt.IsZero() || !since.After(last.FinishedAt.Time)):
		return since
	case status.RestartCount > 1 && !last.StartedAt.IsZero():
		return last.StartedAt.UTC()
	case !last.FinishedAt.IsZero():
		return last.FinishedAt.UTC()
	}
	return since
}

// wasReady reports whether a pod had been ready before it became unready: one
// that never was is unready since the kubelet first took it up.
func wasReady(p *corev1.Pod, since time.Time) bool {
	taken := p.CreationTimestamp.Time
	if p.Status.StartTime != nil {
		taken = p.Status.StartTime.Time
	}
	return since.Sub(taken) > firstStatus
}

// exitSignal reads an end of a container that was a failure.
func exitSignal(status corev1.ContainerStatus, end *corev1.ContainerStateTerminated, number int32, p *corev1.Pod) (record.Signal, bool) {
	if end == nil {
		return record.Signal{}, false
	}
	class := record.SignalContainerExit
	switch {
	case end.Reason == "OOMKilled":
		class = record.SignalOOMKilled
	case end.ExitCode == 0, p.DeletionTimestamp != nil:
		return record.Signal{}, false // a pod that is told to stop may exit as it likes
	}
	at := end.FinishedAt.UTC()
	if end.FinishedAt.IsZero() {
		at = p.CreationTimestamp.UTC()
	}
	return record.Signal{
		Class: class, Key: status.Name + "/" + itoa(int64(number)), Container: status.Name, Reason: end.Reason,
		First: at, Last: at, ExitCode: new(end.ExitCode), Restarts: new(status.RestartCount),
	}, true
}

// unreadySince is when the pod became unready, else when it was created.
func unreadySince(p *corev1.Pod) time.Time {
	for _, condition := range []corev1.PodConditionType{corev1.PodReady, corev1.ContainersReady} {
		if at := conditionSince(p, condition, corev1.ConditionFalse); !at.IsZero() {
			return at
		}
	}
	return p.CreationTimestamp.UTC()
}

func conditionSince(p *corev1.Pod, condition corev1.PodConditionType, status corev1.ConditionStatus) time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == condition && c.Status == status && !c.LastTransitionTime.IsZero() {
			return c.LastTransitionTime.UTC()
		}
	}
	return time.Time{}
}
