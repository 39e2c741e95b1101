package github

import (
	"context"
	"strings"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/secret"
)

// The variables that other tools keep tokens in. The first two are for github.com
// and GHE.com, the others for any other host.
const (
	envToken           = "GITHUB_TOKEN" //nolint:gosec // the name of a variable
	envGHToken         = "GH_TOKEN"
	envEnterpriseToken = "GH_ENTERPRISE_TOKEN"
	envGitHubEntToken  = "GITHUB_ENTERPRISE_TOKEN"
	envHost            = "GH_HOST"
	envAPI             = "GITHUB_API_URL" // set by GitHub Actions beside GITHUB_TOKEN
)

// credential gives the token of requests. It is safe for use by several goroutines.
type credential interface {
	// token gives the token for the repositories of an owner; a Value without bytes
	// means to ask as nobody. It may ask GitHub.
	token(ctx context.Context, owner string) (secret.Value, error)
	// renew makes the next token another one than refused, and reports whether that
	// can be.
	renew(owner string, refused secret.Value) bool
	// bucket names whose limit of requests is used for an owner.
	bucket(owner string) string
}

// fixed is a token that nothing renews, or none.
type fixed struct{ value secret.Value }

func (f fixed) token(context.Context, string) (secret.Value, error) { return f.value, nil }
func (fixed) renew(string, secret.Value) bool                       { return false }
func (fixed) bucket(string) string                                  { return "" }

// tokenVariable finds the variable that holds a token for a host, "" for none. A
// token is not taken for a host that it is not of.
func tokenVariable(env connector.Env, at endpoint) string {
	names := []string{envEnterpriseToken, envGitHubEntToken}
	if at.base.Host == "api."+publicHost || isOwnDomain(at.base.Host) {
		names = []string{envToken, envGHToken}
	}
	if api := lookupEnv(env, envAPI); api != "" {
		// In GitHub Actions the token of the workflow is of the host that runs it.
		names = without(names, envToken)
		if its, err := parseEndpoint(api); err == nil && its.base.String() == at.base.String() {
			names = append([]string{envToken}, names...)
		}
	}
	for _, name := range names {
		if strings.TrimSpace(lookupEnv(env, name)) != "" {
			return name
		}
	}
	return ""
}

func without(names []string, name string) []string {
	var out []string
	for _, n := range names {
		if n != name {
			out = append(out, n)
		}
	}
	return out
}

func lookupEnv(env connector.Env, name string) string {
	if env.LookupEnv == nil {
		return ""
	}
	value, _ := env.LookupEnv(name)
	return value
}

// resolve reads a credential of the config.
func resolve(ctx context.Context, env connector.Env, ref secret.Ref, what string) (secret.Value, error) {
	if env.Secrets == nil {
		return secret.Value{}, connector.Errorf(connector.ClassConfig, nil, "%s cannot be read: nothing resolves references here", what)
	}
	value, err := env.Secrets.Resolve(ctx, ref)
	if err != nil {
		// The error names the reference, never what was read.
		return secret.Value{}, connector.Errorf(connector.ClassConfig, err, "%s cannot be read: %s", what, err)
	}
	return value, nil
}

// readToken makes a credential of a token. What cannot stand in a header is refused
// here, where the error can say so without showing it.
func readToken(value secret.Value, where string) (credential, error) {
	token := strings.TrimSpace(string(value.Reveal()))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, connector.Errorf(connector.ClassConfig, nil, "%s holds no token: one word is expected", where)
	}
	return fixed{secret.NewValue([]byte(token))}, nil
}

// findCredential decides as whom to ask: the App, the token, a variable of the
// environment, else as nobody. who says it in words.
func (c *Config) findCredential(ctx context.Context, env connector.Env, at endpoint) (cred credential, who string, err error) {
	switch {
	case c.App != nil:
		key, err := resolve(ctx, env, c.App.Key, "app.key")
		if err != nil {
			return nil, "", err
		}
		app, err := newApp(c, key)
		return app, "GitHub App", err
	case !c.Token.IsZero():
		value, err := resolve(ctx, env, c.Token, "token")
		if err != nil {
			return nil, "", err
		}
		cred, err := readToken(value, c.Token.String())
		return cred, "token of " + c.Token.String(), err
	}
	if name := tokenVariable(env, at); name != "" {
		cred, err := readToken(secret.NewValue([]byte(lookupEnv(env, name))), name)
		return cred, "token of " + name, err
	}
	return fixed{}, "no credential", nil
}

// noCredential says that there is none and that one is needed.
func noCredential(at endpoint) *connector.Error {
	names := envToken + " or " + envGHToken
	if at.base.Host != "api."+publicHost && !isOwnDomain(at.base.Host) {
		names = envEnterpriseToken
	}
	return connector.Errorf(connector.ClassConfig, connector.ErrNothingFound,
		"there is no credential for %s: set app or token, or %s; without one only repositories that the config names are read", at.host, names)
}
