package store_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rcactl/rcactl/pkg/store"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func key(i int) string { return fmt.Sprintf("github.com/acme/shop@%040x", i) }

func value(i int) []byte { return fmt.Appendf(nil, `{"sha":"%040x","files":%d}`, i, i) }

func want(t testing.TB, s *store.Space, i int, have bool) {
	t.Helper()
	got, ok := s.Get(key(i))
	if ok != have || ok && !bytes.Equal(got, value(i)) {
		t.Fatalf("%d: %q, %v; want it there: %v", i, got, ok, have)
	}
}

// files gives the files of a space.
func files(t testing.TB, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	check(t, err)
	return all
}

func TestWhatWasPutIsThereInTheNextRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "store")
	s := store.Open(dir)
	for i := range 1000 {
		s.Space("commits").Put(key(i), value(i))
		want(t, s.Space("commits"), i, true)
	}
	want(t, s.Space("images"), 1, false)
	check(t, s.Flush())
	again := store.Open(dir)
	for i := range 1000 {
		want(t, again.Space("commits"), i, true)
	}
	want(t, again.Space("commits"), 1000, false)
	if n := len(files(t, filepath.Join(dir, "commits"))); n == 0 || n > 256 {
		t.Errorf("%d files", n)
	}
	for _, path := range append(files(t, filepath.Join(dir, "commits")), filepath.Join(dir, "commits")) {
		info, err := os.Stat(path)
		check(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v", path, info.Mode())
		}
	}
}

func TestWhatDidNotChangeIsNotWrittenAgain(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		s := store.Open(dir)
		s.Space("a").Put(key(1), value(1))
		s.Space("a").Put(key(1), []byte(" "+string(value(1))+"\n"))
		check(t, s.Flush())
	}
	text, err := os.ReadFile(files(t, filepath.Join(dir, "a"))[0])
	check(t, err)
	if n := bytes.Count(text, []byte("\n")); n != 1 {
		t.Errorf("%d lines:\n%s", n, text)
	}
	s := store.Open(dir)
	s.Space("a").Put(key(1), value(2))
	check(t, s.Flush())
	if got, _ := store.Open(dir).Space("a").Get(key(1)); !bytes.Equal(got, value(2)) {
		t.Errorf("the newer value does not count: %s", got)
	}
}

func TestTheFormOfALine(t *testing.T) {
	dir := t.TempDir()
	s := store.Open(dir)
	s.Space("a").Put("k", []byte(`{ "a": "<b>" }`))
	check(t, s.Flush())
	text, err := os.ReadFile(files(t, filepath.Join(dir, "a"))[0])
	check(t, err)
	var line struct {
		Key   string          `json:"key"`
		Value json.RawMessage `json:"value"`
		Sum   string          `json:"sum"`
	}
	check(t, json.Unmarshal(text, &line))
	if line.Key != "k" || string(line.Value) != `{"a":"<b>"}` || len(line.Sum) != 8 || filepath.Base(files(t, filepath.Join(dir, "a"))[0]) != "82.jsonl" {
		t.Errorf("%s: %s", files(t, filepath.Join(dir, "a")), text)
	}
}

func TestWhatCannotBeKeptIsLostAlone(t *testing.T) {
	s := store.Open(t.TempDir())
	p := s.Space("a")
	for name, bad := range map[string][]byte{
		"not JSON": []byte("{"), "nothing": nil, "two values": []byte("1 2"), "not UTF-8": []byte("\"\xff\""),
		"too long": []byte(`"` + strings.Repeat("x", store.MaxValue) + `"`),
	} {
		p.Put(key(1), bad)
		if _, ok := p.Get(key(1)); ok {
			t.Errorf("%s was kept", name)
		}
	}
	for _, bad := range []string{"", "\xff", strings.Repeat("k", store.MaxKey+1)} {
		p.Put(bad, value(1))
		if _, ok := p.Get(bad); ok {
			t.Errorf("%q was kept", bad)
		}
	}
	p.Put(key(1), []byte(`"`+strings.Repeat("x", store.MaxValue-2)+`"`))
	if _, ok := p.Get(key(1)); !ok {
		t.Error("a value of the largest size was lost")
	}
	check(t, s.Flush())
}

