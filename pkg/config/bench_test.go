package config_test

import (
	"os"
	"testing"

	"github.com/rcactl/rcactl/pkg/config"
)

func BenchmarkParse(b *testing.B) {
	data, err := os.ReadFile("../../testdata/config/full.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if cfg, problems := config.Parse("full.yaml", data, types); cfg == nil {
			b.Fatal(problems.Text())
		}
	}
}
