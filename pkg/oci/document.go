package oci

import (
	"encoding/json"
	"errors"
	"mime"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/record"
)

// The keys of labels and annotations that are read; all others are dropped while
// they are decoded.
const (
	keyRevision = "org.opencontainers.image.revision"
	keySource   = "org.opencontainers.image.source"
	keyVersion  = "org.opencontainers.image.version"
	keyCreated  = "org.opencontainers.image.created"
	keyBase     = "org.opencontainers.image.base.digest"

	oldRevision = "org.label-schema.vcs-ref"
	oldSource   = "org.label-schema.vcs-url"
	oldVersion  = "org.label-schema.version"
	oldCreated  = "org.label-schema.build-date"

	keyReferenceType   = "vnd.docker.reference.type"
	keyReferenceDigest = "vnd.docker.reference.digest"
)

func knownKeys() []string {
	return []string{
		keyRevision, keySource, keyVersion, keyCreated, keyBase,
		oldRevision, oldSource, oldVersion, oldCreated, keyReferenceType, keyReferenceDigest,
	}
}

const (
	maxText     = 1024
	maxRevision = 256
	maxVersion  = 128
)

// Media types of manifests.
const (
	typeIndex      = "application/vnd.oci.image.index.v1+json"
	typeManifest   = "application/vnd.oci.image.manifest.v1+json"
	typeDockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
	typeDocker     = "application/vnd.docker.distribution.manifest.v2+json"
	typeConfig     = "application/vnd.oci.image.config.v1+json"
	typeDockerConf = "application/vnd.docker.container.image.v1+json"
)

func manifestTypes() string {
	return strings.Join([]string{typeIndex, typeManifest, typeDockerList, typeDocker}, ",")
}

// texts are labels or annotations, of the known keys alone.
type texts map[string]string

// UnmarshalJSON drops what has no known key and what is no text.
func (t *texts) UnmarshalJSON(data []byte) error {
	var all map[string]json.RawMessage
	if json.Unmarshal(data, &all) != nil {
		return nil // not an object: no labels
	}
	out := texts{}
	for _, key := range knownKeys() {
		var value string
		if raw, ok := all[key]; ok && len(raw) <= 6*maxText && json.Unmarshal(raw, &value) == nil && len(value) <= maxText {
			out[key] = value
		}
	}
	*t = out
	return nil
}

// descriptor is what a manifest says of another document.
type descriptor struct {
	MediaType    string   `json:"mediaType"`
	ArtifactType string   `json:"artifactType"`
	Digest       string   `json:"digest"`
	Size         int64    `json:"size"`
	Platform     platform `json:"platform"`
	Annotations  texts    `json:"annotations"`
}

type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
}

// document is an image's manifest, or an index of several.
type document struct {
	MediaType   string       `json:"mediaType"`
	Config      descriptor   `json:"config"`
	Layers      []descriptor `json:"layers"`
	Manifests   []descriptor `json:"manifests"`
	Annotations texts        `json:"annotations"`

	digest string
}

func parseDocument(f fetched) (document, error) {
	var d document
	if err := decode(f.body, &d); err != nil {
		return d, err
	}
	if d.MediaType == "" {
		d.MediaType, _, _ = mime.ParseMediaType(f.mediaType)
	}
	if d.Config.Digest == "" && len(d.Manifests) == 0 && !d.isIndex() {
		return d, errOdd // schema 1, which has labels in its history only
	}
	d.digest = f.digest
	return d, nil
}

// decode reads JSON. Values of another type than expected are left out, since
// builders write what they like where the formats let them.
func decode(body []byte, into any) error {
	var kind *json.UnmarshalTypeError
	if err := json.Unmarshal(body, into); err != nil && !errors.As(err, &kind) {
		return errOdd
	}
	return nil
}

func (d document) isIndex() bool {
	switch d.MediaType {
	case typeIndex, typeDockerList:
		return true
	case typeManifest, typeDocker:
		return false
	}
	return d.Config.Digest == ""
}

