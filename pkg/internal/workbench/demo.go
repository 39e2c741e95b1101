package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rcactl/rcactl/pkg/testbed"
)

// demo does rcactl's main job where nothing was prepared: a cluster, a story
// that happens in it, one collect, and the check of what was signed.
func (b *bench) demo(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "rcactl-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	b.say("building rcactl (a minute the first time)")
	rcactl := filepath.Join(dir, "rcactl")
	if err := b.command(ctx, nil, "go", "build", "-o", rcactl, "./cmd/rcactl"); err != nil {
		return err
	}
	return b.withServer(ctx, func(srv *testbed.Process) error {
		env := []string{"KUBECONFIG=" + filepath.Join(srv.Dir, "admin.kubeconfig")}
		if err := b.command(ctx, env, "go", "run", "./testdata/demo"); err != nil {
			return err
		}
		run, err := b.collect(ctx, env, rcactl, dir)
		if err != nil {
			return err
		}
		b.shows("rcactl manifest verify " + run)
		if err := b.command(ctx, env, rcactl, "manifest", "verify", run); err != nil {
			return err
		}
		b.say("the run stays in %s", run)
		return nil
	})
}

// collect runs rcactl collect and returns the run directory that it prints.
func (b *bench) collect(ctx context.Context, env []string, rcactl, dir string) (string, error) {
	args := []string{"collect", "--since", "1h", "--state", filepath.Join(dir, "state"), "--out", filepath.Join(dir, "runs")}
	b.shows("rcactl " + strings.Join(args, " "))
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, rcactl, args...)
	cmd.Dir = dir // not the working tree: its git remote is no part of the story
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, b.stdout), b.stderr
	if err := cmd.Run(); err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return lines[len(lines)-1], nil
}

// shows prints a command as a reader would type it.
func (b *bench) shows(command string) { fmt.Fprintf(b.stderr, "\n$ %s\n", command) }
