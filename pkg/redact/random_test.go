package redact

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/evidence/evidencetest"
)

// marker stands in every field that must not be readable afterwards. Its letters
// occur in no pseudonym.
const marker = "MARKER018"

// generator fills Go types with what a hostile source could send, and puts the
// marker where the schema says personal, text or secret, and where it says
// nothing.
type generator struct {
	rnd   *rand.Rand
	extra string // what a fuzzer came up with
	// patterns keeps the patterns of the schema compiled; nil compiles each time.
	patterns map[string]*regexp.Regexp
}

func (g generator) chance(percent int) bool { return g.rnd.IntN(100) < percent }

func (g generator) fill(v reflect.Value, n *node, required bool) {
	if !required && g.chance(30) {
		return
	}
	hidden := n == nil || n.Class == personal || n.Class == text || n.Class == secret
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		g.fill(v.Elem(), n, true)
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(g.rnd.Int64N(4e9), g.rnd.Int64N(1e9)).In(time.FixedZone("x", g.rnd.IntN(40000)))))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			var child *node
			if n != nil {
				child = n.Properties[name]
			}
			g.fill(v.Field(i), child, n != nil && n.requires(name))
		}
	case v.Kind() == reflect.Slice:
		var items *node
		if n != nil {
			items = n.Items
		}
		v.Set(reflect.MakeSlice(v.Type(), g.rnd.IntN(4), 4))
		for i := range v.Len() {
			g.fill(v.Index(i), items, true)
		}
	case v.Kind() == reflect.String:
		v.SetString(g.text(n, hidden))
	case v.CanInt():
		v.SetInt(g.rnd.Int64N(1 << 31))
	case v.CanFloat():
		v.SetFloat(float64(g.rnd.IntN(101)) / 100)
	case v.Kind() == reflect.Bool:
		v.SetBool(g.chance(50))
	}
}

func (g generator) compiled(pattern string) *regexp.Regexp {
	re := g.patterns[pattern]
	if re == nil {
		re = regexp.MustCompile(pattern)
		if g.patterns != nil {
			g.patterns[pattern] = re
		}
	}
	return re
}

func (g generator) text(n *node, hidden bool) string {
	if n != nil && n.Pseudonym && g.chance(70) {
		return []string{"user:", "email:"}[g.rnd.IntN(2)] + strings.Repeat("q7", 13)
	}
	if n != nil && n.Class == text {
		return g.noise() + " " + marker + "@example.test " + g.noise()
	}
	if hidden {
		return g.noise() + marker + g.noise()
	}
	if values := n.values(); values != nil && g.chance(97) {
		var all []string
		for v := range values {
			all = append(all, v)
		}
		slices.Sort(all)
		return all[g.rnd.IntN(len(all))]
	}
	if n.Pattern != "" && g.chance(97) {
		for _, fits := range []string{
			strings.Repeat("0123456789abcdef", 4)[:40], "github.com/acme/shop", "v1.2.3/rc.1",
			evidence.ID("x", g.noise()), "pods", "/a/b", "a/b/c", "sha256:" + strings.Repeat("ab", 32),
		} {
			if g.compiled(n.Pattern).MatchString(fits) {
				return fits
			}
		}
	}
	return g.noise()
}

func (g generator) noise() string {
	pieces := []string{
		"orders", "/", "a/b", "\x00", "\xff\xfe", "日本", "\u202e", " ", "password=hunter22", "ghp_" + strings.Repeat("q7", 18),
		"BackOff", "sha256:" + strings.Repeat("ab", 32), strings.Repeat("long ", 300), "<script>", "\"", "\\", "token", ":", "=", "token: a8f3c1", g.extra,
	}
	var b strings.Builder
	for range g.rnd.IntN(4) {
		b.WriteString(pieces[g.rnd.IntN(len(pieces))])
	}
	return b.String()
}

func (g generator) event(root *node) evidence.Event {
	var e evidence.Event
	g.fill(reflect.ValueOf(&e).Elem(), root, true)
	if g.chance(97) {
		// Mostly a body that belongs to the kind.
		bodies := root.bodies()
		v := reflect.ValueOf(&e).Elem()
		for _, name := range bodies {
			for i := range v.NumField() {
				if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag == name {
					v.Field(i).SetZero()
				}
			}
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if name == bodies[string(e.Kind)] {
				g.fill(v.Field(i), root.Properties[name], true)
			}
		}
	}
	return e
}

func clone(t testing.TB, e evidence.Event) evidence.Event {
	t.Helper()
	return deepCopy(reflect.ValueOf(e)).Interface().(evidence.Event)
}

func deepCopy(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		out.Set(v)
	case v.Kind() == reflect.Pointer && !v.IsNil():
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(deepCopy(v.Elem()))
	case v.Kind() == reflect.Slice && !v.IsNil():
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(deepCopy(v.Index(i)))
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(deepCopy(v.Field(i)))
		}
	default:
		out.Set(v)
	}
	return out
}

// hold checks what must be true of every event whatsoever, and reports whether
// it was let through.
func hold(t testing.TB, r *Redactor, e evidence.Event) bool {
	t.Helper()
	line := holdUnscanned(t, r, e)
	notLeaking(t, line)
	return line != ""
}