// platforms gives the images of an index in the order in which one of them is
// chosen: linux on amd64, linux on arm64, linux, others. Attestations are none.
func (d document) platforms() []descriptor {
	rank := func(m descriptor) int {
		switch p := m.Platform; {
		case p.OS == "linux" && p.Architecture == "amd64":
			return 0
		case p.OS == "linux" && p.Architecture == "arm64":
			return 1
		case p.OS == "linux":
			return 2
		case p.OS != "":
			return 3
		}
		return 4
	}
	var out []descriptor
	for _, m := range d.Manifests {
		image := m.MediaType == typeManifest || m.MediaType == typeDocker || m.MediaType == ""
		if image && m.Platform.OS != "unknown" && m.Annotations[keyReferenceType] == "" && digestForm.MatchString(m.Digest) {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b descriptor) int { return rank(a) - rank(b) })
	return out
}

// attestations gives the manifests in an index that BuildKit put there about an
// image.
func (d document) attestations(image string) []descriptor {
	var out []descriptor
	for _, m := range d.Manifests {
		if m.Annotations[keyReferenceType] == "attestation-manifest" && m.Annotations[keyReferenceDigest] == image && digestForm.MatchString(m.Digest) {
			out = append(out, m)
		}
	}
	return out
}

// config is what is read of an image's config: nothing that tells how it runs.
type config struct {
	Created string `json:"created"`
	Config  struct {
		Labels texts `json:"Labels"`
	} `json:"config"`
}

// claimOf gives what labels or annotations say of the source code. The names of
// label-schema.org count where those of OCI say nothing, all together: the two may
// be of different images when one was built on the other.
func claimOf(place record.ImagePlace, t texts) (record.ImageClaim, bool) {
	revision, source, version, created := t[keyRevision], t[keySource], t[keyVersion], t[keyCreated]
	if revision == "" && source == "" && version == "" {
		revision, source, version, created = t[oldRevision], t[oldSource], t[oldVersion], t[oldCreated]
	}
	c := record.ImageClaim{
		Place: place, Revision: revisionOf(revision), Source: record.RepositoryName(source),
		Version: versionOf(version), Created: timeOf(created),
	}
	return c, c.Revision != "" || c.Source != "" || c.Version != ""
}

var (
	// commitText is a commit or its beginning, as builders write it: alone, or after
	// the branch (main@sha1:..., main/...), with or without a mark of local changes.
	commitText = regexp.MustCompile(`^(?:[!-~]*[@/])?((?:sha1:|sha256:)?[0-9a-fA-F]{7,64}(?:[-+._](?i:dirty))?)$`)
	// tagText is what may be a tag: v1.2.3, shop/v1.2.3, refs/tags/v1.2.3-5-g4f2a91c.
	tagText   = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9._-]*[-_/])*[A-Za-z]?[0-9]+\.[0-9][A-Za-z0-9._+-]*$|^(?:[A-Za-z0-9._-]+/)*[A-Za-z0-9._-]+-[0-9]+-g[0-9a-f]{7,64}(?:-dirty)?$`)
	plainText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)
	longWord  = regexp.MustCompile(`[A-Za-z0-9]{20,}`)
	hexWord   = regexp.MustCompile(`^(?i:g?[0-9a-f]+)$`)
)

// revisionOf gives what may be kept of a revision: a commit, without the branch that
// it may stand behind, or a version. What people write otherwise is dropped: it is kept
// on disk, and may be a name, an address or a credential.
func revisionOf(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxRevision {
		return ""
	}
	if m := commitText.FindStringSubmatch(s); m != nil && !strings.Contains(s, "://") {
		return m[1]
	}
	if !tagText.MatchString(s) || likeToken(s) {
		return ""
	}
	return s
}

// versionOf gives what may be kept of a version: no blanks, no addresses, nothing
// that looks like a credential.
func versionOf(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxVersion || !plainText.MatchString(s) || likeToken(s) {
		return ""
	}
	return s
}

// likeToken reports whether a text has a long word of letters and digits that is no
// commit.
func likeToken(s string) bool {
	for _, word := range longWord.FindAllString(s, -1) {
		if !hexWord.MatchString(word) && strings.ContainsAny(word, "0123456789") {
			return true
		}
	}
	return false
}

// timeOf reads a time of RFC 3339. What no image was built in is no time.
func timeOf(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	if t = t.UTC(); t.Year() < 1970 || t.Year() > 9000 {
		return time.Time{}
	}
	return t
}
