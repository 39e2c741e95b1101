package oci

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rcactl/rcactl/pkg/internal/safefile"
)

const (
	// maxDockerConfig bounds a docker config: 1 MiB, what a Secret may hold.
	maxDockerConfig = 1 << 20
	maxLogins       = 1000
	// maxTries bounds how many logins are tried for one repository.
	maxTries = 4
)

// login is a way to authenticate at the registries and repositories that it
// matches.
type login struct {
	// host may have "*" for parts between its dots; path is the beginning of a
	// repository, or empty.
	host, path string
	auth       authn.AuthConfig
	// helper is the program that has the login; key is what it knows it by.
	helper, key string
}

// dockerConfig is what is read of docker's config.json and of .dockerconfigjson.
type dockerConfig struct {
	Auths       map[string]dockerAuth `json:"auths"`
	CredHelpers map[string]string     `json:"credHelpers"`
	CredsStore  string                `json:"credsStore"`
}

type dockerAuth struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// ErrLogins says that the docker config with the logins cannot be read.
var ErrLogins = errors.New("no logins")

// errDockerConfig says that a config is not JSON of docker's form. It has nothing
// of what was read.
var errDockerConfig = errors.New("not a docker config: expected JSON with auths, credHelpers or credsStore")

func parseDockerConfig(text []byte) (dockerConfig, error) {
	var c dockerConfig
	switch {
	case len(text) > maxDockerConfig:
		return c, fmt.Errorf("larger than %d bytes", maxDockerConfig)
	case json.Unmarshal(text, &c) != nil, len(c.Auths)+len(c.CredHelpers) > maxLogins:
		return c, errDockerConfig
	}
	return c, nil
}

// readDockerConfig reads docker's config.json. One that is not there is empty.
func readDockerConfig(file string) (dockerConfig, error) {
	if file == "" {
		return dockerConfig{}, nil
	}
	text, err := safefile.Read(file, maxDockerConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return dockerConfig{}, nil
	}
	if err != nil {
		return dockerConfig{}, fmt.Errorf("docker config: %w", err)
	}
	c, err := parseDockerConfig(text)
	if err != nil {
		return dockerConfig{}, fmt.Errorf("docker config %s: %w", file, err)
	}
	return c, nil
}

// logins gives those of a config, the most specific first. Only docker's own config
// may name programs: a pull secret comes out of a cluster, and runs none here.
func (c dockerConfig) logins(programs bool) []login {
	var out []login
	for key, a := range c.Auths {
		l, ok := newLogin(key)
		if !ok {
			continue
		}
		l.auth = a.config()
		if programs && c.CredsStore != "" {
			l.helper = c.CredsStore
		}
		if l.auth == (authn.AuthConfig{}) && l.helper == "" {
			continue // a login that was given up
		}
		out = append(out, l)
	}
	for key, helper := range c.CredHelpers {
		l, ok := newLogin(key)
		if !ok || !programs || helper == "" {
			continue
		}
		l.helper = helper
		out = slices.DeleteFunc(out, func(o login) bool {
			if o.host != l.host || o.path != l.path {
				return false
			}
			l.auth = o.auth // for when the helper has none
			return true
		})
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b login) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(strings.Count(a.host, "*"), strings.Count(b.host, "*")),
			cmp.Compare(a.host, b.host), cmp.Compare(a.path, b.path), cmp.Compare(a.key, b.key))
	})
	return out
}

// newLogin reads a key of auths: a host or an address, perhaps with the beginning
// of a repository.
func newLogin(key string) (login, bool) {
	rest := key
	if _, after, ok := strings.Cut(key, "://"); ok {
		rest = after
	}
	host, repo, _ := strings.Cut(strings.Trim(rest, "/"), "/")
	host = hubAlias(strings.ToLower(host))
	// Docker Hub's is https://index.docker.io/v1/; some tools write /v2/.
	if repo == "v1" || repo == "v2" {
		repo = ""
	}
	repo = strings.TrimPrefix(strings.TrimPrefix(repo, "v1/"), "v2/")
	if host == "" || strings.ContainsAny(host, "@\\[] ") || len(key) > maxReference {
		return login{}, false
	}
	return login{host: host, path: repo, key: serverKey(key, host)}, true
}

// serverKey is what docker asks a credential helper for.
func serverKey(key, host string) string {
	if host == name.DefaultRegistry {
		return authn.DefaultAuthKey
	}
	return key
}

// hubAlias gives Docker Hub one name.
func hubAlias(host string) string {
	switch host {
	case "docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return name.DefaultRegistry
	}
	return host
}

// matches reports whether the login is for a repository. "*" stands for a part of
// the host, as the kubelet has it, and the path ends where a name ends, which is
// stricter than the kubelet.
func (l login) matches(host, repo string) bool {
	return matchHost(l.host, host) && below(repo, l.path)
}

func matchHost(pattern, host string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == host
	}
	pattern, patternPort, _ := strings.Cut(pattern, ":")
	host, port, _ := strings.Cut(host, ":")
	want, have := strings.Split(pattern, "."), strings.Split(host, ".")
	if port != patternPort || len(want) != len(have) {
		return false
	}
	for i := range want {
		if ok, err := path.Match(want[i], have[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

// below reports whether a repository is the prefix or below it.
func below(repo, prefix string) bool {
	return prefix == "" || repo == prefix || strings.HasPrefix(repo, prefix+"/")
}

func (a dockerAuth) config() authn.AuthConfig {
	out := authn.AuthConfig{
		Username: a.Username, Password: a.Password,
		IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken,
	}
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(a.Auth)); err == nil && len(raw) > 0 {
		// Docker pads what it writes with NUL.
		if user, password, ok := strings.Cut(string(raw), ":"); ok {
			out.Username, out.Password = user, strings.TrimRight(password, "\x00")
		}
	}
	return out
}

// registryRule is an entry of Options.Registries.
type registryRule struct{ host, path string }

// parseRegistry reads an entry; plain says that it was written with http://.
func parseRegistry(entry string) (rule registryRule, plain bool, err error) {
	rest, plain := strings.CutPrefix(entry, "http://")
	rest = strings.Trim(strings.TrimPrefix(rest, "https://"), "/")
	if rest == "*" {
		return registryRule{host: "*"}, false, nil
	}
	host, repo, _ := strings.Cut(rest, "/")
	host = hubAlias(strings.ToLower(host))
	if !hostForm.MatchString(host) {
		return rule, false, fmt.Errorf("registry %.80q: expected a host such as ghcr.io, the beginning of a repository such as ghcr.io/acme, or *", entry)
	}
	return registryRule{host, repo}, plain, nil
}

// matches reports whether a repository may be asked for. "*" is not this machine,
// whatever the image of a workload names.
func (r registryRule) matches(host, repo string) bool {
	at := url.URL{Host: host}
	return (r.host == host || r.host == "*" && !thisMachine(at.Hostname())) && below(repo, r.path)
}

func thisMachine(host string) bool {
	ip := net.ParseIP(host)
	return loopback(host) || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsUnspecified()
}
