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

// recordedDemo is the recording that the demo reads.
const recordedDemo = "testdata/demo/dump"

// demo does rcactl's main job on a recorded story, seconds after the build: one
// collect, and the check of what was signed.
func (b *bench) demo(ctx context.Context) error {
	d, err := b.newDemo(ctx)
	if err != nil {
		return err
	}
	// A copy, so that what is shown reads the same on every machine.
	if err := os.CopyFS(filepath.Join(d.dir, "dump"), os.DirFS(filepath.Join(b.root, recordedDemo))); err != nil {
		return fmt.Errorf("copy the recording: %w", err)
	}
	return d.show(ctx, "--dump", "dump")
}

// demoLive does the same on a cluster of its own, in which the story happens.
func (b *bench) demoLive(ctx context.Context) error {
	d, err := b.newDemo(ctx)
	if err != nil {
		return err
	}
	return b.withStory(ctx, nil, func(kubeconfig string) error {
		d.env = append(d.env, kubeconfig)
		return d.show(ctx)
	})
}

// demoRecord plays the story and writes the recording anew.
func (b *bench) demoRecord(ctx context.Context) error {
	dir := filepath.Join(b.root, recordedDemo)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the old recording: %w", err)
	}
	return b.withStory(ctx, []string{"-record", dir}, func(string) error {
		b.say("recorded in %s", recordedDemo)
		return nil
	})
}

// withStory plays the story on a cluster that is there while do runs.
func (b *bench) withStory(ctx context.Context, args []string, do func(kubeconfig string) error) error {
	return b.withServer(ctx, func(srv *testbed.Process) error {
		kubeconfig := "KUBECONFIG=" + filepath.Join(srv.Dir, "admin.kubeconfig")
		if err := b.command(ctx, []string{kubeconfig}, "go", append([]string{"run", "./testdata/demo"}, args...)...); err != nil {
			return err
		}
		return do(kubeconfig)
	})
}

// rcactlDemo runs rcactl in the demo's folder.
type rcactlDemo struct {
	*bench
	dir, rcactl string
	env         []string
}

// newDemo builds rcactl into a folder of its own.
func (b *bench) newDemo(ctx context.Context) (*rcactlDemo, error) {
	dir, err := os.MkdirTemp("", "rcactl-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the demo: %w", err)
	}
	d := &rcactlDemo{bench: b, dir: dir, rcactl: filepath.Join(dir, "bin", "rcactl")}
	d.env = append(strangersEnv(os.Environ()), "HOME="+filepath.Join(dir, "home"))
	b.say("building rcactl (a minute the first time)")
	return d, b.command(ctx, nil, "go", "build", "-o", d.rcactl, "./cmd/rcactl")
}

// show collects and verifies.
func (d *rcactlDemo) show(ctx context.Context, from ...string) error {
	args := slices.Concat([]string{"collect"}, from, []string{"--since", "1h", "--namespace", "shop", "--state", "state", "--out", "runs"})
	run, err := d.run(ctx, args...)
	if err != nil {
		return err
	}
	if _, err := d.run(ctx, "manifest", "verify", "--state", "state", run); err != nil {
		return err
	}
	fmt.Fprintln(d.stderr)
	d.say("run, keys and binary stay in %s", d.dir)
	return nil
}

// run shows a command as a reader would type it, runs it, and returns the last
// line of its standard output.
func (d *rcactlDemo) run(ctx context.Context, args ...string) (string, error) {
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
		case "GITHUB_TOKEN", "GH_TOKEN", "GH_HOST", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GITHUB_API_URL",
			"DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "DATABASE_URL", "HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "KUBECONFIG":
			return true
		}
		return strings.HasPrefix(name, "RCACTL_") || strings.HasPrefix(name, "PG")
	})
}
