//go:build rcactl_minimal && !rcactl_github

package builtin

import "github.com/rcactl/rcactl/pkg/connector"

func githubType(r *connector.Registry) { r.Omit("github") }
