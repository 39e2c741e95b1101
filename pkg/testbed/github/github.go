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
// committer, redirects of renamed repositories, limits and their headers.
package github

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	Private       bool
	Archived      bool
	Fork          bool
	// Organization says that the owner is one.
	Organization bool
	// FormerNames are "owner/name" under which it was known: they are redirected.
	FormerNames []string
	// NoUsers says that GitHub knows no account for any e-mail address; Users gives
	// the login of an address, where it is not the one before the @. An empty login
	// is an address without an account.
	NoUsers bool
	Users   map[string]string
	// PullRequests are served beside those that the history tells of, and instead of
	// one of the same number.
	PullRequests []PullRequest
	// NoDerived leaves out the pull requests and releases that the history tells of.
	NoDerived bool
}

// Server is a running stand-in.
type Server struct {
	// URL is where the API is, without a slash at the end. URL+"/api/v3" is the same,
	// as a GitHub Enterprise Server has it.
	URL string

	t    testing.TB
	http *httptest.Server
	now  func() time.Time

	mu       sync.Mutex
	repos    []*repo
	requests []Request
}

// repo is one repository as it is now. It is replaced, never changed.
type repo struct {
	Repository
	id      int64
	history *history
	pulls   []PullRequest // by number
}

// Request is one request that the server was asked.
type Request struct {
	Method, Path string
	Query        url.Values
	Header       http.Header
	// Route is the request as the description names it, such as
	// "GET /repos/{owner}/{repo}/commits"; empty when it is none.
	Route string
	// Status is what was answered.
	Status int
}

// Option changes a server.
type Option func(*Server)

// WithNow sets the server's clock, which is the present time otherwise.
func WithNow(now func() time.Time) Option { return func(s *Server) { s.now = now } }

// New starts a server on loopback, which is stopped with the test.
func New(t testing.TB, first Repository, options ...Option) *Server {
	t.Helper()
	s := &Server{t: t, now: time.Now}
	for _, o := range options {
		o(s)
	}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	t.Cleanup(s.http.Close)
	s.Add(first)
	return s
}

// Add serves one more repository.
func (s *Server) Add(r Repository) {
	s.t.Helper()
	made, err := s.load(r)
	if err != nil {
		s.t.Fatalf("serve %s/%s: %v", r.Owner, r.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repos = append(s.repos, made)
}

// Update changes a repository, after which its clone is read again.
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
		made, err := s.load(next)
		if err != nil {
			s.t.Fatalf("serve %s/%s: %v", owner, name, err)
		}
		made.id = r.id
		s.repos[i] = made
		return
	}
	s.t.Fatalf("no repository %s/%s is served", owner, name)
}

func (s *Server) load(r Repository) (*repo, error) {
	h, err := readHistory(r.Dir)
	if err != nil {
		return nil, err
	}
	if r.DefaultBranch == "" {
		r.DefaultBranch = h.head
	}
	made := &repo{Repository: r, id: number(r.Owner + "/" + r.Name), history: h}
	made.pulls = made.allPulls()
	return made, nil
}

func (r *repo) is(owner, name string) bool {
	return strings.EqualFold(r.Owner, owner) && strings.EqualFold(r.Name, name)
}

// Requests is what was asked so far, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Forget forgets the requests so far.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// Count is how often each route was asked.
func (s *Server) Count() map[string]int {
	out := map[string]int{}
	for _, r := range s.Requests() {
		out[r.Route]++
	}
	return out
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{server: s, request: r, query: r.URL.Query(), base: "http://" + r.Host}
	path := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, "/api/v3"); ok && strings.HasPrefix(rest, "/") {
		path, c.base = rest, c.base+"/api/v3"
	}
	a := c.answer(path)
	s.mu.Lock()
	s.requests = append(s.requests, Request{
		Method: r.Method, Path: path, Query: c.query, Header: r.Header.Clone(), Route: c.route, Status: a.status,
	})
	s.mu.Unlock()
	a.write(w)
}

// obj is a JSON object.
type obj = map[string]any

