package kubernetes

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// This file says what the next look is to know of a setting, and what differs
// from the last one. Of a value it keeps a tag: a few characters of a keyed
// digest that also depends on the uid and the key, so that equal values of two
// objects have different tags, and nothing can be looked up in a table.

// How much of a digest a tag keeps (36 bits), and a short name of a key.
const (
	tagSize  = 6
	nameSize = 4
	pairSize = nameSize + tagSize
)

// noTag stands for a value that was not read.
const noTag = "......"

// tagDomain separates tags from whatever else is made with the same key.
const tagDomain = "kubernetes setting"

// tag digests a value of an object. Without a key, which only tests and
// recordings lack, it is a plain digest; values of data are then never read.
func (c *collection) tag(uid, key string, value []byte) string {
	digest := c.digest
	if digest == nil {
		digest = plainDigest
	}
	sum := digest([]byte(uid), []byte(key), value)
	var text [12]byte
	base64.RawURLEncoding.Encode(text[:], sum[:9])
	return string(text[:tagSize])
}

func plainDigest(parts ...[]byte) [sha256.Size]byte {
	h := sha256.New()
	for _, part := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// entry is a key of a setting and the tag of its value; empty for a value that
// was not read.
type entry struct{ key, tag string }

// meta reports whether the key is that of a label or annotation.
func (e entry) meta() bool { return strings.HasPrefix(e.key, "metadata.") }

// content is what is compared of a setting.
type content struct {
	version    string
	generation int64
	entries    []entry
	// full says that the keys are all that there are.
	full bool
}

// sheet is content as the state holds it:
//
//	FORM VERSION,GENERATION,CHECK;BODY
//
// with a letter for the form: n for names with their tags (KEY=TAG;KEY;...), h for
// a short digest of each name with the tag of its value, d for a tag of all.
// CHECK tells whether the tags are of the same key and of the same choice of
// labels: others are not compared.
type sheet struct {
	form                 byte
	version, check, body string
	generation           int64
}

func readSheet(raw []byte) (sheet, bool) {
	if len(raw) == 0 {
		return sheet{}, false
	}
	head, body, found := strings.Cut(string(raw[1:]), ";")
	fields := strings.Split(head, ",")
	if !found || len(fields) != 3 || !strings.Contains("nhd", string(raw[:1])) {
		return sheet{}, false
	}
	generation, err := strconv.ParseInt(fields[1], 10, 64)
	return sheet{form: raw[0], version: fields[0], generation: generation, check: fields[2], body: body}, err == nil
}

func (s sheet) text() []byte {
	return []byte(string(s.form) + s.version + "," + strconv.FormatInt(s.generation, 10) + "," + s.check + ";" + s.body)
}

// prepareTags makes the tag of what tags depend on. Values are not read without a
// key: a plain digest of a password can be guessed.
func (c *collection) prepareTags() error {
	if c.env.Fingerprints != nil {
		c.digest = c.env.Fingerprints(tagDomain)
	} else if c.config.Fingerprints {
		return connector.Errorf(connector.ClassConfig, nil, "there is no key to take fingerprints with; leave out fingerprints")
	}
	c.allowed = allowlist{labels: c.config.ServiceLabels}
	c.nameSeed = c.tag("", "names", nil)
	c.tagCheck = c.tag("", "check", []byte(strconv.FormatBool(c.config.Fingerprints)+"\n"+strings.Join(c.config.ServiceLabels, "\n")))
	return nil
}

// maxShort is how many keys have a short name each in the brief form.
const maxShort = 20

// maxFacts is how large the form with names may be: a state has no room for a
// larger one, and many would take much memory until it is written.
const maxFacts = 2000

// sheets makes the two forms that the state may keep, the larger one first.
func (c *collection) sheets(uid string, now content) (facts, brief []byte) {
	body := namedEntries(now.entries)
	form := func(letter byte, body string) []byte {
		return sheet{form: letter, version: now.version, generation: now.generation, check: c.tagCheck, body: body}.text()
	}
	short, told := "", false
	if now.full && len(now.entries) <= maxShort {
		short, told = c.shortEntries(uid, now.entries)
	}
	if told {
		brief = form('h', short)
	} else {
		brief = form('d', c.wholeTag(uid, body))
	}
	if !now.full || len(body) > maxFacts {
		return brief, nil
	}
	return form('n', body), brief
}

// shortEntries names entries in short; ok is false where two would be called the
// same.
func (c *collection) shortEntries(uid string, entries []entry) (text string, ok bool) {
	var b strings.Builder
	met := make(map[string]bool, len(entries))
	for _, e := range entries {
		short := c.shortName(uid, e.key)
		if met[short] {
			return "", false
		}
		met[short] = true
		b.WriteString(short)
		b.WriteString(cmp.Or(e.tag, noTag))
	}
	return b.String(), true
}

func readEntries(body string) (out []entry) {
	for part := range strings.SplitSeq(body, ";") {
		if key, tag, _ := strings.Cut(part, "="); key != "" {
			out = append(out, entry{key, tag})
		}
	}
	return out
}

// briefly makes the brief form of what the last look wrote with names.
func (c *collection) briefly(uid string, s sheet) []byte {
	if s.form != 'n' {
		return nil
	}
	_, brief := c.sheets(uid, content{version: s.version, generation: s.generation, entries: readEntries(s.body), full: true})
	return brief
}

// shortName is a digest of a name. The name is no secret; the seed keeps whoever
// chooses it from choosing one that is called like another.
func (c *collection) shortName(uid, key string) string {
	h := fnv.New64a()
	_, _ = io.WriteString(h, c.nameSeed)
	_, _ = io.WriteString(h, uid)
	_, _ = io.WriteString(h, key)
	var sum, text [8]byte
	base64.RawURLEncoding.Encode(text[:], h.Sum(sum[:0])[:6])
	return string(text[:nameSize])
}

// wholeTag is a tag of all entries.
func (c *collection) wholeTag(uid, named string) string { return c.tag(uid, "whole", []byte(named)) }

func namedEntries(entries []entry) string {
	var b strings.Builder
	for i, e := range entries {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(e.key)
		if e.tag != "" {
			b.WriteString("=" + e.tag)
		}
	}
	return b.String()
}

// comparison is a Diff in the making.
type comparison struct {
	record.Diff
	// unnamed says that something differs that has no name, unsure that some values
	// cannot be compared.
	unnamed, unsure bool
}

// differ compares with what the last look knew; nil for no difference that can be
// told. Its times are left open.
func (c *collection) differ(uid string, before sheet, now content) *record.Diff {
	same := before.check == c.tagCheck
	var d comparison
	switch {
	case before.form == 'n' && now.full:
		d.names(before.body, now.entries, same)
	case before.form == 'h' && now.full && same:
		d.short(before.body, now.entries, func(key string) string { return c.shortName(uid, key) })
	case before.form == 'd' && same:
		d.unnamed = before.body != c.wholeTag(uid, namedEntries(now.entries))
	}
	named := len(d.Added)+len(d.Removed)+len(d.Changed) > 0
	if !named && before.generation > 0 && now.generation > 0 && before.generation != now.generation {
		d.unnamed = true
	}
	if !named && !d.unnamed {
		return nil
	}
	d.KeysKnown = !d.unnamed && !d.unsure
	return &d.Diff
}

// names compares with named entries; both are sorted. same says that the tags are
// of one kind: labels are not compared without.
func (d *comparison) names(body string, now []entry, same bool) {
	before := readEntries(body)
	for _, e := range now {
		i, found := slices.BinarySearchFunc(before, e, compareEntries)
		switch {
		case e.meta() && !same:
		case !found:
			d.Added = append(d.Added, e.key)
		case !same || e.tag == "" || before[i].tag == "":
			d.unsure = true
		case e.tag != before[i].tag:
			d.Changed = append(d.Changed, e.key)
		}
	}
	for _, e := range before {
		if _, found := slices.BinarySearchFunc(now, e, compareEntries); !found && (same || !e.meta()) {
			d.Removed = append(d.Removed, e.key)
		}
	}
}

// short compares with short names: a key that is gone has none. Of keys that are
// called the same it is not told which was there before.
func (d *comparison) short(body string, now []entry, name func(string) string) {
	before := map[string]string{}
	for ; len(body) >= pairSize; body = body[pairSize:] {
		before[body[:nameSize]] = body[nameSize:pairSize]
	}
	met := map[string]bool{}
	for _, e := range now {
		short := name(e.key)
		if met[short] {
			*d = comparison{unnamed: true}
			return
		}
		met[short] = true
		tag, found := before[short]
		delete(before, short)
		switch {
		case !found:
			d.Added = append(d.Added, e.key)
		case e.tag == "" || tag == noTag:
			d.unsure = true
		case tag != e.tag:
			d.Changed = append(d.Changed, e.key)
		}
	}
	d.unnamed = len(before) > 0
}

func compareEntries(a, b entry) int { return strings.Compare(a.key, b.key) }
