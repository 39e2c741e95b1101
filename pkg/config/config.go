package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/rcactl/rcactl/pkg/secret"
)

// Config is what a file says, with every default filled in.
type Config struct {
	Version int `yaml:"version"`
	// ClusterID is empty when the file does not name the cluster.
	ClusterID    string        `yaml:"cluster_id"`
	DefaultSince time.Duration `yaml:"default_since"`
	Timeout      time.Duration `yaml:"timeout"`
	// Out and State are empty when the file does not name them. A relative path
	// of the file has been joined to the file's folder.
	Out       string    `yaml:"out"`
	State     string    `yaml:"state"`
	Redaction Redaction `yaml:"redaction"`
	Signing   Signing   `yaml:"signing"`
	Images    Images    `yaml:"images"`
	// Services are the repositories of services. A key is namespace/service, or
	// cluster/namespace/service; nil when the file names none.
	Services map[string]Service `yaml:"services"`
	// Connectors are in the order of the file. Nil means that the file has no
	// key of that name; connectors: {} is empty and not nil.
	Connectors []Instance `yaml:"-"`
}

// Redaction is how names and people are written into evidence.
type Redaction struct {
	// Key of the pseudonyms; zero when none is named.
	Key secret.Ref `yaml:"key"`
	// Personal is "hash" or "omit".
	Personal string `yaml:"personal"`
	// Identifiers is "keep" or "hash".
	Identifiers string `yaml:"identifiers"`
	// Text is "omit" or "scrub".
	Text string `yaml:"text"`
}

// Images is what may be asked of registries.
type Images struct {
	Read bool `yaml:"read"`
	// Registries are hosts, hosts with the beginning of a repository, or "*". None
	// means those that this machine has a login for.
	Registries  []string `yaml:"registries"`
	PullSecrets bool     `yaml:"pull_secrets"`
	// ProvenanceKeys are public keys.
	ProvenanceKeys []secret.Ref  `yaml:"provenance_keys"`
	MaxImages      int           `yaml:"max_images"`
	Timeout        time.Duration `yaml:"timeout"`
}

// Service is where a service comes from.
type Service struct {
	// Repository is in the form of record.RepositoryName: github.com/acme/shop.
	Repository string `yaml:"repository"`
	// Path is a folder of it, without "/" at either end; may be empty.
	Path string `yaml:"path"`
}

// Signing is the key that signs runs; zero when none is named.
type Signing struct {
	Key      secret.Ref `yaml:"key"`
	Password secret.Ref `yaml:"password"`
}

// Instance is one configured connector.
type Instance struct {
	// Key is how the file names it: Type, or Type/Name.
	Key, Type, Name string
	// Config is what Types returned for the type, filled from the file.
	Config any
	// Line and Column say where Key stands; 0 without a file.
	Line, Column int
}

// Default is the config of a run without a file.
func Default() *Config {
	return &Config{
		Version:      1,
		DefaultSince: time.Hour,
		Timeout:      2 * time.Minute,
		Redaction:    Redaction{Personal: "hash", Identifiers: "keep", Text: "omit"},
		Images:       Images{Read: true, MaxImages: 200, Timeout: 10 * time.Second},
	}
}

// Digest is the SHA-256, in hexadecimal, of what the config means: comments,
// order of keys, anchors and defaults that are written out make no difference.
// It covers references to credentials and never a credential.
func (c *Config) Digest() (string, error) {
	tree, err := c.tree()
	if err != nil {
		return "", err
	}
	canonical, err := json.Marshal(tree.instance()) // sorts keys
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}
