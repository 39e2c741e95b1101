package config

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/rcactl/rcactl/pkg/window"
)

// normalize writes a tree in the one form that structs take: a single value of
// a list as a list, durations as Go writes them, paths joined to the file's
// folder, and every scalar with its tag, so that the library has nothing to
// guess. Empty keys are left out: the defaults stay.
func (d decoder) normalize(n *node, k keywords) *yaml.Node {
	k = d.schema.expand(k)
	if list, ok := k["anyOf"].([]any); ok && n.kind != isList {
		for _, alternative := range list {
			alternative, _ := alternative.(map[string]any)
			if slices.Contains(keywords(alternative).types(), "array") {
				return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{d.normalize(n, d.schema.branch(k, n))}}
			}
		}
	}
	if key, mapping := d.schema.short(k, n); key != "" {
		n, k = &node{kind: isMapping, fields: []field{{name: key, val: n}}}, mapping
	}
	k = d.schema.branch(k, n)
	switch n.kind {
	case isMapping:
		out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, f := range n.fields {
			child, ok := d.schema.child(k, f.name)
			if !ok || f.val.kind == isNull {
				continue
			}
			out.Content = append(out.Content, scalarNode("!!str", f.name), d.normalize(f.val, child))
		}
		return out
	case isList:
		out := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		items := d.schema.expand(k.object("items"))
		for _, item := range n.items {
			out.Content = append(out.Content, d.normalize(item, items))
		}
		return out
	case isInt:
		return scalarNode("!!int", n.number.String())
	case isNumber:
		return scalarNode("!!float", n.number.String())
	case isBool:
		return scalarNode("!!bool", strconv.FormatBool(n.yes))
	}
	return scalarNode("!!str", d.text(n.text, k.text("x-rcactl-type")))
}

func (d decoder) text(text, typ string) string {
	switch typ {
	case "duration":
		if duration, err := window.ParseDuration(text); err == nil {
			return duration.String()
		}
	case "path":
		if !filepath.IsAbs(text) {
			return filepath.Join(d.base, text)
		}
	case "repository":
		return repository(text)
	case "folder":
		return strings.TrimSuffix(text, "/")
	}
	return text
}

func scalarNode(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}
