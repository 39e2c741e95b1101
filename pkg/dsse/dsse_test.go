package dsse

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
)

// The example of the DSSE specification.
func TestPAE(t *testing.T) {
	got := string(PAE("http://example.com/HelloWorld", []byte("hello world")))
	if want := "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := string(PAE("é", nil)); got != "DSSEv1 2 é 0 " {
		t.Errorf("lengths must be in bytes: %q", got)
	}
}

func newKey(t *testing.T, alg Algorithm) crypto.Signer {
	t.Helper()
	key, err := GenerateKey(alg, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSignAndVerify(t *testing.T) {
	for _, alg := range []Algorithm{P256, Ed25519} {
		t.Run(string(alg), func(t *testing.T) {
			key, other := newKey(t, alg), newKey(t, alg)
			signer, err := NewSigner(key, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			e, err := Sign(t.Context(), signer, PayloadType, []byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if i, err := e.Verify(other.Public(), key.Public()); err != nil || i != 1 {
				t.Errorf("got key %d, %v", i, err)
			}
			if _, err := e.Verify(other.Public()); !errors.Is(err, ErrSignature) {
				t.Errorf("another key: %v", err)
			}
			if _, err := e.Verify(); !errors.Is(err, ErrSignature) {
				t.Errorf("no key: %v", err)
			}
			e.PayloadType = "text/plain"
			if _, err := e.Verify(key.Public()); !errors.Is(err, ErrSignature) {
				t.Errorf("another payload type: %v", err)
			}
		})
	}
}

func TestEd25519KeyComesFromTheReader(t *testing.T) {
	a, err := GenerateKey(Ed25519, strings.NewReader(strings.Repeat("s", 32)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := GenerateKey(Ed25519, strings.NewReader(strings.Repeat("s", 32)))
	if err != nil {
		t.Fatal(err)
	}
	if !a.(ed25519.PrivateKey).Equal(b) {
		t.Error("not the reader's bytes")
	}
	if _, err := GenerateKey(Ed25519, strings.NewReader("short")); err == nil {
		t.Error("made a key of too little randomness")
	}
	if _, err := GenerateKey("p384", rand.Reader); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("got %v", err)
	}
}

type wrongSigner struct{ Signer }

func (w wrongSigner) Sign(context.Context, []byte) ([]byte, error) { return []byte("r||s"), nil }

func TestSignChecksTheSignersAnswer(t *testing.T) {
	signer, err := NewSigner(newKey(t, P256), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(t.Context(), wrongSigner{signer}, PayloadType, []byte("{}")); !errors.Is(err, ErrSignature) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Sign(ctx, signer, PayloadType, []byte("{}")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := Sign(t.Context(), signer, PayloadType, make([]byte, MaxPayload+1)); err == nil {
		t.Error("signed a payload that nobody would read back")
	}
}

func TestEncodedBundleHasNoWhiteSpace(t *testing.T) {
	signer, err := NewSigner(newKey(t, P256), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Sign(t.Context(), signer, PayloadType, []byte("{\n  \"a\": 1\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := EncodeBundle(Bundle{Hint: "aGludA==", Envelope: e})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsAny(text, " \t\r\n") || bytes.Contains(text, []byte("keyid")) || bytes.Contains(text, []byte(`\u`)) {
		t.Errorf("%s", text)
	}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return must(t, der, err)
}

func TestReadsPrivateKeys(t *testing.T) {
	ec, ed := newKey(t, P256), newKey(t, Ed25519)
	sec1, err := x509.MarshalECPrivateKey(ec.(*ecdsa.PrivateKey))
	sec1 = must(t, sec1, err)
	seal := func(key any, password string) []byte {
		// Legacy scrypt parameters: the quickest that cosign reads too.
		box, err := encrypted.EncryptWithCustomKDFParameters(pkcs8(t, key), []byte(password), encrypted.Legacy)
		return must(t, box, err)
	}
	tests := []struct {
		name     string
		key      crypto.Signer
		pem      []byte
		password string
	}{
		{"pkcs8 p256", ec, pemOf("PRIVATE KEY", pkcs8(t, ec)), ""},
		{"pkcs8 ed25519", ed, pemOf("PRIVATE KEY", pkcs8(t, ed)), ""},
		{"sec1", ec, pemOf("EC PRIVATE KEY", sec1), ""},
		{"sec1 after its curve", ec, append(pemOf("EC PARAMETERS", []byte{6, 0}), pemOf("EC PRIVATE KEY", sec1)...), ""},
		{"cosign", ec, pemOf("ENCRYPTED SIGSTORE PRIVATE KEY", seal(ec, "pw")), "pw"},
		{"cosign ed25519", ed, pemOf("ENCRYPTED SIGSTORE PRIVATE KEY", seal(ed, "pw")), "pw"},
		{"cosign, empty password", ec, pemOf("ENCRYPTED SIGSTORE PRIVATE KEY", seal(ec, "")), ""},
		{"old cosign", ec, pemOf("ENCRYPTED COSIGN PRIVATE KEY", seal(ec, "pw")), "pw"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParsePrivate(test.pem, []byte(test.password))
			if err != nil {
				t.Fatal(err)
			}
			if !got.(interface{ Equal(crypto.PrivateKey) bool }).Equal(test.key) {
				t.Error("another key came back")
			}
		})
	}
	t.Run("what we write", func(t *testing.T) {
		for _, key := range []crypto.Signer{ec, ed} {
			private, err := MarshalPrivate(key)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParsePrivate(private, nil); err != nil {
				t.Error(err)
			}
			public, err := MarshalPublic(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParsePublic(public); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestRefusesPrivateKeysAndKeepsThemSecret(t *testing.T) {
	ec := newKey(t, P256)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p384 = must(t, p384, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	rsaKey = must(t, rsaKey, err)
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	x25519 = must(t, x25519, err)
	box, err := encrypted.EncryptWithCustomKDFParameters(pkcs8(t, ec), []byte("hunter2"), encrypted.Legacy)
	box = must(t, box, err)
	secret := "c2VjcmV0IGtleSBieXRlcw"
	tests := []struct {
		name, password string
		pem            []byte
		want           error
		says           string
	}{
		{"p384", "", pemOf("PRIVATE KEY", pkcs8(t, p384)), ErrUnsupportedKey, "use P-256"},
		{"rsa", "", pemOf("PRIVATE KEY", pkcs8(t, rsaKey)), ErrUnsupportedKey, "RSA"},
		{"rsa pkcs1", "", pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), ErrUnsupportedKey, "RSA"},
		{"x25519", "", pemOf("PRIVATE KEY", pkcs8(t, x25519)), ErrUnsupportedKey, "cannot sign"},
		{"pbes2", "", pemOf("ENCRYPTED PRIVATE KEY", []byte(secret)), ErrUnsupportedKey, "openssl pkey"},
		{"openssh", "", pemOf("OPENSSH PRIVATE KEY", []byte(secret)), ErrUnsupportedKey, "ssh-keygen -p"},
		{"openssl sec1 encryption", "", []byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n" + secret + "==\n-----END EC PRIVATE KEY-----\n"), ErrUnsupportedKey, "openssl pkey"},
		{"wrong password", "hunter3", pemOf("ENCRYPTED SIGSTORE PRIVATE KEY", box), ErrPassword, ""},
		{"no password", "", pemOf("ENCRYPTED SIGSTORE PRIVATE KEY", box), ErrPassword, "none was given"},
		{"garbage in pem", "", pemOf("PRIVATE KEY", []byte(secret)), ErrMalformed, "PKCS#8"},
		{"garbage in sec1", "", pemOf("EC PRIVATE KEY", []byte(secret)), ErrMalformed, "SEC1"},
		{"no pem", "", []byte(secret), ErrMalformed, "PEM"},
		{"two keys", "", append(pemOf("PRIVATE KEY", pkcs8(t, ec)), pemOf("PRIVATE KEY", pkcs8(t, ec))...), ErrMalformed, "one key a file"},
		{"public", "", pemOf("PUBLIC KEY", []byte(secret)), ErrUnsupportedKey, "public key"},
		{"unknown type", "", pemOf("AGE KEY", []byte(secret)), ErrUnsupportedKey, "AGE KEY"},
		{"huge", "", make([]byte, MaxKeyFile+1), ErrMalformed, "limit"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParsePrivate(test.pem, []byte(test.password))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want %v with %q", err, test.want, test.says)
			}
			for _, leak := range []string{secret, "secret key bytes", "hunter"} {
				if strings.Contains(err.Error(), leak) {
					t.Errorf("the error shows what it must not: %v", err)
				}
			}
		})
	}
	if _, err := NewSigner(p384, rand.Reader); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("NewSigner: %v", err)
	}
	if _, err := NewSigner(nil, rand.Reader); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("NewSigner(nil): %v", err)
	}
	if _, err := MarshalPrivate(rsaKey); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("MarshalPrivate: %v", err)
	}
}

func TestRefusesPublicKeys(t *testing.T) {
	ec := newKey(t, P256)
	private, err := MarshalPrivate(ec)
	private = must(t, private, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	rsaKey = must(t, rsaKey, err)
	rsaSPKI, err := x509.MarshalPKIXPublicKey(rsaKey.Public())
	rsaSPKI = must(t, rsaSPKI, err)
	tests := []struct {
		name string
		pem  []byte
		want error
		says string
	}{
		{"private", private, ErrUnsupportedKey, "-pubout"},
		{"certificate", pemOf("CERTIFICATE", []byte{1}), ErrUnsupportedKey, "x509"},
		{"rsa", pemOf("PUBLIC KEY", rsaSPKI), ErrUnsupportedKey, "RSA"},
		{"garbage", pemOf("PUBLIC KEY", []byte{1}), ErrMalformed, "SPKI"},
		{"empty", nil, ErrMalformed, "PEM"},
		{"other", pemOf("X", []byte{1}), ErrUnsupportedKey, "expected PUBLIC KEY"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := ParsePublic(test.pem); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.says)
			}
		})
	}
}

// The three spellings of one digest, against a key whose digest openssl
// computed: openssl pkey -pubin -outform der | sha256sum.
func TestFingerprint(t *testing.T) {
	key, err := ParsePublic([]byte(`-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
-----END PUBLIC KEY-----
`))
	if err != nil {
		t.Fatal(err)
	}
	fingerprint, err := Fingerprint(key)
	fingerprint = must(t, fingerprint, err)
	hint, err := Hint(key)
	hint = must(t, hint, err)
	hexDigest, err := KeyDigest(key)
	hexDigest = must(t, hexDigest, err)
	want := "9408457aefd071cec127c1f98539930861ad1ba94c940db975c972c09fc68b68"
	if hexDigest != want || fingerprint != "SHA256:lAhFeu/Qcc7BJ8H5hTmTCGGtG6lMlA25dclywJ/Gi2g" || hint != "lAhFeu/Qcc7BJ8H5hTmTCGGtG6lMlA25dclywJ/Gi2g=" {
		t.Errorf("got %s %s %s", hexDigest, fingerprint, hint)
	}
	if _, err := Fingerprint("not a key"); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("got %v", err)
	}
}
