package oci

import (
	"crypto"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/record"
)

// checkClaim holds what is told of an image to its promises.
func checkClaim(t *testing.T, c record.ImageClaim) {
	t.Helper()
	if len(c.Revision) > maxRevision || len(c.Version) > maxVersion || strings.ContainsFunc(c.Revision+c.Version, func(r rune) bool { return r <= ' ' || r > '~' || r == '@' }) {
		t.Errorf("odd: %+v", c)
	}
	if c.Source != "" && record.RepositoryName(c.Source) != c.Source {
		t.Errorf("source %q is no name", c.Source)
	}
	if _, err := json.Marshal(c); err != nil {
		t.Errorf("%+v: %v", c, err)
	}
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"mediaType":"`+typeManifest+`","config":{"mediaType":"`+typeConfig+`","digest":"sha256:0"},"annotations":{"`+keyRevision+`":"a"}}`), []byte(`{"created":"2026-07-01T00:00:00Z","config":{"Labels":{"`+keySource+`":"https://github.com/a/b"}}}`))
	f.Add([]byte(`{"manifests":[{"platform":{"os":"linux","architecture":"arm64"}},{"annotations":{"`+keyReferenceType+`":"x"}}]}`), []byte(`{"config":{"Labels":[1]}}`))
	f.Fuzz(func(t *testing.T, manifest, conf []byte) {
		d, err := parseDocument(fetched{body: manifest, digest: "sha256:0"})
		if err != nil {
			return
		}
		for _, m := range append(d.platforms(), d.attestations("sha256:0")...) {
			if !digestForm.MatchString(m.Digest) {
				t.Errorf("digest %q", m.Digest)
			}
		}
		var c config
		_ = decode(conf, &c)
		for place, labels := range map[record.ImagePlace]texts{record.PlaceLabel: c.Config.Labels, record.PlaceManifest: d.Annotations} {
			claim, _ := claimOf(place, labels)
			checkClaim(t, claim)
		}
	})
}

// Nobody without a key makes something that counts as signed.
func FuzzAttestation(f *testing.F) {
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":"AAAA"}]}`))
	f.Add([]byte(`{"dsseEnvelope":{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":"AAAA"}]}}`))
	f.Add([]byte(`{"predicateType":"https://slsa.dev/provenance/v1","subject":[{"digest":{"sha256":"00"}}],"predicate":{"buildDefinition":{"resolvedDependencies":[{"uri":"git+https://github.com/a/b@refs/heads/c","digest":{"gitCommit":"` + commitA + `"}}]}}}`))
	key := newKey(&testing.T{}, "ed25519").Public()
	f.Fuzz(func(t *testing.T, body []byte) {
		s, signed, ok := parseAttestation(body, []crypto.PublicKey{key})
		if signed {
			t.Error("signed")
		}
		if ok {
			c, _ := s.claim()
			checkClaim(t, c)
		}
	})
}

func FuzzReference(f *testing.F) {
	f.Add("ghcr.io/acme/shop:v1@sha256:"+strings.Repeat("a", 64), "docker://sha256:"+strings.Repeat("b", 64))
	f.Add("nginx", "")
	f.Fuzz(func(t *testing.T, image, digest string) {
		if d := plainDigest(digest); d != "" && !digestForm.MatchString(d) {
			t.Errorf("digest %q", d)
		}
		r, err := parseReference(image, nil)
		if err != nil {
			return
		}
		if r.tag != "" && !tagForm.MatchString(r.tag) || r.digest != "" && !digestForm.MatchString(r.digest) || r.tag+r.digest == "" ||
			!strings.HasPrefix(image, r.image) || strings.ContainsAny(r.path(), "?#%@ \\") || strings.Contains(r.path(), "..") {
			t.Errorf("%q: %+v", image, r)
		}
	})
}

func FuzzDockerConfig(f *testing.F) {
	f.Add([]byte(`{"auths":{"https://index.docker.io/v1/":{"auth":"YTpi"},"*.example.test/a":{"identitytoken":"x"}},"credHelpers":{"ghcr.io":"x"},"credsStore":"y"}`), "ghcr.io", "acme/shop")
	f.Fuzz(func(t *testing.T, text []byte, host, repo string) {
		c, err := parseDockerConfig(text)
		if err != nil {
			return
		}
		for _, l := range c.logins(false) {
			l.matches(host, repo)
			if l.helper != "" {
				t.Errorf("a helper out of a pull secret: %q", l.helper)
			}
		}
		c.logins(true)
	})
}
