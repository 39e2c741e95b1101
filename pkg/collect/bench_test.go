package collect_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/evidence/evidencetest"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/redact"
	"github.com/rcactl/rcactl/pkg/run"
	"github.com/rcactl/rcactl/pkg/window"
)

// house is a state folder, a runs folder, the keys and a clock that stands
// still until a test moves it.
type house struct {
	t      testing.TB
	dir    string
	now    time.Time
	signer dsse.Signer
	key    redact.Key
	public crypto.PublicKey
}

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func newHouse(t testing.TB) *house {
	t.Helper()
	private, err := dsse.GenerateKey(dsse.Ed25519, rand.Reader)
	check(t, err)
	signer, err := dsse.NewSigner(private, rand.Reader)
	check(t, err)
	return &house{t: t, dir: t.TempDir(), now: start().Add(time.Hour), signer: signer, public: private.Public(), key: redactionKey(t)}
}

func redactionKey(t testing.TB) redact.Key {
	t.Helper()
	material, err := redact.GenerateKey(rand.Reader)
	check(t, err)
	key, err := redact.NewKey(material)
	check(t, err)
	return key
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) state() string { return filepath.Join(h.dir, "state") }
func (h *house) runs() string  { return filepath.Join(h.dir, "runs") }

func (h *house) options(sources ...collect.Source) collect.Options {
	h.t.Helper()
	redactor, err := redact.Compile(redact.DefaultPolicy(), h.key)
	check(h.t, err)
	return collect.Options{
		Sources: sources, StateDir: h.state(), RunsDir: h.runs(), Timeout: 20 * time.Second,
		Redactor: redactor, Signer: h.signer,
		Collector: manifest.Collector{Name: "rcactl", Version: "test", ConfigDigest: manifest.Digest{SHA256: strings.Repeat("ab", 32)}},
		Now:       func() time.Time { return h.now }, Rand: rand.Reader,
	}
}

func (h *house) run(o collect.Options) collect.Outcome {
	h.t.Helper()
	out, err := collect.Run(h.t.Context(), o)
	check(h.t, err)
	h.verify(out.Dir)
	text, err := os.ReadFile(filepath.Join(h.state(), "ledger", "head.json"))
	check(h.t, err)
	var head manifest.Head
	check(h.t, json.Unmarshal(text, &head))
	if head.Digest != out.Head.Digest || head.Name != filepath.Base(out.Dir) {
		h.t.Errorf("the ledger stands at %v, the run says %v", head, out.Head)
	}
	return out
}

func (h *house) verify(dir string) {
	h.t.Helper()
	if _, report, err := manifest.Verify(h.t.Context(), dir, manifest.Options{Keys: []crypto.PublicKey{h.public}}); err != nil {
		h.t.Fatalf("verify %s: %v\n%+v", dir, err, report)
	}
}

// memory makes a source of a Memory.
func memory(t testing.TB, name string, m *connectortest.Memory) collect.Source {
	t.Helper()
	cfg := connectortest.Config{Memory: m}
	digest, err := collect.ConfigDigest(cfg)
	check(t, err)
	typ, _, _ := strings.Cut(name, "/")
	return collect.Source{Name: name, Type: typ, Config: cfg, ConfigDigest: digest}
}

func (h *house) cursor(name string) cursor.File {
	h.t.Helper()
	typ, _, _ := strings.Cut(name, "/")
	f, _, found, err := cursor.Store{Dir: filepath.Join(h.state(), "cursors")}.Load(name, typ)
	check(h.t, err)
	if !found {
		h.t.Fatalf("no cursor of %s", name)
	}
	return f
}

// evidenceOf gives the evidence files of one instance (all for "") by name.
func evidenceOf(t testing.TB, dir, instance string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(filepath.Join(dir, run.EvidenceDir))
	check(t, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), strings.ReplaceAll(instance, "/", "-")) {
			text, err := os.ReadFile(filepath.Join(dir, run.EvidenceDir, e.Name()))
			check(t, err)
			files[e.Name()] = string(text)
		}
	}
	return files
}

// names gives the names of the objects in the evidence, in order.
func names(t testing.TB, dir, instance string) []string {
	t.Helper()
	var all []string
	for _, text := range evidenceOf(t, dir, instance) {
		for line := range bytes.Lines([]byte(text)) {
			evidencetest.Validate(t, line)
			var e evidence.Event
			check(t, json.Unmarshal(line, &e))
			all = append(all, e.Source.Object.Name)
		}
	}
	return all
}

func sourceOf(t testing.TB, out collect.Outcome, name string) manifest.Source {
	t.Helper()
	i := slices.IndexFunc(out.Statement.Predicate.Sources, func(s manifest.Source) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("the manifest does not name %s", name)
	}
	return out.Statement.Predicate.Sources[i]
}

// nowhere fails when a text stands in any file below the folders.
func (h *house) nowhere(text string) {
	h.t.Helper()
	check(h.t, filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			h.t.Errorf("%s holds %q", path, text)
		}
		return err
	}))
}

func hour() *window.Window { return &window.Window{Start: start(), End: start().Add(time.Hour)} }

func namesOf(records []record.Signal) []string {
	all := make([]string, len(records))
	for i, r := range records {
		all[i] = r.Object.Name
	}
	return all
}
