package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// defaultLimit bounds a string in bytes where the schema sets no bound.
const defaultLimit = 1024

// clean bounds a string and takes out what could lie to a reader: control
// characters, invalid UTF-8, and characters that reorder or break lines.
func clean(s string, limit int) (out string, cut, replaced bool) {
	if len(s) > limit {
		// Cut between characters; a broken one at the end goes with the rest.
		s, cut = s[:limit], true
		for i := 0; i < utf8.UTFMax && len(s) > 0; i++ {
			if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size > 1 {
				break
			}
			s = s[:len(s)-1]
		}
	}
	if plain(s) {
		return s, cut, false
	}
	var b strings.Builder
	for _, r := range s {
		if r == utf8.RuneError || forbidden(r) {
			replaced = true
			r = '\uFFFD'
		}
		// The replacement is longer than what it replaces.
		if b.Len()+utf8.RuneLen(r) > limit {
			cut = true
			break
		}
		b.WriteRune(r)
	}
	return b.String(), cut, replaced
}

// plain reports whether s is printable ASCII, as nearly all names are.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func forbidden(r rune) bool {
	switch {
	case unicode.IsControl(r):
		return true
	case r == '\u2028' || r == '\u2029', r == '\u200e' || r == '\u200f', r == '\ufeff':
		return true
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return false
}
