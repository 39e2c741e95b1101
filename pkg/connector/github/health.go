package github

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/rcactl/rcactl/pkg/connector"
)

// HealthCheck implements connector.Connector. It asks for the limits, for the
// repositories of the config and, with a token, for one object of each kind.
func (s *source) HealthCheck(ctx context.Context) connector.Health { return s.client.health(ctx) }

// maxHealth is how many repositories a HealthCheck asks for.
const maxHealth = 20

// health asks whether GitHub can be reached, whether the credential is taken, which
// repositories it sees and, once for each owner, what it may read there.
func (c *client) health(ctx context.Context) connector.Health {
	h := connector.Health{}
	err := c.hello(ctx)
	h.Skew, h.Version = c.skew(), c.known().version
	h.Reachable = h.Skew.Measured
	if err != nil && c.isUseless(err) {
		h.Err = explain(err)
		return h
	}
	h.Reachable, h.Authenticated = true, err == nil && !c.isNobody()
	repositories, _ := c.targets(connector.Scope{})
	c.expect(repositories)
	probed := map[string]bool{}
	for _, repository := range repositories[:min(len(repositories), maxHealth)] {
		owner, name, _ := c.split(repository)
		missing, err := c.checkRepository(ctx, owner, name, !probed[owner])
		h.Missing = append(h.Missing, missing...)
		if err != nil {
			h.Err = explain(err)
			break
		}
		probed[owner] = probed[owner] || len(missing) == 0
	}
	h.Excess = c.excess()
	h.Version = c.known().version
	return h
}

// checkRepository asks whether a repository can be read, and with probe what of it.
// Its error is one after which no more can be asked.
func (c *client) checkRepository(ctx context.Context, owner, name string, probe bool) ([]connector.Grant, error) {
	where := owner + "/" + name
	_, err := c.repository(ctx, owner, name)
	if err != nil {
		if isStopped(err) || c.isUseless(err) {
			return nil, err
		}
		g := grant(permissionMetadata)
		g.Namespace, g.Rule = where, "give the credential access to "+where
		return []connector.Grant{g}, nil
	}
	if !probe {
		return nil, nil
	}
	var missing []connector.Grant
	for _, permission := range c.config.permissions() {
		err := c.probe(ctx, owner, name, permission)
		if isStopped(err) {
			return missing, err
		}
		if err != nil && explain(err).Class == connector.ClassForbidden {
			g := grant(permission)
			g.Namespace = owner
			missing = append(missing, g)
		}
	}
	return missing, nil
}

// probe asks for one object that needs a permission. An App is not asked: it was
// told what it may when its token was made.
func (c *client) probe(ctx context.Context, owner, name, permission string) error {
	if app, ok := c.cred.(*app); ok {
		if slices.Contains(app.lacking(owner), permission) {
			return connector.Errorf(connector.ClassForbidden, nil, "the installation lacks %s", permission)
		}
		return nil
	}
	api, ctx, err := c.on(ctx, owner, streamOf(permission), "may it be read")
	if err != nil {
		return err
	}
	one := github.ListOptions{PerPage: 1}
	owner, name = url.PathEscape(owner), url.PathEscape(name)
	switch permission {
	case permissionContents:
		_, _, err = api.Repositories.ListCommits(ctx, owner, name, &github.CommitsListOptions{ListOptions: one})
	case permissionPullRequests:
		_, _, err = api.PullRequests.List(ctx, owner, name, &github.PullRequestListOptions{State: "closed", ListOptions: one})
	case permissionDeployments:
		_, _, err = api.Repositories.ListDeployments(ctx, owner, name, &github.DeploymentsListOptions{ListOptions: one})
	case permissionActions:
		_, _, err = api.Actions.ListRepositoryWorkflowRuns(ctx, owner, name, &github.ListWorkflowRunsOptions{ListOptions: one})
	}
	return err
}

// streamOf is the stream that a probe is accounted to.
func streamOf(permission string) string {
	for _, stream := range allStreams() {
		if permissionOf(stream) == permission {
			return stream
		}
	}
	return ""
}

// excess lists what the credential may beyond what is needed.
func (c *client) excess() []connector.Grant {
	var out []connector.Grant
	for _, scope := range c.known().scopes {
		if !strings.HasPrefix(scope, "read:") {
			out = append(out, connector.Grant{Verb: "scope", Resource: scope, Rule: "use a GitHub App, or a fine-grained token with read permissions"})
		}
	}
	if app, ok := c.cred.(*app); ok {
		for _, owner := range app.owners() {
			for _, name := range app.more(owner) {
				out = append(out, connector.Grant{Verb: "more than needed", Resource: name, Namespace: owner, Rule: "lower the permissions of the App (its tokens here are narrowed to reading)"})
			}
		}
	}
	return out
}

// writingScopes lists the scopes with which a classic token may write.
func writingScopes(scopes []string) string {
	var out []string
	for _, scope := range scopes {
		if !strings.HasPrefix(scope, "read:") && scope != "user:email" {
			out = append(out, scope)
		}
	}
	return strings.Join(out, ", ")
}

// lacking are the permissions that the installation at an owner does not have.
func (a *app) lacking(owner string) []string {
	t, _ := a.slot(owner)
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lacks)
}

// more is what the installation at an owner may beyond what is needed.
func (a *app) more(owner string) []string {
	t, _ := a.slot(owner)
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.excess)
}

// owners are those that tokens were asked for, sorted.
func (a *app) owners() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.tokens))
}

// notes say what the App could not be given.
func (a *app) notes() []string {
	var notes []string
	for _, owner := range a.owners() {
		t, _ := a.slot(owner)
		t.mu.Lock()
		if len(t.lacks) > 0 {
			notes = append(notes, fmt.Sprintf("The App is installed at %s without the permission to read %s.", owner, strings.Join(t.lacks, ", ")))
		}
		if len(t.refused) > 0 {
			notes = append(notes, fmt.Sprintf("The App is installed at %s, but not on %s.", owner, strings.Join(t.refused, ", ")))
		}
		if t.wide {
			notes = append(notes, fmt.Sprintf("The token of the App at %s may read every repository that the App is installed on, since more than %d were to be read or none was known.", owner, maxNarrow))
		}
		t.mu.Unlock()
	}
	return notes
}
