package tools

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// archive is an npm package with one file, and its digest.
func archive(t *testing.T, name, content string) ([]byte, string) {
	t.Helper()
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	tw := tar.NewWriter(zw)
	err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = tw.Write([]byte(content))
	}
	if err := errors.Join(err, tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(out.Bytes())
	return out.Bytes(), "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// registryOf serves an archive, on a machine that has no npm and an empty cache.
func registryOf(t *testing.T, content []byte) (asked *[]string) {
	t.Helper()
	asked = new([]string)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Path)
		if content == nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(content)
	}))
	t.Cleanup(srv.Close)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
	t.Setenv("PATH", "")
	t.Setenv("npm_config_registry", "")
	t.Setenv("npm_config_userconfig", "")
	t.Setenv("npm_config_globalconfig", filepath.Join(home, "none"))
	if err := os.WriteFile(filepath.Join(home, ".npmrc"), []byte("# a comment\nregistry = "+srv.URL+"/npm/\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return asked
}

func TestAFileOfAPackageIsFetchedOnce(t *testing.T) {
	content, digest := archive(t, "package/a.json", "{}")
	asked := registryOf(t, content)
	tool := fetched("a.json", "a file", pack{name: "@acme/things", version: "1.2.3", integrity: digest, file: "package/a.json"})
	if _, err := tool.Find(); !errors.Is(err, ErrNotBuilt) {
		t.Fatalf("Find before: %v", err)
	}
	for range 2 {
		path, err := tool.Ensure(context.Background(), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "{}" {
			t.Fatalf("fetched %q, %v", b, err)
		}
	}
	if got := strings.Join(*asked, " "); got != "/npm/@acme/things/-/things-1.2.3.tgz" {
		t.Errorf("asked for %s", got)
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "rcactl", "a.json", "*", "build-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestWhatIsFetchedMustBeWhatWasPinned(t *testing.T) {
	content, digest := archive(t, "package/a.json", "{}")
	_, other := archive(t, "package/a.json", "[]")
	for _, tc := range []struct {
		name    string
		content []byte
		pack    pack
		want    string
	}{
		{"another digest", content, pack{integrity: other, file: "package/a.json"}, "the registry has something else"},
		{"no such file", content, pack{integrity: digest, file: "package/b.json"}, "has no package/b.json"},
		{"no such package", nil, pack{integrity: digest, file: "package/a.json"}, "it answered 404"},
		{"no such package, what to do", nil, pack{integrity: digest, file: "package/a.json"}, "set npm_config_registry"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			registryOf(t, tc.content)
			tc.pack.name, tc.pack.version = "@acme/things", "1.2.3"
			tool := fetched("a.json", "a file", tc.pack)
			_, err := tool.Ensure(context.Background(), io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if _, err := tool.Find(); !errors.Is(err, ErrNotBuilt) {
				t.Errorf("it is in the cache nevertheless: %v", err)
			}
		})
	}
}

func TestTheRegistryIsTheOneOfNPMsSettings(t *testing.T) {
	home := t.TempDir()
	set := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(home, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("npm_config_userconfig", "")
	t.Setenv("npm_config_registry", "")
	t.Setenv("npm_config_globalconfig", filepath.Join(home, "machine"))
	expect := func(want string) {
		t.Helper()
		if have := registry("@acme/things"); have != want {
			t.Errorf("registry %s, want %s", have, want)
		}
	}
	expect("https://registry.npmjs.org/")
	set("machine", "registry=https://machine.example.test/\n")
	expect("https://machine.example.test/")
	t.Setenv("WHERE", "user.example.test")
	set(".npmrc", "registry=https://${WHERE}/\n")
	expect("https://user.example.test/")
	t.Setenv("NPM_CONFIG_REGISTRY", "https://environment.example.test/")
	expect("https://environment.example.test/")
	set(".npmrc", "@acme:registry=https://scope.example.test/\n")
	expect("https://scope.example.test/")
}
