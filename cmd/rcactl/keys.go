package main

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"path/filepath"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/keyfile"
	"github.com/rcactl/rcactl/pkg/redact"
	"github.com/rcactl/rcactl/pkg/secret"
)

// Names in the keys folder of the state directory. They hold what rcactl made
// for itself because nobody gave it a key.
const (
	keysDir      = "keys"
	pseudonymKey = "pseudonym.key"
	signingKey   = "signing.key"
	publicKeys   = "*.pub"
)

// keyring finds the keys of a run and says which of them it had to make.
type keyring struct {
	sys      *System
	secrets  secret.Resolver
	stateDir string
	// made has a sentence for each key that was made on first use.
	made []string
}

// pseudonym returns the key of the pseudonyms: the configured one, else the one
// in the state directory, made on first use.
func (k *keyring) pseudonym(ctx context.Context, ref secret.Ref) (redact.Key, error) {
	var text []byte
	if !ref.IsZero() {
		v, err := k.secrets.Resolve(ctx, ref)
		if err != nil {
			return redact.Key{}, fmt.Errorf("redaction.key: %w", err)
		}
		text = v.Reveal()
	} else {
		var err error
		if text, err = k.firstUse(pseudonymKey, redact.GenerateKey, "a key for pseudonyms"); err != nil {
			return redact.Key{}, err
		}
	}
	key, err := redact.NewKey(text)
	if err != nil {
		return redact.Key{}, fmt.Errorf("redaction.key: %w", err)
	}
	return key, nil
}

// signer returns what signs manifests: the configured key, else the one in the
// state directory, made on first use.
func (k *keyring) signer(ctx context.Context, ref, password secret.Ref) (dsse.Signer, error) {
	var text, pass []byte
	switch {
	case !ref.IsZero():
		v, err := k.secrets.Resolve(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("signing.key: %w", err)
		}
		text = v.Reveal()
		if !password.IsZero() {
			p, err := k.secrets.Resolve(ctx, password)
			if err != nil {
				return nil, fmt.Errorf("signing.password: %w", err)
			}
			pass = p.Reveal()
		} else {
			pass = []byte(k.sys.getenv("COSIGN_PASSWORD"))
		}
	default:
		var err error
		if text, err = k.firstUse(signingKey, newSigningKey, "a signing key (ECDSA P-256)"); err != nil {
			return nil, err
		}
	}
	private, err := dsse.ParsePrivate(text, pass)
	if err != nil {
		return nil, fmt.Errorf("signing.key: %w", err)
	}
	if err := k.writePublic(private.Public()); err != nil {
		return nil, err
	}
	return dsse.NewSigner(private, k.sys.Rand)
}

func newSigningKey(random io.Reader) ([]byte, error) {
	key, err := dsse.GenerateKey(dsse.P256, random)
	if err != nil {
		return nil, err
	}
	return dsse.MarshalPrivate(key)
}

// firstUse reads a key file of the state directory and makes it when it is not
// there.
func (k *keyring) firstUse(name string, generate func(io.Reader) ([]byte, error), what string) ([]byte, error) {
	path := k.path(name)
	text, made, err := keyfile.ReadOrMake(path, func() ([]byte, error) { return generate(k.sys.Rand) })
	if made {
		k.made = append(k.made, fmt.Sprintf("made %s on first use: %s", what, path))
	}
	return text, err
}

// writePublic keeps the public half of every key that signed here, each under its
// own name: runs of an earlier key must still verify.
func (k *keyring) writePublic(key crypto.PublicKey) error {
	text, err := dsse.MarshalPublic(key)
	if err != nil {
		return err
	}
	digest, err := dsse.KeyDigest(key)
	if err != nil {
		return err
	}
	return keyfile.Derive(k.path("signing-"+digest[:16]+".pub"), text)
}

func (k *keyring) path(name string) string { return filepath.Join(k.stateDir, keysDir, name) }

// trustedKeys reads the public keys that a verification trusts: the files that are
// named, else those in the state directory.
func trustedKeys(sys *System, files []string, stateDir string) ([]crypto.PublicKey, error) {
	if len(files) == 0 {
		pattern := filepath.Join(stateDir, keysDir, publicKeys)
		files, _ = filepath.Glob(pattern) // the pattern is well-formed
		if len(files) == 0 {
			return nil, fmt.Errorf("there is no public key to verify with: no file matches %s; name one with --key", pattern)
		}
	}
	var keys []crypto.PublicKey
	for _, file := range files {
		text, err := keyfile.Read(sys.abs(file))
		if err != nil {
			return nil, err
		}
		key, err := dsse.ParsePublic(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
