package kubernetes

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

// These tests stand before a server that is broken, or somebody else's.

// answers is an API server that allows everything and answers the lists of the
// namespace shop as it is told, by the plural; others are empty.
type answers map[string]http.HandlerFunc

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	if answer := a[name]; answer != nil {
		answer(w, r)
		return
	}
	if kinds := listKinds(); kinds[name] != "" {
		_, _ = io.WriteString(w, page(name, "", ""))
		return
	}
	switch name {
	case "version":
		_, _ = io.WriteString(w, `{"gitVersion":"v1.37.1"}`)
	case "selfsubjectaccessreviews":
		_, _ = io.WriteString(w, `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":true}}`)
	case "kube-system":
		_, _ = io.WriteString(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system","uid":"cluster-uid"}}`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// listKinds gives kind and version of the list of each plural.
func listKinds() map[string]string {
	out := map[string]string{}
	for _, k := range defaultConfig().kinds() {
		out[k.plural] = k.kind + "List " + strings.TrimPrefix(k.group+"/"+k.version, "/")
		if k.accept == asMetadata {
			out[k.plural] = "PartialObjectMetadataList meta.k8s.io/v1"
		}
	}
	return out
}

// alwaysKinds are those of listKinds that every run reads, in a namespace.
func alwaysKinds() map[string]string {
	out := listKinds()
	for _, k := range defaultConfig().kinds() {
		if modeOf(k.stream) != always || k.cluster {
			delete(out, k.plural)
		}
	}
	return out
}

// page is a page of a list with those items and metadata.
func page(plural, items, metadata string) string {
	kind, version, _ := strings.Cut(listKinds()[plural], " ")
	return `{"kind":"` + kind + `","apiVersion":"` + version + `","metadata":{` + metadata + `},"items":[` + items + `]}`
}

func item(name string) string {
	return `{"metadata":{"name":"` + name + `","namespace":"shop","uid":"uid-` + name + `"}}`
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// connect makes a source of the namespace shop on a TLS server.
func connect(t *testing.T, h http.Handler, change func(*Config)) *source {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // connections that a test cuts are no news
	server.StartTLS()
	t.Cleanup(server.Close)
	c := defaultConfig()
	c.Namespaces = []string{"shop"}
	c.QPS, c.Burst = 1000, 1000
	if change != nil {
		change(c)
	}
	c.Kubeconfig = write(t, "config", `{"apiVersion":"v1","kind":"Config","current-context":"x",
"contexts":[{"name":"x","context":{"cluster":"c","user":"u"}}],"users":[{"name":"u","user":{"token":"s3cret-t0ken"}}],
"clusters":[{"name":"c","cluster":{"insecure-skip-tls-verify":true,"server":"`+server.URL+`"}}]}`)
	conn, err := c.Connect(t.Context(), connector.Env{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*source)
}

func lookAgain(state []byte) connector.Request {
	now := time.Now().UTC()
	return connector.Request{Window: window.Window{Start: now.Add(-time.Hour), End: now.Add(2 * time.Second)}, State: state, Incremental: true}
}

func read(ctx context.Context, s *source, state []byte) (gone int, result connector.Result, err error) {
	result, err = s.Collect(ctx, lookAgain(state), func(r record.Record) error {
		if w, ok := r.(record.Workload); ok && w.Vanished != nil {
			gone++
		}
		return nil
	})
	return gone, result, err
}

func coverageOf(t *testing.T, result connector.Result, stream string) connector.Coverage {
	t.Helper()
	for _, c := range result.Coverage {
		if c.Stream == stream {
			return c
		}
	}
	t.Fatalf("no coverage of %s", stream)
	return connector.Coverage{}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	var arrived atomic.Int32
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	defer elsewhere.Close()
	here := func(r *http.Request) string { return "https://" + r.Host + "/version" }
	for _, code := range []int{301, 302, 303, 307, 308} {
		for name, target := range map[string]func(*http.Request) string{
			"elsewhere": func(*http.Request) string { return elsewhere.URL }, "here": here,
		} {
			asked := 0
			s := connect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				http.Redirect(w, r, target(r), code)
			}), nil)
			_, _, err := read(t.Context(), s, nil)
			if connector.ClassOf(err) != connector.ClassProtocol || !strings.Contains(err.Error(), "redirect, which is not followed") || asked != 1 {
				t.Errorf("%d %s: %v after %d requests", code, name, err, asked)
			}
			if h := s.HealthCheck(t.Context()); !strings.Contains(fmt.Sprint(h.Err), "redirect") {
				t.Errorf("%d %s: health %v", code, name, h.Err)
			}
		}
	}
	if n := arrived.Load(); n > 0 {
		t.Errorf("%d requests arrived at the other host", n)
	}
}

func TestTheGateKnowsOneServer(t *testing.T) {
	g := &gate{requests: &connector.RequestLog{}, server: "https://server:6443", prefix: "/k8s", next: roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	})}
	for target, ok := range map[string]bool{
		"https://server:6443/k8s/version": true, "http://server:6443/k8s/version": false, "https://server/k8s/version": false,
		"https://other:6443/k8s/version": false, "https://server:6443/version": false,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := g.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if (err == nil) != ok {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// wrongAnswers are none of a list.
func wrongAnswers() map[string]string {
	return map[string]string{
		"empty": "", "object": "{}", "html": "<html><body>log in</body></html>", "null": "null", "array": "[]",
		"status":      `{"kind":"Status","apiVersion":"v1","status":"Success"}`,
		"no kind":     `{"apiVersion":"apps/v1","items":[]}`,
		"no version":  `{"kind":"DeploymentList","items":[]}`,
		"other":       `{"kind":"ServiceList","apiVersion":"v1","items":[]}`,
		"other group": `{"kind":"DeploymentList","apiVersion":"extensions/v1beta1","items":[]}`,
		"namespace":   `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"x","uid":"y"}}`,
		"protobuf":    protobufMagic + "\x0a\x00\x12\x00",
		"magic":       protobufMagic,
	}
}

func TestAnAnswerOfTheWrongKindIsNoEmptyList(t *testing.T) {
	server := answers{"deployments": text(page("deployments", item("web"), ""))}
	s := connect(t, server, nil)
	_, first, err := read(t.Context(), s, nil)
	if err != nil || !strings.Contains(string(first.State), "uid-web") {
		t.Fatalf("%v, state %s", err, first.State)
	}
	wrong := wrongAnswers()
	wrong["pods"] = page("pods", "", "")
	for name, body := range wrong {
		for _, contentType := range []string{"application/json", "application/vnd.kubernetes.protobuf", "text/html", "application/yaml", ""} {
			server["deployments"] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", contentType)
				_, _ = io.WriteString(w, body)
			}
			gone, result, err := read(t.Context(), s, first.State)
			cov := coverageOf(t, result, record.StreamWorkloads)
			if err != nil || gone != 0 || cov.Status == connector.Complete || cov.Class != connector.ClassProtocol {
				t.Errorf("%s as %s: %d vanished, %v, %+v", name, contentType, gone, err, cov)
			}
			if result.State != nil && !strings.Contains(string(result.State), "uid-web") {
				t.Errorf("%s as %s: the last look is forgotten: %s", name, contentType, result.State)
			}
		}
	}
	server["deployments"] = nil
	if gone, _, err := read(t.Context(), s, first.State); gone != 1 || err != nil {
		t.Errorf("a list that is empty: %d vanished, %v", gone, err)
	}
}

func TestEveryListMustBeOfItsKind(t *testing.T) {
	for plural := range alwaysKinds() {
		for name, body := range map[string]string{"object": "{}", "another": page(map[bool]string{true: "events", false: "pods"}[plural == "pods"], "", "")} {
			if plural == "configmaps" && name == "another" {
				body = `{"kind":"ConfigMapList","apiVersion":"v1","items":[]}`
			}
			_, result, err := read(t.Context(), connect(t, answers{plural: text(body)}, nil), nil)
			found := false
			for _, cov := range result.Coverage {
				found = found || cov.Class == connector.ClassProtocol && cov.Status != connector.Complete
			}
			if err != nil || !found {
				t.Errorf("%s of %s: %v, %+v", name, plural, err, result.Coverage)
			}
		}
	}
	every := text(page("pods", "", ""))
	same := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { every(w, r) })
	if _, _, err := read(t.Context(), connect(t, same, nil), nil); connector.ClassOf(err) != connector.ClassProtocol {
		t.Errorf("a server that answers everything with pods: %v", err)
	}
}

