package kubernetes

import "bytes"

// This file reads field sets (FieldsV1) and specs in JSON for their keys and paths.
// Of values it tells only where they stand.

// maxFields bounds one entry of managedFields that is looked into, in bytes; an
// object has at most 1.5 MiB in all.
const maxFields = 1 << 20

// maxPaths is how many fields deep a path goes, maxPathLength how many bytes it may
// have.
const (
	maxPaths      = 4
	maxPathLength = 240
)

// keyFields says which keys of an object a field set names: those of its data, or
// the paths of its spec.
type keyFields func(fieldsV1 []byte, yield func(key string))

// dataFields names the keys of a ConfigMap or Secret.
func dataFields(fieldsV1 []byte, yield func(string)) {
	eachEntry(fieldsV1, func(name, value []byte) {
		if string(name) != "f:data" && string(name) != "f:binaryData" {
			return
		}
		eachEntry(value, func(name, _ []byte) {
			if key, ok := bytes.CutPrefix(name, []byte("f:")); ok && isDataKey(key) {
				yield(string(key))
			}
		})
	})
}

// specFields names the paths of everything but metadata and status. A path ends
// at a list, since the elements are named by their values.
func specFields(fieldsV1 []byte, yield func(string)) {
	eachEntry(fieldsV1, func(name, value []byte) {
		key, ok := bytes.CutPrefix(name, []byte("f:"))
		switch {
		case !ok, string(key) == "metadata", string(key) == "status", !isFieldName(key):
		default:
			fieldPaths(string(key), string(key), value, 1, yield)
		}
	})
}

func fieldPaths(path, parent string, value []byte, depth int, yield func(string)) {
	whole, deeper := true, false
	if depth < maxPaths {
		eachEntry(value, func(name, _ []byte) {
			switch {
			case bytes.HasPrefix(name, []byte("f:")):
				deeper = true
			case string(name) != ".":
				whole = false // an element of a list
			}
		})
	}
	if !whole || !deeper {
		yield(path)
		return
	}
	eachEntry(value, func(name, value []byte) {
		key, ok := bytes.CutPrefix(name, []byte("f:"))
		if !ok {
			return
		}
		if next, ok := joinPath(path, parent, key); ok {
			fieldPaths(next, string(key), value, depth+1, yield)
		} else {
			yield(path)
		}
	})
}

// joinPath adds a field to a path; the keys of maps stand in brackets. ok is
// false for a name that is not written down.
func joinPath(path, parent string, name []byte) (string, bool) {
	if len(path)+len(name) > maxPathLength {
		return "", false
	}
	switch parent {
	case "hard", "labels", "annotations", "matchLabels", "selector", "default", "defaultRequest":
	default:
		if isFieldName(name) {
			return path + "." + string(name), true
		}
	}
	if !isMapKey(name) {
		return "", false
	}
	return path + "[" + string(name) + "]", true
}

// field is the value of one entry of a JSON object; nil when it is not there.
func field(object []byte, name string) []byte {
	var found []byte
	eachEntry(object, func(n, value []byte) {
		if string(n) == name {
			found = value
		}
	})
	return found
}

// eachEntry goes through one level of a JSON object, to its end or to where it is
// broken. Names are as they are written, with their escapes. It takes field sets
// and what the encoder wrote, and makes nothing of them: of a large object most
// is skipped.
func eachEntry(object []byte, yield func(name, value []byte)) {
	if len(object) > maxFields {
		return
	}
	at := skipSpace(object, 0)
	if at >= len(object) || object[at] != '{' {
		return
	}
	for at = skipSpace(object, at+1); at < len(object) && object[at] == '"'; {
		end := skipText(object, at)
		if end < 0 {
			return
		}
		name := object[at+1 : end-1]
		at = skipSpace(object, end)
		if at >= len(object) || object[at] != ':' {
			return
		}
		at = skipSpace(object, at+1)
		if end = skipValue(object, at); end < 0 {
			return
		}
		yield(name, object[at:end])
		if at = skipSpace(object, end); at >= len(object) || object[at] != ',' {
			return
		}
		at = skipSpace(object, at+1)
	}
}

func skipSpace(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\n' || b[at] == '\t' || b[at] == '\r') {
		at++
	}
	return at
}

// skipText finds the end of a text that begins at a quote; -1 for none.
func skipText(b []byte, at int) int {
	for at++; at < len(b); at++ {
		switch b[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return -1
}

// skipValue finds the end of a value; -1 for none.
func skipValue(b []byte, at int) int {
	begin, depth := at, 0
	for at < len(b) {
		switch b[at] {
		case '"':
			if at = skipText(b, at); at < 0 {
				return -1
			}
			if depth == 0 {
				return at
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				if at == begin {
					return -1
				}
				return at
			}
			if b[at] == '}' || b[at] == ']' {
				if depth--; depth == 0 {
					return at + 1
				}
			}
		}
		at++
	}
	if depth > 0 || at == begin {
		return -1
	}
	return at
}

// eachSpecPath goes through an encoded spec in the paths in which field sets name
// it.
func eachSpecPath(path, parent string, value []byte, depth int, yield func(path string, value []byte)) {
	if depth == maxPaths || len(value) < 3 || value[0] != '{' {
		yield(path, value)
		return
	}
	sound := true
	eachEntry(value, func(name, _ []byte) {
		_, ok := joinPath(path, parent, name)
		sound = sound && ok
	})
	if !sound {
		yield(path, value)
		return
	}
	eachEntry(value, func(name, value []byte) {
		next, _ := joinPath(path, parent, name)
		eachSpecPath(next, string(name), value, depth+1, yield)
	})
}
