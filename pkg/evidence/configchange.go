package evidence

import (
	"fmt"
	"strings"
	"time"
)

// ConfigChange is the body of a ConfigChangeEvent.
type ConfigChange struct {
	// Change is create, update or delete.
	Change string `json:"change"`
	// How says how the change is known: managed_fields, snapshot, audit.
	How string `json:"how"`
	// NotBefore and NotAfter are the times of the two looks that were compared. With a
	// snapshot they bound the change.
	NotBefore *time.Time `json:"not_before,omitempty"`
	NotAfter  *time.Time `json:"not_after,omitempty"`
	// KeysKnown says whether Added, Removed and Changed are all that there is to
	// tell.
	KeysKnown bool     `json:"keys_known"`
	Added     []string `json:"keys_added,omitempty"`
	Removed   []string `json:"keys_removed,omitempty"`
	Changed   []string `json:"keys_changed,omitempty"`
	// KeysOfManager are the keys that whoever wrote last owns, where those are not
	// all: the change was about one of them at least, or removed one.
	KeysOfManager []string `json:"keys_of_manager,omitempty"`
	// Keys are all keys that the object has now, not those that the change was
	// about.
	Keys []string `json:"keys,omitempty"`
	// ValuesRead says that values were read and compared by their fingerprints.
	ValuesRead bool `json:"values_read,omitempty"`
	// ManagedBy is the delivery tool that manages the object. BesideManager says
	// that the change was made by something else than that tool.
	ManagedBy     *ManagedBy `json:"managed_by,omitempty"`
	BesideManager bool       `json:"beside_manager,omitempty"`
	// Consumers are the workloads whose present pod template names the object.
	Consumers []ConfigConsumer `json:"consumers,omitempty"`
	// ConsumersLeftOut counts those beyond the bound.
	ConsumersLeftOut int32 `json:"consumers_left_out,omitempty"`
}

// ConfigConsumer is a workload that names a ConfigMap or Secret, and what the
// change means to it.
type ConfigConsumer struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	ServiceKey string `json:"service_key,omitempty"`
	// Via is env, env_from, volume, projected, sub_path, image_pull_secret.
	Via []string `json:"via,omitempty"`
	// TakesEffect is live, restart or mixed.
	TakesEffect string `json:"takes_effect"`
	// Pods counts those that run; nil when pods could not be listed.
	Pods              *int32 `json:"pods,omitempty"`
	PodsStartedBefore *int32 `json:"pods_started_before,omitempty"`
	// Restarted is yes, no, partly, not_running or unknown; empty for a creation.
	Restarted string `json:"restarted,omitempty"`
}

// StartedBefore counts the pods that may still run with what was there before the
// change: those that were started before it and that it does not reach while
// they run.
func (c ConfigConsumer) StartedBefore() (before, of int32) {
	if c.TakesEffect == "live" || c.Restarted == "" || c.Pods == nil || c.PodsStartedBefore == nil {
		return 0, 0
	}
	return *c.PodsStartedBefore, *c.Pods
}

// maxNamed is how many keys or workloads a sentence names.
const maxNamed = 3

func summarizeConfigChange(name string, c *ConfigChange, beside string) string {
	verb := map[string]string{"create": "was created", "update": "was changed", "delete": "was deleted"}[c.Change]
	said := name + " " + verb
	if c.Change == "update" {
		said += c.about()
	}
	return said + beside + c.lagging()
}

// about says which keys: ": A, B; C added".
func (c *ConfigChange) about() string {
	var parts []string
	for _, p := range []struct {
		keys []string
		word string
	}{{c.Changed, ""}, {c.Added, " added"}, {c.Removed, " removed"}} {
		if len(p.keys) > 0 {
			parts = append(parts, Some(p.keys)+p.word)
		}
	}
	switch {
	case len(parts) > 0 && c.KeysKnown:
		return ": " + strings.Join(parts, "; ")
	case len(parts) > 0:
		return ": " + strings.Join(parts, "; ") + "; which other keys is not known"
	case len(c.KeysOfManager) > 0 && len(c.KeysOfManager) <= maxNamed:
		return ": " + strings.Join(c.KeysOfManager, " or ") + ", or a key that is gone"
	}
	return "; which keys is not known"
}

// Some names the first of several.
func Some(names []string) string {
	if len(names) <= maxNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
}

// lagging says which consumers have pods that were started before.
func (c *ConfigChange) lagging() string {
	var parts []string
	for _, consumer := range c.Consumers {
		if before, of := consumer.StartedBefore(); before > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d running pods of %s %s", before, of, consumer.Kind, consumer.Name))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "; started before that: " + Some(parts)
}
