package github

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/secret"
)

// appKey makes one key for all tests; making it takes a while.
var appKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pkcs1(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func pkcs8(t *testing.T, key any) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// appServer is GitHub as an App sees it.
type appServer struct {
	t  *testing.T
	mu sync.Mutex
	// installed are the repositories of the installation, may its permissions; ahead is
	// how far its clock is before ours.
	installed map[string]bool
	may       map[string]string
	ahead     time.Duration
	life      time.Duration
	revoked   map[string]bool
	clock     func() time.Time
	made      []map[string]any // bodies of exchanges
	refusals  int
}

// serve answers.
func (s *appServer) serve(n int, w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock().Add(s.ahead)
	w.Header().Set("Date", now.Format(http.TimeFormat))
	given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if strings.HasPrefix(r.URL.Path, "/app") || strings.HasSuffix(r.URL.Path, "/installation") {
		if !s.signed(given, now) {
			s.refusals++
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.asApp(n, w, r, now)
		return
	}
	if !strings.HasPrefix(given, plantedToken) || s.revoked[given] {
		s.refusals++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.URL.Path == "/repos/acme/shop" {
		answerJSON(w, `{"id":7}`)
		return
	}
	answerJSON(w, oneCommit)
}

func (s *appServer) signed(given string, now time.Time) bool {
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(given, &claims, func(*jwt.Token) (any, error) { return &appKey().PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithIssuedAt(), jwt.WithIssuer("Iv23liPLANTED"))
	if err != nil {
		return false
	}
	if life := claims.ExpiresAt.Sub(claims.IssuedAt.Time); life > 10*time.Minute {
		s.t.Errorf("the signature is good for %s", life)
	}
	return claims.ExpiresAt.Before(now.Add(10*time.Minute + time.Second))
}

func (s *appServer) asApp(n int, w http.ResponseWriter, r *http.Request, now time.Time) {
	about := func() { _ = json.NewEncoder(w).Encode(map[string]any{"id": 42, "permissions": s.may}) }
	switch path := r.URL.Path; {
	case path == "/app":
		answerJSON(w, `{"id":1}`)
	case path == "/app/installations/42", path == "/orgs/acme/installation":
		about()
	case strings.HasPrefix(path, "/repos/acme/") && s.installed[strings.Split(path, "/")[3]]:
		about()
	case path == "/app/installations/42/access_tokens" && r.Method == http.MethodPost:
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			s.t.Error(err)
		}
		s.made = append(s.made, body)
		list, _ := body["repositories"].([]any)
		for _, name := range list {
			if !s.installed[fmt.Sprint(name)] {
				w.WriteHeader(http.StatusUnprocessableEntity)
				return
			}
		}
		for name := range body["permissions"].(map[string]any) {
			if s.may[name] == "" {
				w.WriteHeader(http.StatusUnprocessableEntity)
				return
			}
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"token": fmt.Sprintf("%s%d", plantedToken, n), "expires_at": now.Add(s.life)})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func newAppServer(t *testing.T) *appServer {
	return &appServer{
		t: t, installed: map[string]bool{"shop": true, "mail": true}, life: time.Hour, revoked: map[string]bool{},
		may: map[string]string{"metadata": "read", "contents": "read", "pull_requests": "read", "deployments": "read", "actions": "read"},
	}
}

// asApp makes a client that is an App before a server.
func asApp(t *testing.T, s *appServer, key string, change func(*Config)) *front {
	t.Helper()
	f := newFront(t, func(c *Config, env *connector.Env) {
		ref, err := secret.ParseRef("env:KEY")
		if err != nil {
			t.Fatal(err)
		}
		c.Token, c.App = secret.Ref{}, &App{ClientID: "Iv23liPLANTED", Key: ref}
		env.Secrets = secret.Sources{LookupEnv: func(name string) (string, bool) { return key, name == "KEY" }}
		if change != nil {
			change(c)
		}
	}, s.serve)
	s.clock = f.now
	f.expect([]string{"github.com/acme/shop"})
	return f
}

// An App asks for a token that is narrowed to what is read, and keeps it.
func TestAnAppAsksForLittle(t *testing.T) {
	for name, key := range map[string]string{
		"PKCS1": pkcs1(appKey()), "PKCS8": pkcs8(t, appKey()), "one line": strings.ReplaceAll(pkcs1(appKey()), "\n", `\n`),
	} {
		t.Run(name, func(t *testing.T) {
			s := newAppServer(t)
			f := asApp(t, s, key, func(c *Config) { c.Streams = []string{"deployments"} })
			for range 2 {
				if _, err := f.commits(t.Context()); err != nil {
					t.Fatal(explain(err))
				}
			}
			want := []string{
				"GET /repos/acme/shop/installation", "POST /app/installations/42/access_tokens",
				"GET /repos/acme/shop/commits", "GET /repos/acme/shop/commits",
			}
			if diff := cmp.Diff(want, f.asked); diff != "" {
				t.Errorf("(-) want (+) got\n%s", diff)
			}
			narrow := []map[string]any{{
				"repositories": []any{"shop"},
				"permissions":  map[string]any{"metadata": "read", "contents": "read", "deployments": "read"},
			}}
			if diff := cmp.Diff(narrow, s.made); diff != "" {
				t.Errorf("(-) want (+) got\n%s", diff)
			}
			f.quiet()
			if strings.Contains(f.log.String(), "eyJ") {
				t.Error("a signature shows in the log")
			}
		})
	}
}

// A token is made anew before it ends, once more when it is refused, and when more
// repositories are to be read.
func TestAnAppRenewsItsToken(t *testing.T) {
	s := newAppServer(t)
	f := asApp(t, s, pkcs1(appKey()), nil)
	ask := func(made, refusals int) {
		t.Helper()
		if _, err := f.commits(t.Context()); err != nil || len(s.made) != made || s.refusals != refusals {
			t.Fatalf("%v: %d tokens, %d refusals", explain(err), len(s.made), s.refusals)
		}
	}
	ask(1, 0)
	f.pass(54 * time.Minute)
	ask(1, 0)
	f.pass(2 * time.Minute)
	ask(2, 0)
	s.revoked[fmt.Sprintf("%s%d", plantedToken, 6)] = true // the sixth request made it
	ask(3, 1)
	f.expect([]string{"github.com/acme/shop", "github.com/acme/mail"})
	ask(4, 1)
	if diff := cmp.Diff([]any{"mail", "shop"}, s.made[3]["repositories"]); diff != "" {
		t.Error(diff)
	}
	// One that is refused when it is new is not made again and again.
	for n := range 50 {
		s.revoked[fmt.Sprintf("%s%d", plantedToken, n)] = true
	}
	_, err := f.commits(t.Context())
	if class, _, ok := f.stopped(); explain(err).Class != connector.ClassAuth || !ok || class != connector.ClassAuth || len(s.made) != 5 {
		t.Errorf("%v, %v %s, %d tokens", explain(err), ok, class, len(s.made))
	}
	f.quiet(err)
}

// What the App was not given is left out of the token, and said.
func TestAnAppWithLess(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config, *appServer)
		notes  []string
		class  connector.Class
	}{
		{"a permission", func(_ *Config, s *appServer) { delete(s.may, "deployments") }, []string{"The App is installed at acme without the permission to read deployments."}, ""},
		{"a permission, by number", func(c *Config, s *appServer) { c.App.Installation = 42; delete(s.may, "actions") }, []string{"The App is installed at acme without the permission to read actions."}, ""},
		{"a repository", func(_ *Config, s *appServer) { delete(s.installed, "mail") }, []string{"The App is installed at acme, but not on mail."}, ""},
		{"all repositories", func(_ *Config, s *appServer) { clear(s.installed) }, nil, connector.ClassForbidden},
		{"nothing", nil, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newAppServer(t)
			f := asApp(t, s, pkcs1(appKey()), func(c *Config) {
				if tt.change != nil {
					tt.change(c, s)
				}
			})
			f.expect([]string{"github.com/acme/shop", "github.com/acme/mail"})
			_, err := f.commits(t.Context())
			if got := connector.ClassOf(err); err != nil && explain(err).Class != tt.class || err == nil && tt.class != "" {
				t.Errorf("%v (%s)", explain(err), got)
			}
			if diff := cmp.Diff(tt.notes, f.notes()); tt.class == "" && diff != "" {
				t.Errorf("(-) want (+) got\n%s", diff)
			}
			f.quiet(err)
		})
	}
}

// A clock that is far off is no reason to be refused: GitHub's is taken.
func TestAnAppByGitHubsClock(t *testing.T) {
	for ahead, refusals := range map[time.Duration]int{-time.Hour: 1, 20 * time.Minute: 1, -40 * time.Second: 0} {
		s := newAppServer(t)
		s.ahead = ahead
		f := asApp(t, s, pkcs1(appKey()), nil)
		if _, err := f.commits(t.Context()); err != nil || s.refusals != refusals {
			t.Errorf("%s ahead: %v, %d refusals", ahead, explain(err), s.refusals)
		}
		f.pass(54 * time.Minute)
		if _, err := f.commits(t.Context()); err != nil || len(s.made) != 1 {
			t.Errorf("%s ahead: %v, %d tokens", ahead, explain(err), len(s.made))
		}
	}
}

// A key that is none is refused before anything is asked, and not shown.
func TestKeysThatAreNone(t *testing.T) {
	password := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte("PLANTED TEXT")}))
	for _, key := range []string{"PLANTED TEXT", plantedToken, password, pkcs1(appKey())[:400]} {
		ref, _ := secret.ParseRef("env:KEY")
		c := defaultConfig()
		c.App = &App{ClientID: "Iv23liPLANTED", Key: ref}
		_, err := newClient(t.Context(), c, connector.Env{Now: morning, Secrets: secret.Sources{LookupEnv: func(string) (string, bool) { return key, true }}})
		if explain(err) == nil || explain(err).Class != connector.ClassConfig || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "PLANTED TEXT") {
			t.Errorf("%v", err)
		}
	}
}

