// Package atomicfile replaces a file as a whole: a reader, or a run after a
// crash, sees the old bytes or the new ones and never a mixture.
package atomicfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// tempPrefix starts the name of every temporary file made by [Write]. What a
// killed process leaves behind is recognisable by it and may be removed.
const tempPrefix = ".tmp-"

// Write replaces path by data, with exactly the permissions perm (the umask
// does not apply). It writes a temporary file in the same directory, syncs it,
// renames it over path and syncs the directory.
//
// The directory must exist. On an error path holds what it held before, except
// when only the last step, syncing the directory, failed: then the new bytes
// are in place but may not survive a power cut. Concurrent calls for one path
// are safe; one of them wins.
func Write(path string, perm fs.FileMode, data []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, tempPrefix+"*")
	if err != nil {
		return fmt.Errorf("write %s: make a temporary file beside it: %w", path, err)
	}
	defer func() {
		if err != nil {
			// The first error is the one worth reporting.
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err := tmp.Write(data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := tmp.Chmod(perm); err != nil {
		return fmt.Errorf("write %s: set its mode: %w", path, err)
	}
	if err := tmp.Sync(); err != nil {
		return fmt.Errorf("write %s: sync: %w", path, err)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("write %s: close: %w", path, err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("write %s: put it in place: %w", path, err)
	}
	return SyncDir(dir)
}
