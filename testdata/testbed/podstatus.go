package main

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// A failing container restarts this often, this far apart, and then stays as it
// is: enough for a test to see the count rise, and an end to wait for.
const (
	maxRestarts     = 3
	restartInterval = time.Second
)

// fate is what becomes of a container. The image name decides, so that a test
// chooses it in the one place where a real cluster would differ too.
type fate int

const (
	runs      fate = iota
	pullFails      // image contains "broken": ImagePullBackOff, never starts
	crashes        // image contains "crash" or "job-fail": exits 1, CrashLoopBackOff, never ready
	oomKilled      // a word of the image starts with "oom": killed with 137, restarted, ready in between
	finishes       // image contains "job-ok": exits 0, unless it would be restarted for ever
	unready        // image contains "probe": runs, and its readiness probe fails
)

// dies says whether a container of this fate stops by itself.
func (f fate) dies() bool { return f == crashes || f == oomKilled || f == finishes }

func fateOf(image string) fate {
	words := strings.FieldsFunc(image, func(r rune) bool { return strings.ContainsRune("/:@._-", r) })
	switch {
	case strings.Contains(image, "broken"):
		return pullFails
	case strings.Contains(image, "crash"), strings.Contains(image, "job-fail"):
		return crashes
	case strings.Contains(image, "job-ok"):
		return finishes
	case strings.Contains(image, "probe"):
		return unready
	// Whole words only: "room" and "bloom" are healthy.
	case slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "oom") }):
		return oomKilled
	}
	return runs
}

// step is the next thing to report about a pod.
type step struct {
	status *corev1.PodStatus // nil: nothing to write now
	events []containerEvent
	after  time.Duration // look again after this long; 0: when the pod changes
}

type containerEvent struct{ container, kind, reason, message string }

// nextStatus is the fake kubelet's whole judgement: from what the pod is and
// what was last reported to what is reported next.
func nextStatus(pod *corev1.Pod, now metav1.Time) step {
	switch {
	case ended(pod):
		return step{}
	case !started(pod):
		return firstStatus(pod, now)
	}
	return laterStatus(pod, now)
}

// ended says whether the pod is done for good.
func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// started says whether a status was reported before.
func started(pod *corev1.Pod) bool { return len(pod.Status.ContainerStatuses) > 0 }

func firstStatus(pod *corev1.Pod, now metav1.Time) step {
	s := step{status: &corev1.PodStatus{StartTime: &now, HostIP: "10.2.0.1", HostIPs: []corev1.HostIP{{IP: "10.2.0.1"}}}}
	for _, c := range pod.Spec.InitContainers {
		s.status.InitContainerStatuses = append(s.status.InitContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: imageID(c.Image), ContainerID: containerID(pod, c.Name, 0), Ready: true,
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				Reason: "Completed", StartedAt: now, FinishedAt: now, ContainerID: containerID(pod, c.Name, 0),
			}},
		})
	}
	for _, c := range pod.Spec.Containers {
		cs := corev1.ContainerStatus{Name: c.Name, Image: c.Image}
		if fateOf(c.Image) == pullFails {
			reason := pullError(c.Image)
			cs.State.Waiting = &corev1.ContainerStateWaiting{
				Reason:  "ImagePullBackOff",
				Message: fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", c.Image, reason),
			}
			cs.Started = ptr.To(false)
			s.events = append(s.events,
				containerEvent{c.Name, corev1.EventTypeNormal, "Pulling", fmt.Sprintf("Pulling image %q", c.Image)},
				containerEvent{c.Name, corev1.EventTypeWarning, "Failed", fmt.Sprintf("Failed to pull image %q: %s", c.Image, reason)},
				containerEvent{c.Name, corev1.EventTypeWarning, "Failed", "Error: ErrImagePull"},
				containerEvent{c.Name, corev1.EventTypeNormal, "BackOff", fmt.Sprintf("Back-off pulling image %q", c.Image)},
				containerEvent{c.Name, corev1.EventTypeWarning, "Failed", "Error: ImagePullBackOff"})
		} else {
			cs.ImageID = imageID(c.Image)
			running(pod, &cs, now)
			s.events = append(s.events,
				containerEvent{c.Name, corev1.EventTypeNormal, "Pulled", fmt.Sprintf("Container image %q already present on machine", c.Image)},
				containerEvent{c.Name, corev1.EventTypeNormal, "Created", "Container created"},
				containerEvent{c.Name, corev1.EventTypeNormal, "Started", "Container started"})
			switch fateOf(c.Image) {
			case crashes, unready:
				s.after = restartInterval
				// A container that is about to die has not passed its probe yet.
				cs.Ready = false
			case oomKilled, finishes:
				s.after = restartInterval
			case runs, pullFails:
			}
		}
		s.status.ContainerStatuses = append(s.status.ContainerStatuses, cs)
	}
	conclude(pod, s.status, now)
	return s
}

