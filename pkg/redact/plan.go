package redact

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rcactl/rcactl/pkg/evidence"
)

// The reasons in marks and counts. They name rules, never values.
const (
	reasonUnknown = "not in the schema"
	reasonLong    = "over the bound of the field"
	reasonChars   = "characters that are not printable"
	reasonForm    = "not in the form that the schema allows"
	reasonLeak    = "looks like a credential"
)

// The actions in marks.
const (
	hashed    = "hashed"
	omitted   = "omitted"
	truncated = "truncated"
	scrubbed  = "scrubbed"
	dropped   = "dropped"
)

// shape says how an op walks its Go type.
type shape int

const (
	shapeDrop shape = iota
	shapeStruct
	shapePointer
	shapeSlice
	shapeString
	shapeTime
	shapeNumber // a number or a bool
)

// op is one step of a plan: what to do with one field of the Go types. A plan
// is compiled once and never changes, so that goroutines can share it.
type op struct {
	pointer string
	shape   shape
	fields  []fieldOp // of a struct
	elem    *op       // of a pointer or slice

	class    class
	domain   string
	required bool
	// pseudonym says that the value was made a pseudonym where it was read.
	pseudonym bool
	// bare says that nothing in a struct is required: it can be left empty.
	bare    bool
	limit   int // bytes of a string, items of a slice
	values  map[string]bool
	pattern *regexp.Regexp
	// fitted is the last string that the pattern took: kinds, streams and
	// service keys mostly repeat.
	fitted atomic.Pointer[string]
}

func (o *op) fits(s string) bool {
	if last := o.fitted.Load(); last != nil && *last == s {
		return true
	}
	if !o.pattern.MatchString(s) {
		return false
	}
	if o.domain != domainEvent { // ids do not repeat
		kept := s
		o.fitted.Store(&kept)
	}
	return true
}

type fieldOp struct {
	index int
	*op
}

func compilePlan(t reflect.Type, n *node, pointer string, required bool) (*op, error) {
	if n == nil || n.deny {
		return &op{pointer: pointer, shape: shapeDrop}, nil
	}
	o := &op{pointer: pointer, class: n.Class, domain: n.Domain, pseudonym: n.Pseudonym, required: required}
	fail := func(format string, args ...any) (*op, error) {
		return nil, fmt.Errorf("field %s: %s", pointer, fmt.Sprintf(format, args...))
	}
	var err error
	switch {
	case t.Kind() == reflect.Pointer:
		o.shape = shapePointer
		o.elem, err = compilePlan(t.Elem(), n, pointer, required)
		return o, err
	case t == reflect.TypeFor[time.Time]():
		o.shape = shapeTime
	case t.Kind() == reflect.Struct:
		if n.Properties == nil {
			return fail("a struct in Go and not an object in the schema")
		}
		return compileStruct(o, t, n)
	case t.Kind() == reflect.Slice:
		if n.Items == nil {
			return fail("a slice in Go and not an array in the schema")
		}
		o.shape = shapeSlice
		if o.limit = n.MaxItems; o.limit == 0 {
			return fail("an array needs maxItems")
		}
		o.elem, err = compilePlan(t.Elem(), n.Items, pointer+"/*", false)
		return o, err
	case t.Kind() == reflect.String:
		o.shape = shapeString
		o.values = n.values()
		if o.limit = n.MaxLength; o.limit == 0 {
			o.limit = defaultLimit
		}
		if n.Pattern != "" {
			if o.pattern, err = regexp.Compile(n.Pattern); err != nil {
				return fail("pattern: %v", err)
			}
		}
	case t.Kind() == reflect.Bool || (t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64):
		o.shape = shapeNumber
	default:
		return fail("%s is not a type that can be redacted", t)
	}
	return o, o.checkLeaf()
}

