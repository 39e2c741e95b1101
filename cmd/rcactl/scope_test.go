package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/rcactl/rcactl/pkg/evidence"
)

// What is read only where the credential may leaves no gap where it may not, and
// is a line on the screen; named in the config it is a gap.
func TestWhatMayNotBeReadIsALine(t *testing.T) {
	c := newCluster(t)
	c.deploy(t, "checkout", "registry.example/shop/checkout:v1.4.0")
	l := newLaptop(t, c.reader(t, "secrets"))
	_, a := l.collect(t, exitComplete, "--since", "1h")
	var lines []string
	for line := range strings.Lines(a.stderr) {
		if strings.HasPrefix(strings.TrimSpace(line), "kubernetes not read: ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	found := false
	for _, line := range lines {
		found = found || strings.Contains(line, "secrets") && strings.Contains(line, "nodes") &&
			strings.HasSuffix(line, "(no grant; rcactl collect --plan shows the rules)")
	}
	if !found || len(lines) > 2 || strings.Contains(a.stderr, "missing: ") {
		t.Errorf("want a line for what may not be read, got %q in\n%s", lines, a.stderr)
	}

	a = l.must(t, exitComplete, "collect", "--plan")
	if !strings.Contains(a.stdout, "secrets *") || !strings.Contains(a.stdout, `- {apiGroups: [""], resources: ["nodes"], verbs: ["list"]}  # in a ClusterRole`) {
		t.Errorf("the plan does not show the rules:\n%s", a.stdout)
	}

	file := filepath.Join(t.TempDir(), "rcactl.yaml")
	if err := os.WriteFile(file, []byte("version: 1\nconnectors:\n  kubernetes:\n    streams: [workloads, secrets]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, a = l.collect(t, exitPartial, "--since", "1h", "--config", file)
	if !strings.Contains(a.stderr, "kubernetes secrets, failed: not allowed to list the secrets of namespace "+c.ns) ||
		!strings.Contains(a.stderr, `missing: - {apiGroups: [""], resources: ["secrets"], verbs: ["list"]}`) {
		t.Errorf("a stream that was named and may not be read:\n%s", a.stderr)
	}
}

func TestASelectorOnTheCommandLine(t *testing.T) {
	c := newCluster(t)
	for _, name := range []string{"checkout", "search"} {
		c.deploy(t, name, "registry.example/shop/"+name+":v1", func(d *appsv1.Deployment) {
			if name == "checkout" {
				d.Labels["team"] = "payments"
			}
		})
	}
	l := newLaptop(t, c.reader(t))
	dir, a := l.collect(t, exitComplete, "-l", "team=payments")
	for _, e := range evidenceIn(t, dir) {
		if e.Kind == evidence.KindDeployment && !strings.HasSuffix(e.ServiceKey, "/checkout") {
			t.Errorf("told of %s", e.ServiceKey)
		}
	}
	if len(deployments(evidenceIn(t, dir), "checkout")) != 1 {
		t.Error("the chosen workload is not told of")
	}
	if !strings.Contains(a.stderr, "selector team=payments") || !strings.Contains(a.stderr, "the cursor was neither used nor moved") {
		t.Errorf("the screen does not say it:\n%s", a.stderr)
	}
	a = l.must(t, exitUsage, "collect", "--selector", "team in payments")
	if !strings.Contains(a.stderr, "label_selector: this is not a label selector") || !strings.Contains(a.stderr, "hint: as kubectl takes it, for example team=") {
		t.Errorf("stderr:\n%s", a.stderr)
	}
}
