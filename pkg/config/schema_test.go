package config

import (
	"slices"
	"testing"
)

// The validator writes JSON pointers escaped for a URL.
func TestPointerTokens(t *testing.T) {
	for pointer, want := range map[string][]string{
		"": nil, "/": nil,
		"/a/0":                                   {"a", "0"},
		"/connectors/kubernetes~1eu%20west/x~0y": {"connectors", "kubernetes/eu west", "x~y"},
	} {
		if got := pointerTokens(pointer); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", pointer, got, want)
		}
	}
}

// Every annotation of the schema is one that the code knows: a slip would
// switch a check off in silence.
func TestAnnotationsAreKnown(t *testing.T) {
	known := map[string][]string{
		"x-rcactl-type": {"duration", "path", "secret-ref", "repository", "folder"}, "x-rcactl-wants": nil, "x-rcactl-broad": nil,
		"x-rcactl-connector": nil, "x-rcactl-also": nil,
		"x-rcactl-keys": nil, "x-rcactl-short": {"repository"},
	}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, sub := range v {
				allowed, ok := known[key]
				if len(key) > 2 && key[:2] == "x-" && !ok {
					t.Errorf("%s: unknown annotation %s", at, key)
				}
				if text, isText := sub.(string); isText && allowed != nil && !slices.Contains(allowed, text) {
					t.Errorf("%s: %s is %q, known are %q", at, key, text, allowed)
				}
				if key == "type" && slices.Contains(keywords(v).types(), "object") && v["additionalProperties"] != false {
					t.Errorf("%s: an object that takes any key", at)
				}
				walk(at+"/"+key, sub)
			}
		case []any:
			for _, sub := range v {
				walk(at, sub)
			}
		}
	}
	walk("", map[string]any(loadSchema().root))
}

// What the pattern of the schema refuses and the parser takes must still be a
// problem, and the other way round.
func TestTypedTexts(t *testing.T) {
	for _, tt := range []struct {
		body, rule string
	}{
		{"timeout: 1h30m", ""},
		{"timeout: 1.5h", ""},
		{"timeout: 2w", ""},
		{"timeout: 500ms", ""},
		{"timeout: 5us", ruleBadDuration},
		{"timeout: +1h", ruleBadDuration},
		{"timeout: -1h", ruleBadDuration},
		{"timeout: 99999999999h", ruleBadDuration},
		{"timeout: 0d", ruleBadDuration},
		{"timeout: '1h '", ruleBadDuration},
		{"timeout: \"1h\\n\"", ruleBadDuration},
		{"out: \"a\\0b\"", ruleBadPath},
		{"out: ~x", ruleBadPath},
		{"out: a~x", ""},
		{"signing: {key: env:A}", ""},
		{"signing: {key: file:/a b}", ""},
		{"signing: {key: 'env:1A'}", ruleBadReference},
		{"signing: {key: \"file:/a\\nb\"}", ruleLiteralCredential},
		{"signing: {key: 'FILE:/a'}", ruleLiteralCredential},
		{"signing: {key: 'vault:a'}", ruleLiteralCredential},
		{"signing: {key: true}", ruleLiteralCredential},
	} {
		cfg, problems := Parse("c", []byte("version: 1\n"+tt.body+"\n"), nil)
		switch {
		case tt.rule == "" && cfg == nil, tt.rule != "" && (len(problems) != 1 || problems[0].Rule != tt.rule):
			t.Errorf("%s: want %q, got:\n%s", tt.body, tt.rule, problems.Text())
		}
	}
}