func compileStruct(o *op, t reflect.Type, n *node) (*op, error) {
	o.shape, o.bare = shapeStruct, len(n.Required) == 0
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			return nil, fmt.Errorf("field %s: %s is embedded; give it a name", o.pointer, f.Name)
		case !f.IsExported() || name == "-":
			continue // never marshalled
		case name == "":
			name = f.Name
		}
		child, err := compilePlan(f.Type, n.Properties[name], o.pointer+"/"+name, n.requires(name))
		if err != nil {
			return nil, err
		}
		o.fields = append(o.fields, fieldOp{i, child})
	}
	return o, nil
}

// checkLeaf refuses a schema under which redaction could not do its work.
func (o *op) checkLeaf() error {
	switch o.class {
	case public, identifier:
	case personal:
		if o.domain != domainUser && o.domain != domainEmail && o.domain != domainIP {
			return fmt.Errorf("field %s: class personal needs x-rcactl-domain: user, email or ip", o.pointer)
		}
		if o.pseudonym && (o.shape != shapeString || o.domain == domainIP) {
			return fmt.Errorf("field %s: x-rcactl-pseudonym is for strings of the domains user and email", o.pointer)
		}
		if o.required {
			return fmt.Errorf("field %s: class personal can be omitted, so it must not be required", o.pointer)
		}
	case text, secret:
		if o.required {
			return fmt.Errorf("field %s: class %s is omitted, so it must not be required", o.pointer, o.class)
		}
	default:
		return fmt.Errorf("field %s: x-rcactl-class %q is not a class", o.pointer, o.class)
	}
	if o.pseudonym && o.class != personal {
		return fmt.Errorf("field %s: x-rcactl-pseudonym is for class personal", o.pointer)
	}
	return nil
}

// work is the state of one Redact.
type work struct {
	*Redactor
	marks []evidence.Mark
}

func (w *work) mark(o *op, action, reason string) {
	w.marks = append(w.marks, evidence.Mark{Field: o.pointer, Action: action, Reason: reason})
}

// apply writes what may be kept of src to dst, which is zero. It never writes
// to src. Nothing kept leaves dst zero.
func (w *work) apply(o *op, src, dst reflect.Value) *Error {
	switch o.shape {
	case shapeStruct:
		for _, f := range o.fields {
			if err := w.apply(f.op, src.Field(f.index), dst.Field(f.index)); err != nil {
				return err
			}
		}
	case shapePointer:
		if src.IsNil() {
			return nil
		}
		fresh := reflect.New(dst.Type().Elem())
		if err := w.apply(o.elem, src.Elem(), fresh.Elem()); err != nil {
			return err
		}
		// What a class takes away leaves no pointer to nothing behind.
		if o.elem.takesAway(w.policy) || o.elem.bare && fresh.Elem().IsZero() && !src.Elem().IsZero() {
			return nil
		}
		dst.Set(fresh)
	case shapeSlice:
		return w.applySlice(o, src, dst)
	case shapeString:
		out, err := w.string(o, src.String())
		if err != nil {
			return err
		}
		dst.SetString(out)
	case shapeTime:
		w.time(o, src, dst)
	case shapeNumber:
		if w.takesAway(o, src) {
			return nil
		}
		dst.Set(src)
	default: // shapeDrop
		if !src.IsZero() {
			w.mark(o, dropped, reasonUnknown)
		}
	}
	return nil
}

func (w *work) applySlice(o *op, src, dst reflect.Value) *Error {
	n := src.Len()
	if o.required {
		dst.Set(reflect.MakeSlice(dst.Type(), 0, 0)) // a list that must be there is written as [] and not as null
	}
	if n == 0 {
		return nil
	}
	if n > o.limit {
		n = o.limit
		w.mark(o, truncated, reasonLong)
	}
	out := reflect.MakeSlice(dst.Type(), n, n)
	kept := 0
	for i := range n {
		item := out.Index(kept)
		item.SetZero()
		if err := w.apply(o.elem, src.Index(i), item); err != nil {
			return err
		}
		// An item of which nothing is left would only be noise; a zero number
		// is a number.
		if o.elem.shape == shapeNumber && !o.elem.takesAway(w.policy) || !item.IsZero() {
			kept++
		}
	}
	if kept > 0 {
		dst.Set(out.Slice(0, kept))
	}
	return nil
}