func TestReviewNamespaceAndVersionMustBeThemselves(t *testing.T) {
	for name, body := range wrongAnswers() {
		if name == "namespace" {
			continue
		}
		if _, err := connect(t, answers{"kube-system": text(body)}, nil).Identity(t.Context()); connector.ClassOf(err) != connector.ClassProtocol {
			t.Errorf("namespace, %s: %v", name, err)
		}
		if _, err := connect(t, answers{"version": text(body)}, nil).Identity(t.Context()); connector.ClassOf(err) != connector.ClassProtocol {
			t.Errorf("version, %s: %v", name, err)
		}
		_, err := connect(t, answers{"selfsubjectaccessreviews": text(body)}, nil).api.review(t.Context(), grant("list", pods(), "shop"))
		if connector.ClassOf(err) != connector.ClassProtocol {
			t.Errorf("review, %s: %v", name, err)
		}
	}
}

// allocated is how much memory f takes, whether it is given back or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) >> 20
}

func protobufField(number int, payload []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(number)<<3|2)
	b = binary.AppendUvarint(b, uint64(len(payload)))
	return append(b, payload...)
}

// protobufPods is a PodList in protobuf with those fields.
func protobufPods(fields []byte) []byte {
	kind := append(protobufField(1, []byte("v1")), protobufField(2, []byte("PodList"))...)
	return append(append([]byte(protobufMagic), protobufField(1, kind)...), protobufField(2, fields)...)
}

