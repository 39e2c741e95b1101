// Command configdoc writes the reference part of docs/config.md from the schema
// and the rules, so that neither can drift from what is checked. What stands
// outside the two markers is written by people and kept.
//
//	go run ./schemas/gen/configdoc docs/config.md
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/rcactl/rcactl/pkg/config"
	"github.com/rcactl/rcactl/schemas"
)

func main() {
	if len(os.Args) != 2 {
		_, _ = fmt.Fprintln(os.Stderr, "usage: configdoc FILE")
		os.Exit(2)
	}
	if err := rewrite(os.Args[1]); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "configdoc:", err)
		os.Exit(1)
	}
}

const (
	begin = "<!-- generated from schemas/config.v1.json and config.Rules: make docs -->\n"
	end   = "<!-- end of what is generated -->\n"
)

// rewrite replaces what stands between the markers of a file.
func rewrite(file string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := replace(old)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, text, 0o644) //nolint:gosec // G306: documentation is for everybody
}

func replace(old []byte) ([]byte, error) {
	before, rest, hasBegin := bytes.Cut(old, []byte(begin))
	_, after, hasEnd := bytes.Cut(rest, []byte(end))
	if !hasBegin || !hasEnd {
		return nil, fmt.Errorf("no line %q or no line %q", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	// JSON is YAML, and YAML nodes keep the order of keys.
	var document yaml.Node
	if err := yaml.Unmarshal(schemas.Config(), &document); err != nil {
		return nil, err
	}
	g := generator{root: document.Content[0]}
	g.keys("## Keys", g.root)
	for _, pair := range pairs(get(g.root, "$defs")) {
		if typ := text(pair.value, "x-rcactl-connector"); typ != "" {
			g.keys("## Keys of `"+typ+"`", pair.value)
		}
	}
	g.rules()
	return append(append(append(append(before, begin...), g.out.Bytes()...), end...), after...), nil
}

type generator struct {
	root *yaml.Node
	out  bytes.Buffer
}

// keys writes a table of the keys of an object and of the objects in it.
func (g *generator) keys(title string, object *yaml.Node) {
	fmt.Fprintf(&g.out, "\n%s\n\n%s\n\n| key | takes | default | |\n|---|---|---|---|\n", title, text(object, "description"))
	g.rows("", object)
}

func (g *generator) rows(prefix string, object *yaml.Node) {
	for _, pair := range pairs(get(object, "properties")) {
		name, k := prefix+pair.name, pair.value
		if get(k, "properties") != nil {
			fmt.Fprintf(&g.out, "| `%s` | a mapping | | %s |\n", name, text(k, "description"))
			g.rows(name+".", k)
			continue
		}
		fmt.Fprintf(&g.out, "| `%s` | %s | %s | %s |\n", name, g.takes(k), defaultOf(k), text(k, "description"))
		if text(k, "x-rcactl-keys") != "" {
			g.rows(name+".….", g.mapping(pairs(get(k, "patternProperties"))[0].value))
		}
		if branches := get(k, "anyOf"); branches != nil {
			g.rows(name+"[].", g.target(branches.Content[0])) // nothing for a list of texts
		}
	}
}

// mapping is the alternative of a schema that takes a mapping.
func (g *generator) mapping(k *yaml.Node) *yaml.Node {
	k = g.target(k)
	if branches := get(k, "anyOf"); branches != nil {
		for _, branch := range branches.Content {
			if get(branch, "properties") != nil {
				return branch
			}
		}
	}
	return k
}

// target follows a reference.
func (g *generator) target(k *yaml.Node) *yaml.Node {
	if target := strings.TrimPrefix(text(k, "$ref"), "#/$defs/"); target != "" {
		return get(get(g.root, "$defs"), target)
	}
	return k
}

// takes says in words what a key takes.
func (g *generator) takes(k *yaml.Node) string {
	k = g.target(k)
	switch text(k, "x-rcactl-type") {
	case "duration":
		return "a duration: `90s`, `30m`, `2h`, `7d`"
	case "path":
		return "a path"
	case "secret-ref":
		return "`env:NAME` or `file:/path`"
	}
	if branches := get(k, "anyOf"); branches != nil {
		return g.takes(branches.Content[0]) + "; one or a list"
	}
	if wants := text(k, "x-rcactl-wants"); wants != "" {
		return wants
	}
	if enum := get(k, "enum"); enum != nil {
		return "`" + strings.Join(values(enum), "`, `") + "`"
	}
	if value := text(k, "const"); value != "" {
		return "`" + value + "`"
	}
	if keys := text(k, "x-rcactl-keys"); keys != "" {
		return "a mapping; each key is " + keys
	}
	if get(k, "patternProperties") != nil {
		return "a mapping of connectors"
	}
	if get(k, "properties") != nil {
		return "a mapping"
	}
	words := map[string]string{"string": "text", "integer": "a whole number", "number": "a number", "boolean": "`true` or `false`"}[text(k, "type")]
	low, above, high := text(k, "minimum"), text(k, "exclusiveMinimum"), text(k, "maximum")
	switch {
	case low != "" && high != "":
		return words + ", " + low + " to " + high
	case above != "" && high != "":
		return words + " above " + above + ", at most " + high
	}
	return words
}

func (g *generator) rules() {
	g.out.WriteString("\n## Rules\n\nThe ids are stable.\n\n| rule | severity | |\n|---|---|---|\n")
	for _, r := range config.Rules() {
		fmt.Fprintf(&g.out, "| `%s` | %s | %s |\n", r.ID, r.Severity, r.Says)
	}
}

func defaultOf(k *yaml.Node) string {
	value := get(k, "default")
	switch {
	case value == nil:
		return ""
	case value.Kind == yaml.SequenceNode:
		return "`[" + strings.Join(values(value), ", ") + "]`"
	}
	return "`" + value.Value + "`"
}

type pair struct {
	name  string
	value *yaml.Node
}

func pairs(n *yaml.Node) (list []pair) {
	if n == nil {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		list = append(list, pair{n.Content[i].Value, n.Content[i+1]})
	}
	return list
}

func get(n *yaml.Node, name string) *yaml.Node {
	for _, p := range pairs(n) {
		if p.name == name {
			return p.value
		}
	}
	return nil
}

func text(n *yaml.Node, name string) string {
	if v := get(n, name); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

func values(list *yaml.Node) (texts []string) {
	for _, v := range list.Content {
		texts = append(texts, v.Value)
	}
	return texts
}
