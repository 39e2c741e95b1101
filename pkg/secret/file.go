package secret

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
)

// maxFile bounds a credential file: keys and tokens are small, and a wrong path
// must not fill the memory.
const maxFile = 64 << 10

// file resolves file:/path. One trailing line end is not part of the
// credential, because editors and echo add it.
func (s Sources) file(_ context.Context, path string) (Value, error) {
	f, err := os.Open(path)
	if err != nil {
		return Value{}, fmt.Errorf("file:%s: %w", path, unwrapPath(err))
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return Value{}, fmt.Errorf("file:%s: %w", path, unwrapPath(err))
	case len(b) > maxFile:
		return Value{}, fmt.Errorf("file:%s: larger than %d KiB; this is not a credential", path, maxFile>>10)
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(b) == 0 {
		return Value{}, fmt.Errorf("file:%s: the file is empty", path)
	}
	return NewValue(b), nil
}
