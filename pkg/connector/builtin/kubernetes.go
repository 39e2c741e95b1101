//go:build !rcactl_minimal || rcactl_kubernetes

package builtin

import (
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/kubernetes"
)

func kubernetesType(r *connector.Registry) { r.Register(kubernetes.Factory()) }
