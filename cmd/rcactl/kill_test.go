package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestKilledAtRandomMoments kills collect twenty times. Whatever moment it is,
// earlier runs and cursors are whole, the next run is complete, verify is right
// about every directory, and no change is lost.
func TestKilledAtRandomMoments(t *testing.T) {
	const kills = 20
	c := newCluster(t)
	l := newLaptop(t, c.reader(t))
	program := filepath.Join(t.TempDir(), "rcactl") // the name makes the test binary run main
	if err := os.Symlink(asProgram(t), program); err != nil {
		t.Fatal(err)
	}
	command := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), program, "collect")
		cmd.Env = append(os.Environ(), "HOME="+l.home, "XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "KUBECONFIG="+l.env["KUBECONFIG"])
		cmd.Dir = l.home
		return cmd
	}
	makeConfigMap := func(name string) {
		if _, err := c.client.CoreV1().ConfigMaps(c.ns).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}

	start := time.Now()
	if out, err := command().CombinedOutput(); err != nil {
		t.Fatalf("the first run: %v\n%s", err, out)
	}
	whole := time.Since(start)

	killed := 0
	for i := range kills {
		makeConfigMap(fmt.Sprintf("change-%02d", i))
		cmd := command()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(whole))))
		if err := cmd.Process.Kill(); err == nil {
			killed++
		}
		_ = cmd.Wait()
		for _, dir := range runDirs(t, l) {
			want := exitComplete
			if strings.HasPrefix(filepath.Base(dir), ".") {
				want = exitUnverified
			}
			l.must(t, want, "manifest", "verify", dir)
		}
	}
	if killed < kills/2 {
		t.Errorf("only %d of %d runs were killed before they ended", killed, kills)
	}
	settle()
	l.collect(t, exitComplete)

	seen := map[string]bool{}
	for _, dir := range runDirs(t, l) {
		l.must(t, exitComplete, "manifest", "verify", dir) // the last run swept what was left
		for _, e := range evidenceIn(t, dir) {
			seen[e.Source.Object.Name] = true
		}
	}
	for i := range kills {
		if name := fmt.Sprintf("change-%02d", i); !seen[name] {
			t.Errorf("%s is in no run", name)
		}
	}
}

// runDirs lists all directories below the runs folder, left-overs too.
func runDirs(t *testing.T, l *laptop) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(l.state(), "runs"))
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, filepath.Join(l.state(), "runs", e.Name()))
		}
	}
	return dirs
}
