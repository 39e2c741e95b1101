package dsse

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// BundleMediaType names the one bundle version that is written and read.
	BundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	// MaxPayload bounds the signed bytes: 16 MiB.
	MaxPayload = 16 << 20
	// MaxBundle bounds an encoded bundle: base64 of the payload, and room for
	// the rest.
	MaxBundle = MaxPayload/3*4 + 1<<20

	maxTimestamps = 16
	maxDepth      = 8 // the deepest member, a timestamp, lies at 5
)

// Bundle is a Sigstore bundle v0.3 that holds an envelope and a hint at the
// public key. It says who signed only to somebody who has that key already.
type Bundle struct {
	// Hint is base64 of the SHA-256 of the public key's SPKI DER, see [Hint].
	// It helps to pick a key and proves nothing. May be empty.
	Hint string
	// Timestamps are RFC 3161 responses (DER) over the signature. They are
	// carried, not checked; cosign and openssl check them.
	Timestamps [][]byte
	Envelope   Envelope
}

type bundleJSON struct {
	MediaType string       `json:"mediaType"`
	Material  materialJSON `json:"verificationMaterial"`
	Envelope  envelopeJSON `json:"dsseEnvelope"`
}

type materialJSON struct {
	PublicKey  *publicKeyJSON  `json:"publicKey"`
	Timestamps *timestampsJSON `json:"timestampVerificationData,omitempty"`
}

type publicKeyJSON struct {
	Hint string `json:"hint,omitempty"`
}

type timestampsJSON struct {
	RFC3161 []timestampJSON `json:"rfc3161Timestamps,omitempty"`
}

type timestampJSON struct {
	Signed string `json:"signedTimestamp"`
}

type envelopeJSON struct {
	Payload     string          `json:"payload"`
	PayloadType string          `json:"payloadType"`
	Signatures  []signatureJSON `json:"signatures"`
}

type signatureJSON struct {
	Sig   string `json:"sig"`
	KeyID string `json:"keyid,omitempty"`
}

// EncodeBundle writes the bundle as one line of JSON without any white space:
// every single byte of the file then matters to the reader.
func EncodeBundle(b Bundle) ([]byte, error) {
	out := bundleJSON{
		MediaType: BundleMediaType,
		Material:  materialJSON{PublicKey: &publicKeyJSON{Hint: b.Hint}},
		Envelope: envelopeJSON{
			Payload:     base64.StdEncoding.EncodeToString(b.Envelope.Payload),
			PayloadType: b.Envelope.PayloadType,
			Signatures:  []signatureJSON{{Sig: base64.StdEncoding.EncodeToString(b.Envelope.Signature)}},
		},
	}
	if len(b.Timestamps) > 0 {
		out.Material.Timestamps = &timestampsJSON{}
		for _, ts := range b.Timestamps {
			out.Material.Timestamps.RFC3161 = append(out.Material.Timestamps.RFC3161,
				timestampJSON{Signed: base64.StdEncoding.EncodeToString(ts)})
		}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false) // "+" and "<" as they are, for people and jq
	if err := enc.Encode(out); err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// DecodeBundle reads a bundle strictly: names in their exact spelling, none
// unknown and none twice, canonical base64, exactly one signature, nothing
// after the end. Errors wrap [ErrMalformed]. It checks no signature.
//
// A "keyid" is refused unless empty, because cosign would not find the key.
func DecodeBundle(data []byte) (Bundle, error) {
	if len(data) > MaxBundle {
		return Bundle{}, fmt.Errorf("%w bundle: %d bytes, the limit is %d", ErrMalformed, len(data), MaxBundle)
	}
	if err := checkNames(data); err != nil {
		return Bundle{}, fmt.Errorf("%w bundle: %w", ErrMalformed, err)
	}
	var in bundleJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return Bundle{}, fmt.Errorf("%w bundle: %w", ErrMalformed, err)
	}
	// JSON takes white space there; nobody signed it.
	if data[len(data)-1] != '}' {
		return Bundle{}, fmt.Errorf("%w bundle: white space follows the end", ErrMalformed)
	}
	b, err := in.bundle()
	if err != nil {
		return Bundle{}, fmt.Errorf("%w bundle: %w", ErrMalformed, err)
	}
	return b, nil
}

