package evidence

import (
	"fmt"
	"strings"
)

// Summarize makes the one sentence of an event from its fields and nothing else.
// Called on a redacted event it shows what redaction left. It never says that
// something caused something.
func Summarize(e Event) string {
	name := e.Source.Object.Kind + " " + e.Source.Object.Name
	switch {
	case e.Deployment != nil:
		return summarizeDeployment(name, e.Deployment)
	case e.ConfigChange != nil:
		return summarizeConfigChange(name, e.ConfigChange)
	case e.Signal != nil:
		return summarizeSignal(name, e.Signal)
	}
	return name
}

func summarizeDeployment(name string, d *Deployment) string {
	var b strings.Builder
	switch d.Change {
	case ChangeCreate:
		fmt.Fprintf(&b, "%s was created", name)
	case ChangeRollout:
		fmt.Fprintf(&b, "%s was rolled out", name)
	case ChangeRollback:
		fmt.Fprintf(&b, "%s was rolled back", name)
	case ChangeRestart:
		fmt.Fprintf(&b, "%s was restarted with the same template", name)
	case ChangeScale:
		fmt.Fprintf(&b, "%s was scaled", name)
	case ChangeDelete:
		fmt.Fprintf(&b, "%s was deleted", name)
	}
	if r := d.Replicas; r != nil {
		if r.From != nil {
			fmt.Fprintf(&b, " from %d", *r.From)
		}
		fmt.Fprintf(&b, " to %d replicas", r.To)
	}
	if d.From != nil && d.To != nil {
		fmt.Fprintf(&b, " from revision %d to %d", d.From.Revision, d.To.Revision)
	} else if d.To != nil {
		fmt.Fprintf(&b, " at revision %d", d.To.Revision)
	}
	if d.Change == ChangeRollback && d.To != nil && len(d.To.FormerRevisions) > 0 {
		fmt.Fprintf(&b, ", the template of revision %d", d.To.FormerRevisions[len(d.To.FormerRevisions)-1])
	}
	switch d.Status {
	case StatusProgressing, StatusFailed, StatusPaused:
		fmt.Fprintf(&b, "; %s", d.Status)
		if d.Reason != "" {
			fmt.Fprintf(&b, " (%s)", d.Reason)
		}
	}
	return b.String()
}

func summarizeConfigChange(name string, c *ConfigChange) string {
	verb := map[string]string{"create": "was created", "update": "was changed", "delete": "was deleted"}[c.Change]
	if !c.KeysKnown && c.Change == "update" {
		return fmt.Sprintf("%s %s; which keys is not known", name, verb)
	}
	return fmt.Sprintf("%s %s", name, verb)
}

func summarizeSignal(name string, s *Signal) string {
	var b strings.Builder
	b.WriteString(name)
	if s.Container != "" {
		fmt.Fprintf(&b, ", container %s", s.Container)
	}
	fmt.Fprintf(&b, ": %s", strings.ReplaceAll(s.Class, "_", " "))
	if s.Detail != "" {
		fmt.Fprintf(&b, " (%s)", strings.ReplaceAll(s.Detail, "_", " "))
	}
	if s.ExitCode != nil {
		fmt.Fprintf(&b, ", exit code %d", *s.ExitCode)
	}
	if s.Count > 1 {
		fmt.Fprintf(&b, ", %d times", s.Count)
	}
	if s.Ongoing {
		b.WriteString(", still so when it was read")
	}
	return b.String()
}
