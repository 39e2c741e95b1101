package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"time"
)

// System is all that the program gets from outside beside its arguments: the
// program is a function of both.
type System struct {
	// Stdout carries data only; people read Stderr.
	Stdout, Stderr io.Writer
	LookupEnv      func(string) (string, bool)
	Now            func() time.Time
	Rand           io.Reader
	// Dir is the working directory; UserConfigDir and HomeDir are empty where the
	// machine has none.
	Dir, UserConfigDir, HomeDir string
	// Terminal says that Stderr is one; Width is its width in columns, 0 when it
	// is not known.
	Terminal bool
	Width    int
	Build    Build
}

// Main runs the program and returns its exit code.
func Main(ctx context.Context, args []string, sys System) int {
	root := newRoot(&sys)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	printError(sys.Stderr, err)
	return codeOf(err)
}

// getenv reads an environment variable, "" when it is not set.
func (s *System) getenv(name string) string {
	v, _ := s.LookupEnv(name)
	return v
}

// stateDir is where cursors, keys, the ledger and runs are kept when nobody says
// otherwise: the user's state folder by the XDG convention, on Windows the local
// application data.
func (s *System) stateDir() (string, error) {
	if dir := s.getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "rcactl"), nil
	}
	if dir := s.getenv("LOCALAPPDATA"); runtime.GOOS == "windows" && dir != "" {
		return filepath.Join(dir, "rcactl"), nil
	}
	if s.HomeDir == "" {
		return "", errors.New("there is no home folder to keep state in; name one with --state")
	}
	return filepath.Join(s.HomeDir, ".local", "state", "rcactl"), nil
}

// abs makes a path from the command line absolute.
func (s *System) abs(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.Dir, path)
}
