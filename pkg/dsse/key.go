package dsse

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
)

// MaxKeyFile bounds a key file: 64 KiB.
const MaxKeyFile = 64 << 10

// Algorithm is a kind of key.
type Algorithm string

// The two kinds of key on offer. P-256 is the default everywhere: it is
// cosign's own, every KMS has it and plain "openssl dgst" verifies it.
const (
	P256    Algorithm = "p256"
	Ed25519 Algorithm = "ed25519"
)

// GenerateKey makes a private key. The randomness of Ed25519 keys is read from
// random; the standard library takes that of P-256 keys from the system only.
func GenerateKey(alg Algorithm, random io.Reader) (crypto.Signer, error) {
	switch alg {
	case P256:
		key, err := ecdsa.GenerateKey(elliptic.P256(), random)
		if err != nil {
			return nil, fmt.Errorf("make a P-256 key: %w", err)
		}
		return key, nil
	case Ed25519:
		seed := make([]byte, ed25519.SeedSize)
		if _, err := io.ReadFull(random, seed); err != nil {
			return nil, fmt.Errorf("make an Ed25519 key: %w", err)
		}
		return ed25519.NewKeyFromSeed(seed), nil
	}
	return nil, fmt.Errorf("%w: algorithm %.40q; choose %s or %s", ErrUnsupportedKey, alg, P256, Ed25519)
}

// NewSigner signs with a key held in memory, as [ParsePrivate] and
// [GenerateKey] return it. P-256 signatures take randomness from random.
func NewSigner(key crypto.Signer, random io.Reader) (Signer, error) {
	if key == nil {
		return nil, fmt.Errorf("%w: no key given", ErrUnsupportedKey)
	}
	if err := checkPublic(key.Public()); err != nil {
		return nil, err
	}
	return &keySigner{key: key, random: random}, nil
}

type keySigner struct {
	key    crypto.Signer
	random io.Reader
}

func (s *keySigner) Public() crypto.PublicKey { return s.key.Public() }

func (s *keySigner) Sign(ctx context.Context, pae []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, ok := s.key.Public().(ed25519.PublicKey); ok {
		return s.key.Sign(s.random, pae, crypto.Hash(0))
	}
	sum := sha256.Sum256(pae)
	return s.key.Sign(s.random, sum[:], crypto.SHA256)
}

// ParsePrivate reads a private key from PEM: PKCS#8 ("PRIVATE KEY"), SEC1
// ("EC PRIVATE KEY") or cosign's own encrypted format, for which alone the
// password is used (it may be empty). The result is an *ecdsa.PrivateKey on
// P-256 or an ed25519.PrivateKey.
//
// Errors wrap [ErrMalformed], [ErrUnsupportedKey] or [ErrPassword]. They say
// how to convert other formats, and never what was in the file.
func ParsePrivate(pemText, password []byte) (crypto.Signer, error) {
	block, err := onlyBlock(pemText)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	der := block.Bytes
	switch block.Type {
	case "PRIVATE KEY":
	case "EC PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return nil, fmt.Errorf("%w: a private key encrypted by openssl; convert it with %s", ErrUnsupportedKey, convertOpenSSL)
		}
		// The error of crypto/x509 is dropped here and below: it describes the
		// bytes that it could not read.
		key, err := x509.ParseECPrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("%w private key: not the SEC1 that its PEM header promises, or an unknown curve", ErrMalformed)
		}
		return offered(key)
	case "ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY":
		if der, err = encrypted.Decrypt(block.Bytes, password); err != nil {
			if len(password) == 0 {
				return nil, fmt.Errorf("%w: this cosign key has a password and none was given", ErrPassword)
			}
			return nil, fmt.Errorf("%w (or the file is damaged)", ErrPassword)
		}
	case "ENCRYPTED PRIVATE KEY":
		return nil, fmt.Errorf("%w: a PKCS#8 private key encrypted by openssl (PBES2); convert it with %s",
			ErrUnsupportedKey, convertOpenSSL)
	case "OPENSSH PRIVATE KEY":
		return nil, fmt.Errorf("%w: an OpenSSH private key; make a key of its own for signing, "+
			"or convert a copy of a P-256 key with: ssh-keygen -p -N '' -m PKCS8 -f COPY (ssh-keygen cannot convert Ed25519)", ErrUnsupportedKey)
	case "RSA PRIVATE KEY":
		return nil, refuseRSA()
	case "PUBLIC KEY":
		return nil, fmt.Errorf("%w: this is a public key; signing needs the private one", ErrUnsupportedKey)
	default:
		return nil, fmt.Errorf("%w: PEM type %.60q; expected PRIVATE KEY, EC PRIVATE KEY or ENCRYPTED SIGSTORE PRIVATE KEY",
			ErrUnsupportedKey, block.Type)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w private key: not PKCS#8, or an unknown algorithm", ErrMalformed)
	}
	return offered(key)
}

