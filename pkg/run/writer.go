package run

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rcactl/rcactl/pkg/internal/atomicfile"
	"github.com/rcactl/rcactl/pkg/redact"
)

// Prefixes of directories below the runs directory that are not finished runs.
const (
	PartialPrefix    = ".partial-"    // being written, or left by a killed process
	QuarantinePrefix = ".quarantine-" // the leak check found something
)

// Bounds of a run. Signing tools take at most 1024 subjects and files below
// 128 MiB.
const (
	MaxFiles    = 1000
	MaxFileSize = 128 << 20
)

// ErrFinished says that a Writer was asked to write after Finish or Abort.
var ErrFinished = errors.New("the run is already finished")

// ErrName says that the name of an instance has no file of its own: it is of the
// wrong form, or another's differs from it only in what file names do not tell
// apart. Nothing of that instance can be written; all others can.
var ErrName = errors.New("no file for this name")

// Writer writes one run. Append may be called from several goroutines; the
// lines of one instance keep the order of its calls. The other methods are for
// one goroutine.
type Writer struct {
	runsDir, name string
	limit         int64
	create        func(path string) (file, error)

	mu      sync.Mutex
	streams map[streamKey]*stream
	stems   map[string]string // file stem to instance
	count   int               // files, the actions included
	actions []Action
	over    bool // Finish or Abort was called
	moved   bool // Commit, Quarantine or Abort was called
}

type streamKey struct{ instance, kind string }

// file is what the writer needs of an *os.File; tests put failing ones in place.
type file interface {
	io.Writer
	Sync() error
	Close() error
}

