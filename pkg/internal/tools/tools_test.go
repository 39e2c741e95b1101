package tools

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyFollowsTheSources(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "testdata", "testbed")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keyOf := func(of func(string) (Tool, error)) string {
		t.Helper()
		tool, err := of(root)
		if err != nil {
			t.Fatal(err)
		}
		return tool.key
	}
	key := func() string { t.Helper(); return keyOf(Testbed) }
	write("go.mod", "module x\n")
	write("go.sum", "")
	write("main.go", "package main\n")
	first, kubectl := key(), keyOf(Kubectl)
	write("README.md", "words")
	if key() != first {
		t.Error("a change of the README asks for a rebuild")
	}
	write("main.go", "package main // changed\n")
	if key() == first {
		t.Error("a changed source keeps the old binary")
	}
	if keyOf(Kubectl) != kubectl {
		t.Error("kubectl is rebuilt for a change in the server's own sources")
	}
	write("main.go", "package main\n")
	if key() != first {
		t.Error("the same sources give another key")
	}
	write("go.sum", "changed")
	if key() == first {
		t.Error("a changed go.sum keeps the old binary")
	}
	if keyOf(Kubectl) == kubectl {
		t.Error("a changed go.sum keeps the old kubectl")
	}
}

func TestFindSaysNotBuilt(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	if _, err := Cosign().Find(); !errors.Is(err, ErrNotBuilt) {
		t.Fatalf("Find in an empty cache: %v, want ErrNotBuilt", err)
	}
}

func TestRoot(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root, err := Root(wd)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(wd, filepath.Join("pkg", "internal", "tools")) || filepath.Join(root, "pkg", "internal", "tools") != wd {
		t.Errorf("Root(%s) = %s", wd, root)
	}
	if _, err := Root(t.TempDir()); err == nil {
		t.Error("a folder outside the tree has a root")
	}
}
