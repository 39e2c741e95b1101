package secret_test

import (
	"testing"

	"github.com/rcactl/rcactl/pkg/internal/safefile/safefiletest"
	"github.com/rcactl/rcactl/pkg/secret"
)

func TestAPipeIsRefused(t *testing.T) {
	safefiletest.RefusesPipe(t, "pipe", func(path string) error {
		ref, err := secret.ParseRef("file:" + path)
		if err != nil {
			return err
		}
		_, err = secret.Sources{}.Resolve(t.Context(), ref)
		return err
	})
}
