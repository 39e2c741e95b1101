package redact

import (
	"strings"
	"testing"
)

func TestFingerprintsAreOfOneKeyAndDomain(t *testing.T) {
	key := func(seed string) Key {
		k, err := NewKey([]byte(seed + "0123456789abcdefghijklmnopqrstuvwxyz"))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	digest := key("a").Fingerprints("settings")
	one := digest([]byte("ab"), []byte("c"))
	if one != key("a").Fingerprints("settings")([]byte("ab"), []byte("c")) || one != digest([]byte("ab"), []byte("c")) {
		t.Error("the same parts have two fingerprints")
	}
	for name, other := range map[string][32]byte{
		"another key":       key("b").Fingerprints("settings")([]byte("ab"), []byte("c")),
		"another domain":    key("a").Fingerprints("other")([]byte("ab"), []byte("c")),
		"parts cut anew":    digest([]byte("a"), []byte("bc")),
		"parts in one":      digest([]byte("abc")),
		"a pseudonym's own": [32]byte(mac(mac(key("a").derived, []byte("pseudonym v1 settings")), []byte("abc"))),
	} {
		if other == one {
			t.Errorf("%s: the same fingerprint", name)
		}
	}
	if strings.Contains(string(one[:]), "abc") {
		t.Error("the value shows")
	}
}
