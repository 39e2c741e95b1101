package collect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rcactl/rcactl/pkg/store"
)

// imagesSpace is where the metadata of images is kept, by digest. It holds nobody's
// pseudonym, so that all runs share it.
const imagesSpace = "images"

// openStore gives each source its own part of the store.
func (r *session) openStore() {
	r.kept = store.Open(filepath.Join(r.StateDir, "store"))
	for _, s := range r.sources {
		if s.Skip == "" {
			s.space = r.kept.Space(spaceOf(s.Name, r.Redactor.KeyID(), r.Redactor.PolicyDigest()))
		}
	}
}

// spaceOf names the part of the store that a source has under one key and one
// policy: another key gives other pseudonyms.
func spaceOf(instance, keyID, policy string) string {
	sum := sha256.Sum256([]byte(instance + "\x00" + keyID + "\x00" + policy))
	return spacePrefix(instance) + hex.EncodeToString(sum[:8])
}

func spacePrefix(instance string) string {
	name := strings.ReplaceAll(instance, "/", "-")
	return name[:min(len(name), store.MaxSpace/2)] + "."
}

// keep brings to disk what sources put in the store. What cannot be kept is asked
// for again by the next run.
func (r *session) keep(context.Context) error {
	for _, s := range r.all() {
		if s.space == nil {
			continue
		}
		if err := s.space.Flush(); err != nil {
			s.notes = append(s.notes, fmt.Sprintf("what will not change could not be kept and is asked for again in the next run: %v", elsewhere(err, "--state")))
		}
	}
	return nil
}

// tidy removes what was kept under other keys and policies, but for the one used
// last: a person may try another policy and go back. Where that fails the next run
// tries again.
func (r *session) tidy(context.Context) error {
	found, err := r.kept.Spaces()
	if err != nil {
		r.log.Warn("the store could not be tidied", "error", err)
		return nil
	}
	for _, s := range r.sources {
		if s.Skip != "" {
			continue
		}
		current := spaceOf(s.Name, r.Redactor.KeyID(), r.Redactor.PolicyDigest())
		spared := false
		for _, f := range found {
			digits, ours := strings.CutPrefix(f.Name, spacePrefix(s.Name))
			switch {
			case !ours || len(digits) != 16 || strings.Trim(digits, "0123456789abcdef") != "" || f.Name == current:
			case !spared:
				spared = true
			default:
				if err := r.kept.Remove(f.Name); err != nil {
					r.log.Warn("the store could not be tidied", "error", err)
				}
			}
		}
	}
	return nil
}
