package secret

import (
	"context"
	"errors"
	"io/fs"
)

// Sources resolves the schemes that need no service: env: and file:.
type Sources struct {
	// LookupEnv reads an environment variable. Nil means there is none.
	LookupEnv func(name string) (string, bool)
}

// Resolve implements Resolver.
func (s Sources) Resolve(ctx context.Context, ref Ref) (Value, error) {
	if err := ctx.Err(); err != nil {
		return Value{}, err
	}
	switch ref.scheme {
	case "env":
		return s.env(ctx, ref.name)
	case "file":
		return s.file(ctx, ref.name)
	}
	return Value{}, errors.New("no credential was named; write env:NAME or file:/path")
}

// unwrapPath drops the path that os repeats in its errors.
func unwrapPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
