package main

import (
	"bytes"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// neverLinked are packages that no build has, each with the reason.
func neverLinked() map[string]string {
	return map[string]string{
		"k8s.io/client-go/kubernetes":              "the typed clients of every API group cost more than the rest of the program; the connector asks for what it needs",
		"github.com/in-toto/...":                   "the statement is four JSON objects; see pkg/manifest",
		"github.com/sigstore/...":                  "the bundle is four JSON objects; see pkg/dsse; cosign is an oracle in tests only",
		"google.golang.org/grpc/...":               "no source is asked over gRPC",
		"k8s.io/kubernetes/...":                    "the server belongs to the test bed, which is a module of its own",
		"net/http/pprof":                           "a collector opens no port",
		"testing":                                  "test code in the program",
		modulePath + "pkg/testbed":                 "test code in the program",
		modulePath + "pkg/internal/tools":          "test code in the program",
		modulePath + "pkg/connector/connectortest": "test code in the program",
		modulePath + "pkg/evidence/evidencetest":   "test code in the program",
	}
}

// What a build leaves out must really be gone from it, and what no build should
// have must be in none.
func TestLinkedPackages(t *testing.T) {
	const leftOut = "the tags leave this connector out"
	kubernetes := []string{"k8s.io/client-go/...", "k8s.io/apimachinery/...", modulePath + "pkg/connector/kubernetes"}
	github := []string{"github.com/google/go-github/...", "github.com/golang-jwt/...", modulePath + "pkg/connector/github"}
	tests := []struct {
		tags      string
		has       []string
		hasNot    []string
		hasNotWhy string
	}{
		{tags: "", has: append(slices.Clone(kubernetes), github...)},
		{tags: "rcactl_minimal", hasNot: append([]string{"k8s.io/...", "sigs.k8s.io/...", modulePath + "pkg/connector/kubernetes"}, github...), hasNotWhy: leftOut},
		{tags: "rcactl_minimal,rcactl_kubernetes", has: kubernetes, hasNot: github, hasNotWhy: leftOut},
		{tags: "rcactl_minimal,rcactl_github", has: github, hasNot: []string{"k8s.io/...", modulePath + "pkg/connector/kubernetes"}, hasNotWhy: leftOut},
	}
	for _, tt := range tests {
		t.Run("tags="+tt.tags, func(t *testing.T) {
			linked := strings.Fields(string(goList(t, "-deps", "-tags", tt.tags, "./cmd/rcactl")))
			for _, pkg := range linked {
				for entry, why := range neverLinked() {
					if within(pkg, entry) {
						t.Errorf("%s is linked: %s", pkg, why)
					}
				}
			}
			if i := slices.IndexFunc(linked, func(pkg string) bool { return anyWithin(pkg, tt.hasNot...) }); i >= 0 {
				t.Errorf("%s (and perhaps more) is linked: %s", linked[i], tt.hasNotWhy)
			}
			for _, entry := range tt.has {
				if !slices.ContainsFunc(linked, func(pkg string) bool { return within(pkg, entry) }) {
					t.Errorf("%s is not linked", entry)
				}
			}
		})
	}
}

// The small builds work, and the one without Kubernetes says which tag to add.
func TestTheSmallBuildsWork(t *testing.T) {
	config := filepath.Join(t.TempDir(), "rcactl.yaml")
	if err := os.WriteFile(config, []byte("version: 1\nconnectors:\n  kubernetes: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for tags, want := range map[string]string{
		"rcactl_minimal":                   "rcactl_minimal,rcactl_kubernetes",
		"rcactl_minimal,rcactl_kubernetes": "",
	} {
		binary := filepath.Join(t.TempDir(), "rcactl")
		build := exec.CommandContext(t.Context(), "go", "build", "-tags", tags, "-o", binary, "./cmd/rcactl")
		build.Dir = moduleRoot
		if out, err := build.CombinedOutput(); err != nil {
			t.Errorf("-tags %s: %v\n%s", tags, err, out)
			continue
		}
		out, err := exec.CommandContext(t.Context(), binary, "validate", config).CombinedOutput()
		if (err == nil) != (want == "") || !strings.Contains(string(out), want) {
			t.Errorf("-tags %s: %v, want %q in:\n%s", tags, err, want, out)
		}
	}
}

// constraintOf gives the build constraint of a Go file, or nil.
func constraintOf(t *testing.T, path string) constraint.Expr {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if s := strings.TrimSpace(string(line)); constraint.IsGoBuild(s) {
			expr, err := constraint.Parse(s)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			return expr
		}
	}
	return nil
}

func TestTheTagsStandInBuiltinOnly(t *testing.T) {
	err := filepath.WalkDir(moduleRoot, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inBuiltin := filepath.Base(filepath.Dir(path)) == "builtin"
		if d.IsDir() || filepath.Ext(path) != ".go" || inBuiltin {
			return nil
		}
		if expr := constraintOf(t, path); expr != nil && strings.Contains(expr.String(), "rcactl_") {
			t.Errorf("%s has the constraint %s; only pkg/connector/builtin may", path, expr)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Each connector has two files in builtin that are named after it, carry its tag
// and exclude each other; one imports the connector, the other only names it.
func TestBuiltinFilesMatchTheirNames(t *testing.T) {
	connectors := filepath.Join(moduleRoot, "pkg", "connector")
	entries, err := os.ReadDir(connectors)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		typ := e.Name()
		if !e.IsDir() || typ == "builtin" || typ == "connectortest" {
			continue
		}
		in, out := filepath.Join(connectors, "builtin", typ+".go"), filepath.Join(connectors, "builtin", typ+"_omitted.go")
		files = append(files, filepath.Base(in), filepath.Base(out))
		for path, want := range map[string]string{
			in:  "!rcactl_minimal || rcactl_" + typ,
			out: "rcactl_minimal && !rcactl_" + typ,
		} {
			if expr := constraintOf(t, path); expr == nil || expr.String() != want {
				t.Errorf("%s: the constraint is %v, want %s", path, expr, want)
			}
		}
		connector := modulePath + "pkg/connector/" + typ
		if imports := importsOf(t, in); !slices.Contains(imports, connector) || len(imports) != 2 {
			t.Errorf("%s imports %v, want pkg/connector and %s", in, imports, connector)
		}
		if imports := importsOf(t, out); slices.Contains(imports, connector) {
			t.Errorf("%s imports the connector that it leaves out", out)
		}
		text, err := os.ReadFile(out)
		if err != nil || !bytes.Contains(text, []byte("Omit("+strconv.Quote(typ)+")")) {
			t.Errorf("%s does not omit %q (%v)", out, typ, err)
		}
	}
	all, err := filepath.Glob(filepath.Join(connectors, "builtin", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		name := filepath.Base(path)
		if name != "builtin.go" && !strings.HasSuffix(name, "_test.go") && !slices.Contains(files, name) {
			t.Errorf("%s belongs to no connector", path)
		}
	}
}

func importsOf(t *testing.T, path string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, i := range f.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}
