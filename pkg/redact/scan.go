package redact

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Finding is something that looks like a credential. It never holds the text.
type Finding struct {
	// Line counts from 1.
	Line     int
	Detector string
}

// MaxFindings bounds what Scan returns; one is enough to stop a run.
const MaxFindings = 1000

const (
	scanBlock   = 64 << 10
	scanOverlap = 8 << 10 // longer than any match
)

// Scan looks for credentials in what was written, knowing nothing of classes or
// policies. It reads once, in bounded memory whatever the length of a line, and
// reports each detector once a line.
func Scan(r io.Reader) ([]Finding, error) {
	var (
		all      = newDetectors()
		in       = bufio.NewReaderSize(r, scanBlock)
		findings []Finding
		tail     []byte // the end of the part before, when a line is long
		seen     = map[string]bool{}
	)
	for line := 1; ; {
		part, err := in.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !long && !errors.Is(err, io.EOF) {
			return findings, fmt.Errorf("leak check: read line %d: %w", line, err)
		}
		all.each(string(tail)+string(part), func(name string) bool {
			if !seen[name] {
				seen[name] = true
				findings = append(findings, Finding{line, name})
			}
			return true
		})
		if errors.Is(err, io.EOF) || len(findings) >= MaxFindings {
			return findings[:min(len(findings), MaxFindings)], nil
		}
		if long {
			tail = append(tail[:0], part[len(part)-scanOverlap:]...)
			continue
		}
		line++
		tail = tail[:0]
		clear(seen)
	}
}
