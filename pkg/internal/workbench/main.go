// Command workbench is what the Makefile's longer words do, in one place, so
// that make test, make demo and CI take the same path: build a tool if the cache
// lacks it, start the test API server, run something, stop the server by its
// process, and pass on the exit code.
//
//	go run ./pkg/internal/workbench test [GO TEST ARGUMENTS]
//	go run ./pkg/internal/workbench bench [GO TEST ARGUMENTS]
//	go run ./pkg/internal/workbench fuzz
//	go run ./pkg/internal/workbench demo|demo-live|demo-record
//	go run ./pkg/internal/workbench lint [GOLANGCI-LINT ARGUMENTS]
//	go run ./pkg/internal/workbench check
//	go run ./pkg/internal/workbench release-check
//	go run ./pkg/internal/workbench testbed|kubectl|cosign|golangci-lint|goreleaser|github-openapi
//
// The last six build or fetch a tool and print its path. Standard output belongs to
// what is run; workbench itself speaks on standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/rcactl/rcactl/pkg/internal/tools"
	"github.com/rcactl/rcactl/pkg/testbed"
)

const words = "test, bench, fuzz, demo, demo-live, demo-record, lint, check, release-check, testbed, kubectl, cosign, golangci-lint, goreleaser, github-openapi"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{stdout: os.Stdout, stderr: os.Stderr}
	err := b.run(ctx, os.Args[1:])
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		// What was run has said what is wrong; adding to it would hide its last lines.
		os.Exit(exit.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "workbench: error:", err)
		os.Exit(1)
	}
}

// bench is the working tree and the streams to talk on.
type bench struct {
	root           string
	stdout, stderr io.Writer
}

func (b *bench) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say what to do: " + words)
	}
	wd, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the working tree: %w", err)
	}
	if b.root, err = tools.Root(wd); err != nil {
		return err
	}
	word, rest := args[0], args[1:]
	switch word {
	case "test":
		return b.test(ctx, rest)
	case "bench":
		return b.benchmarks(ctx, rest)
	case "demo":
		return b.demo(ctx)
	case "demo-live":
		return b.demoLive(ctx)
	case "demo-record":
		return b.demoRecord(ctx)
	case "lint":
		return b.lint(ctx, rest)
	case "fuzz":
		return b.fuzz(ctx)
	case "check":
		return b.check(ctx)
	case "release-check":
		return b.releaseCheck(ctx)
	case "testbed":
		tool, err := tools.Testbed(b.root)
		if err != nil {
			return err
		}
		return b.printPath(ctx, tool)
	case "kubectl":
		tool, err := tools.Kubectl(b.root)
		if err != nil {
			return err
		}
		return b.printPath(ctx, tool)
	case "cosign":
		return b.printPath(ctx, tools.Cosign())
	case "golangci-lint":
		return b.printPath(ctx, tools.GolangciLint())
	case "goreleaser":
		return b.printPath(ctx, tools.Goreleaser())
	case "github-openapi":
		return b.printPath(ctx, tools.GitHubDescription())
	}
	return fmt.Errorf("%q is not a word of the workbench: %s", word, words)
}

func (b *bench) printPath(ctx context.Context, tool tools.Tool) error {
	path, err := tool.Ensure(ctx, b.says())
	if err != nil {
		return err
	}
	fmt.Fprintln(b.stdout, path)
	return nil
}

// test runs all tests against one server, with nothing left to skip.
func (b *bench) test(ctx context.Context, args []string) error {
	cosign, err := tools.Cosign().Ensure(ctx, b.says())
	if err != nil {
		return err
	}
	// The tests find it in the cache themselves.
	if _, err := tools.GitHubDescription().Ensure(ctx, b.says()); err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"./..."}
	}
	args = append(b.raceFlag(ctx), args...)
	return b.withServer(ctx, func(srv *testbed.Process) error {
		b.say("go test %s", strings.Join(args, " "))
		return b.command(ctx, []string{
			testbed.EnvRequire + "=1", testbed.EnvDir + "=" + srv.Dir, "RCACTL_COSIGN=" + cosign,
		}, "go", append([]string{"test"}, args...)...)
	})
}

// benchmarks runs them against a server, as the tests, and without the race
// detector.
func (b *bench) benchmarks(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{"./..."}
	}
	args = append([]string{"-run", "^$", "-bench", ".", "-benchmem", "-timeout", "1h"}, args...)
	kubectl, err := tools.Kubectl(b.root)
	if err != nil {
		return err
	}
	kubectlPath, err := kubectl.Ensure(ctx, b.says())
	if err != nil {
		return err
	}
	if _, err := tools.GitHubDescription().Ensure(ctx, b.says()); err != nil {
		return err
	}
	return b.withServer(ctx, func(srv *testbed.Process) error {
		b.say("go test %s", strings.Join(args, " "))
		return b.command(ctx, []string{testbed.EnvRequire + "=1", testbed.EnvDir + "=" + srv.Dir, "RCACTL_KUBECTL=" + kubectlPath},
			"go", append([]string{"test"}, args...)...)
	})
}

// raceFlag turns the race detector on where it can be linked: it needs cgo, and
// that a C compiler, which is more than this project asks of a machine.
func (b *bench) raceFlag(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "go", "env", "CGO_ENABLED").Output()
	if err == nil && strings.TrimSpace(string(out)) == "1" {
		return []string{"-race"}
	}
	b.say("WITHOUT the race detector: it needs cgo, so install a C compiler to have it")
	return nil
}

// withServer runs do while a test API server is up, and stops the server
// whatever happens: by closing its standard input, so that even a killed
// workbench leaves none behind.
func (b *bench) withServer(ctx context.Context, do func(*testbed.Process) error) error {
	tool, err := tools.Testbed(b.root)
	if err != nil {
		return err
	}
	binary, err := tool.Ensure(ctx, b.says())
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rcactl-testbed-")
	if err != nil {
		return fmt.Errorf("make a state directory: %w", err)
	}
	start := time.Now()
	srv, err := testbed.Launch(binary, dir)
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	b.say("test API server ready in %.1fs", time.Since(start).Seconds())
	return errors.Join(do(srv), srv.Stop())
}

// lint checks the main module, the demo among it; the test API server is a
// module of its own and would take minutes.
func (b *bench) lint(ctx context.Context, args []string) error {
	linter, err := tools.GolangciLint().Ensure(ctx, b.says())
	if err != nil {
		return err
	}
	return b.command(ctx, nil, linter, append([]string{"run", "--allow-parallel-runners", "./...", "./testdata/demo/..."}, args...)...)
}

// releaseCheck asks goreleaser whether it understands goreleaser.yaml.
func (b *bench) releaseCheck(ctx context.Context) error {
	goreleaser, err := tools.Goreleaser().Ensure(ctx, b.says())
	if err != nil {
		return err
	}
	return b.command(ctx, nil, goreleaser, "check")
}

// command runs a program in the working tree with our streams. On an interrupt
// it is asked to stop first, so that go test can say which test was running.
func (b *bench) command(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = b.stdout, b.stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	return cmd.Run()
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.stderr, "workbench: "+format+"\n", args...)
}

// says is where tools tell what they are doing.
func (b *bench) says() io.Writer { return prefixed{b.stderr} }

type prefixed struct{ w io.Writer }

func (p prefixed) Write(text []byte) (int, error) {
	if _, err := fmt.Fprintf(p.w, "workbench: %s", text); err != nil {
		return 0, err
	}
	return len(text), nil
}
