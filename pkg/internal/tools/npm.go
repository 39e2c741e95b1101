package tools

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// pack is one file of an npm package, by version and digest: the registry is
// trusted with nothing but delivery.
type pack struct {
	name, version string
	integrity     string // as npm writes it: sha512-, then base64
	file          string // within the package
}

// The bounds of a download: the archive, and the file in it.
const (
	maxArchive = 64 << 20
	maxEntry   = 64 << 20
)

// GitHubDescription is the description of its REST API that GitHub publishes, as
// the JSON file of the npm package @octokit/openapi.
func GitHubDescription() Tool {
	return fetched("api.github.com.json", "GitHub's API description (a download of 29 MB)", pack{
		name: "@octokit/openapi", version: "23.0.2", file: "package/generated/api.github.com.json",
		integrity: "sha512-pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==",
	})
}

func fetched(name, about string, p pack) Tool {
	return Tool{Name: name, About: about, key: hash(p.name, p.version, p.integrity, p.file), pack: &p}
}

// fetch brings the file to path. npm is asked first, because it knows the registry,
// its certificates and its credentials; a machine without it asks the registry that
// npm's settings name.
func (p pack) fetch(ctx context.Context, log io.Writer, dir, path string) error {
	archive, err := p.byNPM(ctx, log, dir)
	if err != nil {
		var byHTTP error
		if archive, byHTTP = p.byHTTP(ctx); byHTTP != nil {
			return fmt.Errorf("get %s@%s with npm: %w; from the registry: %w; set npm_config_registry, or registry= in .npmrc, to one that this machine can reach",
				p.name, p.version, err, byHTTP)
		}
	}
	sum := sha512.Sum512(archive)
	if have := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); have != p.integrity {
		return fmt.Errorf("%s@%s has the digest %s, want %s: the registry has something else under this version", p.name, p.version, have, p.integrity)
	}
	content, err := p.unpack(archive)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", p.file, err)
	}
	return nil
}

// byNPM has npm download the archive into dir.
func (p pack) byNPM(ctx context.Context, log io.Writer, dir string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", dir, p.name+"@"+p.version)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	if err := cmd.Run(); err != nil {
		_, _ = log.Write(said.Bytes())
		return nil, err
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return nil, errors.New("npm pack made no archive")
	}
	return os.ReadFile(found[0])
}

// byHTTP downloads the archive from where registries keep it.
func (p pack) byHTTP(ctx context.Context) ([]byte, error) {
	base := p.name[strings.LastIndex(p.name, "/")+1:]
	url := strings.TrimSuffix(registry(p.name), "/") + "/" + p.name + "/-/" + base + "-" + p.version + ".tgz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.New("the registry's address is none")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxArchive+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxArchive {
		return nil, fmt.Errorf("it sent more than %d MB", maxArchive>>20)
	}
	return body, nil
}

// unpack finds the file in the archive.
func (p pack) unpack(archive []byte) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("open the archive of %s: %w", p.name, err)
	}
	for tr := tar.NewReader(zr); ; {
		entry, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s@%s has no %s", p.name, p.version, p.file)
		}
		if err != nil {
			return nil, fmt.Errorf("read the archive of %s: %w", p.name, err)
		}
		if entry.Name != p.file {
			continue
		}
		content, err := io.ReadAll(io.LimitReader(tr, maxEntry+1))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", p.file, err)
		}
		if len(content) > maxEntry {
			return nil, fmt.Errorf("%s has more than %d MB", p.file, maxEntry>>20)
		}
		return content, nil
	}
}

// registry is the npm registry for a package, as npm's settings name it: the one of
// its scope, the environment, the user's .npmrc, that of the machine, the public one.
func registry(name string) string {
	scope, _, _ := strings.Cut(name, "/")
	var files []string
	if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".npmrc"))
	}
	if file := npmEnv("userconfig"); file != "" {
		files = []string{file}
	}
	if file := npmEnv("globalconfig"); file != "" {
		files = append(files, file)
	} else {
		files = append(files, "/usr/local/etc/npmrc", "/etc/npmrc")
	}
	for _, key := range []string{scope + ":registry", "registry"} {
		if v := npmEnv(key); v != "" {
			return v
		}
		for _, file := range files {
			if v := npmrc(file, key); v != "" {
				return v
			}
		}
	}
	return "https://registry.npmjs.org/"
}

// npmEnv is a setting of npm in the environment, where names are written in any case.
func npmEnv(key string) string {
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if value != "" && strings.EqualFold(name, "npm_config_"+key) {
			return value
		}
	}
	return ""
}

// npmrc is a setting in a file of npm. A file that cannot be read has none.
func npmrc(file, key string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		k, v, found := strings.Cut(lines.Text(), "=")
		if found && strings.TrimSpace(k) == key {
			return os.ExpandEnv(strings.Trim(strings.TrimSpace(v), `"'`))
		}
	}
	return ""
}
