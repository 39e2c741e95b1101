package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

const (
	restartedAtAnnotation = "kubectl.kubernetes.io/restartedAt"
	podTemplateHashLabel  = "pod-template-hash"
	revisionHashLabel     = "controller-revision-hash"
)

// template is a pod template cut down.
type template struct {
	digest      string
	restartedAt time.Time
	containers  []record.Container
	fields      record.Fields
}

// cutTemplate digests the template without what a restart or the controller
// itself writes into it, and its fields one by one. The digests stay in memory:
// they are only compared.
func cutTemplate(t *corev1.PodTemplateSpec, reader *templateReader) template {
	bare := *t
	bare.Annotations = without(t.Annotations, restartedAtAnnotation)
	bare.Labels = without(t.Labels, podTemplateHashLabel)
	raw := reader.marshal(&bare)
	sum := sha256.Sum256(raw)
	return template{
		digest:      hex.EncodeToString(sum[:]),
		restartedAt: restartedAt(t.Annotations),
		containers:  containers(&t.Spec),
		fields:      reader.read(raw),
	}
}

// cutRawTemplate does the same for the patch that a ControllerRevision holds.
// ok is false when there is no pod template in it.
func cutRawTemplate(raw []byte, reader *templateReader) (template, bool) {
	var typed struct {
		Spec struct {
			Template *corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &typed) != nil || typed.Spec.Template == nil {
		return template{}, false
	}
	return cutTemplate(typed.Spec.Template, reader), true
}

func without(m map[string]string, key string) map[string]string {
	if _, ok := m[key]; ok {
		m = maps.Clone(m)
		delete(m, key)
	}
	if len(m) == 0 {
		return nil
	}
	return m
}

// restartedAt reads what "kubectl rollout restart" writes: a time with a zone.
func restartedAt(annotations map[string]string) time.Time {
	t, err := time.Parse(time.RFC3339, annotations[restartedAtAnnotation])
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func containers(spec *corev1.PodSpec) []record.Container {
	out := make([]record.Container, 0, len(spec.InitContainers)+len(spec.Containers))
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			out = append(out, record.Container{Name: list[i].Name, Image: imageRef(list[i].Image)})
		}
	}
	return out
}

// isImage takes HOST[:PORT]/PATH[:TAG][@DIGEST]. A reference to an image has no
// scheme, no user and no query: what has one is not written down, since it may be
// a credential. It is asked for every container, where a pattern would be slow.
func isImage(s string) bool {
	name, digest, pinned := strings.Cut(s, "@")
	if pinned {
		algorithm, hex, ok := strings.Cut(digest, ":")
		if !ok || !isAll(algorithm, 1, 64, "_+.-") || len(hex) < 32 || len(hex) > 128 || strings.Trim(hex, "0123456789abcdefABCDEF") != "" {
			return false
		}
	}
	path, tag, tagged := name, "", false
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		path, tag, tagged = name[:i], name[i+1:], true
	}
	if tagged && (!isAll(tag, 1, 128, "._-") || tag[0] == '.' || tag[0] == '-') {
		return false
	}
	first, rest, more := strings.Cut(path, "/")
	if host, port, ok := strings.Cut(first, ":"); ok {
		if port == "" || strings.Trim(port, "0123456789") != "" {
			return false
		}
		first = host
	}
	if !isAll(first, 1, 255, "._-") || strings.IndexByte("._-", first[0]) >= 0 {
		return false
	}
	for more {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		if !isAll(part, 1, 255, "._-") {
			return false
		}
	}
	return true
}

// isAll reports whether s has that many letters, digits and others.
func isAll(s string, least, most int, others string) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(others, c) >= 0) {
			return false
		}
	}
	return true
}

// invalidImage stands for a reference that no registry would take.
const invalidImage = "(not an image reference)"

func imageRef(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 512 || !isImage(s) {
		return invalidImage
	}
	return s
}

var imageDigest = regexp.MustCompile(`@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)

// runningDigest is the digest in a status' imageID. One without a repository is
// the id of an image config on that node, which no registry knows.
func runningDigest(imageID string) string {
	if m := imageDigest.FindStringSubmatch(imageID); m != nil {
		return m[1]
	}
	return ""
}
