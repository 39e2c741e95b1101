package github

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/secret"
)

// Factory makes connectors of the type github.
func Factory() connector.Factory {
	return connector.Factory{
		Type:     "github",
		New:      func() connector.Config { return defaultConfig() },
		Discover: discover,
	}
}

// discover finds a token that other tools of GitHub would use, and the host that it
// is for: that of GH_HOST, else that which runs this workflow, else github.com.
func discover(_ context.Context, env connector.Env) (connector.Config, error) {
	config := defaultConfig()
	base := lookupEnv(env, envAPI)
	if host := lookupEnv(env, envHost); host != "" {
		base = baseOf(host)
	}
	at, err := parseEndpoint(base)
	if err != nil {
		return nil, connector.Errorf(connector.ClassConfig, connector.ErrNothingFound,
			"%s or %s does not name a GitHub whose API can be asked; correct it, or set base_url", envHost, envAPI)
	}
	if at.base.String() != publicBase {
		config.BaseURL = at.base.String()
	}
	if tokenVariable(env, at) == "" {
		return nil, noCredential(at)
	}
	return config, nil
}

// Describe implements connector.Describer.
func (c *Config) Describe(env connector.Env) (string, error) {
	at, err := c.endpoint()
	if err != nil {
		return "", err
	}
	who := c.describeCredential(env, at)
	if who == "" {
		if c.Follows() {
			return "", noCredential(at)
		}
		who = "no credential"
	}
	if at.host != publicHost {
		who = at.host + " · " + who
	}
	return who + " · " + c.describeRepositories(env, at), nil
}

// describeCredential says as whom is asked, "" for as nobody. It reads no credential.
func (c *Config) describeCredential(env connector.Env, at endpoint) string {
	switch {
	case c.App != nil && c.App.ClientID != "":
		return "App " + c.App.ClientID
	case c.App != nil:
		return fmt.Sprintf("App %d", c.App.ID)
	case !c.Token.IsZero():
		return "token of " + c.Token.String()
	}
	if name := tokenVariable(env, at); name != "" {
		return "token of " + name
	}
	return ""
}

func (c *Config) describeRepositories(env connector.Env, at endpoint) string {
	const few = 3
	if n := len(c.Repositories); n > few {
		return fmt.Sprintf("%s and %d more", strings.Join(c.Repositories[:few], ", "), n-few)
	} else if n > 0 {
		return strings.Join(c.Repositories, ", ")
	}
	said := "repositories that other sources name"
	if here := workRepository(env.WorkDir, at.host); here != "" {
		said += ", else " + strings.TrimPrefix(here, at.host+"/")
	}
	return said
}

// Set implements connector.Setter: --repository names the repositories.
func (c *Config) Set(key string, values ...string) bool {
	if key != "repositories" || len(values) == 0 {
		return false
	}
	c.Repositories = slices.Clone(values)
	return true
}

// Pin implements connector.Pinner: it writes down the variable that holds the token.
// The host was written down when it was found. Repositories stay open: those that
// other sources name.
func (c *Config) Pin(env connector.Env) error {
	at, err := c.endpoint()
	if err != nil || c.App != nil || !c.Token.IsZero() {
		return err
	}
	name := tokenVariable(env, at)
	if name == "" {
		return nil
	}
	c.Token, err = secret.ParseRef("env:" + name)
	return err
}

// Interface checks.
var (
	_ connector.Config    = (*Config)(nil)
	_ connector.Describer = (*Config)(nil)
	_ connector.Pinner    = (*Config)(nil)
	_ connector.Follower  = (*Config)(nil)
	_ connector.Setter    = (*Config)(nil)
)
