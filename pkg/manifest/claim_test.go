package manifest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/internal/filelock"
)

// Another state with the same folder must not take a run that is being written
// for one that was abandoned.
func TestTheFolderOfRunsIsLockedToo(t *testing.T) {
	a := newWorld(t, dsse.Ed25519)
	b := &world{state: filepath.Join(t.TempDir(), "state"), runs: a.runs, key: a.key, signer: a.signer}
	l := a.open(t, LedgerOptions{})
	partial := a.collectWith(t, l, runOptions{until: stageWritten})

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var held *filelock.HeldError
	if _, err := OpenLedger(ctx, b.state, b.runs, LedgerOptions{}); !errors.As(err, &held) || !strings.HasPrefix(held.Path, a.runs) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(partial, "actions.jsonl")); err != nil {
		t.Error(err)
	}
	check(t, os.RemoveAll(partial))
	dir := a.collectWith(t, l, done())
	check(t, l.Close())
	_, report := a.verify(t, dir, Options{})
	if len(report.Notes)+len(report.Interrupted) > 0 {
		t.Errorf("the lock is told of: %+v", report)
	}
	if _, err := b.tryOpen(t, LedgerOptions{}); !errors.Is(err, ErrNoHead) || !strings.Contains(err.Error(), "one --out belongs to one state") {
		t.Errorf("got %v", err)
	}
}

func TestAFolderOfAnotherLedgerIsRefused(t *testing.T) {
	a, b := newWorld(t, dsse.Ed25519), newWorld(t, dsse.Ed25519)
	for range 2 {
		a.collect(t, done())
		b.collect(t, done())
	}
	b.collect(t, done())
	refused := func() {
		t.Helper()
		_, err := b.tryOpen(t, LedgerOptions{})
		if err == nil || !strings.Contains(err.Error(), "one --out belongs to one state") ||
			!strings.Contains(err.Error(), a.runs) || !strings.Contains(err.Error(), b.state) {
			t.Errorf("got %v", err)
		}
	}
	// A head that says nothing of its folder, as older versions wrote it.
	head, err := readHead(b.headFile())
	check(t, err)
	b.runs, head.Runs = a.runs, ""
	l := &Ledger{file: b.headFile(), head: head}
	check(t, l.write())
	refused() // its own runs are not there
	a.collect(t, done())
	a.collect(t, done())
	refused() // and newer ones are
}
