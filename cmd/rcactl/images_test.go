package main

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/config"
	"github.com/rcactl/rcactl/pkg/correlate"
)

func TestLoginsOfDockersConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	for text, want := range map[string][]string{
		`{"auths": {"https://index.docker.io/v1/": {"auth": "eDp5"}, "ghcr.io": {"auth": "eDp5"}, "empty.example": {}}}`: {"docker.io", "ghcr.io"},
		`{"auths": {"ghcr.io": {}}, "credsStore": "desktop", "credHelpers": {"GCR.io": "gcloud", "ghcr.io": "x"}}`:       {"gcr.io", "ghcr.io"},
		`{"auths": {"*": {"auth": "eDp5"}, "a b": {"auth": "eDp5"}}}`:                                                    nil,
		`not JSON`: nil,
	} {
		write(t, file, []byte(text))
		if got := logins(file); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := logins(filepath.Join(t.TempDir(), "none")); got != nil {
		t.Errorf("no file, and %q", got)
	}
}

func TestWhichRegistriesMayBeAsked(t *testing.T) {
	home := t.TempDir()
	write(t, filepath.Join(home, "config.json"), []byte(`{"auths": {"ghcr.io": {"auth": "eDp5"}}}`))
	sys := &System{Dir: home, LookupEnv: func(name string) (string, bool) { return ".", name == "DOCKER_CONFIG" }}
	for name, c := range map[string]struct {
		flags  setupFlags
		config []string
		want   []string
		off    bool
	}{
		"logins":                      {want: []string{"ghcr.io"}},
		"those of the config":         {config: []string{"a.example"}, want: []string{"a.example"}},
		"a flag adds one":             {flags: setupFlags{registries: []string{"b.example/acme", "ghcr.io"}}, want: []string{"b.example/acme", "ghcr.io"}},
		"none":                        {flags: setupFlags{noImages: true}, want: []string{"ghcr.io"}, off: true},
		"a recording asks nobody":     {flags: setupFlags{dump: "x"}, want: []string{"ghcr.io"}, off: true},
		"but whom a flag names there": {flags: setupFlags{dump: "x", registries: []string{"*"}}, want: []string{"*", "ghcr.io"}},
	} {
		cfg := config.Default()
		cfg.Images.Registries = c.config
		if err := c.flags.applyImages(sys, cfg); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		asks, err := (&setup{cfg: cfg}).images(t.Context())
		if err != nil || !slices.Equal(asks.Registries, cfg.Images.Registries) {
			t.Errorf("%s: a run asks %q as nobody, %v", name, asks.Registries, err)
		}
		if got := allowedRegistries(sys, cfg); !slices.Equal(got, c.want) || cfg.Images.Read == c.off {
			t.Errorf("%s: %q, read %v", name, got, cfg.Images.Read)
		}
	}
	for _, bad := range []setupFlags{{registries: []string{"https://ghcr.io"}}, {registries: []string{"GHCR.io"}}, {registries: []string{"ghcr.io"}, noImages: true}} {
		if err := bad.applyImages(sys, config.Default()); codeOf(err) != int(exitUsage) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestServicesOfTheConfig(t *testing.T) {
	cfg := config.Default()
	cfg.Services = map[string]config.Service{
		"shop/checkout":      {Repository: "github.com/acme/shop", Path: "services/checkout"},
		"prod/shop/checkout": {Repository: "github.com/acme/other"},
	}
	want := []correlate.Service{
		{Namespace: "shop", Name: "checkout", Repository: "github.com/acme/shop", Path: "services/checkout"},
		{Cluster: "prod", Namespace: "shop", Name: "checkout", Repository: "github.com/acme/other"},
	}
	if diff := cmp.Diff(want, services(cfg)); diff != "" {
		t.Error(diff)
	}
}
