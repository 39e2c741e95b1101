package run

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/redact"
)

// Reader reads a run. It never leaves the run's directory, whatever links lie
// in it, and it proves nothing: whether the files are those that were signed is
// for package manifest to say.
type Reader struct{ root *os.Root }

// Open opens the directory of a run. The Reader must be closed.
func Open(dir string) (*Reader, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open run: %w", err)
	}
	return &Reader{root}, nil
}

// Close lets the directory go.
func (r *Reader) Close() error { return r.root.Close() }

// Files names the files of evidence: by instance and kind, and the parts of one
// that was rolled in the order of writing.
func (r *Reader) Files() ([]string, error) {
	entries, err := fs.ReadDir(r.root.FS(), EvidenceDir)
	if err != nil {
		return nil, fmt.Errorf("read run: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".jsonl") {
			names = append(names, EvidenceDir+"/"+e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		stemA, partA := splitPart(a)
		stemB, partB := splitPart(b)
		return cmp.Or(cmp.Compare(stemA, stemB), cmp.Compare(partA, partB))
	})
	return names, nil
}

// splitPart takes "x.0002.jsonl" apart into "x" and 2; "x.jsonl" is part 1.
func splitPart(name string) (stem string, part int) {
	stem = strings.TrimSuffix(name, ".jsonl")
	if i := strings.LastIndexByte(stem, '.'); i >= 0 {
		if n, err := strconv.Atoi(stem[i+1:]); err == nil && n > 1 {
			return stem[:i], n
		}
	}
	return stem, 1
}

// Lines hands each line of a file to yield, without its newline. The bytes are
// valid only during the call. It stops at the first error of yield and returns
// it. A line over 1 MiB and a last line without a newline are errors.
func (r *Reader) Lines(name string, yield func(line []byte) error) error {
	f, err := r.root.Open(name)
	if err != nil {
		return fmt.Errorf("read run: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, redact.MaxLine+1)
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("read %s: line %d is cut off", name, n)
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("read %s: line %d is longer than %d bytes", name, n, redact.MaxLine)
		default:
			return fmt.Errorf("read %s: line %d: %w", name, n, err)
		}
		if err := yield(line[:len(line)-1]); err != nil {
			return err
		}
	}
}

// Events hands the events of all files to yield, in the order of Files. It stops
// at the first error of yield and returns it.
func (r *Reader) Events(yield func(evidence.Event) error) error {
	names, err := r.Files()
	if err != nil {
		return err
	}
	for _, name := range names {
		n := 0
		err := r.Lines(name, func(line []byte) error {
			n++
			var e evidence.Event
			if err := json.Unmarshal(line, &e); err != nil {
				return fmt.Errorf("read %s: line %d: %w", name, n, err)
			}
			if e.Schema != evidence.Schema {
				return fmt.Errorf("read %s: line %d: its schema is %.80q, this rcactl reads %s", name, n, e.Schema, evidence.Schema)
			}
			return yield(e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
