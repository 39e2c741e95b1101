package github

import (
	"context"
	"fmt"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
)

// expiresSoon is how long before its end a token is spoken of.
const expiresSoon = 14 * 24 * time.Hour

// Identity implements connector.Identifier.
func (s *source) Identity(ctx context.Context) (connector.Identity, error) {
	return s.client.identity(ctx)
}

// identity says which GitHub it is: its host, since a repository keeps its name
// there, its version and its clock. What was asked for that is not asked again.
func (c *client) identity(ctx context.Context) (connector.Identity, error) {
	if err := c.greet(ctx); err != nil && c.isUseless(err) {
		return connector.Identity{}, explain(err)
	}
	return connector.Identity{Target: c.host(), Version: c.known().version, Skew: c.skew()}, nil
}

// greet asks for the first repository that will be read, which is needed anyway:
// whatever is answered about it, the headers say the rest. Where none is known it
// asks for the limits, which costs nothing of them.
func (c *client) greet(ctx context.Context) error {
	if repositories, _ := c.targets(connector.Scope{Repositories: c.env.Repositories}); len(repositories) > 0 {
		c.expect(repositories)
		owner, name, _ := c.split(repositories[0])
		_, err := c.repository(ctx, owner, name)
		return err
	}
	return c.hello(ctx)
}

// hello asks whether the credential is taken, and nothing of a repository.
func (c *client) hello(ctx context.Context) error {
	if app, ok := c.cred.(*app); ok {
		var about struct{}
		return app.call(ctx, "GET", "app", "who the App is", nil, &about)
	}
	api, ctx, err := c.on(ctx, "", "", "limits, version and clock of GitHub")
	if err != nil {
		return err
	}
	_, _, err = api.RateLimit.Get(ctx)
	if isNotFound(err) { // a GitHub Enterprise Server without limits
		return nil
	}
	return err
}

// isUseless reports whether after an error nothing else can be asked.
func (c *client) isUseless(err error) bool {
	switch own := explain(err); own.Class {
	case connector.ClassAuth, connector.ClassUnreachable, connector.ClassTimeout, connector.ClassCanceled, connector.ClassConfig, connector.ClassInternal:
		return true
	case connector.ClassProtocol:
		return !c.skew().Measured // not even a clock: hardly an API
	}
	return false
}

// notes are sentences for the manifest about how it was asked: what a credential
// lacks, and what it could do beyond reading.
func (c *client) notes() []string {
	var notes []string
	seen := c.known()
	if c.isNobody() {
		notes = append(notes, "No credential was used: GitHub shows public repositories alone, and answers 60 requests an hour to an address.")
	}
	if at := seen.expires; !at.IsZero() && at.Sub(c.now()) < expiresSoon {
		notes = append(notes, "The token for "+c.host()+" expires at "+said(at)+"; make a new one before.")
	}
	if seen.partial {
		notes = append(notes, "The token is not authorised for the single sign-on of some organisations; what is theirs was left out by GitHub.")
	}
	if writes := writingScopes(seen.scopes); writes != "" {
		notes = append(notes, fmt.Sprintf("The token is a classic one that may also write (%s); a GitHub App or a fine-grained token that may only read is enough.", writes))
	}
	if app, ok := c.cred.(*app); ok {
		notes = append(notes, app.notes()...)
	}
	return notes
}