func TestMoreThanWasAskedForIsNotDecoded(t *testing.T) {
	const many = 300_000
	empties := bytes.Repeat([]byte{2<<3 | 2, 0}, many)
	containers := protobufField(2, protobufField(2, bytes.Repeat([]byte{2<<3 | 2, 0}, 20*many)))
	codec, err := newCodecs(defaultConfig().kinds())
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{
		"items":               []byte(page("pods", strings.Repeat("{},", many)+"{}", "")),
		"nulls":               []byte(page("pods", strings.Repeat("null,", many)+"null", "")),
		"twice and more":      []byte(page("pods", strings.Repeat("{},", 2*500+100)+"{}", "")),
		"containers":          []byte(page("pods", `{"spec":{"containers":[`+strings.Repeat("{},", 20*many)+`{}]}}`, "")),
		"protobuf":            protobufPods(empties),
		"protobuf containers": protobufPods(containers),
		"protobuf broken":     protobufPods(append(containers, 0xff)),
	} {
		var err error
		used := allocated(func() { err = codec.decode(body, 500, &corev1.PodList{}) })
		if !errors.Is(err, errTooMany) || used > 64 {
			t.Errorf("%s: %v, with %d MiB for %d", name, err, used, len(body)>>20)
		}
	}
	server := answers{"pods": text(page("pods", strings.Repeat("{},", many)+"{}", ""))}
	began := time.Now()
	_, result, err := read(t.Context(), connect(t, server, nil), nil)
	if cov := coverageOf(t, result, record.StreamPods); err != nil || cov.Class != connector.ClassProtocol || cov.Status != connector.Failed {
		t.Errorf("%v, %+v", err, cov)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A page as large as they come is decoded, in both forms.
func TestALargeHonestPageIsDecoded(t *testing.T) {
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
	for i := range 500 {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprint("pod-", i), Namespace: "shop", UID: "u", Annotations: map[string]string{"note": strings.Repeat(`{"f:metadata":{"f:labels":{}}} `, 200)},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m", FieldsV1: metav1.NewFieldsV1(strings.Repeat(" ", 4000) + "{}")}},
		}}
		for range 4 {
			c := corev1.Container{Name: "app", Image: "shop/web:1"}
			for e := range 80 {
				c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprint("KEY_", e), Value: "some value that is long"})
			}
			p.Spec.Containers = append(p.Spec.Containers, c)
		}
		list.Items = append(list.Items, p)
	}
	asJSON, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := list.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	codec, err := newCodecs(defaultConfig().kinds())
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{"json": asJSON, "protobuf": protobufPods(raw)} {
		var got corev1.PodList
		if err := codec.decode(body, 500, &got); err != nil || len(got.Items) != 500 || len(got.Items[499].Spec.Containers[3].Env) != 80 {
			t.Errorf("%s of %d MiB: %v, %d items", name, len(body)>>20, err, len(got.Items))
		}
	}
}

