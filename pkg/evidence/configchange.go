package evidence

import "fmt"

// ConfigChange is the body of a ConfigChangeEvent.
type ConfigChange struct {
	// Change is create, update or delete.
	Change string `json:"change"`
	// How says how the change is known: managed_fields, snapshot, audit.
	How string `json:"how"`
	// KeysKnown says whether Added, Removed and Changed could be told.
	KeysKnown bool     `json:"keys_known"`
	Added     []string `json:"keys_added,omitempty"`
	Removed   []string `json:"keys_removed,omitempty"`
	Changed   []string `json:"keys_changed,omitempty"`
	// Keys are all data keys that the object has now, not those that the change
	// was about.
	Keys []string `json:"keys,omitempty"`
	// ManagedBy is the delivery tool that manages the object. BesideManager says
	// that the change was made by something else than that tool.
	ManagedBy     *ManagedBy `json:"managed_by,omitempty"`
	BesideManager bool       `json:"beside_manager,omitempty"`
}

func summarizeConfigChange(name string, c *ConfigChange) string {
	verb := map[string]string{"create": "was created", "update": "was changed", "delete": "was deleted"}[c.Change]
	if !c.KeysKnown && c.Change == "update" {
		return fmt.Sprintf("%s %s; which keys is not known", name, verb)
	}
	return fmt.Sprintf("%s %s", name, verb)
}
