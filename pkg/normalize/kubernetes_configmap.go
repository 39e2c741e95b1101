package normalize

import (
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// rootCA is published into every namespace by Kubernetes itself.
const rootCA = "kube-root-ca.crt"

// configMap tells that a ConfigMap was created, or when it was last changed.
// Which keys changed, one look does not tell.
func configMap(connectorName string, m record.ConfigMap) []evidence.Event {
	if m.Object.Name == rootCA || m.Created.IsZero() {
		return nil
	}
	event := envelope(connectorName, evidence.KindConfigChange, m, m.Object, m.Service)
	anyone := func(w record.Manager) bool { return w.Subresource == "" }
	created := event
	created.ID = evidence.ID(evidence.KindConfigChange, append(identity(m.Object), "create")...)
	created.Time = m.Created
	created.Actor = manager(managerAt(m.Managers, m.Created, anyone))
	created.ConfigChange = &evidence.ConfigChange{Change: "create", How: "managed_fields", Keys: m.Keys}

	var last *record.Manager
	for i := range m.Managers {
		if w := &m.Managers[i]; anyone(*w) && w.Time.After(m.Created) {
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
	updated.Actor = manager(managerAt(m.Managers, last.Time, anyone))
	updated.ConfigChange = &evidence.ConfigChange{Change: "update", How: "managed_fields", Keys: m.Keys}
	return []evidence.Event{created, updated}
}
