package redact

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// TestURLPasswordIsThePattern holds the hand-written search to the pattern that
// says what it looks for.
func TestURLPasswordIsThePattern(t *testing.T) {
	pattern := regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>\\]{0,256}:([^\s/@"'<>\\]{1,512})@`)
	matches := func(s string) bool {
		for _, groups := range pattern.FindAllStringSubmatch(s, -1) {
			if !masked(groups[1]) {
				return true
			}
		}
		return false
	}
	pieces := []string{"a", "Z9", "://", ":", "@", "/", " ", "\"", "\\", "pass", "$X", "[secret]", "+", "-", ".", "1", "é", "\n"}
	random := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 50_000 {
		var b strings.Builder
		for _, then := range []string{"://", ":", "@", ""} {
			for range random.IntN(4) {
				b.WriteString(pieces[random.IntN(len(pieces))])
			}
			b.WriteString(then)
		}
		s := b.String()
		want := matches(s)
		if want {
			found++
		}
		if got := urlPassword(s); got != want {
			t.Fatalf("%q: %v, want %v", s, got, want)
		}
	}
	if found < 100 {
		t.Errorf("only %d cases had a password", found)
	}
}
