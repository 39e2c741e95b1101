package manifest

import (
	"context"
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/internal/filelock"
)

func (w *world) headFile() string { return filepath.Join(w.state, "ledger", "head.json") }

func TestLedgerStartsOnceAndCounts(t *testing.T) {
	w := newWorld(t, dsse.Ed25519)
	l := w.open(t, LedgerOptions{})
	if !l.Genesis() || l.Next().Sequence != 1 || l.Next().Previous != nil || len(l.Next().ID) != 32 {
		t.Errorf("%+v", l.Next())
	}
	id := l.Next().ID
	w.collectWith(t, l, done())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = w.open(t, LedgerOptions{Init: true}) // a good head stays
	next := l.Next()
	if l.Genesis() || next.ID != id || next.Sequence != 2 || next.Previous.Name != RunName(1, "run") || next.Previous.Digest.SHA256 != l.head.Digest {
		t.Errorf("%+v", next)
	}
	if got := l.head.String(); got != "ledger head 1 sha256:"+l.head.Digest {
		t.Error(got)
	}
	if err := l.Advance(Head{ID: id, Sequence: 3}); err == nil {
		t.Error("skipped a run")
	}
	if err := l.Advance(Head{ID: "other", Sequence: 2}); err == nil {
		t.Error("changed the ledger")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Advance(Head{ID: id, Sequence: 2}); err == nil {
		t.Error("advanced without the lock")
	}
	if _, err := l.RemoveStale(); err == nil {
		t.Error("removed without the lock")
	}
}

func TestLedgerIsLocked(t *testing.T) {
	w := newWorld(t, dsse.Ed25519)
	w.open(t, LedgerOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := OpenLedger(ctx, w.state, w.runs, LedgerOptions{})
	var held *filelock.HeldError
	if !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("got %v", err)
	}
}

func TestLostHead(t *testing.T) {
	w := newWorld(t, dsse.Ed25519)
	w.collect(t, done())
	w.collect(t, done())
	remove(t, w.headFile())
	if _, err := w.tryOpen(t, LedgerOptions{}); !errors.Is(err, ErrNoHead) || !strings.Contains(err.Error(), "--ledger-init") {
		t.Fatalf("got %v", err)
	}
	l := w.open(t, LedgerOptions{Init: true})
	if next := l.Next(); !l.Genesis() || next.Sequence != 3 || next.Previous != nil || len(next.Replaces) != 1 {
		t.Errorf("%+v", next)
	}
	w.collectWith(t, l, done())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	last := w.collect(t, done())
	// The old and the new ledger stand side by side, because the new one says so.
	_, report := w.verify(t, last, Options{})
	if report.Runs != 2 || len(report.Notes) != 1 {
		t.Errorf("%+v", report)
	}
	w.verify(t, filepath.Join(w.runs, RunName(1, "run")), Options{})
	remove(t, filepath.Join(w.runs, RunName(3, "run")))
	w.verify(t, last, Options{}, CodeRunMissing, CodeLedgerOther, CodeLedgerOther)
}

func TestDamagedHead(t *testing.T) {
	w := newWorld(t, dsse.Ed25519)
	w.collect(t, done())
	good, err := os.ReadFile(w.headFile())
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{
		"empty":          "",
		"cut short":      string(good[:len(good)/2]),
		"not json":       "head",
		"unknown name":   strings.Replace(string(good), "{", `{"x":1,`, 1),
		"name twice":     strings.Replace(string(good), "{", `{"id":"x",`, 1),
		"no id":          strings.Replace(string(good), `"id": "`, `"id": "", "name": "`, 1),
		"short digest":   strings.Replace(string(good), `"digest": "`, `"digest": "00`, 1),
		"negative":       strings.Replace(string(good), `"sequence": 1`, `"sequence": -1`, 1),
		"digest, no run": strings.Replace(string(good), `"sequence": 1`, `"sequence": 0`, 1),
		"version 0":      strings.Replace(string(good), `"version": 1`, `"version": 0`, 1),
	}
	for name, text := range bad {
		t.Run(name, func(t *testing.T) {
			write(t, w.headFile(), text)
			_, err := w.tryOpen(t, LedgerOptions{})
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), w.headFile()) || !strings.Contains(err.Error(), "--ledger-init") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("newer version", func(t *testing.T) {
		write(t, w.headFile(), `{"version":2,"shape":"unknown"}`)
		for _, init := range []bool{false, true} {
			_, err := w.tryOpen(t, LedgerOptions{Init: init})
			if err == nil || errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "newer rcactl") {
				t.Errorf("got %v", err)
			}
		}
	})
	t.Run("started again by hand", func(t *testing.T) {
		write(t, w.headFile(), "")
		if l := w.open(t, LedgerOptions{Init: true}); !l.Genesis() {
			t.Error("not started")
		}
	})
}

// A kill at every stage, at the first run and at a later one.
func TestCrashesHeal(t *testing.T) {
	for _, before := range []int{0, 2} {
		for _, until := range []stage{stageWritten, stageSealed, stageRenamed} {
			w := newWorld(t, dsse.Ed25519)
			for range before {
				w.collect(t, done())
			}
			w.collect(t, runOptions{until: until})
			l := w.open(t, LedgerOptions{})
			stale, err := l.RemoveStale()
			if err != nil {
				t.Fatal(err)
			}
			survived := before
			if until == stageRenamed {
				survived++
				if want := []string{RunName(Number(survived), "run")}; !slices.Equal(l.Adopted(), want) {
					t.Errorf("adopted %q, want %q", l.Adopted(), want)
				}
			} else if len(stale) != 1 || len(l.Adopted()) != 0 {
				t.Errorf("stale %q, adopted %q", stale, l.Adopted())
			}
			if l.Genesis() {
				t.Error("started anew")
			}
			dir := w.collectWith(t, l, done())
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if _, report := w.verify(t, dir, Options{Runs: true}); report.Runs != survived+1 || len(report.Interrupted) != 0 {
				t.Errorf("%+v", report)
			}
		}
	}
}

func TestAdoptsSeveralAfterAnOldHeadWasRestored(t *testing.T) {
	w := newWorld(t, dsse.Ed25519)
	w.collect(t, done())
	old, err := os.ReadFile(w.headFile())
	if err != nil {
		t.Fatal(err)
	}
	w.collect(t, done())
	w.collect(t, done())
	newest, err := os.ReadFile(w.headFile())
	if err != nil {
		t.Fatal(err)
	}
	write(t, w.headFile(), string(old))
	if l := w.open(t, LedgerOptions{}); len(l.Adopted()) != 2 || l.Next().Sequence != 4 {
		t.Errorf("%+v", l)
	}
	if text, err := os.ReadFile(w.headFile()); err != nil || string(text) != string(newest) {
		t.Errorf("head is now %s, %v", text, err)
	}
}

func TestAdoptsOnlyWhatContinuesTheHead(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, w *world)
		says   string
	}{
		{"signed by another key", func(t *testing.T, w *world) { w.useKey(t, dsse.Ed25519) }, "not signed by our key"},
		{"signature removed", func(t *testing.T, w *world) {
			remove(t, filepath.Join(w.runs, RunName(2, "run"), "manifest.sigstore.json"))
		}, "not signed by our key"},
		{"another previous run", func(t *testing.T, w *world) {
			text, err := os.ReadFile(w.headFile())
			if err != nil {
				t.Fatal(err)
			}
			at := strings.Index(string(text), `"digest": "`) + len(`"digest": "`)
			write(t, w.headFile(), string(text[:at])+strings.Repeat("0", 64)+string(text[at+64:]))
		}, "does not continue"},
		{"a renamed run", func(t *testing.T, w *world) {
			rename(t, filepath.Join(w.runs, RunName(2, "run")), filepath.Join(w.runs, RunName(3, "run")))
		}, "renamed"},
		{"a run between is gone", func(t *testing.T, w *world) {
			head, err := os.ReadFile(w.headFile())
			if err != nil {
				t.Fatal(err)
			}
			w.collect(t, done()) // adopts 2 and makes 3
			write(t, w.headFile(), string(head))
			remove(t, filepath.Join(w.runs, RunName(2, "run")))
		}, "a run between them is missing"},
		{"another ledger", func(t *testing.T, w *world) {
			other := &world{state: t.TempDir(), runs: t.TempDir(), key: w.key, signer: w.signer}
			other.collect(t, done())
			other.collect(t, done())
			remove(t, filepath.Join(w.runs, RunName(2, "run")))
			rename(t, filepath.Join(other.runs, RunName(2, "run")), filepath.Join(w.runs, RunName(2, "run")))
		}, "another ledger"},
		{"manifest removed", func(t *testing.T, w *world) {
			remove(t, filepath.Join(w.runs, RunName(2, "run"), "manifest.json"))
		}, "cannot be read"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, dsse.Ed25519)
			w.collect(t, done())
			w.collect(t, runOptions{until: stageRenamed})
			test.damage(t, w)
			_, err := w.tryOpen(t, LedgerOptions{})
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), w.runs) {
				t.Fatalf("got %v, want %q", err, test.says)
			}
			// And the lock is free again.
			if lock, err := filelock.Acquire(t.Context(), filepath.Join(w.state, "ledger", "lock")); err != nil {
				t.Error(err)
			} else {
				_ = lock.Release()
			}
		})
	}
	t.Run("an earlier key of ours is fine", func(t *testing.T) {
		w := newWorld(t, dsse.Ed25519)
		w.collect(t, runOptions{until: stageRenamed})
		old := w.key.Public()
		w.useKey(t, dsse.P256)
		if l := w.open(t, LedgerOptions{Keys: []crypto.PublicKey{w.key.Public(), old}}); len(l.Adopted()) != 1 {
			t.Error("not adopted")
		}
	})
	t.Run("unsigned mode", func(t *testing.T) {
		w := newWorld(t, dsse.Ed25519)
		w.signer = nil
		w.collect(t, runOptions{until: stageRenamed})
		if l := w.open(t, LedgerOptions{}); len(l.Adopted()) != 1 {
			t.Error("not adopted")
		}
	})
}

