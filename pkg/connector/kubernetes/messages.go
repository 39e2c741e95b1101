package kubernetes

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/rcactl/rcactl/pkg/record"
)

// This file reads the messages that Kubernetes' own components write, and
// returns words of closed sets, numbers, and names that pass the rules of the
// API. No part of a message leaves it otherwise.

// maxMessage bounds what is looked at. The API allows 1 KiB in new events.
const maxMessage = 64 << 10

// combined is what the old recorder puts before a message that stands for
// several similar ones.
const combined = "(combined from similar events): "

// facts are what a message tells.
type facts struct {
	class  record.SignalClass
	detail string
	image  string
	record.SignalFacts
}

// readMessage sorts an event by its reason and, where that is not enough, by
// its message. handler is that of the probe of a container, where it is known.
func readMessage(reason, message, handler string) facts {
	message = strings.TrimPrefix(cutMessage(message), combined)
	f := facts{class: classOfReason(reason)}
	switch reason {
	case "BackOff":
		f.class = record.SignalCrashLoop
		if strings.HasPrefix(message, "Back-off pulling") {
			f.class = record.SignalImagePull
		}
	case "Failed":
		f.class = classOfFailed(message)
	}
	f.read(reason, message, handler)
	return f
}

// read fills in what the message tells beyond the class.
func (f *facts) read(reason, message, handler string) {
	switch f.class {
	case record.SignalProbeFailed:
		f.detail = probeDetail(message)
		f.ProbeHandler, f.ProbeOutcome, f.HTTPStatus = probeFacts(message, handler)
	case record.SignalCreateFailed:
		f.readCreate(message)
	case record.SignalImagePull:
		f.detail, f.image = pullDetail(message), quotedImage(message)
		f.Registry = registryOf(f.image, message)
	case record.SignalContainerConfig:
		f.readConfig(message)
	case record.SignalUnschedulable:
		f.readUnschedulable(reason, message)
	case record.SignalEvicted:
		f.readEviction(reason, message)
	case record.SignalSandbox:
		f.detail = sandboxDetail(reason, message)
	case record.SignalVolume:
		f.readVolume(reason, message)
	case record.SignalOOMKilled:
		f.Process = victim(message)
	case record.SignalNode:
		f.detail = nodeDetail(reason)
		if resource := strings.TrimPrefix(message, "Attempting to reclaim "); f.detail == "eviction_threshold" && resource != message {
			f.Resources = addResource(nil, resource)
		}
	case record.SignalAutoscaler:
		f.detail = autoscalerDetail(reason)
	case record.SignalLoadBalancer:
		if reason == "UnAvailableLoadBalancer" {
			f.detail = "no_nodes"
		}
	}
}

// classOfReason knows the reasons that kubelet, scheduler and controllers give.
func classOfReason(reason string) record.SignalClass {
	switch reason {
	case "Unhealthy", "ProbeWarning":
		return record.SignalProbeFailed
	case "ErrImageNeverPull", "InspectFailed", "ErrImagePull", "ImagePullBackOff", "InvalidImageName":
		return record.SignalImagePull
	case "FailedScheduling", "FailedScaleUp", "NotTriggerScaleUp":
		return record.SignalUnschedulable
	case "Evicted", "Preempted", "Preempting", "TaintManagerEviction", "DeviceTaintManagerEviction", "NodeControllerEviction", "EvictionByEvictionAPI":
		return record.SignalEvicted
	case "FailedCreatePodSandBox", "FailedPodSandBoxStatus", "SandboxChanged", "NetworkNotReady", "FailedKillPod":
		return record.SignalSandbox
	case "FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedDetachVolume", "FailedUnMount", "FailedBinding", "FailedMountOnFilesystemMismatch",
		"ProvisioningFailed", "VolumeResizeFailed", "FileSystemResizeFailed", "VolumeFailedDelete", "VolumeFailedRecycle", "VolumeMismatch", "ClaimLost":
		return record.SignalVolume
	case "FailedCreate", "ReplicaSetCreateError":
		return record.SignalCreateFailed
	case "OOMKilling", "SystemOOM":
		return record.SignalOOMKilled
	case "NodeNotReady", "Rebooted", "InvalidDiskCapacity", "FreeDiskSpaceFailed", "ImageGCFailed", "ContainerGCFailed",
		"EvictionThresholdMet", "NodeHasDiskPressure", "NodeHasInsufficientMemory", "NodeHasInsufficientPID", "KubeletSetupFailed",
		"NodeNotSchedulable", "RemovingNode", "DeletingNode", "Shutdown", "HostNetworkNotSupported", "FailedNodeAllocatableEnforcement":
		return record.SignalNode
	case "FailedGetScale", "FailedGetResourceMetric", "FailedGetContainerResourceMetric", "FailedGetPodsMetric", "FailedGetObjectMetric",
		"FailedGetExternalMetric", "FailedComputeMetricsReplicas", "FailedRescale", "FailedUpdateStatus", "FailedConvertHPA",
		"InvalidSelector", "SelectorRequired", "AmbiguousSelector", "InvalidMetricSourceType": // pkg/controller/podautoscaler/horizontal.go
		return record.SignalAutoscaler
	case "SyncLoadBalancerFailed", "UpdateLoadBalancerFailed", "DeleteLoadBalancerFailed", "CreatingLoadBalancerFailed", "UnAvailableLoadBalancer":
		return record.SignalLoadBalancer // cloud-provider controllers/service/controller.go
	}
	if refusedFor(reason) != "" {
		return record.SignalUnschedulable
	}
	return record.SignalUnclassified
}

