// Package oci reads what container images say of their source code: the labels and
// annotations org.opencontainers.image.*, and SLSA provenance. It reads manifests
// and the labels of configs, and never a layer; environment, entrypoint, command
// and history of an image are not decoded.
package oci

import (
	"context"
	"crypto"
	"net/http"
	"time"

	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/secret"
)

// Store keeps what was read, by digest; see connector.Store.
type Store interface {
	Get(key string) ([]byte, bool)
	Put(key string, value []byte)
}

// Options say which registries are asked, and as whom.
type Options struct {
	// Transport carries the requests; nil means a default one.
	Transport http.RoundTripper
	UserAgent string
	// DockerConfig is the path of docker's config.json, of which logins and credential
	// helpers are used; empty means none. Credentials are further configs of that
	// form, from pull secrets.
	DockerConfig string
	Credentials  []secret.Value
	// Registries may be asked: a host, the beginning of a repository
	// (ghcr.io/acme), or "*". None means those that DockerConfig has a login for and
	// those of Credentials.
	Registries []string
	// Keys verify provenance attestations.
	Keys []crypto.PublicKey
	// Store may be nil.
	Store Store
	// MaxImages bounds how many images are asked for in a run, Timeout each of them;
	// zero means 200, and 10 seconds.
	MaxImages int
	Timeout   time.Duration
}

// Ask is one image.
type Ask struct {
	// Image is the reference in a pod template. Digest is what ran, from the status
	// of pods; empty when none told.
	Image, Digest string
}

// Answer is what an image says, or why that is not known.
type Answer struct {
	Ask      Ask
	Metadata record.ImageMetadata
	// Unread says that it was not asked for, by the options or a bound; Reason says
	// why, or why reading failed, in our own words. Both are empty when it was read.
	Unread bool
	Reason string
}

// Action is what was asked of a registry.
type Action struct {
	// Method is GET or HEAD; Target is "https://ghcr.io/v2/acme/shop/manifests" without
	// the reference, so that equal asks add up.
	Method, Target string
	Requests       int
}

// Reader reads images. It is used by one goroutine at a time and asks at most four
// images at once.
type Reader struct{}

// New makes a Reader. It reads docker's config and sends nothing. A docker config
// that is not there is none.
func New(Options) (*Reader, error) { return &Reader{}, nil }

// Read gives one answer an ask, in their order. Equal asks are asked once.
func (r *Reader) Read(context.Context, []Ask) []Answer { return nil }

// Actions gives what all Reads together asked, sorted.
func (r *Reader) Actions() []Action { return nil }
