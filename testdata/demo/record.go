package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// kinds are what the recording holds: by API, those of the namespace and those of
// the cluster.
func kinds() map[string][]string {
	shop := "/namespaces/" + namespace + "/"
	return map[string][]string{
		"/api/v1" + shop:                    {"configmaps", "events", "limitranges", "pods", "resourcequotas", "serviceaccounts", "services"},
		"/apis/apps/v1" + shop:              {"controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"},
		"/apis/autoscaling/v2" + shop:       {"horizontalpodautoscalers"},
		"/apis/batch/v1" + shop:             {"cronjobs", "jobs"},
		"/apis/networking.k8s.io/v1" + shop: {"ingresses", "networkpolicies"},
		"/apis/policy/v1" + shop:            {"poddisruptionbudgets"},
		"/api/v1/":                          {"namespaces", "nodes"},
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
	for api, names := range kinds() {
		for _, name := range names {
			text, err := s.list(ctx, api+name)
			if err != nil {
				return fmt.Errorf("list the %s: %w", name, err)
			}
			text = bytes.ReplaceAll(text, []byte("-"+host+`"`), []byte(`-testbed"`))
			if err := os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o600); err != nil {
				return fmt.Errorf("write the %s: %w", name, err)
			}
		}
	}
	return nil
}

// list reads a list as kubectl get prints it.
func (s story) list(ctx context.Context, path string) ([]byte, error) {
	raw, err := s.client.CoreV1().RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	var list map[string]any
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	if list["kind"] == nil || list["items"] == nil {
		return nil, errors.New("the answer is no list")
	}
	delete(list, "metadata")
	return json.MarshalIndent(list, "", " ")
}
