package config_test

import (
	"testing"

	"github.com/rcactl/rcactl/pkg/config"
	"github.com/rcactl/rcactl/pkg/internal/safefile/safefiletest"
)

func TestAPipeIsRefused(t *testing.T) {
	safefiletest.RefusesPipe(t, "pipe", func(path string) error {
		_, err := config.ReadFile(path)
		return err
	})
}
