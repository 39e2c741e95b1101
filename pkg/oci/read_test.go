package oci

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/record"
)

// oneHost is a world of ghcr.io alone, which lets everybody in.
func oneHost(t *testing.T) (*world, *shelf, Options) {
	w, s := newWorld(t), newShelf(t, "acme/shop")
	w.hosts["ghcr.io"] = s
	return w, s, Options{Transport: w, Registries: []string{"ghcr.io"}, UserAgent: "rcactl/test"}
}

func TestAnImageSaysItsCommit(t *testing.T) {
	_, s, o := oneHost(t)
	digest, _ := s.push(image{
		created: "2026-07-01T10:00:00+02:00",
		labels: map[string]string{
			keyRevision: commitA, keySource: "https://github.com/Acme/Shop.git", keyVersion: "v1.2.3",
			keyCreated: "2026-07-01T08:00:00Z", "maintainer": planted,
		},
		annotations: map[string]string{keyRevision: commitB, keyBase: "sha256:" + strings.Repeat("b", 64), "note": planted},
	})
	got := readOne(t, o, "ghcr.io/acme/shop:v1@"+digest, "")
	at := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	want := record.ImageMetadata{
		Image: "ghcr.io/acme/shop", Digest: digest, Created: at,
		Base: "sha256:" + strings.Repeat("b", 64),
		Claims: []record.ImageClaim{
			{Place: record.PlaceLabel, Revision: commitA, Source: "github.com/acme/shop", Version: "v1.2.3", Created: at},
			{Place: record.PlaceManifest, Revision: commitB},
		},
	}
	if diff := cmp.Diff(Answer{Ask: Ask{Image: "ghcr.io/acme/shop:v1@" + digest}, Metadata: want}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatADigestTurnsOutToBe(t *testing.T) {
	w, s, o := oneHost(t)
	amd, conf := s.push(image{labels: labelled(commitA)})
	arm, armConf := s.push(image{labels: labelled(commitB)})
	bare, _ := s.push(image{labels: map[string]string{"x": "y"}})
	bare2, _ := s.push(image{labels: map[string]string{"x": "z"}})
	attestation := s.attest("", "", typeStatement, []byte(`{}`))
	index := s.index("v1", map[string]string{keyVersion: "v1"},
		entry(attestation, "unknown", "unknown", map[string]string{keyReferenceType: "attestation-manifest"}),
		entry(arm, "linux", "arm64", nil), entry(amd, "linux", "amd64", nil))
	around := s.index("v2", labelled(commitB), entry(bare, "linux", "amd64", nil))
	s.push(image{tag: "single", labels: labelled(commitA)})
	gone := "sha256:" + strings.Repeat("0", 64)
	tests := []struct {
		name, image, digest string
		revision, indexRev  string
		byTag               bool
		reason              string
	}{
		{name: "index", image: "ghcr.io/acme/shop:v1", digest: index, revision: commitA},
		{name: "platform manifest", image: "ghcr.io/acme/shop:v1", digest: arm, revision: commitB},
		{name: "with what the runtime writes before it", image: "ghcr.io/acme/shop:v1", digest: "docker-pullable://ghcr.io/acme/shop@" + arm, revision: commitB},
		{name: "config in an index", image: "ghcr.io/acme/shop:v1", digest: armConf, revision: commitB},
		{name: "config of a single image", image: "ghcr.io/acme/shop:single", digest: "docker://" + conf, revision: commitA},
		{name: "manifest whose index says it", image: "ghcr.io/acme/shop:v2", digest: bare, indexRev: commitB},
		{name: "manifest that is not in the tag's index", image: "ghcr.io/acme/shop:v1", digest: bare},
		{name: "manifest that is not in the tag's index, which has a revision", image: "ghcr.io/acme/shop:v2", digest: bare2},
		{name: "tag", image: "ghcr.io/acme/shop:v1", revision: commitA, byTag: true},
		{name: "index without a tag", image: "ghcr.io/acme/shop@" + around, indexRev: commitB},
		{name: "a tag that moved", image: "ghcr.io/acme/shop:v1", digest: gone, reason: "ghcr.io does not have this digest any more, and the tag is another image by now"},
		{name: "a single image that moved", image: "ghcr.io/acme/shop:single", digest: gone, reason: "ghcr.io does not have this digest any more, and the tag is another image by now"},
		{name: "gone", image: "ghcr.io/acme/shop@" + gone, reason: "ghcr.io does not have this image any more"},
		{name: "no such tag", image: "ghcr.io/acme/shop:v9", reason: "ghcr.io does not have this image any more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.forget()
			got := readOne(t, o, tt.image, tt.digest)
			m := got.Metadata
			if got.Reason != tt.reason || got.Unread || m.ByTag != tt.byTag {
				t.Errorf("got %+v", got)
			}
			if r := claimAt(m, record.PlaceLabel).Revision; r != tt.revision {
				t.Errorf("label %q, want %q", r, tt.revision)
			}
			if r := claimAt(m, record.PlaceIndex).Revision; r != tt.indexRev {
				t.Errorf("index annotation %q, want %q", r, tt.indexRev)
			}
			if tt.digest != "" && m.Digest != tt.digest || m.Image != "ghcr.io/acme/shop" {
				t.Errorf("image %q, digest %q", m.Image, m.Digest)
			}
		})
	}
}

// The choice among platforms does not depend on their order alone.
func TestThePlatformThatIsChosen(t *testing.T) {
	d := func(c string) string { return "sha256:" + strings.Repeat(c, 64) }
	doc := func(entries ...obj) document {
		var d document
		if err := json.Unmarshal(mustJSON(t, obj{"mediaType": typeIndex, "manifests": entries}), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	windows, s390, arm, amd := entry(d("1"), "windows", "amd64", nil), entry(d("2"), "linux", "s390x", nil), entry(d("3"), "linux", "arm64", nil), entry(d("4"), "linux", "amd64", nil)
	unknown, about := entry(d("5"), "unknown", "unknown", nil), entry(d("6"), "linux", "amd64", map[string]string{keyReferenceType: "attestation-manifest"})
	nested := obj{"mediaType": typeIndex, "digest": d("7"), "size": 1}
	wrong := entry("sha256:../../x", "linux", "amd64", nil)
	none := obj{"mediaType": typeManifest, "digest": d("8"), "size": 1}
	for _, tt := range []struct {
		want    string
		entries []obj
	}{
		{d("4"), []obj{unknown, about, wrong, windows, s390, arm, amd}},
		{d("3"), []obj{windows, s390, arm}},
		{d("2"), []obj{none, windows, s390}},
		{d("1"), []obj{none, windows}},
		{d("8"), []obj{nested, none}},
		{"", []obj{unknown, about, nested, wrong}},
	} {
		got := ""
		if list := doc(tt.entries...).platforms(); len(list) > 0 {
			got = list[0].Digest
		}
		if got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.entries, got, tt.want)
		}
	}
}

// Environment, command, history and labels of other names are nowhere, in no form.
func TestWhatAnImageRunsIsNotRead(t *testing.T) {
	w, s, o := oneHost(t)
	digest, _ := s.push(image{labels: map[string]string{keyRevision: commitA, "maintainer": planted, "org.opencontainers.image.authors": planted}})
	store := newMemory()
	o.Store = store
	r := mustReader(t, o)
	answers := r.Read(t.Context(), []Ask{{"ghcr.io/acme/shop:v1", digest}})
	if claimAt(answers[0].Metadata, record.PlaceLabel).Revision != commitA {
		t.Fatalf("not read: %+v", answers[0])
	}
	for name, text := range map[string]string{
		"answers": string(mustJSON(t, answers)), "answers in Go": fmt.Sprintf("%#v", answers),
		"actions": fmt.Sprintf("%#v", r.Actions()), "store": store.text(),
	} {
		if strings.Contains(text, planted) {
			t.Errorf("in the %s: %s", name, text)
		}
	}
	for _, s := range w.seen {
		if s.agent != "rcactl/test" {
			t.Errorf("asked as %q", s.agent)
		}
	}
	var labels texts
	if err := json.Unmarshal([]byte(`{"maintainer":"`+planted+`"}`), &labels); err != nil || len(labels) > 0 {
		t.Errorf("labels %v, %v", labels, err)
	}
	// And there is no field that could take it.
	fields := map[string]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			fields[f.Name] = true
			if f.Type.Kind() == reflect.Struct {
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[config]())
	if want := map[string]bool{"Created": true, "Config": true, "Labels": true}; !cmp.Equal(want, fields) {
		t.Errorf("a config is decoded into %v", fields)
	}
}

func TestOddValuesAreDropped(t *testing.T) {
	long := strings.Repeat("a", 257)
	for _, tt := range []struct {
		labels map[string]string
		want   record.ImageClaim
	}{
		{map[string]string{keyRevision: " " + commitA + "\n"}, record.ImageClaim{Revision: commitA}},
		{map[string]string{keyRevision: "1111111"}, record.ImageClaim{Revision: "1111111"}},
		{map[string]string{keyRevision: commitA + "-dirty"}, record.ImageClaim{Revision: commitA + "-dirty"}},
		{map[string]string{keyRevision: "sha1:" + commitA}, record.ImageClaim{Revision: "sha1:" + commitA}},
		{map[string]string{keyRevision: "planted-person/fix@sha1:" + commitA + "+dirty"}, record.ImageClaim{Revision: "sha1:" + commitA + "+dirty"}},
		{map[string]string{keyRevision: "planted/" + commitA}, record.ImageClaim{Revision: commitA}},
		{map[string]string{keyRevision: "v1.2.3-5-g1111111"}, record.ImageClaim{Revision: "v1.2.3-5-g1111111"}},
		{map[string]string{keyRevision: "shop-5-g1111111"}, record.ImageClaim{Revision: "shop-5-g1111111"}},
		{map[string]string{keyRevision: "refs/tags/v1.2"}, record.ImageClaim{Revision: "refs/tags/v1.2"}},
		{map[string]string{keyRevision: "refs/heads/planted-person"}, record.ImageClaim{}},
		{map[string]string{keyRevision: "main"}, record.ImageClaim{}},
		{map[string]string{keyRevision: "planted@example.test"}, record.ImageClaim{}},
		{map[string]string{keyRevision: "fix by Planted Person"}, record.ImageClaim{}},
		{map[string]string{keyRevision: "1.2-ghp_0123456789abcdefghijABCDEFGHIJ456789"}, record.ImageClaim{}},
		{map[string]string{keyRevision: "1111111\x1b[31m"}, record.ImageClaim{}},
		{map[string]string{keyRevision: "révision"}, record.ImageClaim{}},
		{map[string]string{keyRevision: "https://user:" + planted + "@host/1111111"}, record.ImageClaim{}},
		{map[string]string{keyRevision: long}, record.ImageClaim{}},
		{map[string]string{keyRevision: "1.1" + long[:254]}, record.ImageClaim{}},
		{map[string]string{keyRevision: "1.1" + long[:253]}, record.ImageClaim{Revision: "1.1" + long[:253]}},
		{map[string]string{keyVersion: long[:129]}, record.ImageClaim{}},
		{map[string]string{keyVersion: long[:128]}, record.ImageClaim{Version: long[:128]}},
		{map[string]string{keyVersion: "main-1111111"}, record.ImageClaim{Version: "main-1111111"}},
		{map[string]string{keyVersion: "planted@example.test"}, record.ImageClaim{}},
		{map[string]string{keyVersion: "by Planted"}, record.ImageClaim{}},
		{map[string]string{keyVersion: "ghp_0123456789abcdefghijABCDEFGHIJ456789"}, record.ImageClaim{}},
		{map[string]string{keySource: "https://user:" + planted + "@github.com/Acme/Shop"}, record.ImageClaim{Source: "github.com/acme/shop"}},
		{map[string]string{keySource: "see the wiki"}, record.ImageClaim{}},
		{map[string]string{keyCreated: "2026-07-01T00:00:00Z"}, record.ImageClaim{}},
		{map[string]string{keyVersion: "1", keyCreated: "0000-01-01T00:00:00Z"}, record.ImageClaim{Version: "1"}},
		{map[string]string{keyVersion: "1", keyCreated: "9999-12-31T23:59:59-14:00"}, record.ImageClaim{Version: "1"}},
		{map[string]string{oldRevision: commitA, oldSource: "git@github.com:acme/shop.git", oldVersion: "2"}, record.ImageClaim{Revision: commitA, Source: "github.com/acme/shop", Version: "2"}},
		// The old names may be those of the image below.
		{map[string]string{oldRevision: commitA, keySource: "https://github.com/acme/shop"}, record.ImageClaim{Source: "github.com/acme/shop"}},
	} {
		var labels texts
		if err := json.Unmarshal(mustJSON(t, tt.labels), &labels); err != nil {
			t.Fatal(err)
		}
		tt.want.Place = record.PlaceLabel
		if got, _ := claimOf(record.PlaceLabel, labels); !cmp.Equal(tt.want, got) {
			t.Errorf("%v: got %+v", tt.labels, got)
		}
	}
}

// What is odd in one place does not hide the others.
func TestOddDocuments(t *testing.T) {
	_, s, o := oneHost(t)
	for name, conf := range map[string]string{
		"labels are a list":       `{"created":"2026-07-01T10:00:00Z","config":{"Labels":["a"]}}`,
		"a label is a number":     `{"created":"2026-07-01T10:00:00Z","config":{"Labels":{"org.opencontainers.image.revision":7}}}`,
		"config is null":          `{"created":"2026-07-01T10:00:00Z","config":null}`,
		"created is no time":      `{"created":7}`,
		"it is no JSON":           `planted`,
		"another case of the key": `{"config":{"Labels":{"ORG.opencontainers.image.revision":"` + commitB + `"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			digest := s.put("", typeManifest, obj{
				"mediaType": typeManifest, "annotations": labelled(commitA),
				"config": obj{"mediaType": typeConfig, "digest": s.blob([]byte(conf)), "size": len(conf)},
			})
			got := readOne(t, o, "ghcr.io/acme/shop", digest)
			if got.Reason != "" || claimAt(got.Metadata, record.PlaceManifest).Revision != commitA || len(got.Metadata.Claims) != 1 {
				t.Errorf("got %+v", got)
			}
		})
	}
	// An artifact is no image: its config is not asked for.
	chart := s.put("chart", typeManifest, obj{
		"mediaType": typeManifest, "annotations": labelled(commitA),
		"config": obj{"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": "sha256:" + strings.Repeat("e", 64), "size": 5},
	})
	if got := readOne(t, o, "ghcr.io/acme/shop", chart); got.Reason != "" || len(got.Metadata.Claims) != 1 {
		t.Errorf("an artifact: %+v", got)
	}
}

// A real registry behind a real socket, without TLS, which only loopback may do.
func TestARegistryOnLoopback(t *testing.T) {
	s := newShelf(t, "acme/shop")
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	digest, _ := s.push(image{labels: labelled(commitA)})
	host := strings.TrimPrefix(server.URL, "http://")
	r := mustReader(t, Options{Registries: []string{host}})
	got := r.Read(t.Context(), []Ask{{host + "/acme/shop:v1", digest}})[0]
	if got.Reason != "" || claimAt(got.Metadata, record.PlaceLabel).Revision != commitA {
		t.Errorf("got %+v", got)
	}
	want := []Action{
		{"GET", "http://" + host + "/v2/", 1},
		{"GET", "http://" + host + "/v2/acme/shop/blobs", 1},
		{"GET", "http://" + host + "/v2/acme/shop/manifests", 1},
		{"GET", "https://" + host + "/v2/", 1},
	}
	if diff := cmp.Diff(want, r.Actions()); diff != "" {
		t.Error(diff)
	}
}

func TestEqualAsksAreAskedOnceAndAnswersStayInOrder(t *testing.T) {
	w, s, o := oneHost(t)
	a, _ := s.push(image{tag: "a", labels: labelled(commitA)})
	b, _ := s.push(image{tag: "b", labels: labelled(commitB)})
	var asks []Ask
	for range 20 {
		asks = append(asks, Ask{"ghcr.io/acme/shop:a", a}, Ask{"ghcr.io/acme/shop:b", b}, Ask{"not an image", ""})
	}
	r := mustReader(t, o)
	for i, got := range r.Read(t.Context(), asks) {
		want := []string{commitA, commitB, ""}[i%3]
		if got.Ask != asks[i] || claimAt(got.Metadata, record.PlaceLabel).Revision != want || got.Unread != (want == "") {
			t.Fatalf("answer %d: %+v", i, got)
		}
	}
	want := []Action{
		{"GET", "https://ghcr.io/v2/", 1},
		{"GET", "https://ghcr.io/v2/acme/shop/blobs", 2},
		{"GET", "https://ghcr.io/v2/acme/shop/manifests", 2},
	}
	if diff := cmp.Diff(want, r.Actions()); diff != "" {
		t.Error(diff)
	}
	if w.requests("ghcr.io", "") != 5 {
		t.Errorf("%d requests", w.requests("ghcr.io", ""))
	}
}

func TestDockerHubHasOneName(t *testing.T) {
	w, s := newWorld(t), newShelf(t, "library/nginx")
	w.hosts["index.docker.io"] = s
	digest, _ := s.push(image{labels: labelled(commitA)})
	for _, entry := range []string{"docker.io", "index.docker.io", "registry-1.docker.io/library", "https://docker.io/library/nginx", "*"} {
		for _, ref := range []string{"nginx", "docker.io/nginx:1", "docker.io/library/nginx", "index.docker.io/library/nginx"} {
			got := readOne(t, Options{Transport: w, Registries: []string{entry}}, ref, digest)
			if got.Reason != "" || got.Metadata.Image != strings.TrimSuffix(ref, ":1") {
				t.Errorf("%s with %s: %+v", ref, entry, got)
			}
		}
	}
}