var (
	// Lengths are compared apart: compiling a bounded repetition costs time at
	// every start of the program.
	runName      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	instanceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$`)
)

// Create makes runsDir, if need be, and an empty run in it. Only the owner may
// read either. The name is the run's final one; it fails when a run of that name
// exists or is being written.
func Create(runsDir, name string) (*Writer, error) {
	return create(runsDir, name, MaxFileSize, createFile)
}

func create(runsDir, name string, limit int64, open func(string) (file, error)) (*Writer, error) {
	if len(name) > 128 || !runName.MatchString(name) {
		return nil, fmt.Errorf("make run: %.80q cannot name a run; use letters, digits, '.', '_' and '-'", name)
	}
	w := &Writer{
		runsDir: runsDir, name: name, limit: limit, create: open,
		streams: map[streamKey]*stream{}, stems: map[string]string{}, count: 1,
	}
	if err := os.MkdirAll(runsDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of runs: %w", err)
	}
	if _, err := os.Lstat(w.final()); err == nil {
		return nil, fmt.Errorf("make run: %s exists already; choose another name", w.final())
	}
	// Mkdir is what two processes with one name cannot both do.
	if err := os.Mkdir(w.Dir(), 0o700); errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("make run: %s exists: another rcactl is writing it, or was killed; if none runs, remove it", w.Dir())
	} else if err != nil {
		return nil, fmt.Errorf("make run: %w", err)
	}
	if err := os.Mkdir(filepath.Join(w.Dir(), EvidenceDir), 0o700); err != nil {
		_ = os.RemoveAll(w.Dir())
		return nil, fmt.Errorf("make run: %w", err)
	}
	return w, nil
}

func createFile(path string) (file, error) {
	// O_EXCL: nothing that lies there already is written to.
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// Dir is where the run is while it is written.
func (w *Writer) Dir() string { return filepath.Join(w.runsDir, PartialPrefix+w.name) }

// Name is the name that the run will have.
func (w *Writer) Name() string { return w.name }

func (w *Writer) final() string { return filepath.Join(w.runsDir, w.name) }

// Append writes one event of a connector instance. It refuses an empty passport.
// After an error of the disk every further Append to that file fails too.
func (w *Writer) Append(instance string, r redact.Redacted) error {
	if r.IsZero() {
		return errors.New("write evidence: an event that did not pass redaction; this is a bug in rcactl")
	}
	s, err := w.stream(instance, string(r.Kind()))
	if err != nil {
		return err
	}
	return s.append(r.Line())
}

func (w *Writer) stream(instance, kind string) (*stream, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return nil, fmt.Errorf("write evidence of %s: %w", instance, ErrFinished)
	}
	key := streamKey{instance, kind}
	if s := w.streams[key]; s != nil {
		return s, nil
	}
	if len(instance) > 200 || !instanceName.MatchString(instance) {
		return nil, fmt.Errorf("write evidence: %w: %.80q cannot name a connector instance", ErrName, instance)
	}
	stem := strings.ReplaceAll(instance, "/", "-") + "." + kind
	// Some file systems do not tell case apart.
	if other, taken := w.stems[strings.ToLower(stem)]; taken {
		return nil, fmt.Errorf("write evidence: %w: the connectors %s and %s would share the file %s.jsonl; rename one in the config", ErrName, other, instance, stem)
	}
	w.stems[strings.ToLower(stem)] = instance
	s := &stream{writer: w, stem: EvidenceDir + "/" + stem}
	w.streams[key] = s
	return s, nil
}

// open makes one more file, while there may be more.
func (w *Writer) open(name string) (file, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count >= MaxFiles {
		return nil, fmt.Errorf("write %s: the run has %d files already, the most that can be signed; take a shorter window or fewer connectors", name, w.count)
	}
	f, err := w.create(filepath.Join(w.Dir(), filepath.FromSlash(name)))
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	w.count++
	return f, nil
}

// Finish writes the actions, brings everything to disk and tells the files,
// sorted by name. Nothing can be appended afterwards.
func (w *Writer) Finish() ([]File, error) {
	streams, err := w.stop()
	if err != nil {
		return nil, err
	}
	var files []File
	var errs []error
	for _, s := range streams {
		errs = append(errs, s.finish())
		files = append(files, s.files...)
	}
	actions, err := w.writeActions()
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	files = append(files, actions)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	for _, dir := range []string{filepath.Join(w.Dir(), EvidenceDir), w.Dir()} {
		if err := atomicfile.SyncDir(dir); err != nil {
			return nil, fmt.Errorf("finish run: %w", err)
		}
	}
	return files, nil
}

// stop ends appending and returns the streams in a stable order.
func (w *Writer) stop() ([]*stream, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return nil, fmt.Errorf("finish run: %w", ErrFinished)
	}
	w.over = true
	var all []*stream
	for _, s := range w.streams {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *stream) int { return strings.Compare(a.stem, b.stem) })
	return all, nil
}

// Commit gives the finished run its name and returns its directory. It refuses
// a run without a manifest.
func (w *Writer) Commit() (string, error) {
	if err := w.movable("commit run"); err != nil {
		return "", err
	}
	if info, err := os.Lstat(filepath.Join(w.Dir(), ManifestFile)); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("commit run: %s has no %s; write it first", w.Dir(), ManifestFile)
	}
	if err := atomicfile.SyncDir(w.Dir()); err != nil {
		return "", fmt.Errorf("commit run: %w", err)
	}
	return w.move("commit run", w.final())
}

// Quarantine moves a run that must not be used out of the way and returns where
// it is. Without Finish, what was buffered is lost.
func (w *Writer) Quarantine() (string, error) {
	w.closeAll()
	if w.moved {
		return "", fmt.Errorf("quarantine run: %w", ErrFinished)
	}
	return w.move("quarantine run", filepath.Join(w.runsDir, QuarantinePrefix+w.name))
}

// Abort removes what was written. After Commit or Quarantine it does nothing, so
// that it can be deferred.
func (w *Writer) Abort() error {
	w.closeAll()
	if w.moved {
		return nil
	}
	w.moved = true
	if err := os.RemoveAll(w.Dir()); err != nil {
		return fmt.Errorf("remove the unfinished run: %w", err)
	}
	return nil
}

func (w *Writer) movable(what string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		return fmt.Errorf("%s: call Finish first", what)
	}
	if w.moved {
		return fmt.Errorf("%s: %w", what, ErrFinished)
	}
	return nil
}

func (w *Writer) move(what, to string) (string, error) {
	// os.Rename refuses a directory that exists, also an empty one.
	if err := os.Rename(w.Dir(), to); err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	w.moved = true
	if err := atomicfile.SyncDir(w.runsDir); err != nil {
		return to, fmt.Errorf("%s: %w", what, err)
	}
	return to, nil
}

func (w *Writer) closeAll() {
	streams, err := w.stop()
	if err != nil {
		return // closed already
	}
	for _, s := range streams {
		s.drop()
	}
}
