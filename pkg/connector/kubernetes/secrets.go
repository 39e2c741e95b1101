package kubernetes

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// accountAnnotation names the ServiceAccount of which a Secret is a token.
const accountAnnotation = "kubernetes.io/service-account.name"

// lastApplied is where kubectl apply keeps a copy of the whole object, values
// included.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// selectSecrets leaves out, on the server, what is no configuration: tokens and
// Helm's releases.
const selectSecrets = "type!=kubernetes.io/service-account-token,type!=helm.sh/release.v1,type!=bootstrap.kubernetes.io/token" //nolint:gosec // a selector, no credential

// dataKinds are ConfigMaps and Secrets. Only with fingerprints their values are
// read, and then whole objects are.
func dataKinds(config *Config) []kind {
	if !config.Fingerprints {
		s := metadataOf(secrets(), record.StreamSecrets, (*collection).takeSecretMetadata)
		s.selector = selectSecrets
		return []kind{metadataOf(configMaps(), record.StreamConfigMaps, (*collection).takeConfigMapMetadata), s}
	}
	m := kindOf(configMaps(), record.StreamConfigMaps, func(l *corev1.ConfigMapList) []corev1.ConfigMap { return l.Items }, (*collection).takeConfigMap)
	s := kindOf(secrets(), record.StreamSecrets, func(l *corev1.SecretList) []corev1.Secret { return l.Items }, (*collection).takeSecret)
	m.values, s.values, s.selector = true, true, selectSecrets
	return []kind{m, s}
}

func (c *collection) takeConfigMapMetadata(j *job, m *metav1.PartialObjectMetadata) error {
	c.takeData(j, &m.ObjectMeta, nil)
	return nil
}

func (c *collection) takeSecretMetadata(j *job, m *metav1.PartialObjectMetadata) error {
	if isConfiguration(&m.ObjectMeta) {
		c.takeData(j, &m.ObjectMeta, nil)
	} else {
		j.others = append(j.others, string(m.UID))
	}
	return nil
}

// isConfiguration is false for the Secrets that a server leaves out by their type,
// which a recording does not.
func isConfiguration(m *metav1.ObjectMeta) bool {
	_, token := m.Annotations[accountAnnotation]
	return !token && !strings.HasPrefix(m.Name, helmPrefix)
}

// takeData takes a ConfigMap or Secret. Without read only the names of its keys
// are known, and those as far as managedFields tell.
func (c *collection) takeData(j *job, m *metav1.ObjectMeta, read func(now *content, keys []string) []string) {
	if m.Name == rootCA && j.kind.kind == "ConfigMap" {
		j.standing++
	}
	if _, copied := m.Annotations[lastApplied]; copied && j.kind.kind == "Secret" {
		j.copies++
	}
	c.takeSetting(j, m, dataFields, read)
}

// takeConfigMap digests the values. They are strings, which Go cannot wipe: they
// are gone when the page is; what was copied out of them is wiped.
func (c *collection) takeConfigMap(j *job, m *corev1.ConfigMap) error {
	c.takeData(j, &m.ObjectMeta, func(now *content, _ []string) []string {
		var copied []byte
		for key, value := range m.Data {
			copied = append(copied[:0], value...)
			c.addValue(now, &m.ObjectMeta, key, copied)
			wipe(copied[:cap(copied)])
		}
		for key, value := range m.BinaryData {
			c.addValue(now, &m.ObjectMeta, key, value)
		}
		return now.complete()
	})
	m.Data = nil
	for _, value := range m.BinaryData {
		wipe(value)
	}
	return nil
}

// takeSecret digests the values, and wipes them.
func (c *collection) takeSecret(j *job, m *corev1.Secret) error {
	if isConfiguration(&m.ObjectMeta) && m.Type != corev1.SecretTypeServiceAccountToken && m.Type != "helm.sh/release.v1" {
		c.takeData(j, &m.ObjectMeta, func(now *content, _ []string) []string {
			for key, value := range m.Data {
				c.addValue(now, &m.ObjectMeta, key, value)
			}
			return now.complete()
		})
	} else {
		j.others = append(j.others, string(m.UID))
	}
	for _, value := range m.Data {
		wipe(value)
	}
	m.StringData = nil
	return nil
}

func (c *collection) addValue(now *content, m *metav1.ObjectMeta, key string, value []byte) {
	if isDataKey(key) {
		now.entries = append(now.entries, entry{key, c.tag(string(m.UID), key, value)})
	}
}

// complete gives the keys of the entries, sorted, each once. The object itself told
// them, so that they are all.
func (c *content) complete() []string {
	c.full = true
	slices.SortFunc(c.entries, compareEntries)
	c.entries = slices.CompactFunc(c.entries, func(a, b entry) bool { return a.key == b.key })
	out := make([]string, 0, len(c.entries))
	for _, e := range c.entries {
		out = append(out, e.key)
	}
	return out
}

// wipe overwrites what held a value.
func wipe(b []byte) { clear(b) }
