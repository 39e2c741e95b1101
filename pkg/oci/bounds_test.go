package oci

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // the server of the tests takes no other
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/record"
)

// answering lets a registry answer some paths in another way.
func answering(next http.Handler, path string, with http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.Contains(req.URL.Path, path) {
			with(w, req)
			return
		}
		next.ServeHTTP(w, req)
	})
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"`+planted+`"}]}`)
	}
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) }
}

// Every way in which a registry fails has its words, and nothing of the registry's.
func TestReasons(t *testing.T) {
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for range 6 << 10 {
			_, _ = w.Write(make([]byte, 1<<10))
		}
	}
	tests := []struct {
		name, path string
		with       http.HandlerFunc
		reason     string
	}{
		{"forbidden", "/manifests/", status(403), "ghcr.io needs a login, and there is none"},
		{"not found", "/manifests/", status(404), "ghcr.io does not have this image any more"},
		{"gone", "/manifests/", status(410), "ghcr.io does not have this image any more"},
		{"too often", "/manifests/", status(429), "ghcr.io said that it is asked too often"},
		{"broken", "/manifests/", status(502), "ghcr.io failed"},
		{"teapot", "/manifests/", status(418), "ghcr.io gave an answer that is not that of a registry"},
		{"endless", "/manifests/", endless, "ghcr.io has more to say of this image than is read"},
		{"another document", "/manifests/", text(`{"config":{}}`), "ghcr.io gave an answer that is not that of a registry"},
		{"blob forbidden", "/blobs/", status(403), "ghcr.io needs a login, and there is none"},
		{"blob broken", "/blobs/", status(500), "ghcr.io failed"},
		{"registry needs more than a token", "/v2/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", "Bearer service=planted")
			w.WriteHeader(401)
		}, "ghcr.io gave an answer that is not that of a registry"},
		{"no registry", "/v2/", status(404), "ghcr.io gave an answer that is not that of a registry"},
		{"a registry that fails", "/v2/", status(503), "ghcr.io failed"},
		{"a registry that is asked too often", "/v2/", status(429), "ghcr.io said that it is asked too often"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, s, o := oneHost(t)
			digest, _ := s.push(image{labels: labelled(commitA)})
			w.hosts["ghcr.io"] = answering(s, tt.path, tt.with)
			store := newMemory()
			o.Store = store
			got := readOne(t, o, "ghcr.io/acme/shop@"+digest, "")
			if got.Reason != tt.reason || got.Unread || len(got.Metadata.Claims) > 0 {
				t.Errorf("got %+v", got)
			}
			if store.text() != "" {
				t.Errorf("kept: %s", store.text())
			}
		})
	}
	if got := readOne(t, Options{Transport: newWorld(t), Registries: []string{"*"}}, "nowhere.example.test/a/b", ""); got.Reason != "nowhere.example.test could not be reached" {
		t.Errorf("got %+v", got)
	}
}

// A config that is missing or too large hides only the labels.
// A registry cannot have what listens on this machine, or inside the network, asked
// for a token that it is then told.
func TestTokensAreNotAskedForInside(t *testing.T) {
	for _, realm := range []string{"http://127.0.0.1:8001/token", "http://localhost/token", "https://10.0.0.1/token", "http://[::1]:80/token"} {
		w, s, o := oneHost(t)
		digest, _ := s.push(image{labels: labelled(commitA)})
		w.hosts["ghcr.io"] = answering(s, "/v2/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`",service="x"`)
			w.WriteHeader(401)
		})
		got := readOne(t, o, "ghcr.io/acme/shop@"+digest, "")
		if got.Reason != "ghcr.io could not be reached" || len(w.seen) != 1 {
			t.Errorf("%s: %q, asked %+v", realm, got.Reason, w.seen)
		}
	}
}

// An image of a workload may name any host: that of this machine is to be named by
// a person.
func TestThisMachineIsAskedOnlyWhenItIsNamed(t *testing.T) {
	for _, host := range []string{"127.0.0.1:8080", "localhost:5000", "[::1]:8080", "0.0.0.0:8080"} {
		w := newWorld(t)
		if got := readOne(t, Options{Transport: w, Registries: []string{"*"}}, host+"/acme/shop:1", ""); !got.Unread || len(w.seen) != 0 {
			t.Errorf("%s: %+v, asked %+v", host, got, w.seen)
		}
		if readOne(t, Options{Transport: w, Registries: []string{"http://" + host}}, host+"/acme/shop:1", ""); len(w.seen) == 0 {
			t.Errorf("%s is named and was not asked", host)
		}
	}
}

