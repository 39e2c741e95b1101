package config

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Bounds of a file once its aliases are followed. A generous config has a few
// hundred values; these only stop what was made to hurt.
const (
	maxNodes = 10000
	maxDepth = 64
)

// position is a place in the file, from 1.
type position struct{ line, column int }

// kind is what a value is, in the words that people read.
type kind string

const (
	isText    kind = "text"
	isInt     kind = "a whole number"
	isNumber  kind = "a number"
	isBool    kind = "true or false"
	isNull    kind = "nothing"
	isList    kind = "a list"
	isMapping kind = "a mapping"
)

// node is a value of the file with aliases followed, merges done and scalars
// read by the YAML 1.2 core schema: no is text, 0777 is a decimal number, dates
// are text.
type node struct {
	kind kind
	pos  position
	text string
	// number holds whole numbers and others in a form that JSON takes.
	number json.Number
	yes    bool
	items  []*node
	fields []field
}

type field struct {
	name string
	pos  position
	val  *node
}

func (n *node) field(name string) *field {
	for i := range n.fields {
		if n.fields[i].name == name {
			return &n.fields[i]
		}
	}
	return nil
}

// at follows a path as far as the tree goes. It returns the value and the place
// of the last key on the way.
func (n *node) at(p path) (found *node, keyPos position, whole bool) {
	keyPos = n.pos
	for _, step := range p {
		if index, ok := strings.CutPrefix(step, "["); ok {
			i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			switch {
			case n.kind != isList && i == 0: // a list may be written as one value
				continue
			case n.kind != isList || err != nil || i < 0 || i >= len(n.items):
				return n, keyPos, false
			}
			n = n.items[i]
			keyPos = n.pos
			continue
		}
		f := n.field(step)
		if f == nil {
			return n, keyPos, false
		}
		n, keyPos = f.val, f.pos
	}
	return n, keyPos, true
}

// instance gives the value in the types that a JSON Schema validator takes.
func (n *node) instance() any {
	switch n.kind {
	case isText:
		return n.text
	case isInt, isNumber:
		return n.number
	case isBool:
		return n.yes
	case isList:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.instance()
		}
		return list
	case isMapping:
		object := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			object[f.name] = f.val.instance()
		}
		return object
	}
	return nil
}

// builder makes the tree of a file.
type builder struct {
	*collector
	nodes int
	open  map[*yaml.Node]bool // on the way from the root to here
}

var errTooComplex = errors.New("too complex")

// build makes the tree below y. Its only error is errTooComplex.
func (b *builder) build(y *yaml.Node, at path) (*node, error) {
	if err := b.count(y, at); err != nil {
		return nil, err
	}
	if y.Kind == yaml.AliasNode {
		if b.open[y.Alias] {
			return nil, b.tooComplex(y, at, "an alias inside its own anchor")
		}
		return b.build(y.Alias, at)
	}
	b.open[y] = true
	defer delete(b.open, y)

	n := &node{pos: position{y.Line, y.Column}}
	if y.Style&yaml.TaggedStyle != 0 && !isPlainTag(y.Tag) {
		b.add(ruleCustomTag, n.pos, at, `if the text begins with "!", put it in quotes`, "a YAML tag that rcactl does not take")
	}
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = isMapping
		return n, b.mapping(n, y, at)
	case yaml.SequenceNode:
		n.kind = isList
		for i, item := range y.Content {
			child, err := b.build(item, at.item(i))
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, child)
		}
		return n, nil
	}
	n.scalar(y)
	if n.kind == isText && strings.Contains(n.text, "${") {
		b.add(ruleNoExpansion, n.pos, at, "where a credential belongs, write env:NAME; elsewhere write the value itself",
			`"${" is kept as written: rcactl expands nothing`)
	}
	return n, nil
}

// count bounds the tree before it is built.
func (b *builder) count(y *yaml.Node, at path) error {
	b.nodes++
	switch {
	case b.nodes > maxNodes:
		return b.tooComplex(y, at, "more than "+strconv.Itoa(maxNodes)+" values once aliases are followed")
	case len(at) > maxDepth:
		return b.tooComplex(y, at[:3], "more than "+strconv.Itoa(maxDepth)+" levels deep")
	}
	return nil
}

func (b *builder) tooComplex(y *yaml.Node, at path, says string) error {
	b.add(ruleTooComplex, position{y.Line, y.Column}, at, "write it out with fewer anchors and levels", "%s", says)
	return errTooComplex
}

