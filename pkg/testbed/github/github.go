// Package github is a stand-in for GitHub's REST API over a real git history,
// for tests. What it answers is built from a clone, through git; what a clone
// does not have (pull requests that left no trace, deployments, runs) the test
// gives it as data.
//
//	srv := github.New(t, github.Repository{Dir: dir, Owner: "acme", Name: "shop"})
//	client.BaseURL = srv.URL + "/"
//	...
//	for _, r := range srv.Requests() { ... }
//
// It follows GitHub's published behaviour where a client can fall over it: pages
// and Link headers, the bounds of commits, files and runs, dates of the
// committer, redirects of renamed repositories, credentials and permissions,
// limits and their headers. Fail makes requests go wrong.
//
// It is held to the API description that GitHub publishes: some answers of every
// server are checked against it (see WithChecks), and so are the routes and the
// parameters that are asked for. The description is a download of make test; a
// single go test finds it in the cache, and goes without when it is not there.
//
// History makes repositories of any shape, without a clone at hand.
package github

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Repository is one repository to serve.
type Repository struct {
	// Dir is any clone of it, bare or not. An empty one is an empty repository.
	Dir string
	// Owner and Name are its name at GitHub.
	Owner, Name string
	// DefaultBranch is what HEAD names, unless given.
	DefaultBranch string
	// Private repositories are there for those who may read them, and want the right
	// permission for each route. What is public anyone may read, with any token.
	Private  bool
	Archived bool
	Fork     bool
	// Organization says that the owner is one.
	Organization bool
	// FormerNames are "owner/name" under which it was known: they are redirected.
	FormerNames []string
	// NoUsers says that GitHub knows no account for any e-mail address; Users gives
	// the login of an address, where it is not the one before the @. An empty login
	// is an address without an account.
	NoUsers bool
	Users   map[string]string
	// PullRequests and Releases are served beside those that the history tells of,
	// and instead of one of the same number or tag. NoDerived leaves out the ones of
	// the history.
	PullRequests []PullRequest
	Releases     []Release
	NoDerived    bool
	Deployments  []Deployment
	Runs         []Run
	// Branches moves branches to other commits than the clone has them at, adds some,
	// and takes away those that are empty: a push, forced or not.
	Branches map[string]string
	// Verifications are the reasons why a signed commit, by its SHA, is not verified;
	// one without a reason is.
	Verifications map[string]string
	// Patches gives the text of each change along with its numbers, as GitHub does.
	// It costs a git process for each commit.
	Patches bool
}

// Server is a running stand-in.
type Server struct {
	// URL is where the API is, without a slash at the end. URL+"/api/v3" is the same,
	// as a GitHub Enterprise Server has it.
	URL string

	t                testing.TB
	http             *httptest.Server
	now              func() time.Time
	apps             []App
	private          bool // nobody is served without a token
	limit, anonymous int
	enterprise       string
	checks           checks
	closing          chan struct{}

	mu           sync.Mutex
	repos        []*repo
	requests     []*Request
	faults       []*Fault
	tokens       map[string]Access
	given        []string
	budgets      map[string]*budget
	flying, most int
}

// repo is one repository as it is now. It is replaced, never changed.
type repo struct {
	Repository
	id              int64
	history         *history
	landed          []int32 // for each commit, the one of the default branch's first parents that brought it; -1: none
	created, pushed time.Time
	pulls           []PullRequest // by number
	releases        []Release     // newest first
	deployments     []Deployment  // newest first
	runs            []Run         // newest first
}

// Request is one request that the server was asked.
type Request struct {
	Method, Path string
	Query        url.Values
	Header       http.Header
	// Route is the request as the description names it, such as
	// "GET /repos/{owner}/{repo}/commits"; empty when it is none.
	Route string
	// Status is what was answered; 0 when the connection broke.
	Status int
}

// Option changes a server.
type Option func(*Server)

// WithNow sets the server's clock, which is the present time otherwise.
func WithNow(now func() time.Time) Option { return func(s *Server) { s.now = now } }

// WithAnonymousLimit sets how many requests those without a token have for an
// hour; GitHub gives 60.
func WithAnonymousLimit(n int) Option { return func(s *Server) { s.anonymous = n } }

// New starts a server on loopback, which is stopped with the test.
func New(t testing.TB, first Repository, options ...Option) *Server {
	t.Helper()
	s := &Server{
		t: t, now: time.Now, limit: defaultLimit, tokens: map[string]Access{}, budgets: map[string]*budget{}, closing: make(chan struct{}),
	}
	s.checks.every = defaultChecks
	for _, o := range options {
		o(s)
	}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	t.Cleanup(func() {
		close(s.closing)
		s.http.Close()
	})
	s.Add(first)
	return s
}

