package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestDocsFresh(t *testing.T) {
	for _, tool := range []string{"git", "make"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not on this machine", tool)
		}
	}
	for _, c := range []struct{ name, recipe, stale string }{
		{"generating changes nothing", "@echo same > kept.md", ""},
		{"a generated file is stale", "@echo new > kept.md", "kept.md"},
		{"a generated file was never committed", "@echo new > added.md", "added.md"},
		{"a generated file is no longer made", "@rm kept.md", "kept.md (removed)"},
		{"ignored files do not count", "@echo new > ignored.log", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range map[string]string{
				"Makefile":   "docs:\n\t" + c.recipe + "\n",
				"kept.md":    "same\n",
				"edited.go":  "package a // not committed, and not our business\n",
				".gitignore": "*.log\n",
			} {
				if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, args := range [][]string{{"init", "-q"}, {"add", "Makefile", "kept.md", ".gitignore"}} {
				cmd := exec.CommandContext(t.Context(), "git", args...)
				cmd.Dir = root
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("git %v: %v: %s", args, err, out)
				}
			}
			b := &bench{root: root, stdout: io.Discard, stderr: io.Discard}
			err := b.docsFresh(t.Context())
			switch {
			case c.stale == "" && err != nil:
				t.Errorf("docsFresh: %v, want nil", err)
			case c.stale != "" && (err == nil || !strings.HasSuffix(err.Error(), ": "+c.stale)):
				t.Errorf("docsFresh: %v, want it to name %s alone", err, c.stale)
			}
		})
	}
}

func TestModTidy(t *testing.T) {
	for _, c := range []struct {
		name, mod string
		tidy      bool
	}{
		{"nothing is needed", "module planted.example.test/a\n\ngo 1.26\n", true},
		{"what nothing needs", "module planted.example.test/a\n\ngo 1.26\n\nrequire planted.example.test/b v1.0.0\n\nreplace planted.example.test/b => ./b\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.Mkdir(filepath.Join(root, "b"), 0o700); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{
				"go.mod": c.mod, "a.go": "package a\n",
				"b/go.mod": "module planted.example.test/b\n\ngo 1.26\n", "b/b.go": "package b\n",
			} {
				if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var said strings.Builder
			b := &bench{root: root, stdout: &said, stderr: &said}
			if err := b.modTidy(t.Context()); (err == nil) != c.tidy {
				t.Errorf("modTidy: %v; %s", err, said.String())
			}
			if !c.tidy && !strings.Contains(said.String(), "-require planted.example.test/b") {
				t.Errorf("it does not show what differs: %s", said.String())
			}
			if kept, err := os.ReadFile(filepath.Join(root, "go.mod")); err != nil || string(kept) != c.mod {
				t.Errorf("go.mod is %q, %v", kept, err)
			}
		})
	}
}
