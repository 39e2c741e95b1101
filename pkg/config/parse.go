package config

import (
	"errors"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

// Types makes the config of a connector type, with its defaults filled in. It
// returns a pointer to a struct with yaml tags. An error says why there is
// none: the type is unknown, or this build was made without it; what stands
// behind a ";" in it is printed as the hint.
type Types func(typ string) (into any, err error)

// Parse reads a config file. The Config is nil when there is an error among the
// problems, and only then. name is the file's path: it stands in the problems,
// and relative paths of the file start at its folder.
//
// Parse fills what types returns and calls its Validate method, if it has one.
// Errors of Validate that have a method Field are placed at the value they mean.
func Parse(name string, data []byte, types Types) (*Config, Problems) {
	c := &collector{file: name, schema: loadSchema()}
	cfg := parse(c, data, types)
	return cfg, c.problems()
}

func parse(c *collector, data []byte, types Types) *Config {
	document := parseYAML(c, data)
	if document == nil {
		return nil
	}
	b := builder{collector: c, open: map[*yaml.Node]bool{}}
	root, err := b.build(document, nil)
	if err != nil {
		return nil
	}
	s := c.schema
	if !s.knowsVersion(c, root) {
		return nil
	}
	s.validate(c, root)
	s.check(c, root, s.root, nil)

	d := decoder{collector: c, base: filepath.Dir(c.file)}
	cfg := d.config(root, types)
	if c.failed() {
		return nil
	}
	return cfg
}

// decoder fills structs from the healthy parts of a tree.
type decoder struct {
	*collector
	base string
}

func (d decoder) config(root *node, types Types) *Config {
	cfg := Default()
	if root.kind != isMapping {
		return nil
	}
	if f := root.field("connectors"); f != nil && f.val.kind == isMapping {
		d.twins(f.val.fields)
		cfg.Connectors = make([]Instance, 0, len(f.val.fields))
		for _, entry := range f.val.fields {
			if instance, ok := d.instance(entry, path{"connectors", entry.name}, types, root.field("cluster_id")); ok {
				cfg.Connectors = append(cfg.Connectors, instance)
			}
		}
	}
	if d.failed() {
		return nil // the connectors were decoded for what they say of themselves
	}
	d.fill(cfg, root, d.schema.root, nil)
	return cfg
}

// twins finds connectors whose keys give the same file names: "/" is written as
// "-" there, and some file systems do not tell case apart.
func (d decoder) twins(entries []field) {
	first := map[string]field{}
	for _, entry := range entries {
		stem := strings.ToLower(strings.ReplaceAll(entry.name, "/", "-"))
		if twin, ok := first[stem]; ok {
			d.add(ruleConnectorTwin, entry.pos, path{"connectors", entry.name}, "rename one of the two",
				"would share its files with %s on line %d: the keys differ only in case, or in / and -", shown(twin.name), twin.pos.line)
			continue
		}
		first[stem] = entry
	}
}

// instance decodes one connector when nothing is wrong with it so far. What the
// file says of the cluster as a whole holds for a connector that has a key of that
// name and does not set it.
func (d decoder) instance(entry field, at path, types Types, cluster *field) (Instance, bool) {
	typ, name, _ := strings.Cut(entry.name, "/")
	i := Instance{Key: entry.name, Type: typ, Name: name, Line: entry.pos.line, Column: entry.pos.column}
	if d.sick(at) || types == nil {
		return i, types == nil
	}
	into, err := types(typ)
	if err != nil {
		message, hint, _ := strings.Cut(strings.TrimPrefix(err.Error(), typ+": "), "; ")
		d.add(ruleConnectorOmitted, entry.pos, at, hint, "%s", message)
		return i, false
	}
	i.Config = into
	sch, _ := d.schema.child(d.schema.at("connectors"), entry.name)
	if cluster != nil {
		if _, ok := d.schema.child(sch, cluster.name); ok && !d.fill(into, &node{kind: isMapping, fields: []field{*cluster}}, sch, at) {
			return i, false
		}
	}
	if entry.val.kind == isMapping && !d.fill(into, entry.val, sch, at) {
		return i, false
	}
	if v, ok := into.(interface{ Validate() error }); ok {
		d.connectorErrors(v.Validate(), entry, at)
	}
	return i, true
}

// fill decodes a tree into a struct.
func (d decoder) fill(into any, n *node, sch keywords, at path) bool {
	if err := d.normalize(n, sch).Decode(into); err != nil {
		// The error would quote the value; and it is ours, not the file's.
		d.add(ruleConnectorValue, n.pos, at, "please report it", "passes the schema and does not fit rcactl's own types: this is a bug in rcactl")
		return false
	}
	return true
}

// fieldError is the error of a config that knows which value it means. Its path
// starts at the connector's own keys.
type fieldError interface {
	error
	Field() (path, problem, hint string)
}

func (d decoder) connectorErrors(err error, entry field, at path) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			d.connectorErrors(e, entry, at)
		}
		return
	}
	var fe fieldError
	if !errors.As(err, &fe) {
		d.add(ruleConnectorValue, entry.pos, at, "", "%s", err)
		return
	}
	below, problem, hint := fe.Field()
	p := parsePath(below)
	found, keyPos, whole := entry.val.at(p)
	pos := found.pos
	switch {
	case found == entry.val:
		pos = entry.pos
	case !whole:
		pos = keyPos
	}
	d.add(ruleConnectorValue, pos, append(at[:len(at):len(at)], p...), hint, "%s", problem)
}
