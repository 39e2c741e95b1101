package evidence

import (
	"fmt"
	"strings"
	"time"
)

// Signal is the body of a RuntimeSignal.
type Signal struct {
	// Class is one of a closed set of well-known troubles.
	Class string `json:"class"`
	// Detail refines the class out of a closed set.
	Detail string `json:"detail,omitempty"`
	// Reason is the reason in the API's words.
	Reason    string `json:"reason,omitempty"`
	Container string `json:"container,omitempty"`
	Image     string `json:"image,omitempty"`
	Node      string `json:"node,omitempty"`
	// Count is how often, as the API counts.
	Count int32      `json:"count"`
	First time.Time  `json:"first"`
	Last  *time.Time `json:"last,omitempty"`
	// Ongoing says that the state stood when it was read.
	Ongoing  bool   `json:"ongoing"`
	ExitCode *int32 `json:"exit_code,omitempty"`
	Restarts *int32 `json:"restart_count,omitempty"`
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
