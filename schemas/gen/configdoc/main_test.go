package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocsAreFresh(t *testing.T) {
	old, err := os.ReadFile("../../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := replace(old)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(old), string(fresh)); diff != "" {
		t.Errorf("docs/config.md is stale; run make docs:\n%s", diff)
	}
}

func TestMarkersAreNeeded(t *testing.T) {
	for _, old := range []string{"", begin, end} {
		if _, err := replace([]byte(old)); err == nil {
			t.Errorf("%q was taken", old)
		}
	}
}
