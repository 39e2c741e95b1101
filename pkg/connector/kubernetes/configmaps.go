package kubernetes

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// leaderAnnotation marks a ConfigMap that is a lock: it changes every few
// seconds and configures nothing.
const leaderAnnotation = "control-plane.alpha.kubernetes.io/leader"

// rootCA is published into every namespace by Kubernetes itself.
const rootCA = "kube-root-ca.crt"

// cutConfigMap keeps when it changed and by which program, and its keys. ok is
// false for a lock: one with data is more than that, whatever it says of itself.
func (s *source) cutConfigMap(m *metav1.PartialObjectMetadata) (record.ConfigMap, bool) {
	keys := dataKeys(m.ManagedFields)
	if _, lock := m.Annotations[leaderAnnotation]; lock && len(keys) == 0 && len(m.ManagedFields) > 0 {
		return record.ConfigMap{}, false
	}
	service, _ := s.labelled(m.Labels)
	return record.ConfigMap{
		Object: s.object("ConfigMap", &m.ObjectMeta), Service: service, Created: m.CreationTimestamp.UTC(),
		Managers: managers(m.ManagedFields), Keys: keys,
	}, true
}
