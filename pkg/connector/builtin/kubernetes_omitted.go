//go:build rcactl_minimal && !rcactl_kubernetes

package builtin

import "github.com/rcactl/rcactl/pkg/connector"

func kubernetesType(r *connector.Registry) { r.Omit("kubernetes") }
