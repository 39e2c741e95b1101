package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/config"
)

// FuzzParse: no input panics or takes long, problems come in order and inside
// the file, and what is accepted can be written and read back.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("../../testdata/config/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		began := time.Now()
		cfg, problems := config.Parse("fuzz.yaml", data, types)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if (cfg == nil) != (problems.Errors() > 0) {
			t.Fatalf("config %v beside %s", cfg, problems.Summary())
		}
		last := config.Problem{}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Line < last.Line || p.Line == last.Line && p.Column < last.Column {
				t.Errorf("out of order or without a place: %s", p)
			}
			last = p
		}
		if cfg == nil {
			return
		}
		text, err := config.Render(cfg)
		if err != nil {
			t.Fatal(err)
		}
		back, again := config.Parse("fuzz.yaml", text, types)
		if back == nil {
			t.Fatalf("what was rendered is refused:\n%s\n%s", again.Text(), text)
		}
		for i := range back.Connectors {
			back.Connectors[i].Line, back.Connectors[i].Column = cfg.Connectors[i].Line, cfg.Connectors[i].Column
		}
		if diff := cmp.Diff(cfg, back, compare); diff != "" {
			t.Fatalf("what was rendered reads differently:\n%s\n%s", diff, text)
		}
	})
}
