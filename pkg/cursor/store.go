package cursor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rcactl/rcactl/pkg/internal/atomicfile"
	"github.com/rcactl/rcactl/pkg/internal/safefile"
)

// envelope is what stands in a file. Sum covers the bytes of Cursor, so that
// any damage is found, even where the JSON around it still parses.
type envelope struct {
	Version int             `json:"version"`
	Sum     Digest          `json:"sha256"`
	Cursor  json.RawMessage `json:"cursor"`
}

// Store is the folder of cursors. Its methods may be used by several
// goroutines for different instances; a lock against other processes is the
// caller's business.
type Store struct{ Dir string }

// Path gives the file of an instance: its key with "/" written as "-". Two keys
// that meet in one file (a/b-c and a-b/c) are kept apart by Load, which refuses
// the other's cursor.
func (s Store) Path(instance string) string {
	return filepath.Join(s.Dir, strings.ReplaceAll(instance, "/", "-")+".json")
}

// Load reads the cursor of an instance; found is false when there is none. The
// error of a file that cannot be used wraps ErrCorrupt, ErrForeign or ErrNewer,
// names the file and says what to do.
func (s Store) Load(instance, typ string) (f File, d Digest, found bool, err error) {
	path := s.Path(instance)
	data, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return File{}, "", false, nil
	case err != nil:
		return File{}, "", false, err
	}
	if f, err = decode(data); err != nil {
		return File{}, "", false, fmt.Errorf("%s: %w", path, err)
	}
	if f.Connector != instance || f.Type != typ {
		return File{}, "", false, fmt.Errorf("%s: %w: it belongs to %q of type %q, not to %q of type %q; rename one of the two connectors, or remove the file to start anew",
			path, ErrForeign, f.Connector, f.Type, instance, typ)
	}
	return f, digestOf(data), true, nil
}

func read(path string) ([]byte, error) {
	data, err := safefile.Read(path, MaxFile)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read cursor: %w", err)
	case len(data) > MaxFile:
		return nil, fmt.Errorf("%s: %w", path, corrupt(fmt.Errorf("larger than %d MiB", MaxFile>>20)))
	}
	return data, nil
}

func decode(data []byte) (File, error) {
	// The version is read first and leniently: a newer file may look different
	// in every other respect.
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return File{}, corrupt(err)
	}
	if v.Version > Version {
		return File{}, fmt.Errorf("%w: version %d, this one reads up to %d; upgrade rcactl, or remove the file to start anew", ErrNewer, v.Version, Version)
	}
	var e envelope
	if err := strict(data, &e); err != nil {
		return File{}, corrupt(err)
	}
	var f File
	switch {
	case e.Version != Version:
		return File{}, corrupt(fmt.Errorf("version %d does not exist", e.Version))
	case e.Sum != digestOf(e.Cursor):
		return File{}, corrupt(errors.New("the checksum does not match"))
	}
	if err := strict(e.Cursor, &f); err != nil {
		return File{}, corrupt(err)
	}
	return f, nil
}

func corrupt(why error) error {
	return fmt.Errorf("%w (%w); remove the file to start anew: the next run then takes the default window, and may write again what earlier runs wrote", ErrCorrupt, why)
}

// strict decodes one JSON value and refuses unknown keys and trailing bytes.
func strict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end")
	}
	return nil
}

// Staged is a cursor that is ready to be written.
type Staged struct {
	path string
	data []byte
}

// Stage encodes a cursor, so that its digest can be signed before the file is
// written. It fails when the file would be larger than MaxFile.
func (s Store) Stage(f File) (Staged, error) {
	if f.Connector == "" || f.Type == "" {
		return Staged{}, errors.New("a cursor needs its connector and type")
	}
	cursor, err := json.Marshal(f)
	if err != nil {
		return Staged{}, fmt.Errorf("encode the cursor of %s: %w", f.Connector, err)
	}
	data, err := json.Marshal(envelope{Version: Version, Sum: digestOf(cursor), Cursor: cursor})
	if err != nil {
		return Staged{}, fmt.Errorf("encode the cursor of %s: %w", f.Connector, err)
	}
	data = append(data, '\n')
	if len(data) > MaxFile {
		return Staged{}, fmt.Errorf("the cursor of %s would have %d bytes, more than %d MiB; narrow what the connector reads", f.Connector, len(data), MaxFile>>20)
	}
	return Staged{path: s.Path(f.Connector), data: data}, nil
}

// Digest gives the digest of the file to be.
func (s Staged) Digest() Digest { return digestOf(s.data) }

// Commit puts the file in place atomically, mode 0600, making the folder if
// needed.
func (s Staged) Commit() error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("make the folder of cursors: %w", err)
	}
	if err := atomicfile.Write(s.path, 0o600, s.data); err != nil {
		return fmt.Errorf("move the cursor: %w", err)
	}
	return nil
}
