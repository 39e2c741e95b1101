package kubernetes

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/record"
)

// Typed facts of messages. The forms are those of Kubernetes 1.37, with the
// functions that write them named; older forms are named as such. A part that has
// another form is not read.

// Bounds of what one message may give.
const (
	maxUnfits = 20
	maxScarce = 20
)

// unfitWords are the reasons for which nodes do not take a pod, as the plugins of
// the scheduler write them (pkg/scheduler/framework/plugins/*: ErrReason…), by how
// they begin.
func unfitWord(reason string) (word, name string) {
	switch {
	case strings.HasPrefix(reason, "Insufficient "): // noderesources/fit.go fitsRequest
		return insufficient(strings.TrimPrefix(reason, "Insufficient "))
	case reason == "Too many pods":
		return "too_many_pods", ""
	case strings.HasPrefix(reason, "node(s) had untolerated taint"), // tainttoleration Filter; with {key: value} before 1.35
		strings.HasPrefix(reason, "node(s) had taint"): // before 1.26
		return taintWord(reason)
	case strings.HasPrefix(reason, "node(s) were unschedulable"): // nodeunschedulable
		return "cordoned", ""
	case strings.HasPrefix(reason, "node(s) had unknown conditions"):
		return "not_ready", ""
	case strings.HasPrefix(reason, "node(s) didn't match Pod's node affinity"), // nodeaffinity
		strings.HasPrefix(reason, "node(s) didn't match node selector"), // before 1.22
		strings.HasPrefix(reason, "node(s) didn't match scheduler-enforced node affinity"),
		strings.HasPrefix(reason, "node(s) didn't match the requested node name"): // nodename
		return "node_selector", ""
	case strings.HasPrefix(reason, "node(s) didn't match pod affinity"): // interpodaffinity
		return "affinity", ""
	case strings.HasPrefix(reason, "node(s) didn't match pod anti-affinity"), strings.HasPrefix(reason, "node(s) didn't satisfy existing pods anti-affinity"):
		return "anti_affinity", ""
	case strings.HasPrefix(reason, "node(s) didn't match pod topology spread constraints"): // podtopologyspread
		return "topology_spread", ""
	case strings.HasPrefix(reason, "node(s) didn't have free ports"): // nodeports
		return "ports", ""
	case reason == "max node group size reached": // the cluster autoscaler, not of this repository
		return "max_group_size", ""
	}
	return volumeUnfit(reason)
}

// volumeUnfit knows the reasons of volumebinding, volumezone, volumerestrictions and
// nodevolumelimits.
func volumeUnfit(reason string) (word, name string) {
	switch {
	case strings.HasPrefix(reason, "node(s) had no available volume zone"),
		strings.HasPrefix(reason, "node(s) didn't match PersistentVolume's node affinity"),
		strings.HasPrefix(reason, "node(s) had volume node affinity conflict"): // before 1.34
		return "volume_node_affinity", ""
	case strings.HasPrefix(reason, "pod has unbound immediate PersistentVolumeClaims"),
		strings.HasPrefix(reason, "node(s) didn't find available persistent volumes to bind"),
		strings.HasPrefix(reason, "node(s) did not have enough free storage"):
		return "volume_unbound", ""
	case strings.HasPrefix(reason, "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"),
		strings.HasPrefix(reason, `persistentvolumeclaim "`) && strings.HasSuffix(reason, " not found"):
		return "volume_missing", ""
	case strings.HasPrefix(reason, "node(s) had no available disk"), strings.HasPrefix(reason, "node(s) unavailable due to PersistentVolumeClaim"):
		return "volume_in_use", ""
	case strings.HasPrefix(reason, "node(s) exceed max volume count"):
		return "volume_limit", ""
	}
	return "other", ""
}

func insufficient(resource string) (word, name string) {
	switch resource {
	case "cpu", "memory":
		return "insufficient_" + resource, ""
	case "ephemeral-storage":
		return "insufficient_ephemeral_storage", ""
	case "pods":
		return "too_many_pods", ""
	}
	if !isResource(resource) {
		resource = ""
	}
	return "insufficient_extended", resource
}

