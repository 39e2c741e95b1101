package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	rcactl := filepath.Join(dir, "bin", "rcactl")
	if err := b.command(ctx, nil, "go", "build", "-o", rcactl, "./cmd/rcactl"); err != nil {
		return err
	}
	d := rcactlDemo{bench: b, dir: dir, rcactl: rcactl}
	return b.withServer(ctx, func(srv *testbed.Process) error {
		kubeconfig := "KUBECONFIG=" + filepath.Join(srv.Dir, "admin.kubeconfig")
		d.env = append(strangersEnv(os.Environ()), kubeconfig, "HOME="+filepath.Join(dir, "home"))
		if err := b.command(ctx, []string{kubeconfig}, "go", "run", "./testdata/demo"); err != nil {
			return err
		}
		run, err := d.run(ctx, "collect", "--since", "1h", "--namespace", "shop", "--state", "state", "--out", "runs")
		if err != nil {
			return err
		}
		if _, err := d.run(ctx, "manifest", "verify", "--state", "state", run); err != nil {
			return err
		}
		fmt.Fprintln(b.stderr)
		b.say("run, keys and binary stay in %s", dir)
		return nil
	})
}

// rcactlDemo runs rcactl in the demo's folder.
type rcactlDemo struct {
	*bench
	dir, rcactl string
	env         []string
}

// run shows a command as a reader would type it, runs it, and returns the last
// line of its standard output.
func (d rcactlDemo) run(ctx context.Context, args ...string) (string, error) {
	fmt.Fprintf(d.stderr, "\n$ rcactl %s\n", strings.Join(args, " "))
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, d.rcactl, args...)
	cmd.Dir = d.dir
	cmd.Env = d.env
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, d.stdout), d.stderr
	if err := cmd.Run(); err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return lines[len(lines)-1], nil
}

// strangersEnv leaves out what the developer's own shell would tell rcactl about
// sources: the demo must neither read nor need anything but its own cluster.
func strangersEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "GITHUB_TOKEN", "GH_TOKEN", "DATABASE_URL", "HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "KUBECONFIG":
			return true
		}
		return strings.HasPrefix(name, "RCACTL_") || strings.HasPrefix(name, "PG")
	})
}
