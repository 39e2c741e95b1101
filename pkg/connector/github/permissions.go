package github

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// The permissions of GitHub Apps and fine-grained tokens, in the words of the API.
const (
	permissionMetadata     = "metadata"
	permissionContents     = "contents"
	permissionPullRequests = "pull_requests"
	permissionDeployments  = "deployments"
	permissionActions      = "actions"
)

// permissionOf is what a stream needs beside metadata.
func permissionOf(stream string) string {
	switch stream {
	case record.StreamPullRequests:
		return permissionPullRequests
	case record.StreamDeployments:
		return permissionDeployments
	case record.StreamWorkflowRuns:
		return permissionActions
	}
	return permissionContents
}

// permissions are those that the streams of the config need, sorted. Contents is
// always there, since what a deployment runs is looked up in the history.
func (c *Config) permissions() []string {
	out := []string{permissionMetadata, permissionContents}
	for _, stream := range c.streams() {
		out = append(out, permissionOf(stream))
	}
	return slices.Compact(slices.Sorted(slices.Values(out)))
}

// title is what the pages of GitHub call a permission.
func title(permission string) string {
	words := strings.ReplaceAll(permission, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// grant is a permission to read.
func grant(permission string) connector.Grant {
	return connector.Grant{Verb: "read", Resource: permission, Rule: title(permission) + ": Read-only"}
}

// needs lists the grants of a stream, one for each owner that the config names.
func (c *Config) needs(stream string) []connector.Grant {
	g := grant(permissionOf(stream))
	if c.Follows() {
		g.Namespace = c.where()
		return []connector.Grant{g}
	}
	var out []connector.Grant
	for _, owner := range c.owners() {
		g.Namespace = owner
		out = append(out, g)
	}
	return out
}

// where says in words whose repositories are read.
func (c *Config) where() string {
	if c.Follows() {
		return "repositories that other sources name"
	}
	return strings.Join(c.owners(), ", ")
}

var (
	permissionForm = regexp.MustCompile(`^([a-z_]{1,40})=(read|write|admin)$`)
	tokenScopeForm = regexp.MustCompile(`^[a-z_]{1,30}(:[a-z_]{1,30})?$`)
	versionForm    = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,4}){1,3}$`)
)

// parsePermissions reads X-Accepted-GitHub-Permissions: sets of permissions, of
// which one is enough, "contents=read,pull_requests=read; issues=read". What does not
// look like that is left out.
func parsePermissions(header string) []string {
	if len(header) > 1024 {
		return nil
	}
	var sets []string
	for set := range strings.SplitSeq(header, ";") {
		var all []string
		for one := range strings.SplitSeq(set, ",") {
			m := permissionForm.FindStringSubmatch(strings.TrimSpace(one))
			if m == nil {
				all = nil
				break
			}
			all = append(all, m[1]+": "+m[2])
		}
		if len(all) > 0 && len(sets) < 4 {
			sets = append(sets, strings.Join(all, " and "))
		}
	}
	return sets
}

// parseScopes reads the scopes of a classic token.
func parseScopes(header string) []string {
	scopes := []string{}
	for scope := range strings.SplitSeq(header, ",") {
		if scope = strings.TrimSpace(scope); tokenScopeForm.MatchString(scope) && len(scopes) < 64 {
			scopes = append(scopes, scope)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(scopes)))
}

// parseExpiry reads the end of a token, zero when it has none.
func parseExpiry(header string) time.Time {
	for _, form := range []string{"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700"} {
		if at, err := time.Parse(form, header); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