// A ledger belongs to one folder of runs: two under one head have gaps.
func TestLedgerStaysWithItsRuns(t *testing.T) {
	w := newWorld(t, dsse.Ed25519)
	w.collect(t, done())
	first := w.runs
	other := filepath.Join(t.TempDir(), "other")
	w.runs = other
	_, err := w.tryOpen(t, LedgerOptions{})
	for _, says := range []string{first, other, "--out", "--state", "--ledger-init"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want it to say %q", err, says)
		}
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("the other folder was made")
	}
	w.runs = first
	w.collect(t, done()) // the recorded one still goes

	w.runs = other
	l := w.open(t, LedgerOptions{Init: true})
	if !l.Genesis() || l.Next().Sequence != 1 {
		t.Errorf("%+v", l.Next())
	}
	w.verify(t, w.collectWith(t, l, done()), Options{})
	check(t, l.Close())
	w.verify(t, w.collect(t, done()), Options{})
	w.runs = first
	w.verify(t, filepath.Join(first, RunName(2, "run")), Options{})
}

func TestLedgerFollowsRunsThatWereMoved(t *testing.T) {
	for _, made := range []int{0, 2} {
		w := newWorld(t, dsse.Ed25519)
		check(t, w.open(t, LedgerOptions{}).Close())
		for range made {
			w.collect(t, done())
		}
		before, moved := w.runs, filepath.Join(t.TempDir(), "moved")
		if made > 0 {
			w.runs = filepath.Join(t.TempDir(), "empty")
			_, err := w.tryOpen(t, LedgerOptions{})
			if err == nil {
				t.Fatal("another folder was taken")
			}
			rename(t, before, moved)
			if _, err := w.tryOpen(t, LedgerOptions{}); err == nil || !strings.Contains(err.Error(), "is gone") || !strings.Contains(err.Error(), RunName(2, "run")) {
				t.Errorf("a folder without the newest run: %v", err)
			}
		}
		w.runs = moved
		dir := w.collect(t, done())
		w.verify(t, dir, Options{Runs: true})
		head, err := readHead(w.headFile())
		if here, _ := canonical(moved); err != nil || head.Runs != here || int(head.Sequence) != made+1 {
			t.Errorf("%+v, %v", head, err)
		}
	}
	// Another way to the same folder is no other folder.
	w := newWorld(t, dsse.Ed25519)
	w.collect(t, done())
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(w.runs, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	w.runs = link
	w.collect(t, done())
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Only a lock that somebody holds is another run, and that is told at once.
func TestWhyTheLedgerCannotBeOpened(t *testing.T) {
	w := newWorld(t, dsse.Ed25519)
	l := w.open(t, LedgerOptions{})
	var told []int
	waiting := func(pid int) { told = append(told, pid) }
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := OpenLedger(ctx, w.state, w.runs, LedgerOptions{Waiting: waiting}); err == nil || !strings.Contains(err.Error(), "another run is under way") {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(told, []int{os.Getpid()}) {
		t.Errorf("told %v", told)
	}
	check(t, l.Close())
	told = nil
	check(t, w.open(t, LedgerOptions{Waiting: waiting}).Close())
	if told != nil {
		t.Errorf("told %v though nobody held it", told)
	}

	blocked := func(name string, block func(*world) string) {
		w := newWorld(t, dsse.Ed25519)
		path := block(w)
		_, err := w.tryOpen(t, LedgerOptions{})
		if err == nil || strings.Contains(err.Error(), "another run") || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "--state") {
			t.Errorf("%s: %v", name, err)
		}
	}
	blocked("a file in the folder's place", func(w *world) string {
		write(t, w.state, "")
		return w.state
	})
	blocked("no lock file can be made", func(w *world) string {
		path := filepath.Join(w.state, "ledger", "lock")
		check(t, os.MkdirAll(path, 0o700))
		return path
	})
}