// A process that dies while it writes, at any byte, costs the line it wrote.
func TestTornAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	s := store.Open(dir)
	s.Space("a").Put("k", []byte(`{"n":1}`))
	check(t, s.Flush())
	path := files(t, filepath.Join(dir, "a"))[0]
	first, err := os.ReadFile(path)
	check(t, err)
	s.Space("a").Put("k", []byte(`{"n":2}`))
	check(t, s.Flush())
	both, err := os.ReadFile(path)
	check(t, err)
	for n := range len(both) {
		check(t, os.WriteFile(path, both[:n], 0o600))
		torn := store.Open(dir)
		got, ok := torn.Space("a").Get("k")
		if wantFirst := n >= len(first); ok != wantFirst || ok && string(got) != `{"n":1}` {
			t.Fatalf("cut at %d of %d: %q, %v", n, len(both), got, ok)
		}
		torn.Space("a").Put("k", []byte(`{"n":3}`))
		check(t, torn.Flush())
		if got, _ := store.Open(dir).Space("a").Get("k"); string(got) != `{"n":3}` {
			t.Fatalf("cut at %d, put again: %q", n, got)
		}
	}
}

func TestDamageIsNeverRead(t *testing.T) {
	dir := t.TempDir()
	s := store.Open(dir)
	s.Space("a").Put("k", []byte(`{"n":1}`))
	check(t, s.Flush())
	path := files(t, filepath.Join(dir, "a"))[0]
	good, err := os.ReadFile(path)
	check(t, err)
	for i := range good {
		for _, bit := range []byte{1, 0x20, 0x80} {
			bad := bytes.Clone(good)
			bad[i] ^= bit
			check(t, os.WriteFile(path, bad, 0o600))
			if got, ok := store.Open(dir).Space("a").Get("k"); ok && string(got) != `{"n":1}` {
				t.Fatalf("byte %d: read %q", i, got)
			}
		}
	}
	// Under an open store, too: another line, and what is none.
	other := store.Open(t.TempDir())
	other.Space("a").Put("j", []byte(`{"n":1}`))
	check(t, other.Flush())
	wrong, err := os.ReadFile(other.Space("a").Path("j"))
	check(t, err)
	check(t, os.WriteFile(path, good, 0o600))
	moved := store.Open(dir)
	moved.Space("a").Get("k")
	check(t, os.WriteFile(path, wrong, 0o600))
	if got, ok := moved.Space("a").Get("k"); ok {
		t.Errorf("read %q of another key", got)
	}
	check(t, os.WriteFile(path, good, 0o600))
	open := store.Open(dir)
	open.Space("a").Get("k")
	check(t, os.WriteFile(path, bytes.Repeat([]byte("x"), len(good)), 0o600))
	if got, ok := open.Space("a").Get("k"); ok {
		t.Errorf("read %q", got)
	}
}

func TestAFileThatGrewTooLargeLosesItsOlderHalf(t *testing.T) {
	dir := t.TempDir()
	s := store.Open(dir)
	p := s.Space("a")
	same := func(i int) string { // keys of one file
		for n := i * 1000; ; n++ {
			if p.Path(key(n)) == p.Path(key(0)) {
				return key(n)
			}
		}
	}
	big := func(i int) []byte { return fmt.Appendf(nil, `"%060000d"`, i) }
	const n = 40
	for i := range n {
		p.Put(same(i), big(i))
		check(t, s.Flush())
		info, err := os.Stat(p.Path(key(0)))
		check(t, err)
		if info.Size() > store.MaxFile {
			t.Fatalf("%d bytes after %d", info.Size(), i)
		}
	}
	again := store.Open(dir).Space("a")
	lost := false
	for i := range n {
		got, ok := again.Get(same(i))
		switch {
		case ok && !bytes.Equal(got, big(i)):
			t.Fatalf("%d is %.20q", i, got)
		case !ok && i >= n-8:
			t.Errorf("%d, of the newest, is lost", i)
		case !ok:
			lost = true
		}
	}
	if !lost {
		t.Error("nothing was lost: the test shows nothing")
	}
	if left := files(t, filepath.Join(dir, "a")); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}

// One that cannot be written loses the saving, says so once, and nothing else.
func TestAFolderThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(dir, nil, 0o600))
	s := store.Open(dir)
	for i := range 2000 {
		s.Space("a").Put(key(i), value(i))
	}
	s.Space("a").Get(key(1))
	if err := s.Flush(); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoFileOfOursIsRefused(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"link":      func(path string) error { return os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), path) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"huge":      func(path string) error { return os.WriteFile(path, make([]byte, 4<<20), 0o600) },
	} {
		dir := t.TempDir()
		path := store.Open(dir).Space("a").Path("k")
		check(t, os.Mkdir(filepath.Join(dir, "a"), 0o700))
		check(t, put(path))
		before, err := os.Lstat(path)
		check(t, err)
		s := store.Open(dir)
		s.Space("a").Put("k", value(1))
		if err := s.Flush(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.Lstat(path); err != nil || after.Mode() != before.Mode() || after.Size() != before.Size() {
			t.Errorf("%s: it was changed: %v, %v", name, after, err)
		}
	}
}

