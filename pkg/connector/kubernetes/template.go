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
	// claims are those of the labels and annotations of the template, and beside it.
	claims []record.Claim
}

// cutTemplate digests the template without what a restart or the controller
// itself writes into it, and its fields one by one. The digests stay in memory:
// they are only compared. beside are labels and annotations that belong to the template
// and stand elsewhere.
func cutTemplate(t *corev1.PodTemplateSpec, reader *templateReader, beside ...map[string]string) template {
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
		claims:      reader.claims.read(append([]map[string]string{t.Annotations, t.Labels}, beside...)...),
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

// A reference to an image has no scheme, no user and no query: what has one is
// not written down, since it may be a credential.
var imageReference = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]+)?(/[A-Za-z0-9._-]+)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@[A-Za-z0-9_+.-]+:[0-9a-fA-F]{32,128})?$`)

// invalidImage stands for a reference that no registry would take.
const invalidImage = "(not an image reference)"

func imageRef(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 512 || !imageReference.MatchString(s) {
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
