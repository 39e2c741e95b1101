package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// small is an API description with everything that is translated.
const small = `{
  "paths": {"/things/{id}": {"get": {
    "parameters": [{"name": "id", "in": "path"}, {"$ref": "#/components/parameters/per-page"}],
    "responses": {
      "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}}},
      "404": {"$ref": "#/components/responses/gone"},
      "204": {"description": "nothing"}
    }}}},
  "components": {
    "parameters": {"per-page": {"name": "per_page", "in": "query"}},
    "responses": {"gone": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/basic-error"}}}}},
    "schemas": {
      "basic-error": {"type": "object", "properties": {"message": {"type": "string"}}},
      "thing": {"type": "object", "required": ["id", "at"], "properties": {
        "id": {"type": "integer", "minimum": 1},
        "at": {"type": "string", "format": "date-time"},
        "link": {"type": "string", "format": "uri"},
        "log": {"type": "string", "format": "uri", "default": ""},
        "note": {"type": "string", "nullable": true},
        "kind": {"type": "string", "enum": ["a", "b"], "nullable": true},
        "owner": {"$ref": "#/components/schemas/maybe", "nullable": false},
        "any": {"type": "object", "additionalProperties": true},
        "names": {"type": "object", "additionalProperties": {"type": "string"}},
        "list": {"type": "array", "items": {"$ref": "#/components/schemas/maybe"}},
        "either": {"oneOf": [{"type": "string"}, {"type": "object", "properties": {"x": {"type": "integer"}}}]},
        "both": {"allOf": [{"type": "object", "properties": {"x": {"type": "integer"}}}, {"type": "object", "required": ["y"], "properties": {"y": {"type": "integer"}}}]}
      }},
      "maybe": {"type": "object", "nullable": true, "required": ["login"], "properties": {"login": {"type": "string"}, "again": {"$ref": "#/components/schemas/maybe"}}}
    }}}`

