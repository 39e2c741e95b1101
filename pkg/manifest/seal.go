package manifest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/internal/atomicfile"
	"github.com/rcactl/rcactl/pkg/run"
)

// manifestPerm lets the group read, as non-root pods need with fsGroup.
const manifestPerm fs.FileMode = 0o640

// Seal writes manifest.json and, with a signer, manifest.sigstore.json into
// dir, a run directory that is not yet renamed into place, and syncs both and
// the directory. Without a signer (nil) it writes manifest.json only and
// removes nothing: an unsigned run, which still is part of the chain.
//
// Seal sets the types, sorts the subjects, sets predicate.signing's key digest
// (a NextPublicKeySHA256 already there stays) and takes everything else as
// given. It fails, before writing, when the statement is not one that [Decode]
// takes or when dir holds other files, or sizes, than the subjects say; the
// digests are believed, because the writer took them from the bytes.
//
// The returned Head goes to [Ledger.Advance] after the rename.
func Seal(ctx context.Context, dir string, st Statement, signer dsse.Signer) (Head, error) {
	st.Type, st.PredicateType = StatementType, PredicateType
	st.Subject = slices.Clone(st.Subject)
	slices.SortFunc(st.Subject, func(a, b Subject) int { return cmp.Compare(a.Name, b.Name) })
	signing, err := signingOf(st.Predicate.Signing, signer)
	if err != nil {
		return Head{}, fmt.Errorf("seal %s: %w", dir, err)
	}
	st.Predicate.Signing = signing
	if err := st.check(); err != nil {
		return Head{}, fmt.Errorf("seal %s: %w", dir, err)
	}
	if err := sameFiles(ctx, dir, st.Subject); err != nil {
		return Head{}, fmt.Errorf("seal %s: %w", dir, err)
	}
	payload, err := Encode(st)
	if err != nil {
		return Head{}, fmt.Errorf("seal %s: %w", dir, err)
	}
	// What we cannot read back, nobody can verify.
	if _, err := Decode(payload); err != nil {
		return Head{}, fmt.Errorf("seal %s: %w", dir, err)
	}
	var bundle []byte
	if signer != nil {
		if bundle, err = signed(ctx, signer, payload); err != nil {
			return Head{}, fmt.Errorf("seal %s: %w", dir, err)
		}
	}
	if err := atomicfile.Write(filepath.Join(dir, run.ManifestFile), manifestPerm, payload); err != nil {
		return Head{}, fmt.Errorf("seal: %w", err)
	}
	if bundle != nil {
		if err := atomicfile.Write(filepath.Join(dir, run.BundleFile), manifestPerm, bundle); err != nil {
			return Head{}, fmt.Errorf("seal: %w", err)
		}
	}
	return headOf(st, payload), nil
}

func signingOf(given *Signing, signer dsse.Signer) (*Signing, error) {
	if signer == nil {
		return nil, nil // nil is the value that says "unsigned"
	}
	digest, err := dsse.KeyDigest(signer.Public())
	if err != nil {
		return nil, err
	}
	s := Signing{PublicKeySHA256: digest}
	if given != nil {
		s.NextPublicKeySHA256 = given.NextPublicKeySHA256
	}
	return &s, nil
}

func signed(ctx context.Context, signer dsse.Signer, payload []byte) ([]byte, error) {
	envelope, err := dsse.Sign(ctx, signer, dsse.PayloadType, payload)
	if err != nil {
		return nil, err
	}
	hint, err := dsse.Hint(signer.Public())
	if err != nil {
		return nil, err
	}
	return dsse.EncodeBundle(dsse.Bundle{Hint: hint, Envelope: envelope})
}

func sameFiles(ctx context.Context, dir string, subjects []Subject) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	found, findings, err := walk(ctx, root, subjects)
	if err != nil {
		return err
	}
	for _, f := range findings {
		return errors.New(f.String())
	}
	for _, s := range subjects {
		size, ok := found[s.Name]
		if !ok {
			return fmt.Errorf("file %q is in the statement and not in the directory", s.Name)
		}
		if size != int64(s.Annotations.Bytes) {
			return fmt.Errorf("file %q has %d bytes, the statement says %d", s.Name, size, s.Annotations.Bytes)
		}
		delete(found, s.Name)
	}
	for name := range found {
		return fmt.Errorf("file %q is in the directory and not in the statement", name)
	}
	return nil
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
