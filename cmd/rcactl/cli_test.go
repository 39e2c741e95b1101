package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/evidence/evidencetest"
)

// laptop is a person's machine: a home folder, a kubeconfig, and rcactl.
type laptop struct {
	home string
	env  map[string]string
	now  func() time.Time // nil: it is what it is
}

func newLaptop(t *testing.T, kubeconfig string) *laptop {
	t.Helper()
	return &laptop{home: t.TempDir(), env: map[string]string{"KUBECONFIG": kubeconfig}}
}

func (l *laptop) state() string { return filepath.Join(l.home, ".local", "state", "rcactl") }

// answer is what a command gave back.
type answer struct {
	code           int
	stdout, stderr string
}

// rcactl runs the program in this process.
func (l *laptop) rcactl(t *testing.T, args ...string) answer {
	t.Helper()
	var stdout, stderr bytes.Buffer
	now := time.Now
	if l.now != nil {
		now = l.now
	}
	code := Main(t.Context(), args, System{
		Stdout: &stdout, Stderr: &stderr,
		LookupEnv: func(name string) (string, bool) { v, ok := l.env[name]; return v, ok },
		Now:       now, Rand: rand.Reader,
		Dir: l.home, HomeDir: l.home, UserConfigDir: filepath.Join(l.home, ".config"),
		Build: Build{Version: "test", Commit: "unknown", Go: "go"},
	})
	return answer{code, stdout.String(), stderr.String()}
}

// must is rcactl with the exit code that is expected.
func (l *laptop) must(t *testing.T, code exitCode, args ...string) answer {
	t.Helper()
	a := l.rcactl(t, args...)
	if a.code != int(code) {
		t.Fatalf("rcactl %s: exit %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), a.code, code, a.stdout, a.stderr)
	}
	return a
}

// collect runs `rcactl collect` and returns the run directory.
func (l *laptop) collect(t *testing.T, code exitCode, args ...string) (dir string, a answer) {
	t.Helper()
	a = l.must(t, code, append([]string{"collect"}, args...)...)
	return strings.TrimSpace(a.stdout), a
}

// evidenceIn reads and validates every line of a run, in the order of the files.
func evidenceIn(t *testing.T, dir string) []evidence.Event {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "evidence", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var events []evidence.Event
	for _, file := range files {
		for line := range bytes.Lines(read(t, file)) {
			evidencetest.Validate(t, line)
			var e evidence.Event
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			events = append(events, e)
		}
	}
	return events
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// deployments picks the DeploymentEvents of one workload, in order of time.
func deployments(events []evidence.Event, name string) []evidence.Event {
	var out []evidence.Event
	for _, e := range events {
		if e.Deployment != nil && e.Source.Object.Name == name {
			out = append(out, e)
		}
	}
	for i := range out {
		for j := i; j > 0 && out[j].Time.Before(out[j-1].Time); j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}
