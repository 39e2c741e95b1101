package github

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Access is what a token may do.
type Access struct {
	// Login is whose token it is; empty for an installation.
	Login string
	// Permissions are such as "contents": "read"; nil is all of them to read.
	Permissions map[string]string
	// Repositories are "owner/name"; nil is all.
	Repositories []string
	// Expires is when it ends; zero is never. It is told in a header to whoever uses it.
	Expires time.Time
	// Scopes are those of a classic token, which are told in a header.
	Scopes []string

	installation int64
}

// App is a GitHub App. Its key signs the tokens with which it asks for others.
type App struct {
	ID            int64
	ClientID      string
	Slug          string
	Key           *rsa.PublicKey
	Installations []Installation
}

// Installation is an App in one account.
type Installation struct {
	ID           int64
	Account      string
	Organization bool
	// Repositories are "owner/name"; nil is all of the account.
	Repositories []string
	Permissions  map[string]string
	Suspended    time.Time
}

// tokenLife is how long an installation token is good.
const tokenLife = time.Hour

// WithToken lets a token in.
func WithToken(token string, a Access) Option {
	return func(s *Server) { s.tokens[token] = a }
}

// WithApp lets an App in.
func WithApp(a App) Option { return func(s *Server) { s.apps = append(s.apps, a) } }

// WithoutAnonymous asks for a token even for what is public, as a GitHub
// Enterprise Server in private mode does.
func WithoutAnonymous() Option { return func(s *Server) { s.private = true } }

// Revoke ends a token.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// Tokens are the installation tokens that were given out, in order.
func (s *Server) Tokens() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.given)
}

// permission is what a request needs.
type permission struct{ name, level string }

func (p permission) String() string { return p.name + "=" + p.level }

// bearer is the credential of a request.
func bearer(r *http.Request) string {
	v := r.Header.Get("Authorization")
	for _, scheme := range []string{"bearer ", "token "} {
		if len(v) > len(scheme) && strings.EqualFold(v[:len(scheme)], scheme) {
			return v[len(scheme):]
		}
	}
	if _, password, basic := r.BasicAuth(); basic {
		return password
	}
	return v
}

// authenticate finds out who asks. It answers when the credential is none.
func (c *call) authenticate(rt *route) *answer {
	c.token = bearer(c.request)
	if rt != nil && rt.app {
		return c.authenticateApp()
	}
	if c.token == "" {
		if c.server.private {
			a := fail(http.StatusUnauthorized, "Must authenticate to access this API.")
			return &a
		}
		return nil
	}
	c.server.mu.Lock()
	access, known := c.server.tokens[c.token]
	c.server.mu.Unlock()
	if !known || !access.Expires.IsZero() && !c.server.now().Before(access.Expires) {
		a := fail(http.StatusUnauthorized, "Bad credentials")
		return &a
	}
	c.access = &access
	return nil
}

// authenticateApp reads the JWT with which an App speaks for itself.
func (c *call) authenticateApp() *answer {
	err := errors.New("A JSON web token could not be decoded") //nolint:staticcheck // GitHub's words
	for i, app := range c.server.apps {
		if err = checkJWT(c.token, app, c.server.now()); err == nil {
			c.app = &c.server.apps[i]
			return nil
		}
	}
	a := fail(http.StatusUnauthorized, err.Error())
	return &a
}

