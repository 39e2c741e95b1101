package dump

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

const (
	// maxParts bounds the nodes of an object in YAML, each of which takes some
	// hundred bytes while it is read.
	maxParts = 300_000
	// maxNested is deeper than any object of the API that is read.
	maxNested = 100
)

// yamlFile is a file of YAML on its way. Lists are taken apart by their
// indentation, as every writer of YAML gives it: the items of a list of a hundred
// thousand objects would not fit into memory at once.
type yamlFile struct {
	*walker
	name   string
	number int
	// head holds the lines of a document that are no items, item those of one.
	head, item bytes.Buffer
	// list says that the document has items; inside, that the line before belongs
	// to them; dash is the indentation of their dashes, -1 before the first.
	list, inside bool
	dash         int
	in           Type
	ok           bool
}

// yaml reads the documents of a file.
func (w *walker) yaml(name string, in *bufio.Reader) error {
	y := &yamlFile{walker: w, name: name, dash: -1}
	for {
		line, err := y.line(in)
		if len(line) > 0 {
			if err := y.add(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return y.finish()
		}
		if err != nil {
			return err
		}
	}
}

// line reads up to the end of a line, which may be as long as an object.
func (y *yamlFile) line(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	long := bytes.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = in.ReadSlice('\n')
		if len(long)+len(line) > y.limits.Object {
			return nil, errLarge
		}
		long = append(long, line...)
	}
	return long, err
}

// marks reports whether a line is a marker of documents.
func marks(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0)
}

func (y *yamlFile) add(line []byte) error {
	if marks(line, "---") || marks(line, "...") {
		if err := y.finish(); err != nil {
			return err
		}
		if line = bytes.TrimSpace(line[3:]); len(line) == 0 || line[0] == '#' {
			return nil
		}
		line = append(bytes.Clone(line), '\n')
	}
	if y.inside {
		taken, err := y.addInside(line)
		if taken || err != nil {
			return err
		}
	}
	if !y.list && startsItems(line) {
		y.list, y.inside, y.dash = true, true, -1
		return nil
	}
	if y.head.Len() == 0 && line[0] == '%' {
		return nil
	}
	return put(&y.head, line, y.limits.Object)
}

// startsItems recognises the key of the items of a list.
func startsItems(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("items:"))
	rest = bytes.TrimSpace(rest)
	return ok && (len(rest) == 0 || rest[0] == '#')
}

// addInside takes a line of the items; taken is false for the first that follows
// them.
func (y *yamlFile) addInside(line []byte) (taken bool, err error) {
	indent := len(line) - len(bytes.TrimLeft(line, " "))
	rest := bytes.TrimRight(line[indent:], " \t\r\n")
	dashed := len(rest) > 0 && rest[0] == '-' && (len(rest) == 1 || rest[1] == ' ')
	switch {
	case len(rest) == 0 || rest[0] == '#' && indent == 0:
		if y.item.Len() == 0 {
			return true, nil
		}
		return true, put(&y.item, line, y.limits.Object)
	case y.dash < 0 && dashed:
		y.dash = indent
		y.in, y.ok = y.itemType(y.document(), headType(y.head.Bytes()))
	case y.dash >= 0 && indent == y.dash && dashed:
		if err := y.flush(); err != nil {
			return true, err
		}
	case y.dash >= 0 && indent > y.dash:
		return true, put(&y.item, line, y.limits.Object)
	case indent == 0:
		y.inside = false
		return false, y.flush()
	default:
		return true, brokenError("its items are not indented as a list")
	}
	first := bytes.Clone(line)
	first[indent] = ' '
	return true, put(&y.item, first, y.limits.Object)
}

func put(to *bytes.Buffer, line []byte, limit int) error {
	if to.Len()+len(line) > limit {
		return errLarge
	}
	to.Write(line)
	return nil
}

func (y *yamlFile) document() document { return document{y.name, y.number} }

// flush hands over the item that is complete. One that cannot be read is counted,
// and the next is read.
func (y *yamlFile) flush() error {
	defer y.item.Reset()
	if y.item.Len() == 0 || !y.ok {
		return nil
	}
	object, err := toJSON(y.raw[:0], y.item.Bytes())
	if err != nil {
		y.broken(y.name, err)
		return nil
	}
	y.raw = object
	if object[0] != '{' {
		return nil
	}
	return y.visit(y.name, y.in, object)
}

// finish ends a document.
func (y *yamlFile) finish() error {
	defer func() {
		y.head.Reset()
		y.number++
		y.list, y.inside, y.dash = false, false, -1
	}()
	if err := y.flush(); err != nil {
		return err
	}
	if y.list {
		return y.end(y.document(), headType(y.head.Bytes()), true)
	}
	if len(bytes.TrimSpace(y.head.Bytes())) == 0 {
		return nil
	}
	object, err := toJSON(nil, y.head.Bytes())
	if err != nil {
		y.broken(y.name, err)
		return nil
	}
	if object[0] != '{' {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return err
	}
	return y.walker.document(dec, &budget{}, y.document())
}

// headType reads the type of a list out of the lines around its items.
func headType(head []byte) Type {
	var t Type
	for line := range bytes.Lines(head) {
		for key, into := range map[string]*string{"apiVersion:": &t.APIVersion, "kind:": &t.Kind} {
			if value, ok := bytes.CutPrefix(line, []byte(key)); ok && len(value) <= maxWord {
				value, _, _ = bytes.Cut(value, []byte(" #"))
				*into = strings.Trim(string(bytes.TrimSpace(value)), `"'`)
			}
		}
	}
	return t
}

// toJSON appends an object in JSON.
func toJSON(to, from []byte) ([]byte, error) {
	if bytes.Count(from, []byte("\n"))+bytes.Count(from, []byte(",")) > maxParts {
		return nil, errComplex
	}
	var node yaml.Node
	if err := yaml.Unmarshal(from, &node); err != nil {
		return nil, brokenError("an object in it is not YAML")
	}
	if len(node.Content) != 1 {
		return append(to, "null"...), nil
	}
	return appendNode(to, node.Content[0], 0)
}

func appendNode(to []byte, n *yaml.Node, depth int) ([]byte, error) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return nil, errAlias
	}
	if depth > maxNested {
		return nil, errDeep
	}
	var err error
	switch n.Kind {
	case yaml.MappingNode:
		to = append(to, '{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Kind != yaml.ScalarNode {
				return nil, errKey
			}
			if i > 0 {
				to = append(to, ',')
			}
			to = append(appendText(to, n.Content[i].Value), ':')
			if to, err = appendNode(to, n.Content[i+1], depth+1); err != nil {
				return nil, err
			}
		}
		return append(to, '}'), nil
	case yaml.SequenceNode:
		to = append(to, '[')
		for i, item := range n.Content {
			if i > 0 {
				to = append(to, ',')
			}
			if to, err = appendNode(to, item, depth+1); err != nil {
				return nil, err
			}
		}
		return append(to, ']'), nil
	}
	return appendScalar(to, n), nil
}

// appendScalar keeps a text that only looks like something else in YAML, such as
// a time, as a text.
func appendScalar(to []byte, n *yaml.Node) []byte {
	switch n.ShortTag() {
	case "!!null":
		return append(to, "null"...)
	case "!!bool", "!!int", "!!float":
		var value any
		if n.Decode(&value) == nil {
			if number, err := json.Marshal(value); err == nil {
				return append(to, number...)
			}
		}
	}
	return appendText(to, n.Value)
}

func appendText(to []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		return append(to, `""`...)
	}
	return append(to, quoted...)
}
