package keyfile_test

import (
	"testing"

	"github.com/rcactl/rcactl/pkg/internal/safefile/safefiletest"
	"github.com/rcactl/rcactl/pkg/keyfile"
)

func TestAPipeIsRefused(t *testing.T) {
	safefiletest.RefusesPipe(t, "pipe", func(path string) error {
		_, err := keyfile.Read(path)
		return err
	})
}