func FuzzCounting(f *testing.F) {
	f.Add([]byte(page("pods", item("a"), "")))
	f.Add(protobufPods(protobufField(2, protobufField(1, protobufField(1, []byte("a"))))))
	f.Fuzz(func(t *testing.T, body []byte) {
		codec, err := newCodecs(defaultConfig().kinds())
		if err != nil {
			t.Fatal(err)
		}
		_ = codec.decode(body, 1, &corev1.PodList{})
		_ = codec.decode(append([]byte(protobufMagic), body...), 1, &corev1.PodList{})
	})
}

func TestAnErrorIsReadOnlyToItsBound(t *testing.T) {
	pods := page("pods", strings.Repeat("{},", 2_000_000)+"{}", "")
	s := connect(t, answers{"pods": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, pods)
	}}, nil)
	var result connector.Result
	used := allocated(func() { _, result, _ = read(t.Context(), s, nil) })
	if cov := coverageOf(t, result, record.StreamPods); used > 64 || cov.Class != connector.ClassUnreachable {
		t.Errorf("%d MiB, %+v", used, cov)
	}
}

func TestObjectsMustHaveNameUIDAndNamespace(t *testing.T) {
	for name, object := range map[string]string{
		"no uid": `{"metadata":{"name":"a","namespace":"shop"}}`, "no name": `{"metadata":{"uid":"a","namespace":"shop"}}`,
		"another namespace": `{"metadata":{"name":"a","namespace":"other","uid":"a"}}`, "null": "null",
	} {
		for plural := range alwaysKinds() {
			_, result, err := read(t.Context(), connect(t, answers{plural: text(page(plural, item("web")+","+object, ""))}, nil), nil)
			found := false
			for _, cov := range result.Coverage {
				found = found || cov.Class == connector.ClassProtocol && cov.Status == connector.Partial
			}
			if err != nil || !found {
				t.Errorf("%s in %s: %v, %+v", name, plural, err, result.Coverage)
			}
		}
	}
}

func TestANamespaceOfAKubeconfigIsNoPath(t *testing.T) {
	for _, ns := range []string{"kube-system/secrets/x/..", "..", "a%2fb", "Shop", "a b"} {
		c := defaultConfig()
		c.Kubeconfig = write(t, "config", strings.Replace(strings.Replace(kubeconfig, "CURRENT", "one", 1), "namespace: shop", `namespace: "`+ns+`"`, 1))
		if _, err := c.Connect(t.Context(), connector.Env{}); connector.ClassOf(err) != connector.ClassConfig {
			t.Errorf("%q: %v", ns, err)
		}
		asked := 0
		s := connect(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }), nil)
		l := &listing{kind: kind{resource: pods()}, namespace: ns}
		if _, err := l.fetch(t.Context(), s.api, "", 1); connector.ClassOf(err) != connector.ClassConfig || asked > 0 {
			t.Errorf("%q was asked for: %v", ns, err)
		}
	}
	if p := pods().path("a/../../b"); strings.Count(p, "/") != strings.Count(pods().path("a"), "/") {
		t.Errorf("path %s", p)
	}
}

func TestNamesCannotDrawOnATerminal(t *testing.T) {
	const evil = "one\x1b[2J\u202e\n"
	config := strings.ReplaceAll(strings.Replace(kubeconfig, "CURRENT", strconv.QuoteToASCII(evil), 1), "name: one", "name: "+strconv.QuoteToASCII(evil))
	for name, text := range map[string]string{
		"good":      config,
		"cluster":   strings.ReplaceAll(config, "cluster: c,", "cluster: "+strconv.QuoteToASCII(evil)+","),
		"user":      strings.ReplaceAll(config, "user: u,", "user: "+strconv.QuoteToASCII(evil)+","),
		"namespace": strings.Replace(config, "namespace: shop", "namespace: "+strconv.QuoteToASCII(evil), 1),
		"none":      strings.Replace(config, "- {name: one", "- {name: two", 1) + "x: {",
		"server":    strings.Replace(config, "https://127.0.0.1:1", "://"+`\e`, 1),
		"file":      strings.Replace(config, "{token: s3cret-t0ken}", "{client-key: "+strconv.QuoteToASCII("/dev/null\x1b")+"}", 1),
	} {
		c := defaultConfig()
		c.Kubeconfig = write(t, "config", text)
		said, err := c.Describe(connector.Env{})
		if _, connectErr := c.Connect(t.Context(), connector.Env{}); connectErr != nil {
			err = errors.Join(err, connectErr)
		}
		if all := said + strings.ReplaceAll(fmt.Sprint(err), "\n", ""); strings.ContainsFunc(all, func(r rune) bool { return !strconv.IsPrint(r) }) {
			t.Errorf("%s: %q", name, all)
		}
	}
}