func TestAConfigThatCannotBeRead(t *testing.T) {
	w, s, o := oneHost(t)
	digest, _ := s.push(image{labels: labelled(commitA), annotations: labelled(commitB)})
	w.hosts["ghcr.io"] = answering(s, "/blobs/", status(404))
	large := s.put("", typeManifest, obj{
		"mediaType": typeManifest, "annotations": labelled(commitB),
		"config": obj{"mediaType": typeConfig, "digest": "sha256:" + strings.Repeat("a", 64), "size": maxDocument + 1},
	})
	for _, d := range []string{digest, large} {
		got := readOne(t, o, "ghcr.io/acme/shop", d)
		if got.Reason != "" || len(got.Metadata.Claims) != 1 || claimAt(got.Metadata, record.PlaceManifest).Revision != commitB {
			t.Errorf("got %+v", got)
		}
	}
	if n := w.requests("ghcr.io", "/blobs/"); n != 1 {
		t.Errorf("%d blobs asked for, the one that is too large among them", n)
	}
}

// Not every platform of an index is looked through for a config.
func TestTheNumberOfPlatformsIsBounded(t *testing.T) {
	w, s, o := oneHost(t)
	var entries []obj
	for i := range maxPlatforms + 3 {
		digest, _ := s.push(image{labels: labelled(fmt.Sprintf("%040d", i))})
		entries = append(entries, entry(digest, "linux", fmt.Sprint("planted", i), nil))
	}
	s.index("many", nil, entries...)
	got := readOne(t, o, "ghcr.io/acme/shop:many", "sha256:"+strings.Repeat("0", 64))
	if got.Reason != "ghcr.io has more to say of this image than is read" || w.requests("ghcr.io", "/manifests/") != maxPlatforms+2 {
		t.Errorf("got %+v after %d requests", got, w.requests("ghcr.io", "/manifests/"))
	}
}

// Nothing that writes leaves, whatever a registry or the client library makes of it.
func TestNothingWrites(t *testing.T) {
	world := newWorld(t)
	wire := newWire(Options{Transport: world})
	wire.addRealm("https://auth.example.test/token")
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "CONNECT", ""} {
		for _, address := range []string{"https://ghcr.io/v2/acme/shop/blobs/uploads/", "https://auth.example.test/token", "https://auth.example.test/other"} {
			if method == "POST" && strings.HasSuffix(address, "/token") {
				continue
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			req.Method = method
			resp, err := wire.RoundTrip(req)
			if !errors.Is(err, errRefused) {
				t.Errorf("%s %s: %v", method, address, err)
			}
			if resp != nil {
				_ = resp.Body.Close()
			}
		}
	}
	if len(world.seen) > 0 || len(wire.actions()) > 0 {
		t.Errorf("sent: %v", world.seen)
	}
}

// What does not have the digest that was asked for is not believed.
func TestDigestsAreChecked(t *testing.T) {
	w, s, o := oneHost(t)
	digest, config := s.push(image{labels: labelled(commitA)})
	other, otherConfig := s.push(image{labels: labelled(commitB)})
	for from, to := range map[string]string{digest: other, config: otherConfig} {
		w.hosts["ghcr.io"] = http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			req.URL.Path = strings.Replace(req.URL.Path, from, to, 1)
			s.ServeHTTP(rw, req)
		})
		got := readOne(t, o, "ghcr.io/acme/shop", digest)
		if got.Reason == "" && len(got.Metadata.Claims) > 0 {
			t.Errorf("%s for %s: %+v", to, from, got)
		}
	}
}

func TestTheNumberOfImagesIsBounded(t *testing.T) {
	w, s, o := oneHost(t)
	store := newMemory()
	o.MaxImages, o.Store = 3, store
	var asks []Ask
	for i := range 5 {
		digest, _ := s.push(image{labels: labelled(fmt.Sprintf("%040d", i))})
		asks = append(asks, Ask{"ghcr.io/acme/shop", digest})
	}
	r := mustReader(t, o)
	for i, got := range append(r.Read(t.Context(), asks[:2]), r.Read(t.Context(), asks[2:])...) {
		if got.Unread != (i >= 3) || got.Unread && got.Reason != "more than 3 images in this run" {
			t.Errorf("%d: %+v", i, got)
		}
	}
	// What is known does not count, so that the next run comes further.
	w.forget()
	for i, got := range mustReader(t, o).Read(t.Context(), asks) {
		known := !slices.ContainsFunc(w.seen, func(s seen) bool { return strings.Contains(s.path, asks[i].Digest) })
		if got.Unread || known != (i < 3) {
			t.Errorf("%d in the next run: %+v", i, got)
		}
	}
}

