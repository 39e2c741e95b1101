package schemas_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/evidence/evidencetest"
	"github.com/rcactl/rcactl/schemas"
)

type object = map[string]any

func evidenceSchema(t *testing.T) object {
	t.Helper()
	var root object
	if err := json.Unmarshal(schemas.Evidence(), &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// resolve follows a $ref and keeps what stands beside it.
func resolve(t *testing.T, root, schema object) object {
	t.Helper()
	ref, ok := schema["$ref"].(string)
	if !ok {
		return schema
	}
	target, ok := root["$defs"].(object)[strings.TrimPrefix(ref, "#/$defs/")].(object)
	if !ok {
		t.Fatalf("%s points nowhere", ref)
	}
	merged := object{}
	for _, part := range []object{target, schema} {
		for k, v := range part {
			merged[k] = v
		}
	}
	delete(merged, "$ref")
	return merged
}

// The Go types and the schema have the same fields of the same types, and each
// leaf has a class and says what it means.
func TestTypesAndSchemaAgree(t *testing.T) {
	root := evidenceSchema(t)
	compare(t, root, reflect.TypeFor[evidence.Event](), root, "")
}

func compare(t *testing.T, root object, typ reflect.Type, schema object, pointer string) {
	t.Helper()
	schema = resolve(t, root, schema)
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	want := map[reflect.Kind]string{
		reflect.Struct: "object", reflect.Slice: "array", reflect.String: "string", reflect.Bool: "boolean", reflect.Float64: "number",
		reflect.Int: "integer", reflect.Int32: "integer", reflect.Int64: "integer",
	}[typ.Kind()]
	if typ == reflect.TypeFor[time.Time]() {
		want = "string"
		if schema["format"] != "date-time" || schema["pattern"] != "Z$" {
			t.Errorf("%s is a time: it needs the format date-time and the pattern Z$", pointer)
		}
	}
	if schema["type"] != want {
		t.Errorf("%s is %s in Go and %v in the schema", pointer, typ, schema["type"])
		return
	}
	if schema["description"] == nil && !strings.HasSuffix(pointer, "*") {
		t.Errorf("%s has no description", pointer)
	}
	switch want {
	case "object":
		compareStruct(t, root, typ, schema, pointer)
	case "array":
		if schema["maxItems"] == nil {
			t.Errorf("%s has no maxItems", pointer)
		}
		compare(t, root, typ.Elem(), schema["items"].(object), pointer+"/*")
	default:
		leaf(t, schema, pointer)
	}
}

func compareStruct(t *testing.T, root object, typ reflect.Type, schema object, pointer string) {
	t.Helper()
	if schema["additionalProperties"] != false {
		t.Errorf("%s takes fields that nobody described", pointer)
	}
	properties := schema["properties"].(object)
	var required []any
	if r, ok := schema["required"].([]any); ok {
		required = r
	}
	seen := map[string]bool{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		seen[name] = true
		child, ok := properties[name].(object)
		if !ok {
			t.Errorf("%s/%s is in Go (%s.%s) and not in the schema: describe it there, with its class", pointer, name, typ.Name(), f.Name)
			continue
		}
		if always := options != "omitempty"; always != slices.Contains(required, any(name)) {
			t.Errorf("%s/%s: in Go it is always written: %v; in the schema it is not", pointer, name, always)
		}
		compare(t, root, f.Type, child, pointer+"/"+name)
	}
	for name := range properties {
		if !seen[name] {
			t.Errorf("%s/%s is in the schema and not in Go", pointer, name)
		}
	}
}

func leaf(t *testing.T, schema object, pointer string) {
	t.Helper()
	class, _ := schema["x-rcactl-class"].(string)
	if !slices.Contains([]string{"public", "identifier", "personal", "text", "secret"}, class) {
		t.Errorf("%s has the class %q, which is none", pointer, class)
	}
	if domain := schema["x-rcactl-domain"]; class == "personal" && !slices.Contains([]any{"user", "email", "ip"}, domain) {
		t.Errorf("%s is personal and has the domain %v", pointer, domain)
	}
	if schema["type"] != "string" || schema["format"] != nil || schema["const"] != nil {
		return
	}
	values, closed := schema["oneOf"].([]any)
	if !closed && schema["maxLength"] == nil && !strings.HasPrefix(schema["pattern"].(string), "^ev1:") {
		t.Errorf("%s has no bound: it needs maxLength", pointer)
	}
	for _, v := range values {
		if v.(object)["description"] == nil {
			t.Errorf("%s: the value %v has no description", pointer, v.(object)["const"])
		}
	}
}

// values are the closed set at a pointer.
func values(t *testing.T, root object, pointer string) []string {
	t.Helper()
	schema := root
	for _, name := range strings.Split(pointer, "/")[1:] {
		schema = resolve(t, root, schema)
		if name == "*" {
			schema = schema["items"].(object)
		} else {
			schema = schema["properties"].(object)[name].(object)
		}
	}
	schema = resolve(t, root, schema)
	var out []string
	for _, v := range schema["oneOf"].([]any) {
		out = append(out, v.(object)["const"].(string))
	}
	slices.Sort(out)
	return out
}

// constants reads the values of the constants of a type from the source.
func constants(t *testing.T, dir, typeName string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); ok && id.Name == typeName {
				for _, v := range spec.Values {
					s, err := strconv.Unquote(v.(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					out = append(out, s)
				}
			}
			return true
		})
	}
	slices.Sort(out)
	return out
}

