package github

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// The API of github.com.
const (
	publicHost = "github.com"
	publicBase = "https://api.github.com/"
)

// endpoint is where the API of one GitHub is, and what its repositories are called.
type endpoint struct {
	// base is the root of the API; its path ends with "/".
	base *url.URL
	// host is the first part of record.RepositoryName: github.com, or another one
	// with its port if it is not that of the scheme.
	host string
}

// The ways in which base_url can be wrong. They hold nothing of its text.
var (
	errBaseForm    = errors.New("this is not the address of an API")
	errBaseParts   = errors.New("the address has a user, a query or a fragment")
	errBaseScheme  = errors.New("the address is not https; http is taken for this machine alone (127.0.0.1, localhost)")
	errBasePage    = errors.New("this is the address of the pages, not of the API")
	errBasePath    = errors.New("the API of a GitHub Enterprise Server is below /api/v3/")
	repositoryHost = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)
)

// parseEndpoint reads base_url: https://api.github.com/ when it is empty,
// https://api.SUB.ghe.com/ of GitHub Enterprise Cloud with its own domain,
// https://HOST/api/v3/ of GitHub Enterprise Server.
func parseEndpoint(base string) (endpoint, error) {
	if base == "" {
		base = publicBase
	}
	u, err := url.Parse(base)
	if err != nil || u.Opaque != "" || u.Hostname() == "" {
		return endpoint{}, errBaseForm
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return endpoint{}, errBaseParts
	}
	u.Host, u.Scheme = strings.ToLower(u.Host), strings.ToLower(u.Scheme)
	local := isLoopback(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return endpoint{}, errBaseScheme
	}
	u.Host = strings.TrimSuffix(u.Host, map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/")+"/", ""
	at := endpoint{base: u, host: u.Host}
	switch {
	case u.Host == publicHost || u.Host == "www."+publicHost:
		return endpoint{}, errBasePage
	case u.Host == "api."+publicHost:
		at.host = publicHost
	case isOwnDomain(u.Host):
		if !strings.HasPrefix(u.Host, "api.") {
			return endpoint{}, errBasePage
		}
		at.host = strings.TrimPrefix(u.Host, "api.")
	case local:
		return at, nil
	default:
		if u.Path != "/api/v3/" {
			return endpoint{}, errBasePath
		}
		return at, nil
	}
	if u.Path != "/" {
		return endpoint{}, errBaseForm
	}
	return at, nil
}

// baseOf gives the root of the API of a host, as GH_HOST names one.
func baseOf(host string) string {
	switch host = strings.ToLower(strings.TrimSuffix(host, "/")); {
	case host == "" || host == publicHost:
		return publicBase
	case isOwnDomain(host):
		return "https://api." + host + "/"
	}
	return "https://" + host + "/api/v3/"
}

// isOwnDomain reports whether a host is of GitHub Enterprise Cloud with an own
// domain.
func isOwnDomain(host string) bool { return strings.HasSuffix(host, ".ghe.com") }

// isLoopback reports whether a host is this machine, by its name alone.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// origin is scheme, host and port.
func (e endpoint) origin() string { return e.base.Scheme + "://" + e.base.Host }

// below gives a URL's path below the root of the API, or false when the URL is of
// another host, port or scheme, or not below it. A path that climbs is not below.
func (e endpoint) below(u *url.URL) (path string, ok bool) {
	if u.Scheme+"://"+strings.ToLower(u.Host) != e.origin() || u.User != nil {
		return "", false
	}
	path, ok = strings.CutPrefix(u.EscapedPath(), e.base.Path)
	if !ok {
		return "", false
	}
	for part := range strings.SplitSeq(path, "/") {
		plain, err := url.PathUnescape(part)
		if err != nil || plain == "." || plain == ".." {
			return "", false
		}
	}
	return path, true
}
