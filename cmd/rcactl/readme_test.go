package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// The README shows what make demo shows: both read the same recording.
func TestTheReadmeShowsTheDemo(t *testing.T) {
	dump, err := filepath.Abs(filepath.FromSlash("../../testdata/demo/dump"))
	if err != nil {
		t.Fatal(err)
	}
	l := newLaptop(t, "")
	_, a := l.collect(t, exitComplete, "--dump", dump, "--since", "1h", "--namespace", "shop")
	_, told, found := strings.Cut(a.stderr, "What changed")
	told, _, ended := strings.Cut(told, "ledger head")
	if !found || !ended {
		t.Fatalf("the demo shows something else:\n%s", a.stderr)
	}
	if told = "What changed" + told; !strings.Contains(string(read(t, "../../README.md")), told) {
		t.Errorf("the README does not show what make demo shows; put this into it:\n%s", told)
	}
}
