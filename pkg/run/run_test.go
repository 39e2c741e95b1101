package run

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/evidence/evidencetest"
	"github.com/rcactl/rcactl/pkg/redact"
)

func redactor(t testing.TB) *redact.Redactor {
	t.Helper()
	k, err := redact.NewKey([]byte("a key of the tests, with 32 bytes or more"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := redact.Compile(redact.Policy{}, k)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func signal(t testing.TB, r *redact.Redactor, instance string, i int) redact.Redacted {
	t.Helper()
	at := time.Date(2026, 1, 31, 14, 0, i, 0, time.UTC)
	out, err := r.Redact(evidence.Event{
		Schema: evidence.Schema, ID: evidence.ID(evidence.KindSignal, instance, fmt.Sprint(i)), Kind: evidence.KindSignal,
		Time: at, Severity: evidence.SeverityWarning,
		Source: evidence.Source{Connector: instance, Stream: "pods", Object: evidence.Object{Kind: "Pod", Name: fmt.Sprintf("orders-%d", i)}},
		Signal: &evidence.Signal{Class: "crash_loop", Count: 1, First: at},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func change(t testing.TB, r *redact.Redactor) redact.Redacted {
	t.Helper()
	out, err := r.Redact(evidence.Event{
		Schema: evidence.Schema, ID: evidence.ID(evidence.KindConfigChange, "x"), Kind: evidence.KindConfigChange,
		Time: time.Unix(1769868000, 0), Severity: evidence.SeverityInfo,
		Source:       evidence.Source{Connector: "kubernetes", Stream: "configmaps", Object: evidence.Object{Kind: "ConfigMap", Name: "orders"}},
		ConfigChange: &evidence.ConfigChange{Change: "update", How: "managed_fields"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func begin(t testing.TB, runs string) *Writer {
	t.Helper()
	w, err := Create(runs, "run-1")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checkFiles compares what Finish told with what lies on the disk.
func checkFiles(t testing.TB, dir string, files []File) {
	t.Helper()
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name))
		must(t, err)
		sum := sha256.Sum256(data)
		if f.SHA256 != hex.EncodeToString(sum[:]) || f.Bytes != int64(len(data)) || f.Records != int64(strings.Count(string(data), "\n")) {
			t.Errorf("%+v is not what is on the disk (%d bytes)", f, len(data))
		}
		if strings.HasPrefix(f.Name, EvidenceDir) {
			for line := range strings.Lines(string(data)) {
				evidencetest.Validate(t, []byte(line))
			}
		}
	}
}

func names(files []File) []string {
	var out []string
	for _, f := range files {
		out = append(out, f.Name)
	}
	return out
}

func TestRun(t *testing.T) {
	runs, r := filepath.Join(t.TempDir(), "state", "runs"), redactor(t)
	w := begin(t, runs)
	must(t, w.Append("postgres/orders", signal(t, r, "postgres/orders", 1)))
	must(t, w.Append("kubernetes", signal(t, r, "kubernetes", 2)))
	must(t, w.Append("kubernetes", change(t, r)))
	must(t, w.Append("kubernetes", signal(t, r, "kubernetes", 1)))
	must(t, w.Actions("kubernetes", []Action{
		{Stream: "pods", Method: "GET", Target: "/api/v1/pods?a=1&b=2", Requests: 1},
		{Stream: "events", Method: "GET", Target: "/api/v1/events", Requests: 2},
		{Stream: "pods", Method: "GET", Target: "/api/v1/pods?a=1&b=2", Requests: 3},
	}))
	files, err := w.Finish()
	must(t, err)
	want := []string{"actions.jsonl", "evidence/kubernetes.ConfigChangeEvent.jsonl", "evidence/kubernetes.RuntimeSignal.jsonl", "evidence/postgres-orders.RuntimeSignal.jsonl"}
	if diff := cmp.Diff(want, names(files)); diff != "" {
		t.Error(diff)
	}
	checkFiles(t, w.Dir(), files)
	actions, err := os.ReadFile(filepath.Join(w.Dir(), ActionsFile))
	must(t, err)
	wantActions := `{"connector":"kubernetes","stream":"events","method":"GET","target":"/api/v1/events","requests":2}
{"connector":"kubernetes","stream":"pods","method":"GET","target":"/api/v1/pods?a=1&b=2","requests":4}
`
	if diff := cmp.Diff(wantActions, string(actions)); diff != "" {
		t.Error(diff)
	}
	if leaks, err := w.Scan(); err != nil || len(leaks) > 0 {
		t.Errorf("%v, %v", leaks, err)
	}

	if _, err := w.Commit(); err == nil || !strings.Contains(err.Error(), ManifestFile) {
		t.Fatalf("committed without a manifest: %v", err)
	}
	must(t, os.Mkdir(filepath.Join(w.Dir(), ManifestFile), 0o700))
	if _, err := w.Commit(); err == nil {
		t.Fatal("committed with a folder for a manifest")
	}
	must(t, os.Remove(filepath.Join(w.Dir(), ManifestFile)))
	must(t, os.WriteFile(filepath.Join(w.Dir(), ManifestFile), []byte("{}"), 0o600))
	dir, err := w.Commit()
	must(t, err)
	if dir != filepath.Join(runs, "run-1") {
		t.Errorf("committed as %s", dir)
	}
	must(t, w.Abort())
	checkFiles(t, dir, files)

	reader, err := Open(dir)
	must(t, err)
	defer reader.Close()
	var got []string
	must(t, reader.Events(func(e evidence.Event) error {
		got = append(got, e.Source.Connector+" "+e.Source.Object.Name)
		return nil
	}))
	// Within an instance and kind the order is that of the calls.
	if diff := cmp.Diff([]string{"kubernetes orders", "kubernetes orders-2", "kubernetes orders-1", "postgres/orders orders-1"}, got); diff != "" {
		t.Error(diff)
	}
	stop := errors.New("enough")
	if err := reader.Events(func(evidence.Event) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the error of yield became %v", err)
	}
}

func TestOnlyTheOwnerMayRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	runs := filepath.Join(t.TempDir(), "runs")
	w := begin(t, runs)
	must(t, w.Append("kubernetes", change(t, redactor(t))))
	_, err := w.Finish()
	must(t, err)
	must(t, filepath.WalkDir(runs, func(path string, d os.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	}))
}

func TestEmptyRunHasActions(t *testing.T) {
	w := begin(t, t.TempDir())
	files, err := w.Finish()
	must(t, err)
	if len(files) != 1 || files[0].Name != ActionsFile || files[0].Records != 0 {
		t.Errorf("%+v", files)
	}
	checkFiles(t, w.Dir(), files)
}

func TestWithoutPassportNothingIsWritten(t *testing.T) {
	w := begin(t, t.TempDir())
	if err := w.Append("kubernetes", redact.Redacted{}); err == nil {
		t.Error("an empty passport was taken")
	}
	files, err := w.Finish()
	must(t, err)
	if len(files) != 1 {
		t.Errorf("%v", names(files))
	}
}

func TestRollsBeforeTheLimit(t *testing.T) {
	r, runs := redactor(t), t.TempDir()
	size := int64(len(signal(t, r, "kubernetes", 1).Line())) + 1
	// Three lines fit exactly.
	w, err := create(runs, "run-1", 3*size, createFile)
	must(t, err)
	for i := range 35 {
		must(t, w.Append("kubernetes", signal(t, r, "kubernetes", i%10)))
	}
	files, err := w.Finish()
	must(t, err)
	checkFiles(t, w.Dir(), files)
	var records []int64
	for _, f := range files {
		records = append(records, f.Records)
		if f.Bytes > 3*size {
			t.Errorf("%s has %d bytes, over %d", f.Name, f.Bytes, 3*size)
		}
	}
	if len(files) != 13 || files[1].Name != "evidence/kubernetes.RuntimeSignal.0002.jsonl" || slices.Max(records) != 3 {
		t.Errorf("%v %v", names(files), records)
	}
	reader, err := Open(w.Dir())
	must(t, err)
	defer reader.Close()
	// One byte less, and only two fit.
	tight, err := create(runs, "run-2", 3*size-1, createFile)
	must(t, err)
	for i := range 3 {
		must(t, tight.Append("kubernetes", signal(t, r, "kubernetes", i)))
	}
	if files, err := tight.Finish(); err != nil || len(files) != 3 {
		t.Errorf("%v, %v", names(files), err)
	}
	i := 0
	must(t, reader.Events(func(e evidence.Event) error {
		if want := fmt.Sprintf("orders-%d", i%10); e.Source.Object.Name != want {
			t.Fatalf("event %d is %s, want %s", i, e.Source.Object.Name, want)
		}
		i++
		return nil
	}))
	if i != 35 {
		t.Errorf("%d events", i)
	}
}

func TestNoMoreFilesThanCanBeSigned(t *testing.T) {
	r := redactor(t)
	w, err := create(t.TempDir(), "run-1", 1, createFile)
	must(t, err)
	e := change(t, r)
	for range MaxFiles - 1 {
		must(t, w.Append("kubernetes", e))
	}
	if err := w.Append("kubernetes", e); err == nil || !strings.Contains(err.Error(), "1000 files") {
		t.Fatalf("got %v", err)
	}
	if _, err := w.Finish(); err == nil {
		t.Error("finished with a hole")
	}
}

func TestConcurrentAppends(t *testing.T) {
	r := redactor(t)
	digests := map[string]string{}
	for attempt := range 2 {
		w := begin(t, t.TempDir())
		var wg sync.WaitGroup
		for n := range 6 {
			instance := fmt.Sprintf("kubernetes/c%d", n)
			wg.Go(func() {
				for i := range 40 {
					if err := w.Append(instance, signal(t, r, instance, i%50)); err != nil {
						t.Error(err)
					}
				}
				if err := w.Actions(instance, []Action{{Stream: "pods", Method: "GET", Target: "/", Requests: 1}}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		files, err := w.Finish()
		must(t, err)
		checkFiles(t, w.Dir(), files)
		for _, f := range files {
			if attempt > 0 && digests[f.Name] != f.SHA256 {
				t.Errorf("%s differs between equal runs", f.Name)
			}
			digests[f.Name] = f.SHA256
		}
		if len(files) != 7 {
			t.Errorf("%v", names(files))
		}
	}
}

// Appending while the run ends must fail or be counted, never be half in.
func TestFinishDuringAppends(t *testing.T) {
	r := redactor(t)
	e := change(t, r)
	w := begin(t, t.TempDir())
	var wg sync.WaitGroup
	var mu sync.Mutex
	written := int64(0)
	for range 4 {
		wg.Go(func() {
			for {
				if err := w.Append("kubernetes", e); err != nil {
					if !errors.Is(err, ErrFinished) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				written++
				mu.Unlock()
			}
		})
	}
	time.Sleep(5 * time.Millisecond)
	files, err := w.Finish()
	must(t, err)
	wg.Wait()
	checkFiles(t, w.Dir(), files)
	var total int64
	for _, f := range files {
		total += f.Records
	}
	if total != written {
		t.Errorf("%d acknowledged, %d written", written, total)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", ".hidden", "a/b", "a\\b", "a b", strings.Repeat("a", 129), "../x"} {
		if _, err := Create(t.TempDir(), name); err == nil {
			t.Errorf("made a run called %q", name)
		}
	}
	w, e := begin(t, t.TempDir()), change(t, redactor(t))
	for _, instance := range []string{"", ".", "../x", "a/../b", "a/b/c", "a b", "a\x00"} {
		if err := w.Append(instance, e); err == nil {
			t.Errorf("took an instance called %q", instance)
		}
	}
	must(t, w.Append("postgres/orders", e))
	for _, clash := range []string{"postgres-orders", "Postgres/orders"} {
		if err := w.Append(clash, e); err == nil || !strings.Contains(err.Error(), "postgres/orders") {
			t.Errorf("%s and postgres/orders share a file: %v", clash, err)
		}
	}
}

func TestRunsOfOneName(t *testing.T) {
	runs := t.TempDir()
	w := begin(t, runs)
	if _, err := Create(runs, "run-1"); err == nil || !strings.Contains(err.Error(), PartialPrefix+"run-1") {
		t.Errorf("two writers for one run: %v", err)
	}
	_, err := w.Finish()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(w.Dir(), ManifestFile), nil, 0o600))
	// Somebody was faster.
	must(t, os.Mkdir(filepath.Join(runs, "run-1"), 0o700))
	if _, err := w.Commit(); err == nil {
		t.Error("an existing directory was replaced")
	}
	if _, err := Create(runs, "run-1"); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a run of an existing name: %v", err)
	}
}

// A killed process leaves a partial run. It is no run, and it is in nobody's way.
func TestCrashLeftovers(t *testing.T) {
	runs, r := t.TempDir(), redactor(t)
	killed := begin(t, runs)
	must(t, killed.Append("kubernetes", change(t, r)))

	w, err := Create(runs, "run-2")
	must(t, err)
	must(t, w.Append("kubernetes", change(t, r)))
	_, err = w.Finish()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(w.Dir(), ManifestFile), nil, 0o600))
	_, err = w.Commit()
	must(t, err)
	var plain []string
	entries, err := os.ReadDir(runs)
	must(t, err)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			plain = append(plain, e.Name())
		}
	}
	if !slices.Equal(plain, []string{"run-2"}) {
		t.Errorf("runs are %v", plain)
	}
	if _, err := os.Stat(killed.Dir()); err != nil {
		t.Errorf("the other's directory is gone: %v", err)
	}
}

func TestAbortRemovesWhatWasWritten(t *testing.T) {
	runs := t.TempDir()
	w := begin(t, runs)
	must(t, w.Append("kubernetes", change(t, redactor(t))))
	must(t, w.Abort())
	must(t, w.Abort())
	if entries, err := os.ReadDir(runs); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
	if err := w.Append("kubernetes", change(t, redactor(t))); !errors.Is(err, ErrFinished) {
		t.Errorf("got %v", err)
	}
	if _, err := w.Commit(); err == nil {
		t.Error("committed after Abort")
	}
}

func TestLeaksAreFoundAndQuarantined(t *testing.T) {
	runs := t.TempDir()
	w := begin(t, runs)
	must(t, w.Append("kubernetes", change(t, redactor(t))))
	// Actions do not go through redaction; the leak check looks at them too.
	must(t, w.Actions("kubernetes", []Action{{Stream: "pods", Method: "GET", Target: "/"}, {Stream: "pods", Method: "GET", Target: "https://app:hunter22@host/"}}))
	_, err := w.Finish()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(w.Dir(), "notes"), []byte("\n\npassword=hunter22"), 0o600))
	leaks, err := w.Scan()
	must(t, err)
	want := []Leak{
		{"actions.jsonl", redact.Finding{Line: 2, Detector: "url-password"}},
		{"notes", redact.Finding{Line: 3, Detector: "assigned-credential"}},
	}
	if diff := cmp.Diff(want, leaks); diff != "" {
		t.Error(diff)
	}
	dir, err := w.Quarantine()
	must(t, err)
	if dir != filepath.Join(runs, ".quarantine-run-1") {
		t.Errorf("quarantined as %s", dir)
	}
	// A next attempt may have the name by now.
	next := begin(t, runs)
	must(t, w.Abort())
	if _, err := os.Stat(next.Dir()); err != nil {
		t.Errorf("Abort removed the run of another: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, ActionsFile)); err != nil {
		t.Errorf("the quarantined run is gone: %v", err)
	}
	if _, err := w.Commit(); err == nil {
		t.Error("committed after Quarantine")
	}
}

// full is a disk that takes n bytes.
type full struct {
	file
	n *int
}

func (f full) Write(p []byte) (int, error) {
	if *f.n -= len(p); *f.n < 0 {
		return 0, syscall.ENOSPC
	}
	return f.file.Write(p)
}

type unsynced struct{ file }

func (unsynced) Sync() error { return syscall.EIO }

type short struct{ file }

func (short) Write(p []byte) (int, error) { return len(p) / 2, nil }

func TestTroubleWithTheDisk(t *testing.T) {
	e := change(t, redactor(t))
	for name, c := range map[string]struct {
		wrap func(file) file
		want string
	}{
		"full":     {func(f file) file { n := 100 << 10; return full{f, &n} }, "--out"},
		"unsynced": {func(f file) file { return unsynced{f} }, syscall.EIO.Error()},
		"short":    {func(f file) file { return short{f} }, "short write"},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := create(t.TempDir(), "run-1", MaxFileSize, func(path string) (file, error) {
				f, err := createFile(path)
				if err != nil || strings.HasSuffix(path, ActionsFile) {
					return f, err
				}
				return c.wrap(f), nil
			})
			must(t, err)
			var first error
			for range 1000 {
				if err := w.Append("kubernetes", e); err != nil && first == nil {
					first = err
				} else if err == nil && first != nil {
					t.Fatal("wrote on after an error")
				}
			}
			_, err = w.Finish()
			if err == nil || !strings.Contains(err.Error(), "evidence/kubernetes.ConfigChangeEvent.jsonl") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			must(t, w.Abort())
		})
	}
}

func TestReaderIsBounded(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, EvidenceDir), 0o700))
	read := func(content string) error {
		must(t, os.WriteFile(filepath.Join(dir, EvidenceDir, "a.K.jsonl"), []byte(content), 0o600))
		r, err := Open(dir)
		must(t, err)
		defer r.Close()
		return r.Lines("evidence/a.K.jsonl", func([]byte) error { return nil })
	}
	must(t, read(""))
	must(t, read("{}\n"+strings.Repeat("x", redact.MaxLine)+"\n"))
	for content, want := range map[string]string{
		"{}\n" + strings.Repeat("x", redact.MaxLine+1) + "\n": "line 2 is longer",
		"{}\n{}": "line 2 is cut off",
	} {
		if err := read(content); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	r, err := Open(dir)
	must(t, err)
	defer r.Close()
	for content, want := range map[string]string{
		"{}\n":           "its schema",
		"nothing\n":      "line 1",
		"{\"time\":1}\n": "line 1",
	} {
		must(t, os.WriteFile(filepath.Join(dir, EvidenceDir, "a.K.jsonl"), []byte(content), 0o600))
		if err := r.Events(func(evidence.Event) error { return nil }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestReaderStaysInside(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside.jsonl")
	must(t, os.WriteFile(outside, []byte("{}\n"), 0o600))
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, EvidenceDir), 0o700))
	if err := os.Symlink(outside, filepath.Join(dir, EvidenceDir, "link.jsonl")); err != nil {
		t.Skip(err)
	}
	r, err := Open(dir)
	must(t, err)
	defer r.Close()
	for _, name := range []string{"evidence/link.jsonl", outside, "../" + filepath.Base(filepath.Dir(outside)) + "/outside.jsonl"} {
		if err := r.Lines(name, func([]byte) error { return nil }); err == nil {
			t.Errorf("read %s", name)
		}
	}
	if names, err := r.Files(); err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
}

func BenchmarkAppend(b *testing.B) {
	w := begin(b, b.TempDir())
	defer w.Abort() //nolint:errcheck // the folder goes anyway
	e := change(b, redactor(b))
	b.SetBytes(int64(len(e.Line())))
	for b.Loop() {
		if err := w.Append("kubernetes", e); err != nil {
			b.Fatal(err)
		}
	}
}

func TestNamesWithoutAFileOfTheirOwn(t *testing.T) {
	r := redactor(t)
	w := begin(t, t.TempDir())
	must(t, w.Append("kubernetes/a", signal(t, r, "kubernetes/a", 1)))
	for _, name := range []string{"kubernetes/A", "kubernetes-a", "no good"} {
		if err := w.Append(name, signal(t, r, "kubernetes/a", 1)); !errors.Is(err, ErrName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, w.Append("kubernetes/a", signal(t, r, "kubernetes/a", 2)))
}