func TestOpenAPIIsReadAsJSONSchema(t *testing.T) {
	d, err := parseDescription([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	const route, good = "GET /things/{id}", `"id":1,"at":"2026-01-01T00:00:00Z"`
	for body, fine := range map[string]bool{
		`{` + good + `}`: true,
		`{"id":1}`:       false, `{"id":0,"at":"2026-01-01T00:00:00Z"}`: false, `{"id":"1","at":"2026-01-01T00:00:00Z"}`: false, `{"id":1.5,"at":"2026-01-01T00:00:00Z"}`: false,
		`{"id":1,"at":"yesterday"}`: false, `{"id":1,"at":null}`: false, `[]`: false, `null`: false,
		`{` + good + `,"link":"https://example.test/"}`: true, `{` + good + `,"link":"no address"}`: false, `{` + good + `,"link":""}`: false, `{` + good + `,"log":""}`: true,
		`{` + good + `,"note":null}`: true, `{` + good + `,"note":1}`: false,
		`{` + good + `,"kind":null}`: true, `{` + good + `,"kind":"a"}`: true, `{` + good + `,"kind":"c"}`: false,
		`{` + good + `,"owner":null}`: true, `{` + good + `,"owner":{"login":"x","again":{"login":"y"}}}`: true, `{` + good + `,"owner":{}}`: false,
		`{` + good + `,"owner":{"login":"x","again":{}}}`: false, `{` + good + `,"owner":{"login":"x","more":1}}`: false,
		`{` + good + `,"any":{"x":1}}`: true, `{` + good + `,"names":{"x":"1"}}`: true, `{` + good + `,"names":{"x":1}}`: false,
		`{` + good + `,"list":[null,{"login":"x"}]}`: true, `{` + good + `,"list":[{}]}`: false,
		`{` + good + `,"either":"x"}`: true, `{` + good + `,"either":{"x":1}}`: true, `{` + good + `,"either":{"z":1}}`: false, `{` + good + `,"either":1}`: false,
		`{` + good + `,"both":{"x":1,"y":2}}`: true, `{` + good + `,"both":{"x":1}}`: false,
		`{` + good + `,"invented":1}`: false, `{`: false,
	} {
		if err := d.checkAnswer(route, 200, []byte(body)); (err == nil) != fine {
			t.Errorf("%s: %v", body, err)
		}
	}
	if err := d.checkAnswer(route, 404, []byte(`{"message":1}`)); err == nil {
		t.Error("a failure of another form passes")
	}
	if err := d.checkAnswer(route, 418, []byte(`{"message":"x","more":1}`)); err == nil {
		t.Error("a failure that is not described passes in any form")
	}
	for name, err := range map[string]error{
		"route":     d.checkAnswer("GET /none", 200, []byte(`{}`)),
		"status":    d.checkAnswer(route, 201, []byte(`{}`)),
		"parameter": d.checkParameters(route, []string{"per_page", "page"}),
		"path":      d.checkParameters(route, []string{"id"}),
	} {
		if !errors.Is(err, errUnknown) {
			t.Errorf("an unknown %s: %v", name, err)
		}
	}
	if err := d.checkParameters(route, []string{"per_page"}); err != nil {
		t.Error(err)
	}
	if _, err := parseDescription([]byte("{")); err == nil {
		t.Error("a broken description is read")
	}
}

// TestABrokenAnswerIsSeen breaks good answers in every field at every depth: each
// field that GitHub requires is taken away, each value replaced by one of another
// type.
func TestABrokenAnswerIsSeen(t *testing.T) {
	d := needDescription(t)
	c := History(t, Shapes()...)
	fill := filler(t, c.Dir)
	s := New(t, whole(t, c.Dir), WithToken("planted", Access{Login: "planted"}))
	seen := 0
	for _, q := range questions() {
		r := ask(t, http.MethodGet, s.URL+fill.Replace(q), "Authorization: Bearer planted")
		var v any
		if r.StatusCode != http.StatusOK || json.Unmarshal(r.body, &v) != nil {
			continue
		}
		route := s.Requests()[len(s.Requests())-1].Route
		if err := d.checkAnswer(route, 200, r.body); err != nil {
			t.Errorf("%s: %v", q, err)
		}
		top, _ := v.(obj)
		if list, isList := v.([]any); isList && len(list) > 0 {
			top, _ = list[0].(obj)
		}
		if len(top) < 6 {
			continue // next to nothing is required of it
		}
		for key, was := range top {
			top[key] = obj{"planted": []any{}}
			if _, open := was.(obj); open || key == "payload" {
				top[key] = 17.5
			}
			broken, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if d.checkAnswer(route, 200, broken) == nil {
				t.Errorf("%s: another type of %s is not seen", q, key)
			}
			top[key] = was
			seen++
		}
		top["planted"] = true
		broken, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if d.checkAnswer(route, 200, broken) == nil {
			t.Errorf("%s: a field that GitHub does not have is not seen", q)
		}
		delete(top, "planted")
	}
	if seen < 300 {
		t.Errorf("only %d fields were broken", seen)
	}
}

func TestAServerChecksItselfAndItsClient(t *testing.T) {
	needDescription(t)
	dir := History(t, Linear(3)...).Dir
	heard := func(options ...Option) (*told, *Server) {
		tt := &told{TB: t}
		return tt, New(tt, Repository{Dir: dir, Owner: "acme", Name: "shop"}, options...)
	}
	tt, s := heard()
	ask(t, http.MethodGet, s.URL+"/repos/acme/shop/commits?per_page=1")
	if tt.all() != "" {
		t.Errorf("nothing is wrong, and it says %s", tt.all())
	}
	ask(t, http.MethodGet, s.URL+"/repos/acme/shop/pulls?since=2026-01-01T00:00:00Z")
	if !strings.Contains(tt.all(), "parameter since: not in GitHub's API description") {
		t.Errorf("a parameter that GitHub does not have: %q", tt.all())
	}
	tt, s = heard()
	broken := answer{status: 200, raw: []byte(`{"id":1}`), kind: "application/json"}
	c := &call{server: s, request: &http.Request{}, route: "GET /repos/{owner}/{repo}"}
	s.check(c, &broken)
	if !strings.Contains(tt.all(), "the stand-in is not like GitHub") {
		t.Errorf("a broken answer: %q", tt.all())
	}
	tt, s = heard()
	c = &call{server: s, request: &http.Request{}, route: "GET /repos/{owner}/{repo}/pulls", read: []string{"since"}}
	s.check(c, &answer{status: 200, raw: []byte(`[]`), kind: "application/json"})
	if !strings.Contains(tt.all(), "the stand-in reads what GitHub does not") {
		t.Errorf("a parameter that the stand-in made up: %q", tt.all())
	}
	tt, s = heard(WithChecks(0))
	s.check(&call{server: s, request: &http.Request{}, route: "GET /repos/{owner}/{repo}"}, &broken)
	if tt.all() != "" {
		t.Errorf("without checks it says %s", tt.all())
	}
}

func TestSomeAnswersAreChecked(t *testing.T) {
	var c checks
	var due []string
	for i := range 101 {
		if c.due("a", 50) {
			due = append(due, fmt.Sprint(i))
		}
	}
	if have := strings.Join(due, " "); have != "0 50 100" {
		t.Errorf("checked: %s", have)
	}
	for range 3 {
		if !c.due("b", 1) {
			t.Error("one is not checked, all should be")
		}
	}
}
