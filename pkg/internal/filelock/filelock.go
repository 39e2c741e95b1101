// Package filelock keeps two processes from changing the same state at once.
//
// The operating system holds the lock for the life of the process, so a killed
// process never leaves one behind; the lock file itself stays and is harmless.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// pollEvery is how often a held lock is tried again. There is no portable call
// that waits for a lock and can be cancelled.
const pollEvery = 20 * time.Millisecond

// errHeld is the answer of tryLock when somebody else has the lock.
var errHeld = errors.New("held by another process")

// HeldError says that somebody else kept the lock for as long as the caller
// was ready to wait.
type HeldError struct {
	Path string // the lock file
	PID  int    // process id of the holder as it wrote it down; 0 when unknown
}

// Error names the file and the holder.
func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is locked by another process", e.Path)
	}
	return fmt.Sprintf("%s is locked by process %d", e.Path, e.PID)
}

// Lock is a held lock. Use it from one goroutine.
type Lock struct {
	file *os.File
}

// Acquire takes the exclusive lock at path, making the file (mode 0600) if
// needed; its directory must exist. It waits until ctx ends, so give ctx a
// deadline; an error then wraps both a [*HeldError] and the reason of ctx. An
// already ended ctx still gets one try. Two calls in one process exclude each
// other as two processes do.
func Acquire(ctx context.Context, path string) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	for {
		err := tryLock(file)
		if err == nil {
			break
		}
		if !errors.Is(err, errHeld) {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			held := &HeldError{Path: path, PID: readPID(file)}
			_ = file.Close()
			return nil, fmt.Errorf("%w (%w)", held, context.Cause(ctx))
		case <-time.After(pollEvery):
		}
	}
	// The process id only serves the other side's message: failing to write it
	// is no reason to refuse a lock that is held.
	if err := file.Truncate(0); err == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &Lock{file: file}, nil
}

// Release gives the lock back. A second call does nothing.
func (l *Lock) Release() error {
	if l == nil || l.file == nil {
		return nil
	}
	file := l.file
	l.file = nil
	_ = file.Truncate(0)
	err := unlock(file)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("unlock %s: %w", file.Name(), err)
	}
	return nil
}

func readPID(file *os.File) int {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
