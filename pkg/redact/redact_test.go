package redact

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/evidence/evidencetest"
)

func newRedactor(t testing.TB, p Policy) *Redactor {
	t.Helper()
	r, err := Compile(p, testKey(t, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func rollout() evidence.Event {
	start := time.Date(2026, 1, 31, 14, 0, 0, 0, time.FixedZone("elsewhere", 3600))
	end := start.Add(time.Minute)
	return evidence.Event{
		Schema: evidence.Schema, ID: evidence.ID(evidence.KindDeployment, "uid-1", "2"),
		Kind: evidence.KindDeployment, Time: start, ServiceKey: "prod/shop/orders",
		Source: evidence.Source{Connector: "kubernetes", Stream: "workloads", Object: evidence.Object{
			Cluster: "prod", Kind: "Deployment", Namespace: "shop", Name: "orders", UID: "uid-1",
		}},
		Actor:    &evidence.Actor{Attribution: evidence.AttributionUser, Manager: "kubectl-edit", User: "alice@example.com"},
		Severity: evidence.SeverityInfo,
		Deployment: &evidence.Deployment{
			Change: evidence.ChangeRollout, Workload: "Deployment", Status: evidence.StatusComplete,
			From:    &evidence.Template{Revision: 1, Images: []evidence.Image{{Container: "app", Image: "ghcr.io/acme/orders:1"}}},
			To:      &evidence.Template{Revision: 2, Images: []evidence.Image{{Container: "app", Image: "ghcr.io/acme/orders:2", Digest: "sha256:" + strings.Repeat("ab", 32)}}},
			Started: &start, StartedBasis: evidence.BasisCreation, Finished: &end, FinishedBasis: evidence.BasisCondition,
		},
		Links: []evidence.Link{{Relation: "preceded", To: evidence.ID(evidence.KindSignal, "x"), OrderSeconds: -30, Basis: "time"}},
	}
}

func redacted(t testing.TB, r *Redactor, e evidence.Event) (Redacted, string) {
	t.Helper()
	out, err := r.Redact(e)
	if err != nil {
		t.Fatal(err)
	}
	evidencetest.Validate(t, out.Line())
	return out, string(out.Line())
}

func TestDefaultPolicy(t *testing.T) {
	out, line := redacted(t, newRedactor(t, Policy{}), rollout())
	e := out.Event()
	// The pseudonym is a promise: docs/redaction.md says how it is made.
	if want := "user:" + userPseudonym; e.Actor.User != want {
		t.Errorf("user is %s, want %s", e.Actor.User, want)
	}
	if strings.Contains(line, "alice") {
		t.Errorf("a user name is in %s", line)
	}
	if e.ServiceKey != "prod/shop/orders" || e.Source.Object.Name != "orders" {
		t.Errorf("identifiers changed: %s", line)
	}
	if want := "Deployment orders was rolled out from revision 1 to 2"; e.Summary != want {
		t.Errorf("summary is %q, want %q", e.Summary, want)
	}
	if e.Time.Location() != time.UTC || !strings.Contains(line, `"time":"2026-01-31T13:00:00Z"`) {
		t.Errorf("the time is not in UTC: %s", line)
	}
	if diff := cmp.Diff([]evidence.Mark{{Field: "/actor/user", Action: "hashed", Reason: "class personal"}}, e.Marks); diff != "" {
		t.Error(diff)
	}
	if out.ID() != rollout().ID || out.Kind() != evidence.KindDeployment {
		t.Errorf("%s %s", out.ID(), out.Kind())
	}
}

// userPseudonym was computed with the openssl commands of docs/redaction.md.
const userPseudonym = "zfbfluip2jrb65ouhuresik754"

func TestOmitPersonal(t *testing.T) {
	out, line := redacted(t, newRedactor(t, Policy{Personal: Omit}), rollout())
	if e := out.Event(); e.Actor.User != "" || strings.Contains(line, `"user":`+`"`) && strings.Contains(line, "user:") {
		t.Errorf("a user is in %s", line)
	}
	if diff := cmp.Diff([]evidence.Mark{{Field: "/actor/user", Action: "omitted", Reason: "class personal"}}, out.Event().Marks); diff != "" {
		t.Error(diff)
	}
}

func TestHashedIdentifiersStillJoin(t *testing.T) {
	r := newRedactor(t, Policy{Identifiers: Hash})
	out, line := redacted(t, r, rollout())
	for _, name := range []string{"orders", "shop", "prod", "uid-1", "ghcr", "acme", "kubectl", rollout().ID, rollout().Links[0].To} {
		if strings.Contains(line, name) {
			t.Errorf("%s is in %s", name, line)
		}
	}
	e := out.Event()
	o := e.Source.Object
	if want := o.Cluster + "/" + o.Namespace + "/" + o.Name; e.ServiceKey != want {
		t.Errorf("the service key %s does not join with %s", e.ServiceKey, want)
	}
	if !strings.Contains(e.Summary, o.Name) {
		t.Errorf("the summary %q does not use the pseudonym", e.Summary)
	}
	other := rollout()
	other.ID = rollout().Links[0].To
	if linked, _ := redacted(t, r, other); linked.ID() != e.Links[0].To {
		t.Errorf("the link to %s does not meet the id %s", e.Links[0].To, linked.ID())
	}
}

func TestHashedPathsStayWithinTheSchema(t *testing.T) {
	e := rollout()
	e.ServiceKey = strings.Repeat("a/", 60) + "b"
	e.Source.Object.Name = e.ServiceKey
	out, line := redacted(t, newRedactor(t, Policy{Identifiers: Hash}), e)
	if out.Event().ServiceKey != "" || len(out.Event().Source.Object.Name) != len("id:")+26 {
		t.Error(line)
	}
}

func TestPseudonyms(t *testing.T) {
	one, err := newPseudonymsOf(testKey(t, keyOne))
	if err != nil {
		t.Fatal(err)
	}
	again, _ := newPseudonymsOf(testKey(t, keyOne))
	two, _ := newPseudonymsOf(testKey(t, keyTwo))
	user := one[domainUser].of("alice")
	if again[domainUser].of("alice") != user || one[domainUser].of(" alice ") != user {
		t.Error("the same user gives another pseudonym")
	}
	if two[domainUser].of("alice") == user {
		t.Error("another key gives the same pseudonym")
	}
	if _, bare, _ := strings.Cut(user, ":"); strings.HasSuffix(one[domainEmail].of("alice"), bare) {
		t.Error("another domain gives the same pseudonym")
	}
	if one[domainUser].of("Alice") == user {
		t.Error("two users became one")
	}
	same := map[string][2]string{
		domainEmail: {"Alice@Example.com", "alice@example.com "},
		domainIP:    {"::ffff:192.0.2.1", "192.0.2.1"},
	}
	for domain, pair := range same {
		if one[domain].of(pair[0]) != one[domain].of(pair[1]) {
			t.Errorf("%s: %s and %s do not join", domain, pair[0], pair[1])
		}
	}
	if one[domainUser].of("  ") != "" {
		t.Error("nobody has a pseudonym")
	}
	if got := one[domainName].ofParts(strings.Repeat("a/", 600), 1024); len(got) > 1024 || strings.Contains(got, "/") {
		t.Errorf("too long: %d bytes", len(got))
	}
}

// Types that evidence does not have: what would happen if it had.
type planned struct {
	Kept    string     `json:"kept"`
	Text    string     `json:"text,omitempty"`
	Texts   []string   `json:"texts,omitempty"`
	Secret  string     `json:"secret,omitempty"`
	Number  *int       `json:"number,omitempty"`
	When    *time.Time `json:"when,omitempty"`
	IP      string     `json:"ip,omitempty"`
	Email   string     `json:"email,omitempty"`
	Before  string     `json:"before,omitempty"`
	New     string     `json:"new,omitempty"`
	NewTree *planned   `json:"new_tree,omitempty"`
	Skipped string     `json:"-"`
}

const plannedSchema = `{"properties": {
	"kept":   {"x-rcactl-class": "public"},
	"text":   {"x-rcactl-class": "text"},
	"texts":  {"maxItems": 5, "items": {"x-rcactl-class": "text"}},
	"secret": {"x-rcactl-class": "secret"},
	"number": {"x-rcactl-class": "text"},
	"when":   {"x-rcactl-class": "secret"},
	"ip":     {"x-rcactl-class": "personal", "x-rcactl-domain": "ip"},
	"email":  {"x-rcactl-class": "personal", "x-rcactl-domain": "email"},
	"before": {"x-rcactl-class": "personal", "x-rcactl-domain": "user", "x-rcactl-pseudonym": true}
}}`

func TestClassesThatAreNotYetInUse(t *testing.T) {
	root, err := parseSchema([]byte(plannedSchema))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := compilePlan(reflect.TypeFor[planned](), root, "", true)
	if err != nil {
		t.Fatal(err)
	}
	number, when := 42, time.Unix(42, 0)
	in := planned{
		Kept: "kept", Text: "MARKER", Texts: []string{"MARKER", "x"}, Secret: "MARKER", Number: &number, When: &when,
		IP: "192.0.2.1", Email: "MARKER@example.com", Before: "MARKER", New: "MARKER", NewTree: &planned{Kept: "MARKER"}, Skipped: "MARKER",
	}
	var out planned
	w := work{Redactor: newRedactor(t, Policy{})}
	if err := w.apply(plan, reflect.ValueOf(&in).Elem(), reflect.ValueOf(&out).Elem()); err != nil {
		t.Fatal(err)
	}
	ps := w.pseudonyms
	want := planned{Kept: "kept", IP: ps[domainIP].of("192.0.2.1"), Email: ps[domainEmail].of("marker@example.com")}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	wantMarks := []evidence.Mark{
		{Field: "/before", Action: "dropped", Reason: reasonForm},
		{Field: "/email", Action: "hashed", Reason: "class personal"},
		{Field: "/ip", Action: "hashed", Reason: "class personal"},
		{Field: "/new", Action: "dropped", Reason: "not in the schema"},
		{Field: "/new_tree", Action: "dropped", Reason: "not in the schema"},
		{Field: "/number", Action: "omitted", Reason: "class text"},
		{Field: "/secret", Action: "omitted", Reason: "class secret"},
		{Field: "/text", Action: "omitted", Reason: "class text"},
		{Field: "/texts/*", Action: "omitted", Reason: "class text"},
		{Field: "/when", Action: "omitted", Reason: "class secret"},
	}
	if diff := cmp.Diff(wantMarks, mergeMarks(nil, w.marks)); diff != "" {
		t.Error(diff)
	}
}

func TestPlansThatCannotWorkAreRefused(t *testing.T) {
	for name, schema := range map[string]string{
		"no class":                `{"properties": {"kept": {}}}`,
		"unknown class":           `{"properties": {"kept": {"x-rcactl-class": "harmless"}}}`,
		"required text":           `{"required": ["text"], "properties": {"text": {"x-rcactl-class": "text"}}}`,
		"required personal":       `{"required": ["ip"], "properties": {"ip": {"x-rcactl-class": "personal", "x-rcactl-domain": "ip"}}}`,
		"no domain":               `{"properties": {"ip": {"x-rcactl-class": "personal"}}}`,
		"pseudonym of no person":  `{"properties": {"kept": {"x-rcactl-class": "public", "x-rcactl-pseudonym": true}}}`,
		"pseudonym of an address": `{"properties": {"ip": {"x-rcactl-class": "personal", "x-rcactl-domain": "ip", "x-rcactl-pseudonym": true}}}`,
		"no maxItems":             `{"properties": {"texts": {"items": {"x-rcactl-class": "text"}}}}`,
		"not an array":            `{"properties": {"texts": {"x-rcactl-class": "text"}}}`,
		"not an object":           `{"properties": {"new_tree": {"x-rcactl-class": "public"}}}`,
		"bad pattern":             `{"properties": {"kept": {"x-rcactl-class": "public", "pattern": "("}}}`,
		"lost $ref":               `{"properties": {"kept": {"$ref": "#/$defs/nowhere"}}}`,
		"circle":                  `{"properties": {"kept": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}`,
	} {
		root, err := parseSchema([]byte(schema))
		if err == nil {
			_, err = compilePlan(reflect.TypeFor[planned](), root, "", true)
		}
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestEventsThatAreRefused(t *testing.T) {
	const marker = "MARKER-password=hunter22"
	for name, spoil := range map[string]func(*evidence.Event){
		"unknown kind":   func(e *evidence.Event) { e.Kind = marker },
		"no body":        func(e *evidence.Event) { e.Deployment = nil },
		"two bodies":     func(e *evidence.Event) { e.Signal = &evidence.Signal{} },
		"other body":     func(e *evidence.Event) { e.Kind = evidence.KindSignal },
		"other schema":   func(e *evidence.Event) { e.Schema = marker },
		"id of no form":  func(e *evidence.Event) { e.ID = marker },
		"no id":          func(e *evidence.Event) { e.ID = "" },
		"open value":     func(e *evidence.Event) { e.Deployment.Status = marker },
		"no severity":    func(e *evidence.Event) { e.Severity = "" },
		"kind of object": func(e *evidence.Event) { e.Source.Object.Kind = "a b" },
		"far time":       func(e *evidence.Event) { e.Time = time.Unix(math.MaxInt32*1000, 0) },
		"huge": func(e *evidence.Event) {
			long := strings.Repeat("é", 512)
			for range 1000 {
				e.Deployment.To.Images = append(e.Deployment.To.Images, evidence.Image{Container: long, Image: long})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, e := newRedactor(t, Policy{}), rollout()
			spoil(&e)
			out, err := r.Redact(e)
			var refused *Error
			if !errors.As(err, &refused) || !out.IsZero() {
				t.Fatalf("got %v, %s", err, out.Line())
			}
			if strings.Contains(err.Error(), "MARKER") || strings.Contains(err.Error(), "hunter22") {
				t.Errorf("the error shows a value: %v", err)
			}
			if diff := cmp.Diff([]Count{{"refused event", 1}}, r.Counts()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatDoesNotFitIsDroppedWhereItMayBeAbsent(t *testing.T) {
	e := rollout()
	e.Deployment.Reason = "Some text that is no reason"
	e.Deployment.StartedBasis = "guess"
	e.ServiceKey = "no-slash"
	e.Deployment.To.Images[0].Digest = "latest"
	e.Marks = []evidence.Mark{{Field: "/deployment/to", Action: "truncated", Reason: "too many"}}
	out, line := redacted(t, newRedactor(t, Policy{Personal: Omit}), e)
	for _, gone := range []string{"Some text", "guess", "no-slash", "latest"} {
		if strings.Contains(line, gone) {
			t.Errorf("%s is in %s", gone, line)
		}
	}
	form := func(field string) evidence.Mark {
		return evidence.Mark{Field: field, Action: "dropped", Reason: reasonForm}
	}
	want := []evidence.Mark{
		{Field: "/actor/user", Action: "omitted", Reason: "class personal"},
		form("/deployment/reason"), form("/deployment/started_basis"),
		{Field: "/deployment/to", Action: "truncated", Reason: "too many"},
		form("/deployment/to/images/*/digest"), form("/service_key"),
	}
	if diff := cmp.Diff(want, out.Event().Marks); diff != "" {
		t.Error(diff)
	}
}

func TestCredentialsInNamesAreDropped(t *testing.T) {
	token := "ghp_" + strings.Repeat("a1", 18)
	e := rollout()
	e.Source.Object.Name = "orders-" + token
	e.ServiceKey = "prod/shop/" + token
	e.Deployment.To.Images[0].Image = "https://app:hunter22@registry/orders:2"
	e.Source.Connector = "password=hunter22"
	r := newRedactor(t, Policy{})
	out, line := redacted(t, r, e)
	if strings.Contains(line, token) || strings.Contains(line, "hunter22") {
		t.Errorf("a credential is in %s", line)
	}
	if out.Event().Source.Object.Kind != "Deployment" || out.Event().Deployment.From == nil {
		t.Errorf("more was dropped than had to be: %s", line)
	}
	var counted int64
	for _, c := range r.Counts() {
		if c.Rule == "dropped looks like a credential" {
			counted = c.Count
		}
	}
	if counted != 4 {
		t.Errorf("counted %d, want 4: %v", counted, r.Counts())
	}
}

// Two harmless names can make a sentence that the leak check would stop the run for.
func TestSummariesThatLookLikeCredentials(t *testing.T) {
	e := rollout()
	e.Source.Object.Kind, e.Source.Object.Name = "Bearer", "orders-7c9f8d6b54-x2x7k"
	out, line := redacted(t, newRedactor(t, Policy{Personal: Omit}), e)
	if out.Event().Summary != "" || out.Event().Source.Object.Name == "" || len(detectorsOf(t, line)) > 0 {
		t.Error(line)
	}
	if last := out.Event().Marks[len(out.Event().Marks)-1]; last != (evidence.Mark{Field: "/summary", Action: "dropped", Reason: reasonLeak}) {
		t.Errorf("marked %v", last)
	}
}

func TestAPanicIsARefusal(t *testing.T) {
	r := newRedactor(t, Policy{})
	r.plan = nil // what a bug could look like
	out, err := r.Redact(rollout())
	var refused *Error
	if !errors.As(err, &refused) || !out.IsZero() || len(r.Counts()) != 1 {
		t.Errorf("%v, %v", err, r.Counts())
	}
}

func TestNamesAreWrittenAsTheyAre(t *testing.T) {
	e := rollout()
	e.Source.Object.Name = "<a&b>"
	if _, line := redacted(t, newRedactor(t, Policy{}), e); !strings.Contains(line, `"name":"<a&b>"`) {
		t.Error(line)
	}
}

func TestBounds(t *testing.T) {
	e := rollout()
	e.Source.Object.Name = strings.Repeat("é", 800)
	e.Source.Object.Namespace = "shop\n\x1b[31m\u202ered\xff"
	for i := range 1100 {
		e.Deployment.To.FormerRevisions = append(e.Deployment.To.FormerRevisions, int64(i))
	}
	out, line := redacted(t, newRedactor(t, Policy{Personal: Omit}), e)
	o := out.Event().Source.Object
	if o.Name != strings.Repeat("é", 512) {
		t.Errorf("the name has %d bytes", len(o.Name))
	}
	if o.Namespace != "shop\uFFFD\uFFFD[31m\uFFFDred\uFFFD" {
		t.Errorf("the namespace is %q", o.Namespace)
	}
	if n := out.Event().Deployment.To.FormerRevisions; len(n) != 1000 || n[0] != 0 {
		t.Errorf("%d revisions", len(n))
	}
	want := []evidence.Mark{
		{Field: "/actor/user", Action: "omitted", Reason: "class personal"},
		{Field: "/deployment/to/former_revision_numbers", Action: "truncated", Reason: reasonLong},
		{Field: "/source/object/name", Action: "truncated", Reason: reasonLong},
		{Field: "/source/object/namespace", Action: "truncated", Reason: reasonChars},
	}
	if diff := cmp.Diff(want, out.Event().Marks); diff != "" {
		t.Error(diff, line)
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct {
		in            string
		limit         int
		out           string
		cut, replaced bool
	}{
		{"plain", 5, "plain", false, false},
		{"plainer", 5, "plain", true, false},
		{"éé", 3, "é", true, false},
		{"日本", 4, "日", true, false},
		{"a\x00b", 10, "a\uFFFDb", false, true},
		{"\x00\x00\x00", 4, "\uFFFD", true, true},
		{"a\uFFFDb", 10, "a\uFFFDb", false, true},
		{"\xff\xff", 1, "", true, false},
		{"Grüße", 10, "Grüße", false, false},
	} {
		out, cut, replaced := clean(c.in, c.limit)
		if out != c.out || cut != c.cut || replaced != c.replaced {
			t.Errorf("%q: got %q %v %v", c.in, out, cut, replaced)
		}
	}
}

func TestTheEventStaysAsItIs(t *testing.T) {
	in, same := rollout(), rollout()
	in.Summary, same.Summary = "password=hunter22 of somebody", "password=hunter22 of somebody"
	in.Marks = append(make([]evidence.Mark, 0, 8), evidence.Mark{Field: "/x", Action: "dropped", Reason: "r"})
	same.Marks = []evidence.Mark{{Field: "/x", Action: "dropped", Reason: "r"}}
	out, line := redacted(t, newRedactor(t, Policy{Identifiers: Hash}), in)
	if diff := cmp.Diff(same, in); diff != "" {
		t.Error(diff)
	}
	if in.Marks[:8][1] != (evidence.Mark{}) {
		t.Error("the array behind the marks was written to")
	}
	if strings.Contains(line, "somebody") || strings.Contains(line, `"/summary"`) {
		t.Errorf("a summary came through: %s", line)
	}
	// The bytes belong to the caller.
	out.Line()[0] = 'X'
	if string(out.Line()) != line {
		t.Error("a passport was altered from outside")
	}
	var back evidence.Event
	if err := json.Unmarshal(out.Line(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(out.Event(), back); diff != "" {
		t.Errorf("the line is not the event: %s", diff)
	}
}

func TestPolicy(t *testing.T) {
	for _, p := range []Policy{{Personal: Keep}, {Identifiers: Omit}, {Personal: "HASH"}, {Text: Keep}, {Text: Hash}} {
		if p.Validate() == nil {
			t.Errorf("%+v is valid", p)
		}
		if _, err := Compile(p, testKey(t, keyOne)); err == nil {
			t.Errorf("%+v compiles", p)
		}
		if _, err := p.Digest(); err == nil {
			t.Errorf("%+v has a digest", p)
		}
	}
	seen := map[string]Policy{}
	for _, p := range []Policy{{}, {Personal: Omit}, {Identifiers: Hash}, {Personal: Omit, Identifiers: Hash}, {Text: Scrub}} {
		d, err := p.Digest()
		if err != nil || len(d) != 64 {
			t.Fatalf("%s, %v", d, err)
		}
		if other, taken := seen[d]; taken {
			t.Errorf("%+v and %+v have one digest", p, other)
		}
		seen[d] = p
		r := newRedactor(t, p)
		if r.PolicyDigest() != d || r.KeyID() != testKey(t, keyOne).ID() || r.Policy() != p.withDefaults() {
			t.Errorf("%+v: the redactor says %s %s %+v", p, r.PolicyDigest(), r.KeyID(), r.Policy())
		}
	}
	a, _ := Policy{}.Digest()
	b, _ := DefaultPolicy().Digest()
	if a != b {
		t.Error("the default, written out, is another policy")
	}
}

func TestDigestFollowsTheClasses(t *testing.T) {
	root, err := embeddedSchema()
	if err != nil {
		t.Fatal(err)
	}
	before := Policy{}.digest(root)
	root.Properties["actor"].Properties["user"].Class = public
	if (Policy{}).digest(root) == before {
		t.Error("a user name became public and the digest did not change")
	}
	before = Policy{}.digest(root)
	root.Properties["commit"].Properties["author"].Properties["pseudonym"].Pseudonym = false
	if (Policy{}).digest(root) == before {
		t.Error("pseudonyms are hashed again and the digest did not change")
	}
}

func TestConcurrentUse(t *testing.T) {
	r := newRedactor(t, Policy{Identifiers: Hash})
	_, want := redacted(t, r, rollout())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				out, err := r.Redact(rollout())
				if err != nil || string(out.Line()) != want {
					t.Errorf("%v: %s", err, out.Line())
				}
				r.Counts()
			}
		})
	}
	wg.Wait()
	for _, c := range r.Counts() {
		if c.Rule == "hashed class personal" && c.Count != 401 {
			t.Errorf("%d of 401 counted", c.Count)
		}
	}
}

func TestZeroRedacted(t *testing.T) {
	var r Redacted
	if !r.IsZero() || r.ID() != "" || r.Kind() != "" || len(r.Line()) != 0 {
		t.Error("the zero value holds something")
	}
	if s := fmt.Sprintf("%v", (&Error{Kind: "K", Field: "/f", Reason: "r"}).Error()); s != "redaction refused a K: field /f: r" {
		t.Error(s)
	}
}

func BenchmarkRedact(b *testing.B) {
	for _, p := range []Policy{{}, {Identifiers: Hash}} {
		b.Run("identifiers="+p.withDefaults().Identifiers, func(b *testing.B) {
			r := newRedactor(b, p)
			events := make([]evidence.Event, 64)
			for i := range events {
				events[i] = rollout()
				events[i].ID = evidence.ID(evidence.KindDeployment, fmt.Sprint(i))
				events[i].ServiceKey = fmt.Sprintf("prod/shop/orders-%d", i/8)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := r.Redact(events[i%len(events)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
