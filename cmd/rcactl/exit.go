package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// exitCode is what the process returns. The codes are part of the interface.
type exitCode int

const (
	exitComplete    exitCode = 0
	exitFailed      exitCode = 1
	exitUsage       exitCode = 2
	exitPartial     exitCode = 3
	exitUnverified  exitCode = 4
	exitExport      exitCode = 5
	exitInterrupted exitCode = 130
)

// exitCodes says what each code means, in the order of the help text.
func exitCodes() []struct {
	Code    exitCode
	Meaning string
} {
	return []struct {
		Code    exitCode
		Meaning string
	}{
		{exitComplete, "complete"},
		{exitFailed, "failed: nothing was collected, or nothing could be written"},
		{exitUsage, "wrong usage or config"},
		{exitPartial, "partial: something is missing; the manifest says what, and is signed"},
		{exitUnverified, "verification failed, or the leak check found something and nothing was signed"},
		{exitExport, "the export is incomplete"},
		{exitInterrupted, "interrupted"},
	}
}

// codedError is an error that knows its exit code and what to do next.
type codedError struct {
	code exitCode
	err  error
	hint string
	// quiet says that the error was shown already, in a form of its own.
	quiet bool
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// fail gives err an exit code, and a hint for people.
func fail(code exitCode, err error, hint string) error {
	return &codedError{code: code, err: err, hint: hint}
}

// codeOf is the one switch from error to exit code. An error without a code
// comes from the command line parser.
func codeOf(err error) int {
	var coded *codedError
	switch {
	case err == nil:
		return int(exitComplete)
	case errors.Is(err, context.Canceled):
		return int(exitInterrupted)
	case errors.As(err, &coded):
		return int(coded.code)
	}
	return int(exitUsage)
}

// exitCodeHelp is the part of every command's help that names its exit codes.
func exitCodeHelp(codes ...exitCode) string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, c := range exitCodes() {
		for _, want := range codes {
			if c.Code == want {
				fmt.Fprintf(&b, "  %-4d%s\n", c.Code, c.Meaning)
			}
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}
