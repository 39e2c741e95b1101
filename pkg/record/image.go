package record

import "time"

// ImagePlace says where in an image a claim stands.
type ImagePlace string

// The places.
const (
	PlaceLabel      ImagePlace = "label"               // of the image's config
	PlaceManifest   ImagePlace = "manifest_annotation" // of the platform's manifest
	PlaceIndex      ImagePlace = "index_annotation"    // of the index of a multi-platform image
	PlaceProvenance ImagePlace = "provenance"          // a SLSA provenance attestation
)

// ImageClaim is what an image says of its source code in one place. Whoever could
// push the image could write it.
type ImageClaim struct {
	Place ImagePlace `json:"place"`
	// Revision, Source and Version are org.opencontainers.image.revision, .source and
	// .version, or what a provenance says. Revision is a commit or version, without a
	// branch before it; Source is in the form of RepositoryName. What stands there and
	// has another form is left out.
	Revision string `json:"revision,omitempty"`
	Source   string `json:"source,omitempty"`
	Version  string `json:"version,omitempty"`
	// Created is org.opencontainers.image.created.
	Created time.Time `json:"created,omitzero"`
	// Signed says that the provenance is signed by a key that the config names.
	Signed bool `json:"signed,omitempty"`
}

// ImageMetadata is what an image says of itself. It never has environment,
// entrypoint, command or history.
type ImageMetadata struct {
	// Image is the reference without tag and digest: ghcr.io/acme/shop.
	Image string `json:"image"`
	// Digest is what was asked for: of an index, a manifest or a config.
	Digest string `json:"digest"`
	// ByTag says that no digest was known and the tag was asked instead, which may
	// have moved since.
	ByTag bool `json:"by_tag,omitempty"`
	// Created is the time in the image's config; often zero or the epoch in
	// reproducible builds.
	Created time.Time `json:"created,omitzero"`
	// Base is org.opencontainers.image.base.digest; often empty.
	Base string `json:"base,omitempty"`
	// Claims are in the order of the places above, one a place.
	Claims []ImageClaim `json:"claims,omitempty"`
}
