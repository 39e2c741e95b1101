package oci

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const (
	// maxDocument bounds a manifest, a config and an attestation: 4 MiB.
	maxDocument = 4 << 20
	// maxRedirects is what a registry may send us on.
	maxRedirects = 4
	// maxSlow is how often a registry may be too slow before it is left alone.
	maxSlow = 3
)

// registry is a host that is asked.
type registry struct {
	wire *wire
	reg  name.Registry

	mu        sync.Mutex
	challenge *transport.Challenge
	// down says why it is not asked any more.
	down error
	slow int
}

// ready asks the registry once how to authenticate. What fails here fails for every
// image of the host.
func (h *registry) ready(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down != nil || h.challenge != nil {
		return h.down
	}
	h.wire.addRegistry(h.reg.RegistryStr())
	challenge, err := transport.Ping(ctx, h.reg, h.wire)
	err = classify(ctx, err, true)
	if errors.Is(err, errUnreachable) && ctx.Err() == nil {
		// Once more: everything that this host has depends on it.
		challenge, err = transport.Ping(ctx, h.reg, h.wire)
		err = classify(ctx, err, true)
	}
	if err != nil {
		if errors.Is(err, errNotFound) {
			err = errOdd
		}
		if !errors.Is(err, errStopped) {
			h.down = err
		}
		return err
	}
	if realm, ok := challenge.Parameters["realm"]; ok && isBearer(challenge) {
		if leadsInside(h.reg.RegistryStr(), realm) {
			h.down = errRefused
			return h.down
		}
		h.wire.addRealm(realm)
	}
	h.challenge = challenge
	return nil
}

func isBearer(c *transport.Challenge) bool { return strings.EqualFold(c.Scheme, "bearer") }

// note takes what an image met, and returns it. After some failures the host is not
// asked again in this run.
func (h *registry) note(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case errors.Is(err, errTimeout):
		h.slow++
		if h.slow >= maxSlow {
			h.down = errTimeout
		}
	case errors.Is(err, errUnreachable), errors.Is(err, errRateLimited), errors.Is(err, errCertificate):
		h.down = err
	}
	return err
}

// state gives why the host is not asked any more, or nil.
func (h *registry) state() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.down
}

// session reads one repository as one login.
type session struct {
	registry  *registry
	repo      name.Repository
	anonymous bool
	client    *http.Client
	scheme    string
}

// open gets a token where the registry wants one.
func (h *registry) open(ctx context.Context, repo name.Repository, auth authn.AuthConfig) (*session, error) {
	s := &session{registry: h, repo: repo, anonymous: auth == authn.AuthConfig{}, scheme: "https"}
	who := authn.Anonymous
	if !s.anonymous {
		who = authn.FromConfig(auth)
	}
	if h.challenge.Insecure {
		s.scheme = "http"
	}
	token := &transport.Token{Token: auth.RegistryToken}
	if isBearer(h.challenge) && auth.RegistryToken == "" {
		var err error
		token, err = transport.Exchange(ctx, h.reg, who, h.wire, []string{repo.Scope(transport.PullScope)}, h.challenge)
		if err != nil {
			return nil, h.note(s.tokenError(ctx, err))
		}
		if token.Token == "" {
			token.Token = token.AccessToken
		}
	}
	through, err := transport.FromToken(h.reg, who, h.wire, h.challenge, token)
	if err != nil {
		return nil, errOdd
	}
	s.client = &http.Client{Transport: through, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("%w: redirected again and again", errOdd)
		}
		return nil
	}}
	return s, nil
}

// tokenError says why there is no token. Some servers answer a login that they do
// not take, or a repository that is not there, with another status than 401.
func (s *session) tokenError(ctx context.Context, err error) error {
	var status *transport.Error
	if errors.As(err, &status) && (status.StatusCode == http.StatusBadRequest || status.StatusCode == http.StatusNotFound) {
		return classifyStatus(http.StatusUnauthorized, s.anonymous)
	}
	return classify(ctx, err, s.anonymous)
}

// fetched is a document of a registry.
type fetched struct {
	body      []byte
	digest    string
	mediaType string
}

// manifest gets the manifest of a digest or tag.
func (s *session) manifest(ctx context.Context, ref string) (fetched, error) {
	return s.get(ctx, "manifests", ref, manifestTypes())
}

// blob gets a blob of a digest. A size beyond the bound is not asked for.
func (s *session) blob(ctx context.Context, d descriptor) ([]byte, error) {
	if d.Size > maxDocument {
		return nil, errTooLarge
	}
	f, err := s.get(ctx, "blobs", d.Digest, "")
	return f.body, err
}

// head gives the digest of a tag, or "" where the registry does not say.
func (s *session) head(ctx context.Context, tag string) (string, error) {
	resp, err := s.do(ctx, http.MethodHead, "manifests", tag, manifestTypes())
	if err != nil {
		return "", err
	}
	_ = resp.Body.Close()
	if resp.StatusCode == http.StatusMethodNotAllowed {
		return "", nil
	}
	if resp.StatusCode != http.StatusOK {
		return "", s.registry.note(classifyStatus(resp.StatusCode, s.anonymous))
	}
	return plainDigest(resp.Header.Get("Docker-Content-Digest")), nil
}

// get reads a document, and checks that it has the digest that was asked for.
func (s *session) get(ctx context.Context, kind, ref, accept string) (fetched, error) {
	resp, err := s.do(ctx, http.MethodGet, kind, ref, accept)
	if err != nil {
		return fetched{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fetched{}, s.registry.note(classifyStatus(resp.StatusCode, s.anonymous))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return fetched{}, s.registry.note(stopped(ctx))
	case err != nil:
		return fetched{}, s.registry.note(errUnreachable)
	case len(body) > maxDocument:
		return fetched{}, errTooLarge
	}
	out := fetched{body: body, digest: digestOf("sha256", body), mediaType: resp.Header.Get("Content-Type")}
	if digestForm.MatchString(ref) && kind != "referrers" {
		if digestOf(ref[:strings.IndexByte(ref, ':')], body) != ref {
			return fetched{}, errOdd
		}
		out.digest = ref
	}
	return out, nil
}

func (s *session) do(ctx context.Context, method, kind, ref, accept string) (*http.Response, error) {
	if err := s.registry.state(); err != nil {
		return nil, err
	}
	address := fmt.Sprintf("%s://%s/v2/%s/%s/%s", s.scheme, s.repo.RegistryStr(), s.repo.RepositoryStr(), kind, ref)
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, errOdd
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, s.registry.note(classify(ctx, err, s.anonymous))
	}
	return resp, nil
}

func digestOf(algorithm string, body []byte) string {
	if algorithm == "sha512" {
		sum := sha512.Sum512(body)
		return "sha512:" + hex.EncodeToString(sum[:])
	}
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}
