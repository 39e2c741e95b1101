package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestInterruptLeavesNothing interrupts a run that waits for a server which never
// answers.
func TestInterruptLeavesNothing(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	asked := make(chan struct{}, 16)
	go func() {
		for {
			if _, err := silent.Accept(); err != nil { // kept open, never answered
				return
			}
			asked <- struct{}{}
		}
	}()
	home := t.TempDir()
	kubeconfig := filepath.Join(home, "kubeconfig")
	write(t, kubeconfig, []byte(`{apiVersion: v1, kind: Config, current-context: c,
clusters: [{name: c, cluster: {server: "https://`+silent.Addr().String()+`"}}],
users: [{name: u, user: {token: t}}], contexts: [{name: c, context: {cluster: c, user: u}}]}`))
	program := filepath.Join(t.TempDir(), "rcactl")
	if err := os.Symlink(asProgram(t), program); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "collect", "--since", "1h")
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_STATE_HOME=", "KUBECONFIG="+kubeconfig)
	var out strings.Builder
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Fatal("it never asked")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != int(exitInterrupted) {
		t.Errorf("ended with %v, want exit code %d\n%s", err, exitInterrupted, out.String())
	}
	if !strings.Contains(out.String(), "interrupted") {
		t.Errorf("it does not say so:\n%s", out.String())
	}
	state := filepath.Join(home, ".local", "state", "rcactl")
	for _, dir := range []string{"runs", "cursors"} {
		left, _ := os.ReadDir(filepath.Join(state, dir))
		for _, entry := range left {
			if entry.Name() != ".lock" { // stays, so that no two runs lock two files of one name
				t.Errorf("%s holds %s", dir, entry.Name())
			}
		}
	}
}
