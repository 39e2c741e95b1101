package oci

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // the registry of the tests takes no other
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/rcactl/rcactl/pkg/record"
)

const (
	commitA = "1111111111111111111111111111111111111111"
	commitB = "2222222222222222222222222222222222222222"
	planted = "planted-secret-of-an-image"
)

// world is an internet of handlers by host, and what was asked of it.
type world struct {
	t     *testing.T
	mu    sync.Mutex
	hosts map[string]http.Handler
	seen  []seen
}

// seen is a request as it arrived.
type seen struct{ method, host, path, query, auth, agent, body string }

func newWorld(t *testing.T) *world { return &world{t: t, hosts: map[string]http.Handler{}} }

func (w *world) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
	}
	w.mu.Lock()
	w.seen = append(w.seen, seen{req.Method, req.URL.Host, req.URL.Path, req.URL.RawQuery, req.Header.Get("Authorization"), req.Header.Get("User-Agent"), string(body)})
	h := w.hosts[req.URL.Host]
	w.mu.Unlock()
	if h == nil {
		return nil, errors.New("no such host: " + planted)
	}
	in := req.Clone(req.Context())
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.RequestURI = req.URL.RequestURI()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, in)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	resp := rec.Result()
	resp.Request = req
	return resp, nil
}

// requests counts what was asked of a host with a path that contains a text.
func (w *world) requests(host, path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, s := range w.seen {
		if s.host == host && strings.Contains(s.path, path) {
			n++
		}
	}
	return n
}

func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = nil
}

// shelf is a registry that is pushed to by hand.
type shelf struct {
	t *testing.T
	http.Handler
	repo string
}

func newShelf(t *testing.T, repo string, opts ...ggcr.Option) *shelf {
	opts = append(opts, ggcr.Logger(log.New(io.Discard, "", 0)))
	return &shelf{t: t, Handler: ggcr.New(opts...), repo: repo}
}

func (s *shelf) send(method, path, kind string, body []byte) {
	s.t.Helper()
	req := httptest.NewRequest(method, path, bytes.NewReader(body))
	req.Header.Set("Content-Type", kind)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, req)
	if rec.Code/100 != 2 {
		s.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
}

func (s *shelf) blob(body []byte) (digest string) {
	s.t.Helper()
	digest = digestOf("sha256", body)
	s.send(http.MethodPost, "/v2/"+s.repo+"/blobs/uploads/?digest="+digest, "application/octet-stream", body)
	return digest
}

func (s *shelf) put(ref, kind string, doc any) (digest string) {
	s.t.Helper()
	body := mustJSON(s.t, doc)
	digest = digestOf("sha256", body)
	if ref == "" {
		ref = digest
	}
	s.send(http.MethodPut, "/v2/"+s.repo+"/manifests/"+ref, kind, body)
	return digest
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

type obj = map[string]any

// image is what a test pushes.
type image struct {
	tag                 string
	labels, annotations map[string]string
	created             string
}

// push gives the digests of the manifest and its config. The config has what must
// never be read.
func (s *shelf) push(i image) (manifest, config string) {
	s.t.Helper()
	conf := mustJSON(s.t, obj{
		"created": i.created, "architecture": "amd64", "os": "linux",
		"config": obj{
			"Labels": i.labels, "Env": []string{"TOKEN=" + planted}, "Entrypoint": []string{planted},
			"Cmd": []string{planted}, "User": planted, "WorkingDir": planted,
		},
		"container_config": obj{"Env": []string{planted}},
		"history":          []obj{{"created_by": "RUN " + planted, "author": planted, "comment": planted}},
		"author":           planted,
		"rootfs":           obj{"type": "layers", "diff_ids": []string{"sha256:" + planted}},
	})
	config = s.blob(conf)
	manifest = s.put(i.tag, typeManifest, obj{
		"schemaVersion": 2, "mediaType": typeManifest, "annotations": i.annotations,
		"config": obj{"mediaType": typeConfig, "digest": config, "size": len(conf)}, "layers": []obj{},
	})
	return manifest, config
}

// entry is one of an index.
func entry(digest, os, arch string, annotations map[string]string) obj {
	return obj{
		"mediaType": typeManifest, "digest": digest, "size": 1,
		"platform": obj{"os": os, "architecture": arch}, "annotations": annotations,
	}
}

func (s *shelf) index(tag string, annotations map[string]string, entries ...obj) (digest string) {
	s.t.Helper()
	return s.put(tag, typeIndex, obj{
		"schemaVersion": 2, "mediaType": typeIndex, "annotations": annotations, "manifests": entries,
	})
}

// attest pushes a manifest with layers of one media type.
func (s *shelf) attest(ref, subject, kind string, layers ...[]byte) (digest string) {
	s.t.Helper()
	var list []obj
	for _, l := range layers {
		list = append(list, obj{"mediaType": kind, "digest": s.blob(l), "size": len(l)})
	}
	empty := s.blob([]byte("{}"))
	doc := obj{
		"schemaVersion": 2, "mediaType": typeManifest, "artifactType": kind,
		"config": obj{"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2}, "layers": list,
	}
	if subject != "" {
		doc["subject"] = obj{"mediaType": typeManifest, "digest": subject, "size": 1}
	}
	return s.put(ref, typeManifest, doc)
}

// memory is a Store.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
}

func newMemory() *memory { return &memory{values: map[string][]byte{}} }

func (m *memory) Get(key string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[key]
	return v, ok
}

func (m *memory) Put(key string, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = slices.Clone(value)
}

func (m *memory) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m.values)) {
		fmt.Fprintf(&b, "%s %s\n", k, m.values[k])
	}
	return b.String()
}

func mustReader(t *testing.T, o Options) *Reader {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readOne(t *testing.T, o Options, image, digest string) Answer {
	t.Helper()
	answers := mustReader(t, o).Read(t.Context(), []Ask{{image, digest}})
	if len(answers) != 1 {
		t.Fatalf("%d answers for one ask", len(answers))
	}
	return answers[0]
}

// claimAt gives what stands in a place.
func claimAt(m record.ImageMetadata, place record.ImagePlace) record.ImageClaim {
	i := slices.IndexFunc(m.Claims, func(c record.ImageClaim) bool { return c.Place == place })
	if i < 0 {
		return record.ImageClaim{}
	}
	return m.Claims[i]
}

func labelled(revision string) map[string]string {
	return map[string]string{keyRevision: revision, keySource: "https://github.com/Acme/Shop.git"}
}

func writeDockerConfig(t *testing.T, doc any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, mustJSON(t, doc), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

func day(n int) func() time.Time {
	return func() time.Time { return time.Date(2026, 7, n, 12, 0, 0, 0, time.UTC) }
}
