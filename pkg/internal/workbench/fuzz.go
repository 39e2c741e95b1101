package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// How long a fuzz target runs.
const (
	fuzzLong   = "10s"
	fuzzOthers = "3s"
)

// target is a fuzz target and the folder of its package.
type target struct{ dir, name string }

// longTargets read what strangers choose most freely: messages and field sets of a
// cluster, and the files of a recording.
func longTargets() []string {
	return []string{"FuzzMessages", "FuzzFieldsV1", "FuzzDump", "FuzzArchive"}
}

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
	for _, name := range longTargets() {
		if !slices.ContainsFunc(targets, func(t target) bool { return t.name == name }) {
			return fmt.Errorf("the fuzz target %s is gone; name the one that took its place", name)
		}
	}
	for _, t := range targets {
		time := fuzzOthers
		if slices.Contains(longTargets(), t.name) {
			time = fuzzLong
		}
		b.say("%s of %s for %s", t.name, t.dir, time)
		if err := b.fuzzOne(ctx, t, time); err != nil {
			return err
		}
	}
	b.say("%d fuzz targets, nothing found", len(targets))
	return nil
}

// fuzzOne runs one target. Little of its time goes into making inputs smaller that
// are merely interesting.
//
// On a busy machine the end of the time itself may be reported as a failure
// (https://go.dev/issue/75804). Such a run has found nothing, and is not repeated
// for more than the seeds.
func (b *bench) fuzzOne(ctx context.Context, t target, time string) error {
	var said bytes.Buffer
	quiet := *b
	quiet.stdout = io.MultiWriter(b.stdout, &said)
	err := quiet.command(ctx, nil, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", time, "-fuzzminimizetime", "2s", "./"+t.dir)
	if err == nil || ctx.Err() != nil || !onlyTimeWasUp(said.String()) {
		return err
	}
	b.say("%s ended at its time, which go test took for a failure; its seeds once more", t.name)
	return b.command(ctx, nil, "go", "test", "-run", "^"+t.name+"$", "-count", "1", "./"+t.dir)
}

// onlyTimeWasUp reports whether a target failed for nothing but the end of its time.
func onlyTimeWasUp(output string) bool {
	_, failure, failed := strings.Cut(output, "--- FAIL: ")
	_, why, _ := strings.Cut(failure, "\n")
	why, _, _ = strings.Cut(why, "\nFAIL")
	return failed && strings.TrimSpace(why) == "context deadline exceeded"
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
