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
}

// readMessage sorts an event by its reason and, where that is not enough, by
// its message.
func readMessage(reason, message string) facts {
	message = strings.TrimPrefix(cutText(message, maxMessage), combined)
	f := facts{class: classOfReason(reason)}
	switch reason {
	case "BackOff":
		f.class = record.SignalCrashLoop
		if strings.HasPrefix(message, "Back-off pulling") {
			f.class = record.SignalImagePull
		}
	case "Failed":
		f.class = classOfFailed(message)
	case "Unhealthy", "ProbeWarning":
		f.detail = probeDetail(message)
	case "FailedCreate", "ReplicaSetCreateError":
		f.detail = createDetail(message)
	}
	if f.class == record.SignalImagePull {
		f.detail = pullDetail(message)
		f.image = quotedImage(message)
	}
	return f
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
	case "Evicted", "Preempted", "Preempting", "TaintManagerEviction", "EvictionByEvictionAPI":
		return record.SignalEvicted
	case "FailedCreatePodSandBox", "FailedPodSandBoxStatus", "SandboxChanged", "NetworkNotReady", "FailedKillPod":
		return record.SignalSandbox
	case "FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedDetachVolume", "FailedUnMount", "FailedBinding",
		"ProvisioningFailed", "VolumeResizeFailed", "FileSystemResizeFailed", "VolumeFailedDelete", "VolumeFailedRecycle", "VolumeMismatch", "ClaimLost":
		return record.SignalVolume
	case "FailedCreate", "ReplicaSetCreateError":
		return record.SignalCreateFailed
	case "OOMKilling", "SystemOOM":
		return record.SignalOOMKilled
	case "NodeNotReady", "Rebooted", "InvalidDiskCapacity", "FreeDiskSpaceFailed", "ImageGCFailed", "ContainerGCFailed",
		"EvictionThresholdMet", "NodeHasDiskPressure", "NodeHasInsufficientMemory", "NodeHasInsufficientPID", "KubeletSetupFailed",
		"NodeNotSchedulable", "RemovingNode", "HostNetworkNotSupported", "FailedNodeAllocatableEnforcement":
		return record.SignalNode
	}
	return record.SignalUnclassified
}

// isWellKnown reports whether an event of type Normal tells of trouble.
func isWellKnown(reason string) bool {
	switch reason {
	case "BackOff", "NotTriggerScaleUp", "TaintManagerEviction", "Preempting", "SandboxChanged", "FailedBinding",
		"NodeNotReady", "NodeHasDiskPressure", "NodeHasInsufficientMemory", "NodeHasInsufficientPID", "NodeNotSchedulable", "RemovingNode":
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
		"UnexpectedAdmissionError", "AppArmor", "SysctlForbidden", "OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage",
		"NodeAffinity", "TopologyAffinityError", "DNSConfigForming", "MissingClusterDNS", "CIDRNotAvailable", "InvalidEnvironmentVariableNames",
		"FailedToRetrieveImagePullSecret", "FailedPrepareDynamicResources", "VolumeConditionAbnormal", "NodeControllerEviction", // kubelet, nodes
		"FailedPreBind", "WaitForFirstConsumer", "ExternalProvisioning", "ExternalExpanding", // scheduler, volumes
		"FailedDelete", "FailedUpdate", "FailedRSCreateReason", "DeploymentRollbackRevisionNotFound", "SelectorOverlap", "SelectingAll",
		"FailedDaemonPod", "FailedPlacement", "BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy", "TooManyActivePods",
		"MissSchedule", "FailedNeedsStart", "TooManyMissedTimes", "UnparseableSchedule", "UnknownTimeZone", "InvalidSchedule", "MissingJob", // controllers
		"FailedGetScale", "FailedGetResourceMetric", "FailedGetContainerResourceMetric", "FailedGetPodsMetric", "FailedGetObjectMetric",
		"FailedGetExternalMetric", "FailedComputeMetricsReplicas", "FailedRescale", "FailedUpdateStatus", "FailedConvertHPA",
		"InvalidSelector", "SelectorRequired", "AmbiguousSelector", "InvalidMetricSourceType", // horizontal pod autoscaler
		"SyncLoadBalancerFailed", "FailedToCreateEndpoint", "FailedToUpdateEndpoint", "FailedToUpdateEndpointSlices", "ClusterIPNotAllocated",
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
	lower := strings.ToLower(cutText(message, maxMessage))
	switch {
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
	for prefix, detail := range map[string]string{"Liveness": "liveness", "Readiness": "readiness", "Startup": "startup"} {
		if strings.HasPrefix(message, prefix+" probe") {
			return detail
		}
	}
	return ""
}

func createDetail(message string) string {
	lower := strings.ToLower(message)
	switch {
	case strings.Contains(lower, "exceeded quota"), strings.Contains(lower, "failed quota"):
		return "quota"
	case strings.Contains(lower, "violates podsecurity"), strings.Contains(lower, "podsecurity"):
		return "pod_security"
	case strings.Contains(lower, "webhook"):
		return "webhook"
	case strings.Contains(lower, "is invalid"), strings.Contains(lower, "invalid value"):
		return "invalid"
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
	m := scaledMessage.FindStringSubmatch(strings.TrimPrefix(cutText(message, maxMessage), combined))
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

func cutText(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

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
