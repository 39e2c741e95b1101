package record

import (
	"net/url"
	"regexp"
	"strings"
)

// maxRepository bounds the name of a repository.
const maxRepository = 256

var (
	// scpLike is git@host:path, as ssh has it; the user may be left out.
	scpLike        = regexp.MustCompile(`^([A-Za-z0-9._-]+@)?([A-Za-z0-9.-]+\.[A-Za-z]{2,}):([^/].*)$`)
	portFirst      = regexp.MustCompile(`^[0-9]{1,5}/`)
	repositoryForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?(/[a-z0-9._~-]+){2,8}$`)
)

// tokenForm is a credential in lower case, as it comes to stand where an address has
// none, or where somebody wants it to be read.
var tokenForm = regexp.MustCompile(`gh[posur]_[a-z0-9]{36}|github_pat_[a-z0-9_]{40}|gl[a-z]{1,5}-[a-z0-9_-]{20}|npm_[a-z0-9]{36}|dckr_pat_[a-z0-9_-]{20}|hv[sbr]\.[a-z0-9_-]{20}|[rsp]k_(?:live|test)_[a-z0-9]{16}|xox[a-z]-[0-9][a-z0-9-]{9}`)

// RepositoryName gives the one spelling of a repository: host and path in lower
// case, "github.com/acme/shop", of what people and programs write: an address of
// https, ssh or git, git@host:path, with or without ".git", user, query and
// fragment. Empty means that it is none. A page below the repository (/tree/main,
// /commit/... of GitHub, /-/... of GitLab) is cut off, and so is a port of ssh, since
// the same repository has another one by https. What looks like a credential is no name.
// The name of a name is the name.
func RepositoryName(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 4*maxRepository {
		return ""
	}
	if !strings.Contains(s, "://") {
		s = withScheme(s)
	}
	u, err := url.Parse(strings.TrimPrefix(s, "git+"))
	if err != nil || u.Host == "" || u.Opaque != "" {
		return ""
	}
	// What was cut off may be the host, and what is left a password.
	if strings.Contains(u.RawQuery+u.Fragment+u.Path, "@") {
		return ""
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https", "http":
	case "git":
		host = strings.TrimSuffix(host, ":9418")
	case "ssh":
		host = strings.ToLower(u.Hostname())
	default:
		return ""
	}
	name := forge(host) + "/" + repositoryPath(forge(host), strings.ToLower(u.Path))
	if len(name) > maxRepository || !repositoryForm.MatchString(name) || hasDots(name) || tokenForm.MatchString(name) {
		return ""
	}
	return name
}

// withScheme makes an address of git@host:path and of host/path.
func withScheme(s string) string {
	s = strings.TrimPrefix(s, "git+")
	m := scpLike.FindStringSubmatch(s)
	if m == nil || m[1] == "" && portFirst.MatchString(m[3]) {
		return "https://" + s
	}
	return "ssh://" + m[2] + "/" + m[3]
}

// forge gives a host without the ports that go without saying, and GitHub one name.
func forge(host string) string {
	for _, port := range []string{":443", ":80"} {
		host = strings.TrimSuffix(host, port)
	}
	switch host {
	case "www.github.com", "ssh.github.com":
		return "github.com"
	case "altssh.gitlab.com":
		return "gitlab.com"
	}
	return host
}

// repositoryPath cuts a path after the repository.
func repositoryPath(host, path string) string {
	path, _, _ = strings.Cut(path, "/-/")
	path = strings.Trim(path, "/")
	if parts := strings.Split(path, "/"); (host == "github.com" || host == "bitbucket.org") && len(parts) > 2 {
		path = parts[0] + "/" + parts[1]
	}
	return strings.TrimSuffix(path, ".git")
}

// hasDots reports whether a part of a name leads elsewhere.
func hasDots(name string) bool {
	if strings.Contains(name, "..") {
		return true
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "." {
			return true
		}
	}
	return false
}
