package kubernetes

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// fullTemplate has one of everything that people change.
func fullTemplate() *corev1.PodTemplateSpec {
	return &corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels:      map[string]string{"app": "web", "version": "1", podTemplateHashLabel: "5d9"},
			Annotations: map[string]string{"checksum/config": "a", restartedAtAnnotation: "2026-03-01T09:00:00Z"},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: "web", DeprecatedServiceAccount: "web", TerminationGracePeriodSeconds: new(int64(30)),
			NodeSelector: map[string]string{"pool": "a"},
			InitContainers: []corev1.Container{{
				Name: "migrate", Image: "shop/web:1", Env: []corev1.EnvVar{{Name: "STEP", Value: "1"}},
			}},
			Containers: []corev1.Container{{
				Name: "app", Image: "shop/web:1", Command: []string{"serve", "-v"}, Args: []string{"--token=" + "pl4nted"},
				Env: []corev1.EnvVar{
					{Name: "PAYMENT_TIMEOUT", Value: "5s"},
					{Name: "MODE", Value: "a"},
					{Name: "DB", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "dsn"}}},
				},
				EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{}}},
				Resources: corev1.ResourceRequirements{
					Limits:   corev1.ResourceList{"memory": quantity.MustParse("1Gi"), "cpu": quantity.MustParse("1"), "nvidia.com/gpu": quantity.MustParse("1")},
					Requests: corev1.ResourceList{"memory": quantity.MustParse("1Gi")},
				},
				ReadinessProbe: &corev1.Probe{PeriodSeconds: 5},
				VolumeMounts:   []corev1.VolumeMount{{Name: "config", MountPath: "/etc/app"}},
			}},
			Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}, {Name: "tmp"}},
		},
	}
}