// checkJWT holds an App's token to what GitHub asks of it.
func checkJWT(token string, app App, now time.Time) error {
	undecodable := errors.New("A JSON web token could not be decoded") //nolint:staticcheck // GitHub's words
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return undecodable
	}
	var head struct {
		Alg string `json:"alg"`
	}
	var claims struct {
		IssuedAt  *int64 `json:"iat"`
		ExpiresAt *int64 `json:"exp"`
		Issuer    any    `json:"iss"`
	}
	for i, into := range []any{&head, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return undecodable
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || head.Alg != "RS256" || rsa.VerifyPKCS1v15(app.Key, crypto.SHA256, digest[:], signature) != nil {
		return undecodable
	}
	switch {
	case claims.IssuedAt == nil || time.Unix(*claims.IssuedAt, 0).After(now):
		return errors.New("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	case claims.ExpiresAt == nil || !time.Unix(*claims.ExpiresAt, 0).After(now):
		return errors.New("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case time.Unix(*claims.ExpiresAt, 0).After(now.Add(10 * time.Minute)):
		return errors.New("'Expiration time' claim ('exp') is too far in the future")
	}
	switch iss := claims.Issuer.(type) {
	case string:
		if iss == app.ClientID || iss == strconv.FormatInt(app.ID, 10) {
			return nil
		}
	case float64:
		if int64(iss) == app.ID {
			return nil
		}
	}
	return errors.New("'Issuer' claim ('iss') must be an Integer")
}

// sees says whether a repository exists for the asking one. What is private and
// not within reach is not there.
func (c *call) sees(r *repo) bool {
	return !r.Private || c.access != nil && c.access.covers(r)
}

func (a *Access) covers(r *repo) bool {
	return a.Repositories == nil || slices.ContainsFunc(a.Repositories, func(s string) bool { return strings.EqualFold(s, r.Owner+"/"+r.Name) })
}

// may says whether the asking one has a permission in a repository. What is public
// may be read by anyone.
func (c *call) may(r *repo, p permission) bool {
	if !r.Private && p.level == "read" {
		return true
	}
	if c.access == nil || !c.access.covers(r) {
		return false
	}
	if c.access.Permissions == nil || p.name == "metadata" {
		return p.level == "read"
	}
	have := c.access.Permissions[p.name]
	return have == p.level || have == "write"
}

// refuse answers that a permission is missing.
func (c *call) refuse(p permission) answer {
	words := "Resource not accessible by personal access token"
	if c.access != nil && c.access.installation != 0 {
		words = "Resource not accessible by integration"
	}
	a := fail(http.StatusForbidden, words)
	a.set("X-Accepted-GitHub-Permissions", p.String())
	return a
}

func (c *call) getApp() answer {
	return ok(obj{
		"id": c.app.ID, "client_id": c.app.ClientID, "slug": c.app.Slug, "node_id": node("App", c.app.Slug), "owner": c.user("acme", "Organization"),
		"name": c.app.Slug, "description": nil, "external_url": c.html(""), "html_url": c.html("apps/" + c.app.Slug),
		"created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z", "events": []any{},
		"permissions": obj{"metadata": "read"}, "installations_count": len(c.app.Installations),
	})
}

func (c *call) installation(in Installation) obj {
	kind, selection := "User", "all"
	if in.Organization {
		kind = "Organization"
	}
	if in.Repositories != nil {
		selection = "selected"
	}
	account := c.user(in.Account, kind)
	id := strconv.FormatInt(in.ID, 10)
	out := obj{
		"id": in.ID, "account": account, "repository_selection": selection, "access_tokens_url": c.base + "/app/installations/" + id + "/access_tokens",
		"repositories_url": c.base + "/installation/repositories", "html_url": c.html("settings/installations/" + id), "app_id": c.app.ID,
		"client_id": c.app.ClientID, "target_id": account["id"], "target_type": kind, "permissions": granted(in.Permissions), "events": []any{},
		"created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z", "single_file_name": nil, "app_slug": c.app.Slug,
		"suspended_by": nil, "suspended_at": stampOrNull(in.Suspended),
	}
	if !in.Suspended.IsZero() {
		out["suspended_by"] = account
	}
	return out
}

// granted are permissions with the one that everyone has.
func granted(permissions map[string]string) map[string]string {
	out := map[string]string{"metadata": "read"}
	for k, v := range permissions {
		out[k] = v
	}
	return out
}

func (c *call) listInstallations() answer {
	return paged(c, c.app.Installations, func(in Installation) any { return c.installation(in) })
}

// installationOf finds the installation of an account.
func (c *call) installationOf() answer {
	for _, account := range []string{c.path["org"], c.path["username"]} {
		for _, in := range c.app.Installations {
			if account != "" && strings.EqualFold(in.Account, account) {
				return ok(c.installation(in))
			}
		}
	}
	return notFound()
}

func (c *call) installationOfRepository() answer {
	for _, in := range c.app.Installations {
		if in.covers(c.repo) {
			return ok(c.installation(in))
		}
	}
	return notFound()
}

func (in *Installation) covers(r *repo) bool {
	if in.Repositories == nil {
		return strings.EqualFold(in.Account, r.Owner)
	}
	return (&Access{Repositories: in.Repositories}).covers(r)
}

// createToken gives out a token, no wider than the installation.
func (c *call) createToken() answer {
	at := slices.IndexFunc(c.app.Installations, func(in Installation) bool { return strconv.FormatInt(in.ID, 10) == c.path["installation_id"] })
	if at < 0 {
		return notFound()
	}
	in := c.app.Installations[at]
	if !in.Suspended.IsZero() {
		return fail(http.StatusForbidden, "This installation has been suspended")
	}
	var want struct {
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
		Permissions   map[string]string `json:"permissions"`
	}
	if c.request.ContentLength != 0 {
		if err := json.NewDecoder(http.MaxBytesReader(nil, c.request.Body, 1<<20)).Decode(&want); err != nil {
			return fail(http.StatusBadRequest, "Problems parsing JSON")
		}
	}
	access, refused := c.narrow(in, want.Repositories, want.RepositoryIDs, want.Permissions)
	if refused != nil {
		return *refused
	}
	s := c.server
	s.mu.Lock()
	// The form of 2026: longer than the forty characters that it had.
	token := fmt.Sprintf("ghs_%d_%s.%s.%04d", c.app.ID, base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)), strings.Repeat("x", 60), len(s.given))
	s.tokens[token], s.given = access, append(s.given, token)
	s.mu.Unlock()
	selection := "all"
	if access.Repositories != nil {
		selection = "selected"
	}
	out := obj{"token": token, "expires_at": stamp(access.Expires), "permissions": granted(access.Permissions), "repository_selection": selection}
	if want.Repositories != nil || want.RepositoryIDs != nil {
		out["repositories"] = c.covered(&access)
	}
	return answer{status: http.StatusCreated, body: out}
}

