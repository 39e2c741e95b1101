package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// How long a fuzz target runs. What connectors read comes from strangers.
const (
	fuzzSources = "20s"
	fuzzOthers  = "5s"
)

// target is a fuzz target and the folder of its package.
type target struct{ dir, name string }

var fuzzFunc = regexp.MustCompile(`(?m)^func (Fuzz[A-Za-z0-9_]+)\(`)

// fuzz runs every fuzz target of the main module, one after the other. A
// finding is written below the package's testdata/fuzz, as a case for all later tests.
func (b *bench) fuzz(ctx context.Context) error {
	targets, err := b.fuzzTargets()
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return fmt.Errorf("no fuzz target was found below %s/pkg", b.root)
	}
	for _, t := range targets {
		time := fuzzOthers
		if strings.HasPrefix(t.dir, "pkg/connector/") {
			time = fuzzSources
		}
		b.say("%s of %s for %s", t.name, t.dir, time)
		if err := b.command(ctx, nil, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", time, "./"+t.dir); err != nil {
			return err
		}
	}
	b.say("%d fuzz targets, nothing found", len(targets))
	return nil
}

// fuzzTargets finds the targets in the sources, so that none is forgotten.
func (b *bench) fuzzTargets() ([]target, error) {
	var found []target
	err := filepath.WalkDir(filepath.Join(b.root, "pkg"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // G122: the sources of this repository
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(b.root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, m := range fuzzFunc.FindAllStringSubmatch(string(text), -1) {
			found = append(found, target{filepath.ToSlash(dir), m[1]})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for fuzz targets: %w", err)
	}
	slices.SortFunc(found, func(a, b target) int { return strings.Compare(a.dir+a.name, b.dir+b.name) })
	return found, nil
}
