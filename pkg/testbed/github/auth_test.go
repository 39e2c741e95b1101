package github

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

func appKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed is an App's token; change alters what is right.
func signed(t *testing.T, key *rsa.PrivateKey, change func(head, claims obj)) string {
	t.Helper()
	now := time.Now()
	head, claims := obj{"alg": "RS256", "typ": "JWT"}, obj{"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(9 * time.Minute).Unix(), "iss": "Iv1.planted"}
	if change != nil {
		change(head, claims)
	}
	var parts []string
	for _, v := range []obj{head, claims} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
	}
	digest := sha256.Sum256([]byte(strings.Join(parts, ".")))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(signature)), ".")
}

func TestAnAppIsHeldToItsToken(t *testing.T) {
	key, other := appKey(t), appKey(t)
	s := New(t, Repository{Dir: History(t, Linear(1)...).Dir, Owner: "acme", Name: "shop"}, WithApp(App{ID: 7, ClientID: "Iv1.planted", Key: &key.PublicKey}))
	now := time.Now()
	claim := func(name string, v any) func(obj, obj) { return func(_, claims obj) { claims[name] = v } }
	for name, tc := range map[string]struct {
		token string
		want  string // empty: it is let in
	}{
		"by client id":       {signed(t, key, nil), ""},
		"by app id":          {signed(t, key, claim("iss", "7")), ""},
		"by app id, number":  {signed(t, key, claim("iss", 7)), ""},
		"nothing":            {"", "could not be decoded"},
		"no token":           {"planted", "could not be decoded"},
		"another key":        {signed(t, other, nil), "could not be decoded"},
		"another algorithm":  {signed(t, key, func(head, _ obj) { head["alg"] = "none" }), "could not be decoded"},
		"issued later":       {signed(t, key, claim("iat", now.Add(time.Minute).Unix())), "'iat'"},
		"issued never":       {signed(t, key, claim("iat", nil)), "'iat'"},
		"expired":            {signed(t, key, claim("exp", now.Add(-time.Second).Unix())), "('exp') must be"},
		"good for too long":  {signed(t, key, claim("exp", now.Add(11*time.Minute).Unix())), "too far in the future"},
		"of another app":     {signed(t, key, claim("iss", "8")), "'iss'"},
		"of no app":          {signed(t, key, claim("iss", nil)), "'iss'"},
		"of a list of apps?": {signed(t, key, claim("iss", []string{"7"})), "'iss'"},
	} {
		r := ask(t, http.MethodGet, s.URL+"/app", "Authorization: Bearer "+tc.token)
		if tc.want == "" && r.StatusCode != http.StatusOK || tc.want != "" && (r.StatusCode != http.StatusUnauthorized || !strings.Contains(string(r.body), tc.want)) {
			t.Errorf("%s: %s %s", name, r.Status, r.body)
		}
	}
	if r := ask(t, http.MethodGet, s.URL+"/repos/acme/shop", "Authorization: Bearer "+signed(t, key, nil)); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("an App's own token opens a repository: %s", r.Status)
	}
}

// appWorld is two private repositories with an App in their account, and a clock.
type appWorld struct {
	*Server
	jwt string
	now time.Time
}

func newAppWorld(t *testing.T) *appWorld {
	key := appKey(t)
	w := &appWorld{now: time.Now(), jwt: signed(t, key, nil)}
	dir := History(t, Linear(3)...).Dir
	w.Server = New(t, Repository{Dir: dir, Owner: "acme", Name: "shop", Private: true}, WithNow(func() time.Time { return w.now }),
		WithApp(App{ID: 7, ClientID: "Iv1.planted", Slug: "planted", Key: &key.PublicKey, Installations: []Installation{
			{ID: 70, Account: "acme", Organization: true, Permissions: map[string]string{"contents": "read", "pull_requests": "write"}},
		}}))
	w.Add(Repository{Dir: dir, Owner: "acme", Name: "secret", Private: true})
	w.Add(Repository{Dir: dir, Owner: "other", Name: "open"})
	return w
}

// token asks for an installation token, with a body.
func (w *appWorld) token(t *testing.T, body string, status int) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/app/installations/70/access_tokens", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.jwt)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var given struct {
		Token   string
		Message string
	}
	if err := json.NewDecoder(resp.Body).Decode(&given); err != nil || resp.StatusCode != status {
		t.Fatalf("%s: %s %+v, %v", body, resp.Status, given, err)
	}
	return given.Token
}

