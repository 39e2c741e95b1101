package github

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rcactl/rcactl/pkg/connector"
)

// client is what all requests of a source go through. It is safe for use by
// several goroutines.
type client struct {
	config *Config
	env    connector.Env
	at     endpoint
	api    *github.Client
	next   http.RoundTripper
	cred   credential
	who    string // as whom it asks, in words
	log    *connector.RequestLog
	limits *limits
	slots  chan struct{}
	// sleep waits, or gives the error of the context.
	sleep func(ctx context.Context, d time.Duration) error

	mu sync.Mutex
	// seen are facts of answers that a note is made of.
	seen facts
	// repositories are the answers about repositories that were asked for once.
	repositories map[string]*asked
}

// facts are what the headers of answers said.
type facts struct {
	version string    // of a GitHub Enterprise Server
	expires time.Time // of the token
	scopes  []string  // of a classic token; nil when it is none
	classic bool
	partial bool // single sign-on hid something
}

// asked is an answer that is asked for once.
type asked struct {
	once sync.Once
	repo *github.Repository
	err  error
}

// newClient makes the client. It may read files and sends nothing.
func newClient(ctx context.Context, cfg *Config, env connector.Env) (*client, error) {
	at, err := cfg.endpoint()
	if err != nil {
		return nil, err
	}
	c := &client{
		config: cfg, env: env, at: at, next: carrier(env), log: &connector.RequestLog{}, slots: make(chan struct{}, maxConcurrent),
		sleep: sleep, repositories: map[string]*asked{},
	}
	c.limits = newLimits(cfg.MaxRequests, c.now)
	if c.cred, c.who, err = cfg.findCredential(ctx, env, at); err != nil {
		return nil, err
	}
	if app, ok := c.cred.(*app); ok {
		app.client = c
	} else if c.isNobody() && cfg.Follows() {
		return nil, noCredential(at)
	}
	c.api = github.NewClient(&http.Client{
		Transport:     c,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	base := *at.base
	c.api.BaseURL, c.api.UserAgent = &base, cmp.Or(env.UserAgent, "rcactl")
	return c, nil
}

// carrier is what brings requests to GitHub.
func carrier(env connector.Env) http.RoundTripper {
	if env.Transport != nil {
		return env.Transport
	}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		own := standard.Clone()
		own.MaxIdleConnsPerHost = maxConcurrent
		return own
	}
	return http.DefaultTransport
}

// isNobody reports whether there is no credential.
func (c *client) isNobody() bool {
	f, ok := c.cred.(fixed)
	return ok && len(f.value.Reveal()) == 0
}

// now is the time, or zero when nobody says it.
func (c *client) now() time.Time {
	if c.env.Now == nil {
		return time.Time{}
	}
	return c.env.Now()
}

// call says what a request is for; it travels in the request's context.
type call struct {
	owner, stream, purpose string
	// asApp says that it is made as the App itself.
	asApp bool
}

type callKey struct{}

func withCall(ctx context.Context, what call) context.Context {
	return context.WithValue(ctx, callKey{}, what)
}

// on gives the API client for the repositories of an owner, and a context that
// accounts its requests to a stream and a purpose. A request without such a context
// is refused. Every answer but a whole one of 200 is an error, with a nil
// *github.Response beside it: see explain. Redirects within the API are followed.
func (c *client) on(ctx context.Context, owner, stream, purpose string) (*github.Client, context.Context, error) {
	ctx = withCall(ctx, call{owner: strings.ToLower(owner), stream: stream, purpose: purpose})
	if _, err := c.cred.token(ctx, strings.ToLower(owner)); err != nil {
		return nil, nil, err
	}
	return c.api, ctx, nil
}

// host is "github.com", or that of another GitHub: the first part of the names of
// its repositories.
func (c *client) host() string { return c.at.host }

// targets gives the repositories to read, as record.RepositoryName, each once: those
// of the config, sorted, else those of the scope that are of this host, in its order,
// else that of the folder. why completes "the repositories ...".
func (c *client) targets(scope connector.Scope) (repositories []string, why string) {
	for _, name := range c.config.Repositories {
		repositories = append(repositories, c.host()+"/"+strings.ToLower(name))
	}
	slices.Sort(repositories)
	repositories, why = slices.Compact(repositories), "that the config names"
	if len(repositories) == 0 {
		why = "that other sources name"
		for _, name := range scope.Repositories {
			if _, _, ok := c.split(name); ok && !slices.Contains(repositories, name) {
				repositories = append(repositories, name)
			}
		}
	}
	if len(repositories) == 0 {
		if name := workRepository(c.env.WorkDir, c.host()); name != "" {
			repositories, why = []string{name}, "of this folder"
		}
	}
	return repositories, why
}

// split takes apart the name of a repository of this host: owner and name.
func (c *client) split(repository string) (owner, name string, ok bool) {
	rest, ok := strings.CutPrefix(repository, c.host()+"/")
	if !ok {
		return "", "", false
	}
	owner, name, ok = strings.Cut(rest, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return "", "", false
	}
	return owner, name, true
}

// expect says which repositories, as record.RepositoryName, will be asked for, so
// that the token of an App is good for them alone. A token that is there already
// for fewer of them is made anew when it is next needed.
func (c *client) expect(repositories []string) {
	app, ok := c.cred.(*app)
	if !ok {
		return
	}
	names := map[string][]string{}
	for _, repository := range repositories {
		if owner, name, ok := c.split(repository); ok {
			names[owner] = append(names[owner], name)
		}
	}
	app.expect(names)
}

// repository asks for a repository, once for each in a run. The answer is shared
// and not to be changed.
func (c *client) repository(ctx context.Context, owner, name string) (*github.Repository, error) {
	key := strings.ToLower(owner + "/" + name)
	c.mu.Lock()
	a := c.repositories[key]
	if a == nil {
		a = &asked{}
		c.repositories[key] = a
	}
	c.mu.Unlock()
	a.once.Do(func() {
		api, ctx, err := c.on(ctx, owner, "", "the repository and its default branch")
		if err != nil {
			a.err = err
			return
		}
		a.repo, _, a.err = api.Repositories.Get(ctx, url.PathEscape(owner), url.PathEscape(name))
	})
	return a.repo, a.err
}

// actions gives what was asked since the last call, sorted, equal ones added up.
func (c *client) actions() []connector.Action { return c.log.Take(allStreams()) }

// requests is how many requests were sent, of all streams and retries included.
func (c *client) requests() int { return c.limits.sent() }

// skew is how far GitHub's clock was ahead of ours, by the first answer.
func (c *client) skew() connector.Skew { return c.log.Clock() }

// observe keeps what the headers of an answer say.
func (c *client) observe(header http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := header.Get("X-GitHub-Enterprise-Version"); versionForm.MatchString(v) {
		c.seen.version = v
	}
	if v := header.Get("GitHub-Authentication-Token-Expiration"); v != "" {
		c.seen.expires = parseExpiry(v)
	}
	if scopes, ok := header["X-Oauth-Scopes"]; ok && !c.seen.classic {
		c.seen.classic, c.seen.scopes = true, parseScopes(strings.Join(scopes, ","))
	}
	if strings.HasPrefix(header.Get("X-GitHub-SSO"), "partial-results") {
		c.seen.partial = true
	}
}

func (c *client) known() facts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}
