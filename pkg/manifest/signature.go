package manifest

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/run"
)

var (
	errNoBundle = errors.New("there is no signature")
	errNoKey    = errors.New("no public key was given to check the signature with")
	errOtherKey = errors.New("none of the given keys made the signature")
	errPayload  = errors.New("the signed payload is not manifest.json, byte for byte")
	errOwnKey   = errors.New("the manifest names another key than the one that signed it")
	errHint     = errors.New("the bundle's key hint is not of the key that signed it")
)

// checkBundle verifies manifest.sigstore.json over payload.
func checkBundle(root *os.Root, st Statement, payload []byte, keys []crypto.PublicKey) (there bool, key int, err error) {
	text, err := readBounded(root, run.BundleFile, dsse.MaxBundle)
	if errors.Is(err, fs.ErrNotExist) {
		return false, 0, errNoBundle
	}
	if err != nil {
		return true, 0, err
	}
	b, err := dsse.DecodeBundle(text)
	if err != nil {
		return true, 0, err
	}
	if !bytes.Equal(b.Envelope.Payload, payload) {
		return true, 0, errPayload
	}
	if len(keys) == 0 {
		return true, 0, errNoKey
	}
	key, err = b.Envelope.Verify(keys...)
	if errors.Is(err, dsse.ErrSignature) {
		return true, 0, errOtherKey
	}
	if err != nil {
		return true, 0, err
	}
	hint, err := dsse.Hint(keys[key])
	if err != nil {
		return true, 0, err
	}
	if b.Hint != "" && b.Hint != hint {
		return true, 0, errHint
	}
	digest, err := dsse.KeyDigest(keys[key])
	if err != nil {
		return true, 0, err
	}
	// Unsigned manifests may be signed later, by whatever key the reader trusts.
	if s := st.Predicate.Signing; s != nil && s.PublicKeySHA256 != digest {
		return true, 0, fmt.Errorf("%w: sha256:%s, not sha256:%s", errOwnKey, s.PublicKeySHA256, digest)
	}
	return true, key, nil
}

// signatureFinding says what err of [checkBundle] means for a reader who does,
// or does not, take unsigned runs; nil when it is fine.
func signatureFinding(st Statement, there bool, err error, allowUnsigned bool, file string) *Finding {
	code := CodeSignature
	switch {
	case err == nil:
		return nil
	case !there && allowUnsigned && st.Predicate.Signing == nil:
		return nil
	case !there:
		code = CodeSignatureMissing
		if st.Predicate.Signing != nil {
			err = errors.New("the signature is missing, and the manifest says that it was signed")
		}
	case errors.Is(err, errPayload):
		code = CodePayload
	case errors.Is(err, errNoKey):
		code = CodeNoKey
	}
	return &Finding{Code: code, File: file, Message: err.Error()}
}
