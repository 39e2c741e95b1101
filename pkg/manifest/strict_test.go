package manifest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/run"
)

func TestNothingFollowsTheBundle(t *testing.T) {
	for _, more := range []string{"\n", " ", "\t\r\n"} {
		w := newWorld(t, dsse.Ed25519)
		dir := w.collect(t, done())
		bundle := filepath.Join(dir, run.BundleFile)
		text, err := os.ReadFile(bundle)
		check(t, err)
		check(t, os.WriteFile(bundle, append(text, more...), 0o600))
		w.verify(t, dir, Options{}, CodeSignature)
	}
}

func TestDirectoriesOfNoSubject(t *testing.T) {
	w := newWorld(t, dsse.Ed25519)
	dir := w.collect(t, done())
	for _, name := range []string{"notes", "evidence/more", "a/b"} {
		check(t, os.MkdirAll(filepath.Join(dir, name), 0o700))
	}
	_, report := w.verify(t, dir, Options{}, CodeFileUnexpected, CodeFileUnexpected, CodeFileUnexpected, CodeFileUnexpected)
	mentions(t, report, "evidence/more")

	l := w.open(t, LedgerOptions{})
	partial := w.collectWith(t, l, runOptions{until: stageWritten})
	check(t, os.Mkdir(filepath.Join(partial, "notes"), 0o700))
	if err := sameFiles(t.Context(), partial, []Subject{}); err == nil {
		t.Error("sealed with a directory that would not verify")
	}
}
