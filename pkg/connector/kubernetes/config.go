package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rcactl/rcactl/pkg/connector"
)

// The defaults of Config.
const (
	defaultMaxObjects = 100_000
	defaultPageSize   = 500
	defaultQPS        = 50
	defaultBurst      = 100
)

// allNamespaces is how a config asks for every namespace.
const allNamespaces = "*"

// Config is one cluster as one identity sees it. Fields that do not change what
// is read are left out of the JSON form, of which the digest is taken that ties
// a cursor to its config.
type Config struct {
	// Kubeconfig is the path of a kubeconfig. Empty means KUBECONFIG, else
	// ~/.kube/config, else the ServiceAccount of the pod.
	Kubeconfig string `yaml:"kubeconfig" json:"-"`
	// Context is a context of the kubeconfig; empty means its current one.
	Context string `yaml:"context" json:"context"`
	// Namespaces to read; "*" alone means all. Empty means the namespace of the
	// context or of the ServiceAccount.
	Namespaces []string `yaml:"namespaces" json:"namespaces"`
	// ClusterID is the first part of service keys. Empty means the UID of the
	// namespace kube-system.
	ClusterID string `yaml:"cluster_id" json:"cluster_id"`
	// ServiceLabels are the labels that name the service, best first.
	ServiceLabels []string `yaml:"service_labels" json:"service_labels"`
	// Streams to read; empty means those that need no opt-in.
	Streams []string `yaml:"streams" json:"streams"`
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
		MaxObjects:    defaultMaxObjects,
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
	case "kubeconfig":
		c.Kubeconfig = one
	case "context":
		c.Context = one
	case "cluster_id":
		c.ClusterID = one
	case "namespaces":
		c.Namespaces = values
	case "service_labels":
		c.ServiceLabels = values
	case "streams":
		c.Streams = values
	default:
		return false
	}
	return true
}

// Validate implements connector.Config.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(hint, path string, args ...any) func(problem string, args ...any) {
		return func(problem string, more ...any) {
			errs = append(errs, &connector.FieldError{Path: fmt.Sprintf(path, args...), Problem: fmt.Sprintf(problem, more...), Hint: hint})
		}
	}
	for i, ns := range c.Namespaces {
		switch {
		case ns == allNamespaces && len(c.Namespaces) > 1:
			wrong(`write "*" alone, or only names`, "namespaces[%d]", i)(`"*" stands beside other namespaces, which it includes`)
		case ns != allNamespaces && !isNamespace(ns):
			wrong("lower-case letters, digits and '-', at most 63", "namespaces[%d]", i)("%q is not the name of a namespace", ns)
		case slices.Index(c.Namespaces, ns) < i:
			wrong("remove one of them", "namespaces[%d]", i)("%q is there twice", ns)
		}
	}
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
	for i, stream := range c.Streams {
		if !slices.Contains(allStreams(), stream) {
			wrong(fmt.Sprintf("one of %v", allStreams()), "streams[%d]", i)("there is no stream %q", stream)
		}
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

// Connect implements connector.Config. It reads the kubeconfig and sends
// nothing.
func (c *Config) Connect(_ context.Context, env connector.Env) (connector.Connector, error) {
	at, err := c.locate(env)
	if err != nil {
		return nil, err
	}
	api, err := newClient(c, at, env)
	if err != nil {
		return nil, err
	}
	return &source{config: *c, api: api, namespaces: c.namespaces(at), where: c.describeNamespaces(at), env: env}, nil
}

// Interface checks.
var (
	_ connector.Config    = (*Config)(nil)
	_ connector.Setter    = (*Config)(nil)
	_ connector.Describer = (*Config)(nil)
	_ connector.Pinner    = (*Config)(nil)
)