// differing lists the paths that two templates do not share with equal digests.
func differing(a, b record.Fields) []string {
	var out []string
	at := func(f record.Fields, path string) (uint64, bool) {
		i := slices.Index(f.Paths, path)
		if i < 0 {
			return 0, false
		}
		return f.Digests[i], true
	}
	for _, path := range append(slices.Clone(a.Paths), b.Paths...) {
		x, inA := at(a, path)
		y, inB := at(b, path)
		if (inA != inB || x != y) && !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

func TestEachFieldOfATemplateHasItsPath(t *testing.T) {
	reader := newTemplateReader(newLayout())
	base := cutTemplate(fullTemplate(), reader).fields
	app := func(c *corev1.PodTemplateSpec) *corev1.Container { return &c.Spec.Containers[0] }
	for want, change := range map[string]func(*corev1.PodTemplateSpec){
		"": func(c *corev1.PodTemplateSpec) {
			c.Annotations[restartedAtAnnotation] = "x"
			c.Labels[podTemplateHashLabel] = "y"
		},
		"spec.containers[app].image":                            func(c *corev1.PodTemplateSpec) { app(c).Image = "shop/web:2" },
		"spec.containers[app].env[PAYMENT_TIMEOUT]":             func(c *corev1.PodTemplateSpec) { app(c).Env[0].Value = "6s" },
		"spec.containers[app].env[DB]":                          func(c *corev1.PodTemplateSpec) { app(c).Env[2].ValueFrom.SecretKeyRef.Key = "url" },
		"spec.containers[app].env[NEW]":                         func(c *corev1.PodTemplateSpec) { app(c).Env = append(app(c).Env, corev1.EnvVar{Name: "NEW"}) },
		"spec.containers[app].env[MODE]":                        func(c *corev1.PodTemplateSpec) { app(c).Env = slices.Delete(app(c).Env, 1, 2) },
		"spec.containers[app].envFrom":                          func(c *corev1.PodTemplateSpec) { app(c).EnvFrom[0].Prefix = "P_" },
		"spec.containers[app].command":                          func(c *corev1.PodTemplateSpec) { app(c).Command[1] = "-q" },
		"spec.containers[app].args":                             func(c *corev1.PodTemplateSpec) { app(c).Args = nil },
		"spec.containers[app].resources.limits.memory":          func(c *corev1.PodTemplateSpec) { app(c).Resources.Limits["memory"] = quantity.MustParse("2Gi") },
		"spec.containers[app].resources.limits[nvidia.com/gpu]": func(c *corev1.PodTemplateSpec) { delete(app(c).Resources.Limits, "nvidia.com/gpu") },
		"spec.containers[app].resources.requests.memory":        func(c *corev1.PodTemplateSpec) { app(c).Resources.Requests = nil },
		"spec.containers[app].readinessProbe":                   func(c *corev1.PodTemplateSpec) { app(c).ReadinessProbe.PeriodSeconds = 9 },
		"spec.containers[app].livenessProbe":                    func(c *corev1.PodTemplateSpec) { app(c).LivenessProbe = &corev1.Probe{} },
		"spec.containers[app].volumeMounts":                     func(c *corev1.PodTemplateSpec) { app(c).VolumeMounts[0].ReadOnly = true },
		"spec.containers[app].stdin":                            func(c *corev1.PodTemplateSpec) { app(c).Stdin = true },
		"spec.initContainers[migrate].env[STEP]":                func(c *corev1.PodTemplateSpec) { c.Spec.InitContainers[0].Env[0].Value = "2" },
		"spec.volumes[config]":                                  func(c *corev1.PodTemplateSpec) { c.Spec.Volumes[0].EmptyDir.Medium = "Memory" },
		"spec.volumes[tmp]":                                     func(c *corev1.PodTemplateSpec) { c.Spec.Volumes = c.Spec.Volumes[:1] },
		"spec.serviceAccountName":                               func(c *corev1.PodTemplateSpec) { c.Spec.ServiceAccountName, c.Spec.DeprecatedServiceAccount = "x", "x" },
		"spec.terminationGracePeriodSeconds":                    func(c *corev1.PodTemplateSpec) { c.Spec.TerminationGracePeriodSeconds = new(int64(0)) },
		"spec.hostNetwork":                                      func(c *corev1.PodTemplateSpec) { c.Spec.HostNetwork = true },
		"spec.nodeSelector":                                     func(c *corev1.PodTemplateSpec) { c.Spec.NodeSelector["pool"] = "b" },
		"metadata.annotations[checksum/config]":                 func(c *corev1.PodTemplateSpec) { c.Annotations["checksum/config"] = "b" },
		"metadata.labels[version]":                              func(c *corev1.PodTemplateSpec) { c.Labels["version"] = "2" },
		// Names that do not follow the rules are not written down.
		"spec.containers[app].env": func(c *corev1.PodTemplateSpec) {
			app(c).Env = append(app(c).Env, corev1.EnvVar{Name: "pa ss=" + "pl4nted"})
		},
		"metadata.annotations": func(c *corev1.PodTemplateSpec) { c.Annotations["a b\x1b[31m"] = "" },
	} {
		changed := fullTemplate()
		change(changed)
		got := strings.Join(differing(base, cutTemplate(changed, reader).fields), " ")
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, path := range base.Paths {
		if strings.Contains(path, "restartedAt") || strings.Contains(path, podTemplateHashLabel) || strings.Contains(path, "pl4nted") {
			t.Errorf("path %s", path)
		}
	}
	if again := cutTemplate(fullTemplate(), reader).fields; &again.Paths[0] != &base.Paths[0] || cmp.Diff(base, again) != "" {
		t.Error("the same template has other fields, or its own copy of the paths")
	}
}

func TestTemplatesBeyondABoundHaveNoFields(t *testing.T) {
	reader := newTemplateReader(newLayout())
	large := fullTemplate()
	for i := range maxTemplateFields {
		large.Spec.Containers[0].Env = append(large.Spec.Containers[0].Env, corev1.EnvVar{Name: fmt.Sprintf("E%d", i)})
	}
	if f := cutTemplate(large, reader).fields; len(f.Paths) != 0 || reader.left != 1 {
		t.Errorf("%d fields, %d left", len(f.Paths), reader.left)
	}
	// Names that nobody shares: what is kept of them stays bounded.
	paths, digests := 0, 0
	for i := range 3000 {
		one := fullTemplate()
		for k := range 300 {
			one.Spec.Containers[0].Env = append(one.Spec.Containers[0].Env, corev1.EnvVar{Name: fmt.Sprintf("E%d_%d", i, k)})
		}
		f := cutTemplate(one, reader).fields
		paths, digests = paths+len(f.Paths), digests+len(f.Digests)
	}
	if paths == 0 || paths > maxShapeFields || digests > maxFieldDigests || len(reader.names) > maxPathBytes/20 || reader.left < 1000 {
		t.Errorf("%d paths, %d digests, %d names, %d left", paths, digests, len(reader.names), reader.left)
	}
}

// FuzzTemplateFields: a template comes from whoever may create workloads.
func FuzzTemplateFields(f *testing.F) {
	raw, err := fullTemplate().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		reader := newTemplateReader(newLayout())
		fields := reader.read(raw)
		if len(fields.Paths) != len(fields.Digests) || len(fields.Paths) > maxTemplateFields {
			t.Fatalf("%d paths and %d digests", len(fields.Paths), len(fields.Digests))
		}
		seen := map[string]bool{}
		for _, path := range fields.Paths {
			if seen[path] || len(path) > 600 || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("path %q", path)
			}
			seen[path] = true
		}
	})
}

// BenchmarkTemplates cuts the templates of 15,000 revisions.
func BenchmarkTemplates(b *testing.B) {
	templates := make([]*corev1.PodTemplateSpec, 15000)
	for i := range templates {
		templates[i] = fullTemplate()
		templates[i].Spec.Containers[0].Image = fmt.Sprintf("shop/web:%d", i)
		for k := range 15 {
			templates[i].Spec.Containers[0].Env = append(templates[i].Spec.Containers[0].Env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", k+i%7), Value: "x"})
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		reader := newTemplateReader(newLayout())
		kept := make([]template, 0, len(templates))
		for _, t := range templates {
			kept = append(kept, cutTemplate(t, reader))
		}
		if len(kept[0].fields.Paths) == 0 || reader.left > 0 {
			b.Fatal("no fields")
		}
	}
}
