package cursor_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/cursor"
)

func sample() cursor.File {
	seen := &cursor.Seen{}
	seen.Add(cursor.HashOf([]byte("one")))
	seen.Add(cursor.HashOf([]byte("two")))
	told := &cursor.Told{}
	told.Put(cursor.HashOf([]byte("id")), cursor.HashOf([]byte("news")))
	told.Put(cursor.HashOf([]byte("id of a weak one")), cursor.Hash{})
	return cursor.File{
		Connector: "postgres/orders", Type: "postgres", Target: "system 7", Aliases: []string{"db.example"}, ConfigDigest: "ab",
		Streams: map[string]time.Time{"locks": time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)},
		Open:    map[string]time.Time{"locks": time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)},
		Seen:    seen, Told: told, State: []byte(`{"a":1}`), Run: "000001-x", WrittenAt: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC),
	}
}

func commit(t *testing.T, s cursor.Store, f cursor.File) cursor.Digest {
	t.Helper()
	staged, err := s.Stage(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := staged.Commit(); err != nil {
		t.Fatal(err)
	}
	return staged.Digest()
}

func TestWhatWasCommittedIsLoaded(t *testing.T) {
	store := cursor.Store{Dir: filepath.Join(t.TempDir(), "cursors")}
	if _, _, found, err := store.Load("postgres/orders", "postgres"); found || err != nil {
		t.Fatalf("empty store: found %v, %v", found, err)
	}
	want := sample()
	staged := commit(t, store, want)
	got, digest, found, err := store.Load("postgres/orders", "postgres")
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(cursor.Seen{}, cursor.Told{})); diff != "" {
		t.Error(diff)
	}
	if digest != staged || len(digest) != 64 {
		t.Errorf("digest %q, staged %q", digest, staged)
	}
	info, err := os.Stat(filepath.Join(store.Dir, "postgres-orders.json"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode().Perm())
	}
}

// Every byte matters: no single flipped byte and no truncation is read as good.
func TestDamageIsNeverASilentRestart(t *testing.T) {
	store := cursor.Store{Dir: t.TempDir()}
	commit(t, store, sample())
	path := store.Path("postgres/orders")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, found, err := store.Load("postgres/orders", "postgres")
		if found || !(errors.Is(err, cursor.ErrCorrupt) || errors.Is(err, cursor.ErrNewer)) {
			t.Fatalf("%s: found %v, error %v", what, found, err)
		}
		if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove the file") {
			t.Fatalf("%s: the error does not say which file and what to do: %v", what, err)
		}
	}
	for i := range len(good) - 1 { // the last byte is the line end
		flipped := bytes.Clone(good)
		flipped[i] ^= 1
		check("flipped", flipped)
		check("cut", good[:i])
	}
	check("trailing", append(bytes.Clone(good), "{}"...))
}

// An rcactl that does not know what is open reads a cursor where nothing is.
func TestNothingOpenIsNotWritten(t *testing.T) {
	store := cursor.Store{Dir: t.TempDir()}
	f := sample()
	for _, f.Open = range []map[string]time.Time{nil, {}} {
		commit(t, store, f)
		text, err := os.ReadFile(store.Path(f.Connector))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(`"open"`)) {
			t.Errorf("written: %s", text)
		}
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name, content, want string
		is                  error
	}{
		{"newer", `{"version":2,"whatever":[]}`, "upgrade rcactl", cursor.ErrNewer},
		{"older than the first", `{"version":0,"sha256":"","cursor":{}}`, "version 0", cursor.ErrCorrupt},
		{"empty", ``, "remove the file", cursor.ErrCorrupt},
		{"unknown field outside", `{"version":1,"sha256":"","cursor":{},"more":1}`, "more", cursor.ErrCorrupt},
		{
			"unknown field inside",
			`{"version":1,"sha256":"8be437412555dc8dadb1183f835d5f1063895233d9b2614edafabf963cf5d7d2","cursor":{"more":1}}`,
			`unknown field "more"`, cursor.ErrCorrupt,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := cursor.Store{Dir: t.TempDir()}
			if err := os.WriteFile(store.Path("a"), []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, _, err := store.Load("a", "a")
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %v with %q", err, tt.is, tt.want)
			}
		})
	}
}

