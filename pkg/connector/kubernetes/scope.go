package kubernetes

import (
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/connector"
)

// scope is what the command line left of the config's namespaces.
type scope struct {
	namespaces []string // "" for all
	// services are those that were asked for, true once one was met; nil for all.
	services map[string]bool
}

func newScope(s connector.Scope, namespaces []string) scope {
	out := scope{}
	wanted := map[string]bool{}
	narrowed := len(s.Services) > 0
	for _, service := range s.Services {
		if out.services == nil {
			out.services = map[string]bool{}
		}
		out.services[service] = false
		// A namespace becomes part of a path.
		if ns, _, _ := strings.Cut(service, "/"); isNamespace(ns) {
			wanted[ns] = true
		}
	}
	for _, ns := range namespaces {
		switch {
		case ns == allNamespaces && !narrowed:
			out.namespaces = append(out.namespaces, "")
		case ns == allNamespaces:
			for ns := range wanted {
				out.namespaces = append(out.namespaces, ns)
			}
		case !narrowed || wanted[ns]:
			out.namespaces = append(out.namespaces, ns)
		}
	}
	slices.Sort(out.namespaces)
	return out
}

// has reports whether a record of that service was asked for.
func (s scope) has(namespace, service string) bool {
	if s.services == nil {
		return true
	}
	name := namespace + "/" + service
	_, asked := s.services[name]
	if asked {
		s.services[name] = true
	}
	return asked
}
