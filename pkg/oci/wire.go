package oci

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// maxHeaders bounds the headers of an answer: 64 KiB.
const maxHeaders = 64 << 10

var (
	hostForm  = regexp.MustCompile(`^(?:[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?$`)
	realmPath = regexp.MustCompile(`^/[A-Za-z0-9._~/-]{0,128}$`)
	// numberForm is a host of which the last part is a number, and no address.
	numberForm = regexp.MustCompile(`(?i)(?:^|\.)(?:0x[0-9a-f]*|[0-9]+)\.?$`)
	pullScope  = regexp.MustCompile(`^repository:[^:]+:pull$`)
)

// wire is the way to every host that is asked. It lets through only what a reader
// may ask, and counts that.
type wire struct {
	inner     http.RoundTripper
	userAgent string
	// plain are the hosts that the options name with http://.
	plain map[string]bool

	mu         sync.Mutex
	registries map[string]bool // hosts of images
	realms     map[string]bool // addresses that give tokens, without query
	counts     map[Action]int
}

func newWire(o Options) *wire {
	inner := o.Transport
	if inner == nil {
		t := &http.Transport{Proxy: http.ProxyFromEnvironment}
		if d, ok := http.DefaultTransport.(*http.Transport); ok {
			t = d.Clone()
		}
		t.MaxResponseHeaderBytes = maxHeaders
		inner = t
	}
	return &wire{
		inner: inner, userAgent: cmp.Or(o.UserAgent, "rcactl"), plain: map[string]bool{},
		registries: map[string]bool{}, realms: map[string]bool{}, counts: map[Action]int{},
	}
}

// RoundTrip sends a request that may be sent. It changes none.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := w.check(req); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	w.count(req)
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", w.userAgent)
	resp, err := w.inner.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	return resp, nil
}

// check refuses what a registry could talk a client into: plain http, addresses
// inside the network, other methods, wider tokens.
func (w *wire) check(req *http.Request) error {
	host := req.URL.Host
	switch {
	case req.URL.Scheme == "https":
	case req.URL.Scheme == "http" && (loopback(req.URL.Hostname()) || w.plain[host]):
	default:
		return fmt.Errorf("%w: without TLS", errRefused)
	}
	if linkLocal(req.URL.Hostname()) || redirectedInside(req) {
		return fmt.Errorf("%w: to an address inside the network", errRefused)
	}
	token := w.isRealm(req.URL)
	switch req.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		// How an identity token is exchanged for one that reads.
		if !token {
			return fmt.Errorf("%w: it writes", errRefused)
		}
	default:
		return fmt.Errorf("%w: it writes", errRefused)
	}
	if token && !asksForPull(req) {
		return fmt.Errorf("%w: a token for more than reading", errRefused)
	}
	return nil
}

// asksForPull reports whether the token asked for can read and nothing else. A
// registry may name a wider scope in its challenge, which the client library would
// go along with.
func asksForPull(req *http.Request) bool {
	scopes := req.URL.Query()["scope"]
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return false
		}
		text, err := io.ReadAll(io.LimitReader(body, maxHeaders))
		if err != nil {
			return false
		}
		form, err := url.ParseQuery(string(text))
		if err != nil {
			return false
		}
		scopes = append(scopes, strings.Fields(form.Get("scope"))...)
	}
	for _, s := range scopes {
		if !pullScope.MatchString(s) {
			return false
		}
	}
	return true
}

// addRealm remembers where tokens of a registry are given.
func (w *wire) addRealm(address string) {
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.realms[bare(u)] = true
}

func (w *wire) addRegistry(host string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.registries[host] = true
}

func (w *wire) isRealm(u *url.URL) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.realms[bare(u)]
}

func bare(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }

func (w *wire) count(req *http.Request) {
	a := Action{Method: req.Method, Target: w.target(req.URL)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[a]++
}

// target names what is asked without what a registry chose: of the addresses that
// it sends us to, only the host is told, since their paths may be keys.
func (w *wire) target(u *url.URL) string {
	if !hostForm.MatchString(u.Host) {
		return u.Scheme + "://"
	}
	origin := u.Scheme + "://" + u.Host
	w.mu.Lock()
	registry, realm := w.registries[u.Host], w.realms[bare(u)]
	w.mu.Unlock()
	switch {
	case realm && realmPath.MatchString(u.Path):
		return origin + u.Path
	case registry && u.Path == "/v2/":
		return origin + u.Path
	case registry && strings.HasPrefix(u.Path, "/v2/"):
		if what, ok := withoutReference(u.Path); ok {
			return origin + what
		}
	}
	return origin + "/"
}

// withoutReference cuts a path of the registry API before the digest or tag.
func withoutReference(path string) (string, bool) {
	cut := strings.LastIndexByte(path, '/')
	for _, kind := range []string{"/manifests", "/blobs", "/referrers"} {
		if strings.HasSuffix(path[:cut], kind) {
			return path[:cut], true
		}
	}
	return "", false
}

// actions gives what was counted, sorted.
func (w *wire) actions() []Action {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Action, 0, len(w.counts))
	for a, n := range w.counts {
		a.Requests = n
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Action) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Method, b.Method))
	})
	return out
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// linkLocal is where clouds answer questions about the machine itself, with
// credentials among them. No registry lives there. Numbers that some resolvers take
// for addresses count as such.
func linkLocal(host string) bool {
	host, _, _ = strings.Cut(host, "%")
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast()
	}
	return numberForm.MatchString(host)
}

// redirectedInside reports whether a host outside sends us to an address inside the
// network. Names are left to the resolver.
func redirectedInside(req *http.Request) bool {
	if req.Response == nil || req.Response.Request == nil {
		return false
	}
	from := req.Response.Request.URL
	return from.Host != req.URL.Host && !inside(from.Hostname()) && inside(req.URL.Hostname())
}

// leadsInside reports whether a registry outside has its tokens given by an address
// inside the network: what answers there is not its own to be told.
func leadsInside(registry, realm string) bool {
	from := &url.URL{Host: registry}
	to, err := url.Parse(realm)
	return err == nil && !inside(from.Hostname()) && inside(to.Hostname())
}

func inside(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified())
}
