package github

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/secret"
)

const (
	// signedBack and signedAhead are for how long a signature is good: GitHub takes
	// ten minutes at most, and clocks differ.
	signedBack  = time.Minute
	signedAhead = 9 * time.Minute
	// renewBefore is how long before its end a token is made anew.
	renewBefore = 5 * time.Minute
	// tokenLife is how long a token lives that does not say so.
	tokenLife = time.Hour
	// maxNarrow is how many repositories a token can be narrowed to.
	maxNarrow = 500
	// maxChecked is how many repositories are asked for one by one, when GitHub
	// refuses to make a token for all of them.
	maxChecked = 50
	// clockMatters is from when on a clock is taken for the reason of a refusal.
	clockMatters = 30 * time.Second
)

// app is a GitHub App. It makes, for each owner of repositories, a token that is
// good for the repositories that were asked for and for reading alone.
type app struct {
	client       *client
	issuer       string
	key          *rsa.PrivateKey
	installation int64 // 0 to find it
	permissions  []string

	mu     sync.Mutex
	offset time.Duration // of GitHub's clock
	names  map[string][]string
	tokens map[string]*appToken
}

// appToken is the token for an owner.
type appToken struct {
	mu      sync.Mutex
	value   secret.Value
	expires time.Time // by our clock
	names   []string  // repositories it was asked for
	err     error     // that will not pass in this run
	// lacks are permissions that the installation does not have, refused are
	// repositories that it does not have, excess what it may beyond reading.
	lacks, refused, excess []string
	wide                   bool // not narrowed to repositories
}

// newApp reads the key. It sends nothing.
func newApp(c *Config, key secret.Value) (*app, error) {
	pem := key.Reveal()
	if !bytes.Contains(pem, []byte("\n")) {
		pem = bytes.ReplaceAll(pem, []byte(`\n`), []byte("\n")) // how variables often hold it
	}
	private, err := jwt.ParseRSAPrivateKeyFromPEM(pem)
	if err != nil {
		return nil, connector.Errorf(connector.ClassConfig, nil,
			"app.key (%s) is not an RSA private key in PEM, without a password, as the page of the App gives it", c.App.Key)
	}
	issuer := c.App.ClientID
	if issuer == "" {
		issuer = strconv.FormatInt(c.App.ID, 10)
	}
	return &app{
		issuer: issuer, key: private, installation: c.App.Installation, permissions: c.permissions(),
		names: map[string][]string{}, tokens: map[string]*appToken{},
	}, nil
}

// expect says which repositories of each owner will be asked for.
func (a *app) expect(names map[string][]string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for owner, list := range names {
		a.names[owner] = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(a.names[owner]), list...))))
	}
}

// bucket implements credential: an installation has a limit of its own.
func (a *app) bucket(owner string) string {
	if a.installation != 0 {
		return ""
	}
	return "installation/" + owner
}

func (a *app) slot(owner string) (*appToken, []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tokens[owner]
	if t == nil {
		t = &appToken{}
		a.tokens[owner] = t
	}
	return t, a.names[owner]
}

// token implements credential.
func (a *app) token(ctx context.Context, owner string) (secret.Value, error) {
	t, names := a.slot(owner)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := a.client.now()
	if t.err != nil {
		return secret.Value{}, t.err
	}
	if len(t.value.Reveal()) > 0 && now.Before(t.expires.Add(-renewBefore)) && t.serves(names) {
		return t.value, nil
	}
	if err := a.exchange(ctx, owner, names, t); err != nil {
		if hasStatus(err, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity) {
			t.err = err
		}
		return secret.Value{}, err
	}
	return t.value, nil
}

// serves reports whether the token is good for these repositories, and for no more
// than can be helped.
func (t *appToken) serves(names []string) bool {
	if t.wide {
		return len(narrowed(names)) == 0
	}
	return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(t.names, name) })
}

// narrowed gives the repositories to narrow a token to; none means all.
func narrowed(names []string) []string {
	if len(names) > maxNarrow {
		return nil
	}
	return names
}

