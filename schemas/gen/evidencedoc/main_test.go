package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/evidence/evidencetest"
	"github.com/rcactl/rcactl/schemas"
)

func TestPageIsFresh(t *testing.T) {
	want, err := render(schemas.Evidence())
	if err != nil {
		t.Fatal(err)
	}
	again, err := render(schemas.Evidence())
	if err != nil || !bytes.Equal(want, again) {
		t.Fatalf("two pages differ: %v", err)
	}
	got, err := os.ReadFile("../../../docs/evidence.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/evidence.md is not what the schema says: run make docs")
	}
}

func TestEveryKindHasALineThatIsValid(t *testing.T) {
	page, err := render(schemas.Evidence())
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "{") {
			lines++
			evidencetest.Validate(t, []byte(line))
		}
	}
	if want := len(evidence.Kinds()); lines != want {
		t.Errorf("%d lines for %d kinds", lines, want)
	}
	if _, err := render(bytes.Replace(schemas.Evidence(), []byte(`"kind": "RuntimeSignal",`), []byte(`"kind": "Other",`), 1)); err == nil {
		t.Error("a kind without an example was written")
	}
}