// What may not be asked does not count.
func TestTheBoundIsOfImagesThatAreAsked(t *testing.T) {
	w, _, digest := behindTokens(t, map[string]string{"robot": "x"})
	docker := writeDockerConfig(t, obj{"auths": obj{"ghcr.io": obj{"auth": basic("robot", "x")}, "quay.io": obj{}}})
	asks := []Ask{{"quay.io/acme/shop", ""}, {"no image", ""}, {"ghcr.io/acme/shop", digest}}
	if got := mustReader(t, Options{Transport: w, DockerConfig: docker, MaxImages: 1}).Read(t.Context(), asks)[2]; got.Reason != "" {
		t.Errorf("got %+v", got)
	}
}

// A limit that is met in the middle of an image ends with that request.
func TestNothingFollowsALimit(t *testing.T) {
	w, s, o := oneHost(t)
	digest, _ := s.push(image{labels: labelled(commitA)})
	o.Keys = []crypto.PublicKey{newKey(t, dsse.P256).Public()}
	w.hosts["ghcr.io"] = answering(s, "/referrers/", status(429))
	if got := readOne(t, o, "ghcr.io/acme/shop", digest); got.Reason != "" || claimAt(got.Metadata, record.PlaceLabel).Revision != commitA {
		t.Errorf("got %+v", got)
	}
	if last := w.seen[len(w.seen)-1]; !strings.Contains(last.path, "/referrers/") {
		t.Errorf("asked on: %+v", last)
	}
}

// hanging answers nothing until its requests are given up.
type hanging struct {
	*world
	path string
	mu   sync.Mutex
	most int
	now  int
}

func (h *hanging) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.Contains(req.URL.Path, h.path) {
		return h.world.RoundTrip(req)
	}
	h.mu.Lock()
	h.now++
	h.most = max(h.most, h.now)
	h.mu.Unlock()
	<-req.Context().Done()
	h.mu.Lock()
	h.now--
	h.mu.Unlock()
	return nil, req.Context().Err()
}

func TestARegistryThatHangs(t *testing.T) {
	w, s, o := oneHost(t)
	var asks []Ask
	for i := range 40 {
		digest, _ := s.push(image{labels: labelled(fmt.Sprintf("%040d", i))})
		asks = append(asks, Ask{"ghcr.io/acme/shop", digest})
	}
	for _, path := range []string{"/v2/", "/manifests/"} {
		h := &hanging{world: w, path: path}
		o.Transport, o.Timeout = h, 10*time.Millisecond
		r := mustReader(t, o)
		for _, got := range r.Read(t.Context(), asks) {
			if got.Reason != "ghcr.io did not answer in time" || got.Unread {
				t.Fatalf("%s: %+v", path, got)
			}
		}
		n := 0
		for _, a := range r.Actions() {
			n += a.Requests
		}
		if h.most > atOnce || n > maxSlow+atOnce+1 {
			t.Errorf("%s: %d at once, asked %v", path, h.most, r.Actions())
		}
	}
}