// renew implements credential.
func (a *app) renew(owner string, refused secret.Value) bool {
	t, _ := a.slot(owner)
	t.mu.Lock()
	defer t.mu.Unlock()
	if bytes.Equal(t.value.Reveal(), refused.Reveal()) {
		t.value = secret.Value{}
	}
	return true
}

// sign makes the token of the App itself, which is good for ten minutes and for
// finding and using its installations.
func (a *app) sign() (secret.Value, error) {
	now := a.client.now()
	if now.IsZero() {
		return secret.Value{}, connector.Errorf(connector.ClassInternal, nil, "an App needs a clock")
	}
	a.mu.Lock()
	now = now.Add(a.offset)
	a.mu.Unlock()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": a.issuer, "iat": now.Add(-signedBack).Unix(), "exp": now.Add(signedAhead).Unix(),
	})
	signed, err := token.SignedString(a.key)
	if err != nil {
		return secret.Value{}, connector.Errorf(connector.ClassConfig, nil, "app.key cannot sign: is it the key of the App, with 2048 bits?")
	}
	return secret.NewValue([]byte(signed)), nil
}

// installed is what GitHub says of an installation.
type installed struct {
	ID          int64             `json:"id"`
	Permissions map[string]string `json:"permissions"`
	Suspended   *time.Time        `json:"suspended_at"`
}

// exchange makes a token for an owner and keeps it in t.
func (a *app) exchange(ctx context.Context, owner string, names []string, t *appToken) error {
	of := installed{ID: a.installation}
	if of.ID == 0 {
		var err error
		if of, err = a.find(ctx, owner, names); err != nil {
			return err
		}
	}
	if of.Suspended != nil {
		return connector.Errorf(connector.ClassForbidden, nil, "the installation of the App at %s is suspended", owner)
	}
	asked := narrowed(names)
	made, err := a.make(ctx, of, asked, t)
	if hasStatus(err, http.StatusUnprocessableEntity) {
		made, err = a.makeLess(ctx, owner, of, asked, t)
	}
	if err != nil {
		return err
	}
	t.value = secret.NewValue([]byte(made.Token))
	t.names, t.wide = names, len(asked) == 0
	t.expires = a.ends(made.Expires)
	return nil
}

// ends gives the end of a token by our clock.
func (a *app) ends(said time.Time) time.Time {
	now := a.client.now()
	if said.IsZero() {
		return now.Add(tokenLife)
	}
	if skew := a.client.skew(); skew.Measured {
		said = said.Add(-skew.Offset)
	}
	return said
}

// made is a new token.
type made struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires_at"`
}

