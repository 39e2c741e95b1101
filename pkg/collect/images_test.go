package collect_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/rcactl/rcactl/pkg/collect"
	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/manifest"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/run"
)

// harbour is a registry with images that are labelled with commits.
func harbour(t *testing.T) (host string, push func(tag string, labels map[string]string) (reference, digest string)) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo))))
	t.Cleanup(server.Close)
	put := func(path, media string, body []byte) string {
		sum := sha256.Sum256(body)
		digest := "sha256:" + hex.EncodeToString(sum[:])
		method, address := http.MethodPut, server.URL+"/v2/acme/shop/"+path
		if path == "blobs" {
			method, address = http.MethodPost, address+"/uploads/?digest="+digest
		}
		req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
		check(t, err)
		req.Header.Set("Content-Type", media)
		answer, err := server.Client().Do(req)
		check(t, err)
		check(t, answer.Body.Close())
		if answer.StatusCode != http.StatusCreated {
			t.Fatalf("%s %s: %s", method, address, answer.Status)
		}
		return digest
	}
	host = strings.TrimPrefix(server.URL, "http://")
	return host, func(tag string, labels map[string]string) (string, string) {
		text, err := json.Marshal(labels)
		check(t, err)
		config := fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","config":{"Labels":%s},"rootfs":{"type":"layers","diff_ids":[]}}`, text)
		const media = "application/vnd.oci.image.config.v1+json"
		manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[]}`,
			media, put("blobs", media, config), len(config))
		return host + "/acme/shop:" + tag, put("manifests/"+tag, "application/vnd.oci.image.manifest.v1+json", manifest)
	}
}

// shipped is a rollout of which only the images tell.
func shipped(t *testing.T, push func(string, map[string]string) (string, string)) record.Workload {
	t.Helper()
	w := rollout("cart", 30, 2, 5)
	w.Claims = nil
	for i, commit := range []int{2, 5} {
		ref, digest := push([]string{"one", "two"}[i], map[string]string{
			"org.opencontainers.image.revision": sha(commit), "org.opencontainers.image.source": "https://" + shopRepository,
		})
		w.Revisions[i].Claims = nil
		w.Revisions[i].Containers = []record.Container{{Name: "app", Image: ref, Digest: digest}}
	}
	return w
}

func TestImagesTellTheCommit(t *testing.T) {
	h := newHouse(t)
	host, push := harbour(t)
	var requests []connector.Request
	var ended []collect.Progress
	options := func() collect.Options {
		o := h.options(
			shelfSource(shipped(t, push)),
			scribeSource("scribe", scribe{head: 9, repository: shopRepository, requests: &requests}))
		o.Window, o.Images = hour(), collect.Images{Registries: []string{"http://" + host}}
		o.Observe = func(p collect.Progress) {
			if p.Source == "images" && p.Status != "" {
				ended = append(ended, p)
			}
		}
		return o
	}
	o := options()
	out := h.run(o)
	if got := requests[0].Scope.Repositories; !slices.Equal(got, []string{shopRepository}) {
		t.Errorf("followed %v", got)
	}
	if got := tied(t, out.Dir); !slices.Contains(got, "cart medium ahead") {
		t.Errorf("got %v", got)
	}
	src := sourceOf(t, out, "images")
	if src.Type != "oci" || src.Status != manifest.StatusComplete || src.Actions.Count == 0 || len(src.Streams) != 1 ||
		src.Streams[0].Name != "images" || src.Streams[0].Records != 2 || *src.Streams[0].Asked != *hour() {
		t.Errorf("%+v", src)
	}
	// Again: all of it is known by digest.
	o.Redactor = h.options().Redactor
	out = h.run(o)
	if src := sourceOf(t, out, "images"); src.Actions.Count != 0 || src.Streams[0].Records != 2 {
		t.Errorf("again: %+v", src)
	}
	if len(ended) != 2 || ended[0].Status != connector.Complete || ended[0].Records != 2 || ended[0].Requests == 0 || ended[1].Requests != 0 {
		t.Errorf("told %+v", ended)
	}
	// And when nobody is to be asked, the source is not there.
	o.Redactor, o.Images.Off = h.options().Redactor, true
	if p := h.run(o).Statement.Predicate; len(p.Sources) != 2 || p.Correlation.Medium != 0 {
		t.Errorf("%+v", p)
	}
}

// Images that cannot be read cost their ties and nothing else.
func TestImagesThatCannotBeRead(t *testing.T) {
	host, push := harbour(t)
	w := shipped(t, push)
	for name, tt := range map[string]struct {
		images collect.Images
		change func(*record.Workload)
		status manifest.Status
		says   string
		nobody string // what the progress says when nothing was read
	}{
		"no login": {collect.Images{}, func(*record.Workload) {}, manifest.StatusSkipped, "2 images not read: " + host + " is not asked", "no image was read: " + host + " is not asked: this machine has no login for it"},
		"one is gone": {collect.Images{Registries: []string{"http://" + host}}, func(w *record.Workload) {
			w.Revisions[0].Containers = []record.Container{{Name: "app", Image: host + "/acme/gone:1", Digest: "sha256:" + strings.Repeat("0", 64)}}
		}, manifest.StatusComplete, "1 image could not be read", ""},
		"all are gone": {collect.Images{Registries: []string{"http://" + host}}, func(w *record.Workload) {
			for i := range w.Revisions {
				w.Revisions[i].Containers = []record.Container{{Name: "app", Image: fmt.Sprint(host, "/acme/gone:", i)}}
			}
		}, manifest.StatusSkipped, "could not be read", "no image was read: " + host + " does not have this image any more"},
		"a config that is none": {collect.Images{DockerConfig: "/dev/null/config.json"}, func(*record.Workload) {}, manifest.StatusSkipped, "2 images could not be read: docker's config cannot be read", "no image was read: docker's config cannot be read, or is not JSON with auths, credHelpers or credsStore; correct it, or name another folder in DOCKER_CONFIG"},
		"a bound":               {collect.Images{Registries: []string{"http://" + host}, MaxImages: 1}, func(*record.Workload) {}, manifest.StatusComplete, "1 image not read", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			w := w
			w.Revisions = slices.Clone(w.Revisions)
			tt.change(&w)
			o := h.options(shelfSource(w))
			o.Window, o.Images = hour(), tt.images
			o.Observe = func(p collect.Progress) {
				if p.Source == "images" && p.Status != "" && (p.Nothing != tt.nobody || p.Error != "") {
					t.Errorf("told %+v", p)
				}
			}
			out := h.run(o)
			src := sourceOf(t, out, "images")
			text := strings.Join(src.Notes, "\n")
			if src.Status != tt.status || src.Streams[0].Status != tt.status || !strings.Contains(text, tt.says) {
				t.Errorf("%+v", src)
			}
			reasons := []string{}
			for _, e := range eventsOf(t, out.Dir, "shelf") {
				if e.Deployment.Mapping != nil {
					for _, r := range e.Deployment.Mapping.Reasons {
						reasons = append(reasons, r.Code)
					}
				}
			}
			if slices.Contains(reasons, "image_unreadable") != (name == "all are gone") {
				t.Errorf("the reasons are %v", reasons)
			}
			if p := out.Statement.Predicate; p.Outcome != manifest.OutcomeComplete || p.Correlation.Deployments == 0 {
				t.Errorf("%s, %+v", p.Outcome, p.Correlation)
			}
		})
	}
}

// A registry that does not answer leaves the others time to.
func TestARegistryThatHangsDoesNotKeepTheOthersFromBeingAsked(t *testing.T) {
	h := newHouse(t)
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	w := rollout("cart", 30, 2, 5)
	for i := range w.Revisions {
		w.Revisions[i].Containers[0].Image = strings.TrimPrefix(server.URL, "http://") + "/acme/shop:" + w.Revisions[i].Name
	}
	o := h.options(shelfSource(w), scribeSource("scribe", scribe{head: 9, repository: shopRepository}))
	o.Window, o.Timeout = hour(), 6*time.Second
	o.Images = collect.Images{Registries: []string{server.URL}, Timeout: time.Minute}
	out := h.run(o)
	if src := sourceOf(t, out, "scribe"); src.Status != manifest.StatusComplete || out.Statement.Predicate.Correlation.Unanswered != 0 {
		t.Errorf("%+v, %+v", src, out.Statement.Predicate.Correlation)
	}
	if src := sourceOf(t, out, "images"); src.Status != manifest.StatusSkipped || !strings.Contains(strings.Join(src.Notes, " "), "could not be read") {
		t.Errorf("%+v", src)
	}
}

// What runs beside the change is not asked for.
// Whoever may deploy chooses the names of images.
func TestAnImageNamedLikeATokenStopsNoRun(t *testing.T) {
	h := newHouse(t)
	host, push := harbour(t)
	w := shipped(t, push)
	named := host + "/acme/ghp_" + strings.Repeat("planted", 6)
	w.Revisions[0].Containers[0].Image = named + ":one"
	o := h.options(shelfSource(w))
	o.Window, o.Images = hour(), collect.Images{Registries: []string{"http://" + host}}
	out := h.run(o)
	text, err := os.ReadFile(filepath.Join(out.Dir, run.ActionsFile))
	check(t, err)
	if !bytes.Contains(text, []byte("[secret]")) || bytes.Contains(text, []byte("ghp_")) || !bytes.Contains(text, []byte("/acme/shop")) {
		t.Errorf("%s", text)
	}
}

func TestOnlyImagesThatChangedAreAskedFor(t *testing.T) {
	h := newHouse(t)
	host, push := harbour(t)
	w := shipped(t, push)
	for i := range w.Revisions {
		w.Revisions[i].Containers = append(w.Revisions[i].Containers, record.Container{Name: "proxy", Image: host + "/acme/proxy:1"})
	}
	o := h.options(shelfSource(w))
	o.Window, o.Images = hour(), collect.Images{Registries: []string{"http://" + host}, DockerConfig: filepath.Join(h.dir, "none")}
	if src := sourceOf(t, h.run(o), "images"); src.Streams[0].Records != 2 || src.Streams[0].Reason != "" || len(src.Notes) != 0 {
		t.Errorf("%+v", src)
	}
}
