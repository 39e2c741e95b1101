//go:build !windows

// Package safefiletest holds the readers of files that others name to what
// package safefile promises.
package safefiletest

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/internal/safefile"
)

// RefusesPipe puts a pipe that nobody writes to into the place of the file and
// fails when read does not refuse it. Waiting would hang a run for ever.
func RefusesPipe(t *testing.T, name string, read func(path string) error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 1)
	go func() { refused <- read(path) }()
	select {
	case err := <-refused:
		if !errors.Is(err, safefile.ErrNotRegular) {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it hangs")
	}
}
