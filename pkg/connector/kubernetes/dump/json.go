package dump

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// budget bounds how much is read for one object.
type budget struct {
	in   io.Reader
	left int
}

// Read implements io.Reader.
func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLarge
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// json reads the documents of a file, one after the other.
func (w *walker) json(name string, in io.Reader) error {
	bounded := &budget{in: in}
	dec := json.NewDecoder(bounded)
	for number := 0; ; number++ {
		bounded.left = w.limits.Object
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		doc := document{name, number}
		switch token {
		case json.Delim('{'):
			err = w.document(dec, bounded, doc)
		case json.Delim('['):
			if err = w.items(dec, bounded, doc, Type{}); err == nil {
				err = w.end(doc, Type{}, true)
			}
		default:
			err = errValue
		}
		if err != nil {
			return err
		}
	}
}

// document reads an object from behind its brace. That of a list are its items,
// one by one.
func (w *walker) document(dec *json.Decoder, bounded *budget, doc document) error {
	var t Type
	list := false
	w.raw = append(w.raw[:0], '{')
	var value json.RawMessage
	for dec.More() {
		bounded.left = w.limits.Object
		token, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if key == "items" && !list {
			if list, err = w.maybeItems(dec, bounded, doc, t); err != nil {
				return err
			}
			continue
		}
		if err := dec.Decode(&value); err != nil {
			return err
		}
		switch key {
		case "apiVersion":
			t.APIVersion = text(value)
		case "kind":
			t.Kind = text(value)
		}
		if list {
			continue
		}
		if len(w.raw)+len(value)+len(key) > w.limits.Object {
			return errLarge
		}
		if len(w.raw) > 1 {
			w.raw = append(w.raw, ',')
		}
		quoted, err := json.Marshal(key)
		if err != nil {
			return err
		}
		w.raw = append(append(append(w.raw, quoted...), ':'), value...)
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	if !list && t.Kind != "" && t.APIVersion != "" {
		w.raw = append(w.raw, '}')
		if err := w.visit(doc.file, Type{}, w.raw); err != nil {
			return err
		}
	}
	if list || t.APIVersion != "" {
		return w.end(doc, t, list)
	}
	return nil
}

// maybeItems reads the items of a list, and passes over what is none.
func (w *walker) maybeItems(dec *json.Decoder, bounded *budget, doc document, t Type) (list bool, err error) {
	token, err := dec.Token()
	switch {
	case err != nil:
		return false, err
	case token == nil:
		return true, nil
	case token == json.Delim('['):
		return true, w.items(dec, bounded, doc, t)
	case token == json.Delim('{'):
		return false, w.pass(dec, bounded)
	}
	return false, nil
}

// pass goes to the end of an object or array.
func (w *walker) pass(dec *json.Decoder, bounded *budget) error {
	for depth := 1; depth > 0; {
		bounded.left = w.limits.Object
		token, err := dec.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
	return nil
}

// items reads objects up to the end of their array. t is the type of the list as
// far as it was said.
func (w *walker) items(dec *json.Decoder, bounded *budget, doc document, t Type) error {
	in, ok := w.itemType(doc, t)
	var item json.RawMessage
	for dec.More() {
		bounded.left = w.limits.Object
		if err := dec.Decode(&item); err != nil {
			return err
		}
		w.raw = w.raw[:0]
		if trimmed := bytes.TrimLeft(item, " \t\r\n"); !ok || len(trimmed) == 0 || trimmed[0] != '{' {
			continue
		}
		if err := w.visit(doc.file, in, item); err != nil {
			return err
		}
	}
	clear(item[:cap(item)])
	_, err := dec.Token()
	return err
}

// itemType is what the items of a document are: as its list says, else as an
// earlier walk learned. ok is false when they are part of something else.
func (w *walker) itemType(doc document, t Type) (Type, bool) {
	if t.Kind != "" {
		return itemsOf(t)
	}
	if l, known := w.lists[doc]; known {
		return l.Type, l.list
	}
	return Type{}, true
}

// maxWord is how long the name of a kind or of its version may be.
const maxWord = 512

// text is a short string in JSON; empty for anything else.
func text(value json.RawMessage) string {
	var s string
	if len(value) > maxWord || json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}
