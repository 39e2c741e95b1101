package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// check is what CI runs: cheap stages first, the tests last so that their
// closing lines end the output.
func (b *bench) check(ctx context.Context) error {
	for _, stage := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"docs are fresh", b.docsFresh},
		{"go.mod is tidy", b.modTidy},
		{"lint", func(ctx context.Context) error { return b.lint(ctx, nil) }},
		{"fuzz", b.fuzz},
		{"test", func(ctx context.Context) error { return b.test(ctx, nil) }},
	} {
		start := time.Now()
		fmt.Fprintf(b.stderr, "\n=== %s\n", stage.name)
		err := stage.do(ctx)
		verdict := "passed"
		if err != nil {
			verdict = "FAILED"
		}
		fmt.Fprintf(b.stderr, "=== %s: %s in %.0fs\n", stage.name, verdict, time.Since(start).Seconds())
		if err != nil {
			return err
		}
	}
	return nil
}

// docsFresh fails when generating changes a file. It compares contents before
// and after instead of asking git for a diff, so that it is as right in a tree
// with other changes as in a clean clone.
func (b *bench) docsFresh(ctx context.Context) error {
	before, err := b.snapshot(ctx)
	if err != nil {
		return err
	}
	if err := b.command(ctx, nil, "make", "--no-print-directory", "docs"); err != nil {
		return err
	}
	after, err := b.snapshot(ctx)
	if err != nil {
		return err
	}
	var stale []string
	for name := range after {
		if before[name] != after[name] {
			stale = append(stale, name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			stale = append(stale, name+" (removed)")
		}
	}
	if len(stale) > 0 {
		slices.Sort(stale)
		return fmt.Errorf("generated files are stale; commit what \"make docs\" has just made: %s", strings.Join(slices.Compact(stale), ", "))
	}
	b.say("%d files, none changed by make docs", len(after))
	return nil
}

// modTidy fails when go.mod or go.sum lack something that the program or a test
// needs, or name what nothing needs, and prints what differs. It changes neither file.
func (b *bench) modTidy(ctx context.Context) error {
	if err := b.command(ctx, nil, "go", "mod", "tidy", "-diff"); err != nil {
		return fmt.Errorf("go.mod or go.sum is not tidy; run \"go mod tidy\" and commit both: %w", err)
	}
	return nil
}

// snapshot has the digest of every file that git tracks or would track.
func (b *bench) snapshot(ctx context.Context) (map[string][sha256.Size]byte, error) {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = b.root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the files with git: %w", err)
	}
	files := make(map[string][sha256.Size]byte)
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(b.root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and git has not been told
		}
		if err != nil {
			return nil, fmt.Errorf("read a tracked file: %w", err)
		}
		files[name] = sha256.Sum256(content)
	}
	return files, nil
}
