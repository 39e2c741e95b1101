package testbed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// InstallCRD makes the server serve a kind that has a status subresource and
// takes any field, and returns when it does. Tests may install the same kind at
// once, in the same version. It stays when the test ends, for others may use it: a test of what
// happens without a kind needs a group that no test installs.
func (s *Server) InstallCRD(t testing.TB, group, version, kind, plural string, namespaced bool) schema.GroupVersionResource {
	t.Helper()
	client, err := dynamic.NewForConfig(s.config)
	if err != nil {
		t.Fatalf("make a client for %s: %v", kind, err)
	}
	scope := "Cluster"
	if namespaced {
		scope = "Namespaced"
	}
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1",
		"kind":       "CustomResourceDefinition",
		"metadata":   map[string]any{"name": plural + "." + group},
		"spec": map[string]any{
			"group": group,
			"scope": scope,
			"names": map[string]any{"kind": kind, "listKind": kind + "List", "plural": plural, "singular": strings.ToLower(kind)},
			"versions": []any{map[string]any{
				"name": version, "served": true, "storage": true,
				"schema":       map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
				"subresources": map[string]any{"status": map[string]any{}},
			}},
		},
	}}
	definitions := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	if _, err := definitions.Create(t.Context(), crd, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatalf("install %s: %v", crd.GetName(), err)
	}
	served := schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
	Eventually(t, crd.GetName()+" to be served", func(ctx context.Context) (bool, error) {
		if _, err := client.Resource(served).List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
			return false, err
		}
		// Discovery follows a moment later, and clients ask it first.
		list, err := s.client.Discovery().ServerResourcesForGroupVersion(served.GroupVersion().String())
		if err != nil {
			return false, fmt.Errorf("discovery: %w", err)
		}
		for _, r := range list.APIResources {
			if r.Name == plural {
				return true, nil
			}
		}
		return false, errors.New("discovery does not know it")
	})
	return served
}