func (in bundleJSON) bundle() (b Bundle, err error) {
	if in.MediaType != BundleMediaType {
		return b, fmt.Errorf("mediaType is %.80q, expected %q", in.MediaType, BundleMediaType)
	}
	if in.Material.PublicKey == nil {
		return b, errors.New("verificationMaterial has no publicKey; certificates (keyless signing) are checked by cosign, not here")
	}
	b.Hint = in.Material.PublicKey.Hint
	if b.Hint != "" {
		if _, err := decode("publicKey.hint", b.Hint); err != nil {
			return b, err
		}
	}
	if ts := in.Material.Timestamps; ts != nil {
		if len(ts.RFC3161) > maxTimestamps {
			return b, fmt.Errorf("%d timestamps, the limit is %d", len(ts.RFC3161), maxTimestamps)
		}
		for _, t := range ts.RFC3161 {
			der, err := decode("signedTimestamp", t.Signed)
			if err != nil {
				return b, err
			}
			b.Timestamps = append(b.Timestamps, der)
		}
	}
	if in.Envelope.PayloadType != PayloadType {
		return b, fmt.Errorf("payloadType is %.80q, expected %q", in.Envelope.PayloadType, PayloadType)
	}
	if n := len(in.Envelope.Signatures); n != 1 {
		return b, fmt.Errorf("%d signatures, exactly one is required: write one bundle for each signer", n)
	}
	if id := in.Envelope.Signatures[0].KeyID; id != "" {
		return b, errors.New("signatures[0].keyid is set; leave it out, cosign rejects it")
	}
	b.Envelope.PayloadType = in.Envelope.PayloadType
	if b.Envelope.Payload, err = decode("payload", in.Envelope.Payload); err != nil {
		return b, err
	}
	if len(b.Envelope.Payload) > MaxPayload {
		return b, fmt.Errorf("the payload has %d bytes, the limit is %d", len(b.Envelope.Payload), MaxPayload)
	}
	b.Envelope.Signature, err = decode("signatures[0].sig", in.Envelope.Signatures[0].Sig)
	return b, err
}

// decode takes the one canonical base64 spelling of a value: Go's decoder
// skips line breaks, and spare bits could carry anything.
func decode(field, text string) ([]byte, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || base64.StdEncoding.EncodedLen(len(raw)) != len(text) {
		return nil, fmt.Errorf("%s is not canonical base64", field)
	}
	if len(raw) == 0 {
		return nil, fmt.Errorf("%s is empty or missing", field)
	}
	return raw, nil
}

// bundleNames are the paths of all members that a bundle may have.
func bundleNames() map[string]bool {
	return map[string]bool{
		".mediaType":                                                        true,
		".verificationMaterial":                                             true,
		".verificationMaterial.publicKey":                                   true,
		".verificationMaterial.publicKey.hint":                              true,
		".verificationMaterial.timestampVerificationData":                   true,
		".verificationMaterial.timestampVerificationData.rfc3161Timestamps": true,
		".verificationMaterial.timestampVerificationData.rfc3161Timestamps.signedTimestamp": true,
		".dsseEnvelope":                  true,
		".dsseEnvelope.payload":          true,
		".dsseEnvelope.payloadType":      true,
		".dsseEnvelope.signatures":       true,
		".dsseEnvelope.signatures.sig":   true,
		".dsseEnvelope.signatures.keyid": true,
	}
}

// checkNames makes up for encoding/json, which takes names in any case and
// keeps the last of two: two ways for two readers of one signed file to see
// different things. What follows the bundle is left to json.Unmarshal, which
// refuses it; bytes that are not UTF-8 fit no name and no value.
func checkNames(data []byte) error {
	allowed := bundleNames()
	dec := json.NewDecoder(bytes.NewReader(data))
	var value func(path string, depth int) error
	value = func(path string, depth int) error {
		if depth > maxDepth {
			return errors.New("nested too deeply")
		}
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		open, isDelim := tok.(json.Delim)
		if !isDelim {
			return nil
		}
		seen := map[string]bool{}
		for dec.More() {
			member := path
			if open == '{' {
				name, err := dec.Token()
				if err != nil {
					return err
				}
				// A name that contains a dot could pass for a path.
				key, _ := name.(string)
				member = path + "." + key
				if strings.Contains(key, ".") || !allowed[member] {
					return fmt.Errorf("unknown name %.80q", member)
				}
				if seen[key] {
					return fmt.Errorf("%s is there twice", member)
				}
				seen[key] = true
			}
			if err := value(member, depth+1); err != nil {
				return err
			}
		}
		_, err = dec.Token()
		return err
	}
	if err := value("", 0); err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}
