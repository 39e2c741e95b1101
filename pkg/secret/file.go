package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/rcactl/rcactl/pkg/internal/safefile"
)

// maxFile bounds a credential file: keys and tokens are small, and a wrong path
// must not fill the memory.
const maxFile = 64 << 10

// file resolves file:/path. One trailing line end is not part of the
// credential, because editors and echo add it.
func (s Sources) file(_ context.Context, path string) (Value, error) {
	b, err := safefile.Read(path, maxFile)
	switch {
	case errors.Is(err, safefile.ErrNotRegular):
		return Value{}, fmt.Errorf("file:%w", err)
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
