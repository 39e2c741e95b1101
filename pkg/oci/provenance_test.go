package oci

import (
	"context"
	"crypto"
	"crypto/rand"
	"strings"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/record"
)

func newKey(t *testing.T, alg dsse.Algorithm) dsse.Signer {
	t.Helper()
	key, err := dsse.GenerateKey(alg, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := dsse.NewSigner(key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	slsa02 = "https://slsa.dev/provenance/v0.2"
	slsa1  = "https://slsa.dev/provenance/v1"
)

// provenance02 is a statement of version 0.2 about an image.
func provenance02(t *testing.T, subject, commit string) []byte {
	return mustJSON(t, obj{
		"_type": "https://in-toto.io/Statement/v0.1", "predicateType": slsa02,
		"subject": []obj{{"name": planted, "digest": obj{"sha256": strings.TrimPrefix(subject, "sha256:")}}},
		"predicate": obj{
			"builder": obj{"id": planted},
			"invocation": obj{
				"configSource": obj{"uri": "https://github.com/Acme/Shop.git#refs/heads/" + planted, "digest": obj{"sha1": commit}},
				"parameters":   obj{"args": obj{"build-arg:TOKEN": planted}}, "environment": obj{"x": planted},
			},
		},
	})
}

func sign(t *testing.T, s dsse.Signer, payload []byte) []byte {
	t.Helper()
	e, err := dsse.Sign(context.Background(), s, dsse.PayloadType, payload)
	if err != nil {
		t.Fatal(err)
	}
	return mustJSON(t, envelopeOf(e))
}

func envelopeOf(e dsse.Envelope) obj {
	return obj{
		"payloadType": e.PayloadType, "payload": e.Payload,
		"signatures": []obj{{"keyid": "", "sig": []byte("AAAA")}, {"keyid": "", "sig": e.Signature}},
	}
}

func bundled(t *testing.T, s dsse.Signer, payload []byte) []byte {
	t.Helper()
	e, err := dsse.Sign(context.Background(), s, dsse.PayloadType, payload)
	if err != nil {
		t.Fatal(err)
	}
	return mustJSON(t, obj{"mediaType": typeBundle + ".v0.3+json", "verificationMaterial": obj{"publicKey": obj{"hint": "x"}}, "dsseEnvelope": envelopeOf(e)})
}

func cosignTag(digest string) string { return strings.Replace(digest, ":", "-", 1) + ".att" }

// Where attestations are found, and when they count as signed.
func TestProvenance(t *testing.T) {
	ours, ed, theirs := newKey(t, dsse.P256), newKey(t, dsse.Ed25519), newKey(t, dsse.P256)
	keys := []crypto.PublicKey{ours.Public(), ed.Public()}
	type at struct{ index, amd, other string }
	inIndex := func(layer func(at) []byte) func(t *testing.T, s *shelf, amd string) at {
		return func(t *testing.T, s *shelf, amd string) at {
			a := at{amd: amd}
			m := s.attest("", "", typeStatement, layer(a))
			a.index = s.index("v1", nil, entry(amd, "linux", "amd64", nil),
				entry(m, "unknown", "unknown", map[string]string{keyReferenceType: "attestation-manifest", keyReferenceDigest: amd}))
			return a
		}
	}
	beside := func(push func(t *testing.T, s *shelf, a at)) func(t *testing.T, s *shelf, amd string) at {
		return func(t *testing.T, s *shelf, amd string) at {
			other, _ := s.push(image{tag: "other"})
			a := at{amd: amd, other: other, index: s.index("v1", nil, entry(amd, "linux", "amd64", nil))}
			push(t, s, a)
			return a
		}
	}
	plain := func(commit string) func(at) []byte {
		return func(a at) []byte { return provenance02(t, a.amd, commit) }
	}
	tests := []struct {
		name      string
		push      func(t *testing.T, s *shelf, amd string) at
		keys      []crypto.PublicKey
		referrers bool
		revision  string
		signed    bool
	}{
		{name: "BuildKit's, in the index", push: inIndex(plain(commitA)), revision: commitA},
		{name: "BuildKit's, with keys", push: inIndex(plain(commitA)), keys: keys, revision: commitA},
		{name: "BuildKit's, about another image", push: inIndex(func(at) []byte { return provenance02(t, "sha256:"+strings.Repeat("9", 64), commitA) })},
		{name: "BuildKit's, without a subject", revision: commitA, push: inIndex(func(a at) []byte {
			return []byte(strings.Replace(string(provenance02(t, a.amd, commitA)), `"subject"`, `"other"`, 1))
		})},
		{name: "BuildKit's, not of SLSA", push: inIndex(func(a at) []byte {
			return []byte(strings.Replace(string(provenance02(t, a.amd, commitA)), slsa02, "https://spdx.dev/Document", 1))
		})},
		{name: "cosign's tag of the index", keys: keys, revision: commitA, signed: true, push: beside(func(t *testing.T, s *shelf, a at) {
			s.attest(cosignTag(a.index), "", typeEnvelope, sign(t, ours, provenance02(t, a.index, commitA)))
		})},
		{name: "cosign's tag of the platform, Ed25519", keys: keys, revision: commitA, signed: true, push: beside(func(t *testing.T, s *shelf, a at) {
			s.attest(cosignTag(a.amd), "", typeEnvelope, sign(t, ed, provenance02(t, a.amd, commitA)))
		})},
		{name: "cosign's tag, nobody has keys", push: beside(func(t *testing.T, s *shelf, a at) {
			s.attest(cosignTag(a.index), "", typeEnvelope, sign(t, ours, provenance02(t, a.index, commitA)))
		})},
		{name: "signed by another", keys: keys, revision: commitA, push: beside(func(t *testing.T, s *shelf, a at) {
			s.attest(cosignTag(a.index), "", typeEnvelope, sign(t, theirs, provenance02(t, a.index, commitA)))
		})},
		{name: "signed by another, beside one of ours", keys: keys, revision: commitA, signed: true, push: beside(func(t *testing.T, s *shelf, a at) {
			s.attest(cosignTag(a.index), "", typeEnvelope, sign(t, theirs, provenance02(t, a.index, commitB)), sign(t, ours, provenance02(t, a.index, commitA)))
		})},
		{name: "signed by us, about another image", keys: keys, push: beside(func(t *testing.T, s *shelf, a at) {
			s.attest(cosignTag(a.index), "", typeEnvelope, sign(t, ours, provenance02(t, a.other, commitA)))
		})},
		{name: "signed by us, about nothing", keys: keys, push: beside(func(t *testing.T, s *shelf, a at) {
			s.attest(cosignTag(a.index), "", typeEnvelope, sign(t, ours, []byte(`{"predicateType":"`+slsa02+`","subject":[{"digest":{}},{}],"predicate":{"invocation":{"configSource":{"digest":{"sha1":"`+commitA+`"}}}}}`)))
		})},
		{name: "signed by us, not of SLSA", keys: keys, push: beside(func(t *testing.T, s *shelf, a at) {
			s.attest(cosignTag(a.index), "", typeEnvelope, sign(t, ours, []byte(strings.Replace(string(provenance02(t, a.index, commitA)), slsa02, "cosign.sigstore.dev/attestation/v1", 1))))
		})},
		{name: "two that we signed disagree", keys: keys, push: beside(func(t *testing.T, s *shelf, a at) {
			s.attest(cosignTag(a.index), "", typeEnvelope, sign(t, ours, provenance02(t, a.index, commitA)), sign(t, ed, provenance02(t, a.index, commitB)))
		})},
		{name: "changed after it was signed", keys: keys, push: beside(func(t *testing.T, s *shelf, a at) {
			body := strings.Replace(string(sign(t, ours, provenance02(t, a.index, commitA))), `"payload":"`, `"payload":"AAAA`, 1)
			s.attest(cosignTag(a.index), "", typeEnvelope, []byte(body))
		})},
		{name: "another type of payload", keys: keys, push: beside(func(t *testing.T, s *shelf, a at) {
			body := strings.Replace(string(sign(t, ours, provenance02(t, a.index, commitA))), dsse.PayloadType, "text/plain", 1)
			s.attest(cosignTag(a.index), "", typeEnvelope, []byte(body))
		})},
		{name: "a bundle that refers to the index", keys: keys, referrers: true, revision: commitA, signed: true, push: beside(func(t *testing.T, s *shelf, a at) {
			s.attest("", a.index, typeBundle+".v0.3+json", bundled(t, ours, provenance02(t, a.index, commitA)))
		})},
		{name: "a bundle where the registry has no API for it", keys: keys, revision: commitA, signed: true, push: beside(func(t *testing.T, s *shelf, a at) {
			m := s.attest("", a.index, typeBundle+".v0.3+json", bundled(t, ours, provenance02(t, a.index, commitA)))
			e := entry(m, "", "", nil)
			e["artifactType"] = typeBundle + ".v0.3+json"
			s.index(strings.Replace(a.index, ":", "-", 1), nil, e)
		})},
		{name: "more than are read", keys: keys, referrers: true, push: beside(func(t *testing.T, s *shelf, a at) {
			var layers [][]byte
			for range maxAttestations {
				layers = append(layers, []byte(`{}`))
			}
			s.attest(cosignTag(a.index), "", typeEnvelope, append(layers, sign(t, ours, provenance02(t, a.index, commitA)))...)
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, s := newWorld(t), newShelf(t, "acme/shop", ggcr.WithReferrersSupport(tt.referrers))
			w.hosts["ghcr.io"] = s
			amd, _ := s.push(image{labels: map[string]string{"x": "y"}})
			a := tt.push(t, s, amd)
			store := newMemory()
			got := readOne(t, Options{Transport: w, Registries: []string{"ghcr.io"}, Keys: tt.keys, Store: store}, "ghcr.io/acme/shop:v1", a.index)
			c := claimAt(got.Metadata, record.PlaceProvenance)
			if got.Reason != "" || c.Revision != tt.revision || c.Signed != tt.signed || (c.Source == "github.com/acme/shop") != (tt.revision != "") {
				t.Errorf("got %+v", got)
			}
			if text := string(mustJSON(t, got)) + store.text(); strings.Contains(text, planted) {
				t.Errorf("told: %s", text)
			}
		})
	}
}

func TestWhatAProvenanceSays(t *testing.T) {
	config := obj{"uri": "https://github.com/Acme/Shop.git#refs/tags/v1", "digest": obj{"sha1": commitA}}
	dep := func(uri, commit string) obj { return obj{"uri": uri, "digest": obj{"gitCommit": commit}} }
	const github = "git+https://github.com/acme/shop@refs/heads/main"
	vcs := obj{"vcs": obj{"source": "git@github.com:acme/shop.git", "revision": commitA + "-dirty"}}
	tests := []struct {
		name             string
		predicate        obj
		revision, source string
	}{
		{"v0.2 of a git context", obj{"invocation": obj{"configSource": config}}, commitA, "github.com/acme/shop"},
		{"v1 of a git context", obj{"buildDefinition": obj{"externalParameters": obj{"configSource": config}}}, commitA, "github.com/acme/shop"},
		{"v0.2 of a folder", obj{"metadata": obj{"https://mobyproject.org/buildkit@v1#metadata": vcs}}, commitA + "-dirty", "github.com/acme/shop"},
		{"v1 of a folder", obj{"runDetails": obj{"metadata": obj{"buildkit_metadata": vcs}}}, commitA + "-dirty", "github.com/acme/shop"},
		{"GitHub's", obj{"buildDefinition": obj{"externalParameters": obj{"workflow": obj{"repository": "https://github.com/acme/shop", "ref": "x"}}, "resolvedDependencies": []obj{dep(github, commitA)}}}, commitA, "github.com/acme/shop"},
		{"one dependency of several", obj{"buildDefinition": obj{"externalParameters": obj{"workflow": obj{"repository": "https://github.com/acme/shop"}}, "resolvedDependencies": []obj{dep("git+https://github.com/acme/lib", commitB), dep(github, commitA), dep(github, commitA)}}}, commitA, "github.com/acme/shop"},
		{"several, and which is not said", obj{"buildDefinition": obj{"resolvedDependencies": []obj{dep("git+https://github.com/acme/lib", commitB), dep(github, commitA)}}}, "", ""},
		{"one git among images", obj{"buildDefinition": obj{"resolvedDependencies": []obj{{"uri": "pkg:docker/golang", "digest": obj{"sha256": strings.Repeat("a", 64)}}, dep(github, commitA)}}}, commitA, "github.com/acme/shop"},
		{"a short digest", obj{"invocation": obj{"configSource": obj{"uri": "https://github.com/acme/shop", "digest": obj{"sha1": "1111111"}}}}, "", ""},
		{"parameters of another builder", obj{"buildDefinition": obj{"externalParameters": obj{"configSource": "text", "workflow": []string{"x"}}, "resolvedDependencies": []obj{dep(github, commitA)}}}, commitA, "github.com/acme/shop"},
		{"a repository that is none", obj{"invocation": obj{"configSource": obj{"uri": "x", "digest": obj{"sha1": commitA}}}}, commitA, ""},
		{"a text for a commit", obj{"metadata": obj{"https://mobyproject.org/buildkit@v1#metadata": obj{"vcs": obj{"revision": "by Planted Person"}}}}, "", ""},
		{"nothing", obj{}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, signed, ok := parseAttestation(mustJSON(t, obj{"predicateType": slsa1, "predicate": tt.predicate}), nil)
			if !ok || signed {
				t.Fatalf("not read")
			}
			c, _ := s.claim()
			if c.Revision != tt.revision || c.Source != tt.source {
				t.Errorf("got %+v", c)
			}
		})
	}
	for uri, want := range map[string]string{
		"git+https://github.com/acme/shop@refs/heads/main":    "github.com/acme/shop",
		"git+ssh://git@github.com/acme/shop.git@refs/heads/x": "github.com/acme/shop",
		"git@github.com:acme/shop.git":                        "github.com/acme/shop",
		"https://u:planted@gitlab.com/a/b/c.git":              "gitlab.com/a/b/c",
		"":                                                    "", "://": "", "x://": "", "git+https://": "", "@": "",
	} {
		if got := (material{URI: uri}).source(); got != want {
			t.Errorf("%q: got %q", uri, got)
		}
	}
}

func TestKeysThatAreNone(t *testing.T) {
	if _, err := New(Options{Keys: []crypto.PublicKey{"planted"}}); err == nil || strings.Contains(err.Error(), "planted") {
		t.Errorf("got %v", err)
	}
}
