package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/rcactl/rcactl/schemas"
)

// keywords is a schema as JSON: its keywords and ours (x-rcactl-…).
type keywords map[string]any

func (k keywords) text(name string) string {
	s, _ := k[name].(string)
	return s
}

func (k keywords) texts(name string) []string {
	list, _ := k[name].([]any)
	texts := make([]string, 0, len(list))
	for _, item := range list {
		texts = append(texts, fmt.Sprint(item))
	}
	return texts
}

func (k keywords) object(name string) map[string]any {
	o, _ := k[name].(map[string]any)
	return o
}

// types lists what may stand there, without null: an empty key means that
// nothing is set, and nobody needs to be told.
func (k keywords) types() []string {
	if t := k.text("type"); t != "" {
		return []string{t}
	}
	return slices.DeleteFunc(k.texts("type"), func(t string) bool { return t == "null" })
}

// schema is the published schema twice: compiled, to validate with, and as
// JSON, to word problems and to find the types of values.
type schema struct {
	compiled *jsonschema.Schema
	root     keywords
}

// loadSchema compiles the embedded schema. It panics when that is not a schema,
// which a test would have shown.
func loadSchema() *schema {
	const address = "https://rcactl.dev/schemas/config.v1.json"
	compiler := jsonschema.NewCompiler()
	compiler.LoadURL = nil // nothing is fetched
	s := &schema{}
	err := errors.Join(
		json.Unmarshal(schemas.Config(), &s.root),
		compiler.AddResource(address, bytes.NewReader(schemas.Config())))
	if err == nil {
		s.compiled, err = compiler.Compile(address)
	}
	if err != nil {
		panic("rcactl was built with a broken config schema: " + err.Error())
	}
	return s
}

// expand follows $ref. Keywords beside it win.
func (s *schema) expand(k keywords) keywords {
	name, ok := strings.CutPrefix(k.text("$ref"), "#/$defs/")
	if !ok {
		return k
	}
	target, _ := s.root.object("$defs")[name].(map[string]any)
	all := keywords{}
	for key, v := range s.expand(target) {
		all[key] = v
	}
	for key, v := range k {
		all[key] = v
	}
	return all
}

// child is the schema of a key, if there is one.
func (s *schema) child(k keywords, name string) (keywords, bool) {
	k = s.branch(k, &node{kind: isMapping})
	if sub, ok := k.object("properties")[name].(map[string]any); ok {
		return s.expand(sub), true
	}
	for pattern, sub := range k.object("patternProperties") {
		if re, err := regexp.Compile(pattern); err == nil && re.MatchString(name) {
			sub, _ := sub.(map[string]any)
			return s.expand(sub), true
		}
	}
	return nil, false
}