// notLeaking scans lines. To make the detectors takes longer than to scan many lines.
func notLeaking(t testing.TB, lines string) {
	t.Helper()
	findings, err := Scan(strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Split(lines, "\n")
	for _, f := range findings {
		t.Fatalf("the leak check finds %s in %s", f.Detector, all[f.Line-1])
	}
}

// holdUnscanned does so but for the leak check, and gives the line, empty when the
// event was refused.
func holdUnscanned(t testing.TB, r *Redactor, e evidence.Event) string {
	t.Helper()
	before := clone(t, e)
	out, err := r.Redact(e)
	if diff := cmp.Diff(before, e); diff != "" {
		t.Fatalf("the event was changed: %s", diff)
	}
	again, err2 := r.Redact(e)
	if string(out.Line()) != string(again.Line()) || (err == nil) != (err2 == nil) {
		t.Fatalf("twice the same gave\n%s %v\n%s %v", out.Line(), err, again.Line(), err2)
	}
	if err != nil {
		if !out.IsZero() || strings.Contains(err.Error(), marker) || strings.Contains(err.Error(), "hunter22") {
			t.Fatalf("refused with %v and %s", err, out.Line())
		}
		return ""
	}
	line := string(out.Line())
	if strings.Contains(strings.ToUpper(line), marker) {
		t.Fatalf("a hidden value is in %s", line)
	}
	if !utf8.ValidString(line) || strings.ContainsFunc(line, forbidden) {
		t.Fatalf("not clean: %q", line)
	}
	if err := evidencetest.Check([]byte(line)); err != nil {
		t.Fatalf("%v\n%s", err, line)
	}
	var back evidence.Event
	if err := json.Unmarshal([]byte(line), &back); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(back.Marks, func(a, b evidence.Mark) int { return strings.Compare(a.Field, b.Field) }) && len(before.Marks) == 0 {
		t.Fatalf("marks are not sorted: %v", back.Marks)
	}
	return line
}

func policies() []Policy {
	return []Policy{{}, {Personal: Omit}, {Identifiers: Hash}, {Personal: Omit, Identifiers: Hash}, {Text: Scrub}, {Text: Scrub, Identifiers: Hash}}
}

func TestRandomEvents(t *testing.T) {
	root, err := embeddedSchema()
	if err != nil {
		t.Fatal(err)
	}
	const n = 500
	events := make([]evidence.Event, n)
	patterns := map[string]*regexp.Regexp{}
	for i := range events {
		events[i] = generator{rnd: rand.New(rand.NewPCG(1, uint64(i))), patterns: patterns}.event(root)
	}
	for _, p := range policies() {
		t.Run(fmt.Sprintf("%+v", p), func(t *testing.T) {
			t.Parallel()
			r := newRedactor(t, p)
			through := 0
			var lines strings.Builder
			for _, e := range events {
				if line := holdUnscanned(t, r, e); line != "" {
					through++
					lines.WriteString(strings.TrimSuffix(line, "\n") + "\n")
				}
			}
			notLeaking(t, lines.String())
			if through < n/4 || through == n {
				t.Errorf("%d of %d events came through; the test shows little", through, n)
			}
		})
	}
}

// The same for types with fields of every class and of none.
func TestRandomFieldsOfEveryClass(t *testing.T) {
	root, err := parseSchema([]byte(plannedSchema))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := compilePlan(reflect.TypeFor[planned](), root, "", true)
	if err != nil {
		t.Fatal(err)
	}
	patterns := map[string]*regexp.Regexp{}
	var redactors []*Redactor
	for _, p := range policies() {
		redactors = append(redactors, newRedactor(t, p))
	}
	for i := range 500 {
		g := generator{rnd: rand.New(rand.NewPCG(2, uint64(i))), patterns: patterns}
		var in, out planned
		g.fill(reflect.ValueOf(&in).Elem(), &node{Properties: root.Properties, Required: []string{"text", "secret", "new", "texts"}}, true)
		w := work{Redactor: redactors[i%len(redactors)]}
		if err := w.apply(plan, reflect.ValueOf(&in).Elem(), reflect.ValueOf(&out).Elem()); err != nil {
			continue
		}
		data, err := json.Marshal(out)
		if err != nil || !strings.Contains(in.Text, marker) {
			t.Fatal(err, in)
		}
		if strings.Contains(strings.ToUpper(string(data)), marker) {
			t.Fatalf("a hidden value is in %s", data)
		}
	}
}

func FuzzRedact(f *testing.F) {
	root, err := embeddedSchema()
	if err != nil {
		f.Fatal(err)
	}
	var redactors []*Redactor
	for _, p := range policies() {
		redactors = append(redactors, newRedactor(f, p))
	}
	f.Add(uint64(1), uint64(2), "x")
	f.Add(uint64(3), uint64(4), "postgres://a:b@c")
	f.Fuzz(func(t *testing.T, a, b uint64, extra string) {
		if len(extra) > 4096 || strings.Contains(strings.ToUpper(extra), "MARKER") {
			t.Skip()
		}
		g := generator{rnd: rand.New(rand.NewPCG(a, b)), extra: extra}
		hold(t, redactors[a%uint64(len(redactors))], g.event(root))
	})
}
