//go:build !windows

package safefile

import "syscall"

// nonblock keeps open from waiting when a pipe took the file's place.
const nonblock = syscall.O_NONBLOCK
