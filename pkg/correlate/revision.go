package correlate

import "strings"

// form says what a text that claims a revision turned out to be.
type form uint8

// The forms.
const (
	formNone  form = iota
	formFull       // a full commit
	formShort      // the beginning of one
	formName       // what may be a tag of the repository
)

// named is what a claim names. It is comparable.
type named struct {
	form form
	// value is lower case for commits, and as it was written for a tag.
	value string
	// dirty says that the build had changes that are in no commit.
	dirty bool
	// doubtful says that it may be a number or digest of another kind: it counts only
	// when a repository has it.
	doubtful bool
}

const (
	maxRevision = 256
	shortest    = 7 // digits of a commit
	sha1Digits  = 40
	sha256Digit = 64
	maxTag      = 128
)

// readRevision reads what stands under a key that is meant for a revision:
// 9be01d7…, sha1:…, main@sha1:…, refs/tags/v1.2.3, v1.2.3-5-g9be01d7, with or
// without -dirty. A digest of content (sha256:…) names no commit.
func readRevision(s string) named { return read(s, readTidy) }

func readTidy(s string) named {
	lower := strings.ToLower(s)
	if i := strings.LastIndex(lower, "sha1:"); i >= 0 && (i == 0 || lower[i-1] == '@' || lower[i-1] == '/') {
		return hex(lower[i+len("sha1:"):])
	}
	if strings.HasPrefix(lower, "refs/heads/") {
		return named{}
	}
	if tag, ok := strings.CutPrefix(s, "refs/tags/"); ok {
		return tagName(tag)
	}
	if n := hex(lower); n.form != formNone {
		return n
	}
	if i := strings.LastIndexByte(lower, '/'); i >= 0 {
		if n := hex(lower[i+1:]); n.form == formFull {
			return n
		}
	}
	if n := described(lower); n.form != formNone {
		return n
	}
	return version(s)
}

// readVersion reads what stands under a key for a version, or as the tag of an
// image: a commit alone or as a part (main-9be01d7), else a version.
func readVersion(s string) named { return read(s, readParts) }

// read takes from a claim what says that the build was dirty, and reads the rest.
func read(s string, rest func(string) named) named {
	s, isDirty, ok := tidy(s)
	if !ok {
		return named{}
	}
	n := rest(s)
	n.dirty = isDirty && n.form != formNone
	return n
}

func readParts(s string) named {
	lower := strings.ToLower(s)
	if n := hex(lower); n.form != formNone {
		n.doubtful = n.doubtful || len(n.value) == sha256Digit || !hasLetter(n.value) || !hasDigit(n.value)
		return n
	}
	var short named
	for rest := lower; rest != ""; {
		part := rest
		if i := strings.LastIndexAny(rest, "-_.+/@:"); i >= 0 {
			part, rest = rest[i+1:], rest[:i]
		} else {
			rest = ""
		}
		switch n := hex(part); {
		case n.form == formFull:
			n.doubtful = n.doubtful || len(part) == sha256Digit
			return n
		case short.form != formNone:
		case n.form == formShort && hasLetter(part) && hasDigit(part), n.form == formShort && rest == "sha":
			n.doubtful = n.doubtful || !hasLetter(part)
			short = n
		case n.form == formNone && strings.HasPrefix(part, "g"):
			short = hex(part[1:])
		}
	}
	if short.form != formNone {
		return short
	}
	return version(s)
}

// tidy cuts a mark of local changes, and refuses what no revision can be.
func tidy(s string) (rest string, isDirty, ok bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > maxRevision || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", false, false
	}
	const mark = "dirty"
	if n := len(s) - len(mark) - 1; n > 0 && strings.EqualFold(s[n+1:], mark) && strings.IndexByte("-+._", s[n]) >= 0 {
		return s[:n], true, true
	}
	return s, false, true
}

// hex reads a commit, or its beginning, in lower case.
func hex(s string) named {
	if len(s) < shortest || len(s) > sha256Digit || strings.Trim(s, "0123456789abcdef") != "" {
		return named{}
	}
	switch {
	case len(s) == sha1Digits, len(s) == sha256Digit:
		if strings.Trim(s, "0") == "" {
			return named{}
		}
		return named{form: formFull, value: s}
	case len(s) > sha1Digits:
		return named{}
	}
	return named{form: formShort, value: s, doubtful: !hasLetter(s)}
}

func hasLetter(s string) bool { return strings.ContainsAny(s, "abcdef") }
func hasDigit(s string) bool  { return strings.ContainsAny(s, "0123456789") }

// isFull reports whether s is a full commit as evidence writes it.
func isFull(s string) bool {
	return (len(s) == sha1Digits || len(s) == sha256Digit) && strings.Trim(s, "0123456789abcdef") == ""
}

// described reads what git describe writes: v1.2.3-5-g9be01d7.
func described(lower string) named {
	i := strings.LastIndex(lower, "-g")
	if i <= 0 {
		return named{}
	}
	count := lower[:i]
	count = count[strings.LastIndexByte(count, '-')+1:]
	if count == "" || len(count) == i || strings.Trim(count, "0123456789") != "" {
		return named{}
	}
	n := hex(lower[i+2:])
	n.doubtful = false
	return n
}

// version reads what looks like a version, and may so be a tag: v1.2.3,
// shop-1.2.3, 2026.03.1. A single number is none: build numbers look like that.
func version(s string) named {
	at := s
	if i := strings.IndexAny(s, "0123456789"); i > 0 {
		before := s[:i]
		before = strings.TrimSuffix(strings.TrimSuffix(before, "v"), "V")
		if before != "" && !strings.ContainsAny(before[len(before)-1:], "-_/") {
			return named{}
		}
		at = s[i:]
	}
	digits := len(at) - len(strings.TrimLeft(at, "0123456789"))
	if digits == 0 || digits+1 >= len(at) || at[digits] != '.' || at[digits+1] < '0' || at[digits+1] > '9' {
		return named{}
	}
	return tagName(s)
}

// tagName reads the name of a tag, of the letters that evidence allows.
func tagName(s string) named {
	if s == "" || len(s) > maxTag || strings.Contains(s, "..") || !strings.ContainsAny(s[:1], letters) {
		return named{}
	}
	if strings.Trim(s, letters+"._/+-") != "" {
		return named{}
	}
	return named{form: formName, value: s}
}

const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// otherSpelling gives a version with a v in front, or without.
func otherSpelling(tag string) string {
	if rest, ok := strings.CutPrefix(tag, "v"); ok {
		return rest
	}
	return "v" + tag
}

// splitReference parts the reference of an image: the repository with its host, the
// tag and the digest that may stand in it.
func splitReference(ref string) (image, tag, digest string) {
	image, digest, _ = strings.Cut(ref, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image, tag = image[:i], image[i+1:]
	}
	return image, tag, digest
}
