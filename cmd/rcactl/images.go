package main

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/config"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/correlate"
	"github.com/rcactl/rcactl/pkg/dsse"
)

// applyImages sets by the flags which registries may be asked. Beside a recording
// none is, unless a flag names it.
func (f *setupFlags) applyImages(sys *System, cfg *config.Config) error {
	for _, registry := range f.registries {
		if !config.IsRegistry(registry) {
			return fail(exitUsage, fmt.Errorf("--registry %s: not a registry", registry), "write a host, or a host and the beginning of a repository, in lower case: ghcr.io, ghcr.io/acme")
		}
	}
	switch {
	case f.noImages && len(f.registries) > 0:
		return fail(exitUsage, errors.New("--registry cannot be combined with --no-images"), "choose one")
	case f.noImages, f.dump != "" && len(f.registries) == 0:
		cfg.Images.Read = false
	case len(f.registries) > 0:
		cfg.Images.Read = true
		all := append(allowedRegistries(sys, cfg), f.registries...)
		slices.Sort(all)
		cfg.Images.Registries = slices.Compact(all)
	}
	return nil
}

// allowedRegistries are those that may be asked: those of the config, else those
// that this machine has a login for.
func allowedRegistries(sys *System, cfg *config.Config) []string {
	if len(cfg.Images.Registries) > 0 {
		return slices.Clone(cfg.Images.Registries)
	}
	return logins(sys.dockerConfig())
}

// images says it to a run. Registries that only have a login are not named: named
// ones are asked as nobody too, and pull Secrets count for them alone.
func (s *setup) images(ctx context.Context) (collect.Images, error) {
	cfg := s.cfg.Images
	images := collect.Images{
		Off: !cfg.Read, DockerConfig: s.dockerConfig, Registries: cfg.Registries,
		PullSecrets: cfg.PullSecrets, MaxImages: cfg.MaxImages, Timeout: cfg.Timeout,
	}
	var keys []crypto.PublicKey
	for i, ref := range cfg.ProvenanceKeys {
		text, err := s.env.Secrets.Resolve(ctx, ref)
		if err != nil {
			return collect.Images{}, fmt.Errorf("images.provenance_keys[%d]: %w", i, err)
		}
		key, err := dsse.ParsePublic(text.Reveal())
		if err != nil {
			return collect.Images{}, fmt.Errorf("images.provenance_keys[%d]: %w", i, err)
		}
		keys = append(keys, key)
	}
	images.Keys = keys
	return images, nil
}

// services gives the repositories of services by the config, sorted by their keys.
func services(cfg *config.Config) []correlate.Service {
	list := make([]correlate.Service, 0, len(cfg.Services))
	for key, service := range cfg.Services {
		parts := strings.Split(key, "/")
		one := correlate.Service{Namespace: parts[len(parts)-2], Name: parts[len(parts)-1], Repository: service.Repository, Path: service.Path}
		if len(parts) > 2 {
			one.Cluster = parts[0]
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b correlate.Service) int {
		return strings.Compare(a.Cluster+"/"+a.Namespace+"/"+a.Name, b.Cluster+"/"+b.Namespace+"/"+b.Name)
	})
	return list
}

// dockerConfig is the file in which docker, or podman, keeps logins of registries;
// it need not be there.
func (s *System) dockerConfig() string {
	if dir := s.getenv("DOCKER_CONFIG"); dir != "" {
		return filepath.Join(s.abs(dir), "config.json")
	}
	if file := s.getenv("REGISTRY_AUTH_FILE"); file != "" {
		return s.abs(file)
	}
	if s.HomeDir == "" {
		return ""
	}
	return filepath.Join(s.HomeDir, ".docker", "config.json")
}

// logins are the registries that docker's config has a login for. What cannot be
// read has none: whoever asks a registry says what is wrong with it.
func logins(file string) []string {
	if file == "" {
		return nil
	}
	text, err := config.ReadFile(file)
	if err != nil {
		return nil
	}
	var known struct {
		Auths map[string]struct {
			Auth          string `json:"auth"`
			Username      string `json:"username"`
			IdentityToken string `json:"identitytoken"`
			RegistryToken string `json:"registrytoken"`
		} `json:"auths"`
		Helpers map[string]string `json:"credHelpers"`
		Store   string            `json:"credsStore"`
	}
	if json.Unmarshal(text, &known) != nil {
		return nil
	}
	var hosts []string
	for address, login := range known.Auths {
		if known.Store != "" || login.Auth+login.Username+login.IdentityToken+login.RegistryToken != "" {
			hosts = append(hosts, registryHost(address))
		}
	}
	for address := range known.Helpers {
		hosts = append(hosts, registryHost(address))
	}
	hosts = slices.DeleteFunc(hosts, func(host string) bool { return !config.IsRegistry(host) || host == "*" })
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// registryHost is the host of an address in docker's config, which names Docker Hub
// by that of an old interface.
func registryHost(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	host, _, _ := strings.Cut(address, "/")
	switch host = strings.ToLower(host); host {
	case "index.docker.io", "registry-1.docker.io":
		return "docker.io"
	}
	return host
}

// plannedImages is what would be asked of registries.
func (s *setup) plannedImages() plannedSource {
	plan := plannedSource{
		Name: "images", Identity: []connector.Grant{}, Streams: []connector.Stream{},
		NeverReads: []string{
			"layers of images",
			"environment, entrypoint, command and history of images",
		},
	}
	where := s.registries
	if s.cfg.Images.PullSecrets {
		where = append(slices.Clone(where), "those that the pull Secrets have a login for")
	}
	if len(where) == 0 {
		plan.Notes = []string{"no registry: this machine has a login for none; --registry HOST names one that may be asked"}
	}
	var asks []connector.Grant
	for _, registry := range where {
		asks = append(asks,
			connector.Grant{Verb: "GET", Resource: "manifests of images of changed workloads", Namespace: registry},
			connector.Grant{Verb: "GET", Resource: "labels in their configs", Namespace: registry})
	}
	if len(asks) > 0 {
		plan.Streams = append(plan.Streams, connector.Stream{Name: "labels", Needs: asks})
	}
	return plan
}
