//go:build !windows

package keyfile_test

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/internal/safefile"
	"github.com/rcactl/rcactl/pkg/keyfile"
)

// A pipe in the place of the file would hang a run for ever.
func TestAPipeIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 1)
	go func() {
		_, err := keyfile.Read(path)
		refused <- err
	}()
	select {
	case err := <-refused:
		if !errors.Is(err, safefile.ErrNotRegular) {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it hangs")
	}
}