func TestATokenIsAsNarrowAsItWasAskedFor(t *testing.T) {
	w := newAppWorld(t)
	wide := w.token(t, "", http.StatusCreated)
	narrow := w.token(t, `{"repositories":["shop"],"permissions":{"contents":"read"}}`, http.StatusCreated)
	if len(wide) <= 40 || wide == narrow || strings.Join(w.Tokens(), " ") != wide+" "+narrow {
		t.Errorf("tokens %s and %s", wide, narrow)
	}
	for _, tc := range []struct {
		path, token string
		want        int
		accepted    string
	}{
		{"/repos/acme/shop", "", http.StatusNotFound, ""},
		{"/repos/acme/shop", wide, http.StatusOK, ""},
		{"/repos/acme/secret", wide, http.StatusOK, ""},
		{"/repos/acme/secret", narrow, http.StatusNotFound, ""},
		{"/repos/acme/shop/commits", narrow, http.StatusOK, ""},
		{"/repos/acme/shop/pulls", wide, http.StatusOK, ""},
		{"/repos/acme/shop/pulls", narrow, http.StatusForbidden, "pull_requests=read"},
		{"/repos/acme/shop/deployments", wide, http.StatusForbidden, "deployments=read"},
		{"/repos/acme/shop/actions/runs", wide, http.StatusForbidden, "actions=read"},
		{"/repos/other/open/actions/runs", narrow, http.StatusOK, ""}, // public: anyone may read
		{"/installation/repositories", narrow, http.StatusOK, ""},
		{"/installation/repositories", "", http.StatusForbidden, ""},
		{"/user", narrow, http.StatusForbidden, "user=read"},
		{"/repos/acme/shop", "none", http.StatusUnauthorized, ""},
	} {
		var headers []string
		if tc.token != "" {
			headers = []string{"Authorization: token " + tc.token}
		}
		r := ask(t, http.MethodGet, w.URL+tc.path, headers...)
		if r.StatusCode != tc.want || r.Header.Get("X-Accepted-GitHub-Permissions") != tc.accepted {
			t.Errorf("%s with %q: %s %s %q", tc.path, tc.token, r.Status, r.body, r.Header.Get("X-Accepted-GitHub-Permissions"))
		}
	}
	if have := get[struct {
		Total int `json:"total_count"`
	}](t, w.URL+"/installation/repositories", http.StatusOK, "Authorization: token "+narrow); have.Total != 1 {
		t.Errorf("a token for one repository lists %d", have.Total)
	}
	w.token(t, `{"repositories":["open"]}`, http.StatusUnprocessableEntity)
	w.token(t, `{"permissions":{"contents":"write"}}`, http.StatusUnprocessableEntity)
	w.token(t, `{"permissions":{"actions":"read"}}`, http.StatusUnprocessableEntity)
	w.token(t, `{"repositories":["shop"`+strings.Repeat(`,"shop"`, 500)+`]}`, http.StatusUnprocessableEntity)
	w.token(t, `{`, http.StatusBadRequest)
}

func TestATokenEnds(t *testing.T) {
	w := newAppWorld(t)
	token := w.token(t, "", http.StatusCreated)
	at := func(want int) {
		t.Helper()
		if r := ask(t, http.MethodGet, w.URL+"/repos/acme/shop", "Authorization: token "+token); r.StatusCode != want {
			t.Errorf("%s, want %d", r.Status, want)
		}
	}
	w.now = w.now.Add(59 * time.Minute)
	at(http.StatusOK)
	w.now = w.now.Add(time.Minute)
	at(http.StatusUnauthorized)
	w.now = time.Now()
	at(http.StatusOK)
	w.Revoke(token)
	at(http.StatusUnauthorized)
}

func TestAPersonalTokenTellsOfItself(t *testing.T) {
	dir := History(t, Linear(1)...).Dir
	s := New(t, Repository{Dir: dir, Owner: "acme", Name: "shop", Private: true}, WithoutAnonymous(),
		WithToken("classic", Access{Login: "planted", Scopes: []string{"repo", "user"}}),
		WithToken("fine", Access{Login: "planted", Permissions: map[string]string{"contents": "read"}, Repositories: []string{"acme/shop"}, Expires: time.Now().Add(time.Hour)}))
	if r := ask(t, http.MethodGet, s.URL+"/user", "Authorization: Bearer classic"); r.StatusCode != http.StatusOK || r.Header.Get("X-OAuth-Scopes") != "repo, user" {
		t.Errorf("%s %v", r.Status, r.Header)
	}
	if r := ask(t, http.MethodGet, s.URL+"/repos/acme/shop/pulls", "Authorization: Bearer fine"); r.StatusCode != http.StatusForbidden || r.Header.Get("GitHub-Authentication-Token-Expiration") == "" ||
		!strings.Contains(string(r.body), "personal access token") {
		t.Errorf("%s %v %s", r.Status, r.Header, r.body)
	}
	if r := ask(t, http.MethodGet, s.URL+"/rate_limit"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %s", r.Status)
	}
	if r := ask(t, http.MethodGet, s.URL+"/user", "Authorization: Bearer classic", "User-Agent: "); r.StatusCode != http.StatusForbidden {
		t.Errorf("without a user agent: %s", r.Status)
	}
	if r := ask(t, http.MethodGet, s.URL+"/user", "Authorization: Bearer classic", "X-GitHub-Api-Version: 1999-01-01"); r.StatusCode != http.StatusBadRequest {
		t.Errorf("with a version of the API that there is not: %s", r.Status)
	}
}