// Each installation has a limit of its own: one that is used up leaves the others.
func TestLimitsOfInstallationsAreApart(t *testing.T) {
	s := newAppServer(t)
	f := asApp(t, s, pkcs1(appKey()), nil)
	if _, err := f.commits(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.limits.stop("installation/other", &stopError{connector.ClassLimited, "used up"}, f.now().Add(time.Hour))
	if _, _, ok := f.stopped(); ok {
		t.Error("all is stopped")
	}
	if _, err := f.commits(t.Context()); err != nil {
		t.Error(err)
	}
	f.limits.stop("installation/acme", &stopError{connector.ClassLimited, "used up too"}, f.now().Add(2*time.Hour))
	if _, reason, ok := f.stopped(); !ok || reason != "used up" {
		t.Errorf("%v, %q", ok, reason)
	}
	if _, err := f.commits(t.Context()); !isStopped(err) {
		t.Errorf("%v", err)
	}
}

func TestHealthOfAnApp(t *testing.T) {
	s := newAppServer(t)
	s.may["contents"] = "write"
	s.may["issues"] = "read"
	delete(s.may, "actions")
	f := asApp(t, s, pkcs1(appKey()), nil)
	h := f.health(t.Context())
	var excess, missing []string
	for _, g := range h.Excess {
		excess = append(excess, g.Namespace+" "+g.Resource)
	}
	for _, g := range h.Missing {
		missing = append(missing, g.Namespace+" "+g.Resource)
	}
	if !h.Reachable || !h.Authenticated || !cmp.Equal(excess, []string{"acme contents", "acme issues"}) || !cmp.Equal(missing, []string{"acme actions"}) {
		t.Errorf("%+v", h)
	}
	if f.asked[0] != "GET /app" {
		t.Errorf("asked %v", f.asked)
	}
}