// answer is what is sent back.
type answer struct {
	status int
	header http.Header
	body   any    // JSON, unless raw is set
	raw    []byte // with contentType
	kind   string
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

// fail is an error in GitHub's form.
func fail(status int, message string) answer {
	return answer{status: status, body: obj{
		"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status),
	}}
}

func notFound() answer { return fail(http.StatusNotFound, "Not Found") }

func (a *answer) set(key, value string) {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(key, value)
}

func (a *answer) write(w http.ResponseWriter) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	kind, body := a.kind, a.raw
	if body == nil && a.body != nil {
		kind = "application/json; charset=utf-8"
		var err error
		if body, err = json.Marshal(a.body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	if kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}

// call is one request on its way to an answer.
type call struct {
	server  *Server
	request *http.Request
	query   url.Values
	base    string // of links: where the client thinks that the API is
	route   string
	path    map[string]string // what stands in the place of {owner} and so on
	repo    *repo
}

// answer finds the route and lets it answer.
func (c *call) answer(path string) answer {
	for _, rt := range routes() {
		vars, ok := rt.match(c.request.Method, path)
		if !ok {
			continue
		}
		c.route, c.path = rt.method+" "+rt.path, vars
		if strings.HasPrefix(rt.path, "/repos/{owner}/{repo}") {
			if c.repo = c.server.find(vars["owner"], vars["repo"]); c.repo == nil {
				return notFound()
			}
		}
		return rt.do(c)
	}
	return notFound()
}

func (s *Server) find(owner, name string) *repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.repos {
		if r.is(owner, name) {
			return r
		}
	}
	return nil
}

// route is one kind of request, with its path as the description has it.
type route struct {
	method, path string
	do           func(*call) answer
}

func routes() []route {
	return []route{
		{"GET", "/repos/{owner}/{repo}", (*call).getRepository},
		{"GET", "/repos/{owner}/{repo}/commits", (*call).listCommits},
		{"GET", "/repos/{owner}/{repo}/commits/{ref}", (*call).getCommit},
		{"GET", "/repos/{owner}/{repo}/compare/{basehead}", (*call).compare},
		{"GET", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls", (*call).pullsOfCommit},
		{"GET", "/repos/{owner}/{repo}/pulls", (*call).listPulls},
		{"GET", "/repos/{owner}/{repo}/pulls/{pull_number}", (*call).getPull},
	}
}

// match reads an escaped path. A slash at its end, or one within a reference that
// is not escaped, is another path, as at GitHub.
func (rt route) match(method, path string) (map[string]string, bool) {
	want, have := strings.Split(rt.path, "/"), strings.Split(path, "/")
	if method != rt.method || len(want) != len(have) {
		return nil, false
	}
	vars := map[string]string{}
	for i, w := range want {
		v, err := url.PathUnescape(have[i])
		if err != nil {
			return nil, false
		}
		if name, ok := strings.CutPrefix(w, "{"); ok {
			if v == "" {
				return nil, false
			}
			vars[strings.TrimSuffix(name, "}")] = v
		} else if w != v {
			return nil, false
		}
	}
	return vars, true
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
	if n, err := strconv.Atoi(c.query.Get("page")); err == nil && n > 1 {
		p.page = n
	}
	if n, err := strconv.Atoi(c.query.Get("per_page")); err == nil && n > 0 {
		p.per = min(n, most)
	}
	return p
}

func cut[T any](list []T, p pages) []T {
	from := min((p.page-1)*p.per, len(list))
	return list[from:min(from+p.per, len(list))]
}

// link adds the Link header for a list of total entries.
func (c *call) link(a *answer, p pages, total int) {
	last := (total + p.per - 1) / p.per
	var parts []string
	add := func(page int, rel string) {
		q := url.Values{}
		for k, v := range c.query {
			q[k] = v
		}
		q.Set("page", strconv.Itoa(page))
		parts = append(parts, fmt.Sprintf("<%s%s?%s>; rel=%q", "http://"+c.request.Host, c.request.URL.EscapedPath(), q.Encode(), rel))
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
