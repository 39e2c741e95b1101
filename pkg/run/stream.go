package run

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"sync"
	"syscall"
)

// stream is the evidence of one kind from one instance: a file, and further ones
// when it grows too large to sign.
type stream struct {
	writer *Writer
	stem   string // evidence/kubernetes.RuntimeSignal

	mu     sync.Mutex
	out    *output
	files  []File // finished ones
	closed bool
	err    error // the first error; a file with a hole is of no use
}

func (s *stream) append(line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("write %s: %w", s.stem, ErrFinished)
	}
	if s.err == nil {
		s.err = s.write(line)
	}
	return s.err
}

func (s *stream) write(line []byte) error {
	if s.out != nil && s.out.file.Bytes+int64(len(line))+1 > s.writer.limit {
		if err := s.roll(); err != nil {
			return err
		}
	}
	if s.out == nil {
		name := s.stem + ".jsonl"
		if n := len(s.files); n > 0 {
			name = fmt.Sprintf("%s.%04d.jsonl", s.stem, n+1)
		}
		f, err := s.writer.open(name)
		if err != nil {
			return err
		}
		s.out = newOutput(name, f)
	}
	return s.out.line(line)
}

func (s *stream) roll() error {
	f, err := s.out.finish()
	s.out = nil
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	return nil
}

func (s *stream) finish() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.err != nil {
		s.dropLocked()
		return s.err
	}
	if s.out != nil {
		return s.roll()
	}
	return nil
}

// drop closes without caring for what is buffered.
func (s *stream) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.dropLocked()
}

func (s *stream) dropLocked() {
	if s.out != nil {
		_ = s.out.f.Close()
		s.out = nil
	}
}

// output is one file with the digest of what went into it.
type output struct {
	f    file
	buf  *bufio.Writer
	hash hash.Hash
	file File
}

func newOutput(name string, f file) *output {
	return &output{f: f, buf: bufio.NewWriterSize(f, 64<<10), hash: sha256.New(), file: File{Name: name}}
}

func (o *output) line(line []byte) error {
	line = append(line, '\n')
	if _, err := o.buf.Write(line); err != nil {
		return o.wrap(err)
	}
	o.hash.Write(line)
	o.file.Bytes += int64(len(line))
	o.file.Records++
	return nil
}

func (o *output) finish() (File, error) {
	err := o.buf.Flush()
	if err == nil {
		err = o.f.Sync()
	}
	// Close in any case; an error of it counts only when there was none before.
	if e := o.f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return File{}, o.wrap(err)
	}
	o.file.SHA256 = hex.EncodeToString(o.hash.Sum(nil))
	return o.file, nil
}

func (o *output) wrap(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("write %s: %w; free some space or write elsewhere with --out", o.file.Name, err)
	}
	return fmt.Errorf("write %s: %w", o.file.Name, err)
}
