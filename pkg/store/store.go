// Package store keeps what never changes from run to run: the summary of a commit,
// the labels of an image. What is in it was redacted before it came here.
//
// A store is a folder of text files that people can read: one JSON object a line.
// Keys are spread over the files by their hash, so that a run reads only the files
// that it needs. A line is appended; a torn or damaged line is left out and its
// value is asked for again. A file that has grown too large loses its older half.
//
//	<folder>/<space>/<2 hexadecimal digits of the SHA-256 of the key>.jsonl
//	{"key":"github.com/acme/shop@…","value":{…},"sum":"e3069283"}
//
// The sum is the CRC-32C of key, a zero byte and value: it finds damage, and does
// not keep anybody from writing. The whole folder may be removed at any time.
package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of a store.
const (
	// MaxValue bounds a value: 64 KiB.
	MaxValue = 64 << 10
	// MaxKey bounds a key: 1 KiB.
	MaxKey = 1 << 10
	// MaxFile is the size beyond which a file loses its older half: 1 MiB. A space
	// has 256 files at most.
	MaxFile = 1 << 20
	// MaxSpace bounds the name of a space.
	MaxSpace = 200
)

// Store is a folder of spaces. It is used by one process at a time; its methods may
// be used by several goroutines.
type Store struct {
	dir    string
	mu     sync.Mutex
	spaces map[string]*Space
}

// Open opens the folder, making it when something is first put.
func Open(dir string) *Store { return &Store{dir: dir, spaces: map[string]*Space{}} }

var spaceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Space gives the part of a store that is named. A name begins with a letter or
// digit and holds letters, digits, ".", "_" and "-", at most MaxSpace of them. The
// space of another name keeps nothing, and Flush says so.
func (s *Store) Space(name string) *Space {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.spaces[name]; p != nil {
		return p
	}
	p := &Space{dir: filepath.Join(s.dir, name), shards: map[string]*shard{}}
	if len(name) > MaxSpace || !spaceName.MatchString(name) {
		p.failed = fmt.Errorf("store: %.80q cannot name a space; this is a bug in rcactl", name)
	}
	s.spaces[name] = p
	return p
}

// Flush brings to disk what was put. Its error says of all spaces what could not be
// kept, there or earlier; the values are lost and nothing else is.
func (s *Store) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, name := range slices.Sorted(mapKeys(s.spaces)) {
		errs = append(errs, s.spaces[name].Flush())
	}
	return errors.Join(errs...)
}

// Found is a space that lies on disk.
type Found struct {
	Name string
	// Used is when something was last put there.
	Used time.Time
}

// Spaces lists what lies on disk, that which was used last first.
func (s *Store) Spaces() ([]Found, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the store: %w", err)
	}
	var all []Found
	for _, e := range entries {
		if e.IsDir() && spaceName.MatchString(e.Name()) {
			all = append(all, Found{e.Name(), lastUsed(filepath.Join(s.dir, e.Name()))})
		}
	}
	slices.SortFunc(all, func(a, b Found) int {
		return cmp.Or(b.Used.Compare(a.Used), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

func lastUsed(dir string) (last time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return last
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// Remove takes a space away: the files that a store makes, and the folder when
// nothing else is in it.
func (s *Store) Remove(name string) error {
	if len(name) > MaxSpace || !spaceName.MatchString(name) {
		return fmt.Errorf("remove from the store: %.80q cannot name a space", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.spaces, name)
	dir := filepath.Join(s.dir, name)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("remove from the store: %w", err)
	}
	for _, e := range entries {
		if !shardName.MatchString(e.Name()) && !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove from the store: %w", err)
		}
	}
	if err := os.Remove(dir); err != nil {
		return fmt.Errorf("remove from the store: %w", err)
	}
	return nil
}
