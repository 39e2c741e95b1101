package dsse

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const vectorDir = "../../testdata/dsse"

type vector struct {
	expect, key, payloadSHA256 string
	bundle                     []byte
}

func parseVector(text string) (v vector, err error) {
	head, body, ok := strings.Cut(text, "\n\n")
	if !ok {
		return v, errors.New("no empty line after the header")
	}
	v.bundle = []byte(strings.TrimSuffix(body, "\n"))
	for line := range strings.SplitSeq(head, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "comment":
		case "expect":
			v.expect = value
		case "key":
			v.key = value
		case "payload-sha256":
			v.payloadSHA256 = value
		default:
			return v, fmt.Errorf("unknown header %q", name)
		}
	}
	return v, nil
}

func TestVectors(t *testing.T) {
	files, err := filepath.Glob(vectorDir + "/*.txt")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d vectors found, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			v, err := parseVector(string(text))
			if err != nil {
				t.Fatal(err)
			}
			der, err := base64.StdEncoding.DecodeString(v.key)
			if err != nil {
				t.Fatal(err)
			}
			key, err := x509.ParsePKIXPublicKey(der)
			if err != nil {
				t.Fatal(err)
			}
			b, err := DecodeBundle(v.bundle)
			if err == nil {
				_, err = b.Envelope.Verify(key)
			}
			var want error
			switch v.expect {
			case "verified":
				sum := sha256.Sum256(b.Envelope.Payload)
				if hex.EncodeToString(sum[:]) != v.payloadSHA256 {
					t.Errorf("payload is %x, want %s", sum, v.payloadSHA256)
				}
			case "malformed":
				want = ErrMalformed
			case "signature":
				want = ErrSignature
			case "key":
				want = ErrUnsupportedKey
			default:
				t.Fatalf("unknown expectation %q", v.expect)
			}
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
}

func TestUnknownHeaderFails(t *testing.T) {
	if _, err := parseVector("expect: verified\nexpected: malformed\n\n{}"); err == nil {
		t.Error("an unknown header was taken")
	}
}

// Without the limit the reader's own stack would be the limit, and overflowing
// that ends the process.
func TestDepthIsLimited(t *testing.T) {
	for _, bad := range []string{strings.Repeat("[", 20), strings.Repeat(`{"dsseEnvelope":`, 20), strings.Repeat("[", 1<<20)} {
		if _, err := DecodeBundle([]byte(bad)); !errors.Is(err, ErrMalformed) || strings.Contains(err.Error(), "EOF") {
			t.Errorf("got %v", err)
		}
	}
}

// FuzzDecodeBundle: no input makes the reader panic, and what it takes can be
// written and read again with the same meaning.
func FuzzDecodeBundle(f *testing.F) {
	files, err := filepath.Glob(vectorDir + "/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		v, err := parseVector(string(text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(v.bundle)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := DecodeBundle(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		again, err := EncodeBundle(b)
		if err != nil {
			t.Fatal(err)
		}
		c, err := DecodeBundle(again)
		if err != nil {
			t.Fatalf("cannot read back %q: %v", again, err)
		}
		if string(c.Envelope.Payload) != string(b.Envelope.Payload) || string(c.Envelope.Signature) != string(b.Envelope.Signature) || c.Hint != b.Hint {
			t.Fatal("meaning changed")
		}
	})
}
