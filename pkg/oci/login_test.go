package oci

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/secret"
)

// guarded is a registry that wants a token, and the server of tokens.
type guarded struct {
	next  http.Handler
	realm string
	// users may read: name to password. scope is what the challenge asks for beyond.
	users map[string]string
	scope string
}

const token = "planted-token-of-a-registry"

func (g *guarded) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Header.Get("Authorization") == "Bearer "+token {
		g.next.ServeHTTP(w, req)
		return
	}
	challenge := fmt.Sprintf("Bearer realm=%q,service=%q", g.realm, "planted")
	if g.scope != "" && req.URL.Path != "/v2/" {
		challenge += fmt.Sprintf(",scope=%q", g.scope)
	}
	w.Header().Set("WWW-Authenticate", challenge)
	w.WriteHeader(http.StatusUnauthorized)
}

// tokens gives tokens to the users, and to nobody if "" is one.
func (g *guarded) tokens(w http.ResponseWriter, req *http.Request) {
	user, password, _ := req.BasicAuth()
	if req.Method == http.MethodPost {
		user, password = "<token>", req.FormValue("refresh_token")
	}
	if want, ok := g.users[user]; !ok || want != password {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"`+planted+`"}]}`)
		return
	}
	fmt.Fprintf(w, `{"access_token":%q}`, token)
}

// behindTokens is a world of a registry with tokens elsewhere.
func behindTokens(t *testing.T, users map[string]string) (*world, *guarded, string) {
	w, s := newWorld(t), newShelf(t, "acme/shop")
	g := &guarded{next: s, realm: "https://auth.example.test/token", users: users}
	w.hosts["ghcr.io"] = g
	w.hosts["auth.example.test"] = http.HandlerFunc(g.tokens)
	digest, _ := s.push(image{labels: labelled(commitA)})
	return w, g, digest
}

func TestLogins(t *testing.T) {
	const password = "planted-password"
	pull := func(doc obj) []secret.Value { return []secret.Value{secret.NewValue(mustJSON(t, doc))} }
	auths := func(keys ...string) obj {
		entries := obj{}
		for _, k := range keys {
			entries[k] = obj{"auth": basic("robot", password)}
		}
		return obj{"auths": entries}
	}
	const read = ""
	tests := []struct {
		name        string
		docker      obj
		credentials []secret.Value
		registries  []string
		reason      string
		unread      bool
	}{
		{name: "docker's login", docker: auths("ghcr.io"), reason: read},
		{name: "as an address", docker: auths("https://ghcr.io/v1/"), reason: read},
		{name: "in two fields", docker: obj{"auths": obj{"ghcr.io": obj{"username": "robot", "password": password}}}, reason: read},
		{name: "an identity token", docker: obj{"auths": obj{"ghcr.io": obj{"identitytoken": "planted-identity"}}}, reason: read},
		{name: "a registry token", docker: obj{"auths": obj{"ghcr.io": obj{"registrytoken": token}}}, reason: read},
		{name: "of a part of the registry", docker: auths("ghcr.io/acme"), reason: read},
		{name: "of a part with a like name", docker: auths("ghcr.io/ac"), unread: true, reason: "ghcr.io is not asked: this machine has no login for it"},
		{name: "of another host", docker: auths("quay.io"), unread: true, reason: "ghcr.io is not asked: this machine has no login for it"},
		{name: "a pull secret", credentials: pull(auths("ghcr.io")), reason: read},
		{name: "a pull secret with a pattern", credentials: pull(auths("*.io")), reason: read},
		{name: "a pattern with other parts", credentials: pull(auths("*.ghcr.io", "*")), unread: true, reason: "ghcr.io is not asked: this machine has no login for it"},
		{name: "a pull secret that is broken, and one that is not", credentials: append([]secret.Value{secret.NewValue([]byte(planted))}, pull(auths("ghcr.io"))...), reason: read},
		{name: "one that is not taken, then one that is", docker: obj{"auths": obj{"ghcr.io": obj{"auth": basic("robot", "old")}}}, credentials: pull(auths("ghcr.io/acme")), reason: read},
		{name: "not taken", docker: obj{"auths": obj{"ghcr.io": obj{"auth": basic("robot", "old")}}}, reason: "ghcr.io does not let this login read the image, or has no such image"},
		{name: "not taken, nobody neither", docker: obj{"auths": obj{"ghcr.io": obj{"auth": basic("robot", "old")}}}, registries: []string{"ghcr.io"}, reason: "ghcr.io does not let this login read the image, or has no such image"},
		{name: "none, and the registry is named", registries: []string{"ghcr.io"}, reason: "ghcr.io needs a login, and there is none"},
		{name: "none", unread: true, reason: "ghcr.io is not asked: this machine has no login for it"},
		{name: "a login, and other registries named", docker: auths("ghcr.io"), registries: []string{"quay.io", "ghcr.io/other"}, unread: true, reason: "ghcr.io is not named among the registries for this repository"},
		{name: "a login, and the repository named", docker: auths("ghcr.io"), registries: []string{"ghcr.io/acme"}, reason: read},
		{name: "an entry that is empty, without a store", docker: obj{"auths": obj{"ghcr.io": obj{}}}, unread: true, reason: "ghcr.io is not asked: this machine has no login for it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, _, digest := behindTokens(t, map[string]string{"robot": password, "<token>": "planted-identity"})
			o := Options{Transport: w, Credentials: tt.credentials, Registries: tt.registries}
			if tt.docker != nil {
				o.DockerConfig = writeDockerConfig(t, tt.docker)
			}
			r := mustReader(t, o)
			got := r.Read(t.Context(), []Ask{{"ghcr.io/acme/shop:v1", digest}})[0]
			if got.Reason != tt.reason || got.Unread != tt.unread {
				t.Errorf("got %+v", got)
			}
			if revision := claimAt(got.Metadata, record.PlaceLabel).Revision; (revision == commitA) != (tt.reason == "") {
				t.Errorf("revision %q", revision)
			}
			if tt.unread && len(r.Actions()) > 0 {
				t.Errorf("asked all the same: %v", r.Actions())
			}
			told := fmt.Sprintf("%+v %+v", got, r.Actions())
			if strings.Contains(told, "planted") {
				t.Errorf("a secret is told: %s", told)
			}
			w.onlyWhereTheyBelong(password, token, "planted-identity")
		})
	}
}

// onlyWhereTheyBelong holds every request to its credentials.
func (w *world) onlyWhereTheyBelong(password, token, identity string) {
	w.t.Helper()
	for _, s := range w.seen {
		switch {
		case strings.Contains(s.query, password), strings.Contains(s.path, password):
			w.t.Errorf("a password in an address: %+v", s)
		case s.auth != "" && s.host != "ghcr.io" && s.host != "auth.example.test",
			strings.HasPrefix(s.auth, "Basic") && s.host != "auth.example.test",
			strings.Contains(s.auth, token) && s.host != "ghcr.io",
			strings.Contains(s.body, identity) && s.host != "auth.example.test":
			w.t.Errorf("credentials for another: %+v", s)
		case s.method == http.MethodPost && s.host != "auth.example.test":
			w.t.Errorf("a request that writes: %+v", s)
		}
	}
}

// A registry of a pod gets the login of its own host or none, wherever it says that
// tokens are given.
func TestAForeignRegistryGetsNoLoginOfOthers(t *testing.T) {
	w, g, _ := behindTokens(t, nil)
	w.hosts["evil.example.test"] = &guarded{next: g.next, realm: "https://evil.example.test/steal"}
	w.hosts["ghcr.io"] = http.NotFoundHandler()
	docker := writeDockerConfig(t, obj{
		"auths":       obj{"ghcr.io": obj{"auth": basic("robot", planted)}, "https://index.docker.io/v1/": obj{"auth": basic("robot", planted)}},
		"credHelpers": obj{"quay.io": "planted"},
	})
	for _, registries := range [][]string{nil, {"*"}} {
		got := readOne(t, Options{Transport: w, DockerConfig: docker, Registries: registries}, "evil.example.test/acme/shop", "")
		if got.Reason == "" {
			t.Errorf("read: %+v", got)
		}
	}
	for _, s := range w.seen {
		if s.auth != "" {
			t.Errorf("sent to it: %+v", s)
		}
	}
}

func TestWhatARegistryCannotTalkUsInto(t *testing.T) {
	const password = "planted-password"
	tests := []struct {
		name   string
		change func(w *world, g *guarded)
		// asked is what must not be asked.
		host, path string
	}{
		{"a realm without TLS", func(_ *world, g *guarded) { g.realm = "http://auth.example.test/token" }, "auth.example.test", ""},
		{"a realm inside the network", func(w *world, g *guarded) {
			g.realm = "https://10.0.0.1/token"
			w.hosts["10.0.0.1"] = http.NotFoundHandler()
		}, "10.0.0.1", ""},
		{"the address of the machine", func(w *world, g *guarded) {
			g.realm = "https://169.254.169.254/latest"
			w.hosts["169.254.169.254"] = http.NotFoundHandler()
		}, "169.254.169.254", ""},
		{"a number that is an address", func(w *world, g *guarded) { g.realm = "https://2852039166/latest" }, "2852039166", ""},
		{"a wider token", func(w *world, g *guarded) {
			g.scope, g.users = "repository:acme/shop:pull,push", map[string]string{"robot": password}
			w.hosts["auth.example.test"] = http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
				// One that is not taken, so that the challenge is answered.
				fmt.Fprint(rw, `{"token":"stale"}`)
			})
		}, "auth.example.test", "push"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, g, digest := behindTokens(t, map[string]string{"robot": password})
			tt.change(w, g)
			docker := writeDockerConfig(t, obj{"auths": obj{"ghcr.io": obj{"auth": basic("robot", password)}}})
			got := readOne(t, Options{Transport: w, DockerConfig: docker}, "ghcr.io/acme/shop", digest)
			if got.Reason == "" || strings.Contains(got.Reason, "planted") {
				t.Errorf("got %+v", got)
			}
			for _, s := range w.seen {
				if s.host == tt.host && strings.Contains(s.path+"?"+s.query, tt.path) {
					t.Errorf("asked %+v", s)
				}
			}
		})
	}
}

// Blobs are often elsewhere: the way there has no login, and its path is not told.
func TestARedirectTakesNoLoginAlong(t *testing.T) {
	w, g, digest := behindTokens(t, map[string]string{"robot": "planted-password"})
	shelf := g.next
	g.next = http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if strings.Contains(req.URL.Path, "/blobs/") {
			http.Redirect(rw, req, "https://cdn.example.test"+req.URL.Path+"?X-Signature=planted", http.StatusTemporaryRedirect)
			return
		}
		shelf.ServeHTTP(rw, req)
	})
	w.hosts["cdn.example.test"] = shelf
	docker := writeDockerConfig(t, obj{"auths": obj{"ghcr.io": obj{"auth": basic("robot", "planted-password")}}})
	r := mustReader(t, Options{Transport: w, DockerConfig: docker})
	got := r.Read(t.Context(), []Ask{{"ghcr.io/acme/shop", digest}})[0]
	if got.Reason != "" || w.requests("cdn.example.test", "") != 1 {
		t.Errorf("got %+v", got)
	}
	w.onlyWhereTheyBelong("planted-password", token, "-")
	want := []Action{
		{"GET", "https://auth.example.test/token", 1},
		{"GET", "https://cdn.example.test/", 1},
		{"GET", "https://ghcr.io/v2/", 1},
		{"GET", "https://ghcr.io/v2/acme/shop/blobs", 1},
		{"GET", "https://ghcr.io/v2/acme/shop/manifests", 1},
	}
	if fmt.Sprint(want) != fmt.Sprint(r.Actions()) {
		t.Errorf("actions %v", r.Actions())
	}
	for _, to := range []string{"http://cdn.example.test/x", "https://127.0.0.1/x", "https://localhost/x", "https://192.168.0.1/x", "https://[fe80::1]/x"} {
		g.next = http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) { http.Redirect(rw, req, to, http.StatusFound) })
		w.forget()
		if got := readOne(t, Options{Transport: w, DockerConfig: docker}, "ghcr.io/acme/shop", digest); got.Reason != "ghcr.io could not be reached" {
			t.Errorf("to %s: %+v", to, got)
		}
		for _, s := range w.seen {
			if s.host != "ghcr.io" && s.host != "auth.example.test" {
				t.Errorf("followed to %+v", s)
			}
		}
	}
	g.next = http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		http.Redirect(rw, req, req.URL.Path, http.StatusFound)
	})
	w.forget()
	if got := readOne(t, Options{Transport: w, DockerConfig: docker}, "ghcr.io/acme/shop", digest); got.Reason == "" || w.requests("ghcr.io", "manifests") > maxRedirects+2 {
		t.Errorf("round and round: %d requests, %+v", w.requests("ghcr.io", "manifests"), got)
	}
}

// Without TLS only what the options name so, and loopback.
func TestPlainHTTP(t *testing.T) {
	s := newShelf(t, "acme/shop")
	digest, _ := s.push(image{labels: labelled(commitA)})
	for host, want := range map[string]string{
		"registry.local:5000": "", "10.0.0.5:5000": "", "registry.example.test": "",
	} {
		w := newWorld(t)
		w.hosts[host] = s
		plain := &onlyPlain{w}
		if got := readOne(t, Options{Transport: plain, Registries: []string{"http://" + host}}, host+"/acme/shop", digest); got.Reason != want {
			t.Errorf("%s named with http://: %+v", host, got)
		}
		w.forget()
		got := readOne(t, Options{Transport: plain, Registries: []string{host}}, host+"/acme/shop", digest)
		if got.Reason != host+" offers no TLS, and is not asked without" || len(w.seen) > 0 {
			t.Errorf("%s: %+v, asked %v", host, got, w.seen)
		}
	}
}

// onlyPlain is a world that does not speak TLS.
type onlyPlain struct{ *world }

func (o *onlyPlain) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" {
		return nil, http.ErrSchemeMismatch
	}
	return o.world.RoundTrip(req)
}

func TestRegistriesThatAreNone(t *testing.T) {
	for _, entry := range []string{"", "/", "ghcr io", "user@ghcr.io", "https://", "gh*.io", "ghcr.io:port"} {
		if _, err := New(Options{Registries: []string{entry}}); err == nil {
			t.Errorf("%q is taken", entry)
		}
	}
}

func TestADockerConfigThatIsNone(t *testing.T) {
	if _, err := New(Options{DockerConfig: filepath.Join(t.TempDir(), "none.json")}); err != nil {
		t.Errorf("one that is not there: %v", err)
	}
	for name, text := range map[string]string{
		"no JSON": planted, "a list": `["` + planted + `"]`, "too large": `{"auths":{"` + strings.Repeat("a", maxDockerConfig) + `":{}}}`,
	} {
		path := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := New(Options{DockerConfig: path})
		if err == nil || strings.Contains(err.Error(), planted) || !strings.Contains(err.Error(), "docker config") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Options{DockerConfig: t.TempDir()}); err == nil {
		t.Error("a folder is taken")
	}
}

// helperDir makes a folder with docker-credential-test in it, which leaves a mark
// each time that it runs.
func helperDir(t *testing.T, script string) (marks func() string) {
	t.Helper()
	dir := t.TempDir()
	mark := filepath.Join(dir, "marks")
	text := "#!/bin/sh\nread key\necho \"$1 $key\" >> '" + mark + "'\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return func() string {
		out, _ := os.ReadFile(mark)
		return string(out)
	}
}

func TestCredentialHelpers(t *testing.T) {
	const password = "planted-password"
	give := `echo '{"ServerURL":"x","Username":"robot","Secret":"planted-password"}'`
	failed := "the credential helper that docker's config names for ghcr.io gave no login"
	none := "ghcr.io is not asked: this machine has no login for it"
	tests := []struct {
		name, script string
		docker       obj
		marks        string
		reason       string
	}{
		{"for the host", give, obj{"credHelpers": obj{"ghcr.io": "test"}}, "get ghcr.io\n", ""},
		{"store of all", give, obj{"credsStore": "test", "auths": obj{"ghcr.io": obj{}}}, "get ghcr.io\n", ""},
		{"identity token", `echo '{"Username":"<token>","Secret":"planted-identity"}'`, obj{"credHelpers": obj{"ghcr.io": "test"}}, "get ghcr.io\n", ""},
		{"the host before the store", give, obj{"credsStore": "none", "auths": obj{"ghcr.io": obj{}}, "credHelpers": obj{"ghcr.io": "test"}}, "get ghcr.io\n", ""},
		{"has none", `echo 'credentials not found in native keychain'; exit 1`, obj{"credHelpers": obj{"ghcr.io": "test"}}, "get ghcr.io\n", none},
		{"has none, the file does", `echo 'credentials not found in native keychain'; exit 1`, obj{"credsStore": "test", "auths": obj{"ghcr.io": obj{"auth": basic("robot", password)}}}, "get ghcr.io\n", ""},
		{"fails", `echo "$0 planted" >&2; exit 1`, obj{"credHelpers": obj{"ghcr.io": "test"}}, "get ghcr.io\n", failed},
		{"says no JSON", `echo planted`, obj{"credHelpers": obj{"ghcr.io": "test"}}, "get ghcr.io\n", failed},
		{"says too much", give + `; head -c 300000 /dev/zero | tr '\0' ' '`, obj{"credHelpers": obj{"ghcr.io": "test"}}, "get ghcr.io\n", failed},
		{"is not there", give, obj{"credHelpers": obj{"ghcr.io": "nowhere"}}, "", failed},
		{"is a path", give, obj{"credHelpers": obj{"ghcr.io": "../test"}}, "", failed},
		{"of another host", give, obj{"credHelpers": obj{"quay.io": "test"}, "credsStore": "test"}, "", none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			marks := helperDir(t, tt.script)
			w, _, digest := behindTokens(t, map[string]string{"robot": password, "<token>": "planted-identity"})
			o := Options{Transport: w, DockerConfig: writeDockerConfig(t, tt.docker)}
			r := mustReader(t, o)
			if marks() != "" {
				t.Error("the helper ran before it was needed")
			}
			asks := []Ask{{"ghcr.io/acme/shop:v1", digest}, {"ghcr.io/acme/shop:v2", digest}, {"quay.io.example.test/x/y", digest}}
			got := r.Read(t.Context(), asks)[0]
			if got.Reason != tt.reason || marks() != tt.marks {
				t.Errorf("got %+v, helper asked %q", got, marks())
			}
			w.onlyWhereTheyBelong(password, token, "planted-identity")
		})
	}
}

// Where nobody may ask too, and is not let in, there may be a login all the same.
func TestAHelperThatFailsIsSaidAlsoWhereNobodyIsNotLetIn(t *testing.T) {
	helperDir(t, `exit 1`)
	w, _, digest := behindTokens(t, nil)
	for helper, want := range map[string]string{
		"nothere": "the credential helper that docker's config names for ghcr.io gave no login",
		"":        "ghcr.io needs a login, and there is none",
	} {
		docker := writeDockerConfig(t, obj{"credsStore": helper, "auths": obj{"ghcr.io": obj{}}})
		got := readOne(t, Options{Transport: w, DockerConfig: docker, Registries: []string{"ghcr.io"}}, "ghcr.io/acme/shop", digest)
		if got.Reason != want || got.Unread {
			t.Errorf("%q: %+v", helper, got)
		}
	}
}

func TestAHelperIsNoPath(t *testing.T) {
	marks := helperDir(t, `echo '{"Username":"robot","Secret":"x"}'`)
	folder := strings.Split(os.Getenv("PATH"), string(os.PathListSeparator))[0]
	t.Chdir(folder)
	if err := os.Mkdir("docker-credential-x", 0o700); err != nil {
		t.Fatal(err)
	}
	if auth, err := askHelper(t.Context(), "x/../docker-credential-test", "ghcr.io"); err == nil || marks() != "" {
		t.Errorf("got %v, %v, helper asked %q", auth.Username, err, marks())
	}
}

// Some servers of tokens have another status for a login that they do not take.
func TestATokenThatIsNotGiven(t *testing.T) {
	for code, want := range map[int]string{
		400: "ghcr.io does not let this login read the image, or has no such image",
		404: "ghcr.io does not let this login read the image, or has no such image",
		403: "ghcr.io does not let this login read the image, or has no such image",
		429: "ghcr.io said that it is asked too often",
		503: "ghcr.io failed",
		200: "ghcr.io gave an answer that is not that of a registry",
	} {
		w, _, digest := behindTokens(t, nil)
		w.hosts["auth.example.test"] = status(code)
		docker := writeDockerConfig(t, obj{"auths": obj{"ghcr.io": obj{"auth": basic("robot", "x")}}})
		if got := readOne(t, Options{Transport: w, DockerConfig: docker}, "ghcr.io/acme/shop", digest); got.Reason != want {
			t.Errorf("%d: %+v", code, got)
		}
	}
}

// What comes out of a cluster runs no program here.
func TestAPullSecretNamesNoHelper(t *testing.T) {
	marks := helperDir(t, `echo '{"Username":"robot","Secret":"x"}'`)
	w, _, digest := behindTokens(t, map[string]string{"robot": "x"})
	value := secret.NewValue(mustJSON(t, obj{"credHelpers": obj{"ghcr.io": "test"}, "credsStore": "test", "auths": obj{"ghcr.io": obj{}}}))
	got := readOne(t, Options{Transport: w, Credentials: []secret.Value{value}}, "ghcr.io/acme/shop", digest)
	if !got.Unread || marks() != "" {
		t.Errorf("got %+v, helper asked %q", got, marks())
	}
}

// A helper that hangs costs the time for one image, and no more.
func TestAHelperThatHangs(t *testing.T) {
	helperDir(t, `exec sleep 600`)
	w, _, digest := behindTokens(t, nil)
	docker := writeDockerConfig(t, obj{"credHelpers": obj{"ghcr.io": "test"}})
	got := readOne(t, Options{Transport: w, DockerConfig: docker, Timeout: 20 * time.Millisecond}, "ghcr.io/acme/shop", digest)
	if got.Reason != "the credential helper that docker's config names for ghcr.io gave no login" {
		t.Errorf("got %+v", got)
	}
}
