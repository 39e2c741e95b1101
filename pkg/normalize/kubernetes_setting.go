package normalize

import (
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// rootCA is published into every namespace by Kubernetes itself.
const rootCA = "kube-root-ca.crt"

// configMap tells that a ConfigMap was created, or when it was last changed.
// Which keys changed, one look does not tell.
func setting(connectorName string, m record.Setting) []evidence.Event {
	if m.Object.Name == rootCA || m.Created.IsZero() {
		return nil
	}
	event := envelope(connectorName, evidence.KindConfigChange, m, m.Object, m.Service)
	// Who owns no data changed a label or an annotation, unless there is no data.
	wrote := func(w record.Manager) bool { return w.Subresource == "" && (w.Data || len(m.Keys) == 0) }
	created := event
	created.ID = evidence.ID(evidence.KindConfigChange, append(identity(m.Object), "create")...)
	created.Time = m.Created
	created.Actor = manager(writer(m.Managers, m.Created.Add(-stamp), m.Created, wrote))
	created.ConfigChange = &evidence.ConfigChange{Change: "create", How: "managed_fields", Keys: m.Keys}

	var last *record.Manager
	for i := range m.Managers {
		if w := &m.Managers[i]; w.Subresource == "" && w.Data && w.Time.After(m.Created) {
			last = w
		}
	}
	if last == nil {
		return []evidence.Event{created}
	}
	// Who wrote at the creation and again later left only the later time.
	updated := event
	updated.ID = evidence.ID(evidence.KindConfigChange, append(identity(m.Object), "update", seconds(last.Time))...)
	updated.Time = last.Time
	updated.Actor = manager(writer(m.Managers, last.Time, last.Time, wrote))
	updated.ConfigChange = &evidence.ConfigChange{Change: "update", How: "managed_fields", Keys: m.Keys}
	return []evidence.Event{created, updated}
}
