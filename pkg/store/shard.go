package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"regexp"
	"slices"

	"github.com/rcactl/rcactl/pkg/internal/atomicfile"
	"github.com/rcactl/rcactl/pkg/internal/safefile"
)

var shardName = regexp.MustCompile(`^[0-9a-f]{2}\.jsonl$`)

// maxRead bounds what is read of a file. No file that was written here is larger.
const maxRead = MaxFile + 2*MaxValue

// entry is a key with its value.
type entry struct {
	key   string
	value []byte
}

// place is where a line stands in a file, its end of line not counted.
type place struct{ offset, length int32 }

// shard is one file. Of its lines only their places are held in memory.
type shard struct {
	path   string
	places map[string]place
	// size is that of the file; torn says that its last line has no end.
	size   int64
	torn   bool
	exists bool
	// waiting are put and not written, oldest first; unsynced says that something
	// was written that may not be on disk yet.
	waiting  []entry
	unsynced bool
	// refused says why the file is neither read nor written.
	refused error
}

// load reads a file. One that is none, or that nobody wrote here, is refused; a line
// that is damaged is passed over.
func load(path string) *shard {
	h := &shard{path: path, places: map[string]place{}}
	text, err := readShard(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return h
	case err != nil:
		h.refused = err
		return h
	}
	h.exists, h.size = true, int64(len(text))
	h.torn = len(text) > 0 && text[len(text)-1] != '\n'
	h.index(text)
	return h
}

func readShard(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w; remove it", path, safefile.ErrNotRegular)
	}
	text, err := safefile.Read(path, maxRead)
	if err == nil && len(text) > maxRead {
		return nil, fmt.Errorf("%s is larger than any file that rcactl writes there (%d bytes); remove it", path, maxRead)
	}
	return text, err
}

// index notes where the good lines stand; of two with one key the later one counts.
func (h *shard) index(text []byte) {
	for offset := 0; offset < len(text); {
		length := bytes.IndexByte(text[offset:], '\n')
		if length < 0 {
			return // it was torn
		}
		if e, ok := parse(text[offset : offset+length]); ok {
			h.places[e.key] = place{int32(offset), int32(length)} //nolint:gosec // at most maxRead
		}
		offset += length + 1
	}
}

type line struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
	Sum   string          `json:"sum"`
}

func parse(text []byte) (entry, bool) {
	var l line
	if json.Unmarshal(text, &l) != nil || !goodKey(l.Key) || len(l.Value) > MaxValue || l.Sum != sum(l.Key, l.Value) {
		return entry{}, false
	}
	return entry{l.Key, l.Value}, true
}

func sum(key string, value []byte) string {
	table := crc32.MakeTable(crc32.Castagnoli)
	c := crc32.Update(0, table, append([]byte(key), 0))
	return fmt.Sprintf("%08x", crc32.Update(c, table, value))
}

func (e entry) appendLine(to []byte) []byte {
	key, _ := json.Marshal(e.key) // a string always is JSON
	to = append(append(append(to, `{"key":`...), key...), `,"value":`...)
	return append(append(to, e.value...), `,"sum":"`+sum(e.key, e.value)+"\"}\n"...)
}

func (h *shard) get(key string) ([]byte, bool) {
	for _, e := range slices.Backward(h.waiting) {
		if e.key == key {
			return bytes.Clone(e.value), true
		}
	}
	at, ok := h.places[key]
	if !ok {
		return nil, false
	}
	f, err := os.Open(h.path)
	if err != nil {
		return nil, false
	}
	defer func() { _ = f.Close() }()
	text := make([]byte, at.length)
	if _, err := f.ReadAt(text, int64(at.offset)); err != nil {
		return nil, false
	}
	e, ok := parse(text)
	if !ok || e.key != key {
		return nil, false
	}
	return e.value, true
}

// write appends what waits.
func (h *shard) write(sync bool) error {
	if h.refused != nil {
		return h.refused
	}
	var text []byte
	if h.torn {
		text = append(text, '\n')
	}
	var places []place
	for _, e := range h.waiting {
		from := len(text)
		text = e.appendLine(text)
		places = append(places, place{int32(h.size) + int32(from), int32(len(text) - from - 1)}) //nolint:gosec // at most MaxFile, or it is rewritten below
	}
	if h.size+int64(len(text)) > MaxFile {
		return h.rewrite()
	}
	if err := h.append(text, sync); err != nil {
		return err
	}
	for i, e := range h.waiting {
		h.places[e.key] = places[i]
	}
	h.size += int64(len(text))
	h.waiting, h.torn, h.exists, h.unsynced = nil, false, true, !sync
	return nil
}

func (h *shard) append(text []byte, sync bool) (err error) {
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// Something else may have come to lie here since it was read.
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != h.size {
		return errors.Join(err, fmt.Errorf("%s was changed by another program; if another rcactl uses this --state, let one of them end", h.path))
	}
	if len(text) > 0 {
		if _, err := f.Write(text); err != nil {
			return err
		}
	}
	if sync {
		return f.Sync()
	}
	return nil
}

// rewrite replaces the file by its newer half and what waits.
func (h *shard) rewrite() error {
	text, err := readShard(h.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	all := append(h.entries(text), h.waiting...)
	slices.Reverse(all)
	var newest []entry
	size := 0
	met := map[string]bool{}
	for _, e := range all {
		if met[e.key] {
			continue
		}
		met[e.key] = true
		if size += len(e.key) + len(e.value) + 32; size > MaxFile/2 {
			break
		}
		newest = append(newest, e)
	}
	slices.Reverse(newest)
	var out []byte
	places := map[string]place{}
	for _, e := range newest {
		from := len(out)
		out = e.appendLine(out)
		places[e.key] = place{int32(from), int32(len(out) - from - 1)} //nolint:gosec // at most MaxFile
	}
	if err := atomicfile.Write(h.path, 0o600, out); err != nil {
		return err
	}
	h.places, h.size, h.waiting, h.torn, h.exists, h.unsynced = places, int64(len(out)), nil, false, true, false
	return nil
}

// entries gives the good lines of a file in their order.
func (h *shard) entries(text []byte) []entry {
	var all []entry
	for l := range bytes.Lines(text) {
		if body, whole := bytes.CutSuffix(l, []byte("\n")); whole {
			if e, ok := parse(body); ok {
				all = append(all, e)
			}
		}
	}
	return all
}