// takesAway reports whether the class leaves nothing of a value that is not a
// string.
func (o *op) takesAway(p Policy) bool {
	if o.shape != shapeNumber && o.shape != shapeTime {
		return false
	}
	return o.class != public && (o.class != identifier || p.Identifiers == Hash)
}

func (w *work) takesAway(o *op, src reflect.Value) bool {
	if !o.takesAway(w.policy) {
		return false
	}
	if !src.IsZero() {
		w.mark(o, omitted, "class "+string(o.class))
	}
	return true
}

func (w *work) time(o *op, src, dst reflect.Value) {
	if w.takesAway(o, src) {
		return
	}
	t, ok := reflect.TypeAssert[time.Time](src)
	if !ok {
		return
	}
	// The zone of the source's clock is no business of the file.
	*dst.Addr().Interface().(*time.Time) = t.UTC()
}

// string decides over one string.
func (w *work) string(o *op, s string) (string, *Error) {
	if s == "" {
		return w.checked(o, s)
	}
	switch o.class {
	case public, identifier:
		return w.named(o, s)
	case personal:
		if o.pseudonym && w.policy.Personal == Hash {
			return w.hashedBefore(o, s)
		}
		if w.policy.Personal == Hash {
			w.mark(o, hashed, "class personal")
			return w.pseudonyms[o.domain].of(s), nil
		}
	case text:
		if w.policy.Text == Scrub {
			return w.scrubbed(o, s), nil
		}
	}
	w.mark(o, omitted, "class "+string(o.class))
	return "", nil
}

// hashedBefore keeps a pseudonym that was made where the value was read. Whatever
// does not have the form of one is a mistake, may be a name, and is not written.
func (w *work) hashedBefore(o *op, s string) (string, *Error) {
	if !isPseudonym(s) {
		w.mark(o, dropped, reasonForm)
		return "", nil
	}
	s, err := w.checked(o, s)
	if s != "" {
		w.mark(o, hashed, "class personal")
	}
	return s, err
}

// scrubbed keeps what may be kept of a text.
func (w *work) scrubbed(o *op, s string) string {
	kept, _, _ := clean(w.scrub(s), min(o.limit, MaxText))
	if kept == "" {
		w.mark(o, omitted, "class text")
		return ""
	}
	w.mark(o, scrubbed, "class text")
	return kept
}

// named handles the strings that can be kept.
func (w *work) named(o *op, s string) (string, *Error) {
	if o.values != nil {
		return w.checked(o, s)
	}
	s, cut, replaced := clean(s, o.limit)
	if cut {
		w.mark(o, truncated, reasonLong)
	}
	if replaced {
		w.mark(o, truncated, reasonChars)
	}
	// A name can hold a credential: a token in an image reference, a password
	// in a resource name.
	if w.detectors.find(s) != "" {
		w.mark(o, dropped, reasonLeak)
		return w.checked(o, "")
	}
	s, err := w.checked(o, s)
	if err != nil || o.class != identifier || w.policy.Identifiers != Hash || s == "" {
		return s, err
	}
	w.mark(o, hashed, "class identifier")
	if o.domain == domainEvent {
		return w.pseudonyms[domainEvent].of(s), nil
	}
	// Too many parts become one, which may not be what the schema asks for.
	return w.checked(o, w.pseudonyms[domainName].ofParts(s, o.limit))
}

// checked holds a string to the closed set or the pattern of the schema. What
// does not fit is dropped where it may be absent and refuses the event where
// it may not.
func (w *work) checked(o *op, s string) (string, *Error) {
	fits := s == "" && !o.required
	switch {
	case fits:
	case o.values != nil:
		fits = o.values[s]
	case o.pattern != nil:
		fits = o.fits(s)
	default:
		fits = true
	}
	if fits {
		return s, nil
	}
	if o.required {
		return "", &Error{Field: o.pointer, Reason: reasonForm}
	}
	w.mark(o, dropped, reasonForm)
	return "", nil
}
