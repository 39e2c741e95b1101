package redact

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/rcactl/rcactl/pkg/evidence"
)

// MaxLine bounds a line of evidence: 1 MiB.
const MaxLine = 1 << 20

// Redactor applies a policy. It is safe for use by several goroutines.
type Redactor struct {
	policy     Policy
	digest     string
	keyID      string
	plan       *op
	bodies     map[evidence.Kind]int // index of the body's field
	pseudonyms map[string]*pseudonyms
	detectors  detectors
	buffers    sync.Pool

	mu     sync.Mutex
	counts map[string]int64
}

// Compile makes a Redactor. It fails when the policy has a setting that does
// not exist, when the key is unset, and when the embedded schema and the Go
// types contradict each other.
func Compile(p Policy, k Key) (*Redactor, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	pseudonyms, err := newPseudonymsOf(k)
	if err != nil {
		return nil, err
	}
	root, err := embeddedSchema()
	if err != nil {
		return nil, err
	}
	t := reflect.TypeFor[evidence.Event]()
	plan, err := compilePlan(t, root, "", true)
	if err != nil {
		return nil, fmt.Errorf("compile the redaction plan from the evidence schema: %w", err)
	}
	r := &Redactor{
		policy: p.withDefaults(), digest: p.digest(root), keyID: k.ID(),
		plan: plan, pseudonyms: pseudonyms, detectors: newDetectors(),
		bodies: map[evidence.Kind]int{}, counts: map[string]int64{},
	}
	r.buffers.New = func() any { return new(bytes.Buffer) }
	for kind, body := range root.bodies() {
		for _, f := range plan.fields {
			if f.pointer == "/"+body {
				r.bodies[evidence.Kind(kind)] = f.index
			}
		}
	}
	return r, nil
}

// Policy returns the policy with its defaults filled in.
func (r *Redactor) Policy() Policy { return r.policy }

// PolicyDigest returns what [Policy.Digest] gives for the policy.
func (r *Redactor) PolicyDigest() string { return r.digest }

// KeyID returns the id of the key.
func (r *Redactor) KeyID() string { return r.keyID }

// Error says why an event was refused. It names the kind and the field and
// never a value.
type Error struct {
	Kind   evidence.Kind
	Field  string // a JSON pointer, or empty for the event as a whole
	Reason string
}

// Error gives the sentence.
func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("redaction refused a %s: %s", e.Kind, e.Reason)
	}
	return fmt.Sprintf("redaction refused a %s: field %s: %s", e.Kind, e.Field, e.Reason)
}

// Redact gives what may be written of an event, or an [*Error] and nothing. The
// event and what it points to stay as they are. Equal events give equal bytes.
func (r *Redactor) Redact(e evidence.Event) (out Redacted, err error) {
	// A panic must not carry a value of the event to a log, and must not let
	// the event through.
	defer func() {
		if recover() != nil {
			out, err = r.refuse(e.Kind, &Error{Reason: "it could not be handled; this is a bug in rcactl"})
		}
	}()
	body, known := r.bodies[e.Kind]
	if !known {
		return r.refuse("event", &Error{Field: "/kind", Reason: "the kind is not in the schema"})
	}
	// The summary is made here and nowhere else.
	e.Summary = ""
	w := work{Redactor: r}
	src, kept := reflect.ValueOf(&e).Elem(), new(evidence.Event)
	if err := r.onlyBody(src, body); err != nil {
		return r.refuse(e.Kind, err)
	}
	if err := w.apply(r.plan, src, reflect.ValueOf(kept).Elem()); err != nil {
		return r.refuse(e.Kind, err)
	}
	w.summarize(kept)
	kept.Marks = mergeMarks(kept.Marks, w.marks)

	line, refused := r.marshal(kept)
	if refused != nil {
		return r.refuse(e.Kind, refused)
	}
	r.count(w.marks)
	return Redacted{line: line, event: kept}, nil
}

// onlyBody checks that the event has the body of its kind and no other.
func (r *Redactor) onlyBody(src reflect.Value, body int) *Error {
	for kind, i := range r.bodies {
		switch set := !src.Field(i).IsNil(); {
		case i == body && !set:
			return &Error{Reason: "it has no body"}
		case i != body && set:
			return &Error{Reason: "it has the body of a " + string(kind)}
		}
	}
	return nil
}

// Withhold gives a name or sentence that is written outside of events, such as the
// path of an image that somebody chose, without what looks like a credential in it.
func (r *Redactor) Withhold(s string) string {
	if r.detectors.find(s) == "" {
		return s
	}
	if s = r.detectors.takeOut(s); r.detectors.find(s) != "" {
		return scrubSecret
	}
	return s
}

// summarize makes the summary from what is left. Names that are harmless each
// can still look like a credential in a sentence; then there is none, rather
// than a run that the leak check stops.
func (w *work) summarize(e *evidence.Event) {
	o := &op{pointer: "/summary"}
	s, cut, _ := clean(evidence.Summarize(*e), maxSummary)
	if cut {
		w.mark(o, truncated, reasonLong)
	}
	if w.detectors.find(s) != "" {
		w.mark(o, dropped, reasonLeak)
		s = ""
	}
	e.Summary = s
}

// maxSummary is the bound of the summary in the schema.
const maxSummary = 16384

func (r *Redactor) marshal(e *evidence.Event) (string, *Error) {
	b := r.buffers.Get().(*bytes.Buffer)
	defer r.buffers.Put(b)
	b.Reset()
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		// The error of the encoder can hold the value.
		return "", &Error{Reason: "it cannot be written as JSON; a time may be out of range"}
	}
	line := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(line) > MaxLine {
		return "", &Error{Reason: fmt.Sprintf("it would be longer than %d bytes", MaxLine)}
	}
	return string(line), nil
}

func mergeMarks(a, b []evidence.Mark) []evidence.Mark {
	if len(b) > 0 {
		a = append(a, b...)
		slices.SortFunc(a, func(x, y evidence.Mark) int {
			return cmp.Or(cmp.Compare(x.Field, y.Field), cmp.Compare(x.Action, y.Action), cmp.Compare(x.Reason, y.Reason))
		})
		a = slices.Compact(a)
	}
	return a
}

// Count says how often a rule was applied.
type Count struct {
	// Rule is the action and the reason as in marks: "hashed class personal"; or
	// "refused event".
	Rule  string `json:"rule"`
	Count int64  `json:"count"`
}

// Counts tells what was done so far, sorted by rule. A rule that applied to two
// values of one event counts twice.
func (r *Redactor) Counts() []Count {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Count, 0, len(r.counts))
	for rule, n := range r.counts {
		out = append(out, Count{rule, n})
	}
	slices.SortFunc(out, func(x, y Count) int { return cmp.Compare(x.Rule, y.Rule) })
	return out
}

func (r *Redactor) count(marks []evidence.Mark) {
	if len(marks) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range marks {
		r.counts[m.Action+" "+m.Reason]++
	}
}

func (r *Redactor) refuse(kind evidence.Kind, err *Error) (Redacted, error) {
	err.Kind = kind
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts["refused event"]++
	return Redacted{}, err
}
