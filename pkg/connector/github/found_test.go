package github

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/internal/safefile/safefiletest"
	"github.com/rcactl/rcactl/pkg/secret"
)

func TestEndpoint(t *testing.T) {
	for base, want := range map[string]string{
		"":                                     "https://api.github.com/ github.com",
		"https://api.github.com":               "https://api.github.com/ github.com",
		"https://API.GitHub.com:443/":          "https://api.github.com/ github.com",
		"https://api.acme.ghe.com":             "https://api.acme.ghe.com/ acme.ghe.com",
		"https://git.example.com/api/v3":       "https://git.example.com/api/v3/ git.example.com",
		"https://git.example.com:8443/api/v3/": "https://git.example.com:8443/api/v3/ git.example.com:8443",
		"http://127.0.0.1:8080":                "http://127.0.0.1:8080/ 127.0.0.1:8080",
		"http://localhost/x":                   "http://localhost/x/ localhost",
		"http://[::1]:80/":                     "http://[::1]/ [::1]",
		"https://github.com":                   "page", "https://acme.ghe.com/": "page",
		"http://api.github.com/": "scheme", "ftp://127.0.0.1/": "scheme", "http://127.0.0.1.example.com/": "scheme",
		"https://git.example.com/": "path", "https://git.example.com/api/v4/": "path",
		"https://me:planted@api.github.com/": "parts", "https://api.github.com/?a=b": "parts", "https://api.github.com/#a": "parts",
		"https://": "form", "planted": "form", "https://api.github.com/v3/": "form", "mailto:planted": "form", "https://a b/": "form",
	} {
		at, err := parseEndpoint(base)
		got := map[error]string{errBasePage: "page", errBaseScheme: "scheme", errBasePath: "path", errBaseParts: "parts", errBaseForm: "form"}[err]
		if err == nil {
			got = at.base.String() + " " + at.host
		}
		if got != want {
			t.Errorf("%q: %s, want %s", base, got, want)
		}
	}
}

// lookup is an environment.
func lookup(pairs ...string) connector.Env {
	return connector.Env{LookupEnv: func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}}
}

