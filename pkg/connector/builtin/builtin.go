// Package builtin lists the connectors of this build.
//
// Each type has two files with opposite build constraints: one registers it,
// the other notes that it was left out. By default everything is in; the tag
// rcactl_minimal leaves everything out, and rcactl_<type> brings one back.
// These files are the only ones in the tree with such tags.
package builtin

import "github.com/rcactl/rcactl/pkg/connector"

// Registry returns the connector types of this build.
func Registry() *connector.Registry {
	r := &connector.Registry{}
	kubernetesType(r)
	githubType(r)
	return r
}
