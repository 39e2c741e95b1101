package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"hash"
	"net/netip"
	"strings"
	"sync"
)

// pseudonymVersion changes when the same key and value would give another
// pseudonym.
const pseudonymVersion = "1"

// pseudonyms makes the pseudonyms of one domain:
//
//	<domain>:<26 characters of lower-case base32>
//
// which are the first 16 bytes of HMAC-SHA256(HMAC-SHA256(key, "pseudonym v1
// <domain>"), value). They depend on the key, the domain and the value alone.
type pseudonyms struct {
	domain   string
	encoding *base32.Encoding
	macs     sync.Pool
}

func newPseudonyms(key Key, domain string) *pseudonyms {
	sub := mac(key.derived, []byte("pseudonym v"+pseudonymVersion+" "+domain))
	p := &pseudonyms{domain: domain, encoding: base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)}
	p.macs.New = func() any { return hmac.New(sha256.New, sub) }
	return p
}

func newPseudonymsOf(key Key) (map[string]*pseudonyms, error) {
	if key.IsZero() {
		return nil, fmt.Errorf("%w: there is none; load it with NewKey", ErrWeakKey)
	}
	all := map[string]*pseudonyms{}
	for _, domain := range []string{domainUser, domainEmail, domainIP, domainName, domainEvent} {
		all[domain] = newPseudonyms(key, domain)
	}
	return all, nil
}

// of gives the pseudonym of a value. Nothing has no pseudonym.
func (p *pseudonyms) of(value string) string {
	value = p.canonical(value)
	if value == "" {
		return ""
	}
	h := p.macs.Get().(hash.Hash)
	defer p.macs.Put(h)
	h.Reset()
	h.Write([]byte(value))
	var sum [sha256.Size]byte
	digest := h.Sum(sum[:0])[:16]
	if p.domain == domainEvent {
		return "ev1:" + hex.EncodeToString(digest)
	}
	return p.domain + ":" + p.encoding.EncodeToString(digest)
}

// canonical makes spellings of one thing equal, so that sources join. User
// names stay as they are: in some sources case tells two users apart.
func (p *pseudonyms) canonical(value string) string {
	switch p.domain {
	case domainEmail:
		return strings.ToLower(strings.TrimSpace(value))
	case domainIP:
		if addr, err := netip.ParseAddr(strings.TrimSpace(value)); err == nil {
			return addr.Unmap().WithZone("").String()
		}
	case domainUser:
		return strings.TrimSpace(value)
	}
	return value
}

// isPseudonym reports whether s has the form of a pseudonym of a person.
func isPseudonym(s string) bool {
	domain, digits, ok := strings.Cut(s, ":")
	return ok && (domain == domainUser || domain == domainEmail) && len(digits) == 26 && strings.Trim(digits, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// Pseudonym gives what stands for a person in evidence: the same as is written for
// a field of the domain, user or email. It is empty when the policy omits persons,
// when there is no value, and for any other domain.
func (r *Redactor) Pseudonym(domain, value string) string {
	if r.policy.Personal != Hash || domain != domainUser && domain != domainEmail {
		return ""
	}
	return r.pseudonyms[domain].of(value)
}

// ofParts gives the pseudonyms of the parts of a path, so that the namespace in
// a service key equals the namespace of an object. Too many parts to fit the
// limit are hashed as one.
func (p *pseudonyms) ofParts(value string, limit int) string {
	if !strings.Contains(value, "/") {
		return p.of(value)
	}
	parts := strings.Split(value, "/")
	if len(parts)*(len(p.domain)+28) > limit {
		return p.of(value)
	}
	for i, part := range parts {
		parts[i] = p.of(part)
	}
	return strings.Join(parts, "/")
}