// A token is found where other tools of GitHub keep it, and is for no other host
// than its own.
func TestDiscover(t *testing.T) {
	tests := []struct {
		env          []string
		says, pinned string // "" for nothing found
		base         string
	}{
		{nil, "", "", ""},
		{[]string{"GITHUB_TOKEN", plantedToken}, "token of GITHUB_TOKEN · repositories that other sources name", "env:GITHUB_TOKEN", ""},
		{[]string{"GH_TOKEN", plantedToken}, "token of GH_TOKEN · repositories that other sources name", "env:GH_TOKEN", ""},
		{[]string{"GH_TOKEN", plantedToken, "GITHUB_TOKEN", "x"}, "token of GITHUB_TOKEN · repositories that other sources name", "env:GITHUB_TOKEN", ""},
		{[]string{"GITHUB_TOKEN", "  "}, "", "", ""},
		{[]string{"GH_ENTERPRISE_TOKEN", plantedToken}, "", "", ""},
		{[]string{"GH_HOST", "git.example.com", "GITHUB_TOKEN", plantedToken}, "", "", ""},
		{[]string{"GH_HOST", "git.example.com", "GH_ENTERPRISE_TOKEN", plantedToken}, "git.example.com · token of GH_ENTERPRISE_TOKEN · repositories that other sources name", "env:GH_ENTERPRISE_TOKEN", "https://git.example.com/api/v3/"},
		{[]string{"GH_HOST", "acme.ghe.com", "GH_TOKEN", plantedToken}, "acme.ghe.com · token of GH_TOKEN · repositories that other sources name", "env:GH_TOKEN", "https://api.acme.ghe.com/"},
		{[]string{"GITHUB_API_URL", "https://git.example.com/api/v3", "GITHUB_TOKEN", plantedToken}, "git.example.com · token of GITHUB_TOKEN · repositories that other sources name", "env:GITHUB_TOKEN", "https://git.example.com/api/v3/"},
		{[]string{"GITHUB_API_URL", "https://api.github.com", "GITHUB_TOKEN", plantedToken}, "token of GITHUB_TOKEN · repositories that other sources name", "env:GITHUB_TOKEN", ""},
		{[]string{"GH_HOST", "a b", "GITHUB_TOKEN", plantedToken}, "", "", ""},
	}
	for _, tt := range tests {
		env := lookup(tt.env...)
		found, err := discover(t.Context(), env)
		if tt.says == "" {
			if !errors.Is(err, connector.ErrNothingFound) || strings.Contains(err.Error(), plantedToken) {
				t.Errorf("%v: %v", tt.env, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", tt.env, err)
			continue
		}
		c := found.(*Config)
		says, err := c.Describe(env)
		if err != nil || says != tt.says || c.BaseURL != tt.base || !c.Follows() {
			t.Errorf("%v: %q %q, %v", tt.env, says, c.BaseURL, err)
		}
		if err := c.Pin(env); err != nil || c.Token.String() != tt.pinned || c.Validate() != nil {
			t.Errorf("%v: %v, %v, %v", tt.env, c.Token, err, c.Validate())
		}
	}
	// With a config for github.com, where a workflow runs elsewhere.
	at, _ := parseEndpoint("")
	if name := tokenVariable(lookup("GITHUB_API_URL", "https://git.example.com/api/v3", "GITHUB_TOKEN", plantedToken), at); name != "" {
		t.Errorf("the token of another host is taken from %s", name)
	}
}

// Without a credential only what the config names is read.
func TestNobody(t *testing.T) {
	c := defaultConfig()
	_, err := newClient(t.Context(), c, connector.Env{Now: morning})
	if !errors.Is(err, connector.ErrNothingFound) || explain(err).Class != connector.ClassConfig {
		t.Errorf("%v", err)
	}
	f := newFront(t, func(c *Config, _ *connector.Env) { c.Token = secret.Ref{} }, func(_ int, w http.ResponseWriter, r *http.Request) {
		if len(r.Header.Values("Authorization")) > 0 {
			t.Error("a credential came out of nowhere")
		}
		answerJSON(w, oneCommit)
	})
	if _, err := f.commits(t.Context()); err != nil || len(f.notes()) != 1 || !strings.Contains(f.notes()[0], "60 requests an hour") {
		t.Errorf("%v, %v", err, f.notes())
	}
}

// A token that cannot stand in a header is refused without being shown.
func TestTokensThatAreNone(t *testing.T) {
	ref, _ := secret.ParseRef("env:T")
	for _, text := range []string{" ", "two words", "line\nInjected: yes", "ü"} {
		c := defaultConfig()
		c.Token = ref
		_, err := newClient(t.Context(), c, connector.Env{Secrets: secret.Sources{LookupEnv: func(string) (string, bool) { return text, true }}})
		if explain(err) == nil || explain(err).Class != connector.ClassConfig || strings.Contains(err.Error(), text+text) || strings.Contains(err.Error(), "Injected") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// writeFiles makes files below a folder.
func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The repository of the folder is found as git finds it, without running it.
func TestWorkRepository(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"plain/.git/config":                  "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = git@github.com:Acme/Shop.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
		"plain/a/b/file":                     "",
		"fork/.git/config":                   "[remote \"origin\"]\nurl=https://x-access-token:" + plantedToken + "@github.com/me/shop\n[remote \"upstream\"]\n\turl = \"ssh://git@ssh.github.com:443/acme/shop.git\" ; the original\n",
		"other/.git/config":                  "[remote \"origin\"]\n\turl = https://git.example.com/team/repo\n[url \"x\"]\n\turl = https://github.com/not/this\n",
		"none/.git/config":                   "[core]\n",
		"broken/.git":                        "planted\n",
		"main/.git/config":                   "[remote \"origin\"]\n\turl = https://github.com/acme/tree # here\n",
		"main/.git/worktrees/tree/commondir": "../..\n",
		"tree/.git":                          "gitdir: " + filepath.Join(dir, "main/.git/worktrees/tree") + "\n",
		"main/.git/modules/sub/config":       "[remote \"origin\"]\n\turl = https://github.com/acme/sub\n",
		"main/sub/.git":                      "gitdir: ../.git/modules/sub\n",
		"large/.git/config":                  strings.Repeat("#", maxGitFile) + "\n[remote \"origin\"]\n\turl = https://github.com/acme/large\n",
		"many/.git/config":                   "[remote \"b\"]\n\turl = https://github.com/acme/b\n[remote \"a\"]\n\turl = https://github.com/acme/a\n",
	})
	for _, tt := range []struct{ dir, host, want string }{
		{"plain", "github.com", "github.com/acme/shop"},
		{"plain/a/b", "github.com", "github.com/acme/shop"},
		{"plain", "git.example.com", ""},
		{"fork", "github.com", "github.com/acme/shop"},
		{"other", "git.example.com", "git.example.com/team/repo"},
		{"other", "github.com", ""},
		{"none", "github.com", ""},
		{"broken", "github.com", ""},
		{"tree", "github.com", "github.com/acme/tree"},
		{"main/sub", "github.com", "github.com/acme/sub"},
		{"large", "github.com", ""},
		{"many", "github.com", "github.com/acme/b"},
		{"missing", "github.com", ""},
	} {
		if got := workRepository(filepath.Join(dir, tt.dir), tt.host); got != tt.want {
			t.Errorf("%s, %s: %q, want %q", tt.dir, tt.host, got, tt.want)
		}
	}
	if got := workRepository("", "github.com") + workRepository("plain", "github.com"); got != "" {
		t.Errorf("no folder: %q", got)
	}
	c := defaultConfig()
	c.Token, _ = secret.ParseRef("env:T")
	if says, err := c.Describe(connector.Env{WorkDir: filepath.Join(dir, "plain")}); err != nil || !strings.HasSuffix(says, "name, else acme/shop") {
		t.Errorf("%q, %v", says, err)
	}
}

func TestAPipeIsNoGitConfig(t *testing.T) {
	safefiletest.RefusesPipe(t, "config", func(path string) error {
		git := filepath.Join(t.TempDir(), ".git")
		if err := os.Symlink(filepath.Dir(path), git); err != nil {
			return err
		}
		if name := workRepository(filepath.Dir(git), "github.com"); name != "" {
			return nil
		}
		_, err := firstLine(path)
		return err
	})
}

func FuzzRemotes(f *testing.F) {
	f.Add("[remote \"origin\"]\n\turl = git@github.com:acme/shop.git\n")
	f.Add("[remote \"a\"]\nurl=\"https://github.com/a/b\" # c")
	f.Fuzz(func(t *testing.T, text string) {
		name := remoteOf(parseRemotes(text), "github.com")
		if name != "" && !(strings.HasPrefix(name, "github.com/") && strings.Count(name, "/") == 2 && name == strings.ToLower(name)) {
			t.Errorf("%q", name)
		}
	})
}

// The repositories: the config's, else those that others name on this host, else the
// folder's.
func TestTargets(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{".git/config": "[remote \"origin\"]\n\turl = https://github.com/acme/here\n"})
	named := connector.Scope{Repositories: []string{"git.example.com/a/b", "github.com/acme/mail", "github.com/acme/mail", "github.com/a/b/c"}}
	for _, tt := range []struct {
		config []string
		scope  connector.Scope
		want   []string
		why    string
	}{
		{[]string{"Acme/Shop", "acme/a"}, named, []string{"github.com/acme/a", "github.com/acme/shop"}, "that the config names"},
		{nil, named, []string{"github.com/acme/mail"}, "that other sources name"},
		{nil, connector.Scope{}, []string{"github.com/acme/here"}, "of this folder"},
	} {
		f := newFront(t, func(c *Config, env *connector.Env) { c.Repositories, env.WorkDir = tt.config, dir }, nil)
		got, why := f.targets(tt.scope)
		if diff := cmp.Diff(tt.want, got); diff != "" || why != tt.why {
			t.Errorf("%s: (-) want (+) got\n%s", why, diff)
		}
	}
}

// Who it is costs one request, which is that for the repository, else one that costs
// nothing of the limit.
func TestIdentity(t *testing.T) {
	serve := func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-GitHub-Enterprise-Version", "3.15.2")
		if r.URL.Path == "/rate_limit" {
			w.WriteHeader(http.StatusNotFound) // limits are off
			return
		}
		answerJSON(w, `{"id":7}`)
	}
	f := newFront(t, nil, serve)
	id, err := f.identity(t.Context())
	if err != nil || id.Target != "github.com" || id.Version != "3.15.2" || !id.Skew.Measured {
		t.Errorf("%+v, %v", id, err)
	}
	if _, err := f.repository(t.Context(), "acme", "shop"); err != nil || len(f.asked) != 1 {
		t.Errorf("%v, asked %v", err, f.asked)
	}
	f = newFront(t, func(c *Config, _ *connector.Env) { c.Repositories = nil }, serve)
	if id, err := f.identity(t.Context()); err != nil || id.Target != "github.com" || !cmp.Equal(f.asked, []string{"GET /rate_limit"}) {
		t.Errorf("%+v, %v, asked %v", id, err, f.asked)
	}
	f = newFront(t, func(c *Config, env *connector.Env) {
		c.Repositories, env.Repositories = nil, []string{"github.com/acme/shop", "elsewhere.example.test/acme/app"}
	}, serve)
	if id, err := f.identity(t.Context()); err != nil || id.Version != "3.15.2" || !cmp.Equal(f.asked, []string{"GET /repos/acme/shop"}) {
		t.Errorf("what others name is asked for anyway: %+v, %v, asked %v", id, err, f.asked)
	}
	f = newFront(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	if _, err := f.identity(t.Context()); err != nil {
		t.Errorf("one repository that is not there: %v", err)
	}
	f = newFront(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
	if _, err := f.identity(t.Context()); connector.ClassOf(err) != connector.ClassAuth {
		t.Errorf("%v", err)
	}
}

func TestHealth(t *testing.T) {
	f := newFront(t, func(c *Config, _ *connector.Env) { c.Repositories = []string{"acme/shop", "acme/hidden"} },
		func(_ int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-OAuth-Scopes", "repo, read:org, PLANTED TEXT, admin:org")
			w.Header().Set("GitHub-Authentication-Token-Expiration", "2026-12-01 10:00:00 UTC")
			switch {
			case strings.HasSuffix(r.URL.Path, "/hidden"):
				w.WriteHeader(404)
			case strings.HasSuffix(r.URL.Path, "/pulls"):
				w.Header().Set("X-Accepted-GitHub-Permissions", "pull_requests=read")
				w.WriteHeader(403)
			case strings.HasSuffix(r.URL.Path, "/shop"), r.URL.Path == "/rate_limit", strings.HasSuffix(r.URL.Path, "/runs"):
				answerJSON(w, `{}`)
			default:
				answerJSON(w, `[]`)
			}
		})
	h := f.health(t.Context())
	if !h.Reachable || !h.Authenticated || h.Err != nil {
		t.Errorf("%+v", h)
	}
	said := func(grants []connector.Grant) string {
		var out []string
		for _, g := range grants {
			out = append(out, strings.TrimSpace(g.Verb+" "+g.Resource+" "+g.Namespace))
		}
		return strings.Join(out, ", ")
	}
	if got := said(h.Missing); got != "read metadata acme/hidden, read pull_requests acme" {
		t.Errorf("missing: %s", got)
	}
	if got := said(h.Excess); got != "scope admin:org, scope repo" {
		t.Errorf("excess: %s", got)
	}
	want := []string{
		"The token for github.com expires at 2026-12-01T10:00:00Z; make a new one before.",
		"The token is a classic one that may also write (admin:org, repo); a GitHub App or a fine-grained token that may only read is enough.",
	}
	if diff := cmp.Diff(want, f.notes()); diff != "" {
		t.Errorf("(-) want (+) got\n%s", diff)
	}
	for _, request := range f.asked {
		if !strings.HasPrefix(request, "GET ") {
			t.Error(request)
		}
	}
	f.quiet(h)
	f = newFront(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
	if h := f.health(t.Context()); !h.Reachable || h.Authenticated || connector.ClassOf(h.Err) != connector.ClassAuth {
		t.Errorf("%+v", h)
	}
	f.server.Close()
	if h := f.health(context.Background()); h.Err == nil {
		t.Errorf("%+v", h)
	}
}

// Each rule of the config says where it is broken; values are not repeated where they
// may be a credential.
func TestValidate(t *testing.T) {
	ref, _ := secret.ParseRef("env:A")
	good := func() *Config { c := defaultConfig(); c.Repositories = []string{"acme/shop"}; return c }
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for path, broken := range map[string]func(*Config){
		"token":               func(c *Config) { c.App, c.Token = &App{ID: 1, Key: ref}, ref },
		"app":                 func(c *Config) { c.App = &App{Key: ref} },
		"app.id":              func(c *Config) { c.App = &App{ID: 1, ClientID: "a", Key: ref} },
		"app.client_id":       func(c *Config) { c.App = &App{ClientID: "a b", Key: ref} },
		"app.installation":    func(c *Config) { c.App = &App{ID: 1, Key: ref, Installation: -1} },
		"base_url":            func(c *Config) { c.BaseURL = "https://me:planted@api.github.com/" },
		"host":                func(c *Config) { c.Host = "Git Hub" },
		"repositories[1]":     func(c *Config) { c.Repositories = append(c.Repositories, "ACME/shop") },
		"repositories[0]":     func(c *Config) { c.Repositories = []string{"../shop"} },
		"branches[0]":         func(c *Config) { c.Branches = []string{"a..b"} },
		"deploy_workflows[0]": func(c *Config) { c.DeployWorkflows = []string{"deploy"} },
		"streams[0]":          func(c *Config) { c.Streams = []string{"issues"} },
		"categories[0].category": func(c *Config) {
			c.Categories = []CategoryRule{{Category: "x", Paths: []string{"a"}}}
		},
		"categories[0]":      func(c *Config) { c.Categories = []CategoryRule{{Category: "code"}} },
		"sensitive_paths[0]": func(c *Config) { c.SensitivePaths = []string{"["} },
		"large_lines":        func(c *Config) { c.LargeLines = 0 },
		"large_files":        func(c *Config) { c.LargeFiles = 0 },
		"max_requests":       func(c *Config) { c.MaxRequests = 0 },
	} {
		c := good()
		broken(c)
		err := c.Validate()
		var field *connector.FieldError
		if !errors.As(err, &field) || field.Path != path || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