// known lists the keys of a mapping.
func (k keywords) known() []string {
	var names []string
	for name := range k.object("properties") {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// showable cuts a path before any key that may be a credential: below a key
// where a reference belongs, beside such a key ("signing: {hunter2}"), and below
// a key that means nothing to us.
func (s *schema) showable(p path) path {
	k := s.root
	for i, step := range p {
		if k.text("x-rcactl-type") == "secret-ref" {
			return p[:i]
		}
		if strings.HasPrefix(step, "[") {
			k = s.expand(k.object("items"))
			continue
		}
		child, ok := s.child(k, step)
		if _, near := nearest(step, k.known()); !ok && !near && s.holdsCredential(k) {
			return p[:i]
		}
		if !ok {
			return p[:i+1]
		}
		k = child
	}
	return p
}

func (s *schema) holdsCredential(k keywords) bool {
	return slices.ContainsFunc(k.known(), func(name string) bool {
		child, _ := s.child(k, name)
		return child.text("x-rcactl-type") == "secret-ref"
	})
}

// at is the schema of a key at the top.
func (s *schema) at(name string) keywords {
	k, _ := s.child(s.root, name)
	return k
}

// branch is the alternative of an anyOf that a value means, by its kind.
func (s *schema) branch(k keywords, n *node) keywords {
	list, ok := k["anyOf"].([]any)
	if !ok {
		return k
	}
	var other keywords
	for _, alternative := range list {
		alternative, _ := alternative.(map[string]any)
		expanded := s.expand(alternative)
		switch kind, fits := expanded.types(), expanded.takes(n.kind); {
		case fits:
			return expanded
		case !slices.Contains(kind, "array") && !slices.Contains(kind, "object") && n.kind != isList && n.kind != isMapping && other == nil:
			other = expanded // meant, and of the wrong kind
		}
	}
	if other != nil {
		return other
	}
	return k
}

// takes reports whether a value of a kind may stand there.
func (k keywords) takes(kind kind) bool {
	types := k.types()
	switch kind {
	case isList:
		return slices.Contains(types, "array")
	case isMapping:
		return slices.Contains(types, "object")
	case isText:
		return slices.Contains(types, "string")
	case isInt:
		return slices.Contains(types, "integer") || slices.Contains(types, "number")
	case isNumber:
		return slices.Contains(types, "number")
	case isBool:
		return slices.Contains(types, "boolean")
	}
	return false
}

// short is the key that a single text stands for where a mapping may stand too,
// with the schema of that mapping; "" when there is none.
func (s *schema) short(k keywords, n *node) (key string, mapping keywords) {
	if n.kind != isText {
		return "", nil
	}
	mapping = s.branch(k, &node{kind: isMapping})
	return mapping.text("x-rcactl-short"), mapping
}

// connectors lists the types of the schema, with what people call them as well.
func (s *schema) connectors() (types []string, also map[string]string) {
	also = map[string]string{}
	for _, sub := range s.at("connectors").object("patternProperties") {
		sub, _ := sub.(map[string]any)
		k := s.expand(sub)
		typ := k.text("x-rcactl-connector")
		types = append(types, typ)
		for _, name := range k.texts("x-rcactl-also") {
			also[name] = typ
		}
	}
	slices.Sort(types)
	return types, also
}

// knowsVersion looks at the version first: the keys of a later format are not
// unknown keys of this one.
func (s *schema) knowsVersion(c *collector, root *node) bool {
	if root.kind != isMapping {
		return true
	}
	f := root.field("version")
	want := fmt.Sprint(s.at("version")["const"])
	if f == nil || f.val.kind != isInt || f.val.number.String() == want {
		return true
	}
	c.add(ruleBadVersion, f.val.pos, path{"version"}, "a newer rcactl may read it; this one takes version: "+want,
		"version %s is not one that this rcactl reads", f.val.number)
	return false
}

// validate runs the JSON Schema over the tree and words what it finds.
func (s *schema) validate(c *collector, root *node) {
	err := s.compiled.Validate(root.instance())
	var invalid *jsonschema.ValidationError
	switch {
	case errors.As(err, &invalid):
		translator{c, root}.walk(invalid)
	case err != nil:
		c.add(ruleBadValue, root.pos, nil, "", "does not fit the schema")
	}
}

// translator turns errors of the validator into problems. It takes the place
// and the keyword from them and words the rest itself, since their text quotes
// values.
type translator struct {
	*collector
	root *node
}

func (t translator) walk(e *jsonschema.ValidationError) {
	parent, keyword := t.keyword(e)
	switch {
	case keyword == "anyOf":
		t.anyOf(e, parent)
	case len(e.Causes) > 0:
		for _, cause := range e.Causes {
			t.walk(cause)
		}
	default:
		t.leaf(e, parent, keyword)
	}
}

// anyOf keeps the errors of the alternative that was meant: the one of the
// right kind. When no kind fits, that is the problem.
func (t translator) anyOf(e *jsonschema.ValidationError, parent keywords) {
	for _, cause := range e.Causes {
		if !t.wrongKind(cause, e.InstanceLocation) {
			t.walk(cause)
			return
		}
	}
	n, at := t.place(e.InstanceLocation)
	t.wrongType(n, at, parent)
}

func (t translator) wrongKind(e *jsonschema.ValidationError, instance string) bool {
	if _, keyword := t.keyword(e); len(e.Causes) == 0 {
		return keyword == "type" && e.InstanceLocation == instance
	}
	return slices.ContainsFunc(e.Causes, func(cause *jsonschema.ValidationError) bool { return t.wrongKind(cause, instance) })
}

// keyword finds the keyword that failed and the schema that it belongs to.
func (t translator) keyword(e *jsonschema.ValidationError) (parent keywords, keyword string) {
	_, pointer, _ := strings.Cut(e.AbsoluteKeywordLocation, "#")
	tokens := pointerTokens(pointer)
	if len(tokens) == 0 {
		return t.schema.root, ""
	}
	for i, token := range tokens {
		if token == "dependentRequired" {
			tokens = tokens[:i+1]
			break
		}
	}
	var current any = map[string]any(t.schema.root)
	for _, token := range tokens[:len(tokens)-1] {
		switch v := current.(type) {
		case map[string]any:
			current = v[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return nil, tokens[len(tokens)-1]
			}
			current = v[i]
		}
	}
	object, _ := current.(map[string]any)
	return t.schema.expand(object), tokens[len(tokens)-1]
}

// place finds the value that an error is about.
func (t translator) place(instance string) (*node, path) {
	var at path
	n := t.root
	for _, token := range pointerTokens(instance) {
		if n.kind == isList {
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(n.items) {
				return n, at
			}
			n, at = n.items[i], at.item(i)
			continue
		}
		f := n.field(token)
		if f == nil {
			return n, at
		}
		n, at = f.val, at.key(token)
	}
	return n, at
}

// pointerTokens splits a JSON pointer as the validator writes it: escaped for a
// URL on top.
func pointerTokens(pointer string) []string {
	if pointer = strings.TrimPrefix(pointer, "/"); pointer == "" {
		return nil
	}
	tokens := strings.Split(pointer, "/")
	for i, token := range tokens {
		if plain, err := url.PathUnescape(token); err == nil {
			token = plain
		}
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
	}
	return tokens
}
