package cursor_test

import (
	"path/filepath"
	"testing"

	"github.com/rcactl/rcactl/pkg/cursor"
	"github.com/rcactl/rcactl/pkg/internal/safefile/safefiletest"
)

func TestAPipeIsRefused(t *testing.T) {
	safefiletest.RefusesPipe(t, "memory.json", func(path string) error {
		_, _, _, err := cursor.Store{Dir: filepath.Dir(path)}.Load("memory", "memory")
		return err
	})
}
