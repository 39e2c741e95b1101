package oci

import (
	"crypto"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/record"
)

// Media types of attestations.
const (
	typeStatement = "application/vnd.in-toto+json"
	typeEnvelope  = "application/vnd.dsse.envelope.v1+json"
	typeBundle    = "application/vnd.dev.sigstore.bundle" // and a version
	typeEmpty     = "application/vnd.oci.empty.v1+json"

	maxSignatures = 16
)

var commitForm = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// statement is what is read of an in-toto statement with a SLSA provenance of
// version 0.2 or 1. Build arguments, environment and parameters are not.
type statement struct {
	Subject []struct {
		Digest struct {
			SHA256 string `json:"sha256"`
			SHA512 string `json:"sha512"`
		} `json:"digest"`
	} `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type predicate struct {
	// Of version 0.2.
	Invocation struct {
		ConfigSource material `json:"configSource"`
	} `json:"invocation"`
	Metadata struct {
		BuildKit buildkit `json:"https://mobyproject.org/buildkit@v1#metadata"`
	} `json:"metadata"`
	// Of version 1.
	BuildDefinition struct {
		ExternalParameters struct {
			ConfigSource material `json:"configSource"`
			Workflow     struct {
				Repository string `json:"repository"`
			} `json:"workflow"`
		} `json:"externalParameters"`
		ResolvedDependencies []material `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Metadata struct {
			BuildKit buildkit `json:"buildkit_metadata"`
		} `json:"metadata"`
	} `json:"runDetails"`
}

type material struct {
	URI    string `json:"uri"`
	Digest struct {
		SHA1      string `json:"sha1"`
		GitCommit string `json:"gitCommit"`
	} `json:"digest"`
}

// buildkit is where docker buildx says from which checkout it was called.
type buildkit struct {
	VCS struct {
		Source   string `json:"source"`
		Revision string `json:"revision"`
	} `json:"vcs"`
}

// commit gives the commit that a material is, or "".
func (m material) commit() string {
	for _, c := range []string{m.Digest.GitCommit, m.Digest.SHA1} {
		if commitForm.MatchString(c) {
			return c
		}
	}
	return ""
}

// source gives the repository of a material: git+https://host/path@refs/heads/main.
func (m material) source() string {
	uri := m.URI
	if scheme := strings.Index(uri, "://"); scheme >= 0 {
		path := scheme + len("://")
		if slash := strings.IndexByte(uri[path:], '/'); slash >= 0 {
			path += slash
			if at := strings.IndexByte(uri[path:], '@'); at >= 0 {
				uri = uri[:path+at]
			}
		}
	}
	return record.RepositoryName(uri)
}

// isProvenance reports whether a statement is of a kind that is read.
func (s statement) isProvenance() bool {
	kind, ok := strings.CutPrefix(s.PredicateType, "https://slsa.dev/provenance/")
	return ok && (kind == "v0.2" || kind == "v1" || strings.HasPrefix(kind, "v1."))
}

// about reports whether a subject of the statement has one of the digests.
func (s statement) about(digests []string) bool {
	for _, sub := range s.Subject {
		if slices.Contains(digests, "sha256:"+sub.Digest.SHA256) || slices.Contains(digests, "sha512:"+sub.Digest.SHA512) {
			return true
		}
	}
	return false
}

// claim gives the commit that the statement says was built, and its repository.
func (s statement) claim() (record.ImageClaim, bool) {
	c := record.ImageClaim{Place: record.PlaceProvenance}
	p := s.Predicate
	for _, m := range []material{p.Invocation.ConfigSource, p.BuildDefinition.ExternalParameters.ConfigSource, p.dependency()} {
		if commit := m.commit(); commit != "" {
			c.Revision, c.Source = commit, m.source()
			return c, true
		}
	}
	for _, b := range []buildkit{p.Metadata.BuildKit, p.RunDetails.Metadata.BuildKit} {
		if b.VCS.Revision != "" {
			c.Revision, c.Source = revisionOf(b.VCS.Revision), record.RepositoryName(b.VCS.Source)
			return c, c.Revision != ""
		}
	}
	return c, false
}

// dependency gives the one commit among what went into a build: that of the
// workflow's repository where it is named. Of several it gives none.
func (p predicate) dependency() material {
	workflow := record.RepositoryName(p.BuildDefinition.ExternalParameters.Workflow.Repository)
	var found []material
	for _, m := range p.BuildDefinition.ResolvedDependencies {
		source := m.source()
		if m.commit() == "" || source == "" || workflow != "" && source != workflow {
			continue
		}
		if !slices.ContainsFunc(found, func(o material) bool { return o.commit() == m.commit() && o.source() == source }) {
			found = append(found, m)
		}
	}
	if len(found) != 1 {
		return material{}
	}
	return found[0]
}

// envelope is a statement with signatures.
type envelope struct {
	PayloadType string `json:"payloadType"`
	Payload     []byte `json:"payload"`
	Signatures  []struct {
		Sig []byte `json:"sig"`
	} `json:"signatures"`
}

// parseAttestation reads a layer of an attestation: a statement, an envelope around
// one, or a bundle around that. signed says that one of the keys signed it.
func parseAttestation(body []byte, keys []crypto.PublicKey) (s statement, signed, ok bool) {
	var any struct {
		envelope
		Bundle *envelope `json:"dsseEnvelope"`
	}
	if json.Unmarshal(body, &any) != nil {
		return s, false, false
	}
	e := any.envelope
	if any.Bundle != nil {
		e = *any.Bundle
	}
	if len(e.Payload) > 0 {
		if e.PayloadType != dsse.PayloadType {
			return s, false, false
		}
		body, signed = e.Payload, e.signedBy(keys)
	}
	if decode(body, &s) != nil {
		return s, false, false
	}
	return s, signed, s.isProvenance()
}

func (e envelope) signedBy(keys []crypto.PublicKey) bool {
	if len(keys) == 0 || len(e.Signatures) > maxSignatures {
		return false
	}
	for _, sig := range e.Signatures {
		one := dsse.Envelope{PayloadType: e.PayloadType, Payload: e.Payload, Signature: sig.Sig}
		if _, err := one.Verify(keys...); err == nil {
			return true
		}
	}
	return false
}

// best gives the one claim of several provenances: a signed one before others.
// Those that name different commits cancel each other out, since nothing says which
// is right.
func best(signed, unsigned []record.ImageClaim) (record.ImageClaim, bool) {
	list := signed
	if len(list) == 0 {
		list = unsigned
	}
	if len(list) == 0 {
		return record.ImageClaim{}, false
	}
	for _, c := range list[1:] {
		if c.Revision != list[0].Revision || c.Source != list[0].Source {
			return record.ImageClaim{}, false
		}
	}
	return list[0], true
}
