package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// leaf words the failure of one keyword.
func (t translator) leaf(e *jsonschema.ValidationError, k keywords, keyword string) {
	n, at := t.place(e.InstanceLocation)
	switch keyword {
	case "additionalProperties":
		for _, f := range n.fields {
			if _, ok := t.schema.child(k, f.name); !ok {
				t.unknownKey(f, at, k)
			}
		}
	case "required":
		for _, name := range k.texts("required") {
			if n.field(name) == nil {
				t.add(ruleMissingKey, t.keyPos(at), at.key(name), t.missingHint(k, name), "missing")
			}
		}
	case "dependentRequired":
		for name, needs := range k.object("dependentRequired") {
			t.dependent(n, at, name, fmt.Sprint(needs))
		}
	case "type":
		t.wrongType(n, at, k)
	case "enum":
		t.notAllowed(n, at, k)
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		t.add(ruleOutOfRange, n.pos, at, "", "%s; found %s", bounds(k), cut(n.text))
	case "minItems":
		t.add(ruleBadValue, n.pos, at, "name at least one, or remove the key", "an empty list")
	case "uniqueItems":
		t.repeatedItems(n, at)
	default:
		t.badValue(n, at, k)
	}
}

// keyPos is where the key of a mapping stands; for the root, where it begins.
func (t translator) keyPos(at path) position {
	_, pos, _ := t.root.at(at)
	return pos
}

func (t translator) missingHint(k keywords, name string) string {
	child, _ := t.schema.child(k, name)
	if value, ok := child["const"]; ok {
		return fmt.Sprintf("write %s: %v", name, value)
	}
	return ""
}

func (t translator) dependent(n *node, at path, name, needs string) {
	needs = strings.Trim(needs, "[]")
	f := n.field(name)
	if f == nil || n.field(needs) != nil {
		return
	}
	t.add(ruleMissingKey, f.pos, at.key(needs), "name it, or remove "+name, "missing beside %s", name)
}

func (t translator) unknownKey(f field, at path, k keywords) {
	if len(at) == 1 && at[0] == "connectors" {
		t.unknownConnector(f, at)
		return
	}
	below := at.key(f.name)
	if below.within(path{"connectors"}) && sqlKey.MatchString(f.name) {
		t.add(ruleNoSQL, f.pos, below, "rcactl never takes SQL", "unknown key")
		return
	}
	if keys := k.text("x-rcactl-keys"); keys != "" {
		t.add(ruleServiceKey, f.pos, below, "write "+keys, "not the name of a service")
		return
	}
	known := k.known()
	hint := "known here: " + strings.Join(known, ", ")
	if near, ok := nearest(f.name, known); ok {
		hint = "did you mean " + near + "?"
	}
	t.add(ruleUnknownKey, f.pos, below, hint, "unknown key")
}

var sqlKey = regexp.MustCompile(`(?i)^(custom_?|raw_?)?(sql|query|queries|statements?)$`)

func (t translator) unknownConnector(f field, at path) {
	types, also := t.schema.connectors()
	typ, name, hasName := strings.Cut(f.name, "/")
	at = at.key(f.name)
	if slices.Contains(types, typ) {
		t.add(ruleConnectorName, f.pos, at, "use letters, digits and . _ -, at most 63, beginning with a letter or digit",
			"the name after %s/ cannot be used", typ)
		return
	}
	hint := ""
	near, ok := also[strings.ToLower(typ)]
	if !ok {
		near, ok = nearest(typ, types)
	}
	if ok {
		if hasName {
			near += "/" + shown(name)
		}
		hint = "did you mean " + near + "?"
	}
	t.add(ruleUnknownConnector, f.pos, at, hint, "unknown connector type; this version has: %s", strings.Join(types, ", "))
}

