package manifest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/run"
)

func sample(t testing.TB) []byte {
	st := statement(Link{ID: "l", Sequence: 1}, []run.File{{Name: "evidence/a.jsonl", SHA256: strings.Repeat("0", 64), Bytes: 3, Records: 1}})
	st.Type, st.PredicateType = StatementType, PredicateType
	text, err := Encode(st)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestNumber(t *testing.T) {
	for text, n := range map[string]Number{
		"0": 0, "-200": -200, "9007199254740992": 1 << 53, `"9007199254740993"`: 1<<53 + 1,
		`"-9007199254740993"`: -1<<53 - 1, `"9223372036854775807"`: 1<<63 - 1,
	} {
		got, err := json.Marshal(n)
		if err != nil || string(got) != text {
			t.Errorf("%d is written %s, want %s (%v)", n, got, text, err)
		}
		var back Number
		if err := json.Unmarshal([]byte(text), &back); err != nil || back != n {
			t.Errorf("%s is read %d (%v)", text, back, err)
		}
	}
	for _, bad := range []string{"1.5", "1e3", `"x"`, `""`, "true", "9223372036854775808"} {
		var n Number
		if err := json.Unmarshal([]byte(bad), &n); err == nil {
			t.Errorf("%s was read as %d", bad, n)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := string(sample(t))
	if _, err := Decode([]byte(good)); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, old, new, says string }{
		{"other statement", "Statement/v1", "Statement/v9", "_type"},
		{"other predicate", "collection-run/v1", "collection-run/v9", "predicateType"},
		{"unknown name in the statement", `"subject":`, `"extra": 1, "subject":`, "unknown name"},
		{"unknown name in a subject", `"mediaType":`, `"size": 3, "mediaType":`, "unknown name"},
		{"name in another case", `"outcome":`, `"Outcome":`, "only in case"},
		{"name in another case, with a Kelvin sign", `"keyId":`, "\"\u212aeyId\":", "only in case"},
		{"name twice", `"outcome":`, `"outcome": "failed", "outcome":`, "twice"},
		{"name twice, one escaped", `"outcome":`, `"\u006futcome": "failed", "outcome":`, "twice"},
		{"not utf-8", "rcactl\"", "rca\xff\"", "UTF-8"},
		{"something after it", "\n}\n", "\n}\n{}", "after top-level value"},
		{"cut short", "\n}\n", "\n", "EOF"},
		{"path up", "evidence/a.jsonl", "evidence/../../a", "file name"},
		{"absolute path", "evidence/a.jsonl", "/etc/passwd", "file name"},
		{"backslash", "evidence/a.jsonl", `evidence\\a`, "file name"},
		{"drive", "evidence/a.jsonl", "C:a", "file name"},
		{"hidden", "evidence/a.jsonl", ".tmp-1", "file name"},
		{"empty part", "evidence/a.jsonl", "evidence//a", "file name"},
		{"empty name", "evidence/a.jsonl", "", "file name"},
		{"trailing dot", "evidence/a.jsonl", "evidence/a.", "file name"},
		{"line break", "evidence/a.jsonl", `evidence/a\n`, "file name"},
		{"lists itself", "evidence/a.jsonl", "manifest.json", "list itself"},
		{"lists itself in capitals", "evidence/a.jsonl", "MANIFEST.sigstore.json", "list itself"},
		{"long name", "evidence/a.jsonl", strings.Repeat("a", 256), "longer"},
		{"upper-case digest", strings.Repeat("0", 64), strings.Repeat("A", 64), "digest"},
		{"negative size", `"bytes": 3`, `"bytes": -3`, "negative"},
		{"size not whole", `"bytes": 3`, `"bytes": 3.5`, "whole number"},
		{"run of another number", `"name": "000001-run"`, `"name": "000002-run"`, "run.name"},
		{"run name is a path", `"name": "000001-run"`, `"name": "000001-/../x"`, "run.name"},
		{"unknown outcome", `"outcome": "partial"`, `"outcome": "fine"`, "outcome"},
		{"unknown source status", `"status": "partial"`, `"status": "fine"`, "status"},
		{"unknown stream status", `"status": "skipped"`, `"status": "fine"`, "status"},
		{"unknown invocation", `"invocation": "window"`, `"invocation": "x"`, "invocation"},
		{"no ledger", `"id": "l"`, `"id": ""`, "ledger.id"},
		{"sequence 0", `"sequence": 1`, `"sequence": 0`, "000001-run"},
		{"first run with a previous one", `"previous": null`, `"previous": {"name": "x", "digest": {"sha256": "` + strings.Repeat("0", 64) + `"}}`, "first run"},
		{"bad key digest", `"signing": null`, `"signing": {"publicKeySha256": "x"}`, "signing"},
		{"too deep", `"window": {`, `"later": ` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `, "window": {`, "deep"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bad := strings.Replace(good, test.old, test.new, 1)
			if test.old == "\n}\n" {
				bad = strings.TrimSuffix(good, test.old) + test.new
			}
			if bad == good {
				t.Fatalf("%q is not in the sample", test.old)
			}
			_, err := Decode([]byte(bad))
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
	t.Run("huge", func(t *testing.T) {
		if _, err := Decode(make([]byte, MaxManifest+1)); !errors.Is(err, ErrMalformed) {
			t.Errorf("got %v", err)
		}
	})
}

// Later versions may add to the predicate.
func TestDecodeIgnoresNewPredicateFields(t *testing.T) {
	text := strings.Replace(string(sample(t)), `"outcome":`, `"later": {"a": [1, {"b": null}]}, "outcome":`, 1)
	if _, err := Decode([]byte(text)); err != nil {
		t.Error(err)
	}
}

func TestSealRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, dir string, st *Statement)
		says   string
	}{
		{"a file that is not stated", func(t *testing.T, dir string, _ *Statement) { write(t, dir+"/extra", "x") }, "extra"},
		{"a file that is not there", func(t *testing.T, dir string, _ *Statement) { remove(t, dir+"/a.jsonl") }, "a.jsonl"},
		{"another size", func(t *testing.T, dir string, _ *Statement) { write(t, dir+"/a.jsonl", "xxxx") }, "4 bytes"},
		{"no files", func(t *testing.T, dir string, st *Statement) { remove(t, dir+"/a.jsonl"); st.Subject = nil }, "0 files"},
		{"two names that differ in case", func(t *testing.T, _ string, st *Statement) {
			other := st.Subject[0]
			other.Name = "A.jsonl"
			st.Subject = append(st.Subject, other)
		}, "case"},
		{"too many files", func(t *testing.T, _ string, st *Statement) { st.Subject = make([]Subject, MaxFiles+1) }, "1025 files"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, dsse.Ed25519)
			dir := t.TempDir()
			st := statement(Link{ID: "l", Sequence: 1}, writeFiles(t, dir, map[string]string{"a.jsonl": "{}\n"}))
			test.change(t, dir, &st)
			if _, err := Seal(t.Context(), dir, st, w.signer); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
			if _, err := os.Stat(filepath.Join(dir, run.ManifestFile)); err == nil {
				t.Error("a manifest was written all the same")
			}
		})
	}
}

func FuzzDecodeStatement(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte(`{"_type":"x","predicate":{"ledger":{"previous":null}}}`))
	f.Add([]byte(strings.Repeat(`{"predicate":`, 100)))
	f.Fuzz(func(t *testing.T, data []byte) {
		st, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		text, err := Encode(st)
		if err != nil {
			t.Skip("a time that JSON cannot hold") // years outside 0 to 9999 after the change to UTC
		}
		again, err := Decode(text)
		if err != nil {
			t.Fatalf("cannot read back %s: %v", text, err)
		}
		twice, err := Encode(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), string(twice)); diff != "" {
			t.Fatal(diff)
		}
	})
}