// refusedFor says why the kubelet of the chosen node refused a pod
// (pkg/kubelet/lifecycle/predicate.go Admit), by the reason that it gives.
func refusedFor(reason string) string {
	switch reason {
	case "OutOfcpu":
		return "insufficient_cpu"
	case "OutOfmemory":
		return "insufficient_memory"
	case "OutOfephemeral-storage":
		return "insufficient_ephemeral_storage"
	case "OutOfpods":
		return "too_many_pods"
	case "NodeAffinity", "NodeName":
		return "node_selector"
	case "TaintToleration":
		return "taint"
	case "NodePorts":
		return "ports"
	case "UnexpectedAdmissionError", "TopologyAffinityError", "PodOSNotSupported", "PodOSSelectorNodeLabelDoesNotMatch":
		return "other"
	}
	return ""
}

// isWellKnown reports whether an event of type Normal tells of trouble.
func isWellKnown(reason string) bool {
	switch reason {
	case "BackOff", "NotTriggerScaleUp", "TaintManagerEviction", "DeviceTaintManagerEviction", "NodeControllerEviction", "Preempting", "Preempted",
		"SandboxChanged", "FailedBinding", "NodeNotReady", "NodeHasDiskPressure", "NodeHasInsufficientMemory", "NodeHasInsufficientPID",
		"NodeNotSchedulable", "RemovingNode", "DeletingNode", "Shutdown":
		return true
	}
	return false
}

// isEventReason reports whether Kubernetes' own components give a reason for
// Events of type Warning. Any other one is a text that somebody chose.
func isEventReason(reason string) bool {
	if classOfReason(reason) != record.SignalUnclassified || isWellKnown(reason) {
		return true
	}
	switch reason {
	case "Failed", "FailedSync", "FailedValidation", "Killing", "ExceededGracePeriod", "FailedPostStartHook", "FailedPreStopHook",
		"AppArmor", "SysctlForbidden", "DNSConfigForming", "MissingClusterDNS", "CIDRNotAvailable", "InvalidEnvironmentVariableNames",
		"FailedToRetrieveImagePullSecret", "FailedPrepareDynamicResources", "VolumeConditionAbnormal", "FailedCreatePodContainer", "ResizeError", // kubelet, nodes
		"FailedPreBind", "WaitForFirstConsumer", "ExternalProvisioning", "ExternalExpanding", // scheduler, volumes
		"FailedDelete", "FailedUpdate", "FailedRSCreateReason", "DeploymentRollbackRevisionNotFound", "SelectorOverlap", "SelectingAll",
		"FailedDaemonPod", "FailedPlacement", "BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy", "TooManyActivePods",
		"MissSchedule", "FailedNeedsStart", "TooManyMissedTimes", "UnparseableSchedule", "UnknownTimeZone", "InvalidSchedule", "MissingJob", // controllers
		"FailedToCreateEndpoint", "FailedToUpdateEndpoint", "FailedToUpdateEndpointSlices", "ClusterIPNotAllocated",
		"FailedToCreateRoute", "NoControllers", "NoPods", "CalculateExpectedPodCountFailed", "UnmanagedPods": // services, disruption budgets
		return true
	}
	return false
}

// classOfFailed sorts the kubelet's reason Failed, which it gives for an image
// that it cannot pull and for a container that it cannot make.
func classOfFailed(message string) record.SignalClass {
	lower := strings.ToLower(message)
	switch {
	case strings.HasPrefix(lower, "failed to pull image"), strings.HasPrefix(lower, "failed to apply default image tag"),
		isOneOf(lower, "error: errimagepull", "error: imagepullbackoff", "error: errimageneverpull", "error: invalidimagename"):
		return record.SignalImagePull
	case strings.HasPrefix(lower, "error: "):
		return record.SignalContainerConfig
	}
	return record.SignalUnclassified
}

