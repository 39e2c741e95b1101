package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/rcactl/rcactl/pkg/config"
	"github.com/rcactl/rcactl/pkg/secret"
	"github.com/rcactl/rcactl/schemas"
)

func ref(t *testing.T, s string) secret.Ref {
	t.Helper()
	r, err := secret.ParseRef(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var compare = cmp.Comparer(func(a, b secret.Ref) bool { return a == b })

func TestEveryKeyIsRead(t *testing.T) {
	got, _, _ := parseFile(t, "../../testdata/config/full.yaml")
	want := &config.Config{
		Version: 1, ClusterID: "prod-eu1", DefaultSince: 24 * time.Hour, Timeout: 90 * time.Second,
		Out: "/var/lib/rcactl/runs", State: "/var/lib/rcactl",
		Redaction: config.Redaction{Key: ref(t, "file:/etc/rcactl/pseudonym.key"), Personal: "omit", Identifiers: "hash", Text: "omit"},
		Services: map[string]config.Service{
			"shop/checkout":        {Repository: "github.com/acme/shop"},
			"prod-eu1/shop/basket": {Repository: "git.example.com/acme/basket", Path: "services/basket"},
			"shop/mail":            {Repository: "github.example.com/acme/mail"},
		},
		Images:  config.Images{Registries: []string{"ghcr.io/acme", "registry.example.com:5000"}, ProvenanceKeys: []secret.Ref{ref(t, "file:/etc/rcactl/cosign.pub")}, MaxImages: 50, Timeout: 3 * time.Second},
		Signing: config.Signing{Key: ref(t, "env:SIGNING_KEY"), Password: ref(t, "env:COSIGN_PASSWORD")},
		Connectors: []config.Instance{{
			Key: "kubernetes", Type: "kubernetes", Line: 4, Column: 3,
			Config: &kubernetes{
				Kubeconfig: "/etc/rcactl/kubeconfig", Context: "prod", Namespaces: []string{"shop", "payments"}, ClusterID: "prod-eu1",
				Exclude: []string{"payments-test", "sandbox-*"}, Selector: "team in (payments, shop),env!=dev",
				ServiceLabels: []string{"app.kubernetes.io/name", "team.example/service"}, Streams: []string{"workloads", "events"},
				MaxObjects: 5000, PageSize: 100, QPS: 2.5, Burst: 10,
			},
		}},
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Error(diff)
	}
}

func TestShortFormsAndDefaults(t *testing.T) {
	got, problems, _ := parseFile(t, "../../testdata/config/short-forms.yaml")
	if got == nil {
		t.Fatal(problems.Text())
	}
	on, two := defaultKubernetes(), defaultKubernetes()
	on.Context, on.Namespaces, on.Streams, on.PageSize, on.Burst = "on", []string{"no"}, []string{"pods"}, 16, 5
	two.ClusterID, two.MaxObjects = "2026-01-31", 100
	want := config.Default()
	want.Out = "runs"
	want.Connectors = []config.Instance{
		{Key: "kubernetes", Type: "kubernetes", Config: defaultKubernetes(), Line: 5, Column: 3},
		{Key: "kubernetes/on", Type: "kubernetes", Name: "on", Config: on, Line: 6, Column: 3},
		{Key: "kubernetes/2", Type: "kubernetes", Name: "2", Config: two, Line: 12, Column: 3},
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Error(diff)
	}
}

func TestTheClusterOfTheFileHoldsForItsConnectors(t *testing.T) {
	cfg, problems := config.Parse("c.yaml", []byte("version: 1\ncluster_id: prod\nconnectors:\n  kubernetes:\n  kubernetes/other: {cluster_id: test}\n"), types)
	if cfg == nil {
		t.Fatal(problems.Text())
	}
	for i, want := range []string{"prod", "test"} {
		if got := cfg.Connectors[i].Config.(*kubernetes).ClusterID; got != want {
			t.Errorf("%s: cluster %q, want %q", cfg.Connectors[i].Key, got, want)
		}
	}
}

func TestAnchorsAndMerges(t *testing.T) {
	got, problems, _ := parseFile(t, "../../testdata/config/anchors.yaml")
	if got == nil {
		t.Fatal(problems.Text())
	}
	for i, want := range []struct {
		key, context string
		pageSize     int
	}{{"kubernetes/eu", "eu", 500}, {"kubernetes/us", "us", 500}, {"kubernetes/ap", "eu", 50}} {
		k := got.Connectors[i].Config.(*kubernetes)
		if got.Connectors[i].Key != want.key || k.Context != want.context || k.PageSize != want.pageSize ||
			!cmp.Equal(k.Namespaces, []string{"shop", "payments"}) {
			t.Errorf("%s: got %+v, want %+v", got.Connectors[i].Key, k, want)
		}
	}
}

// What is wrong behind an anchor is wrong once, however many use it.
func TestProblemBehindAnchorIsSaidOnce(t *testing.T) {
	_, problems := config.Parse("c.yaml", []byte("version: 1\nconnectors:\n  kubernetes/a: &a {contxt: x}\n  kubernetes/b: *a\n  kubernetes/c: {<<: *a}\n"), types)
	if len(problems) != 1 {
		t.Errorf("want one problem:\n%s", problems.Text())
	}
}

func TestAllProblemsInOrder(t *testing.T) {
	_, problems := config.Parse("c.yaml", []byte(`version: 1
timeout: soon
connectors:
  kubernetes/b: {page_size: 0, contxt: a}
  kubernetes/a: {namespaces: [a, "*"]}
  kubernetes/c: {}
  nothing: {}
signing: {key: literal, key: env:A}
x: 1
`), types)
	var got []string
	for _, p := range problems {
		got = append(got, p.Rule)
	}
	want := []string{"bad-duration", "out-of-range", "unknown-key", "connector-value", "unknown-connector", "literal-credential", "repeated-key", "unknown-key"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%s", diff, problems.Text())
	}
}

func TestRelativePathsStartAtTheFile(t *testing.T) {
	cfg, problems := config.Parse(filepath.Join("etc", "c.yaml"), []byte("version: 1\nout: runs\nconnectors: {kubernetes: {kubeconfig: ../kube}}\n"), types)
	if cfg == nil {
		t.Fatal(problems.Text())
	}
	if got, want := cfg.Out, filepath.Join("etc", "runs"); got != want {
		t.Errorf("out is %q, want %q", got, want)
	}
	if got := cfg.Connectors[0].Config.(*kubernetes).Kubeconfig; got != "kube" {
		t.Errorf("kubeconfig is %q, want kube", got)
	}
}

func TestErrorsOfAConnectorHaveAPlace(t *testing.T) {
	for _, tt := range []struct{ body, path, want string }{
		{"namespaces: shop", "namespaces[0]", "3:28: connectors.kubernetes.namespaces[0]"},
		{"namespaces: [a, shop]", "namespaces[1]", "3:32: connectors.kubernetes.namespaces[1]"},
		{"context: a", "context", "3:25: connectors.kubernetes.context"},
		{"context: a", "qps", "3:3: connectors.kubernetes.qps"},
		{"context: a", "", "3:3: connectors.kubernetes"},
	} {
		refuse := func(string) (any, error) {
			return &refusing{err: errors.Join(nil, fieldError{tt.path, "no", ""})}, nil
		}
		_, problems := config.Parse("c", []byte("version: 1\nconnectors:\n  kubernetes: {"+tt.body+"}\n"), refuse)
		if want := "c:" + strings.Replace(tt.want, ": ", ": error: ", 1) + ": no\n"; problems.Text() != want {
			t.Errorf("got %s want %s", problems.Text(), want)
		}
	}
}

type refusing struct {
	kubernetes `yaml:",inline"`
	err        error
}

func (r *refusing) Validate() error { return r.err }

// The struct of a connector that does not fit the schema is our bug; the error
// of the decoder would show the value.
func TestDecodeErrorShowsNoValue(t *testing.T) {
	narrow := func(string) (any, error) {
		return &struct {
			Context int `yaml:"context"`
		}{}, nil
	}
	_, problems := config.Parse("c", []byte("version: 1\nconnectors: {kubernetes: {context: "+planted+"}}\n"), narrow)
	if problems.Errors() != 1 {
		t.Errorf("want one error: %s", problems.Text())
	}
	noCredential(t, "decode", problems)
}

func TestProblemAsJSON(t *testing.T) {
	_, problems := config.Parse("c.yaml", []byte("version: 1\nconnectors: {kubernetes: {contxt: a}}\n"), types)
	got, err := json.Marshal(problems)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"file":"c.yaml","line":2,"column":27,"severity":"error","rule":"unknown-key","path":"connectors.kubernetes.contxt","message":"unknown key","hint":"did you mean context?"}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, none := config.Parse("c.yaml", []byte("version: 1\n"), types); none == nil {
		t.Error("no problems must be [] in JSON, not null")
	}
}

func TestSummary(t *testing.T) {
	e, w := config.Problem{Severity: config.Error}, config.Problem{Severity: config.Warning}
	for want, ps := range map[string]config.Problems{"no problems": nil, "1 error": {e}, "2 errors, 1 warning": {e, w, e}, "2 warnings": {w, w}} {
		if got := ps.Summary(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A key in a message cannot write to the terminal.
func TestKeysAreEscaped(t *testing.T) {
	_, problems := config.Parse("c", []byte("version: 1\n\"\\e[31mred\": 1\n"), types)
	if text := problems.Text(); strings.Contains(text, "\x1b") || !strings.Contains(text, `"\x1b[31mred"`) {
		t.Errorf("%q", text)
	}
}

func TestDigest(t *testing.T) {
	digest := func(text string) string {
		t.Helper()
		cfg, problems := config.Parse("rcactl.yaml", []byte(text), types)
		if cfg == nil {
			t.Fatal(problems.Text())
		}
		d, err := cfg.Digest()
		if err != nil || len(d) != 64 {
			t.Fatalf("%q, %v", d, err)
		}
		return d
	}
	base := digest("version: 1\ntimeout: 90s\nconnectors: {kubernetes: {namespaces: shop}}\n")
	for _, same := range []string{
		"# a comment\nconnectors:\n  kubernetes:\n    namespaces: [shop]\nversion: 1\ntimeout: 1m30s\n",
		"version: 1\ntimeout: 90s\ndefault_since: 60m\nsigning:\nconnectors: {kubernetes: {namespaces: shop, burst: 100}}\n",
	} {
		if digest(same) != base {
			t.Errorf("another digest for the same meaning:\n%s", same)
		}
	}
	for _, other := range []string{
		"version: 1\ntimeout: 91s\nconnectors: {kubernetes: {namespaces: shop}}\n",
		"version: 1\ntimeout: 90s\nconnectors: {kubernetes: {namespaces: pay}}\n",
		"version: 1\ntimeout: 90s\nconnectors: {kubernetes/a: {namespaces: shop}}\n",
		"version: 1\ntimeout: 90s\nconnectors: {kubernetes: {namespaces: shop}}\nsigning: {key: env:K}\n",
		"version: 1\ntimeout: 90s\n",
	} {
		if digest(other) == base {
			t.Errorf("the same digest for another meaning:\n%s", other)
		}
	}
}

func TestRenderIsReadBack(t *testing.T) {
	star := defaultKubernetes()
	star.Namespaces, star.Context = []string{"*"}, "yes: #1"
	custom := defaultKubernetes()
	custom.ServiceLabels, custom.QPS = []string{"app"}, 2.5
	full, _, _ := parseFile(t, "../../testdata/config/full.yaml")
	found := config.Default()
	found.Connectors = []config.Instance{
		{Key: "kubernetes", Type: "kubernetes", Config: defaultKubernetes()},
		{Key: "kubernetes/2", Type: "kubernetes", Name: "2", Config: star},
		{Key: "kubernetes/x", Type: "kubernetes", Name: "x", Config: custom},
	}
	for name, cfg := range map[string]*config.Config{"default": config.Default(), "full": full, "found": found} {
		text, err := config.Render(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte(config.Modeline+"\n")) {
			t.Errorf("%s: no modeline", name)
		}
		back, problems := config.Parse("rcactl.yaml", text, types)
		if back == nil {
			t.Fatalf("%s:\n%s\n%s", name, problems.Text(), text)
		}
		for i := range back.Connectors {
			back.Connectors[i].Line, back.Connectors[i].Column = cfg.Connectors[i].Line, cfg.Connectors[i].Column
		}
		if diff := cmp.Diff(cfg, back, compare); diff != "" {
			t.Errorf("%s: (-) written (+) read back:\n%s\n%s", name, diff, text)
		}
	}
}

// People read what is rendered: only what differs, each key explained, in the
// short forms.
func TestRenderText(t *testing.T) {
	cfg := config.Default()
	cfg.Timeout = 2 * time.Hour
	cfg.Services = map[string]config.Service{
		"shop/basket":   {Repository: "github.com/acme/shop", Path: "services/basket"},
		"shop/checkout": {Repository: "github.com/acme/shop"},
	}
	k := defaultKubernetes()
	k.Context, k.Namespaces = "prod", []string{"shop"}
	cfg.Connectors = []config.Instance{{Key: "kubernetes", Type: "kubernetes", Config: k}}
	got, err := config.Render(cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Modeline + `
# The version of this file's format.
version: 1
# Deadline of a whole run. What was read by then is written and signed as partial.
timeout: 2h
# Where services come from, where their images and annotations do not say it or are not to be believed. A key is namespace/service, or cluster/namespace/service.
services:
  # A repository, or a mapping of a repository and a path in it.
  shop/basket:
    # Repository of the source code: owner/name on github.com, host/owner/name, or an address without credentials.
    repository: github.com/acme/shop
    # Folder of the service in the repository.
    path: services/basket
  # A repository, or a mapping of a repository and a path in it.
  shop/checkout: github.com/acme/shop
# The sources to read. A key is a type, or type/name where one type is read several times.
connectors:
  # A Kubernetes cluster: what was rolled out, restarted and scaled, and what hurt.
  kubernetes:
    # Context of the kubeconfig. Without it: the current one.
    context: prod
    # Namespaces to read. Without it: the namespace of the context or of the ServiceAccount. "*" reads all; a pattern such as team-* lists all and keeps those that fit. Both need a ClusterRole.
    namespaces: shop
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// The schema is one of the draft that it names, by the draft's own schema.
func TestSchemaIsASchema(t *testing.T) {
	var doc map[string]any
	if err := json.Unmarshal(schemas.Config(), &doc); err != nil {
		t.Fatal(err)
	}
	const draft = "https://json-schema.org/draft/2020-12/schema"
	if doc["$schema"] != draft {
		t.Fatalf("$schema is %v", doc["$schema"])
	}
	if err := jsonschema.MustCompile(draft).Validate(doc); err != nil {
		t.Errorf("%#v", err)
	}
	if !strings.HasSuffix(config.Modeline, "$schema="+doc["$id"].(string)) {
		t.Errorf("the modeline does not name %v", doc["$id"])
	}
}

// Big files are refused or read in time, whatever they are full of.
func TestBigFilesAreBounded(t *testing.T) {
	fill := func(s string) []byte { return []byte("version: 1\n" + strings.Repeat(s, (config.MaxSize-100)/len(s))) }
	for name, data := range map[string][]byte{
		"keys":      fill("aaaa: b\n"),
		"brackets":  append([]byte("a: "), bytes.Repeat([]byte("["), 1<<19)...),
		"braces":    append([]byte("a: "), bytes.Repeat([]byte("{"), 1<<19)...),
		"questions": append([]byte("a: "), bytes.Repeat([]byte("? "), 1<<18)...),
		"dashes":    append([]byte("a:\n"), bytes.Repeat([]byte("- "), 1<<18)...),
		"list":      []byte("version: 1\nout: [" + strings.Repeat("a,", 1<<18) + "]"),
		"digits":    []byte("version: 1\ntimeout: " + strings.Repeat("9", 1<<19)),
		"exponent":  []byte("version: 1\nconnectors: {kubernetes: {qps: 1e999999999}}"),
		"text":      []byte("version: 1\nout: " + strings.Repeat("a", 1<<19)),
		"merges":    []byte("version: 1\nconnectors: {<<: [" + strings.Repeat("1,", 1<<18) + "]}"),
		"numbers":   fill("1: b\n"),
		"documents": fill("---\n"),
		"anchors":   fill("a: &a *a\n"),
	} {
		began := time.Now()
		cfg, problems := config.Parse("big.yaml", data, types)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if cfg != nil || problems.Errors() == 0 {
			t.Errorf("%s was taken", name)
		}
	}
}
