package correlate_test

import (
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/correlate"
)

func TestWhatARevisionNames(t *testing.T) {
	full := sha(2)
	long := strings.Repeat("9be01d7a", 8)
	for text, want := range map[string]string{
		full:                             "full " + full,
		long:                             "full " + long,
		strings.ToUpper(full):            "full " + full,
		" " + full + "\n":                "full " + full,
		"sha1:" + full:                   "full " + full,
		"main@sha1:" + full:              "full " + full,
		"refs/heads/main@sha1:" + full:   "full " + full,
		"main/" + full:                   "full " + full,
		full + "-dirty":                  "full " + full + " dirty",
		full + "+dirty":                  "full " + full + " dirty",
		full + ".DIRTY":                  "full " + full + " dirty",
		"9be01d7":                        "short 9be01d7",
		"9BE01D7-dirty":                  "short 9be01d7 dirty",
		"1234567":                        "short 1234567 doubtful",
		"v1.2.3-5-g9be01d7":              "short 9be01d7",
		"v1.2.3-5-g1234567-dirty":        "short 1234567 dirty",
		"refs/tags/v1.2.3":               "name v1.2.3",
		"v1.2.3":                         "name v1.2.3",
		"1.2.3-rc.1":                     "name 1.2.3-rc.1",
		"shop/v1.2":                      "name shop/v1.2",
		"":                               "none",
		"9be01d":                         "none", // too short to say anything
		full[:39] + "g":                  "none",
		full + "0":                       "none",
		strings.Repeat("0", 40):          "none",
		"sha256:" + long:                 "none", // a digest of content
		"latest@sha256:" + long:          "none",
		"refs/heads/main":                "none",
		"main":                           "none",
		"unknown":                        "none",
		"7":                              "none",
		"${VCS_REF}":                     "none",
		"9be01d7 (main)":                 "none",
		strings.Repeat("a", 257):         "none",
		"v1.2.3\u0000":                   "none",
		"1.2.3..4":                       "none",
		"dirty":                          "none",
		"-dirty":                         "none",
		"https://example.test/c/" + full: "full " + full,
	} {
		if got := correlate.ReadRevision(text); got != want {
			t.Errorf("%q names %q and not %q", text, got, want)
		}
	}
}

func TestWhatATagOrVersionNames(t *testing.T) {
	full := sha(2)
	long := strings.Repeat("9be01d7a", 8)
	for text, want := range map[string]string{
		full:                                 "full " + full,
		"main-" + full:                       "full " + full,
		"sha-" + full:                        "full " + full,
		full + "-amd64":                      "full " + full,
		"1.2.3." + full:                      "full " + full,
		long:                                 "full " + long + " doubtful", // as well a digest of content
		"main_9be01d7":                       "short 9be01d7",
		"1.2.3-9be01d7-20260301":             "short 9be01d7",
		"20260301-9be01d7":                   "short 9be01d7",
		"1.2.3+9be01d7.dirty":                "short 9be01d7 dirty",
		"v0.0.0-20260301120000-9be01d7a1b2c": "short 9be01d7a1b2c",
		"v1.2.3-5-g9be01d7":                  "short 9be01d7",
		"sha-1234567":                        "short 1234567 doubtful",
		"20260301":                           "short 20260301 doubtful", // a date, unless the repository has it
		"defaced":                            "short defaced doubtful",  // a word, unless the repository has it
		"feature-defaced":                    "none",
		"build-20260301":                     "none",
		"1.25.3-alpine":                      "name 1.25.3-alpine",
		"v1.4.0":                             "name v1.4.0",
		"release-1.4":                        "name release-1.4",
		"2026.03.1":                          "name 2026.03.1",
		"latest":                             "none",
		"stable":                             "none",
		"v5":                                 "none",
		"42":                                 "none",
		"":                                   "none",
	} {
		if got := correlate.ReadVersion(text); got != want {
			t.Errorf("%q names %q and not %q", text, got, want)
		}
	}
}

func FuzzRevision(f *testing.F) {
	for _, s := range []string{sha(2), "main@sha1:" + sha(2), "v1.2.3-5-g9be01d7-dirty", "1.25.3-alpine", "refs/tags/x", "-g", "@", "sha1:", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{correlate.ReadRevision(s), correlate.ReadVersion(s)} {
			if len(got) > 256+32 || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%q names %q", s, got)
			}
			kind, rest, _ := strings.Cut(got, " ")
			value, _, _ := strings.Cut(rest, " ")
			switch kind {
			case "full":
				if len(value) != 40 && len(value) != 64 {
					t.Errorf("%q is no full commit: %q", s, got)
				}
			case "short":
				if len(value) < 7 || len(value) > 39 {
					t.Errorf("%q is not the beginning of one: %q", s, got)
				}
			}
			if kind != "name" && strings.Trim(value, "0123456789abcdef") != "" {
				t.Errorf("%q is no commit: %q", s, got)
			}
		}
	})
}
