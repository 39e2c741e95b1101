package dump_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/connector/kubernetes/dump"
)

// walk gives a line for each object: file, type, name.
func walk(t testing.TB, path string, limits dump.Limits, times int) ([]string, dump.Tally, error) {
	t.Helper()
	r, err := dump.Open(path, limits)
	if err != nil {
		return nil, dump.Tally{}, err
	}
	var lines []string
	var tally dump.Tally
	for range times {
		lines = nil
		tally, err = r.Walk(t.Context(), dump.Handler{Object: func(file string, in dump.Type, text []byte) error {
			var o struct {
				APIVersion, Kind string
				Metadata         struct{ Name string }
			}
			if err := json.Unmarshal(text, &o); err != nil {
				t.Errorf("%s: an object that is not JSON: %v\n%s", file, err, text)
			}
			if o.Kind != "" {
				in = dump.Type{APIVersion: o.APIVersion, Kind: o.Kind}
			}
			lines = append(lines, fmt.Sprintf("%s %s %s %s", file, in.APIVersion, in.Kind, o.Metadata.Name))
			return nil
		}})
	}
	return lines, tally, err
}

// folder writes files and gives their folder.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEveryFormThatPeopleHaveIsRead(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"kubectl get -o json": {
			`{"apiVersion":"v1","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}},{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"b"}}],"kind":"List","metadata":{"resourceVersion":""}}`,
			[]string{"v1 Pod a", "apps/v1 Deployment b"},
		},
		"a typed list": {
			`{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}`,
			[]string{"v1 Pod a", "v1 Pod b"},
		},
		"a typed list that says so at its end": {
			`{"apiVersion":"v1","items":[{"metadata":{"name":"a"}}],"kind":"PodList"}`,
			[]string{"v1 Pod a"},
		},
		"one object":        {`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}`, []string{"v1 Pod a"}},
		"several objects":   {`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}} {"kind":"Pod","apiVersion":"v1","metadata":{"name":"b"}}`, []string{"v1 Pod a", "v1 Pod b"}},
		"an array":          {`[{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}]`, []string{"v1 Pod a"}},
		"a list of none":    {`{"kind":"PodList","apiVersion":"v1","items":null}`, nil},
		"of something else": {`{"name":"x","version":3}`, nil},
		"kubectl get -o yaml": {
			"apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: a\n    annotations:\n      note: |\n        - not an item\n\n        items:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: b}\nkind: List\nmetadata:\n  resourceVersion: \"\"\n",
			[]string{"v1 Pod a", "v1 Pod b"},
		},
		"a typed list in yaml": {
			"---\napiVersion: v1\nitems:\n- metadata:\n    name: a\n- metadata:\n    name: b\nkind: PodList\n",
			[]string{"v1 Pod a", "v1 Pod b"},
		},
		"items that are indented": {
			"apiVersion: v1\nkind: PodList\nitems:\n  - metadata:\n      name: a\n    spec:\n      x:\n        - y\n  -\n    metadata: {name: b}\n",
			[]string{"v1 Pod a", "v1 Pod b"},
		},
		"documents":          {"kind: Pod\napiVersion: v1\nmetadata: {name: a}\n---\n# nothing\n---\nkind: Pod\napiVersion: v1\nmetadata: {name: b}\n", []string{"v1 Pod a", "v1 Pod b"}},
		"a list in one line": {"{kind: List, apiVersion: v1, items: [{kind: Pod, apiVersion: v1, metadata: {name: a}}]}", nil},
		"items in one line":  {"kind: List\napiVersion: v1\nitems: [{kind: Pod, apiVersion: v1, metadata: {name: a}}]\n", []string{"v1 Pod a"}},
		"line ends of Windows": {
			"apiVersion: v1\r\nitems:\r\n- metadata:\r\n    name: a\r\nkind: PodList\r\n", []string{"v1 Pod a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, file := range []string{"x.json", "x.yaml"} {
				got, _, err := walk(t, folder(t, map[string]string{file: tt.text}), dump.Limits{}, 2)
				if err != nil {
					t.Fatal(err)
				}
				for i := range got {
					got[i] = strings.TrimPrefix(got[i], file+" ")
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("%s: got %q, want %q", file, got, tt.want)
				}
			}
		})
	}
}

