//go:build unix

package kubernetes

import (
	"path/filepath"
	"syscall"
	"testing"
)

// makeFIFO makes a pipe that nobody writes to.
func makeFIFO(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
