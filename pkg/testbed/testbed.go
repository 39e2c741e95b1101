// Package testbed gives tests a real Kubernetes API server: etcd,
// kube-apiserver, the workload controllers and a fake kubelet, in one child
// process (see testdata/testbed for what it does and which images fail how).
//
//	srv := testbed.Start(t)
//	ns := srv.Namespace(t)
//	kubeconfig := srv.ServiceAccountKubeconfig(t, ns, "collector", rules)
//	since := srv.AuditOffset(t)
//	... run what is under test ...
//	for _, line := range srv.Audit(t, testbed.ServiceAccountUser(ns, "collector"), since) { ... }
//
// One server serves a whole test run: make test starts it and names its state
// directory in RCACTL_TESTBED. A single go test starts its own from the binary
// that make test has built. Tests are kept apart by namespace; what is not in a
// namespace (Nodes, ClusterRoles) is shared.
//
// When no binary is built a test skips with one line that says what to do;
// RCACTL_TEST_REQUIRE=1 turns that into a failure, so that CI cannot pass by
// testing nothing.
package testbed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/rcactl/rcactl/pkg/internal/tools"
)

// The environment variables by which make test speaks to tests.
const (
	// EnvDir names the state directory of a running server.
	EnvDir = "RCACTL_TESTBED"
	// EnvRequire, set to 1, makes a missing server a failure instead of a skip.
	EnvRequire = "RCACTL_TEST_REQUIRE"
)

// startTimeout allows for a machine that is busy compiling the next package.
const startTimeout = 2 * time.Minute

// Server is a running API server, shared by all tests of a run.
type Server struct {
	dir    string
	ready  readyFile
	config *rest.Config
	client kubernetes.Interface
}

// readyFile is what the server says of itself in DIR/ready.
type readyFile struct {
	PID        int    `json:"pid"`
	Server     string `json:"server"`
	Kubeconfig string `json:"kubeconfig"`
	AuditLog   string `json:"audit_log"`
	Etcd       string `json:"etcd"`
}

// shared is the server of this test binary. It has to be package state: a test
// binary has no other place that outlives one test, and a start costs three
// seconds.
//
//nolint:gochecknoglobals // see above
var shared = sync.OnceValues(func() (*Server, error) {
	if dir := os.Getenv(EnvDir); dir != "" {
		return open(dir)
	}
	binary, err := findBinary()
	if errors.Is(err, tools.ErrNotBuilt) {
		// go test hides what a skipped test says, so say it where it is seen.
		fmt.Fprintln(os.Stderr, notBuilt)
	}
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "rcactl-testbed-")
	if err != nil {
		return nil, fmt.Errorf("make a state directory: %w", err)
	}
	// Nobody keeps the process: when this test binary ends, however it ends, the
	// pipe closes and the server stops and removes its directory.
	p, err := Launch(binary, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return open(p.Dir)
})

const notBuilt = `SKIPPED: needs the test API server, which is not built here; "make test" builds it (5 to 8 minutes, once)`

// Start returns the server of this test run. It skips the test when there is
// none, or fails it under RCACTL_TEST_REQUIRE=1.
func Start(t testing.TB) *Server {
	t.Helper()
	srv, err := shared()
	switch {
	case err == nil:
		return srv
	case errors.Is(err, tools.ErrNotBuilt) && os.Getenv(EnvRequire) != "1":
		t.Skip(notBuilt)
	case errors.Is(err, tools.ErrNotBuilt):
		t.Fatalf("the test API server is not built and %s=1 forbids to skip; run \"make test\"", EnvRequire)
	default:
		t.Fatalf("no test API server: %v", err)
	}
	return nil
}

func findBinary() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working tree: %w", err)
	}
	root, err := tools.Root(wd)
	if err != nil {
		return "", err
	}
	tool, err := tools.Testbed(root)
	if err != nil {
		return "", err
	}
	return tool.Find()
}

// open reads how to talk to the server of a state directory.
func open(dir string) (*Server, error) {
	b, err := os.ReadFile(filepath.Join(dir, "ready"))
	if err != nil {
		return nil, fmt.Errorf("no server is ready in %s: %w", dir, err)
	}
	s := &Server{dir: dir}
	if err := json.Unmarshal(b, &s.ready); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, "ready"), err)
	}
	if s.config, err = clientcmd.BuildConfigFromFlags("", s.ready.Kubeconfig); err != nil {
		return nil, fmt.Errorf("read the admin kubeconfig: %w", err)
	}
	s.config.QPS = -1 // tests share one machine with the server: waiting helps nobody
	if s.client, err = kubernetes.NewForConfig(s.config); err != nil {
		return nil, fmt.Errorf("make the admin client: %w", err)
	}
	return s, nil
}

// Kubeconfig is the path of the admin's kubeconfig.
func (s *Server) Kubeconfig() string { return s.ready.Kubeconfig }

// AuditLog is the path of the API server's audit log.
func (s *Server) AuditLog() string { return s.ready.AuditLog }

// AdminConfig is a client configuration with every right, the caller's to change.
func (s *Server) AdminConfig() *rest.Config { return rest.CopyConfig(s.config) }

// AdminClient is a client with every right.
func (s *Server) AdminClient() kubernetes.Interface { return s.client }

// Process is a server started by Launch.
type Process struct {
	// Dir is the state directory.
	Dir string
	// PID is the server's process id.
	PID int

	stdin  interface{ Close() error }
	exited chan struct{}
	err    error
}

// Launch starts the server binary on a state directory and returns when it is
// ready. The server stops and removes the directory when the calling process
// ends or calls Stop.
func Launch(binary, dir string) (*Process, error) {
	cmd := exec.Command(binary, "-rm", "-dir", dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("open the pipe that keeps the server alive: %w", err)
	}
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	p := &Process{Dir: dir, PID: cmd.Process.Pid, stdin: stdin, exited: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
			return p, nil
		}
		select {
		case <-p.exited:
			return nil, fmt.Errorf("the test API server stopped while starting: %w: %s", p.err, said.String())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("the test API server was not ready after %s", startTimeout), p.Stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends the server and waits for it.
func (p *Process) Stop() error {
	if err := p.stdin.Close(); err != nil {
		return fmt.Errorf("tell the test API server to stop: %w", err)
	}
	select {
	case <-p.exited:
		return p.err
	case <-time.After(20 * time.Second):
		return fmt.Errorf("the test API server (pid %d) does not stop", p.PID)
	}
}