// wrongType says what was expected and what was found; the value is not shown.
func (t translator) wrongType(n *node, at path, k keywords) {
	scalar := n.kind == isText || n.kind == isInt || n.kind == isNumber || n.kind == isBool
	if k.text("x-rcactl-type") == "secret-ref" && scalar {
		t.literalCredential(n, at)
		return
	}
	var hint string
	types := k.types()
	switch {
	case n.kind == isNull:
		hint = "give it a value or remove the key"
	case k.text("x-rcactl-type") == "duration" && (n.kind == isInt || n.kind == isNumber):
		hint = "add a unit, as in 30s, 2m or 1h"
	case scalar && n.kind != isText && t.takesText(k):
		hint = "put it in quotes"
	case n.kind == isText && intForm.MatchString(n.text) && (slices.Contains(types, "integer") || slices.Contains(types, "number")):
		hint = "remove the quotes"
	}
	t.add(ruleWrongType, n.pos, at, hint, "expected %s, found %s", t.expected(k), n.kind)
}

func (t translator) takesText(k keywords) bool {
	if slices.Contains(k.types(), "string") {
		return true
	}
	list, _ := k["anyOf"].([]any)
	for _, alternative := range list {
		if object, _ := alternative.(map[string]any); t.takesText(t.schema.expand(object)) {
			return true
		}
	}
	return false
}

// expected says in words what a schema takes.
func (t translator) expected(k keywords) string {
	switch k.text("x-rcactl-type") {
	case "duration":
		return "a duration such as 2h"
	case "path":
		return "a path"
	case "secret-ref":
		return "a reference: env:NAME or file:/path"
	case "repository":
		return "a repository"
	}
	var words []string
	if list, ok := k["anyOf"].([]any); ok {
		for _, alternative := range list {
			object, _ := alternative.(map[string]any)
			words = append(words, t.expected(t.schema.expand(object)))
		}
		return strings.Join(words, " or ")
	}
	for _, typ := range k.types() {
		words = append(words, string(map[string]kind{
			"string": isText, "integer": isInt, "number": isNumber, "boolean": isBool, "array": isList, "object": isMapping,
		}[typ]))
	}
	return strings.Join(words, " or ")
}

func (t translator) notAllowed(n *node, at path, k keywords) {
	allowed := k.texts("enum")
	hint := ""
	if near, ok := nearest(n.text, allowed); ok {
		hint = "did you mean " + near + "?"
	}
	t.add(ruleNotAllowed, n.pos, at, hint, "%s is not one of: %s", quoted(n.text), strings.Join(allowed, ", "))
}

func bounds(k keywords) string {
	low, hasLow := k["minimum"]
	above, hasAbove := k["exclusiveMinimum"]
	high, hasHigh := k["maximum"]
	var words []string
	switch {
	case hasLow:
		words = append(words, "at least "+number(low))
	case hasAbove:
		words = append(words, "more than "+number(above))
	}
	if hasHigh {
		words = append(words, "at most "+number(high))
	}
	return "must be " + strings.Join(words, " and ")
}

func number(v any) string {
	f, _ := v.(float64)
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func (t translator) repeatedItems(n *node, at path) {
	first := map[string]int{}
	for i, item := range n.items {
		key := fmt.Sprint(item.kind, item.instance())
		if j, ok := first[key]; ok {
			t.add(ruleRepeatedItem, item.pos, at.item(i), "keep one of them", "the same as item [%d]", j)
			continue
		}
		first[key] = i
	}
}

// badValue words text of the wrong form. It is shown only where a slip is
// likelier than a credential.
func (t translator) badValue(n *node, at path, k keywords) {
	if typ := k.text("x-rcactl-type"); typ != "" && n.kind == isText {
		if t.typed(typ, n, at) {
			t.typedProblem(typ, n, at)
		}
		return
	}
	if wants := k.text("x-rcactl-wants"); wants != "" {
		t.add(ruleBadValue, n.pos, at, "", "expected %s", wants)
		return
	}
	switch value, ok := k["const"]; {
	case ok:
		t.add(ruleBadValue, n.pos, at, "", "must be %v", value)
	case n.text == "":
		t.add(ruleBadValue, n.pos, at, "give it a value or remove the key", "empty text")
	default:
		t.add(ruleBadValue, n.pos, at, "", "the text is too long or has the wrong form")
	}
}

// quoted shows a short value in quotes.
func quoted(s string) string { return strconv.Quote(cut(s)) }

// cut shortens a value that is shown.
func cut(s string) string {
	const longest = 40
	if runes := []rune(s); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return s
}
