package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds nesting; the deepest field that we write lies at 7.
const maxDepth = 64

// decodeExact is json.Unmarshal without the three liberties by which two
// readers of one signed file may see different things: names in another case,
// the last of two equal names, and replaced bytes that are not UTF-8. A name
// that v does not have is an error, except below the member open, where it is
// ignored so that later versions may add to it.
func decodeExact(data []byte, v any, open string) error {
	if !utf8.Valid(data) {
		return errors.New("not UTF-8")
	}
	w := walker{dec: json.NewDecoder(bytes.NewReader(data)), open: open}
	w.dec.UseNumber()
	if err := w.value(reflect.TypeOf(v).Elem(), "", true, 0); err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	// This refuses anything that follows the end, too.
	return json.Unmarshal(data, v)
}

type walker struct {
	dec  *json.Decoder
	open string
}

func (w walker) value(t reflect.Type, path string, strict bool, depth int) error {
	if depth > maxDepth {
		return errors.New("nested too deeply")
	}
	tok, err := w.dec.Token()
	if err != nil {
		return err
	}
	switch tok {
	case json.Delim('['):
		return w.array(t, path, strict, depth)
	case json.Delim('{'):
		return w.object(t, path, strict, depth)
	}
	return nil
}

func (w walker) array(t reflect.Type, path string, strict bool, depth int) error {
	for w.dec.More() {
		if err := w.value(elem(t, reflect.Slice), path+"[]", strict, depth+1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

func (w walker) object(t reflect.Type, path string, strict bool, depth int) error {
	fields, known := fieldsOf(t)
	seen := map[string]bool{}
	for w.dec.More() {
		tok, err := w.dec.Token()
		if err != nil {
			return err
		}
		name, _ := tok.(string)
		member := path + "." + name
		if seen[name] {
			return fmt.Errorf("%.80q is there twice", member)
		}
		seen[name] = true
		next := elem(t, reflect.Map)
		if known {
			var ok bool
			if next, ok = fields[name]; !ok {
				if strict {
					return fmt.Errorf("unknown name %.80q", member)
				}
				for field := range fields {
					if strings.EqualFold(field, name) {
						return fmt.Errorf("%.80q differs from %q only in case", member, field)
					}
				}
			}
		}
		if err := w.value(next, member, strict && member != "."+w.open, depth+1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

// elem is the element type of t if it is of the kind, and nil (anything goes)
// otherwise: json.Unmarshal reports a wrong type itself.
func elem(t reflect.Type, kind reflect.Kind) reflect.Type {
	t = deref(t)
	if t == nil || t.Kind() != kind {
		return nil
	}
	return t.Elem()
}

func deref(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// fieldsOf lists the JSON names of a struct; known is false for other types.
func fieldsOf(t reflect.Type) (fields map[string]reflect.Type, known bool) {
	t = deref(t)
	if t == nil || t.Kind() != reflect.Struct {
		return nil, false
	}
	fields = map[string]reflect.Type{}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			fields[name] = f.Type
		}
	}
	return fields, true
}
