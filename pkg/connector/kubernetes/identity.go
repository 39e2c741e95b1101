package kubernetes

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/rcactl/rcactl/pkg/connector"
)

// kubeSystemPath is the namespace that lives as long as its cluster.
const kubeSystemPath = "/api/v1/namespaces/kube-system"

// identityGrants are the permissions to ask who the cluster is. A Role in the
// namespace kube-system is enough for the second.
func identityGrants() []connector.Grant {
	return []connector.Grant{
		{Verb: "get", Resource: "/version", Rule: `- {nonResourceURLs: ["/version"], verbs: ["get"]}  # in a ClusterRole; by default everybody has it`},
		{
			Verb: "get", Resource: "namespaces", Namespace: "kube-system",
			Rule: `- {apiGroups: [""], resources: ["namespaces"], resourceNames: ["kube-system"], verbs: ["get"]}  # in a Role in the namespace kube-system`,
		},
	}
}

// Identity implements connector.Identifier: what the cluster is, the server's
// version and its clock. The label of service keys is no part of it: two
// clusters may be given the same one by mistake.
func (s *source) Identity(ctx context.Context) (connector.Identity, error) {
	version, err := s.api.serverVersion(ctx)
	if err != nil && !apierrors.IsForbidden(err) {
		return connector.Identity{}, classify(ctx, err, "the version of the server")
	}
	if err := s.identify(ctx); err != nil {
		return connector.Identity{}, err
	}
	id := connector.Identity{Target: s.target, Version: version, Skew: s.api.requests.Clock()}
	if server := s.serverName(); s.target != server {
		id.Aliases = []string{server}
	}
	return id, nil
}

// serverName is what the cluster is called by a credential that may not read
// the namespace kube-system.
func (s *source) serverName() string { return "server-" + s.api.server }

// identify finds out once what the cluster is, the UID of kube-system, else a
// digest of the server, and how service keys call it: as the config says, else
// the same.
func (s *source) identify(ctx context.Context) error {
	if s.target != "" {
		return nil
	}
	if s.api.recording != nil {
		return s.identifyRecording(ctx)
	}
	var kubeSystem corev1.Namespace
	err := s.api.get(withPurpose(ctx, "", "cluster id"), kubeSystemPath, nil, asObjects, &kubeSystem)
	switch {
	case err == nil && isUID(string(kubeSystem.UID)):
		s.target = string(kubeSystem.UID)
	case err == nil || apierrors.IsForbidden(err) || apierrors.IsNotFound(err):
		s.target = s.serverName()
	default:
		return classify(ctx, err, "the namespace kube-system")
	}
	s.clusterID = cmp.Or(s.config.ClusterID, s.target)
	return nil
}

// guessedIDNote is for the manifest: service keys with a guessed cluster id do
// not match those of another server address.
const guessedIDNote = "The cluster id is a digest of the API server's certificate authority or address, because the UID of the namespace kube-system " +
	"may not be read; set cluster_id to keep service keys stable."

// relabelledNote says that service keys of two looks do not match.
func relabelledNote(before, now string) string {
	return fmt.Sprintf("Service keys began with %s at the last look and begin with %s now, because the credential may read more or less than it might then; "+
		"set cluster_id to keep them stable.", before, now)
}