const convertOpenSSL = "openssl pkey -in KEY -out PLAIN (keep PLAIN mode 0600), " +
	"or give it cosign's own encryption with cosign import-key-pair --key PLAIN"

// offered narrows what a parser may return to the two kinds on offer.
func offered(key any) (crypto.Signer, error) {
	if _, ok := key.(*ecdh.PrivateKey); ok {
		return nil, fmt.Errorf("%w: X25519 keys (age, WireGuard) encrypt and cannot sign", ErrUnsupportedKey)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: %T", ErrUnsupportedKey, key)
	}
	if err := checkPublic(signer.Public()); err != nil {
		return nil, err
	}
	return signer, nil
}

// ParsePublic reads one SPKI public key ("PUBLIC KEY" PEM), as
// [MarshalPublic], cosign and "openssl pkey -pubout" write it. The result is
// an *ecdsa.PublicKey on P-256 or an ed25519.PublicKey. Errors wrap
// [ErrMalformed] or [ErrUnsupportedKey].
func ParsePublic(pemText []byte) (crypto.PublicKey, error) {
	block, err := onlyBlock(pemText)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	switch block.Type {
	case "PUBLIC KEY":
	case "CERTIFICATE":
		return nil, fmt.Errorf("%w: this is a certificate; take its key with: openssl x509 -in CERT -pubkey -noout", ErrUnsupportedKey)
	case "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY",
		"ENCRYPTED PRIVATE KEY", "ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY":
		return nil, fmt.Errorf("%w: this is a private key; verifying needs only the public one (openssl pkey -in KEY -pubout, or cosign.pub)", ErrUnsupportedKey)
	default:
		return nil, fmt.Errorf("%w: PEM type %.60q; expected PUBLIC KEY", ErrUnsupportedKey, block.Type)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w public key: not SPKI, or an unknown algorithm", ErrMalformed)
	}
	if err := checkPublic(key); err != nil {
		return nil, err
	}
	return key, nil
}

// MarshalPrivate writes a private key as unencrypted PKCS#8 PEM. The caller
// keeps the file to mode 0600.
func MarshalPrivate(key crypto.Signer) ([]byte, error) {
	if err := checkPublic(key.Public()); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %T cannot be written as PKCS#8", ErrUnsupportedKey, key)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// MarshalPublic writes a public key as SPKI PEM, which cosign and openssl read.
func MarshalPublic(key crypto.PublicKey) ([]byte, error) {
	der, err := spki(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// Fingerprint names a public key for people: "SHA256:" and base64 without
// padding of the SHA-256 of its SPKI DER. It is not the fingerprint that
// ssh-keygen shows, which hashes another encoding.
func Fingerprint(key crypto.PublicKey) (string, error) {
	sum, err := digest(key)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum), err
}

// Hint is the same digest in standard base64, as a bundle carries it.
func Hint(key crypto.PublicKey) (string, error) {
	sum, err := digest(key)
	return base64.StdEncoding.EncodeToString(sum), err
}

// KeyDigest is the same digest in lower-case hex, as "openssl pkey -pubin
// -outform der | sha256sum" prints it.
func KeyDigest(key crypto.PublicKey) (string, error) {
	sum, err := digest(key)
	return hex.EncodeToString(sum), err
}

func digest(key crypto.PublicKey) ([]byte, error) {
	der, err := spki(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return sum[:], nil
}

func spki(key crypto.PublicKey) ([]byte, error) {
	if err := checkPublic(key); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w public key: %w", ErrMalformed, err)
	}
	return der, nil
}

func checkPublic(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if key == nil || key.Curve == nil {
			return fmt.Errorf("%w public key: empty", ErrMalformed)
		}
		if key.Curve == elliptic.P256() {
			return nil
		}
		return fmt.Errorf("%w: curve %s; use P-256: cosign takes SHA-256 for every key given by file, which does not fit larger curves",
			ErrUnsupportedKey, key.Curve.Params().Name)
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("%w public key: an Ed25519 key of %d bytes", ErrMalformed, len(key))
		}
		return nil
	case *rsa.PublicKey:
		return refuseRSA()
	}
	return fmt.Errorf("%w: %T; use P-256 or Ed25519", ErrUnsupportedKey, key)
}

func refuseRSA() error {
	return fmt.Errorf("%w: RSA; use P-256 or Ed25519: RSA has two paddings that verifiers guess differently, and gains nothing here", ErrUnsupportedKey)
}

// onlyBlock finds the one PEM block of a key file. "openssl ecparam -genkey"
// writes the curve in a block of its own before the key; that one is skipped.
func onlyBlock(text []byte) (*pem.Block, error) {
	if len(text) > MaxKeyFile {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrMalformed, len(text), MaxKeyFile)
	}
	block, rest := pem.Decode(text)
	if block != nil && block.Type == "EC PARAMETERS" {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, fmt.Errorf("%w: no PEM block found (a file that has -----BEGIN ... KEY-----)", ErrMalformed)
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%w: something follows the first key; give one key a file", ErrMalformed)
	}
	return block, nil
}
