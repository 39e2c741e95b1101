package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/kubernetes/dump"
)

// The defaults of Config.
const (
	defaultMaxObjects = 100_000
	defaultPageSize   = 500
	defaultQPS        = 50
	defaultBurst      = 100
)

// maxSelector bounds a label selector, which is asked of every object.
const maxSelector = 1024

// allNamespaces is how a config asks for every namespace.
const allNamespaces = "*"

// Config is one cluster as one identity sees it. Fields that do not change what
// is read are left out of the JSON form, of which the digest is taken that ties
// a cursor to its config.
type Config struct {
	// From is the path of a recording, which is read in place of a cluster.
	From string `yaml:"from" json:"from,omitempty"`
	// MaxBytes bounds a recording, unpacked.
	MaxBytes int64 `yaml:"max_bytes" json:"-"`
	// Kubeconfig is the path of a kubeconfig. Empty means KUBECONFIG, else
	// ~/.kube/config, else the ServiceAccount of the pod.
	Kubeconfig string `yaml:"kubeconfig" json:"-"`
	// Context is a context of the kubeconfig; empty means its current one.
	Context string `yaml:"context" json:"context"`
	// Namespaces to read: names, patterns with one "*" at their end, or "*" alone
	// for all. Empty means the namespace of the context or of the ServiceAccount.
	Namespaces []string `yaml:"namespaces" json:"namespaces"`
	// ExcludeNamespaces are names and patterns of namespaces that are not read.
	ExcludeNamespaces []string `yaml:"exclude_namespaces" json:"exclude_namespaces,omitempty"`
	// LabelSelector, in the syntax of kubectl, chooses workloads by their own labels
	// and those of their pods, and with them what belongs to them; configuration
	// also by its own labels. Empty means all.
	LabelSelector string `yaml:"label_selector" json:"label_selector,omitempty"`
	// ClusterID is the first part of service keys. Empty means the UID of the
	// namespace kube-system.
	ClusterID string `yaml:"cluster_id" json:"cluster_id"`
	// ServiceLabels are the labels that name the service, best first.
	ServiceLabels []string `yaml:"service_labels" json:"service_labels"`
	// RevisionKeys, SourceKeys and VersionKeys are the keys of labels and annotations
	// in which a workload or its pods say from which commit, repository and version
	// they were built, best first.
	RevisionKeys []string `yaml:"revision_keys" json:"-"`
	SourceKeys   []string `yaml:"source_keys" json:"-"`
	VersionKeys  []string `yaml:"version_keys" json:"-"`
	// Streams to read; empty means those that need no opt-in.
	Streams []string `yaml:"streams" json:"streams"`
	// Fingerprints reads the values of ConfigMaps and Secrets and keeps a keyed
	// fingerprint of each, so that a changed key is known by its name.
	Fingerprints bool `yaml:"fingerprints" json:"fingerprints,omitempty"`
	// MaxObjects bounds each list in each namespace.
	MaxObjects int `yaml:"max_objects" json:"max_objects"`
	// PageSize is how many objects one request asks for.
	PageSize int `yaml:"page_size" json:"-"`
	// QPS and Burst bound the rate of requests on our side.
	QPS   float64 `yaml:"qps" json:"-"`
	Burst int     `yaml:"burst" json:"-"`
}

// defaultConfig has every default filled in.
func defaultConfig() *Config {
	return &Config{
		ServiceLabels: []string{"app.kubernetes.io/name", "app", "k8s-app"},
		RevisionKeys:  defaultRevisionKeys(),
		SourceKeys:    defaultSourceKeys(),
		VersionKeys:   defaultVersionKeys(),
		MaxObjects:    defaultMaxObjects,
		MaxBytes:      dump.DefaultBytes,
		PageSize:      defaultPageSize,
		QPS:           defaultQPS,
		Burst:         defaultBurst,
	}
}

// Set implements connector.Setter.
func (c *Config) Set(key string, values ...string) bool {
	one := ""
	if len(values) > 0 {
		one = values[0]
	}
	switch key {
	case "from":
		c.From, c.Kubeconfig, c.Context = one, "", ""
	case "kubeconfig":
		c.Kubeconfig = one
	case "context":
		c.Context = one
	case "cluster_id":
		c.ClusterID = one
	case "namespaces":
		c.Namespaces = values
	case "exclude_namespaces":
		c.ExcludeNamespaces = values
	case "label_selector":
		c.LabelSelector = one
	case "service_labels":
		c.ServiceLabels = values
	case "revision_keys":
		c.RevisionKeys = values
	case "source_keys":
		c.SourceKeys = values
	case "version_keys":
		c.VersionKeys = values
	case "streams":
		c.Streams = values
	default:
		return false
	}
	return true
}

// Offline implements connector.Offline.
func (c *Config) Offline() bool { return c.From != "" }

