// Package keyfile keeps key files: it makes one on first use, never replaces
// one, and never leaves half of one.
package keyfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rcactl/rcactl/pkg/internal/atomicfile"
	"github.com/rcactl/rcactl/pkg/internal/safefile"
)

// MaxSize bounds a key file: 64 KiB.
const MaxSize = 64 << 10

// ErrExists says that there is a file already. A key is never replaced: what it
// signed or named would be lost with it.
var ErrExists = errors.New("a key file is there already and is never replaced")

// Read reads a key file of at most MaxSize bytes. The error names the file. Pipes
// and devices are refused, unless they are descriptors of this process, as in
// --key <(command).
func Read(path string) ([]byte, error) {
	text, err := safefile.ReadGiven(path, MaxSize)
	switch {
	case err != nil:
		return nil, err
	case len(text) > MaxSize:
		return nil, fmt.Errorf("%s: larger than %d KiB; this is not a key", path, MaxSize>>10)
	}
	return text, nil
}

// ReadOrMake reads the key file, or makes it (mode 0600, in a folder of mode
// 0700) when it is not there. made tells which it was.
func ReadOrMake(path string, generate func() ([]byte, error)) (text []byte, made bool, err error) {
	text, err = Read(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return text, false, err
	}
	if text, err = generate(); err != nil {
		return nil, false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, false, err
	}
	return text, true, atomicfile.Write(path, 0o600, text)
}

// Create writes a new file with the permissions given. The error is ErrExists
// when there is one.
func Create(path string, perm fs.FileMode, text []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, ErrExists)
	}
	return atomicfile.Write(path, perm, text)
}

// Derive writes a file that follows from a key, such as its public half. It
// writes only when the file does not say the same already.
func Derive(path string, text []byte) error {
	if old, err := Read(path); err == nil && string(old) == string(text) {
		return nil
	}
	return atomicfile.Write(path, 0o644, text)
}
