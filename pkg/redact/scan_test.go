package redact

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

type vector struct{ name, detector, text string }

func vectors(t testing.TB) []vector {
	t.Helper()
	files, err := filepath.Glob("../../testdata/redact/*.txt")
	if err != nil || len(files) < 50 {
		t.Fatalf("found %d vectors: %v", len(files), err)
	}
	var all []vector
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		header, text, ok := strings.Cut(string(data), "\n\n")
		if !ok {
			t.Fatalf("%s has no empty line after its header", file)
		}
		v := vector{name: strings.TrimSuffix(filepath.Base(file), ".txt"), text: text}
		comment := ""
		for _, line := range strings.Split(header, "\n") {
			key, value, _ := strings.Cut(line, ": ")
			switch key {
			case "comment":
				comment = value
			case "detector":
				v.detector = value
			case "join":
				v.text = strings.ReplaceAll(v.text, value, "")
			default:
				t.Fatalf("%s: unknown header key %q", file, key)
			}
		}
		if comment == "" || v.detector == "" {
			t.Fatalf("%s needs comment and detector", file)
		}
		all = append(all, v)
	}
	return all
}

func detectorsOf(t testing.TB, text string) []string {
	t.Helper()
	findings, err := Scan(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range findings {
		names = append(names, f.Detector)
	}
	return names
}

func TestVectors(t *testing.T) {
	used := map[string]bool{}
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			got := detectorsOf(t, v.text)
			if v.detector == "none" {
				if len(got) > 0 {
					t.Errorf("found %v in %q", got, v.text)
				}
				return
			}
			used[v.detector] = true
			if !slices.Contains(got, v.detector) {
				t.Errorf("found %v, want %s in %q", got, v.detector, v.text)
			}
		})
	}
	d := newDetectors()
	for _, one := range d.list {
		if !used[one.name] {
			t.Errorf("no vector shows that %s finds anything", one.name)
		}
	}
}

// What is too short to look at must be too short for every detector.
func TestTheShortestCredential(t *testing.T) {
	if newDetectors().find("a://:b@") != "url-password" {
		t.Error("not found")
	}
}

// One credential in the middle of a very long line, wherever the blocks of the
// reader happen to end.
func TestScanFindsInLongLines(t *testing.T) {
	token := "ghp_" + strings.Repeat("a1", 18)
	for _, before := range []int{0, 100, scanBlock - 41, scanBlock - 40, scanBlock - 20, scanBlock - 1, scanBlock, 3*scanBlock - 7} {
		text := "first line\n" + strings.Repeat("x ", before/2) + token + strings.Repeat(" y", scanBlock) + "\nlast " + token
		findings, err := Scan(iotest.OneByteReader(strings.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		want := []Finding{{2, "github-token"}, {3, "github-token"}}
		if !slices.Equal(findings, want) {
			t.Errorf("%d bytes before: %v, want %v", before, findings, want)
		}
	}
}

func TestScanReportsOnceALine(t *testing.T) {
	line := "password=hunter22 and password=hunter23 " + "AKIA" + strings.Repeat("A", 16) + "\n"
	findings, err := Scan(strings.NewReader(line + "clean\n" + line))
	if err != nil {
		t.Fatal(err)
	}
	want := []Finding{{1, "aws-access-key-id"}, {1, "assigned-credential"}, {3, "aws-access-key-id"}, {3, "assigned-credential"}}
	if !slices.Equal(findings, want) {
		t.Errorf("got %v, want %v", findings, want)
	}
}

func TestScanIsBounded(t *testing.T) {
	findings, err := Scan(strings.NewReader(strings.Repeat("password=hunter22\n", MaxFindings+10)))
	if err != nil || len(findings) != MaxFindings {
		t.Errorf("%d findings, %v", len(findings), err)
	}
	// 64 MiB in one line must not be held in memory.
	endless := io.LimitReader(repeat("abcdefgh "), 64<<20)
	if findings, err := Scan(endless); err != nil || len(findings) > 0 {
		t.Errorf("%v, %v", findings, err)
	}
}

type repeat string

func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r[i%len(r)]
	}
	return len(p), nil
}

func TestScanSaysWhenItCannotRead(t *testing.T) {
	broken := errors.New("broken disk")
	_, err := Scan(io.MultiReader(strings.NewReader("one\ntwo\n"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("got %v", err)
	}
}

// The bounds of memory and the cutting into blocks must not change what is found.
func FuzzScan(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.text))
	}
	d := newDetectors()
	f.Fuzz(func(t *testing.T, text []byte) {
		findings, err := Scan(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		var want []Finding
		for i, line := range strings.SplitAfter(string(text), "\n") {
			seen := map[string]bool{}
			d.each(line, func(name string) bool {
				if !seen[name] {
					seen[name] = true
					want = append(want, Finding{i + 1, name})
				}
				return true
			})
		}
		if len(text) < scanBlock && !slices.Equal(findings, want) {
			t.Errorf("got %v, want %v", findings, want)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	line := strings.Repeat(`{"kind":"RuntimeSignal","name":"orders-7d9","image":"ghcr.io/acme/orders:1.2","time":"2026-01-01T00:00:00Z"}`, 6) + "\n"
	text := []byte(strings.Repeat(line, 1000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Scan(bytes.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}
