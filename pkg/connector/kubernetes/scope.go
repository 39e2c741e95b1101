package kubernetes

import (
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/connector"
)

// scope is what the config and the command line leave of a cluster: the
// namespaces that are listed, and of what the lists give the objects and
// records that are wanted.
type scope struct {
	namespaces []string // to list; "" for all
	// include and exclude are names and patterns of namespaces; a nil include takes
	// all. They matter where all namespaces are listed.
	include, exclude []string
	// chooses is the label selector; nil takes all.
	chooses selector
	// services are those that were asked for, true once one was met; nil for all.
	services map[string]bool
}

func newScope(s connector.Scope, namespaces, exclude []string, chooses selector) scope {
	out := scope{exclude: exclude, chooses: chooses}
	if !slices.Contains(namespaces, allNamespaces) {
		out.include = append([]string{}, namespaces...)
	}
	wanted := map[string]bool{}
	narrowed := len(s.Services) > 0
	for _, service := range s.Services {
		if out.services == nil {
			out.services = map[string]bool{}
		}
		out.services[service] = false
		// A namespace becomes part of a path.
		if ns, _, _ := strings.Cut(service, "/"); isNamespace(ns) && out.covers(ns) {
			wanted[ns] = true
		}
	}
	everywhere := slices.ContainsFunc(namespaces, isPattern)
	switch {
	case everywhere && !narrowed:
		out.namespaces = []string{""}
	case everywhere:
		for ns := range wanted {
			out.namespaces = append(out.namespaces, ns)
		}
	default:
		for _, ns := range namespaces {
			if out.covers(ns) && (!narrowed || wanted[ns]) {
				out.namespaces = append(out.namespaces, ns)
			}
		}
	}
	slices.Sort(out.namespaces)
	return out
}

// isPattern reports whether a namespace of the config stands for several, which
// takes lists of all.
func isPattern(ns string) bool { return strings.HasSuffix(ns, "*") }

// fits reports whether a namespace is one of names and patterns.
func fits(ns string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		prefix, pattern := strings.CutSuffix(p, "*")
		return ns == p || pattern && strings.HasPrefix(ns, prefix)
	})
}

// covers reports whether a namespace is read; what is of the whole cluster is.
func (s scope) covers(ns string) bool {
	return ns == "" || (s.include == nil || fits(ns, s.include)) && !fits(ns, s.exclude)
}

// has reports whether a record of that service was asked for.
func (s scope) has(namespace, service string) bool {
	if !s.covers(namespace) {
		return false
	}
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