// Validate implements connector.Config.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(hint, path string, args ...any) func(problem string, args ...any) {
		return func(problem string, more ...any) {
			errs = append(errs, &connector.FieldError{Path: fmt.Sprintf(path, args...), Problem: fmt.Sprintf(problem, more...), Hint: hint})
		}
	}
	c.validateScope(wrong)
	if c.ClusterID != "" && !isClusterID(c.ClusterID) {
		wrong("letters, digits and . _ : -, for example prod-eu1", "cluster_id")("%q cannot be part of a service key", c.ClusterID)
	}
	if len(c.ServiceLabels) == 0 {
		wrong("leave the key out for the default", "service_labels")("no label is named")
	}
	for i, label := range c.ServiceLabels {
		if !isLabelKey(label) {
			wrong("for example app.kubernetes.io/name", "service_labels[%d]", i)("%q is not the key of a label", label)
		}
	}
	c.validateClaims(wrong)
	for i, stream := range c.Streams {
		if !slices.Contains(allStreams(), stream) {
			wrong(fmt.Sprintf("one of %v", allStreams()), "streams[%d]", i)("there is no stream %q", stream)
		}
	}
	if c.From != "" && (c.Kubeconfig != "" || c.Context != "") {
		wrong("leave out kubeconfig and context", "from")("a recording is read and not a cluster")
	}
	if c.MaxBytes < 1 {
		wrong("", "max_bytes")("%d is not a positive number", c.MaxBytes)
	}
	if c.MaxObjects < 1 {
		wrong("", "max_objects")("%d is not a positive number", c.MaxObjects)
	}
	if c.PageSize < 1 || c.PageSize > 10_000 {
		wrong("", "page_size")("%d is not between 1 and 10000", c.PageSize)
	}
	if c.QPS <= 0 || c.Burst < 1 {
		wrong("", "qps")("qps and burst must be positive")
	}
	return errors.Join(errs...)
}

// validateClaims checks the keys that say where something was built from.
func (c *Config) validateClaims(wrong func(hint, path string, args ...any) func(problem string, args ...any)) {
	for _, of := range []struct {
		name string
		keys []string
	}{{"revision_keys", c.RevisionKeys}, {"source_keys", c.SourceKeys}, {"version_keys", c.VersionKeys}} {
		if len(of.keys) == 0 {
			wrong("leave the key out for the default", "%s", of.name)("no label or annotation is named")
		}
		if len(of.keys) > maxClaimKeys {
			wrong("name those that are used", "%s", of.name)("%d keys are more than %d", len(of.keys), maxClaimKeys)
		}
		for i, key := range of.keys {
			if !isLabelKey(key) {
				wrong("for example org.opencontainers.image.revision", "%s[%d]", of.name, i)("%q is not the key of a label or annotation", key)
			}
		}
	}
}

// validateScope checks what chooses namespaces and objects.
func (c *Config) validateScope(wrong func(hint, path string, args ...any) func(problem string, args ...any)) {
	const form = "lower-case letters, digits and '-', at most 63; a '*' at the end stands for anything"
	check := func(key string, list []string, i int) {
		ns := list[i]
		switch {
		case !isNamespacePattern(ns):
			wrong(form, key+"[%d]", i)("%q is not the name of a namespace", ns)
		case slices.Index(list, ns) < i:
			wrong("remove one of them", key+"[%d]", i)("%q is there twice", ns)
		}
	}
	for i, ns := range c.Namespaces {
		if ns != allNamespaces {
			check("namespaces", c.Namespaces, i)
		} else if len(c.Namespaces) > 1 {
			wrong(`write "*" alone, or only names`, "namespaces[%d]", i)(`"*" stands beside other namespaces, which it includes`)
		}
	}
	for i, ns := range c.ExcludeNamespaces {
		check("exclude_namespaces", c.ExcludeNamespaces, i)
		if slices.Contains(c.Namespaces, ns) {
			wrong("remove it from one of them", "exclude_namespaces[%d]", i)("%q stands in namespaces too", ns)
		}
	}
	if _, ok := parseSelector(c.LabelSelector); !ok || len(c.LabelSelector) > maxSelector {
		wrong("as kubectl takes it, for example team=payments,env!=dev", "label_selector")("this is not a label selector")
	}
}

// Connect implements connector.Config. It reads the kubeconfig and sends
// nothing.
func (c *Config) Connect(_ context.Context, env connector.Env) (connector.Connector, error) {
	at, err := c.locate(env)
	if err != nil {
		return nil, err
	}
	chooses, ok := parseSelector(c.LabelSelector)
	if !ok {
		return nil, connector.Errorf(connector.ClassConfig, nil, "label_selector is not a label selector; write it as kubectl takes it")
	}
	if at.recording != nil {
		env.Transport = noTransport{}
	}
	api, err := newClient(c, at, env)
	if err != nil {
		return nil, err
	}
	if len(newScope(connector.Scope{}, c.namespaces(at), c.ExcludeNamespaces, nil).namespaces) == 0 {
		return nil, connector.Errorf(connector.ClassConfig, nil, "exclude_namespaces leaves nothing of %s", sayNamespaces(c.namespaces(at)))
	}
	where := c.describeNamespaces(at)
	if chooses != nil {
		where += ", chosen by a label selector"
	}
	s := &source{config: *c, api: api, namespaces: c.namespaces(at), where: where, chooses: chooses, env: env, claims: newClaimReader(c)}
	if at.recording != nil {
		return &recorded{s}, nil
	}
	return s, nil
}

// Interface checks.
var (
	_ connector.Config    = (*Config)(nil)
	_ connector.Setter    = (*Config)(nil)
	_ connector.Describer = (*Config)(nil)
	_ connector.Offline   = (*Config)(nil)
	_ connector.Pinner    = (*Config)(nil)
)
