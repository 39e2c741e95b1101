package redact

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// DetectorVersion changes with what the leak check finds.
const DetectorVersion = "1"

// detector knows one form of credential. A text is looked at more closely only
// when it holds one of the words, which is cheap to see.
type detector struct {
	name  string
	words []string
	re    *regexp.Regexp
	// real looks at the groups of a match; nil takes every match.
	real func(groups []string) bool
	// fold says that the words, in lower case, stand for any case.
	fold bool
	// look stands in for re where every line wakes the detector, and a pattern
	// would cost more than all the rest.
	look func(s string) bool
}

// detectors is the list and what wakes its members. It never changes.
type detectors struct {
	list []detector
	// pairs finds the bucket of the words that start with two bytes; 0 is none.
	pairs   *[1 << 16]uint8
	buckets [][]wake
}

// wake is a word that makes a detector look.
type wake struct {
	word     string
	fold     bool
	detector int
}

// shortest is the length below which no detector can match: a://:b@.
const shortest = 7

func newDetectors() detectors {
	re := regexp.MustCompile
	// A word begins here, or after a newline that JSON escaped.
	const edge = `(?:\b|\\[nrt])`
	return index([]detector{
		{"private-key", []string{"PRIVATE KEY"}, re(`-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----`), nil, false, nil},
		{"age-secret-key", []string{"AGE-SECRET-KEY-1"}, re(`AGE-SECRET-KEY-1[A-Z0-9]{40}`), nil, false, nil},
		{"aws-access-key-id", []string{"AKIA", "ASIA"}, re(edge + `(?:AKIA|ASIA)[A-Z0-9]{16}\b`), nil, false, nil},
		{"github-token", []string{"ghp_", "gho_", "ghs_", "ghu_", "ghr_"}, re(`gh[posur]_[A-Za-z0-9]{36}`), nil, false, nil},
		{"github-token", []string{"github_pat_"}, re(`github_pat_[A-Za-z0-9_]{40}`), nil, false, nil},
		{"gitlab-token", []string{"glpat-"}, re(`glpat-[A-Za-z0-9_-]{20}`), nil, false, nil},
		{"slack-token", []string{"xox"}, re(edge + `xox[abeoprs]-[0-9][A-Za-z0-9-]{9}`), nil, false, nil},
		{"slack-webhook", []string{"hooks.slack.com/"}, re(`hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]+/[A-Za-z0-9]+/[A-Za-z0-9]{10}`), nil, false, nil},
		{"google-api-key", []string{"AIza"}, re(`AIza[A-Za-z0-9_-]{35}`), nil, false, nil},
		{"google-oauth-token", []string{"ya29."}, re(edge + `ya29\.[A-Za-z0-9_-]{20}`), nil, false, nil},
		{"jwt", []string{"eyJ"}, re(edge + `eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8}`), nil, false, nil},
		{"stripe-key", []string{"k_live_", "k_test_", "whsec_"}, re(edge + `(?:[rsp]k_(?:live|test)_[A-Za-z0-9]{16}|whsec_[A-Za-z0-9+/]{24})`), nil, false, nil},
		{"npm-token", []string{"npm_"}, re(edge + `npm_[A-Za-z0-9]{36}`), nil, false, nil},
		{"docker-token", []string{"dckr_pat_"}, re(`dckr_pat_[A-Za-z0-9_-]{20}`), nil, false, nil},
		{"vault-token", []string{"hvs.", "hvb.", "hvr."}, re(edge + `hv[sbr]\.[A-Za-z0-9_-]{20}`), nil, false, nil},
		{"password-hash", []string{"SCRAM-SHA-256$", "$2a$", "$2b$", "$2y$"}, re(`SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/=]{8}|\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}`), nil, false, nil},
		{"rcactl-key", []string{keyPrefix}, re(keyPrefix + `[a-z2-7]{40}`), nil, false, nil},
		{name: "url-password", words: []string{"://"}, look: urlPassword},
		{"aws-secret-access-key", []string{"secret"}, re(`(?i)secret[_.-]?(?:access[_.-]?)?key\\*["']?\s*[=:]\s*\\*["']?[A-Za-z0-9/+]{40}`), nil, true, nil},
		{"azure-key", []string{"accountkey=", "sharedaccesskey="}, re(`(?i)(?:account|sharedaccess)key=[A-Za-z0-9+/]{40}`), nil, true, nil},
		{"authorization-header", []string{"authorization"}, re(`(?i)authorization\\*["']?\s*[=:]\s*\\*["']?(?:basic|bearer|token|apikey)\s+([A-Za-z0-9+/=._~-]{8})`), func(g []string) bool { return !masked(g[1]) }, true, nil},
		{"bearer-token", []string{"bearer "}, re(`(?i)\bbearer\s+[A-Za-z0-9._~+/-]{20}`), nil, true, nil},
		{
			"assigned-credential",
			[]string{"password", "passwd", "pwd", "secret", "token", "api_key", "apikey", "api-key"},
			re(`(?i)([./-]?)(password|passwd|pwd|secret|token|api[_-]?key)(\\*["'])?(\s{0,8})([=:])(\s{0,8})(\\*["'])?([^\s"'\\,;&<>]{6,256})`),
			assigned, true, nil,
		},
	})
}

