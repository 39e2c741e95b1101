package kubernetes

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// maxReferences bounds the ConfigMaps and Secrets of one pod template.
const maxReferences = 200

// reference is a ConfigMap or Secret that a pod template names.
type reference struct {
	kind, name string
	via        record.Via
}

// references lists what a pod template names, each once for each way.
func references(spec *corev1.PodSpec) []reference {
	var out []reference
	add := func(kind, name string, via record.Via) {
		r := reference{kind, name, via}
		if isObject(name) && len(out) < maxReferences && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	mounts := map[string]mounted{}
	container := func(env []corev1.EnvVar, from []corev1.EnvFromSource, volumes []corev1.VolumeMount) {
		for i := range env {
			switch source := env[i].ValueFrom; {
			case source == nil:
			case source.ConfigMapKeyRef != nil:
				add("ConfigMap", source.ConfigMapKeyRef.Name, record.ViaEnv)
			case source.SecretKeyRef != nil:
				add("Secret", source.SecretKeyRef.Name, record.ViaEnv)
			}
		}
		for i := range from {
			if ref := from[i].ConfigMapRef; ref != nil {
				add("ConfigMap", ref.Name, record.ViaEnvFrom)
			}
			if ref := from[i].SecretRef; ref != nil {
				add("Secret", ref.Name, record.ViaEnvFrom)
			}
		}
		for i := range volumes {
			m := mounts[volumes[i].Name]
			if volumes[i].SubPath != "" || volumes[i].SubPathExpr != "" {
				m.part = true
			} else {
				m.whole = true
			}
			mounts[volumes[i].Name] = m
		}
	}
	for i := range spec.InitContainers {
		container(spec.InitContainers[i].Env, spec.InitContainers[i].EnvFrom, spec.InitContainers[i].VolumeMounts)
	}
	for i := range spec.Containers {
		container(spec.Containers[i].Env, spec.Containers[i].EnvFrom, spec.Containers[i].VolumeMounts)
	}
	for i := range spec.EphemeralContainers {
		c := &spec.EphemeralContainers[i]
		container(c.Env, c.EnvFrom, c.VolumeMounts)
	}
	for i := range spec.Volumes {
		volumeReferences(&spec.Volumes[i], mounts[spec.Volumes[i].Name], add)
	}
	for _, secret := range spec.ImagePullSecrets {
		add("Secret", secret.Name, record.ViaImagePullSecret)
	}
	return slices.Clip(out)
}

// mounted says how containers mount a volume: whole, or a part of it, which is
// not brought up to date while they run.
type mounted struct{ whole, part bool }

func volumeReferences(v *corev1.Volume, m mounted, add func(kind, name string, via record.Via)) {
	named := func(kind, name string, whole record.Via) {
		if m.part {
			add(kind, name, record.ViaSubPath)
		}
		if m.whole || !m.part {
			add(kind, name, whole)
		}
	}
	switch {
	case v.ConfigMap != nil:
		named("ConfigMap", v.ConfigMap.Name, record.ViaVolume)
	case v.Secret != nil:
		named("Secret", v.Secret.SecretName, record.ViaVolume)
	case v.Projected != nil:
		for _, source := range v.Projected.Sources {
			if source.ConfigMap != nil {
				named("ConfigMap", source.ConfigMap.Name, record.ViaProjected)
			}
			if source.Secret != nil {
				named("Secret", source.Secret.Name, record.ViaProjected)
			}
		}
	}
}

// startedAt is when the first of the containers that run now was started; zero
// when none does. A container that was started again reads its environment anew.
func startedAt(p *corev1.Pod) time.Time {
	var first time.Time
	for i := range p.Status.ContainerStatuses {
		running := p.Status.ContainerStatuses[i].State.Running
		if running != nil && !running.StartedAt.IsZero() && (first.IsZero() || running.StartedAt.Time.Before(first)) {
			first = running.StartedAt.UTC()
		}
	}
	return first
}

// consumers are the workloads that name an object, by its kind, namespace and
// name.
type consumers map[objectKey][]record.Consumer

// findConsumers goes through all workloads once.
func (c *collection) findConsumers(j *joined) consumers {
	out := consumers{}
	var starts map[string][]time.Time
	for _, w := range j.workloads {
		if len(w.refs) == 0 {
			continue
		}
		if starts == nil {
			starts = j.starts()
		}
		if w.Object.Kind == "Job" && len(starts[w.Object.UID]) == 0 {
			continue // it has ended, or its CronJob stands for it
		}
		_, known := c.glance("Pod", w.Object.Namespace)
		ways := map[objectKey][]record.Via{}
		for _, r := range w.refs {
			key := objectKey{r.kind, w.Object.Namespace, r.name}
			ways[key] = append(ways[key], r.via)
		}
		for key, via := range ways {
			slices.Sort(via)
			out[key] = append(out[key], record.Consumer{
				Object: w.Object, Service: w.Service, Via: via, Starts: starts[w.Object.UID], PodsKnown: known,
			})
		}
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b record.Consumer) int { return compareObjects(a.Object, b.Object) })
	}
	return out
}

// starts says of each workload when its pods were started, oldest first.
func (j *joined) starts() map[string][]time.Time {
	out := map[string][]time.Time{}
	for _, p := range j.ordered {
		if w := j.workloadOf(p); w != nil && !p.started.IsZero() {
			out[w.Object.UID] = append(out[w.Object.UID], p.started)
		}
	}
	for _, list := range out {
		slices.SortFunc(list, time.Time.Compare)
	}
	return out
}

// workloadOf goes up the owners of a pod.
func (j *joined) workloadOf(p *pod) *workload {
	if w := j.byUID[p.owner]; w != nil {
		if above := j.byUID[w.owner]; above != nil {
			return above
		}
		return w
	}
	if r := j.setByUID[p.owner]; r != nil {
		return j.byUID[r.owner]
	}
	return nil
}

// oneService is that of all consumers, when they have the same.
func oneService(list []record.Consumer) (record.Service, bool) {
	if len(list) == 0 {
		return record.Service{}, false
	}
	first := list[0].Service.Name
	if slices.ContainsFunc(list, func(c record.Consumer) bool { return c.Service.Name != first }) {
		return record.Service{}, false
	}
	return record.Service{Name: first, Basis: "consumer"}, first != ""
}