// taintWord reads the key of a taint; its value may be anything.
func taintWord(reason string) (word, name string) {
	_, key, found := strings.Cut(reason, "{")
	key, _, _ = strings.Cut(key, ":")
	switch key {
	case "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "node.cloudprovider.kubernetes.io/uninitialized":
		return "not_ready", ""
	case "node.kubernetes.io/unschedulable":
		return "cordoned", ""
	case "node.kubernetes.io/memory-pressure", "node.kubernetes.io/disk-pressure", "node.kubernetes.io/pid-pressure":
		return "pressure", ""
	}
	if !found || !isLabelKey(key) {
		return "taint", ""
	}
	return "taint", key
}

// unfits reads "0/5 nodes are available: 2 Insufficient memory, 3 node(s) …. preemption:
// …" (pkg/scheduler/framework/types.go FitError.Error), and the reasons that the cluster
// autoscaler counts by node group, whose numbers are none of nodes.
func unfits(message string) (list []record.Unfit, total *int32) {
	byNode := true
	rest, ok := strings.CutPrefix(message, "0/")
	if ok {
		digits, after, found := strings.Cut(rest, " nodes are available: ")
		n, isNumber := leadingNumber(digits)
		if !found || !isNumber || len(digits) > 9 {
			return nil, nil
		}
		rest, total = after, &n
	} else if rest, ok = strings.CutPrefix(message, "pod didn't trigger scale-up: "); ok {
		byNode = false
	} else {
		return nil, nil
	}
	// What preemption and the plugins after it say is about the same nodes again.
	rest, _, _ = strings.Cut(rest, " preemption:")
	for part := range strings.SplitSeq(rest, ", ") {
		nodes, reason := int32(0), strings.TrimSuffix(strings.TrimSpace(part), ".")
		if digits, after, found := strings.Cut(reason, " "); found {
			if n, isNumber := leadingNumber(digits); isNumber {
				nodes, reason = n, after
			}
		}
		if nodes == 0 && len(list) > 0 {
			continue // the reason before it had a comma
		}
		if !byNode {
			nodes = 0
		}
		word, name := unfitWord(reason)
		list = addUnfit(list, record.Unfit{Reason: word, Name: name, Nodes: nodes})
	}
	return list, total
}

// addUnfit adds to the entry of the same reason. Nodes of two taints of one key may be
// the same ones only where one message says so twice, which it does not.
func addUnfit(list []record.Unfit, u record.Unfit) []record.Unfit {
	i := slices.IndexFunc(list, func(o record.Unfit) bool { return o.Reason == u.Reason && o.Name == u.Name })
	switch {
	case i >= 0:
		list[i].Nodes = min(list[i].Nodes, 1<<30) + min(u.Nodes, 1<<30)
	case len(list) < maxUnfits:
		list = append(list, u)
	}
	return list
}

// leadingNumber reads up to nine digits.
func leadingNumber(s string) (n int32, ok bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int32(c-'0')
	}
	return n, true
}

// isResource takes names of resources as quotas and nodes have them: memory,
// requests.cpu, count/deployments.apps, requests.nvidia.com/gpu.
func isResource(s string) bool { return isLabelKey(s) }

// quotaFacts reads "exceeded quota: NAME, requested: a=1,b=2, used: …, limited: …" and
// "failed quota: NAME: must specify a for: …; b for: …" (apiserver
// pkg/admission/plugin/resourcequota/controller.go checkQuotas, CheckRequest).
func quotaFacts(message string) (quota string, resources []string) {
	if _, rest, ok := strings.Cut(message, "exceeded quota: "); ok {
		name, rest, found := strings.Cut(rest, ", requested: ")
		list, _, _ := strings.Cut(rest, ", used: ")
		if !found || !isObject(name) {
			return "", nil
		}
		for part := range strings.SplitSeq(list, ",") {
			resource, _, _ := strings.Cut(part, "=")
			resources = addResource(resources, resource)
		}
		return name, resources
	}
	if _, rest, ok := strings.Cut(message, "failed quota: "); ok {
		name, rest, _ := strings.Cut(rest, ": must specify ")
		if !isObject(name) {
			return "", nil
		}
		for part := range strings.SplitSeq(rest, ";") {
			list, _, _ := strings.Cut(part, " for: ")
			for resource := range strings.SplitSeq(list, ",") {
				resources = addResource(resources, strings.TrimSpace(resource))
			}
		}
		return name, resources
	}
	return "", nil
}

