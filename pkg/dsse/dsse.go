// Package dsse signs bytes and checks signatures: the Dead Simple Signing
// Envelope (https://github.com/secure-systems-lab/dsse) inside a Sigstore
// bundle v0.3, with ECDSA P-256 or Ed25519 keys, so that cosign and plain
// openssl verify what this package wrote, offline.
//
// The way out: [ParsePrivate] or [GenerateKey], [NewSigner], [Sign],
// [EncodeBundle]. The way back: [DecodeBundle], [ParsePublic],
// [Envelope.Verify]. Nothing here reads files, the environment or the clock,
// and no error ever contains key material or a password.
//
// What is signed are bytes. Nobody re-marshals a payload in order to verify it.
package dsse

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
)

// PayloadType is the media type of an in-toto statement, the only payload that
// cosign takes in a bundle.
const PayloadType = "application/vnd.in-toto+json"

var (
	// ErrMalformed says that the bytes are not a bundle, key or envelope of the shape
	// that this package writes.
	ErrMalformed = errors.New("malformed")
	// ErrSignature says that the signature is not by any of the keys given.
	ErrSignature = errors.New("signature does not verify")
	// ErrUnsupportedKey refuses a key of a kind that is not offered. The error says
	// why and how to convert.
	ErrUnsupportedKey = errors.New("unsupported key")
	// ErrPassword says that the password does not open the private key.
	ErrPassword = errors.New("wrong password for the private key")
)

// Signer makes signatures. Keys in files implement it through [NewSigner]; a
// remote key (Vault transit, a cloud KMS) implements it by one call to its
// service. Implementations are safe for concurrent use.
type Signer interface {
	// Public returns the *ecdsa.PublicKey on P-256 or the ed25519.PublicKey
	// that verifies the signatures.
	Public() crypto.PublicKey
	// Sign signs the pre-authentication encoding pae as it stands: for P-256
	// an ASN.1 DER signature over its SHA-256, for Ed25519 64 bytes over pae
	// itself (pure, not prehashed).
	Sign(ctx context.Context, pae []byte) (sig []byte, err error)
}

// Envelope is a signed payload: DSSE with exactly one signature and no keyid,
// which is what cosign accepts.
type Envelope struct {
	PayloadType string // media type, normally [PayloadType]
	Payload     []byte // the signed bytes, at most [MaxPayload]
	Signature   []byte // DER for P-256, 64 bytes for Ed25519
}

// PAE is the pre-authentication encoding, the bytes that are really signed:
//
//	"DSSEv1" SP len(type) SP type SP len(payload) SP payload
//
// with lengths in bytes as ASCII decimals.
func PAE(payloadType string, payload []byte) []byte {
	pae := make([]byte, 0, len(payload)+len(payloadType)+64)
	pae = append(pae, "DSSEv1 "...)
	pae = strconv.AppendInt(pae, int64(len(payloadType)), 10)
	pae = append(pae, ' ')
	pae = append(pae, payloadType...)
	pae = append(pae, ' ')
	pae = strconv.AppendInt(pae, int64(len(payload)), 10)
	pae = append(pae, ' ')
	return append(pae, payload...)
}

// Sign signs payload with s and verifies the result with s.Public() before
// it returns, so that a remote signer that answers in another encoding, or
// with another key, is found now and not when somebody needs the evidence.
func Sign(ctx context.Context, s Signer, payloadType string, payload []byte) (Envelope, error) {
	if len(payload) > MaxPayload {
		return Envelope{}, fmt.Errorf("sign: the payload has %d bytes, the limit is %d", len(payload), MaxPayload)
	}
	sig, err := s.Sign(ctx, PAE(payloadType, payload))
	if err != nil {
		return Envelope{}, fmt.Errorf("sign: %w", err)
	}
	e := Envelope{PayloadType: payloadType, Payload: payload, Signature: sig}
	if _, err := e.Verify(s.Public()); err != nil {
		return Envelope{}, fmt.Errorf("sign: the signer's answer does not verify with its own public key: %w", err)
	}
	return e, nil
}

// Verify tries the keys in order and returns the index of the first that
// verifies the signature. The error is [ErrSignature] when none does and
// [ErrUnsupportedKey] when a key is of a kind that is not offered.
func (e Envelope) Verify(keys ...crypto.PublicKey) (int, error) {
	for _, key := range keys {
		if err := checkPublic(key); err != nil {
			return 0, err
		}
	}
	pae := PAE(e.PayloadType, e.Payload)
	for i, key := range keys {
		switch key := key.(type) {
		case *ecdsa.PublicKey:
			sum := sha256.Sum256(pae)
			if ecdsa.VerifyASN1(key, sum[:], e.Signature) {
				return i, nil
			}
		case ed25519.PublicKey:
			if ed25519.Verify(key, pae, e.Signature) {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("%w with any of the %d public keys given", ErrSignature, len(keys))
}