// laterStatus lets the doomed containers die, and start again until each has
// done so maxRestarts times or for as often as the pod's restart policy allows.
func laterStatus(pod *corev1.Pod, now metav1.Time) step {
	status := pod.Status.DeepCopy()
	var s step
	changed := false
	for i := range status.ContainerStatuses {
		cs := &status.ContainerStatuses[i]
		f := fateOf(cs.Image)
		if f == unready {
			s.probe(cs, now)
			continue
		}
		restarted := pod.Spec.RestartPolicy == corev1.RestartPolicyAlways ||
			pod.Spec.RestartPolicy == corev1.RestartPolicyOnFailure && f != finishes
		if !f.dies() || cs.State.Terminated != nil || restarted && (f == finishes || cs.RestartCount >= maxRestarts) {
			continue
		}
		if now.Sub(lastChange(cs).Time) < restartInterval {
			s.after = restartInterval
			continue
		}
		died := &corev1.ContainerStateTerminated{
			ExitCode: 1, Reason: "Error", StartedAt: lastChange(cs), FinishedAt: now, ContainerID: cs.ContainerID,
		}
		switch f {
		case oomKilled:
			died.ExitCode, died.Reason = 137, "OOMKilled"
		case finishes:
			died.ExitCode, died.Reason = 0, "Completed"
		case runs, pullFails, crashes, unready:
		}
		if restarted {
			s.restart(pod, cs, died, now)
		} else {
			cs.State = corev1.ContainerState{Terminated: died}
			cs.Ready, cs.Started = false, ptr.To(false)
		}
		changed = true
		s.after = restartInterval
	}
	if !changed {
		return s
	}
	conclude(pod, status, now)
	s.status = status
	return s
}

// restart is what follows the death of a container that the pod's restart policy
// brings back: at once after a kill, after a pause that never ends after a crash.
func (s *step) restart(pod *corev1.Pod, cs *corev1.ContainerStatus, died *corev1.ContainerStateTerminated, now metav1.Time) {
	cs.RestartCount++
	cs.LastTerminationState = corev1.ContainerState{Terminated: died}
	if fateOf(cs.Image) == oomKilled {
		running(pod, cs, now)
		s.events = append(s.events,
			containerEvent{cs.Name, corev1.EventTypeNormal, "Pulled", fmt.Sprintf("Container image %q already present on machine", cs.Image)},
			containerEvent{cs.Name, corev1.EventTypeNormal, "Created", "Container created"},
			containerEvent{cs.Name, corev1.EventTypeNormal, "Started", "Container started"})
		return
	}
	where := fmt.Sprintf("%s_%s(%s)", pod.Name, pod.Namespace, pod.UID)
	cs.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
		Reason:  "CrashLoopBackOff",
		Message: fmt.Sprintf("back-off %ds restarting failed container=%s pod=%s", 10<<(cs.RestartCount-1), cs.Name, where),
	}}
	cs.Ready, cs.Started = false, ptr.To(false)
	s.events = append(s.events, containerEvent{cs.Name, corev1.EventTypeWarning, "BackOff",
		fmt.Sprintf("Back-off restarting failed container %s in pod %s", cs.Name, where)})
}