// Add serves one more repository.
func (s *Server) Add(r Repository) {
	s.t.Helper()
	made, err := load(r)
	if err != nil {
		s.t.Fatalf("serve %s/%s: %v", r.Owner, r.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repos = append(s.repos, made)
}

// Update changes a repository, after which its clone is read again. It may be
// called while requests are answered.
func (s *Server) Update(owner, name string, change func(*Repository)) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range s.repos {
		if !r.is(owner, name) {
			continue
		}
		next := r.Repository
		change(&next)
		made, err := load(next)
		if err != nil {
			s.t.Errorf("serve %s/%s: %v", owner, name, err)
			return
		}
		made.id, made.pushed = r.id, r.pushed
		if !maps.Equal(made.history.branches, r.history.branches) || !slices.EqualFunc(made.history.tags, r.history.tags, func(a, b tag) bool { return a.name == b.name && a.object == b.object }) {
			made.pushed = s.now() // a push, whatever the dates of what was pushed
		}
		s.repos[i] = made
		return
	}
	s.t.Errorf("no repository %s/%s is served", owner, name)
}

// Remove takes a repository away.
func (s *Server) Remove(owner, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repos = slices.DeleteFunc(s.repos, func(r *repo) bool { return r.is(owner, name) })
}

func load(r Repository) (*repo, error) {
	h, err := readHistory(r.Dir)
	if err != nil {
		return nil, err
	}
	for name, sha := range r.Branches {
		if sha == "" {
			delete(h.branches, name)
		} else if _, ok := h.index[sha]; ok {
			h.branches[name] = sha
		} else {
			return nil, fmt.Errorf("branch %s is to be at %s, which the clone does not have", name, sha)
		}
	}
	if r.DefaultBranch == "" {
		r.DefaultBranch = h.head
	}
	made := &repo{Repository: r, id: number(r.Owner + "/" + r.Name), history: h}
	made.created, made.pushed = made.times()
	made.landed = made.land()
	made.pulls, made.releases = made.allPulls(), made.allReleases()
	made.deployments, made.runs = made.allDeployments(), made.allRuns()
	return made, nil
}

func (r *repo) is(owner, name string) bool {
	return strings.EqualFold(r.Owner, owner) && strings.EqualFold(r.Name, name)
}

// Requests is what was asked so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Request, 0, len(s.requests))
	for _, r := range s.requests {
		out = append(out, *r)
	}
	return out
}

// Forget forgets the requests so far.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.most = nil, s.flying
}

// Count is how often each route was asked.
func (s *Server) Count() map[string]int {
	out := map[string]int{}
	for _, r := range s.Requests() {
		out[r.Route]++
	}
	return out
}

// MostAtOnce is the highest number of requests that were answered at one time.
func (s *Server) MostAtOnce() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{server: s, request: r, query: r.URL.Query(), base: "http://" + r.Host}
	path := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, "/api/v3"); ok && (rest == "" || strings.HasPrefix(rest, "/")) {
		path, c.base = rest, c.base+"/api/v3"
	}
	rt := c.find(path)
	asked := &Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: c.query, Header: r.Header.Clone(), Route: c.route}
	s.begin(asked)
	watch := &watched{ResponseWriter: w}
	defer func() { s.end(asked, watch.status) }()
	serve := func(w http.ResponseWriter, _ *http.Request) { c.serve(w, rt) }
	if effect := s.fault(c.route, r); effect != nil {
		effect(s, watch, r, serve)
		return
	}
	serve(watch, r)
}

// begin writes a request down, and end what became of it.
func (s *Server) begin(r *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying++
	s.most = max(s.most, s.flying)
	s.requests = append(s.requests, r)
}

func (s *Server) end(r *Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying--
	r.Status = status
}

// watched remembers the status of an answer.
type watched struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *watched) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// serve answers as GitHub does when nothing goes wrong.
func (c *call) serve(w http.ResponseWriter, rt *route) {
	a := c.answer(rt)
	a.encode()
	c.server.check(c, &a)
	c.conditional(&a)
	c.server.stamp(w.Header())
	c.budgeted(w.Header())
	a.write(w)
}

