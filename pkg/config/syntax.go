package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// MaxSize bounds a config file: 1 MiB.
const MaxSize = 1 << 20

// parseYAML reads the one document of a file. It returns nil when there is
// none, having said why.
func parseYAML(c *collector, data []byte) *yaml.Node {
	if len(data) > MaxSize {
		c.add(ruleFileTooLarge, position{}, nil, "a config is a few KiB; is this the right file?", "larger than 1 MiB")
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	document, err := decode(decoder)
	switch {
	case errors.Is(err, io.EOF), err == nil && isEmpty(document):
		c.add(ruleEmptyFile, position{}, nil, "write at least: version: 1", "the file is empty")
		return nil
	case err != nil:
		c.syntax(data, err)
		return nil
	}
	if next, err := decode(decoder); err == nil {
		c.add(ruleSeveralDocuments, position{next.Line, next.Column}, nil, "keep one document a file", "a second YAML document begins here")
	} else if !errors.Is(err, io.EOF) {
		c.syntax(data, err)
		return nil
	}
	return document.Content[0]
}

// decode reads the next document. The library panics on some input that it did
// not foresee; that is a syntax error to us.
func decode(d *yaml.Decoder) (n *yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			n, err = nil, errors.New("yaml: not understood")
		}
	}()
	n = new(yaml.Node)
	err = d.Decode(n)
	return n, err
}

func isEmpty(document *yaml.Node) bool {
	if document.Kind != yaml.DocumentNode || len(document.Content) == 0 {
		return true
	}
	root := document.Content[0]
	return root.Kind == yaml.ScalarNode && root.Value == "" && root.Style == 0
}

var (
	yamlError     = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?`)
	unknownAnchor = regexp.MustCompile(`^yaml: unknown anchor '(.*)' referenced$`)
)

// syntax words an error of the YAML library. What it quotes from the file is
// left out: a password that begins with * looks like an alias.
func (c *collector) syntax(data []byte, err error) {
	text := err.Error()
	if m := unknownAnchor.FindStringSubmatch(text); m != nil {
		c.add(ruleUnknownAnchor, findAlias(data, m[1]), nil, `if the text begins with "*", put it in quotes`, `an alias ("*") without its anchor ("&")`)
		return
	}
	if pos, ok := tabIndent(data); ok {
		c.add(ruleTabIndent, pos, nil, "indent with spaces", "a tab where YAML takes spaces only")
		return
	}
	pos := position{line: 1, column: 1}
	m := yamlError.FindStringSubmatch(text)
	if m != nil {
		text = text[len(m[0]):]
		if line, err := strconv.Atoi(m[1]); err == nil {
			pos.line = line
		}
	}
	lines := bytes.Split(data, []byte("\n"))
	pos.line = min(pos.line, len(lines))
	line := lines[pos.line-1]
	pos.column += len(line) - len(bytes.TrimLeft(line, " "))
	c.add(ruleYAMLSyntax, pos, nil, syntaxHint(text), "not YAML: %s", text)
}

// syntaxHint translates the messages that people meet most.
func syntaxHint(text string) string {
	switch {
	case strings.Contains(text, "mapping values are not allowed"):
		return `look for a ": " inside text that lacks quotes, or for a line that is indented too far`
	case strings.Contains(text, "could not find expected ':'"), strings.Contains(text, "did not find expected key"):
		return "look here and on the line before for a missing colon, quote or indentation"
	case strings.Contains(text, "cannot start any token"):
		return "put text that begins with @, ` or % in quotes"
	}
	return "look here and on the line before for a missing quote, bracket or indentation"
}

// tabIndent finds the first tab in the indentation of a line.
func tabIndent(data []byte) (position, bool) {
	for i, line := range bytes.Split(data, []byte("\n")) {
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		if tab := bytes.IndexByte(indent, '\t'); tab >= 0 && len(indent) < len(bytes.TrimRight(line, "\r")) {
			return position{i + 1, tab + 1}, true
		}
	}
	return position{}, false
}

// findAlias finds where an alias is written, since the library does not say.
func findAlias(data []byte, name string) position {
	for i, line := range bytes.Split(data, []byte("\n")) {
		at := bytes.Index(line, []byte("*"+name))
		if at >= 0 && !bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("#")) {
			return position{i + 1, utf8.RuneCount(line[:at]) + 1}
		}
	}
	return position{}
}
