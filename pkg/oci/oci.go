// Package oci reads what container images say of their source code: the labels and
// annotations org.opencontainers.image.*, and SLSA provenance. It reads manifests
// and the labels of configs, and never a layer; environment, entrypoint, command
// and history of an image are not decoded.
package oci

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/rcactl/rcactl/pkg/dsse"
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
	// form, from pull secrets, of which only the logins are used.
	DockerConfig string
	Credentials  []secret.Value
	// Registries may be asked: a host, the beginning of a repository
	// (ghcr.io/acme), or "*". "http://" before a host lets it be asked without TLS.
	// None means those that DockerConfig has a login for and those of Credentials.
	Registries []string
	// Keys verify provenance attestations: P-256 or Ed25519.
	Keys []crypto.PublicKey
	// Store may be nil.
	Store Store
	// Now reads the clock. With it, an image without a provenance signed by Keys is
	// asked for one again every day; nil means never again.
	Now func() time.Time
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
	// Method is GET or HEAD, or POST where an identity token is exchanged for one
	// that reads. Target is "https://ghcr.io/v2/acme/shop/manifests" without the
	// reference, so that equal asks add up. Of a host that a registry sent us to, the
	// path is left out.
	Method, Target string
	Requests       int
}

const (
	defaultImages  = 200
	defaultTimeout = 10 * time.Second
	atOnce         = 4
)

// Reader reads images. It is used by one goroutine at a time and asks at most four
// images at once.
type Reader struct {
	options Options
	wire    *wire
	rules   []registryRule
	logins  []login // docker's first
	cache   cache
	asked   int // images that somebody was asked for

	mu         sync.Mutex
	registries map[string]*registry
	sessions   map[string]*opened
	helpers    map[[2]string]*helped
}

// opened is a session that is opened once.
type opened struct {
	once    sync.Once
	session *session
	err     error
}

// helped is what a credential helper gave.
type helped struct {
	once sync.Once
	auth authn.AuthConfig
	err  error
}

// New makes a Reader. It reads docker's config and sends nothing. A docker config
// that is not there is none. An entry of Credentials that is not of docker's form is
// left out, as the kubelet does.
func New(o Options) (*Reader, error) {
	o.MaxImages, o.Timeout = cmp.Or(o.MaxImages, defaultImages), cmp.Or(o.Timeout, defaultTimeout)
	r := &Reader{
		options: o, wire: newWire(o),
		registries: map[string]*registry{}, sessions: map[string]*opened{}, helpers: map[[2]string]*helped{},
	}
	for _, entry := range o.Registries {
		rule, plain, err := parseRegistry(entry)
		if err != nil {
			return nil, err
		}
		if plain {
			r.wire.plain[rule.host] = true
		}
		r.rules = append(r.rules, rule)
	}
	own, err := readDockerConfig(o.DockerConfig)
	if err != nil {
		return nil, errors.Join(ErrLogins, err)
	}
	r.logins = own.logins(true)
	for _, value := range o.Credentials {
		if c, err := parseDockerConfig(value.Reveal()); err == nil {
			r.logins = append(r.logins, c.logins(false)...)
		}
	}
	var prints []string
	for i, key := range o.Keys {
		print, err := dsse.KeyDigest(key)
		if err != nil {
			return nil, fmt.Errorf("key %d for provenance: %w", i+1, err)
		}
		prints = append(prints, print)
	}
	r.cache = newCache(o.Store, prints)
	return r, nil
}

// job is an ask with what is known of it before anybody is asked.
type job struct {
	ask Ask
	ref reference
	// digest is what ran, or what the reference names.
	digest string
	logins []login
	answer Answer
	done   bool
}

// Read gives one answer an ask, in their order. Equal asks are asked once.
func (r *Reader) Read(ctx context.Context, asks []Ask) []Answer {
	jobs, byAsk := make([]*job, 0, len(asks)), make(map[Ask]*job, len(asks))
	for _, ask := range asks {
		if byAsk[ask] == nil {
			byAsk[ask] = r.newJob(ask)
			jobs = append(jobs, byAsk[ask])
		}
	}
	// The bound counts in the order of asks, before they are worked on side by side.
	work := make(chan *job, len(jobs))
	for _, j := range jobs {
		if j.done {
			continue
		}
		if r.asked >= r.options.MaxImages {
			j.unread(fmt.Sprintf("more than %d images in this run", r.options.MaxImages))
			continue
		}
		r.asked++
		work <- j
	}
	close(work)
	var wait sync.WaitGroup
	for range atOnce {
		wait.Go(func() {
			for j := range work {
				r.work(ctx, j)
			}
		})
	}
	wait.Wait()
	answers := make([]Answer, len(asks))
	for i, ask := range asks {
		answers[i] = byAsk[ask].answer
	}
	return answers
}

