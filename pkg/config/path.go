package config

import (
	"slices"
	"strconv"
	"strings"
)

// path leads from the root of the file to a value. A step is a key, or "[3]"
// for an item of a list; no legal key begins with a bracket.
type path []string

func (p path) key(name string) path { return append(slices.Clip(p), name) }

func (p path) item(i int) path { return append(slices.Clip(p), "["+strconv.Itoa(i)+"]") }

// within reports whether p is at or below top.
func (p path) within(top path) bool {
	return len(p) >= len(top) && slices.Equal(p[:len(top)], top)
}

// String joins keys with dots: connectors.kubernetes.namespaces[0].
func (p path) String() string {
	var b strings.Builder
	for i, step := range p {
		isItem := strings.HasPrefix(step, "[")
		if i > 0 && !isItem {
			b.WriteByte('.')
		}
		b.WriteString(shown(step))
	}
	return b.String()
}

// shown makes a key fit to print: control characters are escaped, so that a
// file cannot write to somebody's terminal, and long ones are cut.
func shown(key string) string {
	const longest = 80
	if runes := []rune(key); len(runes) > longest {
		key = string(runes[:longest]) + "…"
	}
	if quoted := strconv.Quote(key); quoted != `"`+key+`"` || key == "" {
		return quoted
	}
	return key
}

// parsePath reads a path as connectors write it in their errors:
// namespaces[0], a.b.
func parsePath(s string) path {
	var p path
	for _, part := range strings.Split(s, ".") {
		name, rest, _ := strings.Cut(part, "[")
		if name != "" {
			p = append(p, name)
		}
		for rest != "" {
			var index string
			index, rest, _ = strings.Cut(rest, "]")
			p = append(p, "["+index+"]")
			rest = strings.TrimPrefix(rest, "[")
		}
	}
	return p
}
