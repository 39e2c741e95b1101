package config

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Modeline is the first line of a config: it tells editors where the schema is.
const Modeline = "# yaml-language-server: $schema=https://rcactl.dev/schemas/config.v1.json"

// Render writes the config as a commented file: what differs from the defaults,
// and version. Parse reads it back to the same config.
func Render(c *Config) ([]byte, error) {
	tree, err := c.tree()
	if err != nil {
		return nil, err
	}
	s := loadSchema()
	var b bytes.Buffer
	b.WriteString(Modeline + "\n")
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(s.render(tree, s.root)); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}

// tree is the config as a file without comments would hold it, defaults
// included.
func (c *Config) tree() (*node, error) {
	root, err := encodeTree(c)
	if err != nil || c.Connectors == nil {
		return root, err
	}
	connectors := &node{kind: isMapping}
	for _, i := range c.Connectors {
		val, err := encodeTree(i.Config)
		if err != nil {
			return nil, fmt.Errorf("connectors.%s: %w", i.Key, err)
		}
		connectors.fields = append(connectors.fields, field{name: i.Key, val: val})
	}
	root.fields = append(root.fields, field{name: "connectors", val: connectors})
	return root, nil
}

func encodeTree(v any) (*node, error) {
	var y yaml.Node
	if err := y.Encode(v); err != nil {
		return nil, err
	}
	b := builder{collector: &collector{}, open: map[*yaml.Node]bool{}}
	return b.build(&y, nil)
}

// render leaves out what the schema names as default and what is empty, and
// puts the description of each key above it.
func (s *schema) render(n *node, k keywords) *yaml.Node {
	k = s.branch(s.expand(k), n)
	if short := k.text("x-rcactl-short"); short != "" && n.kind == isMapping {
		if set := slices.DeleteFunc(slices.Clone(n.fields), func(f field) bool {
			child, _ := s.child(k, f.name)
			return s.isDefault(f.val, child)
		}); len(set) == 1 && set[0].name == short {
			return s.render(set[0].val, s.expand(k.object("properties")[short].(map[string]any)))
		}
	}
	switch n.kind {
	case isMapping:
		out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, f := range n.fields {
			child, ok := s.child(k, f.name)
			if !ok || s.isDefault(f.val, child) {
				continue
			}
			key, val := scalarNode("!!str", f.name), s.render(f.val, child)
			key.HeadComment = comment(child)
			isConnector := child.text("x-rcactl-connector") != ""
			if val.Kind == yaml.MappingNode && len(val.Content) == 0 && !isConnector && f.name != "connectors" {
				continue
			}
			out.Content = append(out.Content, key, val)
		}
		return out
	case isList:
		if len(n.items) == 1 {
			return s.render(n.items[0], s.expand(k.object("items")))
		}
		out := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
		for _, item := range n.items {
			out.Content = append(out.Content, s.render(item, s.expand(k.object("items"))))
		}
		return out
	case isInt:
		return scalarNode("!!int", n.number.String())
	case isNumber:
		return scalarNode("!!float", n.number.String())
	case isBool:
		return scalarNode("!!bool", n.text)
	}
	return scalarNode("!!str", shortText(n.text, k.text("x-rcactl-type")))
}

// isDefault reports whether a value needs not be written.
func (s *schema) isDefault(n *node, k keywords) bool {
	value, ok := k["default"]
	if !ok {
		return n.kind == isNull || n.kind == isText && n.text == "" || n.kind == isList && len(n.items) == 0 ||
			n.kind == isInt && n.number == "0"
	}
	list, isMany := value.([]any)
	if !isMany {
		list = []any{value}
	}
	items := n.items
	if n.kind != isList {
		items = []*node{n}
	}
	return slices.EqualFunc(items, list, func(item *node, want any) bool {
		if number, ok := want.(float64); ok {
			want = strconv.FormatFloat(number, 'f', -1, 64) // never 2e+09
		}
		return shortText(item.text, k.text("x-rcactl-type")) == fmt.Sprint(want)
	})
}

func comment(k keywords) string {
	if description := k.text("description"); description != "" {
		return "# " + description
	}
	return ""
}

// shortText writes a duration as a person would: 2h, not 2h0m0s.
func shortText(text, typ string) string {
	d, err := time.ParseDuration(text)
	if typ != "duration" || err != nil {
		return text
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