// maxNarrowed is how many repositories a token can be narrowed to.
const maxNarrowed = 500

// narrow is the access of a new token: all of the installation, or the part that
// was asked for.
func (c *call) narrow(in Installation, names []string, ids []int64, permissions map[string]string) (Access, *answer) {
	access := Access{Permissions: in.Permissions, Repositories: in.Repositories, Expires: c.server.now().Add(tokenLife), installation: in.ID}
	if access.Repositories == nil {
		for _, r := range c.server.all() {
			if in.covers(r) {
				access.Repositories = append(access.Repositories, r.Owner+"/"+r.Name)
			}
		}
	}
	if access.Permissions == nil {
		access.Permissions = map[string]string{}
	}
	for name, level := range permissions {
		if have := granted(in.Permissions)[name]; have != level && have != "write" {
			a := fail(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
			return Access{}, &a
		}
	}
	if permissions != nil {
		access.Permissions = permissions
	}
	if len(names)+len(ids) == 0 {
		return access, nil
	}
	refuse := func(words string) (Access, *answer) {
		a := fail(http.StatusUnprocessableEntity, words)
		return Access{}, &a
	}
	if len(names)+len(ids) > maxNarrowed {
		return refuse("Too many repositories were requested.")
	}
	var narrowed []string
	for _, r := range c.server.all() {
		if in.covers(r) && (slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, r.Name) }) || slices.Contains(ids, r.id)) {
			narrowed = append(narrowed, r.Owner+"/"+r.Name)
		}
	}
	if len(narrowed) < len(names)+len(ids) {
		return refuse("There is at least one repository that does not exist or is not accessible to the parent installation.")
	}
	access.Repositories = narrowed
	return access, nil
}

// covered are the repositories of an access, as lists have them.
func (c *call) covered(a *Access) []any {
	out := []any{}
	for _, r := range c.server.all() {
		if a.covers(r) {
			out = append(out, c.listed(r))
		}
	}
	return out
}

func (c *call) installationRepositories() answer {
	if c.access == nil || c.access.installation == 0 {
		return fail(http.StatusForbidden, "You must authenticate with an installation access token in order to list repositories for an installation.")
	}
	a := paged(c, c.covered(c.access), func(v any) any { return v })
	a.body = obj{"total_count": len(c.covered(c.access)), "repositories": a.body, "repository_selection": "selected"}
	return a
}

func (c *call) getUser() answer {
	if c.access == nil {
		return fail(http.StatusUnauthorized, "Requires authentication")
	}
	if c.access.Login == "" {
		return c.refuse(permission{"user", "read"})
	}
	out := c.user(c.access.Login, "User")
	for _, k := range []string{"name", "company", "location", "email", "hireable", "bio", "twitter_username", "notification_email"} {
		out[k] = nil
	}
	out["blog"], out["user_view_type"] = "", "public"
	for _, k := range []string{"public_repos", "public_gists", "followers", "following"} {
		out[k] = 0
	}
	out["created_at"], out["updated_at"] = "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
	return ok(out)
}

// repositoriesOfOwner are the repositories of an account that the asking one sees.
func (c *call) repositoriesOfOwner() answer {
	var list []*repo
	for _, r := range c.server.all() {
		if strings.EqualFold(r.Owner, c.path["org"]+c.path["username"]) && c.sees(r) {
			list = append(list, r)
		}
	}
	if list == nil {
		return notFound()
	}
	return paged(c, list, func(r *repo) any { return c.minimal(r) })
}