// A value that Go knows and the schema does not would refuse every event that
// has it.
func TestClosedSetsAgree(t *testing.T) {
	root := evidenceSchema(t)
	for pointer, source := range map[string][2]string{
		"/kind":                      {"evidence", "Kind"},
		"/severity":                  {"evidence", "Severity"},
		"/actor/attribution":         {"evidence", "Attribution"},
		"/deployment/change":         {"evidence", "Change"},
		"/deployment/status":         {"evidence", "Status"},
		"/deployment/started_basis":  {"evidence", "TimeBasis"},
		"/deployment/finished_basis": {"evidence", "TimeBasis"},
		"/signal/class":              {"record", "SignalClass"},

		"/deployment/mapping/confidence":     {"evidence", "Confidence"},
		"/deployment/mapping/method":         {"evidence", "Method"},
		"/deployment/to/claims/*/kind":       {"record", "ClaimKind"},
		"/commit/risks/*":                    {"record", "Risk"},
		"/commit/size/categories/*/category": {"record", "Category"},
	} {
		if diff := cmp.Diff(constants(t, filepath.Join("../pkg", source[0]), source[1]), values(t, root, pointer)); diff != "" {
			t.Errorf("%s and the constants of %s.%s differ: %s", pointer, source[0], source[1], diff)
		}
	}
}

// Each reason of a mapping can be said to people, each in other words.
func TestEveryReasonHasWords(t *testing.T) {
	root := evidenceSchema(t)
	said := map[string]string{}
	for _, code := range values(t, root, "/deployment/mapping/reasons/*/code") {
		words := evidence.ReasonWords(code)
		if words == "" || said[words] != "" {
			t.Errorf("%s is said as %q, and so is %q", code, words, said[words])
		}
		said[words] = code
	}
}

func TestEachKindHasABodyAndAnExample(t *testing.T) {
	root := evidenceSchema(t)
	var kinds, branches, examples []string
	for _, k := range evidence.Kinds() {
		kinds = append(kinds, string(k))
	}
	for _, branch := range root["allOf"].([]any) {
		cond := branch.(object)["if"].(object)["properties"].(object)["kind"].(object)
		branches = append(branches, cond["const"].(string))
		then := branch.(object)["then"].(object)
		if n := len(then["required"].([]any)) + len(then["properties"].(object)); n != len(evidence.Kinds()) {
			t.Errorf("%v: the branch names %d bodies of %d", cond["const"], n, len(evidence.Kinds()))
		}
	}
	for _, example := range root["examples"].([]any) {
		examples = append(examples, example.(object)["kind"].(string))
		line, err := json.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		evidencetest.Validate(t, line)
		var e evidence.Event
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&e); err != nil {
			t.Fatal(err)
		}
		if want := evidence.Summarize(e); e.Summary != want {
			t.Errorf("the summary of an example is no longer what rcactl writes\n got %s\nwant %s", e.Summary, want)
		}
	}
	for what, list := range map[string][]string{"if/then": branches, "examples": examples} {
		slices.Sort(list)
		if !slices.Equal(list, slices.Sorted(slices.Values(kinds))) {
			t.Errorf("%s are of %v, the kinds are %v", what, list, kinds)
		}
	}
}

// What the schema must not take.
func TestLinesThatAreRefused(t *testing.T) {
	root := evidenceSchema(t)
	deployment := func() object {
		line, err := json.Marshal(root["examples"].([]any)[2])
		if err != nil {
			t.Fatal(err)
		}
		var o object
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	for name, spoil := range map[string]func(object){
		"unknown field":        func(o object) { o["message"] = "text" },
		"unknown field within": func(o object) { o["deployment"].(object)["message"] = "text" },
		"unknown field deep":   func(o object) { o["source"].(object)["object"].(object)["labels"] = object{} },
		"other schema":         func(o object) { o["schema"] = "https://rcactl.dev/schemas/evidence.v2.json" },
		"unknown kind":         func(o object) { o["kind"] = "Event" },
		"body of another kind": func(o object) {
			o["signal"] = object{"class": "node", "count": 1, "first": o["time"], "ongoing": false}
		},
		"no body":               func(o object) { delete(o, "deployment") },
		"other kind's body":     func(o object) { o["kind"] = "RuntimeSignal" },
		"value outside the set": func(o object) { o["severity"] = "fatal" },
		"basis outside the set": func(o object) { o["deployment"].(object)["started_basis"] = "guess" },
		"time with a zone":      func(o object) { o["time"] = "2026-01-31T14:00:05+01:00" },
		"no time":               func(o object) { o["time"] = "yesterdayZ" },
		"id of another form":    func(o object) { o["id"] = "ev1:xyz" },
		"no summary":            func(o object) { delete(o, "summary") },
		"long name":             func(o object) { o["source"].(object)["object"].(object)["name"] = strings.Repeat("a", 1025) },
	} {
		o := deployment()
		spoil(o)
		line, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if evidencetest.Check(line) == nil {
			t.Errorf("%s: accepted %s", name, line)
		}
	}
}

func TestEmbeddedFiles(t *testing.T) {
	names, err := fs.Glob(schemas.FS, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(names, []string{"config.v1.json", "evidence.v1.json"}) {
		t.Errorf("embedded are %v", names)
	}
	for _, name := range names {
		data, err := schemas.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var head struct {
			ID     string `json:"$id"`
			Schema string `json:"$schema"`
		}
		if err := json.Unmarshal(data, &head); err != nil {
			t.Fatal(err)
		}
		if head.ID != "https://rcactl.dev/schemas/"+name || head.Schema != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s calls itself %s, %s", name, head.ID, head.Schema)
		}
	}
}