func TestAnotherProcessIsNotWrittenOver(t *testing.T) {
	dir := t.TempDir()
	a, b := store.Open(dir), store.Open(dir)
	a.Space("a").Put("k", value(1))
	b.Space("a").Put("k", value(2))
	check(t, a.Flush())
	if err := b.Flush(); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("got %v", err)
	}
	if got, _ := store.Open(dir).Space("a").Get("k"); !bytes.Equal(got, value(1)) {
		t.Errorf("got %s", got)
	}
}

func TestSpacesAreListedAndRemoved(t *testing.T) {
	dir := t.TempDir()
	s := store.Open(dir)
	if all, err := s.Spaces(); err != nil || len(all) != 0 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, name := range []string{"a", "b"} {
		s.Space(name).Put("k", value(1))
	}
	check(t, s.Flush())
	check(t, os.WriteFile(filepath.Join(dir, "b", ".tmp-1"), nil, 0o600))
	if all, err := s.Spaces(); err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	check(t, s.Remove("b"))
	for _, bad := range []string{"..", ".", "a/b", "", "../" + filepath.Base(dir)} {
		if s.Remove(bad) == nil {
			t.Errorf("%q was removed", bad)
		}
		s.Space(bad).Put("k", value(1))
		if _, err := os.Lstat(filepath.Join(dir, bad, "82.jsonl")); err == nil {
			t.Errorf("%q was made", bad)
		}
	}
	// What somebody else put there is left alone.
	check(t, os.WriteFile(filepath.Join(dir, "a", "notes.txt"), nil, 0o600))
	if err := s.Remove("a"); err == nil {
		t.Error("removed what is not ours")
	}
	if left := files(t, filepath.Join(dir, "a")); len(left) != 1 || filepath.Base(left[0]) != "notes.txt" {
		t.Errorf("left %v", left)
	}
}

func TestWhatAKilledProcessLeftIsTakenAway(t *testing.T) {
	dir := t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "a"), 0o700))
	check(t, os.WriteFile(filepath.Join(dir, "a", ".tmp-1"), nil, 0o600))
	s := store.Open(dir)
	s.Space("a").Put("k", value(1))
	check(t, s.Flush())
	if left := files(t, filepath.Join(dir, "a")); len(left) != 1 {
		t.Errorf("left %v", left)
	}
	if _, err := os.Lstat(filepath.Join(dir, "a", ".tmp-1")); err == nil {
		t.Error("the temporary file is still there")
	}
}

func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := store.Open(dir)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			p := s.Space("a")
			for i := range 500 {
				p.Put(key(i*4+g), value(i*4+g))
				want(t, p, i*4+g, true)
				p.Get(key(i))
			}
		})
	}
	all.Wait()
	check(t, s.Flush())
	for i := range 2000 {
		want(t, store.Open(dir).Space("a"), i, true)
		if i == 20 {
			break
		}
	}
}

func FuzzAnyFile(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte(`{"key":"k","value":{"n":1},"sum":"00000000"}` + "\n"))
	f.Add([]byte("{\"key\":\"k\"\n\n\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		path := store.Open(dir).Space("a").Path("k")
		check(t, os.Mkdir(filepath.Dir(path), 0o700))
		check(t, os.WriteFile(path, text, 0o600))
		s := store.Open(dir)
		if got, ok := s.Space("a").Get("k"); ok && !json.Valid(got) {
			t.Fatalf("read %q", got)
		}
		s.Space("a").Put("k", []byte(`{"n":7}`))
		check(t, s.Flush())
		if got, ok := store.Open(dir).Space("a").Get("k"); !ok || string(got) != `{"n":7}` {
			t.Fatalf("what was put is %q, %v", got, ok)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	dir := b.TempDir()
	s := store.Open(dir)
	const n = 100_000
	for i := range n {
		s.Space("a").Put(key(i), value(i))
	}
	check(b, s.Flush())
	p := store.Open(dir).Space("a")
	i := 0
	for b.Loop() {
		p.Get(key(i * 7919 % n))
		i++
	}
}

func BenchmarkPut(b *testing.B) {
	s := store.Open(b.TempDir())
	i := 0
	for b.Loop() {
		s.Space("a").Put(key(i), value(i))
		i++
	}
	check(b, s.Flush())
}
