package store

import (
	"testing"

	"github.com/rcactl/rcactl/pkg/internal/safefile/safefiletest"
)

func TestAPipeIsRefused(t *testing.T) {
	safefiletest.RefusesPipe(t, "82.jsonl", func(path string) error { return load(path).refused })
}
