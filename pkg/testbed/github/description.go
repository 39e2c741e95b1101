package github

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// description is the API description that GitHub publishes, as far as it was asked
// for: a schema is compiled when the first answer needs it.
type description struct {
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas    map[string]json.RawMessage `json:"schemas"`
		Parameters map[string]json.RawMessage `json:"parameters"`
		Responses  map[string]json.RawMessage `json:"responses"`
	} `json:"components"`

	mu         sync.Mutex
	operations map[string]*operation
	schemas    map[string]*jsonschema.Schema // by operation and status
}

// operation is what the description says of a route.
type operation struct {
	Parameters []parameter         `json:"parameters"`
	Responses  map[string]response `json:"responses"`
}

type parameter struct {
	Ref      string `json:"$ref"`
	Name     string `json:"name"`
	In       string `json:"in"`
	Multiple bool   `json:"x-multi-segment"`
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]struct {
		Schema json.RawMessage `json:"schema"`
	} `json:"content"`
}

// readDescription reads the published file.
func readDescription(path string) (*description, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read GitHub's API description: %w", err)
	}
	return parseDescription(content)
}

func parseDescription(content []byte) (*description, error) {
	d := &description{operations: map[string]*operation{}, schemas: map[string]*jsonschema.Schema{}}
	if err := json.Unmarshal(content, d); err != nil {
		return nil, fmt.Errorf("read GitHub's API description: %w", err)
	}
	return d, nil
}

// errUnknown says that the description does not have what was asked or answered.
var errUnknown = errors.New("not in GitHub's API description")

// operation finds a route, such as "GET /rate_limit".
func (d *description) operation(route string) (*operation, error) {
	if op := d.operations[route]; op != nil {
		return op, nil
	}
	method, path, _ := strings.Cut(route, " ")
	raw := d.Paths[path][strings.ToLower(method)]
	if raw == nil {
		return nil, fmt.Errorf("%s: %w", route, errUnknown)
	}
	op := &operation{}
	if err := json.Unmarshal(raw, op); err != nil {
		return nil, fmt.Errorf("%s: %w", route, err)
	}
	for i, p := range op.Parameters {
		if name, ref := strings.CutPrefix(p.Ref, "#/components/parameters/"); ref {
			if err := json.Unmarshal(d.Components.Parameters[name], &op.Parameters[i]); err != nil {
				return nil, fmt.Errorf("%s: parameter %s: %w", route, name, err)
			}
		}
	}
	for status, r := range op.Responses {
		if name, ref := strings.CutPrefix(r.Ref, "#/components/responses/"); ref {
			if err := json.Unmarshal(d.Components.Responses[name], &r); err != nil {
				return nil, fmt.Errorf("%s: response %s: %w", route, name, err)
			}
			op.Responses[status] = r
		}
	}
	d.operations[route] = op
	return op, nil
}

// checkParameters says which parameters of a query the route does not have.
func (d *description) checkParameters(route string, names []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	op, err := d.operation(route)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(op.Parameters, func(p parameter) bool { return p.In == "query" && p.Name == name }) {
			return fmt.Errorf("%s: parameter %s: %w", route, name, errUnknown)
		}
	}
	return nil
}

// checkAnswer holds a JSON answer to the schema of its route and status. A failure
// for which the route has no schema must have the form of all failures.
func (d *description) checkAnswer(route string, status int, body []byte) error {
	schema, err := d.schema(route, status)
	if err != nil {
		return err
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return fmt.Errorf("%s answers %d with what is no JSON: %w", route, status, err)
	}
	if err := schema.Validate(v); err != nil {
		return fmt.Errorf("%s answers %d against GitHub's API description: %#w", route, status, err)
	}
	return nil
}

func (d *description) schema(route string, status int) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := fmt.Sprintf("%s %d", route, status)
	if s := d.schemas[key]; s != nil {
		return s, nil
	}
	raw, err := d.rawSchema(route, status)
	if err != nil {
		return nil, err
	}
	document, err := d.standalone(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.Draft, compiler.AssertFormat = jsonschema.Draft2020, true
	if err := compiler.AddResource("answer.json", bytes.NewReader(document)); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	s, err := compiler.Compile("answer.json")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	d.schemas[key] = s
	return s, nil
}