// mapping reads keys and values; merged keys come after the mapping's own, which
// win over them.
func (b *builder) mapping(n *node, y *yaml.Node, at path) error {
	var merges []*yaml.Node
	first := map[string]position{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if err := b.count(key, at); err != nil {
			return err
		}
		if key.Kind == yaml.ScalarNode && key.Tag == "!!merge" {
			merges = append(merges, value)
			continue
		}
		pos := position{key.Line, key.Column}
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		var read node
		if key.Kind == yaml.ScalarNode {
			read.scalar(key)
		}
		if read.kind != isText {
			b.add(ruleNonStringKey, pos, at, "keys are text; put it in quotes if it is meant", "a key that is not text")
			continue
		}
		below := at.key(read.text)
		child, err := b.build(value, below)
		if err != nil {
			return err
		}
		if child.kind == isNull && child.text == "" {
			child.pos = pos // nothing is written there: point to the key
		}
		if earlier, ok := first[read.text]; ok {
			b.add(ruleRepeatedKey, pos, below, "keep one of them", "repeated key, first on line %d", earlier.line)
			continue
		}
		first[read.text] = pos
		n.fields = append(n.fields, field{read.text, pos, child})
	}
	for _, m := range merges {
		if err := b.merge(n, m, at, first, true); err != nil {
			return err
		}
	}
	return nil
}

// merge adds the keys of a "<<" that are not there yet.
func (b *builder) merge(n *node, y *yaml.Node, at path, have map[string]position, listToo bool) error {
	if err := b.count(y, at); err != nil {
		return err
	}
	written := y
	if y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	switch {
	case y.Kind == yaml.SequenceNode && listToo && !b.open[y]:
		for _, item := range y.Content {
			if err := b.merge(n, item, at, have, false); err != nil {
				return err
			}
		}
		return nil
	case y.Kind != yaml.MappingNode:
		b.add(ruleBadMerge, position{written.Line, written.Column}, at, "write <<: *name, where &name stands before a mapping", `"<<" takes a mapping or a list of mappings`)
		return nil
	}
	source, err := b.build(written, at)
	if err != nil {
		return err
	}
	for _, f := range source.fields {
		if _, ok := have[f.name]; !ok {
			have[f.name] = f.pos
			n.fields = append(n.fields, f)
		}
	}
	return nil
}

func isPlainTag(tag string) bool {
	switch tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!!merge":
		return true
	}
	return false
}

var (
	intForm   = regexp.MustCompile(`^[-+]?[0-9]+$|^0o[0-7]+$|^0x[0-9a-fA-F]+$`)
	floatForm = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
)

// scalar reads y by the core schema of YAML 1.2. The library would go by 1.1,
// where a name such as "on" or a date is not text.
func (n *node) scalar(y *yaml.Node) {
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	n.text = y.Value
	n.kind = isText
	if y.Style&quoted != 0 || y.Style&yaml.TaggedStyle != 0 && y.Tag == "!!str" {
		return
	}
	switch y.Value {
	case "", "~", "null", "Null", "NULL":
		n.kind = isNull
		return
	case "true", "True", "TRUE", "false", "False", "FALSE":
		n.kind, n.yes = isBool, strings.EqualFold(y.Value, "true")
		return
	}
	switch {
	case intForm.MatchString(y.Value):
		// Too big a number stays at the end of the range: every key has bounds
		// that it breaks, and a validator is spared a million digits.
		i, _ := strconv.ParseInt(decimal(y.Value), 0, 64)
		n.kind, n.number = isInt, json.Number(strconv.FormatInt(i, 10))
	case floatForm.MatchString(y.Value):
		f, _ := strconv.ParseFloat(y.Value, 64)
		f = max(min(f, math.MaxFloat64), -math.MaxFloat64)
		n.kind, n.number = isNumber, json.Number(strconv.FormatFloat(f, 'g', -1, 64))
	}
}

// decimal drops the sign + and leading zeros, which would mean octal in Go.
func decimal(s string) string {
	if strings.HasPrefix(s, "0o") || strings.HasPrefix(s, "0x") {
		return s
	}
	digits := strings.TrimLeft(strings.TrimLeft(s, "+-"), "0")
	if digits == "" {
		return "0"
	}
	if s[0] == '-' {
		return "-" + digits
	}
	return digits
}
