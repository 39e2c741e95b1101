// Command evidencedoc writes docs/evidence.md from the evidence schema, so that
// the two cannot drift.
//
//	go run ./schemas/gen/evidencedoc docs/evidence.md
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/rcactl/rcactl/schemas"
)

func main() {
	if len(os.Args) != 2 {
		_, _ = fmt.Fprintln(os.Stderr, "usage: evidencedoc FILE")
		os.Exit(2)
	}
	page, err := render(schemas.Evidence())
	if err == nil {
		err = os.WriteFile(os.Args[1], page, 0o644) //nolint:gosec // G306: documentation is for everybody
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "evidencedoc:", err)
		os.Exit(1)
	}
}

const head = `<!-- generated from schemas/evidence.v1.json: make docs -->

# Evidence

Evidence is JSONL: one event a line, in the files ` + "`evidence/<connector>.<kind>.jsonl`" + ` of a run. Each line
follows [the schema](../schemas/evidence.v1.json) (JSON Schema, draft 2020-12):
an envelope that is the same for every kind, and one body that belongs to the kind.

- Times are RFC 3339 in UTC. Numbers of seconds say so in their name.
- A field that is not known is absent. It is never guessed.
- The id of an event is derived from what the fact is, so that collecting it twice gives the same id.
- No field says what caused what. Links say how two events are tied and in which order they came.

The class of a field decides what redaction does with it: [redaction.md](redaction.md). Where no class
stands, the fields below it have one each.
`

// page is what has been written so far.
type page struct {
	bytes.Buffer
	root    *yaml.Node
	written map[string]bool // definitions
}

func render(schema []byte) ([]byte, error) {
	// JSON is YAML, and YAML nodes keep the order of keys.
	var document yaml.Node
	if err := yaml.Unmarshal(schema, &document); err != nil {
		return nil, fmt.Errorf("read the evidence schema: %w", err)
	}
	p := &page{root: document.Content[0], written: map[string]bool{}}
	bodies := map[string]string{}
	for _, branch := range get(p.root, "allOf").Content {
		kind := get(branch, "if", "properties", "kind", "const").Value
		body := get(branch, "then", "required").Content[0].Value
		bodies[body] = kind
		p.written[body] = true // it has a section of its own
	}
	fmt.Fprint(p, head)
	p.object("## Envelope", p.root)
	for _, value := range get(p.root, "properties", "kind", "oneOf").Content {
		for body, kind := range bodies {
			if kind != get(value, "const").Value {
				continue
			}
			fmt.Fprintf(p, "\n## %s\n\n%s Its body is `%s`.\n", kind, prose(value), body)
			if err := p.example(kind); err != nil {
				return nil, err
			}
			p.object("### "+body, get(p.root, "$defs", body))
		}
	}
	return p.Bytes(), nil
}

// example writes the line of a kind, as it would stand in a file.
func (p *page) example(kind string) error {
	for _, node := range get(p.root, "examples").Content {
		if get(node, "kind").Value != kind {
			continue
		}
		line, err := compact(node)
		if err != nil {
			return err
		}
		fmt.Fprintf(p, "\n```json\n%s\n```\n", line)
		return nil
	}
	return fmt.Errorf("the schema has no example of a %s", kind)
}

// object writes the table of an object, the values of its fields, and then the
// objects in it that were not written yet.
func (p *page) object(title string, object *yaml.Node) {
	fmt.Fprintf(p, "\n%s\n\n| field | type | class | meaning |\n|---|---|---|---|\n", title)
	required := map[string]bool{}
	for _, name := range get(object, "required").Content {
		required[name.Value] = true
	}
	var values, inner bytes.Buffer
	sub := &page{root: p.root, written: p.written}
	for name, field := range pairs(get(object, "properties")) {
		leaf := field
		if items := get(field, "items"); items.Kind == yaml.MappingNode {
			leaf = items
		}
		def := strings.TrimPrefix(get(leaf, "$ref").Value, "#/$defs/")
		typ := p.typeOf(field)
		if required[name] {
			typ += ", always"
		}
		class := get(leaf, "x-rcactl-class").Value
		if domain := get(leaf, "x-rcactl-domain").Value; domain != "" {
			class += " (" + domain + ")"
		}
		target := get(p.root, "$defs", def)
		if def != "" && get(target, "properties").Kind == 0 {
			class = get(target, "x-rcactl-class").Value
		}
		fmt.Fprintf(p, "| `%s` | %s | %s | %s |\n", name, typ, class, prose(field))
		writeValues(&values, name, leaf)
		if def == "" || p.written[def] {
			continue
		}
		p.written[def] = true
		if get(target, "properties").Kind != 0 {
			sub.object("### "+def, target)
			continue
		}
		writeValues(&inner, def, target)
	}
	fmt.Fprint(p, values.String(), inner.String(), sub.String())
}

func writeValues(out *bytes.Buffer, name string, leaf *yaml.Node) {
	list := get(leaf, "oneOf")
	if len(list.Content) == 0 {
		return
	}
	fmt.Fprintf(out, "\n| `%s` | |\n|---|---|\n", name)
	for _, value := range list.Content {
		fmt.Fprintf(out, "| `%s` | %s |\n", get(value, "const").Value, prose(value))
	}
}

func (p *page) typeOf(field *yaml.Node) string {
	switch {
	case get(field, "$ref").Value != "":
		def := strings.TrimPrefix(get(field, "$ref").Value, "#/$defs/")
		if get(p.root, "$defs", def, "properties").Kind == 0 {
			return "one of `" + def + "`"
		}
		return "[" + def + "](#" + def + ")"
	case get(field, "type").Value == "array":
		return "list of " + p.typeOf(get(field, "items"))
	case get(field, "const").Value != "":
		return "`" + get(field, "const").Value + "`"
	case len(get(field, "oneOf").Content) > 0:
		return "one of a set"
	case get(field, "format").Value == "date-time":
		return "time"
	}
	return get(field, "type").Value
}

// prose is a description that Markdown shows as it is.
func prose(node *yaml.Node) string {
	return strings.NewReplacer("<", "\\<", "|", "\\|", "*", "\\*", "_", "\\_").Replace(get(node, "description").Value)
}

// get follows keys; what is not there is an empty node.
func get(node *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		next := &yaml.Node{}
		for name, value := range pairs(node) {
			if name == key {
				next = value
			}
		}
		node = next
	}
	return node
}

// pairs goes through a mapping in the order of the file.
func pairs(node *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !yield(node.Content[i].Value, node.Content[i+1]) {
				return
			}
		}
	}
}

// compact writes a node as JSON on one line, in the order of the file.
func compact(node *yaml.Node) (string, error) {
	var parts []string
	switch node.Kind {
	case yaml.MappingNode:
		for name, value := range pairs(node) {
			inner, err := compact(value)
			if err != nil {
				return "", err
			}
			parts = append(parts, fmt.Sprintf("%q:%s", name, inner))
		}
		return "{" + strings.Join(parts, ",") + "}", nil
	case yaml.SequenceNode:
		for _, value := range node.Content {
			inner, err := compact(value)
			if err != nil {
				return "", err
			}
			parts = append(parts, inner)
		}
		return "[" + strings.Join(parts, ",") + "]", nil
	}
	if node.Tag != "!!str" && node.Tag != "!!timestamp" {
		return node.Value, nil // numbers and booleans are spelt alike
	}
	text, err := json.Marshal(node.Value)
	return string(text), err
}