// Actions gives what all Reads together asked, sorted.
func (r *Reader) Actions() []Action { return r.wire.actions() }

func (j *job) unread(reason string) {
	j.answer.Unread, j.answer.Reason, j.done = true, reason, true
}

// finish fills in the answer.
func (j *job) finish(k kept, byTag bool) {
	m := k.ImageMetadata
	m.Image, m.Digest, m.ByTag = j.ref.image, j.digest, byTag
	if j.ask.Digest != "" {
		m.Digest = j.ask.Digest
	}
	j.answer.Metadata, j.done = m, true
}

// newJob answers what needs nobody: what is no image, what is known, what may not be
// asked.
func (r *Reader) newJob(ask Ask) *job {
	j := &job{ask: ask, answer: Answer{Ask: ask}}
	var err error
	if j.ref, err = parseReference(ask.Image, func(host string) bool { return r.wire.plain[host] }); err != nil {
		j.unread("its reference is not that of an image")
		return j
	}
	j.answer.Metadata = record.ImageMetadata{Image: j.ref.image, Digest: cmp.Or(ask.Digest, j.ref.digest)}
	j.digest = cmp.Or(plainDigest(ask.Digest), j.ref.digest)
	if k, ok := r.known(j.digest); ok {
		j.finish(k, false)
		return j
	}
	host, path := j.ref.host(), j.ref.repo.RepositoryStr()
	for _, l := range r.logins {
		if l.matches(host, path) {
			j.logins = append(j.logins, l)
		}
	}
	allowed := slices.ContainsFunc(r.rules, func(rule registryRule) bool { return rule.matches(host, path) })
	switch {
	case len(r.rules) == 0 && len(j.logins) == 0:
		j.unread(reasonFor(errNotAsked, host))
	case len(r.rules) > 0 && !allowed:
		j.unread(host + " is not named among the registries for this repository")
	}
	return j
}

// known gives what the store has, when that needs nothing more.
func (r *Reader) known(digest string) (kept, bool) {
	k, ok := r.cache.get(digest)
	if !ok || r.looksForSignature(digest, k) {
		return kept{}, false
	}
	return k, true
}

// looksForSignature reports whether to ask once more for a signed provenance, which
// may be made after the image: on the first run of each day.
func (r *Reader) looksForSignature(digest string, k kept) bool {
	return len(r.options.Keys) > 0 && r.options.Now != nil && len(k.Subjects) > 0 && !k.signed() &&
		!r.cache.unsigned(digest, r.options.Now())
}

// work asks the registry for one image, with the logins that it has.
func (r *Reader) work(ctx context.Context, j *job) {
	logins, failed := r.candidates(ctx, j)
	if len(logins) == 0 {
		j.unread(reasonFor(failed, j.ref.host()))
		return
	}
	host := r.registry(j.ref)
	err := r.ready(ctx, host)
	if err == nil {
		err = r.try(ctx, host, logins, j)
	}
	if errors.Is(err, errNoLogin) && errors.Is(failed, errHelper) {
		err = failed // there may be a login
	}
	if err != nil {
		j.answer.Reason = reasonFor(err, j.ref.host())
	}
}

// try reads an image with the first login that is let in.
func (r *Reader) try(ctx context.Context, host *registry, logins []authn.AuthConfig, j *job) (err error) {
	limited, cancel := r.limit(ctx)
	defer cancel()
	for _, auth := range logins {
		var s *session
		was := err
		if s, err = r.open(limited, host, j.ref, auth); err == nil {
			err = r.visit(limited, s, j)
		}
		switch {
		case errors.Is(err, errNoLogin) && errors.Is(was, errUnauthorised):
			err = was // a login that is not taken says more than none
		case errors.Is(err, errUnauthorised), errors.Is(err, errNoLogin):
		default:
			return err
		}
	}
	return err
}

// limit gives an image its time.
func (r *Reader) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, r.options.Timeout, errTimeout)
}

func (r *Reader) ready(ctx context.Context, h *registry) error {
	if ctx.Err() != nil {
		return errStopped
	}
	limited, cancel := r.limit(ctx)
	defer cancel()
	if err := h.ready(limited); err != nil {
		if ctx.Err() != nil {
			return errStopped
		}
		return err
	}
	return h.state()
}

