// Package tools builds the programs that rcactl's tests and make words need but
// rcactl itself does not: the test API server, cosign as an oracle for our
// signatures, the linter. Each is compiled from the Go module proxy once and
// kept in the user's cache folder under a hash of everything it was made from,
// so a changed source is a new entry and a stale one is never used. What is
// published at npm is fetched from there, by version and digest, and kept likewise.
package tools

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// The pinned versions. A change rebuilds the tool on the next make.
const (
	cosignModule  = "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"
	lintModule    = "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0"
	releaseModule = "github.com/goreleaser/goreleaser/v2@v2.16.0" // later ones ask for a newer Go, or for modules that the proxy lacks
	kubeVersion   = "1.37.1"
	modulePath    = "github.com/rcactl/rcactl"
	heartbeatTime = 30 * time.Second
)

// ErrNotBuilt says that a tool is not in the cache and that nobody asked to build it.
var ErrNotBuilt = errors.New("not built yet")

// Tool is one program in the cache.
type Tool struct {
	// Name is the program's file name and its folder in the cache.
	Name string
	// About says in words what it is and how long a first build takes.
	About string

	key  string
	args []string // go's arguments; the output folder is the working directory or GOBIN
	dir  string   // where go runs; empty: anywhere
	env  []string
	pack *pack // what is downloaded instead of built
}

// Testbed is the test API server of the working tree at root.
func Testbed(root string) (Tool, error) {
	return kubernetes(root, "testbed", "the test API server (5 to 8 minutes on two cores the first time, then seconds)", ".", "*.go")
}

// Kubectl is the kubectl of the test API server's Kubernetes version, to be
// measured against. It is a tool of the server's module.
func Kubectl(root string) (Tool, error) {
	return kubernetes(root, "kubectl", "kubectl (1 to 3 minutes the first time)", "k8s.io/kubernetes/cmd/kubectl")
}

// kubernetes is a program that is built in the test API server's module, from
// what go.mod pins and the module's own sources that match.
func kubernetes(root, name, about, pkg string, sources ...string) (Tool, error) {
	const version = "k8s.io/component-base/version."
	minor := strings.Split(kubeVersion, ".")[1]
	args := []string{
		"build", "-gcflags=all=-dwarf=false", // nobody debugs it, and DWARF costs a minute and a gigabyte
		"-ldflags=-s -w -X " + version + "gitVersion=v" + kubeVersion + " -X " + version + "gitMajor=1 -X " + version + "gitMinor=" + minor +
			" -X " + version + "gitTreeState=clean",
		"-o", name, pkg,
	}
	dir := filepath.Join(root, "testdata", "testbed")
	key, err := hashSources(dir, args, append(sources, "go.mod", "go.sum"))
	if err != nil {
		return Tool{}, err
	}
	return Tool{Name: name, About: about, key: key, args: args, dir: dir, env: []string{"GOGC=800", "GOWORK=off"}}, nil
}

// Cosign is Sigstore's own verifier, the second opinion on what rcactl signs.
func Cosign() Tool {
	return installed("cosign", "cosign, which must agree with our signatures (2 to 4 minutes the first time)", cosignModule)
}

// GolangciLint is the linter that .golangci.yml is written for.
func GolangciLint() Tool {
	return installed("golangci-lint", "golangci-lint (3 to 5 minutes the first time)", lintModule)
}

// Goreleaser is what goreleaser.yaml is written for.
func Goreleaser() Tool {
	return installed("goreleaser", "goreleaser (10 minutes or more the first time)", releaseModule)
}

func installed(name, about, module string) Tool {
	return Tool{Name: name, About: about, key: hash(module, toolchain()), args: []string{"install", module}, env: []string{"GOWORK=off", "CGO_ENABLED=0"}}
}

// Path is where the tool is, or will be.
func (t Tool) Path() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder (set HOME or XDG_CACHE_HOME): %w", err)
	}
	name := t.Name
	if runtime.GOOS == "windows" && t.pack == nil {
		name += ".exe"
	}
	return filepath.Join(cache, "rcactl", t.Name, t.key, name), nil
}

// Find is the path of the built tool, or ErrNotBuilt.
func (t Tool) Find() (string, error) {
	path, err := t.Path()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s: %w", t.Name, ErrNotBuilt)
	}
	return path, nil
}

// Ensure builds or fetches the tool unless it is in the cache, telling log what
// takes so long, and returns its path.
func (t Tool) Ensure(ctx context.Context, log io.Writer) (string, error) {
	path, err := t.Find()
	if !errors.Is(err, ErrNotBuilt) {
		return path, err
	}
	if path, err = t.Path(); err != nil {
		return "", err
	}
	doing, did, do := "building", "built", "build"
	if t.pack != nil {
		doing, did, do = "fetching", "fetched", "fetch"
	}
	fmt.Fprintf(log, "%s %s\n", doing, t.About)
	start := time.Now()
	stop := heartbeat(log, doing+" "+t.Name, start)
	err = t.build(ctx, log, path)
	stop()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", do, t.Name, err)
	}
	fmt.Fprintf(log, did+" %s in %.0fs; it stays in %s\n", t.Name, time.Since(start).Seconds(), filepath.Dir(path))
	return path, nil
}

// build compiles into a folder of its own and moves the result into place: two
// builds at once waste time, but neither sees half of the other's.
func (t Tool) build(ctx context.Context, log io.Writer, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("make the cache folder: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), "build-")
	if err != nil {
		return fmt.Errorf("make a build folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()

	out := filepath.Join(tmp, filepath.Base(path))
	if t.pack != nil {
		if err := t.pack.fetch(ctx, log, tmp, out); err != nil {
			return err
		}
		return moveIn(out, path)
	}
	args := append([]string(nil), t.args...)
	for i := range args {
		if args[i] == "-o" {
			args[i+1] = out
		}
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = t.dir
	if cmd.Dir == "" {
		cmd.Dir = tmp // outside any module: "go install path@version" must not see ours
	}
	// -mod=mod or -tags meant for rcactl would break another module's build.
	cmd.Env = append(append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOBIN="+tmp), t.env...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		_, _ = io.WriteString(log, said.String())
		return err
	}
	return moveIn(out, path)
}

func moveIn(from, path string) error {
	if err := os.Rename(from, path); err != nil {
		return fmt.Errorf("move it into the cache: %w", err)
	}
	return nil
}

// heartbeat shows a log reader that a long build is alive.
func heartbeat(log io.Writer, what string, start time.Time) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(heartbeatTime)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(log, "still %s (%s)\n", what, time.Since(start).Round(time.Second))
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-stopped }
}

// Root is the top folder of the working tree that contains dir.
func Root(dir string) (string, error) {
	for d := dir; ; d = filepath.Dir(d) {
		mod, err := os.ReadFile(filepath.Join(d, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module "+modulePath+"\n") {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("%s is not inside a working tree of %s", dir, modulePath)
		}
	}
}

// hashSources is the key of a program built from some files of one folder.
func hashSources(dir string, args, patterns []string) (string, error) {
	parts := append([]string{toolchain()}, args...)
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return "", fmt.Errorf("list the sources: %w", err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				return "", fmt.Errorf("read a source: %w", err)
			}
			parts = append(parts, filepath.Base(f), string(b))
		}
	}
	return hash(parts...), nil
}

// toolchain is what compiles: the go command that runs us is the one we run.
func toolchain() string { return runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH }

func hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s\n", len(p), p)
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:16]
}
