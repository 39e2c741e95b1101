package redact

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rcactl/rcactl/schemas"
)

// class is how sensitive a field is.
type class string

const (
	public     class = "public"
	identifier class = "identifier"
	personal   class = "personal"
	text       class = "text"
	secret     class = "secret"
)

// Domains keep pseudonyms of different things apart: the same string as a user
// and as an e-mail address gives two pseudonyms.
const (
	domainUser  = "user"
	domainEmail = "email"
	domainIP    = "ip"
	domainName  = "id"
	domainEvent = "event"
)

// node is the part of a JSON Schema that redaction reads.
type node struct {
	Class      class            `json:"x-rcactl-class"`
	Domain     string           `json:"x-rcactl-domain"`
	Pseudonym  bool             `json:"x-rcactl-pseudonym"`
	Ref        string           `json:"$ref"`
	Properties map[string]*node `json:"properties"`
	Items      *node            `json:"items"`
	Required   []string         `json:"required"`
	Const      any              `json:"const"`
	OneOf      []*node          `json:"oneOf"`
	Pattern    string           `json:"pattern"`
	MaxLength  int              `json:"maxLength"`
	MaxItems   int              `json:"maxItems"`
	Defs       map[string]*node `json:"$defs"`
	AllOf      []struct {
		If struct {
			Properties map[string]struct {
				Const string `json:"const"`
			} `json:"properties"`
		} `json:"if"`
		Then struct {
			Required []string `json:"required"`
		} `json:"then"`
	} `json:"allOf"`

	// deny is the schema "false".
	deny bool
}

// UnmarshalJSON takes the boolean schemas too.
func (n *node) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "true":
		return nil
	case "false":
		n.deny = true
		return nil
	}
	type plain node
	return json.Unmarshal(data, (*plain)(n))
}

func embeddedSchema() (*node, error) { return parseSchema(schemas.Evidence()) }

// parseSchema reads a schema and replaces every $ref by what it points to.
func parseSchema(data []byte) (*node, error) {
	root := new(node)
	if err := json.Unmarshal(data, root); err != nil {
		return nil, fmt.Errorf("read the evidence schema: %w", err)
	}
	if err := root.resolve(root.Defs, 0); err != nil {
		return nil, fmt.Errorf("read the evidence schema: %w", err)
	}
	return root, nil
}

func (n *node) resolve(defs map[string]*node, depth int) error {
	if depth > 20 {
		return errors.New("its $refs go in circles")
	}
	if n.Ref != "" {
		name, ok := strings.CutPrefix(n.Ref, "#/$defs/")
		target := defs[name]
		if !ok || target == nil {
			return fmt.Errorf("%s points nowhere", n.Ref)
		}
		*n = *target
		return n.resolve(defs, depth+1)
	}
	for name, child := range n.Properties {
		// Definitions are shared; each place gets its own copy.
		c := *child
		n.Properties[name] = &c
		if err := c.resolve(defs, depth+1); err != nil {
			return err
		}
	}
	if n.Items != nil {
		c := *n.Items
		n.Items = &c
		return c.resolve(defs, depth+1)
	}
	return nil
}

func (n *node) requires(name string) bool {
	for _, r := range n.Required {
		if r == name {
			return true
		}
	}
	return false
}

// values returns the closed set of a leaf; nil when it is open.
func (n *node) values() map[string]bool {
	set := map[string]bool{}
	if s, ok := n.Const.(string); ok {
		set[s] = true
	}
	for _, one := range n.OneOf {
		if s, ok := one.Const.(string); ok {
			set[s] = true
		}
	}
	if len(set) == 0 {
		return nil
	}
	return set
}

// bodies maps each kind to the name of its body.
func (n *node) bodies() map[string]string {
	bodies := map[string]string{}
	for _, branch := range n.AllOf {
		kind := branch.If.Properties["kind"].Const
		if kind != "" && len(branch.Then.Required) == 1 {
			bodies[kind] = branch.Then.Required[0]
		}
	}
	return bodies
}

// classTable lists the class and domain of each leaf by its pointer.
func (n *node) classTable() map[string]string {
	table := map[string]string{}
	n.walk("", func(pointer string, leaf *node) {
		table[pointer] = strings.TrimSuffix(string(leaf.Class)+" "+leaf.Domain, " ")
		if leaf.Pseudonym {
			table[pointer] += " pseudonym"
		}
	})
	return table
}

func (n *node) walk(pointer string, leaf func(string, *node)) {
	switch {
	case n.Properties != nil:
		for name, child := range n.Properties {
			child.walk(pointer+"/"+name, leaf)
		}
	case n.Items != nil:
		n.Items.walk(pointer+"/*", leaf)
	default:
		leaf(pointer, n)
	}
}
