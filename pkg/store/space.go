package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/rcactl/rcactl/pkg/internal/atomicfile"
)

// flushEach is how many values are kept in memory before they are written, so that
// a run that is killed keeps what it had fetched.
const flushEach = 256

// tempPrefix is that of package atomicfile.
const tempPrefix = ".tmp-"

// Space is a part of a store: keys of one kind.
type Space struct {
	dir     string
	mu      sync.Mutex
	shards  map[string]*shard
	waiting int
	made    bool
	// failed is the first reason why something could not be kept. From then on
	// nothing is: a folder that cannot be written is not tried a thousand times.
	failed error
}

// Get gives the value of a key, or false. The bytes are the caller's.
func (s *Space) Get(key string) ([]byte, bool) {
	if !goodKey(key) {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shard(key).get(key)
}

// Put keeps a value, which is JSON of at most MaxValue bytes; anything else is
// lost. What has that value already is left as it is.
func (s *Space) Put(key string, value []byte) {
	text, ok := compact(value)
	if !ok || !goodKey(key) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return
	}
	h := s.shard(key)
	if old, ok := h.get(key); ok && bytes.Equal(old, text) {
		return
	}
	h.waiting = append(h.waiting, entry{key, text})
	if s.waiting++; s.waiting >= flushEach {
		s.write(false)
	}
}

func goodKey(key string) bool { return key != "" && len(key) <= MaxKey && utf8.ValidString(key) }

// compact gives JSON on one line, and false when it is none or too long.
func compact(value []byte) ([]byte, bool) {
	var b bytes.Buffer
	if len(value) > MaxValue || !utf8.Valid(value) || json.Compact(&b, value) != nil {
		return nil, false
	}
	return b.Bytes(), true
}

// shard gives the file of a key, which is read when it is first needed.
func (s *Space) shard(key string) *shard {
	sum := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(sum[:1])
	h := s.shards[name]
	if h == nil {
		h = load(filepath.Join(s.dir, name+".jsonl"))
		s.shards[name] = h
	}
	return h
}

// Flush brings to disk what was put. Its error says what could not be kept, now or
// earlier.
func (s *Space) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(true)
	return s.failed
}

// write appends what waits, and brings it to disk when sync says so.
func (s *Space) write(sync bool) {
	if s.failed == nil && s.waiting > 0 {
		if err := s.ready(); err != nil {
			s.fail(err)
		}
	}
	made := false
	for _, name := range slices.Sorted(mapKeys(s.shards)) {
		h := s.shards[name]
		if s.failed == nil && (len(h.waiting) > 0 || sync && h.unsynced) {
			made = made || !h.exists
			if err := h.write(sync); err != nil {
				s.fail(err)
			}
		}
		if s.failed != nil {
			h.waiting = nil
		}
	}
	if sync && made && s.failed == nil {
		if err := atomicfile.SyncDir(s.dir); err != nil {
			s.fail(err)
		}
	}
	s.waiting = 0
}

// ready makes the folder, and takes away what a process left that was killed while
// it replaced a file.
func (s *Space) ready() error {
	if s.made {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	s.made = true
	return nil
}

func (s *Space) fail(err error) {
	s.failed = fmt.Errorf("keep in the store: %w", err)
}

func mapKeys[K comparable, V any](m map[K]V) iter.Seq[K] { return maps.Keys(m) }
