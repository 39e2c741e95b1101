package config

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/rcactl/rcactl/pkg/redact"
)

// credentials tells which of the keys are better not printed, since they may be
// credentials. It errs on the side of silence: line and column lead to the key
// all the same. All are looked at in one go, because the detectors take time to
// make ready.
func credentials(keys map[string]bool) map[string]bool {
	hidden := map[string]bool{}
	var lines []string
	for key := range keys {
		if suspicious(key) {
			hidden[key] = true
			continue
		}
		lines = append(lines, key)
	}
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(strings.ReplaceAll(line, "\n", " ") + "\n")
	}
	found, err := redact.Scan(strings.NewReader(text.String()))
	if err != nil || len(found) >= redact.MaxFindings {
		return keys // not all were looked at
	}
	for _, f := range found {
		hidden[lines[f.Line-1]] = true
	}
	return hidden
}

// suspicious reports whether a key is too long, or has too random a part, to mean
// anything.
func suspicious(key string) bool {
	const longest = 64 // no part of a key that means something is longer
	for part := range strings.SplitSeq(key, "/") {
		if len(part) > longest {
			return true
		}
	}
	return slices.ContainsFunc(strings.FieldsFunc(key, func(r rune) bool { return strings.ContainsRune("/_.- ", r) }), looksRandom)
}

// looksRandom tells a generated text from a word: letters and digits through
// each other, or hardly a letter twice.
func looksRandom(word string) bool {
	const (
		mixed    = 16 // with digits in it
		spread   = 20 // without
		bits     = 4.0
		enoughOf = 3
	)
	letters, digits, others := 0, 0, 0
	seen := map[rune]int{}
	for _, r := range word {
		seen[r]++
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		default:
			others++
		}
	}
	n := letters + digits + others
	if n >= mixed && digits >= enoughOf && letters+others >= enoughOf {
		return true
	}
	entropy := 0.0
	for _, count := range seen {
		p := float64(count) / float64(n)
		entropy -= p * math.Log2(p)
	}
	return n >= spread && entropy >= bits
}