// make asks for a token for these repositories, all when there are none, with those
// of the permissions that the installation has, when that is known.
func (a *app) make(ctx context.Context, of installed, names []string, t *appToken) (made, error) {
	permissions := map[string]string{}
	t.lacks, t.excess = nil, nil
	for _, name := range a.permissions {
		if of.Permissions == nil || of.Permissions[name] != "" {
			permissions[name] = "read"
		} else {
			t.lacks = append(t.lacks, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(of.Permissions)) {
		if isPlain(name) && (of.Permissions[name] != "read" || permissions[name] == "") && name != "metadata" {
			t.excess = append(t.excess, name)
		}
	}
	in := struct {
		Repositories []string          `json:"repositories,omitempty"`
		Permissions  map[string]string `json:"permissions"`
	}{names, permissions}
	var out made
	path := fmt.Sprintf("app/installations/%d/access_tokens", of.ID)
	if err := a.call(ctx, http.MethodPost, path, "a token that may read and nothing else", in, &out); err != nil {
		return made{}, err
	}
	if out.Token == "" || strings.ContainsFunc(out.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return made{}, connector.Errorf(connector.ClassProtocol, nil, "GitHub gave no token for the installation of the App; check base_url")
	}
	return out, nil
}

// makeLess finds out why GitHub made no token: it refuses one for a permission or a
// repository that the installation lacks, and does not say which.
func (a *app) makeLess(ctx context.Context, owner string, of installed, names []string, t *appToken) (made, error) {
	if of.Permissions == nil {
		if err := a.call(ctx, http.MethodGet, fmt.Sprintf("app/installations/%d", of.ID), "permissions of the App", nil, &of); err != nil {
			return made{}, err
		}
		out, err := a.make(ctx, of, names, t)
		if !hasStatus(err, http.StatusUnprocessableEntity) {
			return out, err
		}
	}
	var left []string
	t.refused = nil
	for i, name := range names {
		if i == maxChecked {
			return made{}, connector.Errorf(connector.ClassForbidden, nil,
				"GitHub makes no token for the %d repositories of %s: the App is not installed on all of them", len(names), owner)
		}
		var here installed
		err := a.call(ctx, http.MethodGet, repositoryPath(owner, name)+"/installation", "is the App installed there", nil, &here)
		switch {
		case err == nil && here.ID == of.ID:
			left = append(left, name)
		case err == nil || hasStatus(err, http.StatusNotFound):
			t.refused = append(t.refused, name)
		default:
			return made{}, err
		}
	}
	if len(left) == 0 {
		return made{}, connector.Errorf(connector.ClassForbidden, nil, "the App is installed at %s, and on none of the repositories that are to be read", owner)
	}
	return a.make(ctx, of, left, t)
}

// find finds the installation at an owner.
func (a *app) find(ctx context.Context, owner string, names []string) (installed, error) {
	var paths []string
	if len(names) > 0 {
		paths = append(paths, repositoryPath(owner, names[0])+"/installation")
	}
	paths = append(paths, "orgs/"+url.PathEscape(owner)+"/installation", "users/"+url.PathEscape(owner)+"/installation")
	for _, path := range paths {
		var of installed
		err := a.call(ctx, http.MethodGet, path, "installation of the App", nil, &of)
		switch {
		case hasStatus(err, http.StatusNotFound):
			continue
		case err != nil:
			return installed{}, err
		case of.ID <= 0:
			return installed{}, connector.Errorf(connector.ClassProtocol, nil, "GitHub gave an installation without a number; check base_url")
		}
		if of.Permissions == nil {
			of.Permissions = map[string]string{}
		}
		return of, nil
	}
	return installed{}, connector.Errorf(connector.ClassForbidden, &answerError{status: http.StatusNotFound, app: true},
		"the App is not installed at %s; install it there and give it the repositories", owner)
}

func repositoryPath(owner, name string) string {
	return "repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name)
}

// call asks as the App itself. A refusal that the clock explains is asked for again
// by GitHub's clock.
func (a *app) call(ctx context.Context, method, path, purpose string, in, out any) error {
	err := a.callOnce(ctx, method, path, purpose, in, out)
	if !hasStatus(err, http.StatusUnauthorized) || !a.adjust() {
		return err
	}
	return a.callOnce(ctx, method, path, purpose, in, out)
}

// adjust takes over GitHub's clock, if it is far from ours, and reports whether it
// did.
func (a *app) adjust() bool {
	skew := a.client.skew()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !skew.Measured || (skew.Offset-a.offset).Abs() < clockMatters {
		return false
	}
	a.offset = skew.Offset
	return true
}

func (a *app) callOnce(ctx context.Context, method, path, purpose string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return connector.Errorf(connector.ClassInternal, err, "a request cannot be written")
		}
		body = bytes.NewReader(text)
	}
	ctx = withCall(ctx, call{purpose: purpose, asApp: true})
	req, err := http.NewRequestWithContext(ctx, method, a.client.at.base.String()+path, body)
	if err != nil {
		return connector.Errorf(connector.ClassInternal, err, "a request cannot be made")
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("User-Agent", cmp.Or(a.client.env.UserAgent, "rcactl"))
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.client.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		// The answer may hold a token, and the error a piece of it.
		return connector.Errorf(connector.ClassProtocol, nil, "GitHub's answer about the App cannot be read; check base_url")
	}
	return nil
}
