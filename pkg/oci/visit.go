package oci

import (
	"context"
	"crypto"
	"errors"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/record"
)

const (
	// maxPlatforms bounds how many platforms of an index are looked through for a
	// config.
	maxPlatforms = 12
	// maxAttestations bounds the attestations that are read of one image.
	maxAttestations = 8
)

// visit reads one image in one session.
type visit struct {
	s   *session
	ref reference
	// digest is what was asked for; empty when only the tag is known.
	digest string
	keys   []crypto.PublicKey
	left   int // attestations that may still be read
	// incomplete says that something beside the image could not be read, and may be
	// later.
	incomplete bool
}

// kept is what is known of a digest.
type kept struct {
	record.ImageMetadata
	// Subjects are the digests that an attestation about the image may have.
	Subjects []string `json:"subjects,omitempty"`
}

// signed reports whether the provenance is.
func (k kept) signed() bool {
	return slices.ContainsFunc(k.Claims, func(c record.ImageClaim) bool { return c.Signed })
}

func (v *visit) document(ctx context.Context, ref string) (document, error) {
	f, err := v.s.manifest(ctx, ref)
	if err != nil {
		return document{}, err
	}
	return parseDocument(f)
}

// byDigest reads what a digest names: an index, a manifest or, as a runtime without
// a registry tells it, the config of what the tag names.
func (v *visit) byDigest(ctx context.Context, digest string) (kept, error) {
	top, err := v.document(ctx, digest)
	if errors.Is(err, errNotFound) && v.ref.tag != "" {
		return v.byConfig(ctx, digest)
	}
	if err != nil {
		return kept{}, err
	}
	return v.describe(ctx, top)
}

// byConfig finds the image of the tag whose config has the digest. When there is
// none, the tag is known to be another image than the one that runs.
func (v *visit) byConfig(ctx context.Context, digest string) (kept, error) {
	top, err := v.document(ctx, v.ref.tag)
	if err != nil {
		return kept{}, err
	}
	if !top.isIndex() {
		if top.Config.Digest != digest {
			return kept{}, errMoved
		}
		return v.image(ctx, document{}, top)
	}
	list := top.platforms()
	for _, m := range list[:min(len(list), maxPlatforms)] {
		image, err := v.document(ctx, m.Digest)
		if err != nil {
			return kept{}, err
		}
		if image.Config.Digest == digest {
			return v.image(ctx, top, image)
		}
	}
	if len(list) > maxPlatforms {
		return kept{}, errTooLarge
	}
	return kept{}, errMoved
}

// describe reads an index and the image chosen of it, or an image.
func (v *visit) describe(ctx context.Context, top document) (kept, error) {
	if !top.isIndex() {
		return v.image(ctx, document{}, top)
	}
	list := top.platforms()
	var image document
	if len(list) > 0 {
		var err error
		if image, err = v.document(ctx, list[0].Digest); err != nil && passing(err) {
			return kept{}, err
		}
	}
	return v.image(ctx, top, image)
}

// indexAround gives what the tag names, when it is an index with the image in it.
func (v *visit) indexAround(ctx context.Context, image string) document {
	index, err := v.document(ctx, v.ref.tag)
	if err != nil {
		v.incomplete = v.incomplete || passing(err)
		return document{}
	}
	if !slices.ContainsFunc(index.platforms(), func(d descriptor) bool { return d.Digest == image }) {
		return document{}
	}
	return index
}

// image reads what an image says of itself. The index may be none: then, where the
// image has no revision, the one around it may have, and is found by the tag alone.
func (v *visit) image(ctx context.Context, index, image document) (kept, error) {
	var k kept
	conf, err := v.config(ctx, image.Config)
	if err != nil {
		return k, err
	}
	k.Created = timeOf(conf.Created)
	k.claim(record.PlaceLabel, conf.Config.Labels)
	k.claim(record.PlaceManifest, image.Annotations)
	if index.digest == "" && !hasRevision(k.Claims) && v.ref.tag != "" && image.digest == v.digest {
		index = v.indexAround(ctx, image.digest)
	}
	k.claim(record.PlaceIndex, index.Annotations)
	for _, d := range []string{index.digest, image.digest} {
		if d != "" {
			k.Subjects = append(k.Subjects, d)
		}
	}
	if c, ok := v.provenance(ctx, index, image, k.Subjects); ok {
		k.Claims = append(k.Claims, c)
	}
	return k, nil
}

// claim takes what labels or annotations say.
func (k *kept) claim(place record.ImagePlace, t texts) {
	if c, ok := claimOf(place, t); ok {
		k.Claims = append(k.Claims, c)
	}
	if base := t[keyBase]; k.Base == "" && digestForm.MatchString(base) {
		k.Base = base
	}
}

