package config

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/secret"
	"github.com/rcactl/rcactl/pkg/window"
)

// check walks tree and schema together for what a JSON Schema cannot say: texts
// that somebody else reads, and values that are legal and broad.
func (s *schema) check(c *collector, n *node, k keywords, at path) {
	k = s.branch(k, n)
	switch n.kind {
	case isMapping:
		for _, f := range n.fields {
			if child, ok := s.child(k, f.name); ok {
				s.check(c, f.val, child, at.key(f.name))
			}
		}
	case isList:
		if items := k.object("items"); items != nil {
			for i, item := range n.items {
				s.check(c, item, s.expand(items), at.item(i))
			}
		}
	case isText:
		c.typed(k.text("x-rcactl-type"), n, at)
		c.broad(n, k, at)
	case isBool:
		c.broad(n, k, at)
	}
}

// broad warns of a value that is legal and reads more than most need.
func (c *collector) broad(n *node, k keywords, at path) {
	says := k.object("x-rcactl-broad")
	for _, pattern := range slices.Sorted(maps.Keys(says)) {
		if re, err := regexp.Compile(pattern); err == nil && re.MatchString(n.text) {
			c.add(ruleBroadScope, n.pos, at, "", "%s", says[pattern])
		}
	}
}

// typed reads a text by its x-rcactl-type and says what is wrong with it.
func (c *collector) typed(typ string, n *node, at path) bool {
	switch typ {
	case "duration":
		if _, err := window.ParseDuration(n.text); err == nil {
			return true
		}
	case "path":
		if n.text != "" && !strings.HasPrefix(n.text, "~") && !strings.Contains(n.text, "\x00") {
			return true
		}
	case "secret-ref":
		_, err := secret.ParseRef(n.text)
		switch {
		case err == nil:
			return true
		case n.text != "" && !errors.Is(err, secret.ErrLiteral):
			c.add(ruleBadReference, n.pos, at, "write env:NAME or file:/path", "%s", err)
			return false
		}
	case "repository":
		if !holdsLogin(n.text) && repository(n.text) != "" {
			return true
		}
	default:
		return true
	}
	c.typedProblem(typ, n, at)
	return false
}

// typedProblem words a text that does not fit its x-rcactl-type.
func (c *collector) typedProblem(typ string, n *node, at path) {
	switch typ {
	case "duration":
		c.add(ruleBadDuration, n.pos, at, "write for example 90s, 30m, 2h or 7d", "%s is not a duration above zero", quoted(n.text))
	case "path":
		hint := "give it a value or remove the key"
		if strings.HasPrefix(n.text, "~") {
			hint = "write the folder out: rcactl does not expand ~"
		}
		c.add(ruleBadPath, n.pos, at, hint, "not a path that can be used")
	case "secret-ref":
		c.literalCredential(n, at)
	case "folder":
		c.add(ruleBadValue, n.pos, at, "", "expected a folder below the root of the repository, such as services/checkout")
	case "repository":
		if holdsLogin(n.text) {
			c.add(ruleLiteralCredential, n.pos, at, "write the address without it (it is not shown)", "a credential in the address of a repository")
			return
		}
		c.add(ruleBadValue, n.pos, at, "", "expected owner/name, host/owner/name, or an address such as https://github.com/acme/shop")
	}
}

// repository gives the one spelling of a repository, or "": owner/name alone is
// one of github.com.
func repository(text string) string {
	if !strings.Contains(text, ":") {
		host, _, _ := strings.Cut(text, "/")
		switch strings.Count(strings.Trim(text, "/"), "/") {
		case 1:
			text = "github.com/" + text
		default:
			if !strings.Contains(host, ".") {
				return "" // a path of three parts, and none of them a host
			}
		}
	}
	return record.RepositoryName(text)
}

// holdsLogin reports whether an address has more of a login than the name of a user
// that ssh asks for.
func holdsLogin(text string) bool {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "ssh", text
	}
	authority, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndex(authority, "@")
	return at >= 0 && (!strings.HasSuffix(scheme, "ssh") || strings.Contains(authority[:at], ":"))
}

func (c *collector) literalCredential(n *node, at path) {
	if n.text == "" {
		c.add(ruleBadReference, n.pos, at, "write env:NAME or file:/path, or remove the key", "an empty reference")
		return
	}
	c.add(ruleLiteralCredential, n.pos, at, "write env:NAME or file:/path instead (the value is not shown)", "a literal credential")
}

// IsRegistry reports whether a text may stand under images.registries.
func IsRegistry(text string) bool {
	k := loadSchema().expand(keywords{"$ref": "#/$defs/registry"})
	form, err := regexp.Compile(k.text("pattern"))
	return err == nil && len(text) <= 256 && form.MatchString(text)
}