// What looks like a list in an object that is none must not count: whoever may
// create objects could write others into it.
func TestItemsOfAnObjectAreNoObjects(t *testing.T) {
	for _, text := range []string{
		`{"apiVersion":"v1","items":[{"kind":"Pod","apiVersion":"v1","metadata":{"name":"forged"}}],"kind":"Thing"}`,
		"apiVersion: v1\nitems:\n- kind: Pod\n  apiVersion: v1\n  metadata: {name: forged}\nkind: Thing\n",
	} {
		dir := folder(t, map[string]string{"a.json": text})
		r, err := dump.Open(dir, dump.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		ended, ok := false, true
		h := dump.Handler{
			Object: func(string, dump.Type, []byte) error { return nil },
			End:    func(_ string, _ dump.Type, o bool) { ended, ok = true, o },
		}
		if _, err := r.Walk(t.Context(), h); err != nil || !ended || ok {
			t.Errorf("the first walk does not take it back: %v %v %v", err, ended, ok)
		}
		h.Object = func(string, dump.Type, []byte) error { t.Error("the second walk gives it"); return nil }
		if _, err := r.Walk(t.Context(), h); err != nil {
			t.Error(err)
		}
	}
}

func TestScalarsOfYAMLStayWhatTheyAre(t *testing.T) {
	dir := folder(t, map[string]string{"a.yaml": "kind: Pod\napiVersion: v1\nmetadata:\n  name: a\n  creationTimestamp: 2026-01-02T03:04:05Z\n  n: 12\n  s: \"12\"\n  b: true\n  w: yes\n  z:\n  f: 1.5\n"})
	r, err := dump.Open(dir, dump.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Walk(t.Context(), dump.Handler{Object: func(_ string, _ dump.Type, text []byte) error {
		const want = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","creationTimestamp":"2026-01-02T03:04:05Z","n":12,"s":"12","b":true,"w":"yes","z":null,"f":1.5}}`
		if string(text) != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
}

const pod = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}`

func TestABrokenFileIsNamedAndTheRestIsRead(t *testing.T) {
	long := `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"` + strings.Repeat("x", 5000) + `"}}`
	dir := folder(t, map[string]string{
		"a/cut.json":    `{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}},{"metadata":{"na`,
		"b/alias.yaml":  "kind: Pod\napiVersion: v1\nmetadata: &m {name: b}\nspec: *m\n",
		"c/large.json":  long,
		"d/foreign.yml": "{{ not: yaml",
		"e/good.json":   pod,
		"f/log.txt":     "text",
		"g/deep.yaml":   "kind: Pod\napiVersion: v1\nx: " + strings.Repeat("[", 150) + strings.Repeat("]", 150),
		"h/item.yaml":   "kind: PodList\napiVersion: v1\nitems:\n- metadata: {name: \"}\n- metadata: {name: h}\n",
	})
	got, tally, err := walk(t, dir, dump.Limits{Object: 4096}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a/cut.json v1 Pod a", "e/good.json v1 Pod a", "h/item.yaml v1 Pod h"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	var broken []string
	for _, b := range tally.Broken {
		broken = append(broken, b.String())
	}
	want := []string{
		"a/cut.json (it ends before its end)",
		"b/alias.yaml (it uses YAML aliases, which are refused)",
		"c/large.json (an object in it is too large)",
		"g/deep.yaml (an object in it is nested too deeply)",
		"h/item.yaml (an object in it is not YAML)",
	}
	if !slices.Equal(broken, want) || tally.BrokenCount != 5 {
		t.Errorf("broken %d: %q", tally.BrokenCount, broken)
	}
}

// entry is one of an archive.
type entry struct {
	header tar.Header
	text   string
}

func pack(t testing.TB, zipped bool, entries ...entry) string {
	t.Helper()
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	for _, e := range entries {
		e.header.Mode, e.header.Size = 0o600, int64(len(e.text))
		if e.header.Typeflag == 0 {
			e.header.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(&e.header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out := raw.Bytes()
	if zipped {
		out = gzipped(t, out)
	}
	path := filepath.Join(t.TempDir(), "dump.tar")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func file(name string) entry { return entry{tar.Header{Name: name}, pod} }

func TestArchivesAreRead(t *testing.T) {
	entries := []entry{
		{header: tar.Header{Name: "./", Typeflag: tar.TypeDir}},
		{header: tar.Header{Name: "b/", Typeflag: tar.TypeDir}},
		file("./b/pods.json"), file("a/pods.yaml"),
		{tar.Header{Name: "a/log"}, "text"},
		{tar.Header{Name: "timestamp"}, "2026-03-01 12:00:00.5 +0100 CET m=+0.1\n2026-03-01 12:05:10.25 +0100 CET m=+0.2\n"},
	}
	for _, zipped := range []bool{false, true} {
		got, tally, err := walk(t, pack(t, zipped, entries...), dump.Limits{}, 1)
		if want := []string{"b/pods.json v1 Pod a", "a/pods.yaml v1 Pod a"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v", got, err)
		}
		if want := time.Date(2026, 3, 1, 11, 5, 10, 250_000_000, time.UTC); !tally.Stamp.Equal(want) || tally.Skipped != 1 || tally.Files != 2 {
			t.Errorf("tally %+v", tally)
		}
	}
}

func TestAGzippedFileIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dump.json.gz")
	if err := os.WriteFile(path, gzipped(t, []byte(pod)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _, err := walk(t, path, dump.Limits{}, 2); err != nil || len(got) != 1 {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWhatCouldLeadElsewhereIsRefused(t *testing.T) {
	link := func(name, to string, flag byte) entry {
		return entry{header: tar.Header{Name: name, Linkname: to, Typeflag: flag}}
	}
	for name, tt := range map[string]struct {
		entries []entry
		says    string
	}{
		"parent":      {[]entry{file("ok.json"), file("../evil.json")}, "../evil.json has a name that leads out of the archive"},
		"inner":       {[]entry{file("a/../../evil.json")}, "leads out"},
		"absolute":    {[]entry{file("/etc/evil.json")}, "/etc/evil.json has a name that leads out"},
		"backslash":   {[]entry{file(`..\evil.json`)}, "leads out"},
		"drive":       {[]entry{file("C:evil.json")}, "leads out"},
		"symlink":     {[]entry{link("a.json", "/etc/passwd", tar.TypeSymlink)}, "a.json is a link, a pipe or a device"},
		"hard link":   {[]entry{file("a.json"), link("b.json", "a.json", tar.TypeLink)}, "b.json is a link"},
		"device":      {[]entry{link("a.json", "", tar.TypeBlock)}, "device"},
		"pipe":        {[]entry{link("a", "", tar.TypeFifo)}, "pipe"},
		"twice":       {[]entry{file("a.json"), file("a.json")}, "twice"},
		"case":        {[]entry{file("a/Pods.json"), file("A/pods.json")}, "case alone"},
		"deep":        {[]entry{file(strings.Repeat("d/", 40) + "a.json")}, "folders deep"},
		"many":        {[]entry{file("a.json"), file("b.json"), file("c.json"), file("d.json")}, "more than 3 files"},
		"large":       {[]entry{{tar.Header{Name: "log"}, strings.Repeat("x", 1<<20)}}, "more than max_bytes"},
		"of a screen": {[]entry{file("../\x1b[2J.json")}, `"../\x1b[2J.json" has a name`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, zipped := range []bool{false, true} {
				_, _, err := walk(t, pack(t, zipped, tt.entries...), dump.Limits{Bytes: 512 << 10, Files: 3}, 1)
				var refused *dump.RefusedError
				if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, want %q", err, tt.says)
				}
			}
		})
	}
}

func TestAFolderWithALinkIsRefused(t *testing.T) {
	for name, to := range map[string]string{"out": "../..", "file.json": "/etc/passwd", "inside.json": "a.json"} {
		dir := folder(t, map[string]string{"a.json": pod, "n/b.json": pod})
		if err := os.Symlink(to, filepath.Join(dir, "n", name)); err != nil {
			t.Skip("no links here:", err)
		}
		_, _, err := walk(t, dir, dump.Limits{}, 1)
		if err == nil || !strings.Contains(err.Error(), "n/"+name+" is a link") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFolderIsBounded(t *testing.T) {
	dir := folder(t, map[string]string{"a.json": pod, "b.json": pod, "c/d.json": pod})
	if _, _, err := walk(t, dir, dump.Limits{Files: 3}, 1); err == nil || !strings.Contains(err.Error(), "more than 3 files") {
		t.Errorf("files: %v", err)
	}
	if _, _, err := walk(t, dir, dump.Limits{Bytes: 100}, 1); err == nil || !strings.Contains(err.Error(), "max_bytes (100)") {
		t.Errorf("bytes: %v", err)
	}
}

// A gzip bomb is stopped by how much it unpacks to, long before max_bytes.
func TestAGzipBombIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bomb.json.gz")
	if err := os.WriteFile(path, gzipped(t, bytes.Repeat([]byte(" "), 100<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := walk(t, path, dump.Limits{}, 1); err == nil || !strings.Contains(err.Error(), "times its size") {
		t.Errorf("got %v", err)
	}
}

func TestADamagedArchiveGivesWhatItHas(t *testing.T) {
	path := pack(t, true, file("a.json"), file("b.json"))
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw[:len(raw)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	_, tally, err := walk(t, path, dump.Limits{}, 1)
	if err != nil || tally.BrokenCount == 0 {
		t.Errorf("%+v, %v", tally, err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	if _, err := dump.Open(filepath.Join(t.TempDir(), "none"), dump.Limits{}); err == nil || err.Error() != "the recording does not exist" {
		t.Errorf("missing: %v", err)
	}
	if _, err := dump.Open(os.DevNull, dump.Limits{}); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("device: %v", err)
	}
}

func TestWalkHeedsItsContextAndItsHandler(t *testing.T) {
	r, err := dump.Open(folder(t, map[string]string{"a.json": pod}), dump.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	mine := errors.New("mine")
	if _, err := r.Walk(t.Context(), dump.Handler{Object: func(string, dump.Type, []byte) error { return mine }}); !errors.Is(err, mine) {
		t.Errorf("handler: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Walk(ctx, dump.Handler{}); !errors.Is(err, context.Canceled) {
		t.Errorf("context: %v", err)
	}
}

func TestTheListsOfARecordingAreBounded(t *testing.T) {
	limits := dump.Limits{Files: 10}
	for name, tt := range map[string]struct {
		text    string
		refused bool
	}{
		"lists that say what they are": {strings.Repeat(`{"items":[],"apiVersion":"v1","kind":"PodList"}`, 11), true},
		"lists in YAML":                {strings.Repeat("items:\nkind: PodList\napiVersion: v1\n---\n", 11), true},
		// An array says nothing that would have to be remembered.
		"arrays": {strings.Repeat("[]", 1000), false},
	} {
		_, _, err := walk(t, filepath.Join(folder(t, map[string]string{"a.json": tt.text}), "a.json"), limits, 2)
		var refused *dump.RefusedError
		if got := errors.As(err, &refused); got != tt.refused || err != nil && !got {
			t.Errorf("%s: %v", name, err)
		}
	}
}