// config reads the config of an image. Artifacts that are no images have none that
// is read, and one that is too large has no labels.
func (v *visit) config(ctx context.Context, d descriptor) (config, error) {
	var c config
	if !digestForm.MatchString(d.Digest) || d.MediaType != typeConfig && d.MediaType != typeDockerConf {
		return c, nil
	}
	body, err := v.s.blob(ctx, d)
	switch {
	case err != nil && !passing(err):
		return c, nil
	case err != nil:
		return c, err
	}
	if decode(body, &c) != nil {
		return config{}, nil
	}
	return c, nil
}

func hasRevision(claims []record.ImageClaim) bool {
	return slices.ContainsFunc(claims, func(c record.ImageClaim) bool { return c.Revision != "" })
}

// provenance gives what attestations say: those that BuildKit put into the index,
// and, when there are keys to verify them with, those attached to the image.
func (v *visit) provenance(ctx context.Context, index, image document, subjects []string) (record.ImageClaim, bool) {
	v.left = maxAttestations
	var signed, unsigned []record.ImageClaim
	for _, m := range index.attestations(image.digest) {
		// What is in the index is as much part of it as the image: a statement that
		// names no subject is about the image.
		s, u := v.attestation(ctx, m.Digest, subjects, true)
		signed, unsigned = append(signed, s...), append(unsigned, u...)
	}
	if len(v.keys) > 0 && len(signed) == 0 {
		s, u := v.attached(ctx, subjects)
		signed, unsigned = append(signed, s...), append(unsigned, u...)
	}
	return best(signed, unsigned)
}

// attached reads the attestations that were pushed beside an image: what refers to
// it, and cosign's tag. It ends with the first digest that has a signed one.
func (v *visit) attached(ctx context.Context, subjects []string) (signed, unsigned []record.ImageClaim) {
	for _, digest := range subjects {
		for _, ref := range append(v.referrers(ctx, digest), strings.Replace(digest, ":", "-", 1)+".att") {
			s, u := v.attestation(ctx, ref, subjects, false)
			signed, unsigned = append(signed, s...), append(unsigned, u...)
		}
		if len(signed) > 0 {
			break
		}
	}
	return signed, unsigned
}

// referrers gives the digests of the attestations that refer to a digest. A registry
// without the API for it may have them under a tag.
func (v *visit) referrers(ctx context.Context, digest string) []string {
	f, err := v.s.get(ctx, "referrers", digest, typeIndex)
	if errors.Is(err, errNotFound) || errors.Is(err, errOdd) {
		f, err = v.s.manifest(ctx, strings.Replace(digest, ":", "-", 1))
	}
	if err != nil {
		v.incomplete = v.incomplete || passing(err)
		return nil
	}
	var list document
	if decode(f.body, &list) != nil {
		return nil
	}
	var out []string
	for _, m := range list.Manifests {
		if mayBeAttestation(m.ArtifactType) && digestForm.MatchString(m.Digest) && len(out) < maxAttestations {
			out = append(out, m.Digest)
		}
	}
	return out
}

// mayBeAttestation reports whether what refers to an image is worth a look. Some
// registries do not tell its type.
func mayBeAttestation(kind string) bool {
	return strings.HasPrefix(kind, typeBundle) || kind == typeEnvelope || kind == typeStatement || kind == typeEmpty || kind == ""
}

// attestation reads the layers of an attestation's manifest. What is about another
// image is left out, whoever signed it.
func (v *visit) attestation(ctx context.Context, ref string, subjects []string, within bool) (signed, unsigned []record.ImageClaim) {
	if v.left <= 0 {
		return nil, nil
	}
	manifest, err := v.document(ctx, ref)
	if err != nil {
		v.incomplete = v.incomplete || passing(err)
		return nil, nil
	}
	for _, layer := range manifest.Layers {
		kind := layer.MediaType
		if kind != typeStatement && kind != typeEnvelope && !strings.HasPrefix(kind, typeBundle) || !digestForm.MatchString(layer.Digest) {
			continue
		}
		if v.left--; v.left < 0 {
			break
		}
		body, err := v.s.blob(ctx, layer)
		if err != nil {
			v.incomplete = v.incomplete || passing(err)
			continue
		}
		s, isSigned, ok := parseAttestation(body, v.keys)
		if !ok || !s.about(subjects) && (isSigned || !within || len(s.Subject) > 0) {
			continue
		}
		c, ok := s.claim()
		switch {
		case !ok:
		case isSigned:
			c.Signed = true
			signed = append(signed, c)
		default:
			unsigned = append(unsigned, c)
		}
	}
	return signed, unsigned
}
