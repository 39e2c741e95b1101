package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/run"
)

// check is the form of a statement: what must hold for every statement that
// we write or read, whoever signed it.
func (st Statement) check() error {
	if st.Type != StatementType {
		return fmt.Errorf("_type is %.80q, expected %q", st.Type, StatementType)
	}
	if st.PredicateType != PredicateType {
		return fmt.Errorf("predicateType is %.80q, expected %q", st.PredicateType, PredicateType)
	}
	if err := checkSubjects(st.Subject); err != nil {
		return err
	}
	return st.Predicate.check()
}

func checkSubjects(subjects []Subject) error {
	// cosign takes neither none nor more.
	if n := len(subjects); n == 0 || n > MaxFiles {
		return fmt.Errorf("%d files, expected 1 to %d", n, MaxFiles)
	}
	folded := make(map[string]string, len(subjects))
	for _, s := range subjects {
		if err := checkFileName(s.Name); err != nil {
			return err
		}
		// Two names that one file system takes for the same file.
		if other, ok := folded[strings.ToLower(s.Name)]; ok {
			return fmt.Errorf("files %q and %q have the same name, or differ only in case", other, s.Name)
		}
		folded[strings.ToLower(s.Name)] = s.Name
		if !isSHA256(s.Digest.SHA256) {
			return fmt.Errorf("file %q: digest is not a lower-case hex SHA-256", s.Name)
		}
		if s.Annotations.Bytes < 0 || s.Annotations.Records < 0 {
			return fmt.Errorf("file %q: negative size or number of records", s.Name)
		}
	}
	return nil
}

// checkFileName takes what means the same on every file system and to every
// shell: slash-separated segments of letters, digits, dot, dash and underscore.
func checkFileName(name string) error {
	if len(name) > 255 {
		return fmt.Errorf("file name %.40q... is longer than 255 bytes", name)
	}
	for segment := range strings.SplitSeq(name, "/") {
		if !nameSegment(segment) {
			return fmt.Errorf("file name %.255q: each part must start with a letter or digit, hold only letters, digits, '.', '-' and '_', and not end with '.'", name)
		}
	}
	if lower := strings.ToLower(name); lower == run.ManifestFile || lower == run.BundleFile {
		return fmt.Errorf("file name %q: a manifest does not list itself", name)
	}
	return nil
}

func nameSegment(s string) bool {
	if s == "" || strings.HasSuffix(s, ".") {
		return false
	}
	for i, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return true
}

func (p Predicate) check() error {
	if seq, ok := sequenceOf(p.Run.Name); !ok || seq != p.Ledger.Sequence || !nameSegment(p.Run.Name) || len(p.Run.Name) > 255 {
		return fmt.Errorf("run.name is %.80q, expected six or more digits with ledger.sequence (%d), a dash and an id", p.Run.Name, p.Ledger.Sequence)
	}
	if !oneOf(p.Run.Invocation, InvocationWindow, InvocationCursor) {
		return fmt.Errorf("run.invocation is %.40q", p.Run.Invocation)
	}
	if !oneOf(p.Outcome, OutcomeComplete, OutcomePartial, OutcomeFailed) {
		return fmt.Errorf("outcome is %.40q", p.Outcome)
	}
	for _, s := range p.Sources {
		if !oneOf(s.Status, StatusComplete, StatusPartial, StatusFailed, StatusSkipped) {
			return fmt.Errorf("source %.80q: status is %.40q", s.Name, s.Status)
		}
		for _, stream := range s.Streams {
			if !oneOf(stream.Status, StatusComplete, StatusPartial, StatusFailed, StatusSkipped) {
				return fmt.Errorf("source %.80q, stream %.80q: status is %.40q", s.Name, stream.Name, stream.Status)
			}
		}
	}
	if s := p.Signing; s != nil {
		if !isSHA256(s.PublicKeySHA256) || s.NextPublicKeySHA256 != "" && !isSHA256(s.NextPublicKeySHA256) {
			return errors.New("signing: a key digest is not a lower-case hex SHA-256")
		}
	}
	return p.Ledger.check()
}

func (l Link) check() error {
	switch {
	case l.ID == "":
		return errors.New("ledger.id is empty")
	case l.Sequence < 1:
		return fmt.Errorf("ledger.sequence is %d, expected 1 or more", l.Sequence)
	case l.Previous == nil && l.Sequence > 1 && len(l.Replaces) == 0:
		return fmt.Errorf("ledger: run %d has no previous run and replaces no ledger", l.Sequence)
	case l.Previous == nil:
		return nil
	case l.Sequence == 1 || len(l.Replaces) > 0:
		return errors.New("ledger: a first run has a previous run")
	case !isSHA256(l.Previous.Digest.SHA256):
		return errors.New("ledger.previous: digest is not a lower-case hex SHA-256")
	}
	return nil
}

func oneOf[T comparable](v T, all ...T) bool { return slices.Contains(all, v) }

func isSHA256(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
