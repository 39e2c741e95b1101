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

// text joins keys with dots: connectors.kubernetes.namespaces[0]. Keys that are
// hidden are not shown.
func (p path) text(hidden map[string]bool) string {
	var b strings.Builder
	for i, step := range p {
		isItem := strings.HasPrefix(step, "[")
		if i > 0 && !isItem {
			b.WriteByte('.')
		}
		if hidden[step] {
			b.WriteString(notShown)
			continue
		}
		b.WriteString(escaped(step))
	}
	return b.String()
}

// notShown stands for a key that may be a credential which slipped to the left of
// its colon.
const notShown = "(a key that is not shown)"

// shown makes a single key fit to print.
func shown(key string) string {
	if credentials(map[string]bool{key: true})[key] {
		return notShown
	}
	return escaped(key)
}

// escaped keeps a file from writing to somebody's terminal.
func escaped(key string) string {
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
