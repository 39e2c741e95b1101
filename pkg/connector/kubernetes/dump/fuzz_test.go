package dump_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/rcactl/rcactl/pkg/connector/kubernetes/dump"
)

// hold walks what was fuzzed twice: it ends, gives only JSON objects within the
// bound, and the second walk gives no more objects than the first.
func hold(t *testing.T, path string) {
	const bound = 64 << 10
	r, err := dump.Open(path, dump.Limits{Bytes: 4 << 20, Files: 100, Object: bound})
	if err != nil {
		t.Fatal(err)
	}
	var counts [2]int
	for i := range counts {
		_, err := r.Walk(t.Context(), dump.Handler{Object: func(_ string, _ dump.Type, text []byte) error {
			counts[i]++
			if !json.Valid(text) || text[0] != '{' {
				t.Errorf("not an object: %q", text)
			}
			if len(text) > 8*bound {
				t.Errorf("an object of %d bytes", len(text))
			}
			return nil
		}})
		if err != nil {
			return
		}
	}
	if counts[1] > counts[0] {
		t.Errorf("the second walk gives %d objects, the first %d", counts[1], counts[0])
	}
}

func FuzzDump(f *testing.F) {
	for _, seed := range []string{
		pod, `[` + pod + `]`, `{"apiVersion":"v1","items":[{"metadata":{"name":"a"}}],"kind":"PodList"}`,
		"apiVersion: v1\nitems:\n- metadata:\n    name: a\nkind: PodList\n---\nkind: Pod\napiVersion: v1\n",
		"a: &a [1,1]\nb: *a\n", "items:\n  - a\n -\nkind: List\n", "? [a]\n: b\n", "<<: {a: b}\n", "a: !!binary x\nb: .inf\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "dump")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		hold(t, path)
	})
}

func FuzzArchive(f *testing.F) {
	seed := func(path string) {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, zipped := range []bool{false, true} {
		seed(pack(f, zipped, file("a.json"), file("b/c.yaml")))
		seed(pack(f, zipped, file("../a.json")))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "dump.tar")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		hold(t, path)
	})
}
