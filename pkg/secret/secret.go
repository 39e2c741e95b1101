// Package secret keeps credentials out of config files, logs and errors.
//
// A config names a credential by reference (Ref): env:NAME or file:/path.
// A Resolver turns the reference into a Value, which prints as [secret]
// whatever prints it. Only Reveal gives the bytes, so that every use can be
// found by searching for that word.
package secret

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
)

// mask is what a Value shows of itself.
const mask = "[secret]"

// ErrLiteral says that a config held a credential where only a reference is
// taken. It never carries the text that was found.
var ErrLiteral = errors.New("a literal credential; write env:NAME or file:/path instead (the value is not shown)")

// Ref names a credential: env:NAME or file:/absolute/path. The zero Ref names
// nothing. A Ref is safe to print.
type Ref struct{ scheme, name string }

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ParseRef reads a reference. Anything else gives ErrLiteral, since it may be
// the credential itself.
func ParseRef(s string) (Ref, error) {
	scheme, name, ok := strings.Cut(s, ":")
	switch {
	case !ok:
		return Ref{}, ErrLiteral
	case scheme == "env" && envName.MatchString(name):
		return Ref{scheme, name}, nil
	case scheme == "env":
		return Ref{}, errors.New("env: needs the name of an environment variable (letters, digits, _)")
	case scheme == "file" && filepath.IsAbs(name) && !strings.ContainsRune(name, 0):
		return Ref{scheme, name}, nil
	case scheme == "file":
		return Ref{}, errors.New("file: needs an absolute path")
	}
	return Ref{}, ErrLiteral
}

// IsZero reports whether the Ref names nothing.
func (r Ref) IsZero() bool { return r.scheme == "" }

// String gives the reference as it stands in a config.
func (r Ref) String() string {
	if r.IsZero() {
		return ""
	}
	return r.scheme + ":" + r.name
}

// MarshalText gives the reference as it stands in a config.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a reference; see ParseRef. Empty text is the zero Ref.
func (r *Ref) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*r = Ref{}
		return nil
	}
	*r, err = ParseRef(string(text))
	return err
}

// Value is a credential in memory. Under fmt, slog and json it is [secret].
type Value struct{ bytes []byte }

// NewValue takes ownership of b.
func NewValue(b []byte) Value { return Value{bytes: b} }

// Reveal returns the credential itself. The caller must not change, keep or
// print it.
func (v Value) Reveal() []byte { return v.bytes }

// String is [secret].
func (v Value) String() string { return mask }

// GoString is [secret].
func (v Value) GoString() string { return mask }

// Format writes [secret] for every verb, so that %x and %d show nothing either.
func (v Value) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(mask)) }

// MarshalText is [secret].
func (v Value) MarshalText() ([]byte, error) { return []byte(mask), nil }

// LogValue is [secret].
func (v Value) LogValue() slog.Value { return slog.StringValue(mask) }

// Resolver turns references into credentials. It is safe for use by several
// goroutines.
type Resolver interface {
	// Resolve reads the credential that ref names. The error names the
	// reference, never what was read.
	Resolve(ctx context.Context, ref Ref) (Value, error)
}