func TestAHungPluginEndsWithTheRun(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	i := &impatient{roundTrip(func(*http.Request) (*http.Response, error) {
		<-release
		return nil, errors.New("late")
	})}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://server", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := i.RoundTrip(req)
	if !errors.Is(err, context.DeadlineExceeded) {
		_ = resp.Body.Close()
		t.Errorf("%v", err)
	}
}

func TestAPluginGetsNoStandardInput(t *testing.T) {
	sleepy := strings.Replace(strings.Replace(kubeconfig, "CURRENT", "one", 1), "{token: s3cret-t0ken}",
		`{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: IfAvailable, command: sleep, args: ["3"]}}`, 1)
	c := defaultConfig()
	c.Kubeconfig = write(t, "config", sleepy)
	at, err := c.locate(connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if quiet := quietPlugin(at.rest.ExecProvider); !quiet.StdinUnavailable || at.rest.ExecProvider.StdinUnavailable {
		t.Errorf("standard input: %+v", quiet)
	}
	// Through the whole client: a plugin that hangs does not hold the run.
	conn, err := c.Connect(t.Context(), connector.Env{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = conn.Collect(ctx, lookAgain(nil), func(record.Record) error { return nil })
	if took := time.Since(began); connector.ClassOf(err) != connector.ClassTimeout || took > 2*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}

func TestPagesThatLeadNowhere(t *testing.T) {
	fresh := 0
	for name, test := range map[string]struct {
		page   func(token string) string
		status connector.Status
		say    string
	}{
		"the same token": {func(string) string { return page("configmaps", item("a"), `"continue":"x"`) }, connector.Partial, "in circles"},
		"ever new tokens": {func(string) string {
			fresh++
			return page("configmaps", item("a"), fmt.Sprintf(`"continue":"t%d"`, fresh))
		}, connector.Partial, "in circles"},
		"empty pages": {func(string) string {
			fresh++
			return page("configmaps", "", fmt.Sprintf(`"continue":"t%d"`, fresh))
		}, connector.Failed, "in circles"},
		"more, and no way to it": {func(string) string { return page("configmaps", item("a"), `"remainingItemCount":7`) }, connector.Partial, "7 are left"},
		"honest": {func(token string) string {
			if token == "" {
				return page("configmaps", item("a"), `"continue":"x","remainingItemCount":1`)
			}
			return page("configmaps", item("b"), "")
		}, connector.Complete, ""},
	} {
		asked := 0
		s := connect(t, answers{"configmaps": func(w http.ResponseWriter, r *http.Request) {
			asked++
			_, _ = io.WriteString(w, test.page(r.URL.Query().Get("continue")))
		}}, func(c *Config) { c.Streams = []string{record.StreamConfigMaps} })
		_, result, _ := read(t.Context(), s, nil)
		if cov := coverageOf(t, result, record.StreamConfigMaps); cov.Status != test.status || !strings.Contains(cov.Reason, test.say) || asked > 2*maxIdle {
			t.Errorf("%s: %d requests, %+v", name, asked, cov)
		}
	}
}

func TestPermissionLostBetweenPages(t *testing.T) {
	s := connect(t, answers{"pods": func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("continue") != "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = io.WriteString(w, page("pods", item("a"), `"continue":"x"`))
	}}, nil)
	_, result, err := read(t.Context(), s, nil)
	cov := coverageOf(t, result, record.StreamPods)
	if err != nil || cov.Status != connector.Partial || cov.Class != connector.ClassForbidden || len(cov.Missing) > 0 || !strings.Contains(cov.Reason, "lost between pages") {
		t.Errorf("%v, %+v", err, cov)
	}
}

func TestACredentialThatRunsOutLeavesWhatWasRead(t *testing.T) {
	s := connect(t, answers{"pods": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }}, nil)
	_, result, err := read(t.Context(), s, nil)
	if cov := coverageOf(t, result, record.StreamPods); err != nil || cov.Class != connector.ClassAuth {
		t.Errorf("%v, %+v", err, cov)
	}
	if cov := coverageOf(t, result, record.StreamConfigMaps); cov.Status != connector.Complete {
		t.Errorf("%+v", cov)
	}
}

func TestAWaitBeyondTheDeadlineFailsOneStream(t *testing.T) {
	for name, test := range map[string]struct {
		seconds string
		time    time.Duration
	}{"the deadline": {"20", 10 * time.Second}, "our patience": {"3600", time.Hour}} {
		s := connect(t, answers{"pods": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", test.seconds)
			w.WriteHeader(http.StatusTooManyRequests)
		}}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), test.time)
		began := time.Now()
		_, result, err := read(ctx, s, nil)
		cancel()
		cov := coverageOf(t, result, record.StreamPods)
		if err != nil || cov.Class != connector.ClassLimited || !strings.Contains(cov.Reason, test.seconds+" seconds") || time.Since(began) > 5*time.Second {
			t.Errorf("%s: %v, %+v", name, err, cov)
		}
		if cov := coverageOf(t, result, record.StreamWorkloads); cov.Status != connector.Complete {
			t.Errorf("%s: %+v", name, cov)
		}
	}
}