// pullDetail says why an image could not be pulled. The order matters: the
// authorization failure of a registry also says "not found" at times.
func pullDetail(message string) string {
	lower := strings.ToLower(cutMessage(message))
	switch {
	case containsAny(lower, "no match for platform in manifest", "no matching manifest for"):
		return "platform"
	case containsAny(lower, "no space left on device"):
		return "no_space"
	case containsAny(lower, "toomanyrequests", "too many requests", "429", "rate limit", "pull qps exceeded"):
		return "rate_limited"
	case containsAny(lower, "unauthorized", "authentication required", "no basic auth credentials", "authorization failed",
		"401 ", "403 forbidden", "access denied", "insufficient_scope", "permission denied", "denied:"):
		return "auth"
	case containsAny(lower, "no such host", "server misbehaving", "name resolution", "lookup "):
		return "dns"
	case containsAny(lower, "x509:", "certificate", "tls:", "http response to https client"):
		return "tls"
	case containsAny(lower, "i/o timeout", "deadline exceeded", "timed out", "timeout", "connection refused"):
		return "timeout"
	case containsAny(lower, "not found", "notfound", "manifest unknown", "name unknown", "no such image", "404"):
		return "not_found"
	}
	return ""
}

func probeDetail(message string) string {
	switch kind, _, _ := strings.Cut(message, " probe"); kind {
	case "Liveness":
		return "liveness"
	case "Readiness":
		return "readiness"
	case "Startup":
		return "startup"
	}
	return ""
}

// readCreate says why the API refused a pod.
func (f *facts) readCreate(message string) {
	lower := strings.ToLower(message)
	switch {
	case strings.Contains(lower, "exceeded quota"), strings.Contains(lower, "failed quota"):
		f.detail = "quota"
		f.Quota, f.Resources = quotaFacts(message)
	case strings.Contains(lower, "violates podsecurity"): // pod-security-admission admission.go EvaluatePod
		f.detail = "pod_security"
	case containsAny(lower, "admission webhook", "calling webhook"):
		name, called := webhookName(message)
		f.detail, f.Webhook = "webhook", name
		if !called {
			f.detail = "webhook_unavailable"
		}
	case containsAny(lower, " usage per container is ", " usage per pod is "): // limitranger/admission.go minConstraint, maxConstraint
		f.detail = "limit_range"
	case strings.Contains(lower, "is invalid"), strings.Contains(lower, "invalid value"):
		f.detail = "invalid"
	default:
		f.readMissing(message)
	}
}

func (f *facts) readMissing(message string) {
	m, key := missing(message)
	switch {
	case m.Name == "":
	case key:
		f.detail, f.Missing = "missing_key", m
	default:
		f.detail, f.Missing = "missing_object", m
	}
}

// readConfig says why a container could not be made.
func (f *facts) readConfig(message string) {
	if f.readMissing(message); f.detail == "" && containsAny(message, "executable file not found", "no such file or directory: unknown") {
		f.detail = "command_not_found"
	}
}

// readUnschedulable says why no node took a pod.
func (f *facts) readUnschedulable(reason, message string) {
	switch reason {
	case "NotTriggerScaleUp":
		f.detail = "no_scale_up"
	case "FailedScaleUp":
		f.detail = "scale_up_failed"
		return
	}
	if word := refusedFor(reason); word != "" {
		f.detail, f.Unschedulable = "node_refused", []record.Unfit{{Reason: word}}
		return
	}
	f.Unschedulable, f.NodesTotal = unfits(message)
	if m, _ := missing(message); m.Kind == "PersistentVolumeClaim" {
		f.Missing = m
	}
}

// readEviction says by whom a pod was evicted, and for what.
func (f *facts) readEviction(reason, message string) {
	switch reason {
	case "Preempted", "PreemptionByScheduler":
		f.detail, f.PreemptedBy = "preemption", preemptor(message)
	case "Preempting":
		f.detail = "critical_pod" // pkg/kubelet/preemption/preemption.go
	case "TaintManagerEviction", "DeviceTaintManagerEviction", "DeletionByTaintManager":
		f.detail = "taint"
	case "EvictionByEvictionAPI":
		f.detail = "eviction_api"
	case "NodeControllerEviction", "DeletionByPodGC":
		f.detail = "node_gone"
	case "Terminated", "NodeShutdown":
		f.detail = "node_shutdown" // pkg/kubelet/nodeshutdown
	default:
		f.detail, f.Resources, f.Volume = evictionFacts(message)
	}
}

// isCancelled reports whether an event says that an eviction does not happen
// (pkg/controller/tainteviction/taint_eviction.go emitCancelPodDeletionEvent).
func isCancelled(reason, message string) bool {
	return strings.HasSuffix(reason, "TaintManagerEviction") && strings.HasPrefix(message, "Cancelling deletion")
}

