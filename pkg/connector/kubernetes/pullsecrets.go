package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/secret"
)

const (
	// maxPullSecrets bounds the Secrets that are read.
	maxPullSecrets = 50
	// maxPullNames bounds the names that one list of pods may give.
	maxPullNames = 10_000
)

// pullSecret names a Secret with which images are pulled.
type pullSecret struct{ namespace, name string }

// pulled says which owner's pods name it.
type pulled struct {
	pullSecret
	owner types.UID
}

// takePulls notes what a pod names: more than its template does, because the
// cluster adds what its ServiceAccount names.
func (j *job) takePulls(p *corev1.Pod) {
	for _, ref := range p.Spec.ImagePullSecrets {
		owner := metav1.GetControllerOfNoCopy(p)
		if owner == nil || !isObject(ref.Name) || len(j.pulls) >= maxPullNames {
			continue
		}
		if j.pulls == nil {
			j.pulls = map[pulled]bool{}
		}
		j.pulls[pulled{pullSecret{p.Namespace, ref.Name}, owner.UID}] = true
	}
}

// findPulls gives the Secrets that the workloads that were asked for name, sorted.
// Nothing is read of them here.
func (c *collection) findPulls(j *joined) []pullSecret {
	found := map[pullSecret]bool{}
	wanted := func(w *workload) bool {
		return w != nil && (c.choice == nil || c.choice.chosen[types.UID(w.Object.UID)]) && c.scope.has(w.Object.Namespace, w.Service.Name)
	}
	for _, w := range j.workloads {
		for _, ref := range w.refs {
			if ref.via == record.ViaImagePullSecret && wanted(w) {
				found[pullSecret{w.Object.Namespace, ref.name}] = true
			}
		}
	}
	for _, list := range c.jobs {
		for p := range list.pulls {
			owner := p.owner
			if r := j.setByUID[owner]; r != nil {
				owner = r.owner
			}
			if wanted(j.byUID[owner]) {
				found[p.pullSecret] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b pullSecret) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.name, b.name))
	})
}

// pullSecretKey lets one Secret through the gate: its value is the path.
type pullSecretKey struct{}

// PullSecrets implements connector.PullSecretReader. It asks for each Secret by its
// name, which a grant can be limited to, and only for those that the workloads of
// the last Collect name as imagePullSecrets.
func (s *source) PullSecrets(ctx context.Context) (configs []secret.Value, actions []connector.Action, notes []string, err error) {
	defer func() { actions = s.api.requests.Take(allStreams()) }()
	if len(s.pulls) > maxPullSecrets {
		notes = append(notes, fmt.Sprintf("The workloads name %d image pull Secrets; the first %d, by namespace and name, were read.", len(s.pulls), maxPullSecrets))
	}
	failed := map[string][]string{} // by what was wrong
	for _, p := range s.pulls[:min(len(s.pulls), maxPullSecrets)] {
		config, wrong := s.pullSecret(ctx, p)
		if ctx.Err() != nil {
			return nil, nil, nil, classify(ctx, ctx.Err(), "image pull Secrets")
		}
		if wrong != "" {
			failed[wrong] = append(failed[wrong], p.namespace+"/"+p.name)
		} else {
			configs = append(configs, config)
		}
	}
	for _, wrong := range slices.Sorted(maps.Keys(failed)) {
		notes = append(notes, fmt.Sprintf("Image pull Secrets that could not be used (%s): %s.", wrong, strings.Join(failed[wrong], ", ")))
	}
	return configs, nil, notes, nil
}

// pullSecret reads one Secret; wrong says why it cannot be used.
func (s *source) pullSecret(ctx context.Context, p pullSecret) (config secret.Value, wrong string) {
	path := "/api/v1/namespaces/" + p.namespace + "/secrets/" + p.name
	ctx = context.WithValue(withPurpose(ctx, "", "credential for pulling images"), pullSecretKey{}, path)
	var object corev1.Secret
	if err := s.api.get(ctx, path, nil, asObjects, &object); err != nil {
		switch {
		case apierrors.IsNotFound(err):
			return secret.Value{}, "there are none of these names"
		case apierrors.IsForbidden(err):
			return secret.Value{}, "the credential may not get them; give it the verb get on secrets with these resourceNames"
		}
		return secret.Value{}, "asking for them failed: " + string(classify(ctx, err, "an image pull Secret").Class)
	}
	defer func() {
		for _, value := range object.Data {
			wipe(value)
		}
	}()
	var raw []byte
	switch object.Type {
	case corev1.SecretTypeDockerConfigJson:
		raw = bytes.Clone(object.Data[corev1.DockerConfigJsonKey])
	case corev1.SecretTypeDockercfg:
		raw = slices.Concat([]byte(`{"auths":`), object.Data[corev1.DockerConfigKey], []byte(`}`))
	default:
		return secret.Value{}, "they are of another type"
	}
	if !json.Valid(raw) {
		wipe(raw)
		return secret.Value{}, "their content is not the JSON of a docker config"
	}
	return secret.NewValue(raw), ""
}

// PullSecrets of a recording are not used: whoever made it did not give them for that.
func (*recorded) PullSecrets(context.Context) ([]secret.Value, []connector.Action, []string, error) {
	return nil, nil, []string{"A recording's Secrets are never used as credentials."}, nil
}

// Interface checks.
var (
	_ connector.PullSecretReader = (*source)(nil)
	_ connector.PullSecretReader = (*recorded)(nil)
)
