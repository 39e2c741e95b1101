package kubernetes

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// limitRangerAnnotation is where the API server writes which requests and limits a
// LimitRange set (plugin/pkg/admission/limitranger/admission.go).
const limitRangerAnnotation = "kubernetes.io/limit-ranger"

// The probes of a container, in the order of demand.probes.
const (
	liveness = iota
	readiness
	startup
	probeKinds
)

// demand is what a container asks for: memory in bytes, zero for none, and how it is
// probed. There is one for each container of each pod, so it is small.
type demand struct {
	request, limit int64
	probes         [probeKinds]byte
	// ranged says that a LimitRange set the limit, unsure that it may have.
	ranged, unsure bool
}

// ask reads what the containers of a pod ask for, in the order of pod.containers.
func (p *pod) ask(object *corev1.Pod) {
	p.qos = qosWord(object.Status.QOSClass)
	ranged := rangedMemory(object.Annotations[limitRangerAnnotation])
	var podLimit int64
	if r := object.Spec.Resources; r != nil {
		podLimit = memoryOf(r.Limits)
	}
	var sum, most, sidecars int64
	p.demands = make([]demand, 0, len(p.containers))
	add := func(c *corev1.Container, kind string) *demand {
		a := demand{
			request: memoryOf(c.Resources.Requests), limit: memoryOf(c.Resources.Limits),
			probes: [probeKinds]byte{handlerOf(c.LivenessProbe), handlerOf(c.ReadinessProbe), handlerOf(c.StartupProbe)},
		}
		a.ranged = a.limit > 0 && ranged(kind, c.Name)
		// A pod that was changed since may have been given another limit.
		a.unsure = a.ranged && object.Generation > 1
		if a.limit == 0 {
			a.limit = podLimit
		}
		p.demands = append(p.demands, a)
		return &p.demands[len(p.demands)-1]
	}
	for i := range object.Spec.InitContainers {
		c := &object.Spec.InitContainers[i]
		a := add(c, "init container")
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			sidecars += a.request
		} else {
			most = max(most, sidecars+a.request)
		}
	}
	for i := range object.Spec.Containers {
		sum += add(&object.Spec.Containers[i], "container").request
	}
	p.request = max(sum+sidecars, most)
	if r := object.Spec.Resources; r != nil {
		if podRequest := memoryOf(r.Requests); podRequest > 0 {
			p.request = podRequest
		}
	}
	p.request += memoryOf(object.Spec.Overhead)
}

func memoryOf(list corev1.ResourceList) int64 {
	if q, ok := list[corev1.ResourceMemory]; ok {
		return max(q.Value(), 0)
	}
	return 0
}

// rangedMemory tells for which containers a LimitRange set the memory limit: "LimitRanger
// plugin set: cpu, memory request for container app; cpu, memory limit for container app".
func rangedMemory(annotation string) func(kind, container string) bool {
	list, ok := strings.CutPrefix(cutMessage(annotation), "LimitRanger plugin set: ")
	if !ok {
		return func(string, string) bool { return false }
	}
	return func(kind, container string) bool {
		for part := range strings.SplitSeq(list, "; ") {
			resources, of, found := strings.Cut(part, " limit for ")
			if !found || of != kind+" "+container {
				continue
			}
			for r := range strings.SplitSeq(resources, ", ") {
				if r == string(corev1.ResourceMemory) {
					return true
				}
			}
		}
		return false
	}
}

func qosWord(c corev1.PodQOSClass) string {
	switch c {
	case corev1.PodQOSGuaranteed:
		return "Guaranteed"
	case corev1.PodQOSBurstable:
		return "Burstable"
	case corev1.PodQOSBestEffort:
		return "BestEffort"
	}
	return ""
}

// handlers are how a probe asks; the number is kept of each.
func handlers() [5]string { return [...]string{"", "http", "tcp", "grpc", "exec"} }

func handlerOf(p *corev1.Probe) byte {
	switch {
	case p == nil:
		return 0
	case p.HTTPGet != nil:
		return 1
	case p.TCPSocket != nil:
		return 2
	case p.GRPC != nil:
		return 3
	case p.Exec != nil:
		return 4
	}
	return 0
}

// handler says how the probe of that message asks, where the pod has it.
func (p *pod) handler(container, message string) string {
	probe := map[string]int{"liveness": liveness, "readiness": readiness, "startup": startup}
	i, ok := probe[probeDetail(strings.TrimPrefix(message, combined))]
	if a := p.of(container); a != nil && ok {
		return handlers()[a.probes[i]]
	}
	return ""
}

func (p *pod) of(container string) *demand {
	for i := range p.containers {
		if p.containers[i].Name == container && i < len(p.demands) {
			return &p.demands[i]
		}
	}
	return nil
}

// posture says what the pod or container of a signal asked for, where that may have to
// do with it.
func (p *pod) posture(sig *record.Signal) *record.Posture {
	switch sig.Class {
	case record.SignalOOMKilled, record.SignalCrashLoop, record.SignalEvicted, record.SignalUnschedulable:
	default:
		return nil
	}
	if sig.Container == "" {
		return &record.Posture{QOSClass: p.qos, MemoryRequest: p.request}
	}
	a := p.of(sig.Container)
	if a == nil {
		return nil // an ephemeral container: it can ask for nothing
	}
	out := &record.Posture{QOSClass: p.qos, MemoryRequest: a.request, MemoryLimit: new(a.limit)}
	switch {
	case a.limit == 0, a.unsure:
	case a.ranged:
		out.LimitOrigin = "limit_range"
	default:
		out.LimitOrigin = "pod_spec"
	}
	return out
}
