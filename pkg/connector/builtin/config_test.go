package builtin_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rcactl/rcactl/pkg/config"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/builtin"
	"github.com/rcactl/rcactl/pkg/secret"
)

// registry returns the types of this build, and skips when some were left out.
func registry(t *testing.T) *connector.Registry {
	t.Helper()
	r := builtin.Registry()
	for _, typ := range []string{"kubernetes", "github"} {
		if _, err := r.Lookup(typ); errors.Is(err, connector.ErrOmitted) {
			t.Skip("this build leaves connectors out")
		}
	}
	return r
}

func types(r *connector.Registry) config.Types {
	return func(typ string) (any, error) {
		f, err := r.Lookup(typ)
		if err != nil {
			return nil, err
		}
		return f.New(), nil
	}
}

// The schema is one file for all connectors and the structs are theirs: the
// good files must decode, the bad ones must say what they promise, with the
// real types.
func TestConfigFilesWithTheRealTypes(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/config/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	examples, _ := filepath.Glob("../../../examples/*.yaml")
	for _, file := range append(files, examples...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "\n# pad: ") || strings.Contains(string(data), "\n# build: ") {
			continue // asks for more than a parse; package config does it
		}
		var want strings.Builder
		for line := range strings.Lines(string(data)) {
			if problem, ok := strings.CutPrefix(line, "# want: "); ok {
				want.WriteString(filepath.Base(file) + ":" + problem)
			} else if hint, ok := strings.CutPrefix(line, "# hint: "); ok {
				want.WriteString("   " + hint)
			}
		}
		_, problems := config.Parse(filepath.Base(file), data, types(registry(t)))
		if diff := cmp.Diff(want.String(), problems.Text()); diff != "" {
			t.Errorf("%s: (-) want (+) got\n%s", file, diff)
		}
	}
}

// The defaults of a type are those of the schema: a config of defaults is
// written as the bare key and read back as the same.
func TestDefaultsAreThoseOfTheSchema(t *testing.T) {
	r := registry(t)
	for _, typ := range r.Types() {
		f, err := r.Lookup(typ)
		if err != nil {
			t.Fatal(err)
		}
		cfg := config.Default()
		cfg.Connectors = []config.Instance{{Key: typ, Type: typ, Config: f.New()}}
		text, err := config.Render(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(string(text), "\n  "+typ+": {}\n") {
			t.Errorf("the defaults of %s differ from the schema's:\n%s", typ, text)
		}
		back, problems := config.Parse("rcactl.yaml", text, types(r))
		if back == nil {
			t.Fatal(problems.Text())
		}
		if diff := cmp.Diff(f.New(), back.Connectors[0].Config, cmpopts.EquateComparable(secret.Ref{})); diff != "" {
			t.Error(diff)
		}
	}
}
