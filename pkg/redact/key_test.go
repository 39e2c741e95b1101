package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// testKey is used by nobody but tests.
func testKey(t testing.TB, material string) Key {
	t.Helper()
	k, err := NewKey([]byte(material))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const (
	keyOne = "a key of the tests, with 32 bytes or more"
	keyTwo = "another key of the tests, just as long ..."
)

func TestWeakKeysAreRefused(t *testing.T) {
	for name, material := range map[string][]byte{
		"empty":        nil,
		"short":        []byte("0123456789abcdefghijklmnopqrstu"),
		"only spaces":  bytes.Repeat([]byte(" "), 64),
		"zeros":        make([]byte, 64),
		"zero digits":  bytes.Repeat([]byte("0"), 64),
		"one byte":     bytes.Repeat([]byte{0xff}, 32),
		"a short word": bytes.Repeat([]byte("change me "), 8),
		"few letters":  []byte("abcabbacabcbbacbabcbabcbcbacbabcbcacb"),
		"a whole file": bytes.Repeat([]byte(keyOne), 200),
	} {
		if k, err := NewKey(material); !errors.Is(err, ErrWeakKey) || !k.IsZero() {
			t.Errorf("%s: %v", name, err)
		} else if len(material) > 0 && strings.Contains(err.Error(), string(material)) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
	if _, err := Compile(Policy{}, Key{}); !errors.Is(err, ErrWeakKey) {
		t.Errorf("compiled without a key: %v", err)
	}
}

func TestKeyNeverPrints(t *testing.T) {
	k := testKey(t, keyOne)
	asJSON, err := json.Marshal(map[string]any{"key": k, "at": &k})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", k)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k, "at", &k)
	all := fmt.Sprintf("%v %+v %#v %s %q %x %d %v", k, k, k, k, k, k, k, struct{ K Key }{k}) + string(asJSON) + log.String()
	for _, secret := range []string{"of the tests", fmt.Sprintf("%x", k.derived), fmt.Sprint(k.derived), string(k.derived)} {
		if strings.Contains(all, secret) {
			t.Errorf("printed: %s", all)
		}
	}
	if n := strings.Count(all, "[secret]"); n < 12 {
		t.Errorf("%d masks in %s", n, all)
	}
}

func TestKeyID(t *testing.T) {
	one, again, two := testKey(t, keyOne), testKey(t, " "+keyOne+"\n"), testKey(t, keyTwo)
	// Computed with openssl, as docs/redaction.md says.
	if one.ID() != again.ID() || one.ID() != "31a8b15580a51c5c" {
		t.Errorf("%s, %s", one.ID(), again.ID())
	}
	if one.ID() == two.ID() {
		t.Error("two keys have one id")
	}
	if (Key{}).ID() != "" {
		t.Error("no key has an id")
	}
}

func TestGenerateKey(t *testing.T) {
	material, err := GenerateKey(strings.NewReader("0123456789abcdef0123456789ABCDEF rest"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewKey(material); err != nil {
		t.Error(err)
	}
	if got := detectorsOf(t, "x "+string(material)); len(got) != 1 || got[0] != "rcactl-key" {
		t.Errorf("the leak check does not know our own key: %v", got)
	}
	if _, err := GenerateKey(strings.NewReader("too short")); err == nil {
		t.Error("made a key of too little randomness")
	}
}
