package kubernetes

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// allowlist chooses the labels and annotations of settings that matter: those that
// say what an object belongs to and those that configure somebody. Keys of others
// are not even named.
type allowlist struct{ labels []string }

// label reports whether a label is compared between two looks.
func (l *allowlist) label(key string) bool {
	if len(key) > maxPathLength-len("metadata.annotations[]") {
		return false
	}
	prefix, _, _ := strings.Cut(key, "/")
	switch prefix {
	case "app.kubernetes.io", "pod-security.kubernetes.io", "istio-injection", "istio.io":
		return isLabelKey(key)
	}
	return slices.Contains(l.labels, key)
}

// annotation does so for annotations: those of ingress controllers and load
// balancers, and checksums that make a workload follow its configuration.
func (l *allowlist) annotation(key string) bool {
	prefix, _, found := strings.Cut(key, "/")
	return found && len(key) <= maxPathLength-len("metadata.annotations[]") && (prefix == "checksum" || prefix == "ingress.kubernetes.io" || strings.HasSuffix(prefix, ".ingress.kubernetes.io") ||
		prefix == "service.beta.kubernetes.io" || prefix == "service.kubernetes.io") && isLabelKey(key)
}

// eachOwned gives the keys of allowlisted labels and annotations that a field set
// names.
func (l *allowlist) eachOwned(fieldsV1 []byte, yield func(key string)) {
	eachEntry(field(fieldsV1, "f:metadata"), func(name, value []byte) {
		takes, where := l.label, "labels"
		switch string(name) {
		case "f:labels":
		case "f:annotations":
			takes, where = l.annotation, "annotations"
		default:
			return
		}
		eachEntry(value, func(name, _ []byte) {
			if key, ok := strings.CutPrefix(string(name), "f:"); ok && takes(key) {
				yield("metadata." + where + "[" + key + "]")
			}
		})
	})
}

// metaEntries are the entries of allowlisted labels and annotations, all of them:
// one that were left out would look like one that was removed.
func (c *collection) metaEntries(m *metav1.ObjectMeta) []entry {
	var out []entry
	add := func(set map[string]string, takes func(string) bool, where string) {
		for key, value := range set {
			if takes(key) {
				name := "metadata." + where + "[" + key + "]"
				out = append(out, entry{name, c.tag(string(m.UID), name, []byte(value))})
			}
		}
	}
	add(m.Labels, c.allowed.label, "labels")
	add(m.Annotations, c.allowed.annotation, "annotations")
	return out
}
