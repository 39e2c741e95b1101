package kubernetes

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rcactl/rcactl/pkg/record"
)

const (
	// maxClaims bounds what one object tells of its source code.
	maxClaims = 32
	// maxClaimKeys bounds the keys of one kind in the config.
	maxClaimKeys = 16
	// maxClaim bounds a revision or version, in bytes; a longer one is left out, as is
	// a source that takes more than maxSource bytes where it stands.
	maxClaim  = 128
	maxSource = 1024
	// maxKnownClaims bounds, in bytes, what is kept for sharing.
	maxKnownClaims = 4 << 20
)

// The keys that are read when the config names no others, best first.
func defaultRevisionKeys() []string {
	return []string{"org.opencontainers.image.revision", "app.openshift.io/vcs-ref"}
}

func defaultSourceKeys() []string {
	return []string{"org.opencontainers.image.source", "app.openshift.io/vcs-uri"}
}

func defaultVersionKeys() []string {
	return []string{"app.kubernetes.io/version", "org.opencontainers.image.version", "tags.datadoghq.com/version"}
}

// claimReader reads what labels and annotations of chosen keys say of source code.
// Equal answers share their memory: the revisions of a workload mostly say the same.
// It is safe for use by several goroutines; nil reads nothing.
type claimReader struct {
	keys []claimKey

	mu    sync.Mutex
	known map[string][]record.Claim // by what the objects say, as it stands there
	bytes int
}

type claimKey struct {
	kind record.ClaimKind
	key  string
}

func newClaimReader(c *Config) *claimReader {
	r := &claimReader{known: map[string][]record.Claim{}}
	for _, of := range []struct {
		kind record.ClaimKind
		keys []string
	}{{record.ClaimRevision, c.RevisionKeys}, {record.ClaimSource, c.SourceKeys}, {record.ClaimVersion, c.VersionKeys}} {
		for _, key := range of.keys {
			r.keys = append(r.keys, claimKey{of.kind, key})
		}
	}
	return r
}

// read gives the claims of several sets of labels or annotations: kind by kind, key
// by key and set by set, each once. They are shared and not to be changed.
func (r *claimReader) read(sets ...map[string]string) []record.Claim {
	if r == nil {
		return nil
	}
	var found []record.Claim
	size := 0
	for _, k := range r.keys {
		for _, set := range sets {
			if value := set[k.key]; value != "" && len(value) <= maxSource {
				found = append(found, record.Claim{Kind: k.kind, Key: k.key, Value: value})
				size += len(k.key) + len(value) + 2
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	var b strings.Builder
	b.Grow(size)
	for _, c := range found {
		b.WriteString(c.Key)
		b.WriteByte(0)
		b.WriteString(c.Value)
		b.WriteByte(0)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	claims, ok := r.known[b.String()]
	if !ok {
		if claims = usableClaims(found); r.bytes < maxKnownClaims {
			r.known[b.String()] = claims
			r.bytes += size
		}
	}
	return claims
}

// usableClaims leaves out what is not of the form that its kind has, and what was
// said before.
func usableClaims(found []record.Claim) []record.Claim {
	var out []record.Claim
	for _, c := range found {
		if c.Value = claimValue(c.Kind, c.Value); c.Value != "" && len(out) < maxClaims && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return slices.Clip(out)
}

var (
	// A revision is a commit, the beginning of one, or a name of one; of the forms of
	// delivery tools sha1:4f2a91c and main@sha1:4f2a91c are known.
	claimRevision = regexp.MustCompile(`^(?:[A-Za-z0-9][A-Za-z0-9._/+-]*@)?(?:sha1|sha256):[0-9a-f]+$|^[A-Za-z0-9][A-Za-z0-9._/+-]*$`)
	claimVersion  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)
	longWord      = regexp.MustCompile(`[A-Za-z0-9]{20,}`)
	commitDigits  = regexp.MustCompile(`^g?(?:[0-9a-f]+|[0-9A-F]+)$`)
)

// claimValue gives what may be kept of a value: nothing that could be an address of
// a person or a credential.
func claimValue(kind record.ClaimKind, value string) string {
	value = strings.TrimSpace(value)
	switch {
	case kind == record.ClaimSource:
		value = record.RepositoryName(value)
	case len(value) > maxClaim,
		kind == record.ClaimRevision && !claimRevision.MatchString(value),
		kind == record.ClaimVersion && !claimVersion.MatchString(value):
		return ""
	}
	for _, word := range longWord.FindAllString(value, -1) {
		if !commitDigits.MatchString(word) && strings.ContainsAny(word, "0123456789") && strings.Trim(word, "0123456789") != "" {
			return "" // like a token
		}
	}
	return value
}
