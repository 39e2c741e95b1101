package manifest

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/run"
	"github.com/rcactl/rcactl/pkg/window"
)

// world is a state directory, a runs directory and a key, driven as a
// collecting program drives them.
type world struct {
	state, runs string
	key         crypto.Signer
	signer      dsse.Signer
}

func newWorld(t *testing.T, alg dsse.Algorithm) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{state: filepath.Join(dir, "state"), runs: filepath.Join(dir, "runs")}
	w.useKey(t, alg)
	return w
}

func (w *world) useKey(t *testing.T, alg dsse.Algorithm) {
	t.Helper()
	var err error
	if w.key, err = dsse.GenerateKey(alg, rand.Reader); err != nil {
		t.Fatal(err)
	}
	if w.signer, err = dsse.NewSigner(w.key, rand.Reader); err != nil {
		t.Fatal(err)
	}
}

func (w *world) keys() []crypto.PublicKey {
	if w.signer == nil {
		return nil
	}
	return []crypto.PublicKey{w.key.Public()}
}

func (w *world) open(t *testing.T, o LedgerOptions) *Ledger {
	t.Helper()
	l, err := w.tryOpen(t, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func (w *world) tryOpen(t *testing.T, o LedgerOptions) (*Ledger, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	o.Random = rand.Reader
	if o.Keys == nil {
		o.Keys = w.keys()
	}
	return OpenLedger(ctx, w.state, w.runs, o)
}

// stage is how far a run gets before its process is killed.
type stage int

const (
	stageWritten stage = iota // evidence only
	stageSealed               // manifests, not renamed
	stageRenamed              // in place, head not written
	stageDone
)

type runOptions struct {
	until  stage
	mutate func(*Statement)
}

// collect makes one run and returns its directory.
func (w *world) collect(t *testing.T, o runOptions) string {
	t.Helper()
	l := w.open(t, LedgerOptions{})
	defer func() { _ = l.Close() }()
	return w.collectWith(t, l, o)
}

func (w *world) collectWith(t *testing.T, l *Ledger, o runOptions) string {
	t.Helper()
	link := l.Next()
	name := RunName(link.Sequence, "run")
	dir := filepath.Join(w.runs, run.PartialPrefix+name)
	files := writeFiles(t, dir, map[string]string{
		"evidence/deployment.jsonl": fmt.Sprintf("{\"n\":%d}\n{\"n\":2}\n", link.Sequence),
		"evidence/runtime.jsonl":    "{\"b\":1}\n",
		"actions.jsonl":             "{\"verb\":\"list\"}\n",
	})
	if o.until == stageWritten {
		return dir
	}
	st := statement(link, files)
	if o.mutate != nil {
		o.mutate(&st)
	}
	head, err := Seal(t.Context(), dir, st, w.signer)
	if err != nil {
		t.Fatal(err)
	}
	if o.until == stageSealed {
		return dir
	}
	final := filepath.Join(w.runs, name)
	if err := os.Rename(dir, final); err != nil {
		t.Fatal(err)
	}
	if o.until == stageRenamed {
		return final
	}
	if err := l.Advance(head); err != nil {
		t.Fatal(err)
	}
	return final
}

func done() runOptions { return runOptions{until: stageDone} }

func writeFiles(t *testing.T, dir string, content map[string]string) []run.File {
	t.Helper()
	var files []run.File
	for name, text := range content {
		path := filepath.Join(dir, filepath.FromSlash(name))
		write(t, path, text)
		sum := sha256.Sum256([]byte(text))
		files = append(files, run.File{
			Name: name, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(text)), Records: int64(strings.Count(text, "\n")),
		})
	}
	return files
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func statement(link Link, files []run.File) Statement {
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	win := window.Window{Start: start, End: start.Add(2 * time.Hour)}
	return Statement{
		Subject: Subjects(files),
		Predicate: Predicate{
			Run: Run{
				ID: "run", Name: RunName(link.Sequence, "run"), Invocation: InvocationWindow,
				StartedAt: start.Add(2 * time.Hour), FinishedAt: start.Add(2*time.Hour + time.Second),
			},
			Outcome:   OutcomePartial,
			Collector: Collector{Name: "rcactl", Version: "test", ConfigDigest: Digest{SHA256: strings.Repeat("a", 64)}},
			Window:    &win,
			Sources: []Source{{
				Name: "kubernetes", Type: "kubernetes", Status: StatusPartial, ErrorClass: "forbidden",
				Streams: []Stream{{
					Name: "pods", Status: StatusSkipped, Asked: &win, Reason: "not allowed",
					Missing: []Missing{{Verb: "list", Resource: "pods", Namespace: "shop"}},
				}},
				Actions: Actions{Count: 1, Digest: Digest{SHA256: strings.Repeat("b", 64)}},
				Counts:  map[string]Number{"DeploymentEvent": 2},
				Skew:    &Skew{OffsetMilliseconds: -200, Measured: true},
			}},
			Redaction: Redaction{PolicyDigest: Digest{SHA256: strings.Repeat("c", 64)}, KeyID: "k1", Rules: []RuleCount{{"email", 7}}},
			Ledger:    link,
		},
	}
}

// verify expects exactly these codes, in any order; none means verified.
func (w *world) verify(t *testing.T, dir string, o Options, want ...Code) (Verified, Report) {
	t.Helper()
	if o.Keys == nil {
		o.Keys = w.keys()
	}
	v, report, err := Verify(t.Context(), dir, o)
	var got []Code
	for _, f := range report.Findings {
		got = append(got, f.Code)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got findings %v, want %v:\n%+v\n%v", got, want, report.Findings, err)
	}
	if (err == nil) != (len(want) == 0) {
		t.Errorf("error %v with findings %v", err, got)
	}
	if err != nil && v.payload != nil {
		t.Error("a passport was given all the same")
	}
	return v, report
}

func mentions(t *testing.T, r Report, text string) {
	t.Helper()
	for _, f := range r.Findings {
		if strings.Contains(f.String(), text) {
			return
		}
	}
	t.Errorf("no finding says %q: %+v", text, r.Findings)
}
