package redact

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText bounds, in bytes, what scrubbing leaves of a text.
const MaxText = 200

const (
	// scrubVersion changes when the same text would be scrubbed to another one.
	scrubVersion = "1"
	// maxScrub bounds what is looked at; the rest is cut off before.
	maxScrub = 4096
	// scrubRounds bounds how often a text is gone through: taking one thing out can
	// bring the next to light.
	scrubRounds = 4
)

// What stands in place of what was taken out. None of them is found by anything
// that looks for secrets or persons.
const (
	scrubSecret  = "[secret]"
	scrubPerson  = "[person]"
	scrubEmail   = "[e-mail]"
	scrubAddress = "[address]"
	scrubBranch  = "[branch]"
	scrubPath    = "[path]"
	scrubNumber  = "[number]"
	scrubID      = "[id]"
)

var (
	// trailer is a line, or the end of one, that names a person: Signed-off-by:,
	// Co-authored-by:, Cc:.
	trailer = regexp.MustCompile(`(?im)(?:\b[a-z]+(?:-[a-z]+)*-by|^\s*(?:cc|author|committer|from|to|thanks(?:-to)?))\s*:.*$`)
	// mailbox is a name with an address: Planted Person <planted@example.test>.
	mailbox = regexp.MustCompile(`(?:"[^"\n]{1,100}"|(?:[\p{L}\p{N}_.'-]+[ \t]+){1,4})[ \t]*<[^<>\s]*(?:@|\[e-mail\])[^<>\s]*>`)
	// merged is what GitHub writes of a merge: the branch is a person's at times.
	mergedFrom   = regexp.MustCompile(`(?i)\b(from|into)\s+[\p{L}\p{N}._-]+[:/]\S+`)
	mergedBranch = regexp.MustCompile(`(?i)\b((?:branch(?:es)?|tag|commit)\s+)['"][^'"\n]*['"]`)
	anyURL       = regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]{0,20}://)([^\s/?#]*)(\S*)`)
	hostForm     = regexp.MustCompile(`^[\p{L}\p{N}.-]+(?::[0-9]{1,5})?$`)
	scpURL       = regexp.MustCompile(`(?i)\b(?:[a-z0-9._-]+@)?[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}:[\p{L}\p{N}~._-]+/\S*`)
	anyEmail     = regexp.MustCompile(`[\p{L}\p{N}._%+~'-]+@([\p{L}\p{N}][\p{L}\p{N}.-]*)`)
	versionAt    = regexp.MustCompile(`^v?[0-9]+(?:\.[0-9]+){0,2}$`)
	mention      = regexp.MustCompile(`@[\p{L}\p{N}][\p{L}\p{N}_.-]*(?:/[\p{L}\p{N}_.-]+)*`)
	ipv4         = regexp.MustCompile(`\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b`)
	ipv6         = regexp.MustCompile(`[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.[0-9]{1,3}){0,3}`)
	phone        = regexp.MustCompile(`\+[0-9][0-9 ()./-]{6,}[0-9]`)
	longNumber   = regexp.MustCompile(`\b[0-9](?:[ -]?[0-9]){11,18}\b`)
	assignment   = regexp.MustCompile(`(?i)\b([a-z0-9_.-]*(?:password|passwd|pwd|secret|token|api[_-]?key|credential)[a-z0-9_.-]*\s{0,3}=\s{0,3})\S+`)
	longHex      = regexp.MustCompile(`[0-9A-Fa-f]{16,}`)
	longRun      = regexp.MustCompile(`[A-Za-z0-9+/_-]{20,}={0,2}`)
	spaces       = regexp.MustCompile(`\s+`)
)

// Scrub gives what may be kept of a text, and nothing unless the policy says so
// (Text: scrub): one line of at most [MaxText] bytes without what looks like a
// secret, an e-mail, IP or web address, a telephone number, a login or a long
// identifier. It knows forms: the name of a person in a sentence stays. What was
// scrubbed stays as it is when it is scrubbed again.
func (r *Redactor) Scrub(text string) string {
	if r.policy.Text != Scrub {
		return ""
	}
	return r.scrub(text)
}

// scrub takes things out until nothing more is found, and keeps nothing when that
// does not end.
func (r *Redactor) scrub(s string) string {
	if len(s) > maxScrub {
		// Half of a word does not look like what it is half of.
		s = s[:strings.LastIndexAny(s[:maxScrub], " \n")+1]
	}
	s = legible(s)
	for range scrubRounds {
		before := s
		s, _, _ = clean(r.scrubOnce(s), MaxText)
		if s = strings.TrimSpace(s); s == before && r.detectors.find(s) == "" {
			return s
		}
	}
	return ""
}