func (r *Reader) registry(ref reference) *registry {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.registries[ref.host()]
	if h == nil {
		h = &registry{wire: r.wire, reg: ref.repo.Registry}
		r.registries[ref.host()] = h
	}
	return h
}

// candidates gives the logins to try in their order, with nobody's last where the
// options name the registry. With none comes why.
func (r *Reader) candidates(ctx context.Context, j *job) ([]authn.AuthConfig, error) {
	var out []authn.AuthConfig
	failed := errNotAsked
	for _, l := range j.logins {
		auth := l.auth
		if l.helper != "" {
			got, err := r.help(ctx, l)
			if err != nil {
				failed = err
			}
			if got != (authn.AuthConfig{}) {
				auth = got
			}
		}
		if auth != (authn.AuthConfig{}) && !slices.Contains(out, auth) && len(out) < maxTries {
			out = append(out, auth)
		}
	}
	if len(r.rules) > 0 {
		out = append(out, authn.AuthConfig{})
	}
	return out, failed
}

// help asks a credential helper once for each of its keys.
func (r *Reader) help(ctx context.Context, l login) (authn.AuthConfig, error) {
	id := [2]string{l.helper, l.key}
	r.mu.Lock()
	h := r.helpers[id]
	if h == nil {
		h = &helped{}
		r.helpers[id] = h
	}
	r.mu.Unlock()
	h.once.Do(func() {
		limited, cancel := r.limit(ctx)
		defer cancel()
		h.auth, h.err = askHelper(limited, l.helper, l.key)
	})
	return h.auth, h.err
}

// open gives a session for a repository and a login, which its images share.
func (r *Reader) open(ctx context.Context, h *registry, ref reference, auth authn.AuthConfig) (*session, error) {
	id := fmt.Sprintf("%s\x00%q", ref.path(), []string{auth.Username, auth.Password, auth.IdentityToken, auth.RegistryToken})
	r.mu.Lock()
	o := r.sessions[id]
	if o == nil {
		o = &opened{}
		r.sessions[id] = o
	}
	r.mu.Unlock()
	o.once.Do(func() { o.session, o.err = h.open(ctx, ref.repo, auth) })
	return o.session, o.err
}

// visit reads an image, out of the store where only the tag was not known.
func (r *Reader) visit(ctx context.Context, s *session, j *job) error {
	v := &visit{s: s, ref: j.ref, digest: j.digest, keys: r.options.Keys}
	digest, byTag := j.digest, j.digest == ""
	if byTag {
		var err error
		if digest, err = s.head(ctx, j.ref.tag); err != nil {
			return err
		}
	}
	if k, ok := r.cache.get(digest); ok {
		if r.looksForSignature(digest, k) {
			k = r.lookAgain(ctx, v, digest, k)
		}
		j.finish(k, byTag)
		return nil
	}
	k, digest, err := v.read(ctx, digest)
	if err != nil {
		return err
	}
	if !v.incomplete {
		r.cache.put(digest, k)
		r.tellUnsigned(digest, k)
	}
	j.finish(k, byTag)
	return nil
}

// read reads a digest, or the tag where its digest is not known, and gives the
// digest that it turned out to be.
func (v *visit) read(ctx context.Context, digest string) (kept, string, error) {
	if digest != "" {
		k, err := v.byDigest(ctx, digest)
		return k, digest, err
	}
	top, err := v.document(ctx, v.ref.tag)
	if err != nil {
		return kept{}, "", err
	}
	k, err := v.describe(ctx, top)
	return k, top.digest, err
}

// lookAgain asks whether a signed provenance has been made since.
func (r *Reader) lookAgain(ctx context.Context, v *visit, digest string, k kept) kept {
	v.left = maxAttestations
	signed, _ := v.attached(ctx, k.Subjects)
	c, ok := best(signed, nil)
	if ok {
		k.Claims = slices.DeleteFunc(slices.Clone(k.Claims), func(c record.ImageClaim) bool { return c.Place == record.PlaceProvenance })
		k.Claims = append(k.Claims, c)
	}
	if !v.incomplete {
		if ok {
			r.cache.put(digest, k)
		}
		r.tellUnsigned(digest, k)
	}
	return k
}

// tellUnsigned remembers that today nobody had signed a provenance.
func (r *Reader) tellUnsigned(digest string, k kept) {
	if len(r.options.Keys) > 0 && r.options.Now != nil && !k.signed() {
		r.cache.putUnsigned(digest, r.options.Now())
	}
}
