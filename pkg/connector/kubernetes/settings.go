package kubernetes

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// leaderAnnotation marks an object that is a lock: it changes every few seconds
// and configures nothing.
const leaderAnnotation = "control-plane.alpha.kubernetes.io/leader"

// rootCA is published into every namespace by Kubernetes itself, and so is the
// ServiceAccount of that name.
const (
	rootCA         = "kube-root-ca.crt"
	defaultAccount = "default"
)

// setting is a record in the making.
type setting struct {
	record.Setting
	// target is the workload that an autoscaler scales.
	target objectKey
	// facts and brief are what the next look is to know.
	facts, brief []byte
}

// settingKinds are the objects that configure workloads or the cluster.
func settingKinds(config *Config) []kind {
	const stream, rbac = record.StreamConfiguration, record.StreamRBAC
	networking := func(plural, kind string) resource {
		return resource{group: "networking.k8s.io", version: "v1", plural: plural, kind: kind}
	}
	scalers := resource{group: "autoscaling", version: "v2", plural: "horizontalpodautoscalers", kind: "HorizontalPodAutoscaler"}
	budgets := resource{group: "policy", version: "v1", plural: "poddisruptionbudgets", kind: "PodDisruptionBudget"}
	access := func(plural, kind string, cluster bool) kindOfMetadata {
		return kindOfMetadata{resource{group: "rbac.authorization.k8s.io", version: "v1", plural: plural, kind: kind, cluster: cluster}, rbac}
	}
	crds := resource{group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions", kind: "CustomResourceDefinition", cluster: true}
	out := append(dataKinds(config),
		kindOf(scalers, stream, func(l *autoscalingv2.HorizontalPodAutoscalerList) []autoscalingv2.HorizontalPodAutoscaler {
			return l.Items
		}, (*collection).takeScaler),
		kindOf(networking("ingresses", "Ingress"), stream, func(l *networkingv1.IngressList) []networkingv1.Ingress { return l.Items },
			func(c *collection, j *job, o *networkingv1.Ingress) error {
				return c.takeSpec(j, &o.ObjectMeta, &o.Spec)
			}),
		kindOf(networking("networkpolicies", "NetworkPolicy"), stream, func(l *networkingv1.NetworkPolicyList) []networkingv1.NetworkPolicy { return l.Items },
			func(c *collection, j *job, o *networkingv1.NetworkPolicy) error {
				return c.takeSpec(j, &o.ObjectMeta, &o.Spec)
			}),
		kindOf(core("services", "Service"), stream, func(l *corev1.ServiceList) []corev1.Service { return l.Items },
			func(c *collection, j *job, o *corev1.Service) error { return c.takeSpec(j, &o.ObjectMeta, &o.Spec) }),
		kindOf(core("resourcequotas", "ResourceQuota"), stream, func(l *corev1.ResourceQuotaList) []corev1.ResourceQuota { return l.Items },
			func(c *collection, j *job, o *corev1.ResourceQuota) error {
				return c.takeSpec(j, &o.ObjectMeta, &o.Spec)
			}),
		kindOf(core("limitranges", "LimitRange"), stream, func(l *corev1.LimitRangeList) []corev1.LimitRange { return l.Items },
			func(c *collection, j *job, o *corev1.LimitRange) error { return c.takeSpec(j, &o.ObjectMeta, &o.Spec) }),
		kindOf(budgets, stream, func(l *policyv1.PodDisruptionBudgetList) []policyv1.PodDisruptionBudget { return l.Items },
			func(c *collection, j *job, o *policyv1.PodDisruptionBudget) error {
				return c.takeSpec(j, &o.ObjectMeta, &o.Spec)
			}),
	)
	// A schema of a CustomResourceDefinition may have megabytes, and who may do what
	// is not ours to read: of these the metadata has to do.
	for _, m := range []kindOfMetadata{
		{crds, record.StreamCRDs},
		{core("serviceaccounts", "ServiceAccount"), rbac},
		access("roles", "Role", false), access("rolebindings", "RoleBinding", false),
		access("clusterroles", "ClusterRole", true), access("clusterrolebindings", "ClusterRoleBinding", true),
	} {
		out = append(out, metadataOf(m.resource, m.stream, (*collection).takeMetadata))
	}
	return out
}

// kindOfMetadata is a kind of which only the metadata is read.
type kindOfMetadata struct {
	resource
	stream string
}

// settingStreams are the streams of settings, in their order.
func settingStreams() []string {
	return []string{record.StreamConfigMaps, record.StreamSecrets, record.StreamConfiguration, record.StreamCRDs, record.StreamRBAC}
}

func (c *collection) takeScaler(j *job, o *autoscalingv2.HorizontalPodAutoscaler) error {
	a := cutAutoscaler(o)
	j.autoscalers = append(j.autoscalers, a)
	if err := c.takeSpec(j, &o.ObjectMeta, &o.Spec); err != nil {
		return err
	}
	if n := len(j.settings); n > 0 && j.settings[n-1].Object.UID == string(o.UID) {
		j.settings[n-1].target = a.target
	}
	return nil
}

// takeSpec takes an object of which the spec is compared path by path.
func (c *collection) takeSpec(j *job, meta *metav1.ObjectMeta, spec any) error {
	c.takeSetting(j, meta, specFields, func(now *content, keys []string) []string {
		raw, err := json.Marshal(spec)
		if err != nil {
			return keys // cannot happen for what was just decoded
		}
		eachSpecPath("spec", "spec", raw, 1, func(path string, value []byte) {
			now.entries = append(now.entries, entry{path, c.tag(string(meta.UID), path, value)})
		})
		return now.complete()
	})
	return nil
}

// takeMetadata takes an object of which managedFields tell the paths.
func (c *collection) takeMetadata(j *job, m *metav1.PartialObjectMetadata) error {
	if m.Name == defaultAccount && j.kind.kind == "ServiceAccount" {
		j.standing++
	}
	c.takeSetting(j, &m.ObjectMeta, specFields, nil)
	return nil
}

// takeSetting cuts an object down, compares it with the last look and keeps what
// the next one is to know. An object of the resourceVersion that the last look saw
// is the same, and is not looked into. read may name and tag keys better than
// managedFields do.
func (c *collection) takeSetting(j *job, meta *metav1.ObjectMeta, fields keyFields, read func(now *content, keys []string) []string) {
	managers, keys, full := c.allowed.settingManagers(meta.ManagedFields, fields)
	if _, lock := meta.Annotations[leaderAnnotation]; lock && len(keys) == 0 && len(meta.ManagedFields) > 0 {
		j.locks++
		j.others = append(j.others, string(meta.UID))
		return
	}
	service, _ := c.labelled(meta.Labels)
	s := setting{Setting: record.Setting{
		From: j.stream, Object: c.object(j.kind.kind, meta), Service: service,
		Created: meta.CreationTimestamp.UTC(), Managers: managers, Keys: keys, ValuesRead: j.values,
	}}
	s.ManagedBy = managedBy(s.Object, meta.Labels, meta.Annotations)
	if meta.DeletionTimestamp != nil {
		s.Deleted = meta.DeletionTimestamp.UTC()
	}
	uid := string(meta.UID)
	now := content{version: versionText(meta.ResourceVersion), generation: meta.Generation, full: full}
	known, there := c.prior.before(uid)
	before, compares := readSheet(known.Facts)
	compares = compares && there && known.Kind == j.kind.kind && known.Namespace == meta.Namespace
	if compares && now.version != "" && before.version == now.version && before.check == c.tagCheck && (read == nil || before.form == 'n') {
		s.facts, s.brief = known.Facts, c.briefly(uid, before)
		s.Keys = before.keys(keys)
		j.settings = append(j.settings, s)
		return
	}
	if read != nil {
		s.Keys = read(&now, keys)
	} else {
		for _, key := range keys {
			now.entries = append(now.entries, entry{key: key})
		}
	}
	now.entries = append(now.entries, c.metaEntries(meta)...)
	slices.SortFunc(now.entries, compareEntries)
	if len(now.entries) > maxKeys {
		now.full = false
	}
	if compares {
		s.Diff = c.differ(uid, before, now)
	}
	s.facts, s.brief = c.sheets(uid, now)
	if len(s.Keys) > maxKeys {
		s.Keys = slices.Clone(s.Keys[:maxKeys]) // and none of the rest
	}
	j.settings = append(j.settings, s)
}

// keys are those of the last look, when it named them.
func (s sheet) keys(otherwise []string) []string {
	if s.form != 'n' {
		return otherwise
	}
	var out []string
	for part := range strings.SplitSeq(s.body, ";") {
		if key, _, _ := strings.Cut(part, "="); key != "" && !strings.HasPrefix(key, "metadata.") {
			out = append(out, key)
		}
	}
	return out
}

// versionText keeps a resourceVersion that is a number, as those of the API
// server are.
func versionText(s string) string {
	if len(s) > 20 || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}

// emitSettings ties settings to those that consume them and emits them, and what
// went away since the last look.
func (c *collection) emitSettings(ctx context.Context, j *joined, settings []setting) error {
	slices.SortFunc(settings, func(a, b setting) int { return compareObjects(a.Object, b.Object) })
	consumers := c.findConsumers(j)
	records := c.vanishedSettings(settings)
	keeps := make([]snapshotObject, 0, len(settings))
	for i := range settings {
		s := &settings[i]
		keeps = append(keeps, snapshotObject{object: s.Object, service: s.Service.Name, created: s.Created, facts: s.facts, brief: s.brief})
		if w := j.byName[s.target]; w != nil && s.Service.Name == "" {
			s.Service = record.Service{Name: w.Service.Name, Basis: "reference"}
		}
		c.bound(s)
		records = append(records, s.Setting)
	}
	slices.SortStableFunc(records, func(a, b record.Setting) int { return compareObjects(a.Object, b.Object) })
	for _, r := range records {
		r.Consumers = consumers[objectKey{r.Object.Kind, r.Object.Namespace, r.Object.Name}]
		if isStanding(r) {
			continue
		}
		if service, ok := oneService(r.Consumers); ok && r.Service.Name == "" {
			r.Service = service
		}
		if err := c.give(ctx, r, r.Object, r.Service); err != nil {
			return err
		}
	}
	c.snapshot = append(c.snapshot, keeps...)
	for _, stream := range settingStreams() {
		c.done[stream] = true
	}
	return nil
}

// isStanding reports whether every namespace has it and nobody changed it.
func isStanding(s record.Setting) bool {
	o := s.Object
	return o.Kind == "ConfigMap" && o.Name == rootCA ||
		o.Kind == "ServiceAccount" && o.Name == defaultAccount && s.Diff == nil &&
			!slices.ContainsFunc(s.Managers, func(m record.Manager) bool { return m.Data })
}

// bound says between which two looks a setting changed, and drops a change of which
// that cannot be told, as where a list was not complete.
func (c *collection) bound(s *setting) {
	if s.Diff == nil {
		return
	}
	if k, there := c.prior.before(s.Object.UID); there {
		if after, before, ok := c.since(k); ok {
			s.Diff.After, s.Diff.Before = after, before
			return
		}
	}
	s.Diff = nil
}

// vanishedSettings makes the records of the settings that are gone.
func (c *collection) vanishedSettings(settings []setting) []record.Setting {
	there := make(map[string]bool, len(settings))
	for i := range settings {
		there[settings[i].Object.UID] = true
	}
	for _, j := range c.jobs {
		for _, uid := range j.others {
			there[uid] = true
		}
	}
	var out []record.Setting
	for _, k := range settingKinds(&c.config) {
		// Another stream may list objects of the kind by another selector.
		looked := func(kind, namespace string) (glance, bool) {
			g, whole := c.glance(kind, namespace)
			return g, whole && g.stream == k.stream
		}
		for _, g := range c.prior.vanished(func(uid string) bool { return there[uid] }, looked, k.kind) {
			out = append(out, record.Setting{
				From: k.stream, Object: g.object(c.clusterID), Service: record.Service{Name: g.Service, Basis: "snapshot"}, Vanished: &g.between,
			})
		}
	}
	return out
}