// rawSchema is the schema of an answer as the description has it.
func (d *description) rawSchema(route string, status int) (json.RawMessage, error) {
	op, err := d.operation(route)
	if err != nil {
		return nil, err
	}
	if route == "GET /app/installations" && status < 300 {
		// It asks that an account is a user and an enterprise at once. The schema of
		// one installation, which others refer to, is right.
		return json.RawMessage(`{"type":"array","items":{"$ref":"#/components/schemas/installation"}}`), nil
	}
	r, found := op.Responses[fmt.Sprint(status)]
	if content, isJSON := r.Content["application/json"]; isJSON {
		return content.Schema, nil
	}
	if !found && status < 300 {
		return nil, fmt.Errorf("%s answers %d: %w", route, status, errUnknown)
	}
	return json.RawMessage(`{"$ref":"#/components/schemas/basic-error"}`), nil
}

// standalone is a schema with all that it refers to, as JSON Schema.
func (d *description) standalone(raw json.RawMessage) ([]byte, error) {
	defs := map[string]any{}
	var todo []string
	translated := func(raw json.RawMessage) (any, error) {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, err
		}
		out, refs := translate(v, false)
		todo = append(todo, refs...)
		return out, nil
	}
	root, err := translated(raw)
	if err != nil {
		return nil, err
	}
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		if _, done := defs[name]; done {
			continue
		}
		if defs[name], err = translated(d.Components.Schemas[name]); err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
	}
	return json.Marshal(obj{"$defs": defs, "allOf": []any{root}})
}

// kept are the words of OpenAPI 3.0 that mean the same in JSON Schema.
func kept() []string {
	return []string{
		"type", "enum", "required", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "format",
		"uniqueItems", "multipleOf", "minProperties", "maxProperties",
	}
}

// translate turns a schema of OpenAPI 3.0 into one of JSON Schema, and names the
// schemas that it refers to. What differs is nullable, and what OpenAPI ignores
// beside $ref or gives as a default. An object that lists its properties may have no others, unless it
// says so or is one part of several: a stand-in that tells what GitHub does not is
// as wrong as one that leaves something out.
func translate(v any, part bool) (any, []string) {
	in, isObject := v.(obj)
	if !isObject {
		return v, nil
	}
	if ref, isRef := in["$ref"].(string); isRef {
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		return obj{"$ref": "#/$defs/" + name}, []string{name}
	}
	out := obj{}
	var refs []string
	below := func(v any, part bool) any {
		t, more := translate(v, part)
		refs = append(refs, more...)
		return t
	}
	for _, word := range kept() {
		if value, found := in[word]; found {
			out[word] = value
		}
	}
	if in["format"] == "uri" && in["default"] == "" {
		delete(out, "format") // no address is an empty one
	}
	for _, word := range []string{"allOf", "anyOf", "oneOf"} {
		if list, found := in[word].([]any); found {
			var parts []any
			for _, p := range list {
				parts = append(parts, below(p, part || word == "allOf" || in["properties"] != nil))
			}
			out[word] = parts
		}
	}
	for _, word := range []string{"items", "not", "additionalProperties"} {
		if value, found := in[word]; found {
			out[word] = below(value, false)
		}
	}
	if properties, found := in["properties"].(obj); found {
		translated := obj{}
		for name, p := range properties {
			translated[name] = below(p, false)
		}
		out["properties"] = translated
		_, open := in["additionalProperties"]
		if !open && !part && in["allOf"] == nil && in["anyOf"] == nil && in["oneOf"] == nil {
			out["additionalProperties"] = false
		}
	}
	if in["nullable"] == true {
		return obj{"anyOf": []any{out, obj{"type": "null"}}}, refs
	}
	return out, refs
}
