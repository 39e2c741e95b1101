package kubernetes

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// leaderAnnotation marks a ConfigMap that is a lock: it changes every few
// seconds and configures nothing.
const leaderAnnotation = "control-plane.alpha.kubernetes.io/leader"

// rootCA is published into every namespace by Kubernetes itself.
const rootCA = "kube-root-ca.crt"

// setting is a record in the making.
type setting struct {
	record.Setting
}

// settingKinds are the objects that configure workloads.
func settingKinds(*Config) []kind {
	return []kind{metadataOf(configMaps(), record.StreamConfigMaps, (*collection).takeConfigMap)}
}

func (c *collection) takeConfigMap(j *job, m *metav1.PartialObjectMetadata) error {
	if m.Name == rootCA {
		j.standing++
	}
	if s, ok := c.cutConfigMap(m); ok {
		j.settings = append(j.settings, s)
	} else {
		j.locks++
	}
	return nil
}

// cutConfigMap keeps when it changed and by which program, and its keys. ok is
// false for a lock: one with data is more than that, whatever it says of itself.
func (s *source) cutConfigMap(m *metav1.PartialObjectMetadata) (setting, bool) {
	keys := dataKeys(m.ManagedFields)
	if _, lock := m.Annotations[leaderAnnotation]; lock && len(keys) == 0 && len(m.ManagedFields) > 0 {
		return setting{}, false
	}
	service, _ := s.labelled(m.Labels)
	return setting{record.Setting{
		From: record.StreamConfigMaps, Object: s.object("ConfigMap", &m.ObjectMeta), Service: service, Created: m.CreationTimestamp.UTC(),
		Managers: managers(m.ManagedFields), Keys: keys,
	}}, true
}

func (c *collection) emitSettings(ctx context.Context, _ *joined, settings []setting) error {
	slices.SortFunc(settings, func(a, b setting) int { return compareObjects(a.Object, b.Object) })
	for _, s := range settings {
		if err := c.give(ctx, s.Setting, s.Object, s.Service); err != nil {
			return err
		}
	}
	for _, stream := range []string{record.StreamConfigMaps, record.StreamSecrets, record.StreamConfiguration, record.StreamCRDs, record.StreamRBAC} {
		c.done[stream] = true
	}
	return nil
}
