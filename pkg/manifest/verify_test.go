package manifest

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/run"
)

func TestVerifiesWhatWasSealed(t *testing.T) {
	for _, alg := range []dsse.Algorithm{dsse.P256, dsse.Ed25519} {
		t.Run(string(alg), func(t *testing.T) {
			w := newWorld(t, alg)
			first := w.collect(t, done())
			last := w.collect(t, done())
			for _, dir := range []string{first, last} {
				v, report := w.verify(t, dir, Options{Runs: true})
				if !v.Signed() || report.Runs != 2 || report.Events != 3 || report.Files != 3 {
					t.Errorf("signed %v, report %+v", v.Signed(), report)
				}
				for _, c := range report.Checks {
					if c.Status != CheckOK {
						t.Errorf("%+v", c)
					}
				}
			}
			v, _ := w.verify(t, last, Options{})
			if got := v.Statement().Predicate; got.Ledger.Sequence != 2 || got.Sources[0].Streams[0].Missing[0].Resource != "pods" {
				t.Errorf("%+v", got)
			}
			f, err := v.Open("evidence/runtime.jsonl")
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(f); err != nil || string(text) != "{\"b\":1}\n" {
				t.Errorf("%q, %v", text, err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The rows of the attack table in docs/manifest.md.
func TestAttacks(t *testing.T) {
	name := func(n Number) string { return RunName(n, "run") }
	tests := []struct {
		name   string
		attack func(t *testing.T, w *world)
		target Number // of four
		expect []Code
		says   string
		head   []Code // with the head of run 4 kept elsewhere; nil: as expect
	}{
		{
			name: "evidence edited", target: 2, expect: []Code{CodeFileChanged}, says: "deployment.jsonl",
			attack: func(t *testing.T, w *world) {
				write(t, filepath.Join(w.runs, name(2), "evidence/deployment.jsonl"), "{\"n\":2}\n{\"n\":3}\n")
			},
		},
		{
			name: "evidence grown", target: 2, expect: []Code{CodeFileChanged}, says: "16 bytes",
			attack: func(t *testing.T, w *world) {
				write(t, filepath.Join(w.runs, name(2), "evidence/runtime.jsonl"), "{\"b\":1}\n{\"b\":1}\n")
			},
		},
		{
			name: "file removed", target: 2, expect: []Code{CodeFileMissing}, says: "runtime.jsonl",
			attack: func(t *testing.T, w *world) { remove(t, filepath.Join(w.runs, name(2), "evidence/runtime.jsonl")) },
		},
		{
			name: "file added", target: 2, expect: []Code{CodeFileUnexpected}, says: "evidence/extra.jsonl",
			attack: func(t *testing.T, w *world) {
				write(t, filepath.Join(w.runs, name(2), "evidence/extra.jsonl"), "{}\n")
			},
		},
		{
			name: "file renamed in case", target: 2, expect: []Code{CodeFileMissing, CodeFileUnexpected},
			attack: func(t *testing.T, w *world) {
				rename(t, filepath.Join(w.runs, name(2), "actions.jsonl"), filepath.Join(w.runs, name(2), "Actions.jsonl"))
			},
		},
		{
			name: "two files swapped", target: 2, expect: []Code{CodeFileChanged, CodeFileChanged},
			attack: func(t *testing.T, w *world) {
				dir := filepath.Join(w.runs, name(2))
				rename(t, dir+"/actions.jsonl", dir+"/x")
				rename(t, dir+"/evidence/runtime.jsonl", dir+"/actions.jsonl")
				rename(t, dir+"/x", dir+"/evidence/runtime.jsonl")
			},
		},
		{
			name: "file replaced by a link to the same bytes", target: 2, expect: []Code{CodeFileType, CodeFileMissing},
			attack: func(t *testing.T, w *world) {
				dir := filepath.Join(w.runs, name(2))
				rename(t, dir+"/actions.jsonl", w.state+"/moved")
				if err := os.Symlink(w.state+"/moved", dir+"/actions.jsonl"); err != nil {
					t.Skipf("no symbolic links here: %v", err)
				}
			},
		},
		{
			name: "signature removed", target: 2, expect: []Code{CodeSignatureMissing},
			attack: func(t *testing.T, w *world) { remove(t, filepath.Join(w.runs, name(2), run.BundleFile)) },
		},
		{
			name: "signature of another run", target: 2, expect: []Code{CodePayload},
			attack: func(t *testing.T, w *world) {
				copyFile(t, filepath.Join(w.runs, name(1), run.BundleFile), filepath.Join(w.runs, name(2), run.BundleFile))
			},
		},
		{
			name: "manifest removed", target: 2, expect: []Code{CodeInterrupted}, says: "interrupted",
			attack: func(t *testing.T, w *world) { remove(t, filepath.Join(w.runs, name(2), run.ManifestFile)) },
		},
		{
			name: "manifest of another run removed", target: 4, expect: []Code{CodeInterrupted}, says: name(2),
			attack: func(t *testing.T, w *world) { remove(t, filepath.Join(w.runs, name(2), run.ManifestFile)) },
		},
		{
			name: "middle run deleted", target: 4, expect: []Code{CodeRunMissing}, says: "run 2 is missing",
			attack: func(t *testing.T, w *world) { remove(t, filepath.Join(w.runs, name(2))) },
		},
		{
			name: "two middle runs deleted", target: 1, expect: []Code{CodeRunMissing}, says: "runs 2 to 3 are missing",
			attack: func(t *testing.T, w *world) {
				remove(t, filepath.Join(w.runs, name(2)))
				remove(t, filepath.Join(w.runs, name(3)))
			},
		},
		{
			name: "first run deleted", target: 3, expect: []Code{CodeRunMissing}, says: "run 1 is missing",
			attack: func(t *testing.T, w *world) { remove(t, filepath.Join(w.runs, name(1))) },
		},
		{
			name: "forged and signed again with the key", target: 2, expect: []Code{CodeLedgerPrevious}, says: name(2),
			attack: func(t *testing.T, w *world) { w.forge(t, 2) },
		},
		{
			name: "newest run deleted: only an outside head shows it", target: 1, head: []Code{CodeHead}, says: "",
			attack: func(t *testing.T, w *world) { remove(t, filepath.Join(w.runs, name(4))) },
		},
		{
			name: "newest run forged with the key: only an outside head shows it", target: 1, head: []Code{CodeHead},
			attack: func(t *testing.T, w *world) { w.forge(t, 4) },
		},
		{
			name: "run copied under a new number", target: 1, expect: []Code{CodeRunName, CodeLedgerFork},
			attack: func(t *testing.T, w *world) {
				if err := os.CopyFS(filepath.Join(w.runs, name(5)), os.DirFS(filepath.Join(w.runs, name(4)))); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "two runs change places", target: 2, expect: []Code{CodeRunName, CodeRunName, CodeRunName, CodeRunName},
			attack: func(t *testing.T, w *world) {
				rename(t, filepath.Join(w.runs, name(2)), filepath.Join(w.runs, "x"))
				rename(t, filepath.Join(w.runs, name(3)), filepath.Join(w.runs, name(2)))
				rename(t, filepath.Join(w.runs, "x"), filepath.Join(w.runs, name(3)))
			},
		},
		{
			name: "run of another ledger put beside", target: 2, expect: []Code{CodeLedgerOther}, says: "another",
			attack: func(t *testing.T, w *world) {
				other := &world{state: t.TempDir(), runs: t.TempDir(), key: w.key, signer: w.signer}
				for range 5 {
					other.collect(t, done())
				}
				rename(t, filepath.Join(other.runs, name(5)), filepath.Join(w.runs, name(5)))
			},
		},
		{
			name: "runs directory holds other things", target: 2,
			attack: func(t *testing.T, w *world) {
				if err := os.MkdirAll(filepath.Join(w.runs, "lost+found"), 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(w.runs, "notes.txt"), "x")
				write(t, filepath.Join(w.runs, run.PartialPrefix+"000005-run", "evidence", "x.jsonl"), "{}\n")
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, dsse.Ed25519)
			var anchor string
			for range 4 {
				v, _ := w.verify(t, w.collect(t, done()), Options{})
				anchor = "sha256:" + v.Digest()
			}
			test.attack(t, w)
			dir := filepath.Join(w.runs, name(test.target))
			_, report := w.verify(t, dir, Options{}, test.expect...)
			if test.says != "" && test.says != "another" {
				mentions(t, report, test.says)
			}
			if test.head != nil {
				w.verify(t, dir, Options{ExpectHead: anchor}, test.head...)
			}
		})
	}
}

// forge rewrites run n with another source status and signs it with the key.
func (w *world) forge(t *testing.T, n Number) {
	t.Helper()
	dir := filepath.Join(w.runs, RunName(n, "run"))
	st, _, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	st.Predicate.Outcome = OutcomeComplete
	if _, err := Seal(t.Context(), dir, st, w.signer); err != nil {
		t.Fatal(err)
	}
}

// Every byte of every file matters, the signature file's included.
func TestFlippedBytes(t *testing.T) {
	w := newWorld(t, dsse.P256)
	w.collect(t, done())
	dir := w.collect(t, done())
	w.collect(t, done())
	files := []string{"evidence/deployment.jsonl", "evidence/runtime.jsonl", "actions.jsonl", run.ManifestFile, run.BundleFile}
	random := rand.New(rand.NewPCG(1, 2))
	tries := 40
	for _, name := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range tries {
			bad := bytes.Clone(whole)
			at := random.IntN(len(bad))
			bad[at] ^= byte(1 + random.IntN(255))
			write(t, path, string(bad))
			_, report, err := Verify(t.Context(), dir, Options{Keys: w.keys()})
			if !errors.Is(err, ErrNotVerified) {
				t.Fatalf("%s: byte %d changed from %q to %q: %v", name, at, whole[at], bad[at], err)
			}
			if f := report.Findings[0].File; f != name && (name != run.ManifestFile || f != run.BundleFile) {
				t.Errorf("%s: byte %d changed, and the first finding is about %q", name, at, f)
			}
		}
		write(t, path, string(whole))
	}
	w.verify(t, dir, Options{})
}

func TestKeys(t *testing.T) {
	w := newWorld(t, dsse.P256)
	first := w.collect(t, done())
	other := newWorld(t, dsse.Ed25519)
	w.verify(t, first, Options{Keys: other.keys()}, CodeSignature)
	w.verify(t, first, Options{Keys: []crypto.PublicKey{}}, CodeNoKey)
	if _, _, err := Verify(t.Context(), first, Options{Keys: []crypto.PublicKey{"x"}}); err == nil || errors.Is(err, ErrNotVerified) {
		t.Errorf("a useless key: %v", err)
	}

	// Rotation: run 2 announces the key of run 3, nothing announces that of run 4.
	old := w.keys()[0]
	next := newWorld(t, dsse.Ed25519)
	digest, err := dsse.KeyDigest(next.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	w.collect(t, runOptions{until: stageDone, mutate: func(st *Statement) { st.Predicate.Signing = &Signing{NextPublicKeySHA256: digest} }})
	w.key, w.signer = next.key, next.signer
	w.collect(t, done())
	w.key, w.signer = other.key, other.signer
	last := w.collect(t, done())
	_, report := w.verify(t, last, Options{Keys: []crypto.PublicKey{old, next.key.Public(), other.key.Public()}})
	var got []string
	for _, k := range report.Keys {
		got = append(got, strings.Repeat("announced ", map[bool]int{true: 1}[k.Announced])+string(rune('0'+k.First))+"-"+string(rune('0'+k.Last)))
	}
	if want := []string{"1-2", "announced 3-3", "4-4"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	w.verify(t, last, Options{Keys: []crypto.PublicKey{next.key.Public(), other.key.Public()}}, CodeSignature, CodeSignature)
}

func TestHintAndOwnKeyMustFit(t *testing.T) {
	w, other := newWorld(t, dsse.P256), newWorld(t, dsse.P256)
	dir := w.collect(t, done())
	payload, err := os.ReadFile(filepath.Join(dir, run.ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	resign := func(signer dsse.Signer, hintOf crypto.PublicKey) {
		e, err := dsse.Sign(t.Context(), signer, dsse.PayloadType, payload)
		if err != nil {
			t.Fatal(err)
		}
		hint, err := dsse.Hint(hintOf)
		if err != nil {
			t.Fatal(err)
		}
		text, err := dsse.EncodeBundle(dsse.Bundle{Hint: hint, Envelope: e})
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, run.BundleFile), string(text))
	}
	both := Options{Keys: []crypto.PublicKey{w.key.Public(), other.key.Public()}}
	resign(w.signer, other.key.Public())
	_, report := w.verify(t, dir, both, CodeSignature)
	mentions(t, report, "hint")
	resign(other.signer, other.key.Public())
	_, report = w.verify(t, dir, both, CodeSignature)
	mentions(t, report, "another key")
}

func TestUnsigned(t *testing.T) {
	w := newWorld(t, dsse.P256)
	signer := w.signer
	w.signer = nil
	w.collect(t, done())
	dir := w.collect(t, done())
	_, report := w.verify(t, dir, Options{}, CodeSignatureMissing, CodeSignatureMissing)
	v, report2 := w.verify(t, dir, Options{AllowUnsigned: true})
	if v.Signed() || report2.Checks[0].Status != CheckUnsigned || report.Checks[0].Status != CheckFailed {
		t.Errorf("%+v", report2.Checks)
	}
	// Signed later, by cosign for example, over the same bytes.
	payload, err := os.ReadFile(filepath.Join(dir, run.ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed(t.Context(), signer, payload)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, run.BundleFile), string(text))
	w.signer = signer
	if v, _ := w.verify(t, dir, Options{AllowUnsigned: true}); !v.Signed() {
		t.Error("not signed")
	}
	// A signed run must not become an unsigned one by losing its signature.
	dir = w.collect(t, done())
	remove(t, filepath.Join(dir, run.BundleFile))
	w.verify(t, dir, Options{AllowUnsigned: true}, CodeSignatureMissing)
}

func TestAlone(t *testing.T) {
	w := newWorld(t, dsse.P256)
	w.collect(t, done())
	dir := w.collect(t, done())
	away := filepath.Join(t.TempDir(), "incident-4711")
	if err := os.CopyFS(away, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	w.verify(t, away, Options{}, CodeRunName, CodeRunMissing)
	v, report := w.verify(t, away, Options{Alone: true})
	if report.Checks[2].Status != CheckSkipped {
		t.Errorf("%+v", report.Checks)
	}
	w.verify(t, away, Options{Alone: true, ExpectHead: "sha256:" + v.Digest()})
	w.verify(t, away, Options{Alone: true, ExpectHead: "sha256:" + strings.Repeat("0", 64)}, CodeHead)
}

func TestExpectedHeadMayBeOlder(t *testing.T) {
	w := newWorld(t, dsse.P256)
	v, _ := w.verify(t, w.collect(t, done()), Options{})
	dir := w.collect(t, done())
	_, report := w.verify(t, dir, Options{ExpectHead: "sha256:" + v.Digest()})
	if !slices.ContainsFunc(report.NotProven, func(s string) bool { return strings.Contains(s, "the expected head is an older run") }) {
		t.Errorf("%q", report.NotProven)
	}
	for _, bad := range []string{"x", v.Digest(), "sha256:" + strings.ToUpper(v.Digest())} {
		if _, _, err := Verify(t.Context(), dir, Options{ExpectHead: bad}); err == nil || errors.Is(err, ErrNotVerified) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestInterruptedRuns(t *testing.T) {
	w := newWorld(t, dsse.P256)
	w.collect(t, done())
	w.verify(t, w.collect(t, runOptions{until: stageWritten}), Options{}, CodeInterrupted, CodeInterrupted)
	remove(t, filepath.Join(w.runs, run.PartialPrefix+RunName(2, "run")))
	_, report := w.verify(t, w.collect(t, runOptions{until: stageSealed}), Options{Alone: true}, CodeInterrupted)
	mentions(t, report, "never finished")
	_, report = w.verify(t, filepath.Join(w.runs, RunName(1, "run")), Options{})
	if !slices.Equal(report.Interrupted, []string{run.PartialPrefix + RunName(2, "run")}) {
		t.Errorf("%q", report.Interrupted)
	}
}

func TestOtherRunsFiles(t *testing.T) {
	w := newWorld(t, dsse.P256)
	first := w.collect(t, done())
	dir := w.collect(t, done())
	remove(t, filepath.Join(first, "actions.jsonl"))
	w.verify(t, dir, Options{})
	_, report := w.verify(t, dir, Options{Runs: true}, CodeFileMissing)
	mentions(t, report, RunName(1, "run"))
}

func TestPrunedFilesMayBeMissing(t *testing.T) {
	w := newWorld(t, dsse.P256)
	first := w.collect(t, done())
	v, _ := w.verify(t, first, Options{})
	remove(t, filepath.Join(first, "evidence"))
	w.verify(t, first, Options{}, CodeFileMissing, CodeFileMissing)
	pruned := Pruned{Name: RunName(1, "run"), Digest: Digest{SHA256: v.Digest()}, Files: []string{"evidence/deployment.jsonl", "evidence/runtime.jsonl"}}
	w.collect(t, runOptions{until: stageDone, mutate: func(st *Statement) { st.Predicate.Pruned = []Pruned{pruned} }})
	_, report := w.verify(t, first, Options{})
	if !strings.Contains(report.Checks[1].Detail, "2 removed by retention") {
		t.Errorf("%+v", report.Checks)
	}
	remove(t, filepath.Join(first, "actions.jsonl"))
	w.verify(t, first, Options{}, CodeFileMissing)
}

func TestOpenSeesLaterChanges(t *testing.T) {
	w := newWorld(t, dsse.P256)
	dir := w.collect(t, done())
	v, _ := w.verify(t, dir, Options{})
	path := filepath.Join(dir, "evidence/runtime.jsonl")
	for _, text := range []string{"{\"b\":2}\n", "{\"b\":1}\n{}\n", ""} {
		write(t, path, text)
		f, err := v.Open("evidence/runtime.jsonl")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); !errors.Is(err, ErrNotVerified) {
			t.Errorf("read %q: %v", got, err)
		}
		_ = f.Close()
	}
	for _, name := range []string{"../" + RunName(1, "run") + "/actions.jsonl", run.ManifestFile, "/etc/hostname", ""} {
		if _, err := v.Open(name); err == nil {
			t.Errorf("opened %q", name)
		}
	}
	if _, err := (Verified{}).Open("actions.jsonl"); err == nil {
		t.Error("the zero passport opened a file")
	}
	if st := (Verified{}).Statement(); st.Type != "" {
		t.Errorf("%+v", st)
	}
}

func TestCancelled(t *testing.T) {
	w := newWorld(t, dsse.P256)
	dir := w.collect(t, done())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Verify(ctx, dir, Options{Keys: w.keys()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, _, err := Verify(t.Context(), filepath.Join(dir, "no"), Options{}); err == nil {
		t.Error("verified nothing")
	}
}

func TestList(t *testing.T) {
	w := newWorld(t, dsse.P256)
	if rows, err := List(t.Context(), w.runs); err != nil || rows != nil {
		t.Errorf("%v, %v", rows, err)
	}
	w.collect(t, done())
	second := w.collect(t, done())
	w.collect(t, runOptions{until: stageWritten})
	remove(t, filepath.Join(second, run.ManifestFile))
	rows, err := List(t.Context(), w.runs)
	if err != nil || len(rows) != 3 {
		t.Fatalf("%+v, %v", rows, err)
	}
	if r := rows[0]; r.Sequence != 1 || r.Events != 3 || r.Files != 3 || !r.Bundle || r.Outcome != OutcomePartial || r.Problem != "" {
		t.Errorf("%+v", r)
	}
	if r := rows[1]; r.Sequence != 2 || !strings.Contains(r.Problem, "interrupted") {
		t.Errorf("%+v", r)
	}
	if r := rows[2]; r.Sequence != 0 || r.Problem == "" {
		t.Errorf("%+v", r)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(text))
}

func TestWhatIsNotProvenNamesTheSignature(t *testing.T) {
	w, other := newWorld(t, dsse.P256), newWorld(t, dsse.P256)
	dir := w.collect(t, done())
	notProven := func(o Options, want string, codes ...Code) {
		t.Helper()
		if _, r := w.verify(t, dir, o, codes...); !strings.Contains(r.NotProven[0], want) {
			t.Errorf("got %q, want %q", r.NotProven, want)
		}
	}
	notProven(Options{}, "not used by someone else")
	notProven(Options{Keys: other.keys()}, "none of the given keys made the signature", CodeSignature)
	notProven(Options{Keys: []crypto.PublicKey{}}, "no public key was given", CodeNoKey)
	bundle := filepath.Join(dir, run.BundleFile)
	write(t, bundle, "{}")
	notProven(Options{}, "does not hold", CodeSignature)
	remove(t, bundle)
	notProven(Options{}, "it is not signed", CodeSignatureMissing)
}

func TestWrongUsageIsToldFromAWrongRun(t *testing.T) {
	w := newWorld(t, dsse.P256)
	dir := w.collect(t, done())
	for name, o := range map[string]Options{"head": {ExpectHead: "x"}, "key": {Keys: []crypto.PublicKey{"x"}}} {
		if _, _, err := Verify(t.Context(), dir, o); !errors.Is(err, ErrUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Verify(t.Context(), dir, Options{}); errors.Is(err, ErrUsage) {
		t.Errorf("got %v", err)
	}
}

func TestReadOfWhatIsNoRun(t *testing.T) {
	w := newWorld(t, dsse.P256)
	for dir, want := range map[string]string{
		t.TempDir(): " is not a run: it has no manifest.json",
		w.collect(t, runOptions{until: stageWritten}): "is being written now",
	} {
		if _, _, err := Read(dir); err == nil || !strings.HasPrefix(err.Error(), dir) || !strings.HasSuffix(err.Error(), want) && !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "statat") || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A person who reads the report reads each thing once, in proper numbers.
func TestReportsReadWell(t *testing.T) {
	w := newWorld(t, dsse.P256)
	first := w.collect(t, done())
	for _, name := range []string{"a", "b", "c"} {
		check(t, os.Mkdir(filepath.Join(w.runs, name), 0o700))
	}
	_, report := w.verify(t, first, Options{})
	if len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "3 directories were") || !strings.Contains(report.Notes[0], "a, b, ...") {
		t.Errorf("%q", report.Notes)
	}
	if detail := report.Checks[2].Detail; !strings.HasPrefix(detail, "1 run,") {
		t.Error(detail)
	}
	w.collect(t, done())
	write(t, filepath.Join(first, "evidence/runtime.jsonl"), "{\"b\":2}\n")
	write(t, filepath.Join(first, "extra"), "")
	remove(t, filepath.Join(first, "actions.jsonl"))
	_, report, err := Verify(t.Context(), first, Options{Keys: w.keys()})
	if !strings.Contains(err.Error(), "3 problems, the first: actions.jsonl: ") {
		t.Error(err)
	}
	for _, f := range report.Findings {
		if f.File == "" || strings.Contains(f.Message, f.File) {
			t.Errorf("%+v", f)
		}
	}
	if !slices.ContainsFunc(report.NotProven, func(s string) bool { return strings.Contains(s, "other runs here (1)") }) {
		t.Errorf("%q", report.NotProven)
	}

	second := filepath.Join(w.runs, RunName(2, "run"))
	away := filepath.Join(t.TempDir(), RunName(2, "run"))
	check(t, os.CopyFS(away, os.DirFS(second)))
	_, report = w.verify(t, away, Options{}, CodeRunMissing)
	mentions(t, report, "--alone")
}

// What is not there is left out: a digest that is written has 64 digits.
func TestNoEmptyDigests(t *testing.T) {
	text, err := Encode(Statement{Predicate: Predicate{Sources: []Source{{Cursor: &Cursor{Before: Digest{SHA256: strings.Repeat("a", 64)}}}}}})
	check(t, err)
	source, _, _ := strings.Cut(string(text[bytes.Index(text, []byte(`"sources"`)):]), `"redaction"`)
	if strings.Contains(source, `"sha256": ""`) || strings.Contains(source, "after") || !strings.Contains(source, "before") {
		t.Error(source)
	}
}