// sandboxDetail reads what plugins of the network write, who are many: what is not
// among the common forms is not told.
func sandboxDetail(reason, message string) string {
	lower := strings.ToLower(message)
	switch {
	case reason == "SandboxChanged":
		return ""
	case containsAny(lower, "failed to assign an ip address", "no ip addresses available", "no available ip", "no more ips available",
		"range is full", "no free ip", "no available addresses"):
		return "no_ip"
	case reason == "NetworkNotReady", containsAny(lower, "cni plugin not initialized", "cni config uninitialized", "network plugin is not ready", "network not ready"):
		return "network_not_ready"
	case containsAny(lower, "deadline exceeded", "i/o timeout", "timed out"):
		return "timeout"
	}
	return ""
}

// readVolume says which volume, and what is wrong with it.
func (f *facts) readVolume(reason, message string) {
	f.Volume = volumeName(message)
	f.readMissing(message)
	switch {
	case f.detail != "":
	case reason == "FailedAttachVolume" && (strings.HasPrefix(message, "Multi-Attach error for volume") || // before 1.36
		strings.HasPrefix(message, "Waiting for detach for volume")): // attachdetach/reconciler reportMultiAttachError
		f.detail = "multi_attach"
	case containsAny(message, "timed out waiting for", "context deadline exceeded"):
		f.detail = "timeout"
	}
}

// nodeDetail knows the reasons of pkg/kubelet/events and of the node controllers.
func nodeDetail(reason string) string {
	switch reason {
	case "NodeNotReady":
		return "not_ready"
	case "NodeHasInsufficientMemory":
		return "memory_pressure"
	case "NodeHasDiskPressure":
		return "disk_pressure"
	case "NodeHasInsufficientPID":
		return "pid_pressure"
	case "Rebooted":
		return "rebooted"
	case "Shutdown":
		return "shutdown"
	case "NodeNotSchedulable":
		return "cordoned"
	case "RemovingNode", "DeletingNode":
		return "removed"
	case "EvictionThresholdMet":
		return "eviction_threshold"
	case "ImageGCFailed", "ContainerGCFailed", "FreeDiskSpaceFailed":
		return "garbage_collection"
	}
	return ""
}

func autoscalerDetail(reason string) string {
	switch reason {
	case "FailedGetScale", "FailedRescale":
		return "scale_failed"
	case "FailedGetResourceMetric", "FailedGetContainerResourceMetric", "FailedGetPodsMetric", "FailedGetObjectMetric",
		"FailedGetExternalMetric", "FailedComputeMetricsReplicas":
		return "metrics_unavailable"
	}
	return ""
}

var quoted = regexp.MustCompile(`image "([^"\s]+)"`)

// quotedImage reads the image that a pull message names, empty when it is none.
func quotedImage(message string) string {
	m := quoted.FindStringSubmatch(message)
	if m == nil {
		return ""
	}
	if ref := imageRef(m[1]); ref != invalidImage {
		return ref
	}
	return ""
}

// scaled is what a ScalingReplicaSet message tells; from is -1 where an older
// Kubernetes does not tell it.
type scaled struct {
	replicaSet string
	from, to   int32
}

var scaledMessage = regexp.MustCompile(`^Scaled (?:up|down) replica set ([a-z0-9][-a-z0-9.]*) (?:from ([0-9]{1,9}) )?to ([0-9]{1,9})$`)

// readScaled reads "Scaled up replica set web-5d from 0 to 3".
func readScaled(message string) (scaled, bool) {
	m := scaledMessage.FindStringSubmatch(strings.TrimPrefix(cutMessage(message), combined))
	if m == nil || !isObject(m[1]) {
		return scaled{}, false
	}
	from := int32(-1)
	if m[2] != "" {
		from = number(m[2])
	}
	return scaled{replicaSet: m[1], from: from, to: number(m[3])}, true
}

// number reads digits that a regexp has bounded.
func number(digits string) int32 {
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}

var fieldPath = regexp.MustCompile(`^spec\.(?:initContainers|containers|ephemeralContainers)\{([-a-z0-9]+)\}$`)

// containerOf reads the container of an event's fieldPath.
func containerOf(path string) string {
	if m := fieldPath.FindStringSubmatch(path); m != nil && isContainer(m[1]) {
		return m[1]
	}
	return ""
}

func cutMessage(s string) string { return s[:min(len(s), maxMessage)] }

func containsAny(s string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

func isOneOf(s string, words ...string) bool {
	for _, word := range words {
		if strings.TrimSpace(s) == word {
			return true
		}
	}
	return false
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
