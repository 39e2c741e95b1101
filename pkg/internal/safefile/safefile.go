// Package safefile reads small files whose names come from outside, without
// being held up by what is not a file: opening a pipe that nobody writes to waits
// for ever, and a device never ends.
package safefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// ErrNotRegular says that the name leads to a pipe, a device, a socket or a
// directory.
var ErrNotRegular = errors.New("not a regular file")

// Read reads a regular file, links followed, and no more of it than one byte
// beyond limit, which shows that it is too large. Errors are those of package os,
// or wrap ErrNotRegular.
func Read(path string, limit int64) ([]byte, error) {
	// Before opening, since opening alone can have an effect on a device.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular(path, info)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	// And again, since another one may lie there by now.
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular(path, info)
	}
	return bounded(f, limit)
}

// ReadGiven is Read for a name that a person gave on the command line. It takes
// the process's own descriptors too, whatever they are: /dev/stdin, and the
// /dev/fd/63 that a shell makes of <(command).
func ReadGiven(path string, limit int64) ([]byte, error) {
	if !descriptor.MatchString(filepath.ToSlash(filepath.Clean(path))) {
		return Read(path, limit)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return bounded(f, limit)
}

var descriptor = regexp.MustCompile(`^/dev/stdin$|^/(?:dev|proc/self)/fd/[0-9]+$`)

func notRegular(path string, info fs.FileInfo) error {
	return fmt.Errorf("%s: %w (%s); write what it gives to a file, and name that", path, ErrNotRegular, kind(info.Mode()))
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "something special"
}

func bounded(f *os.File, limit int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(f, limit+1))
}
