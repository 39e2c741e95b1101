package oci

import (
	"crypto"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/record"
)

// What a digest says is asked for once ever, whoever asks.
func TestADigestIsAskedOnce(t *testing.T) {
	w, s, o := oneHost(t)
	o.Store = newMemory()
	digest, _ := s.push(image{tag: "v1", labels: labelled(commitA)})
	first := readOne(t, o, "ghcr.io/acme/shop:v1", digest)
	w.forget()
	again := readOne(t, o, "ghcr.io/acme/shop:v1", digest)
	if len(w.seen) > 0 {
		t.Errorf("asked again: %v", w.seen)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
	// Of another repository, where nobody may ask, it is known all the same.
	o.Registries = nil
	if got := readOne(t, o, "mirror.example.test/shop:v1", digest); got.Unread || got.Metadata.Image != "mirror.example.test/shop" {
		t.Errorf("got %+v", got)
	}
}

// A tag is asked each time, since it may have moved, but not what it names.
func TestATagIsAskedEachTime(t *testing.T) {
	w, s, o := oneHost(t)
	o.Store = newMemory()
	a, _ := s.push(image{tag: "v1", labels: labelled(commitA)})
	for i := range 2 {
		w.forget()
		got := readOne(t, o, "ghcr.io/acme/shop:v1", "")
		if !got.Metadata.ByTag || got.Metadata.Digest != "" || claimAt(got.Metadata, record.PlaceLabel).Revision != commitA {
			t.Errorf("got %+v", got)
		}
		if n := len(w.seen); n != []int{4, 2}[i] {
			t.Errorf("run %d: asked %v", i, w.seen)
		}
	}
	// That it was asked by tag is not kept.
	w.forget()
	if got := readOne(t, o, "ghcr.io/acme/shop:v1", a); len(w.seen) > 0 || got.Metadata.ByTag {
		t.Errorf("got %+v, asked %v", got, w.seen)
	}
	s.push(image{tag: "v1", labels: labelled(commitB)})
	if got := readOne(t, o, "ghcr.io/acme/shop:v1", ""); claimAt(got.Metadata, record.PlaceLabel).Revision != commitB {
		t.Errorf("after the tag moved: %+v", got)
	}
}

// A registry that does not tell the digest of a tag is asked for the manifest.
func TestATagWithoutADigest(t *testing.T) {
	w, s, o := oneHost(t)
	o.Store = newMemory()
	digest, _ := s.push(image{tag: "v1", labels: labelled(commitA)})
	for _, code := range []int{200, 405} {
		w.hosts["ghcr.io"] = http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodHead {
				rw.WriteHeader(code)
				return
			}
			s.ServeHTTP(rw, req)
		})
		if got := readOne(t, o, "ghcr.io/acme/shop:v1", ""); got.Reason != "" || claimAt(got.Metadata, record.PlaceLabel).Revision != commitA {
			t.Errorf("%d: %+v", code, got)
		}
	}
	w.forget()
	if got := readOne(t, o, "ghcr.io/acme/shop:v1", digest); len(w.seen) > 0 {
		t.Errorf("not kept: %+v", got)
	}
}

// A signed provenance may come after the image: it is looked for once a day, and
// what was verified with other keys does not count.
func TestASignatureThatComesLater(t *testing.T) {
	ours, theirs := newKey(t, dsse.P256), newKey(t, dsse.P256)
	w, s, o := oneHost(t)
	o.Store, o.Keys, o.Now = newMemory(), []crypto.PublicKey{ours.Public()}, day(1)
	digest, _ := s.push(image{labels: labelled(commitA)})
	read := func() (record.ImageClaim, int) {
		t.Helper()
		w.forget()
		got := readOne(t, o, "ghcr.io/acme/shop", digest)
		if got.Reason != "" || claimAt(got.Metadata, record.PlaceLabel).Revision != commitA {
			t.Fatalf("got %+v", got)
		}
		return claimAt(got.Metadata, record.PlaceProvenance), len(w.seen)
	}
	if c, _ := read(); c.Signed {
		t.Fatalf("signed by nobody: %+v", c)
	}
	s.attest(cosignTag(digest), "", typeEnvelope, sign(t, ours, provenance02(t, digest, commitA)))
	if c, n := read(); c.Signed || n != 0 {
		t.Errorf("on the same day: %+v after %d requests", c, n)
	}
	o.Now = day(2)
	if c, n := read(); !c.Signed || c.Revision != commitA || w.requests("ghcr.io", "/blobs/") != 1 {
		t.Errorf("on the next day: %+v after %d requests", c, n)
	}
	o.Now = day(3)
	if c, n := read(); !c.Signed || n != 0 {
		t.Errorf("once it is known: %+v after %d requests", c, n)
	}
	o.Keys = []crypto.PublicKey{theirs.Public()}
	if c, _ := read(); c.Signed {
		t.Errorf("with another key: %+v", c)
	}
	o.Keys = nil
	if c, _ := read(); c.Signed {
		t.Errorf("without keys: %+v", c)
	}
	// Without a clock it is not looked for again.
	o.Keys, o.Now = []crypto.PublicKey{newKey(t, dsse.P256).Public()}, nil
	read()
	if _, n := read(); n != 0 {
		t.Errorf("without a clock: %d requests", n)
	}
}

// What could not be read beside the image is asked for in the next run.
func TestWhatIsIncompleteIsNotKept(t *testing.T) {
	w, s, o := oneHost(t)
	o.Keys = []crypto.PublicKey{newKey(t, dsse.P256).Public()}
	store := newMemory()
	o.Store = store
	digest, _ := s.push(image{labels: labelled(commitA)})
	w.hosts["ghcr.io"] = answering(s, "/referrers/", status(500))
	if got := readOne(t, o, "ghcr.io/acme/shop", digest); got.Reason != "" || claimAt(got.Metadata, record.PlaceLabel).Revision != commitA {
		t.Errorf("got %+v", got)
	}
	if store.text() != "" {
		t.Errorf("kept: %s", store.text())
	}
	w.hosts["ghcr.io"] = s
	readOne(t, o, "ghcr.io/acme/shop", digest)
	if !strings.Contains(store.text(), digest) {
		t.Error("not kept")
	}
}

func TestAStoreWithRubbish(t *testing.T) {
	_, s, o := oneHost(t)
	store := newMemory()
	o.Store = store
	digest, _ := s.push(image{labels: labelled(commitA)})
	store.Put("image/1/none/"+digest, []byte("planted"))
	if got := readOne(t, o, "ghcr.io/acme/shop", digest); claimAt(got.Metadata, record.PlaceLabel).Revision != commitA {
		t.Errorf("got %+v", got)
	}
}
