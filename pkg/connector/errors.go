package connector

import (
	"context"
	"errors"
	"fmt"
)

// Class sorts errors for the manifest and for programs. It is all that leaves
// the machine of an error, beside a sentence of ours.
type Class string

// The classes.
const (
	ClassNone        Class = ""
	ClassAuth        Class = "authentication" // the credential was refused
	ClassForbidden   Class = "forbidden"      // the credential lacks a grant
	ClassUnreachable Class = "unreachable"    // no connection, no such host, TLS
	ClassTimeout     Class = "timeout"        // a deadline passed
	ClassLimited     Class = "rate_limited"   // the source told us to slow down
	ClassProtocol    Class = "protocol"       // an answer that makes no sense
	ClassConfig      Class = "config"         // the config cannot be used here
	ClassBound       Class = "bound"          // one of our own bounds was reached
	ClassPanic       Class = "panic"          // a bug of ours, contained
	ClassCanceled    Class = "canceled"       // interrupted from outside
	ClassInternal    Class = "internal"       // anything else
)

// Error is an error with a class and a message that may be shown and signed:
// it holds no secret and no text from the source. Err, which may, is only for
// errors.Is and errors.As; it is not printed.
type Error struct {
	Class   Class
	Message string
	Err     error
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error with a cause. The cause is not part of the message.
func Errorf(class Class, cause error, format string, args ...any) *Error {
	return &Error{Class: class, Message: fmt.Sprintf(format, args...), Err: cause}
}

// ClassOf gives the class of err, ClassNone for nil.
func ClassOf(err error) Class {
	var e *Error
	switch {
	case err == nil:
		return ClassNone
	case errors.As(err, &e):
		return e.Class
	case errors.Is(err, context.DeadlineExceeded):
		return ClassTimeout
	case errors.Is(err, context.Canceled):
		return ClassCanceled
	}
	return ClassInternal
}

// FieldError is a config value that cannot be used. Path leads to it from the
// instance's own keys, as in "namespaces[0]".
type FieldError struct {
	Path    string
	Problem string
	// Hint says what to do instead; may be empty.
	Hint string
}

// Error gives path and problem.
func (e *FieldError) Error() string { return e.Path + ": " + e.Problem }

// Field gives the three parts, for whoever reads configs without importing this
// package.
func (e *FieldError) Field() (path, problem, hint string) { return e.Path, e.Problem, e.Hint }
