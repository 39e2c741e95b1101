// Command testbed is a Kubernetes control plane for rcactl's tests and demo, in
// one process: etcd, the real kube-apiserver (RBAC, audit log, ServiceAccount
// tokens), the workload controllers, and a fake kubelet that reports pods as
// running or, by image name, as failing in one of the well-known ways.
//
// It is a child process, never a daemon. It lives in one state directory and
// stops on SIGTERM, when its standard input closes, or when its parent dies, so
// a test that panics cannot leave a server behind.
//
//	testbed -dir DIR
//
// DIR/ready appears last, by rename, when the API server answers, the nodes are
// Ready and the controllers run. Until then nothing in DIR should be used.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/klog/v2"
)

// stopGrace bounds an orderly stop. The state is thrown away afterwards, so
// nothing is lost when it runs out.
const stopGrace = 5 * time.Second

// options is the command line.
type options struct {
	dir           string
	nodes         int
	keep          bool
	remove        bool
	apiserverArgs string
}

// readyFile is what DIR/ready holds.
type readyFile struct {
	PID        int    `json:"pid"`
	Server     string `json:"server"`
	Kubeconfig string `json:"kubeconfig"`
	AuditLog   string `json:"audit_log"`
	Etcd       string `json:"etcd"`
}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "", "state directory, made when missing; one server a directory")
	flag.IntVar(&o.nodes, "nodes", 2, "number of Nodes that the fake kubelet plays")
	flag.BoolVar(&o.keep, "keep", false, "go on when standard input closes or the parent exits (for use by hand; stop it with SIGTERM)")
	flag.BoolVar(&o.remove, "rm", false, "remove the state directory on the way out")
	flag.StringVar(&o.apiserverArgs, "apiserver-args", "", "more kube-apiserver flags, space separated, e.g. --etcd-compaction-interval=3s")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if !o.keep {
		ctx = untilOrphaned(ctx)
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "testbed: error:", err)
		os.Exit(1)
	}
}

// untilOrphaned ends the context when nobody is left who wants the server. Both
// signs are needed: a killed parent closes the pipe on our standard input, but a
// grandchild may hold that pipe open; and a parent without a pipe still has a pid.
func untilOrphaned(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	parent := os.Getppid()
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for os.Getppid() == parent {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		cancel()
	}()
	return ctx
}

// run starts the parts in order, says that they are ready, and stops them in
// reverse order when ctx ends.
func run(ctx context.Context, o options) (err error) {
	if o.dir == "" {
		return errors.New("no state directory: give -dir DIR")
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return fmt.Errorf("state directory %q: %w", o.dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	if o.remove {
		// First to be deferred, so last to run: nothing has a file open by then.
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	ready := filepath.Join(dir, "ready")
	if err := os.Remove(ready); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove what an earlier server left: %w", err)
	}
	logFile := filepath.Join(dir, "testbed.log")
	closeLog, err := logTo(logFile)
	if err != nil {
		return err
	}
	defer closeLog()
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w (more in %s)", err, logFile)
		}
	}()
	started := time.Now()

	etcd, err := startEtcd(ctx, filepath.Join(dir, "etcd"), logFile)
	if err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	defer etcd.Close()

	api, err := startAPIServer(ctx, dir, etcd.clientURL, strings.Fields(o.apiserverArgs))
	if err != nil {
		return fmt.Errorf("start kube-apiserver: %w", err)
	}
	defer api.Stop(stopGrace)

	// Nothing below may outlive the API server's own context: a controller that
	// retries against a stopped server only fills the log.
	if err := startControllers(api.ctx, api.controllers); err != nil {
		return fmt.Errorf("start the controllers: %w", err)
	}
	if err := startKubelet(api.ctx, api.kubelet, o.nodes); err != nil {
		return fmt.Errorf("start the fake kubelet: %w", err)
	}
	if err := writeReady(ready, readyFile{
		PID: os.Getpid(), Server: api.url, Kubeconfig: api.adminKubeconfig, AuditLog: api.auditLog, Etcd: etcd.clientURL,
	}); err != nil {
		return err
	}
	fmt.Printf("ready in %.1fs: KUBECONFIG=%s\n", time.Since(started).Seconds(), api.adminKubeconfig)

	select {
	case <-ctx.Done():
	case err = <-api.done:
		err = fmt.Errorf("kube-apiserver stopped by itself: %w", err)
	}
	_ = os.Remove(ready)
	return err
}

// logTo sends the Kubernetes components' log to a file, so that standard error
// carries only what a person must read.
func logTo(path string) (closeLog func(), err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	// Without the threshold klog would copy every error to standard error.
	if err := errors.Join(flags.Set("logtostderr", "false"), flags.Set("stderrthreshold", "FATAL")); err != nil {
		return nil, fmt.Errorf("set up the log: %w", err)
	}
	klog.SetOutput(f)
	return func() {
		klog.Flush()
		_ = f.Close()
	}, nil
}

// writeReady makes the file appear whole: who sees it may read it at once.
func writeReady(path string, r readyFile) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the ready file: %w", err)
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the ready file: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("publish the ready file: %w", err)
	}
	return nil
}