func TestTheEndOfTheRun(t *testing.T) {
	w, s, o := oneHost(t)
	digest, _ := s.push(image{labels: labelled(commitA)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := mustReader(t, o)
	if got := r.Read(ctx, []Ask{{"ghcr.io/acme/shop", digest}})[0]; got.Reason != "the run ended before ghcr.io answered" || len(r.Actions()) > 0 {
		t.Errorf("got %+v, asked %v", got, r.Actions())
	}
	// Its deadline is not the registry's fault.
	ctx, cancel = context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	o.Transport = &hanging{world: w, path: "/manifests/"}
	r = mustReader(t, o)
	if got := r.Read(ctx, []Ask{{"ghcr.io/acme/shop", digest}})[0]; got.Reason != "the run ended before ghcr.io answered" {
		t.Errorf("got %+v", got)
	}
	if h := r.registries["ghcr.io"]; h.state() != nil || h.slow > 0 {
		t.Errorf("held against the registry: %v, %d", h.state(), h.slow)
	}
}

// A host that cannot be reached, or does not want to be asked, is left alone.
func TestAHostIsLeftAlone(t *testing.T) {
	for name, with := range map[string]http.HandlerFunc{"rate limit": status(429)} {
		w, s, o := oneHost(t)
		var asks []Ask
		for i := range 40 {
			digest, _ := s.push(image{labels: labelled(fmt.Sprintf("%040d", i))})
			asks = append(asks, Ask{"ghcr.io/acme/shop", digest})
		}
		w.hosts["ghcr.io"] = answering(s, "/manifests/", with)
		w.hosts["quay.io"] = s
		o.Registries = append(o.Registries, "quay.io")
		answers := mustReader(t, o).Read(t.Context(), append(asks, Ask{"quay.io/acme/shop", asks[0].Digest}))
		for _, got := range answers[:40] {
			if got.Reason != "ghcr.io said that it is asked too often" {
				t.Errorf("%s: %+v", name, got)
			}
		}
		if n := w.requests("ghcr.io", "/manifests/"); n > atOnce {
			t.Errorf("%s: asked %d times", name, n)
		}
		if answers[40].Reason != "" {
			t.Errorf("%s: another host: %+v", name, answers[40])
		}
	}
	w := newWorld(t)
	var asks []Ask
	for i := range 40 {
		asks = append(asks, Ask{fmt.Sprintf("down.example.test/acme/shop%d", i), ""})
	}
	for _, got := range mustReader(t, Options{Transport: w, Registries: []string{"*"}}).Read(t.Context(), asks) {
		if got.Reason != "down.example.test could not be reached" {
			t.Errorf("got %+v", got)
		}
	}
	if n := w.requests("down.example.test", ""); n != 2 {
		t.Errorf("a host that is down was asked %d times", n)
	}
}

// One that failed once is asked once more, since all its images depend on it.
func TestAFirstRequestThatIsLost(t *testing.T) {
	w, s, o := oneHost(t)
	digest, _ := s.push(image{labels: labelled(commitA)})
	delete(w.hosts, "ghcr.io")
	o.Transport = &losing{world: w, back: func() { w.hosts["ghcr.io"] = s }}
	if got := readOne(t, o, "ghcr.io/acme/shop", digest); got.Reason != "" {
		t.Errorf("got %+v", got)
	}
}

type losing struct {
	*world
	once sync.Once
	back func()
}

func (l *losing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.world.RoundTrip(req)
	l.once.Do(l.back)
	return resp, err
}

// A certificate that nobody here trusts is said to be one.
func TestTLS(t *testing.T) {
	s := newShelf(t, "acme/shop")
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	digest, _ := s.push(image{labels: labelled(commitA)})
	host := strings.TrimPrefix(server.URL, "https://")
	got := readOne(t, Options{Registries: []string{host}}, host+"/acme/shop", digest)
	if got.Reason != host+" could not be reached: its certificate is not trusted here" {
		t.Errorf("got %+v", got)
	}
	if got := readOne(t, Options{Registries: []string{host}, Transport: server.Client().Transport}, host+"/acme/shop", digest); got.Reason != "" {
		t.Errorf("trusted: %+v", got)
	}
}

func TestReferences(t *testing.T) {
	d := "sha256:" + strings.Repeat("a", 64)
	for in, want := range map[string]string{
		"nginx":                             "nginx index.docker.io/library/nginx latest ",
		"acme/shop:v1":                      "acme/shop index.docker.io/acme/shop v1 ",
		"ghcr.io/acme/shop@" + d:            "ghcr.io/acme/shop ghcr.io/acme/shop  " + d,
		"ghcr.io/acme/shop:v1@" + d:         "ghcr.io/acme/shop ghcr.io/acme/shop v1 " + d,
		"localhost:5000/shop":               "localhost:5000/shop localhost:5000/shop latest ",
		"registry.k8s.io:443/a/b/c:v1.0_x-": "registry.k8s.io:443/a/b/c registry.k8s.io:443/a/b/c v1.0_x- ",
		"":                                  "", ":v1": "", "@" + d: "", "a b": "", "ghcr.io/acme/shop@sha256:12": "", "ghcr.io/acme/shop:" + strings.Repeat("a", 129): "",
		"ghcr.io/Acme/shop": "", "https://ghcr.io/acme/shop": "", "ghcr.io/acme/../x": "", "ghcr.io/acme/shop:v1/x": "",
		"ghcr.io/" + strings.Repeat("a/", 600) + "b": "", "user@ghcr.io/acme/shop": "", "ghcr.io/acme/shop?x": "", "ghcr.io/acme/shop#x": "",
	} {
		got := ""
		if r, err := parseReference(in, nil); err == nil {
			got = strings.Join([]string{r.image, r.path(), r.tag, r.digest}, " ")
		}
		if got != want {
			t.Errorf("%.60q: got %q, want %q", in, got, want)
		}
	}
}