// probe reports a failed readiness probe maxRestarts times, which the recorder
// makes one Event with a count.
func (s *step) probe(cs *corev1.ContainerStatus, now metav1.Time) {
	age := now.Sub(lastChange(cs).Time)
	if age < restartInterval*(maxRestarts+1) {
		s.after = restartInterval
	}
	if age >= restartInterval && s.after > 0 {
		s.events = append(s.events, containerEvent{cs.Name, corev1.EventTypeWarning, "Unhealthy",
			"Readiness probe failed: HTTP probe failed with statuscode: 503"})
	}
}

// lastChange is when the container last started or died.
func lastChange(cs *corev1.ContainerStatus) metav1.Time {
	switch {
	case cs.State.Running != nil:
		return cs.State.Running.StartedAt
	case cs.LastTerminationState.Terminated != nil:
		return cs.LastTerminationState.Terminated.FinishedAt
	}
	return metav1.Time{}
}

func running(pod *corev1.Pod, cs *corev1.ContainerStatus, now metav1.Time) {
	cs.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	cs.Ready, cs.Started = true, ptr.To(true)
	cs.ContainerID = containerID(pod, cs.Name, cs.RestartCount)
}

// conclude derives the phase and the conditions from the containers.
func conclude(pod *corev1.Pod, status *corev1.PodStatus, now metav1.Time) {
	status.Phase = corev1.PodRunning
	var notReady []string
	terminated, failed := 0, false
	for _, cs := range status.ContainerStatuses {
		if t := cs.State.Terminated; t != nil {
			terminated++
			failed = failed || t.ExitCode != 0
		}
		if !cs.Ready {
			notReady = append(notReady, cs.Name)
		}
		if cs.State.Waiting != nil && cs.LastTerminationState.Terminated == nil {
			status.Phase = corev1.PodPending // never started
		}
	}
	ready, reason, message := corev1.ConditionTrue, "", ""
	if len(notReady) > 0 {
		ready, reason = corev1.ConditionFalse, "ContainersNotReady"
		message = fmt.Sprintf("containers with unready status: [%s]", strings.Join(notReady, " "))
	}
	initialized := ""
	if terminated == len(status.ContainerStatuses) {
		status.Phase, reason, message = corev1.PodSucceeded, "PodCompleted", ""
		if failed {
			status.Phase, reason = corev1.PodFailed, "PodFailed"
		} else {
			initialized = "PodCompleted"
		}
	}
	condition := func(t corev1.PodConditionType, s corev1.ConditionStatus, reason, message string) corev1.PodCondition {
		since := now
		for _, old := range pod.Status.Conditions {
			if old.Type == t && old.Status == s {
				since = old.LastTransitionTime
			}
		}
		return corev1.PodCondition{Type: t, Status: s, Reason: reason, Message: message, LastTransitionTime: since}
	}
	status.Conditions = []corev1.PodCondition{
		condition(corev1.PodScheduled, corev1.ConditionTrue, "", ""),
		condition(corev1.PodReadyToStartContainers, corev1.ConditionTrue, "", ""),
		condition(corev1.PodInitialized, corev1.ConditionTrue, initialized, ""),
		condition(corev1.ContainersReady, ready, reason, message),
		condition(corev1.PodReady, ready, reason, message),
	}
}

// pullError is containerd's answer for an image that the registry does not have.
func pullError(image string) string {
	return fmt.Sprintf("rpc error: code = NotFound desc = failed to pull and unpack image %q: failed to resolve reference %q: %s: not found",
		image, image, image)
}

// imageID is what a runtime reports for a pulled image: the repository and a
// digest. Here the digest is that of the name, so one name is always one image.
func imageID(image string) string {
	if strings.Contains(image, "@sha256:") {
		return image
	}
	repository := image
	// A colon after the last slash starts the tag; before it, a port.
	if colon := strings.LastIndex(image, ":"); colon > strings.LastIndex(image, "/") {
		repository = image[:colon]
	}
	return repository + "@sha256:" + digest(image)
}

func containerID(pod *corev1.Pod, container string, restart int32) string {
	return "containerd://" + digest(fmt.Sprintf("%s/%s/%d", pod.UID, container, restart))
}

func digest(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