func (r *Redactor) scrubOnce(s string) string {
	s = trailer.ReplaceAllString(s, "")
	s = anyURL.ReplaceAllStringFunc(s, scrubURL)
	s = scpURL.ReplaceAllString(s, scrubPath)
	s = anyEmail.ReplaceAllStringFunc(s, func(m string) string { return unlessVersion(m, scrubEmail) })
	s = mailbox.ReplaceAllString(s, scrubPerson)
	s = r.detectors.takeOut(s)
	s = assignment.ReplaceAllStringFunc(s, func(m string) string {
		g := assignment.FindStringSubmatch(m)
		if strings.HasPrefix(m[len(g[1]):], scrubSecret) {
			return m
		}
		return g[1] + scrubSecret
	})
	s = mergedFrom.ReplaceAllString(s, "$1 "+scrubBranch)
	s = mergedBranch.ReplaceAllString(s, "$1"+scrubBranch)
	s = mention.ReplaceAllStringFunc(s, func(m string) string { return unlessVersion(m, scrubPerson) })
	s = ipv4.ReplaceAllString(s, scrubAddress)
	s = replaceIPv6(s)
	s = phone.ReplaceAllString(s, scrubNumber)
	s = longNumber.ReplaceAllString(s, scrubNumber)
	s = longHex.ReplaceAllString(s, scrubID)
	s = longRun.ReplaceAllStringFunc(s, scrubRun)
	return spaces.ReplaceAllString(s, " ")
}

// legible makes other spellings of the same characters equal, and takes out those
// that nobody sees and that could stand within an address.
func legible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return ' '
		case r >= '\uFF01' && r <= '\uFF5E': // full-width forms
			return r - '\uFF01' + '!'
		case r == '\u3000' || r == '\u00a0':
			return ' '
		case r == '\n':
			return r
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
			return -1
		}
		return r
	}, s)
}

// scrubURL keeps scheme and host, and the scheme alone of what names a user.
func scrubURL(s string) string {
	g := anyURL.FindStringSubmatch(s)
	scheme, host, path := g[1], g[2], g[3]
	switch {
	case strings.Contains(s, "@") || !hostForm.MatchString(host):
		return scheme + scrubAddress
	case path == "" || path == "/":
		return scheme + host
	}
	return scheme + host + "/" + scrubPath
}

// unlessVersion tells an address from the version of a package: lodash@4.17.21.
func unlessVersion(s, instead string) string {
	if _, after, _ := strings.Cut(s, "@"); versionAt.MatchString(after) {
		return s
	}
	return instead
}

// replaceIPv6 takes out what is an address; a time of day and a C++ name are none.
func replaceIPv6(s string) string {
	var b strings.Builder
	last := 0
	for _, m := range ipv6.FindAllStringIndex(s, -1) {
		if m[0] > 0 && wordByte(s[m[0]-1]) || m[1] < len(s) && wordByte(s[m[1]]) {
			continue
		}
		addr := strings.TrimRight(s[m[0]:m[1]], ".")
		if _, err := netip.ParseAddr(addr); err != nil || addr == "::" {
			continue
		}
		b.WriteString(s[last:m[0]])
		b.WriteString(scrubAddress)
		last = m[0] + len(addr)
	}
	return b.String() + s[last:]
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// scrubRun takes out a run that looks random: a key, a token, an id. A path or a
// name of words stays.
func scrubRun(s string) string {
	var lower, upper, digit bool
	for i := range len(s) {
		lower = lower || s[i] >= 'a' && s[i] <= 'z'
		upper = upper || s[i] >= 'A' && s[i] <= 'Z'
		digit = digit || s[i] >= '0' && s[i] <= '9'
	}
	if digit && (lower && upper || len(s) >= 32) {
		return scrubID
	}
	return s
}

// takeOut replaces what the detectors find, with all that hangs on to it up to the
// next space; of a private key, all that follows.
func (d detectors) takeOut(s string) string {
	awake := d.awake(s)
	for i := 0; awake != 0; i, awake = i+1, awake>>1 {
		if awake&1 == 1 {
			s = d.list[i].takeOut(s)
		}
	}
	return s
}

func (d *detector) takeOut(s string) string {
	if d.look != nil {
		if d.look(s) {
			return scrubSecret // it tells no place, and URLs are gone by now
		}
		return s
	}
	var b strings.Builder
	done := 0
	for _, m := range d.re.FindAllStringSubmatchIndex(s, -1) {
		if m[0] < done || d.real != nil && !d.real(groupsOf(s, m)) {
			continue
		}
		start := max(strings.LastIndexAny(s[:m[0]], " \n")+1, done)
		end := len(s)
		if i := strings.IndexAny(s[m[1]:], " \n"); i >= 0 && !strings.HasSuffix(d.name, "private-key") {
			end = m[1] + i
		}
		b.WriteString(s[done:start])
		b.WriteString(scrubSecret)
		done = end
	}
	return b.String() + s[done:]
}

func groupsOf(s string, m []int) []string {
	groups := make([]string, len(m)/2)
	for i := range groups {
		if m[2*i] >= 0 {
			groups[i] = s[m[2*i]:m[2*i+1]]
		}
	}
	return groups
}
