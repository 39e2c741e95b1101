//go:build !rcactl_minimal || rcactl_github

package builtin

import (
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/github"
)

func githubType(r *connector.Registry) { r.Register(github.Factory()) }
