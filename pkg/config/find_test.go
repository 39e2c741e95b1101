package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/config"
)

func write(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("version: 1\n# "+filepath.Base(path)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindOrder(t *testing.T) {
	dir, user := t.TempDir(), t.TempDir()
	s := config.Search{Dir: dir, UserDir: user}
	expect := func(path, why string) {
		t.Helper()
		got, err := config.Find(s)
		if err != nil {
			t.Fatal(err)
		}
		if got.Path != path || got.Why != why || (path != "") != (len(got.Data) > 0) {
			t.Errorf("got %q (%s), want %q (%s)", got.Path, got.Why, path, why)
		}
	}
	// From the last place to the first: each wins over those before.
	expect("", "")
	expect(write(t, filepath.Join(user, "rcactl", "config.yaml")), "user's config folder")
	expect(write(t, filepath.Join(dir, "rcactl.yaml")), "working directory")
	s.Env = write(t, filepath.Join(dir, "env.yaml"))
	expect(s.Env, "RCACTL_CONFIG")
	s.Flag = write(t, filepath.Join(dir, "flag.yaml"))
	expect(s.Flag, "--config")
}

func TestFindNamedAndMissing(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rcactl.yaml")) // must not be used instead
	for why, s := range map[string]config.Search{
		"--config":      {Flag: filepath.Join(dir, "no.yaml"), Dir: dir},
		"RCACTL_CONFIG": {Env: filepath.Join(dir, "no.yaml"), Dir: dir},
	} {
		_, err := config.Find(s)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// A config that is there and cannot be read is not the same as none.
func TestFindUnreadable(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rcactl.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	if found, err := config.Find(config.Search{Dir: dir}); err == nil {
		t.Errorf("found %+v", found)
	}
}

func TestFindNotesTheOtherSpelling(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rcactl.yml"))
	found, err := config.Find(config.Search{Dir: dir})
	if err != nil || found.Path != "" || !strings.Contains(found.Note, "rcactl.yml") {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestReadFileStopsEarly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(path, make([]byte, 2*config.MaxSize), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := config.ReadFile(path); err != nil || len(data) != config.MaxSize+1 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}
