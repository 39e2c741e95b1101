package redact

import (
	"regexp"
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
}

type detectors struct {
	exact []detector
	// folded detectors have lower-case words and do not care for case.
	folded []detector
}

// shortest is the length below which nothing is a credential.
const shortest = 10

func newDetectors() detectors {
	re := regexp.MustCompile
	return detectors{
		exact: []detector{
			{"private-key", []string{"PRIVATE KEY"}, re(`-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----`), nil},
			{"age-secret-key", []string{"AGE-SECRET-KEY-1"}, re(`AGE-SECRET-KEY-1[A-Z0-9]{40}`), nil},
			{"aws-access-key-id", []string{"AKIA", "ASIA"}, re(`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`), nil},
			{"github-token", []string{"ghp_", "gho_", "ghs_", "ghu_", "ghr_"}, re(`gh[posur]_[A-Za-z0-9]{36}`), nil},
			{"github-token", []string{"github_pat_"}, re(`github_pat_[A-Za-z0-9_]{40}`), nil},
			{"gitlab-token", []string{"glpat-"}, re(`glpat-[A-Za-z0-9_-]{20}`), nil},
			{"slack-token", []string{"xox"}, re(`\bxox[abeoprs]-[A-Za-z0-9-]{10}`), nil},
			{"slack-webhook", []string{"hooks.slack.com/"}, re(`hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]+/[A-Za-z0-9]+/[A-Za-z0-9]{10}`), nil},
			{"google-api-key", []string{"AIza"}, re(`AIza[A-Za-z0-9_-]{35}`), nil},
			{"google-oauth-token", []string{"ya29."}, re(`\bya29\.[A-Za-z0-9_-]{20}`), nil},
			{"jwt", []string{"eyJ"}, re(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8}`), nil},
			{"stripe-key", []string{"k_live_", "k_test_", "whsec_"}, re(`\b(?:[rsp]k_(?:live|test)_[A-Za-z0-9]{16}|whsec_[A-Za-z0-9+/]{24})`), nil},
			{"npm-token", []string{"npm_"}, re(`\bnpm_[A-Za-z0-9]{36}`), nil},
			{"docker-token", []string{"dckr_pat_"}, re(`dckr_pat_[A-Za-z0-9_-]{20}`), nil},
			{"vault-token", []string{"hvs.", "hvb.", "hvr."}, re(`\bhv[sbr]\.[A-Za-z0-9_-]{20}`), nil},
			{"password-hash", []string{"SCRAM-SHA-256$", "$2a$", "$2b$", "$2y$"}, re(`SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/=]{8}|\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}`), nil},
			{"rcactl-key", []string{keyPrefix}, re(keyPrefix + `[a-z2-7]{40}`), nil},
			{"url-password", []string{"://"}, re(`[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>\\]{0,256}:([^\s/@"'<>\\]{1,512})@`), func(g []string) bool { return !masked(g[1]) }},
		},
		folded: []detector{
			{"aws-secret-access-key", []string{"secret"}, re(`(?i)secret[_.-]?(?:access[_.-]?)?key\\*["']?\s*[=:]\s*\\*["']?[A-Za-z0-9/+]{40}`), nil},
			{"azure-key", []string{"accountkey=", "sharedaccesskey="}, re(`(?i)(?:account|sharedaccess)key=[A-Za-z0-9+/]{40}`), nil},
			{"authorization-header", []string{"authorization"}, re(`(?i)authorization\\*["']?\s*[=:]\s*\\*["']?(?:basic|bearer|token|apikey)\s+([A-Za-z0-9+/=._~-]{8})`), func(g []string) bool { return !masked(g[1]) }},
			{"bearer-token", []string{"bearer "}, re(`(?i)\bbearer\s+[A-Za-z0-9._~+/-]{20}`), nil},
			{
				"assigned-credential",
				[]string{"password", "passwd", "pwd", "secret", "token", "api_key", "apikey", "api-key"},
				re(`(?i)([./-]?)(password|passwd|pwd|secret|token|api[_-]?key)(\\*["'])?(\s{0,8})([=:])(\s{0,8})(\\*["'])?([^\s"'\\,;&<>]{6,256})`),
				assigned,
			},
		},
	}
}

// find names the first detector that a text sets off; empty when none does.
func (d detectors) find(s string) string {
	found := ""
	d.each(s, func(name string) bool {
		found = name
		return false
	})
	return found
}

// each tells of every detector that a text sets off, until yes says stop.
func (d detectors) each(s string, yes func(name string) (more bool)) {
	if len(s) < shortest {
		return
	}
	for i := range d.exact {
		if d.exact[i].wakes(s) && d.exact[i].in(s) && !yes(d.exact[i].name) {
			return
		}
	}
	lower := strings.ToLower(s)
	for i := range d.folded {
		if d.folded[i].wakes(lower) && d.folded[i].in(s) && !yes(d.folded[i].name) {
			return
		}
	}
}

func (d *detector) wakes(s string) bool {
	for _, word := range d.words {
		if strings.Contains(s, word) {
			return true
		}
	}
	return false
}

func (d *detector) in(s string) bool {
	if d.real == nil {
		return d.re.MatchString(s)
	}
	for _, groups := range d.re.FindAllStringSubmatch(s, -1) {
		if d.real(groups) {
			return true
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
	for _, prefix := range []string{"[", "{", "<", "$", "%", "*", "env:", "file:", "redacted", "xxx", "null", "none", "true", "false", "...", "…"} {
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