func TestAListThatHangsFailsAlone(t *testing.T) {
	s := connect(t, answers{"pods": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	_, result, err := read(ctx, s, nil)
	if cov := coverageOf(t, result, record.StreamPods); err != nil || cov.Class != connector.ClassTimeout {
		t.Errorf("%v, %+v", err, cov)
	}
	for _, stream := range []string{record.StreamWorkloads, record.StreamConfigMaps, record.StreamEvents} {
		if cov := coverageOf(t, result, stream); cov.Class != connector.ClassNone {
			t.Errorf("%+v", cov)
		}
	}
}

func TestOnlyRegularFilesAreRead(t *testing.T) {
	good := strings.Replace(kubeconfig, "CURRENT", "one", 1)
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, append([]byte(good), bytes.Repeat([]byte("#"), maxFile)...), 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	defer other.Close()
	odd := map[string]string{"folder": dir, "device": os.DevNull, "large": large, "fifo": makeFIFO(t)}
	if fd := fmt.Sprintf("/dev/fd/%d", pipe.Fd()); runtime.GOOS == "linux" {
		odd["/dev/fd"], odd["/proc"] = fd, strings.Replace(fd, "/dev", "/proc/self", 1)
	}
	for name, path := range odd {
		vars := lookup(map[string]string{"KUBECONFIG": path})
		refuses(t, name+" as KUBECONFIG", func() error { _, err := defaultConfig().Connect(t.Context(), vars); return err })
		refuses(t, name+" as KUBECONFIG, found", func() error { _, err := discover(t.Context(), vars); return err })
		for _, field := range []string{"client-key", "client-certificate", "tokenFile"} {
			c := defaultConfig()
			c.Kubeconfig = write(t, "config", strings.Replace(good, "{token: s3cret-t0ken}", "{"+field+": "+path+"}", 1))
			refuses(t, name+" as "+field, func() error { _, err := c.Connect(t.Context(), connector.Env{}); return err })
		}
		c := defaultConfig()
		c.Kubeconfig = write(t, "config", strings.Replace(good, "{server:", "{certificate-authority: "+path+", server:", 1))
		refuses(t, name+" as certificate-authority", func() error { _, err := c.Connect(t.Context(), connector.Env{}); return err })
	}
}

// refuses wants an error of the config, soon.
func refuses(t *testing.T, what string, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if connector.ClassOf(err) != connector.ClassConfig || !strings.Contains(fmt.Sprint(err), "it is not read") {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(5 * time.Second):
		t.Errorf("%s hangs", what)
	}
}

func TestTheKindsAreThoseThatAreRead(t *testing.T) {
	codec, err := newCodecs(defaultConfig().kinds())
	if err != nil {
		t.Fatal(err)
	}
	for kind, obj := range map[string]interface {
		metav1.ListInterface
	}{"deployments": &appsv1.DeploymentList{}, "configmaps": &metav1.PartialObjectMetadataList{}} {
		if err := codec.decode([]byte(page(kind, item("a"), `"continue":"x"`)), 1, obj.(pager)); err != nil || obj.GetContinue() != "x" {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