func TestForeignCursorIsRefused(t *testing.T) {
	store := cursor.Store{Dir: t.TempDir()}
	f := sample()
	f.Connector, f.Type = "a/b-c", "a"
	commit(t, store, f)
	for instance, typ := range map[string]string{"a-b/c": "a-b", "a/b-c": "other"} {
		_, _, _, err := store.Load(instance, typ)
		if !errors.Is(err, cursor.ErrForeign) || !strings.Contains(err.Error(), store.Path("a/b-c")) {
			t.Errorf("%s: %v", instance, err)
		}
	}
}

func TestSizeIsBounded(t *testing.T) {
	store := cursor.Store{Dir: t.TempDir()}
	f := sample()
	f.State = make([]byte, cursor.MaxFile)
	if _, err := store.Stage(f); err == nil {
		t.Error("a cursor over the bound was staged")
	}
	if err := os.WriteFile(store.Path("a"), make([]byte, cursor.MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := store.Load("a", "a"); !errors.Is(err, cursor.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

func TestSeenKeepsTheNewest(t *testing.T) {
	seen := &cursor.Seen{}
	hashes := make([]cursor.Hash, 5)
	for i := range hashes {
		hashes[i] = cursor.HashOf([]byte{byte(i)})
		if !seen.Add(hashes[i]) || seen.Add(hashes[i]) {
			t.Fatal("Add does not tell new from known")
		}
	}
	newest, left := seen.Newest(2)
	if left != 3 || newest.Len() != 2 || newest.Has(hashes[2]) || !newest.Has(hashes[3]) || !newest.Has(hashes[4]) {
		t.Errorf("left %d, %d kept", left, newest.Len())
	}
	if same, left := seen.Newest(5); same != seen || left != 0 {
		t.Error("a set within the bound was cut")
	}
	if both := newest.Union(seen); both.Len() != 5 {
		t.Errorf("union has %d", both.Len())
	}
	var none *cursor.Seen
	if none.Has(hashes[0]) || none.Len() != 0 || none.Union(newest).Len() != 2 {
		t.Error("a nil set is not empty")
	}
}

func TestToldKeepsTheLastFoundAndWhatWasToldLast(t *testing.T) {
	hash := func(text string) cursor.Hash { return cursor.HashOf([]byte(text)) }
	before, found := &cursor.Told{}, &cursor.Told{}
	for _, id := range []string{"a", "b", "c"} {
		before.Put(hash(id), hash("old"))
	}
	found.Put(hash("a"), hash("old"))
	found.Put(hash("a"), hash("new"))
	found.Put(hash("d"), cursor.Hash{})
	for n, want := range map[int]string{9: "bcad", 4: "bcad", 3: "cad", 1: "d", 0: ""} {
		after := before.Followed(found, n)
		if after.Len() != len(want) {
			t.Errorf("%d: %d kept", n, after.Len())
		}
		for _, id := range want {
			news, ok := after.Last(hash(string(id)))
			if expect := map[rune]cursor.Hash{'a': hash("new"), 'b': hash("old"), 'c': hash("old")}[id]; !ok || news != expect {
				t.Errorf("%d: %c: %v, %v", n, id, news, ok)
			}
		}
	}
	var none *cursor.Told
	if _, ok := none.Last(hash("a")); ok || none.Len() != 0 || none.Followed(found, 9).Len() != 2 || found.Followed(none, 9).Len() != 2 {
		t.Error("a nil one is not empty")
	}
	for _, bad := range []string{"!", "AAAA"} {
		if err := found.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("read %q", bad)
		}
	}
}
