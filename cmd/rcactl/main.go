// Command rcactl collects evidence about an incident: what changed, and what
// hurt. See the README for what it does and `rcactl help` for how.
package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first interrupt ends the run in good order; a second one ends the
	// process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(Main(ctx, os.Args[1:], theSystem()))
}

// theSystem is the one place that reads the process's surroundings.
func theSystem() System {
	dir, _ := os.Getwd()
	config, _ := os.UserConfigDir()
	home, _ := os.UserHomeDir()
	sys := System{
		Stdout: os.Stdout, Stderr: os.Stderr,
		LookupEnv: os.LookupEnv,
		Now:       time.Now,
		Rand:      rand.Reader,
		Dir:       dir, UserConfigDir: config, HomeDir: home,
		Build: readBuild(),
	}
	if fd := int(os.Stderr.Fd()); term.IsTerminal(fd) {
		sys.Terminal = true
		if width, _, err := term.GetSize(fd); err == nil {
			sys.Width = width
		}
	}
	return sys
}
