package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// kinds are what the recording holds, by the names of kubectl.
func kinds() map[string]string {
	shop := "/namespaces/" + namespace
	return map[string]string{
		"configmaps":               "/api/v1" + shop + "/configmaps",
		"controllerrevisions":      "/apis/apps/v1" + shop + "/controllerrevisions",
		"cronjobs":                 "/apis/batch/v1" + shop + "/cronjobs",
		"daemonsets":               "/apis/apps/v1" + shop + "/daemonsets",
		"deployments":              "/apis/apps/v1" + shop + "/deployments",
		"events":                   "/api/v1" + shop + "/events",
		"horizontalpodautoscalers": "/apis/autoscaling/v2" + shop + "/horizontalpodautoscalers",
		"ingresses":                "/apis/networking.k8s.io/v1" + shop + "/ingresses",
		"jobs":                     "/apis/batch/v1" + shop + "/jobs",
		"limitranges":              "/api/v1" + shop + "/limitranges",
		"namespaces":               "/api/v1/namespaces",
		"networkpolicies":          "/apis/networking.k8s.io/v1" + shop + "/networkpolicies",
		"nodes":                    "/api/v1/nodes",
		"poddisruptionbudgets":     "/apis/policy/v1" + shop + "/poddisruptionbudgets",
		"pods":                     "/api/v1" + shop + "/pods",
		"replicasets":              "/apis/apps/v1" + shop + "/replicasets",
		"resourcequotas":           "/api/v1" + shop + "/resourcequotas",
		"serviceaccounts":          "/api/v1" + shop + "/serviceaccounts",
		"services":                 "/api/v1" + shop + "/services",
		"statefulsets":             "/apis/apps/v1" + shop + "/statefulsets",
	}
}

// record writes the lists of the cluster into a folder. One that is empty is a file
// too: it tells that there was nothing.
func (s story) record(ctx context.Context, dir string) error {
	// The scheduler calls itself by the name of the machine, which is nobody's
	// business.
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("ask for the name of the machine: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the folder of the recording: %w", err)
	}
	for name, path := range kinds() {
		raw, err := s.client.CoreV1().RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(ctx)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("list the %s: %w", name, err)
		}
		var list map[string]any
		if err := json.Unmarshal(raw, &list); err != nil {
			return fmt.Errorf("read the %s: %w", name, err)
		}
		if list["kind"] == nil || list["items"] == nil {
			return errors.New("the " + name + " are no list")
		}
		delete(list, "metadata")
		text, err := json.MarshalIndent(list, "", " ")
		if err != nil {
			return fmt.Errorf("write the %s: %w", name, err)
		}
		text = bytes.ReplaceAll(text, []byte("-"+host+`"`), []byte(`-testbed"`))
		if err := os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o600); err != nil {
			return fmt.Errorf("write the %s: %w", name, err)
		}
	}
	return nil
}
