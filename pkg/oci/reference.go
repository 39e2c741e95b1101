package oci

import (
	"errors"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// maxReference bounds an image reference, with tag and digest.
const maxReference = 1024

var (
	digestForm = regexp.MustCompile(`^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)
	pathForm   = regexp.MustCompile(`^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$`)
	tagForm    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
)

// errReference says that a text is no reference of an image.
var errReference = errors.New("not the reference of an image")

// reference is an image reference taken apart.
type reference struct {
	// image is the reference without tag and digest, as it was written.
	image string
	repo  name.Repository
	// tag is "latest" where neither tag nor digest was written, and may be empty.
	tag, digest string
}

// host is the registry as it is asked; Docker Hub is index.docker.io.
func (r reference) host() string { return r.repo.RegistryStr() }

// path is the repository with its host, as logins and Options.Registries name it.
func (r reference) path() string { return r.repo.RegistryStr() + "/" + r.repo.RepositoryStr() }

// parseReference reads a reference as a pod template has it. A registry of which
// plain says so may be asked without TLS.
func parseReference(s string, plain func(host string) bool) (reference, error) {
	if len(s) > maxReference {
		return reference{}, errReference
	}
	rest, digest, at := strings.Cut(s, "@")
	r := reference{image: rest, digest: digest}
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, '/') {
		r.image, r.tag = rest[:colon], rest[colon+1:]
		if !tagForm.MatchString(r.tag) {
			return reference{}, errReference
		}
	}
	if at && !digestForm.MatchString(digest) {
		return reference{}, errReference
	}
	if r.tag == "" && !at {
		r.tag = "latest"
	}
	var err error
	r.repo, err = name.NewRepository(r.image)
	if err != nil || !hostForm.MatchString(r.host()) || !pathForm.MatchString(r.repo.RepositoryStr()) {
		return reference{}, errReference
	}
	if host := r.host(); plain != nil && plain(host) {
		if r.repo, err = name.NewRepository(r.image, name.Insecure); err != nil {
			return reference{}, errReference
		}
	}
	return r, nil
}

// plainDigest gives the digest in what a pod's status has as imageID:
// "sha256:...", "ghcr.io/acme/shop@sha256:..." or "docker://sha256:...". Empty
// means that there is none.
func plainDigest(s string) string {
	if cut := strings.LastIndexAny(s, "@/"); cut >= 0 {
		s = s[cut+1:]
	}
	if !digestForm.MatchString(s) {
		return ""
	}
	return s
}