func addResource(list []string, s string) []string {
	if !isResource(s) || len(list) >= maxScarce || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// between gives what stands between two texts, when both are there.
func between(s, before, after string) string {
	_, rest, ok := strings.Cut(s, before)
	if !ok {
		return ""
	}
	out, _, ok := strings.Cut(rest, after)
	if !ok {
		return ""
	}
	return out
}

// objectBetween is a name of an object that stands between two texts.
func objectBetween(s, before, after string) string {
	if name := between(s, before, after); isObject(name) {
		return name
	}
	return ""
}

// webhookName reads apiserver pkg/util/webhook/error.go ErrCallingWebhook.Error and
// pkg/admission/plugin/webhook/errors/statuserror.go ToStatusErr.
func webhookName(message string) (name string, called bool) {
	if name = objectBetween(message, `failed calling webhook "`, `"`); name != "" {
		return name, false
	}
	return objectBetween(message, `admission webhook "`, `" denied the request`), true
}

// volumeName reads `for volume "NAME"` (pkg/volume/util/operationexecutor
// generateVolumeMsg), and the one volume of "unmounted volumes=[NAME]"
// (pkg/kubelet/volumemanager WaitForAttachAndMount).
func volumeName(message string) string {
	if name := objectBetween(message, `for volume "`, `"`); name != "" {
		return name
	}
	return objectBetween(message, "unmounted volumes=[", "]")
}

// missing reads which object is not there: `configmap "NAME" not found` and the like
// (apimachinery NewNotFound), and "couldn't find key KEY in ConfigMap NS/NAME"
// (pkg/kubelet/kubelet_pods.go makeEnvironmentVariables), where the key is.
func missing(message string) (m record.Missing, key bool) {
	for _, o := range [...]struct{ word, plural, kind string }{
		{`configmap "`, `configmaps "`, "ConfigMap"},
		{`secret "`, `secrets "`, "Secret"},
		{`persistentvolumeclaim "`, `persistentvolumeclaims "`, "PersistentVolumeClaim"},
		{`serviceaccount "`, `serviceaccounts "`, "ServiceAccount"},
	} {
		for _, word := range [...]string{o.word, o.plural} {
			if name := objectBetween(message, word, `" not found`); name != "" {
				return record.Missing{Kind: o.kind, Name: name}, false
			}
		}
	}
	if !strings.Contains(message, "couldn't find key ") {
		return m, false
	}
	for _, kind := range [...]string{"ConfigMap", "Secret"} {
		_, rest, ok := strings.Cut(message, " in "+kind+" ")
		ns, name, found := strings.Cut(rest, "/")
		if i := strings.IndexAny(name, " :,"); i >= 0 {
			name = name[:i]
		}
		if ok && found && isNamespace(ns) && isObject(name) {
			return record.Missing{Kind: kind, Name: name}, true
		}
	}
	return m, false
}

var killedProcess = regexp.MustCompile(`Killed process [0-9]+ \(([^()\s]+)\)`)

// victim reads the process of "System OOM encountered, victim process: NAME, pid: N"
// (pkg/kubelet/oom/oom_watcher_linux.go Start), and of the kernel's own line, which the
// node problem detector passes on. A process chooses its name: one that is not like
// that of a program is not told.
func victim(message string) string {
	name := between(message, "victim process: ", ", pid: ")
	if name == "" {
		if m := killedProcess.FindStringSubmatch(message); m != nil {
			name = m[1]
		}
	}
	const comm = 15 // bytes that the kernel keeps of a name
	if len(name) > comm || !isManager(name) {
		return ""
	}
	return name
}

// preemptor reads "Preempted by Pod UID on node NODE"
// (pkg/scheduler/framework/preemption/executor.go; "by a pod UID" before 1.34).
func preemptor(message string) string {
	rest, ok := strings.CutPrefix(message, "Preempted by ")
	if !ok {
		return ""
	}
	by, _, _ := strings.Cut(rest, " on node ")
	uid := by[strings.LastIndexByte(by, ' ')+1:]
	if !isUID(uid) {
		return ""
	}
	return uid
}

// evictionFacts reads why the kubelet evicted a pod (pkg/kubelet/eviction/helpers.go:
// nodeLowMessageFmt, nodeConditionMessageFmt, the formats of local storage).
func evictionFacts(message string) (detail string, resources []string, volume string) {
	switch {
	case strings.HasPrefix(message, "The node was low on resource: "):
		if name := between(message, "resource: ", "."); slices.Contains([]string{"memory", "ephemeral-storage", "pids", "inodes"}, name) {
			resources = []string{name}
		}
		return "node_pressure", resources, ""
	case strings.HasPrefix(message, "The node had condition: "):
		for _, c := range [...]struct{ condition, resource string }{{"MemoryPressure", "memory"}, {"DiskPressure", "ephemeral-storage"}, {"PIDPressure", "pids"}} {
			if strings.Contains(between(message, "condition: [", "]"), c.condition) {
				resources = append(resources, c.resource)
			}
		}
		return "node_pressure", resources, ""
	case strings.HasPrefix(message, "Pod ephemeral local storage usage exceeds"),
		strings.HasPrefix(message, "Container ") && strings.Contains(message, " exceeded its local ephemeral storage limit "):
		return "storage_limit", []string{"ephemeral-storage"}, ""
	case strings.HasPrefix(message, `Usage of EmptyDir volume "`):
		return "storage_limit", []string{"ephemeral-storage"}, objectBetween(message, `volume "`, `"`)
	}
	return "", nil, ""
}

// probeFacts reads how a probe failed (pkg/kubelet/prober/prober.go probe, pkg/probe/*).
// What a command wrote stands in its message too: handler tells, where the pod does,
// that it is one, and then only the kubelet's own words of a timeout are read.
func probeFacts(message, handler string) (told, outcome string, status *int32) {
	_, text, found := strings.Cut(message, " probe failed: ")
	if !found {
		if _, text, found = strings.Cut(message, " probe errored and resulted in "); !found {
			return handler, "", nil
		}
		_, text, _ = strings.Cut(text, " state: ")
	}
	if handler == "exec" {
		if strings.HasPrefix(text, "command timed out") || strings.HasPrefix(text, `command "`) && strings.Contains(text, " timed out") {
			return handler, "timeout", nil
		}
		return handler, "failed", nil
	}
	switch {
	case strings.HasPrefix(text, "HTTP probe failed with statuscode: "):
		n, ok := leadingNumber(strings.TrimPrefix(text, "HTTP probe failed with statuscode: "))
		if !ok || n < 100 || n > 999 || handler != "" && handler != "http" {
			return handler, "", nil
		}
		return "http", "status", &n
	case handler == "":
		return "", "", nil // it may be what a command wrote
	case strings.HasPrefix(text, "service unhealthy (responded with "):
		return handler, "not_serving", nil
	case containsAny(text, "connection refused"):
		return handler, "connection_refused", nil
	case containsAny(text, "connection reset by peer", "EOF", "broken pipe"):
		return handler, "connection_lost", nil
	case containsAny(text, "Client.Timeout", "deadline exceeded", "i/o timeout", "timeout: "):
		return handler, "timeout", nil
	}
	return handler, "", nil
}

// registryOf is the host of an image's registry. A short name has none: which one it
// means is a setting of the node, so that only what the message of the runtime says
// counts.
func registryOf(image, message string) string {
	host, _, slash := strings.Cut(image, "/")
	if slash && (strings.ContainsAny(host, ".:") || host == "localhost") && isClusterID(host) {
		return host
	}
	if image != "" && strings.Contains(message, `reference "docker.io/`) {
		return "docker.io"
	}
	return ""
}