// stamp adds the headers of every answer.
func (s *Server) stamp(h http.Header) {
	h.Set("Date", s.now().UTC().Format(http.TimeFormat))
	h.Set("X-Github-Request-Id", "0000:0000:0000:0000:0000")
	h.Set("X-Github-Media-Type", "github.v3; format=json")
	h.Set("Server", "github.com")
	if s.enterprise != "" {
		h.Set("X-Github-Enterprise-Version", s.enterprise)
	}
}

// budgeted adds the headers that tell of limits and of the token.
func (c *call) budgeted(h http.Header) {
	if c.server.limit > 0 && h.Get("X-RateLimit-Limit") == "" && c.app == nil {
		b, _ := c.server.spend(c.token, 0)
		limitHeaders(h, b.limit, b.limit-b.used, b.reset)
	}
	if c.access == nil {
		return
	}
	if !c.access.Expires.IsZero() && c.access.installation == 0 {
		h.Set("GitHub-Authentication-Token-Expiration", c.access.Expires.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if c.access.Scopes != nil {
		h.Set("X-OAuth-Scopes", strings.Join(c.access.Scopes, ", "))
	}
}

// conditional answers 304 to who has this already. The tag of an answer depends on
// the token, and what is not modified costs nothing when there is one.
func (c *call) conditional(a *answer) {
	if a.status != http.StatusOK || c.request.Method != http.MethodGet {
		return
	}
	sum := sha256.Sum256(append([]byte(c.token+"\x00"+c.request.Header.Get("Accept")+"\x00"), a.raw...))
	tag := fmt.Sprintf(`"%x"`, sum[:16])
	a.set("ETag", "W/"+tag)
	a.set("Cache-Control", "private, max-age=60, s-maxage=60")
	if have := c.request.Header.Get("If-None-Match"); have != "" && strings.Contains(have, tag) {
		a.status, a.raw, a.kind = http.StatusNotModified, nil, ""
		if c.access != nil {
			c.server.refund(c.token)
		}
	}
}

// obj is a JSON object.
type obj = map[string]any

// answer is what is sent back.
type answer struct {
	status int
	header http.Header
	body   any    // JSON, unless raw is set
	raw    []byte // of the type kind
	kind   string
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

// fail is an error in GitHub's form.
func fail(status int, message string) answer {
	body := obj{"message": message, "documentation_url": "https://docs.github.com/rest"}
	if status != http.StatusUnprocessableEntity {
		body["status"] = strconv.Itoa(status)
	}
	return answer{status: status, body: body}
}

func notFound() answer { return fail(http.StatusNotFound, "Not Found") }

func (a *answer) set(key, value string) {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(key, value)
}

// encode turns the body into bytes, as GitHub does: without escapes for HTML.
func (a *answer) encode() {
	if a.raw != nil || a.body == nil {
		return
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a.body); err != nil {
		*a = fail(http.StatusInternalServerError, err.Error())
		a.encode()
		return
	}
	a.raw, a.kind = bytes.TrimSuffix(out.Bytes(), []byte("\n")), "application/json; charset=utf-8"
}

func (a *answer) write(w http.ResponseWriter) {
	a.encode()
	for k, v := range a.header {
		w.Header()[k] = v
	}
	if a.kind != "" {
		w.Header().Set("Content-Type", a.kind)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.raw)
}

// call is one request on its way to an answer.
type call struct {
	server  *Server
	request *http.Request
	query   url.Values
	base    string // of links: where the client thinks that the API is
	route   string
	rest    string            // what comes after /repos/{owner}/{repo}
	path    map[string]string // what stands in the place of {owner} and so on
	repo    *repo
	read    []string // the parameters that the answer depends on
	token   string
	access  *Access // nil: nobody said who asks
	app     *App
}

// param is a parameter of the query.
func (c *call) param(name string) string {
	c.read = append(c.read, name)
	return c.query.Get(name)
}

// find finds the route of a path. A path below /repositories is that of the
// repository with this number.
func (c *call) find(path string) *route {
	if rest, ok := strings.CutPrefix(path, "/repositories/"); ok {
		id, rest, _ := strings.Cut(rest, "/")
		for _, r := range c.server.all() {
			if strconv.FormatInt(r.id, 10) == id {
				path = strings.TrimSuffix("/repos/"+r.Owner+"/"+r.Name+"/"+rest, "/")
			}
		}
	}
	for _, rt := range routes() {
		if vars, found := rt.match(c.request.Method, path); found {
			c.route, c.path = rt.method+" "+rt.path, vars
			if parts := strings.SplitN(path, "/", 5); len(parts) == 5 {
				c.rest = "/" + parts[4]
			}
			return &rt
		}
	}
	return nil
}

// answer is what GitHub answers: who asks, whether they may, and then the route.
func (c *call) answer(rt *route) answer {
	if c.request.UserAgent() == "" {
		return fail(http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.")
	}
	if v := c.request.Header.Get("X-GitHub-Api-Version"); v != "" && !slices.Contains([]string{"2022-11-28", "2026-03-10"}, v) {
		return fail(http.StatusBadRequest, "The provided API version is not supported.")
	}
	if refused := c.authenticate(rt); refused != nil {
		return *refused
	}
	if c.server.limit > 0 && c.app == nil && c.route != "GET /rate_limit" {
		if b, left := c.server.spend(c.token, 1); !left {
			return overLimit(b)
		}
	}
	if rt == nil {
		return notFound()
	}
	if strings.HasPrefix(rt.path, "/repos/{owner}/{repo}") {
		if refused := c.enter(rt); refused != nil {
			return *refused
		}
	}
	return rt.do(c)
}

// enter finds the repository that is asked for. What may not be seen is not there.
func (c *call) enter(rt *route) *answer {
	owner, name := c.path["owner"], c.path["repo"]
	missing := notFound()
	for _, r := range c.server.all() {
		former := slices.ContainsFunc(r.FormerNames, func(s string) bool { return strings.EqualFold(s, owner+"/"+name) })
		if !former && !r.is(owner, name) || c.app == nil && !c.sees(r) {
			continue
		}
		if former {
			moved := c.moved(r)
			return &moved
		}
		c.repo = r
		if rt.needs.name != "" && !c.may(r, rt.needs) {
			refused := c.refuse(rt.needs)
			return &refused
		}
		return nil
	}
	return &missing
}

// moved sends a client to a repository by its number, as GitHub does for one that
// was renamed or transferred.
func (c *call) moved(r *repo) answer {
	at := c.base + "/repositories/" + strconv.FormatInt(r.id, 10) + c.rest
	if c.request.URL.RawQuery != "" {
		at += "?" + c.request.URL.RawQuery
	}
	a := fail(http.StatusMovedPermanently, "Moved Permanently")
	a.body = obj{"message": "Moved Permanently", "url": at, "documentation_url": "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects"}
	a.set("Location", at)
	return a
}

func (s *Server) all() []*repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.repos)
}

// route is one kind of request, with its path as the description has it.
type route struct {
	method, path string
	do           func(*call) answer
	needs        permission
	app          bool // it is for Apps, with their own token
}

func routes() []route {
	const repo = "/repos/{owner}/{repo}"
	metadata, contents := permission{"metadata", "read"}, permission{"contents", "read"}
	pulls, deployments, actions := permission{"pull_requests", "read"}, permission{"deployments", "read"}, permission{"actions", "read"}
	of := func(needs permission, path string, do func(*call) answer) route {
		return route{method: http.MethodGet, path: path, do: do, needs: needs}
	}
	forApps := func(method, path string, do func(*call) answer) route {
		return route{method: method, path: path, do: do, app: true}
	}
	return []route{ // of two that fit, the first
		of(metadata, repo, (*call).getRepository),
		of(contents, repo+"/commits", (*call).listCommits),
		of(pulls, repo+"/commits/{commit_sha}/pulls", (*call).pullsOfCommit),
		of(contents, repo+"/commits/{commit_sha}/branches-where-head", (*call).branchesWhereHead),
		of(contents, repo+"/commits/{ref}", (*call).getCommit),
		of(contents, repo+"/compare/{basehead}", (*call).compare),
		of(pulls, repo+"/pulls", (*call).listPulls),
		of(pulls, repo+"/pulls/{pull_number}", (*call).getPull),
		of(pulls, repo+"/pulls/{pull_number}/commits", (*call).pullCommits),
		of(pulls, repo+"/pulls/{pull_number}/files", (*call).pullFiles),
		of(contents, repo+"/releases", (*call).listReleases),
		of(contents, repo+"/releases/latest", (*call).latestRelease),
		of(contents, repo+"/releases/tags/{tag}", (*call).releaseOfTag),
		of(contents, repo+"/git/ref/{ref}", (*call).getRef),
		of(contents, repo+"/git/matching-refs/{ref}", (*call).matchingRefs),
		of(contents, repo+"/git/tags/{tag_sha}", (*call).getTag),
		of(metadata, repo+"/tags", (*call).listTags),
		of(contents, repo+"/branches", (*call).listBranches),
		of(contents, repo+"/branches/{branch}", (*call).getBranch),
		of(deployments, repo+"/deployments", (*call).listDeployments),
		of(deployments, repo+"/deployments/{deployment_id}", (*call).getDeployment),
		of(deployments, repo+"/deployments/{deployment_id}/statuses", (*call).listStatuses),
		of(actions, repo+"/actions/runs", (*call).listRuns),
		of(actions, repo+"/actions/workflows", (*call).listWorkflows),
		of(permission{}, "/rate_limit", (*call).rateLimit),
		of(permission{}, "/meta", (*call).meta),
		of(permission{}, "/user", (*call).getUser),
		of(permission{}, "/orgs/{org}/repos", (*call).repositoriesOfOwner),
		of(permission{}, "/users/{username}/repos", (*call).repositoriesOfOwner),
		of(permission{}, "/installation/repositories", (*call).installationRepositories),
		forApps(http.MethodGet, "/app", (*call).getApp),
		forApps(http.MethodGet, "/app/installations", (*call).listInstallations),
		forApps(http.MethodPost, "/app/installations/{installation_id}/access_tokens", (*call).createToken),
		forApps(http.MethodGet, "/orgs/{org}/installation", (*call).installationOf),
		forApps(http.MethodGet, "/users/{username}/installation", (*call).installationOf),
		forApps(http.MethodGet, repo+"/installation", (*call).installationOfRepository),
	}
}

// spanning are the names in a path that may have slashes in them, as the
// description marks them.
func spanning(name string) bool {
	return slices.Contains([]string{"ref", "basehead", "branch", "commit_sha", "tag"}, name)
}

// match reads an escaped path. A slash at its end makes it another one, as at
// GitHub.
func (rt route) match(method, path string) (map[string]string, bool) {
	if method != rt.method {
		return nil, false
	}
	want, have := strings.Split(rt.path, "/"), strings.Split(path, "/")
	vars := map[string]string{}
	for i, w := range want {
		if len(have) < len(want)-i {
			return nil, false
		}
		take := 1
		name, variable := strings.CutPrefix(strings.TrimSuffix(w, "}"), "{")
		if variable && spanning(name) {
			take = len(have) - (len(want) - i - 1)
		}
		v, err := url.PathUnescape(strings.Join(have[:take], "/"))
		if err != nil || variable && (v == "" || have[take-1] == "") || !variable && v != w {
			return nil, false
		}
		if variable {
			vars[name] = v
		}
		have = have[take:]
	}
	return vars, len(have) == 0
}

// pages is which part of a list is asked for: from and to are positions in it.
type pages struct {
	page, per int
}

// The bounds of a page. A longer one is cut without a word, as GitHub does.
const (
	perPage    = 30
	maxPerPage = 100
)

func (c *call) pages(per, most int) pages {
	p := pages{1, per}
	if n, err := strconv.Atoi(c.param("page")); err == nil && n > 1 {
		p.page = n
	}
	if n, err := strconv.Atoi(c.param("per_page")); err == nil && n > 0 {
		p.per = min(n, most)
	}
	return p
}

func cut[T any](list []T, p pages) []T {
	from := min((p.page-1)*p.per, len(list))
	return list[from:min(from+p.per, len(list))]
}

// at is the path of a request as links have it: by the number of the repository.
func (c *call) at() string {
	if c.repo == nil {
		return c.request.URL.EscapedPath()
	}
	return strings.TrimPrefix(c.base, "http://"+c.request.Host) + "/repositories/" + strconv.FormatInt(c.repo.id, 10) + c.rest
}

// link adds the Link header for a list of total entries.
func (c *call) link(a *answer, p pages, total int) {
	last := (total + p.per - 1) / p.per
	var parts []string
	add := func(page int, rel string) {
		q := maps.Clone(c.query)
		q.Set("page", strconv.Itoa(page))
		parts = append(parts, fmt.Sprintf("<%s%s?%s>; rel=%q", "http://"+c.request.Host, c.at(), q.Encode(), rel))
	}
	if p.page > 1 {
		add(min(p.page-1, max(last, 1)), "prev")
	}
	if p.page < last {
		add(p.page+1, "next")
		add(last, "last")
	}
	if p.page > 1 {
		add(1, "first")
	}
	if len(parts) > 0 {
		a.set("Link", strings.Join(parts, ", "))
	}
}

// paged answers one page of a list.
func paged[T any](c *call, list []T, as func(T) any) answer {
	p := c.pages(perPage, maxPerPage)
	out := []any{}
	for _, v := range cut(list, p) {
		out = append(out, as(v))
	}
	a := ok(out)
	c.link(&a, p, len(list))
	return a
}
