package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be rcactl itself, for scripts and for tests that
// kill it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rcactl": main, "barelist": bareList})
}

// asProgram is the environment in which the test binary runs as rcactl.
func asProgram(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}
