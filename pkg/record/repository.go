package record

import (
	"net/url"
	"regexp"
	"strings"
)

// maxRepository bounds the name of a repository.
const maxRepository = 256

var (
	scpLike        = regexp.MustCompile(`^(?:[A-Za-z0-9._-]+@)?([A-Za-z0-9.-]+\.[A-Za-z]{2,}):([^/].*)$`)
	repositoryForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9._~-]+){2,8}$`)
)

// RepositoryName gives the one spelling of a repository: host and path in lower
// case, "github.com/acme/shop", of what people and programs write: an address of
// https, ssh or git, git@host:path, with or without ".git", user, query and
// fragment. Empty means that it is none. A path of GitHub below the repository
// (/tree/main, /commit/...) is cut off.
func RepositoryName(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 4*maxRepository {
		return ""
	}
	if m := scpLike.FindStringSubmatch(s); m != nil && !strings.Contains(s, "://") {
		s = "ssh://" + m[1] + "/" + m[2]
	}
	s = strings.TrimPrefix(s, "git+")
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "ssh":
		host = strings.TrimSuffix(host, ":22")
	case "http", "git":
	default:
		return ""
	}
	path := strings.ToLower(strings.Trim(u.Path, "/"))
	if host == "www.github.com" {
		host = "github.com"
	}
	if parts := strings.Split(path, "/"); host == "github.com" && len(parts) > 2 {
		path = parts[0] + "/" + parts[1]
	}
	path = strings.TrimSuffix(path, ".git")
	name := host + "/" + path
	if len(name) > maxRepository || !repositoryForm.MatchString(name) || strings.Contains(name, "..") {
		return ""
	}
	return name
}