func index(list []detector) detectors {
	d := detectors{list: list, pairs: new([1 << 16]uint8), buckets: make([][]wake, 1)}
	for i, one := range list {
		for _, word := range one.words {
			starts := []string{word[:2]}
			if one.fold {
				up := strings.ToUpper(word[:2])
				starts = []string{word[:2], up, up[:1] + word[1:2], word[:1] + up[1:]}
				slices.Sort(starts)
				starts = slices.Compact(starts)
			}
			for _, start := range starts {
				b := &d.pairs[pair(start[0], start[1])]
				if *b == 0 {
					*b = uint8(len(d.buckets)) //nolint:gosec // there are fewer than a hundred
					d.buckets = append(d.buckets, nil)
				}
				d.buckets[*b] = append(d.buckets[*b], wake{word, one.fold, i})
			}
		}
	}
	return d
}

func pair(a, b byte) uint16 { return uint16(a)<<8 | uint16(b) }

// find names the first detector that a text sets off; empty when none does.
func (d detectors) find(s string) string {
	found := ""
	d.each(s, func(name string) bool {
		found = name
		return false
	})
	return found
}

// each tells of every detector that a text sets off, in the order of the list,
// until yes says stop.
func (d detectors) each(s string, yes func(name string) (more bool)) {
	awake := d.awake(s)
	for i := 0; awake != 0; i, awake = i+1, awake>>1 {
		if awake&1 == 1 && d.list[i].in(s) && !yes(d.list[i].name) {
			return
		}
	}
}

// awake says in one pass which detectors have a word in s, one a bit.
func (d detectors) awake(s string) (set uint64) {
	if len(s) < shortest {
		return 0
	}
	for i := 0; i+1 < len(s); i++ {
		b := d.pairs[pair(s[i], s[i+1])]
		if b == 0 {
			continue
		}
		for _, w := range d.buckets[b] {
			if len(s)-i < len(w.word) {
				continue
			}
			if here := s[i : i+len(w.word)]; here == w.word || w.fold && strings.EqualFold(here, w.word) {
				set |= 1 << w.detector
			}
		}
	}
	return set
}

func (d *detector) in(s string) bool {
	switch {
	case d.look != nil:
		return d.look(s)
	case d.real == nil:
		return d.re.MatchString(s)
	}
	for _, groups := range d.re.FindAllStringSubmatch(s, -1) {
		if d.real(groups) {
			return true
		}
	}
	return false
}

// urlPassword reports whether a URL in s names a password: scheme://user:password@.
func urlPassword(s string) bool {
	for {
		i := strings.Index(s, "://")
		if i < 0 {
			return false
		}
		before, rest := s[:i], s[i+3:]
		s = rest
		if !endsInScheme(before) {
			continue
		}
		end := strings.IndexAny(rest, "@/\"'<>\\ \t\n\f\r")
		if end < 0 || rest[end] != '@' {
			continue
		}
		user, password, ok := strings.Cut(rest[:end], ":")
		if ok && len(user) <= 256 && password != "" && len(password) <= 512 && !masked(password) {
			return true
		}
	}
}

// endsInScheme reports whether s ends in the scheme of a URL: a letter, and then
// letters, digits and + . -
func endsInScheme(s string) bool {
	for i := len(s) - 1; i >= 0; i-- {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' {
			return true
		}
		if (c < '0' || c > '9') && c != '+' && c != '.' && c != '-' {
			return false
		}
	}
	return false
}

// assigned tells a password that is given from a sentence about one and from an
// image that is called so.
func assigned(g []string) bool {
	before, word, keyQuote, sign, space, quote, value := g[1], strings.ToLower(g[2]), g[3], g[5], g[6], g[7], g[8]
	if masked(value) {
		return false
	}
	switch {
	case sign == "=":
		return true
	case keyQuote != "" && quote != "":
		return true
	case space != "" || quote != "" || keyQuote != "":
		// "container token: crash loop" is ours; "token: a8f3c1" is not.
		return mixed(value)
	}
	// token:v1.2.3 and acme/reset-password:v1.2.3 are images.
	return before == "" && strings.HasPrefix(word, "pass") && mixed(value) && !version(value)
}

// masked reports whether somebody already took the value out, or a reference
// stands in its place.
func masked(value string) bool {
	v := strings.ToLower(value)
	for _, prefix := range []string{"]", "}", "[", "{", "<", "$", "%", "*", "env:", "file:", "redacted", "xxx", "null", "none", "true", "false", "...", "…"} {
		if strings.HasPrefix(v, prefix) {
			return true
		}
	}
	return false
}

func mixed(value string) bool {
	var letter, digit bool
	for _, r := range value {
		letter = letter || unicode.IsLetter(r)
		digit = digit || unicode.IsDigit(r)
	}
	return letter && digit
}

// version reports whether a value reads like the tag of an image.
func version(value string) bool {
	v := strings.TrimPrefix(value, "v")
	return v != "" && v[0] >= '0' && v[0] <= '9' && strings.Contains(v, ".")
}
