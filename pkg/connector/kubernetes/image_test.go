package kubernetes

import (
	"regexp"
	"testing"
)

// FuzzImage holds isImage to the pattern that says the same.
func FuzzImage(f *testing.F) {
	pattern := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]+)?(/[A-Za-z0-9._-]+)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@[A-Za-z0-9_+.-]+:[0-9a-fA-F]{32,128})?$`)
	for _, s := range []string{
		"nginx", "nginx:1.27", "registry.example:5000/shop/web:v1.2_3", "a:5:tag", "localhost:5000/web", "shop/web@sha256:0123456789abcdef0123456789abcdef",
		"shop/web:v1@sha256:0123456789abcdef0123456789abcdef", "https://user:pw@host/web", "user:pw@host/web", "a//b", "a:", ":a", "/a", "a@", "a:-b", "a:b:c", ".a", "a/.b/-c", "a b", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 250 {
			return
		}
		if got, want := isImage(s), pattern.MatchString(s); got != want {
			t.Errorf("%q: %v, the pattern says %v", s, got, want)
		}
	})
}
