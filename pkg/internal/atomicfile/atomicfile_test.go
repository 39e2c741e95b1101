package atomicfile

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestWriteReplacesAndSetsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "head.json")
	for _, want := range []string{"one", "two and longer", ""} {
		if err := Write(path, 0o640, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, want 0640", info.Mode().Perm())
	}
	noTempLeft(t, filepath.Dir(path))
}

// A rename over a directory fails after the temporary file was written, so it
// is the way to see what a late failure leaves behind.
func TestFailureLeavesTheOldAndNoTemp(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, 0o600, []byte("new")); err == nil {
		t.Fatal("no error")
	}
	noTempLeft(t, dir)
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		t.Errorf("what was there is gone: %v", err)
	}
}

func TestMissingDirectory(t *testing.T) {
	if err := Write(filepath.Join(t.TempDir(), "no", "file"), 0o600, nil); err == nil {
		t.Error("no error for a missing directory")
	}
	if runtime.GOOS != "windows" && SyncDir(filepath.Join(t.TempDir(), "no")) == nil {
		t.Error("no error for syncing a missing directory")
	}
}

func noTempLeft(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			t.Errorf("temporary file %s left behind", e.Name())
		}
	}
}
