package kubernetes

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/rcactl/rcactl/pkg/connector"
)

// Identity implements connector.Identifier: the cluster id, the server's
// version and its clock.
func (s *source) Identity(ctx context.Context) (connector.Identity, error) {
	version, err := s.api.serverVersion(ctx)
	if err != nil && !apierrors.IsForbidden(err) {
		return connector.Identity{}, classify(ctx, err, "its version")
	}
	cluster, err := s.cluster(ctx)
	if err != nil {
		return connector.Identity{}, err
	}
	return connector.Identity{Target: cluster, Version: version, Skew: s.api.ledger.clock()}, nil
}

// cluster is the cluster id: the config's, else the UID of kube-system, which
// lives as long as the cluster, else a digest of the server.
func (s *source) cluster(ctx context.Context) (string, error) {
	if s.clusterID == "" {
		s.clusterID = s.config.ClusterID
	}
	if s.clusterID != "" {
		return s.clusterID, nil
	}
	var kubeSystem corev1.Namespace
	err := s.api.get(withPurpose(ctx, "", "cluster id"), "/api/v1/namespaces/kube-system", nil, asObjects, &kubeSystem)
	switch {
	case err == nil && kubeSystem.UID != "":
		s.clusterID = string(kubeSystem.UID)
	case err == nil || apierrors.IsForbidden(err) || apierrors.IsNotFound(err):
		s.clusterID = "server-" + s.api.server
		s.guessedID = true
	default:
		return "", classify(ctx, err, "the namespace kube-system")
	}
	return s.clusterID, nil
}

// guessedIDNote is for the manifest: service keys with a guessed cluster id do
// not match those of another server address.
const guessedIDNote = "The cluster id is a digest of the API server's certificate authority or address, because the UID of the namespace kube-system " +
	"may not be read; set cluster_id to keep service keys stable."
