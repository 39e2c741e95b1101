package redact

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// The actions that a Policy can choose between.
const (
	Keep  = "keep"
	Hash  = "hash"
	Omit  = "omit"
	Scrub = "scrub"
)

// Policy is the part of redaction that a config can choose. The zero Policy is
// the default one. There is no setting that keeps secrets, and none that keeps text as
// it is.
type Policy struct {
	// Personal says what becomes of logins, user names, e-mail and IP
	// addresses: hash (the default) or omit.
	Personal string `json:"personal,omitempty" yaml:"personal,omitempty"`
	// Identifiers says what becomes of names of pods, namespaces, images and
	// the like: keep (the default) or hash.
	Identifiers string `json:"identifiers,omitempty" yaml:"identifiers,omitempty"`
	// Text says what becomes of what people wrote freely, such as the subject of a
	// commit: omit (the default), or scrub, which keeps at most MaxText bytes of it
	// without what looks like a secret, a person or an address. Scrubbing knows forms:
	// a name that stands in a sentence stays.
	Text string `json:"text,omitempty" yaml:"text,omitempty"`
}

// DefaultPolicy returns the policy that holds without a config.
func DefaultPolicy() Policy { return Policy{Personal: Hash, Identifiers: Keep, Text: Omit} }

// Validate says whether the policy's settings exist.
func (p Policy) Validate() error {
	p = p.withDefaults()
	if p.Personal != Hash && p.Personal != Omit {
		return fmt.Errorf("redaction policy: personal: %.40q is not a setting; choose %s or %s", p.Personal, Hash, Omit)
	}
	if p.Identifiers != Keep && p.Identifiers != Hash {
		return fmt.Errorf("redaction policy: identifiers: %.40q is not a setting; choose %s or %s", p.Identifiers, Keep, Hash)
	}
	if p.Text != Omit && p.Text != Scrub {
		return fmt.Errorf("redaction policy: text: %.40q is not a setting; choose %s or %s", p.Text, Omit, Scrub)
	}
	return nil
}

func (p Policy) withDefaults() Policy {
	d := DefaultPolicy()
	if p.Personal == "" {
		p.Personal = d.Personal
	}
	if p.Identifiers == "" {
		p.Identifiers = d.Identifiers
	}
	if p.Text == "" {
		p.Text = d.Text
	}
	return p
}

// Digest identifies the rules that were in force: SHA-256, in lower-case
// hexadecimal, over the policy, the class of every field, and the versions of
// the pseudonyms, the scrubbing of text and the leak check. Two runs with equal digests were redacted
// alike (with whatever key: see [Key.ID]).
func (p Policy) Digest() (string, error) {
	if err := p.Validate(); err != nil {
		return "", err
	}
	root, err := embeddedSchema()
	if err != nil {
		return "", err
	}
	return p.digest(root), nil
}

func (p Policy) digest(root *node) string {
	// Marshalling sorts the keys of maps and cannot fail on these types.
	data, _ := json.Marshal(struct {
		Policy    Policy            `json:"policy"`
		Classes   map[string]string `json:"classes"`
		Pseudonym string            `json:"pseudonym"`
		Scrubber  string            `json:"scrubber"`
		Detectors string            `json:"detectors"`
	}{p.withDefaults(), root.classTable(), pseudonymVersion, scrubVersion, DetectorVersion})
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
