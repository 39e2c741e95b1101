package kubernetes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// FuzzFieldsV1: a field set never breaks the reader, only names that the API
// would take come out, and of valid JSON all that the standard decoder sees.
func FuzzFieldsV1(f *testing.F) {
	for _, seed := range []string{
		`{"f:data":{".":{},"f:log.level":{}}}`, `{"f:spec":{"f:template":{"f:spec":{}}}}`, `{"f:data":[]}`, `{`, `null`, `{"f:data":{"f:a b":{},"v:\"x\"":{}}}`,
		`{"f:spec":{"f:ports":{".":{},"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}},"f:selector":{"f:app":{}}}}`,
		`{"f:spec":{"f:hard":{".":{},"f:pods":{},"f:requests.cpu":{}}},"f:metadata":{"f:labels":{"f:app":{},"f:secret":{}}}}`,
		`{"f:spec":{"f:a":{"f:b":{"f:c":{"f:d":{"f:e":{}}}}}}}`, `{"f:metadata":{"f:finalizers":{"v:\"password\"":{}}}}`, "{\"a\\\"}\":{}", `{"a":1,"b":tru`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		fields := &metav1.FieldsV1{}
		fields.SetRawBytes(raw)
		now := metav1.Now()
		entries := []metav1.ManagedFieldsEntry{{Manager: "m", Time: &now, FieldsV1: fields}, {Manager: controllerManager, Time: &now, FieldsV1: fields}}
		allowed := allowlist{labels: []string{"app"}}
		for name, keys := range map[string]keyFields{"data": dataFields, "spec": specFields} {
			list, all, _ := allowed.settingManagers(entries, keys)
			for _, m := range list {
				for _, key := range m.Keys {
					if !strings.HasPrefix(key, "metadata.") && !slices.Contains(all, key) {
						t.Errorf("%s: %q is of a manager alone", name, key)
					}
					all = append(all, key)
				}
			}
			for _, key := range all {
				if len(key) > 256 || strings.ContainsAny(key, "\"'{}:\\ \n\t=;") || name == "data" && !strings.HasPrefix(key, "metadata.") && !isDataKey(key) {
					t.Errorf("%s: key %q", name, key)
				}
			}
		}
		managers(entries)
		var want map[string]json.RawMessage
		if len(raw) > maxFields || json.Unmarshal(raw, &want) != nil {
			return
		}
		got := map[string]string{}
		eachEntry(raw, func(name, value []byte) {
			var text string
			if json.Unmarshal([]byte(`"`+string(name)+`"`), &text) != nil || !json.Valid(value) {
				t.Errorf("%q: %q is not valid", name, value)
			}
			got[text] = string(value)
		})
		if len(got) != len(want) {
			t.Fatalf("%d of %d entries of %q", len(got), len(want), raw)
		}
		for name, value := range want {
			if strings.TrimSpace(string(value)) != got[name] {
				t.Errorf("%q: %q, want %q", name, got[name], value)
			}
		}
	})
}

func TestPathsOfFieldSets(t *testing.T) {
	for set, want := range map[string][]string{
		`{"f:spec":{"f:minReplicas":{},"f:scaleTargetRef":{"f:kind":{},"f:name":{}},"f:metrics":{}}}`: {
			"spec.metrics", "spec.minReplicas", "spec.scaleTargetRef.kind", "spec.scaleTargetRef.name",
		},
		`{"f:spec":{"f:hard":{".":{},"f:pods":{},"f:requests.cpu":{}}},"f:status":{"f:used":{}}}`:            {"spec.hard[pods]", "spec.hard[requests.cpu]"},
		`{"f:spec":{"f:ports":{".":{},"k:{\"port\":80}":{".":{},"f:port":{}}},"f:selector":{},"f:type":{}}}`: {"spec.ports", "spec.selector", "spec.type"},
		`{"f:rules":{},"f:metadata":{"f:annotations":{"f:note":{}}}}`:                                        {"rules"},
		`{"f:spec":{"f:podSelector":{"f:matchLabels":{"f:app.kubernetes.io/name":{}}}}}`:                     {"spec.podSelector.matchLabels[app.kubernetes.io/name]"},
		`{"f:spec":{"f:a":{"f:b":{"f:c":{"f:d":{"f:e":{}}}}}},"f:secrets":{"k:{\"name\":\"x\"}":{}}}`:        {"secrets", "spec.a.b.c"},
		`{"f:spec":{"f:x":{"f:not a name":{},"f:y":{}}}}`:                                                    {"spec.x", "spec.x.y"},
	} {
		var got []string
		specFields([]byte(set), func(key string) { got = append(got, key) })
		if got = sortKeys(got); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", set, got, want)
		}
	}
}

func TestPathsOfASpecAreThoseOfItsFieldSet(t *testing.T) {
	var got []string
	eachSpecPath("spec", "spec", []byte(`{"hard":{"pods":"4","limits.memory":"1Gi"},"scopes":["a"],"x":{},"y":{"z":{"a":{"b":1}}},"t":true}`), 1, func(path string, _ []byte) {
		got = append(got, path)
	})
	want := []string{"spec.hard[limits.memory]", "spec.hard[pods]", "spec.scopes", "spec.t", "spec.x", "spec.y.z.a"}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestTheGateLetsOnlyListsOfMetadataOfSecretsThrough(t *testing.T) {
	passes := func(values bool, method, target string, accept ...string) bool {
		g := &gate{values: values, server: "https://s", requests: &connector.RequestLog{}, next: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{Body: http.NoBody}, nil
		})}
		req, err := http.NewRequestWithContext(t.Context(), method, "https://s"+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range accept {
			req.Header.Add("Accept", a)
		}
		resp, err := g.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	}
	const one, all = "/api/v1/namespaces/shop/secrets", "/api/v1/secrets"
	for _, test := range []struct {
		method, target string
		accept         []string
		metadata       bool // passes when only metadata may be read
		values         bool // passes when values are asked for
	}{
		{"GET", one, []string{asMetadata}, true, true},
		{"GET", all + "?limit=500&fieldSelector=type%21%3Dx", []string{asMetadata}, true, true},
		{"GET", one, []string{"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}, true, true},
		{"GET", one, nil, false, true},
		{"GET", one, []string{""}, false, true},
		{"GET", one, []string{"*/*"}, false, true},
		{"GET", one, []string{asObjects}, false, true},
		{"GET", one, []string{asMetadata + ",application/json"}, false, true},
		{"GET", one, []string{asMetadata, "application/json"}, false, true},
		{"GET", one, []string{"application/json;as=Table;g=meta.k8s.io;v=v1"}, false, true},
		{"GET", one, []string{"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1;as=Table"}, false, true},
		{"GET", one, []string{"application/json;q=1;as=PartialObjectMetadataList"}, false, true},
		{"GET", one + "/db", []string{asMetadata}, false, false},
		{"GET", one + "?watch=true", []string{asMetadata}, false, false},
		{"GET", "/api/v1/watch/namespaces/shop/secrets", []string{asMetadata}, false, false},
		{"GET", "/api/v1/namespaces/secrets/pods/secrets", []string{asMetadata}, false, false},
		{"GET", "/apis/x.io/v1/namespaces/shop/secrets", []string{asMetadata}, false, false},
		{"POST", one, []string{asMetadata}, false, false},
		{"DELETE", one, []string{asMetadata}, false, false},
		{"GET", "/api/v1/namespaces/shop/secrets/db/status", []string{asMetadata}, false, false},
	} {
		if got := passes(false, test.method, test.target, test.accept...); got != test.metadata {
			t.Errorf("%s %s %q passes: %v", test.method, test.target, test.accept, got)
		}
		if got := passes(true, test.method, test.target, test.accept...); got != test.values {
			t.Errorf("with values %s %s %q passes: %v", test.method, test.target, test.accept, got)
		}
	}
}

// tagger is a collection that can only make tags.
func tagger(key string, labels ...string) *collection {
	c := &collection{source: &source{env: connector.Env{Fingerprints: func(domain string) func(parts ...[]byte) [32]byte {
		return func(parts ...[]byte) [32]byte {
			return plainDigest(append([][]byte{[]byte(key), []byte(domain)}, parts...)...)
		}
	}}}}
	c.config.ServiceLabels = labels
	if err := c.prepareTags(); err != nil {
		panic(err)
	}
	return c
}

func TestTwoLooksAreCompared(t *testing.T) {
	valued := func(c *collection, pairs ...string) content {
		now := content{full: true}
		for _, pair := range pairs {
			key, value, found := strings.Cut(pair, "=")
			e := entry{key: key}
			if found {
				e.tag = c.tag("u", key, []byte(value))
			}
			now.entries = append(now.entries, e)
		}
		slices.SortFunc(now.entries, compareEntries)
		return now
	}
	many := func(n int, more ...string) (pairs []string) {
		for i := range n {
			pairs = append(pairs, "key"+itoa(int64(i))+"=1")
		}
		return append(pairs, more...)
	}
	c := tagger("k")
	diff := func(known bool, added, removed, changed string) *record.Diff {
		return &record.Diff{Added: strings.Fields(added), Removed: strings.Fields(removed), Changed: strings.Fields(changed), KeysKnown: known}
	}
	for name, test := range map[string]struct {
		before, now []string
		by          *collection // of the first look; c if nil
		full, brief *record.Diff
	}{
		"nothing":               {[]string{"a=1", "b=2"}, []string{"a=1", "b=2"}, nil, nil, nil},
		"a value":               {[]string{"a=1", "b=2"}, []string{"a=1", "b=3"}, nil, diff(true, "", "", "b"), diff(true, "", "", "b")},
		"added":                 {[]string{"a=1"}, []string{"a=1", "b=2"}, nil, diff(true, "b", "", ""), diff(true, "b", "", "")},
		"removed":               {[]string{"a=1", "b=2"}, []string{"b=2"}, nil, diff(true, "", "a", ""), diff(false, "", "", "")},
		"names alone, none":     {[]string{"a", "b"}, []string{"a", "b"}, nil, nil, nil},
		"names alone, replaced": {[]string{"a", "b"}, []string{"b", "c"}, nil, diff(false, "c", "a", ""), diff(false, "c", "", "")},
		"values read since":     {[]string{"a", "b"}, []string{"a=1", "b=2"}, nil, nil, nil},
		"another key":           {[]string{"a=1", "b=2"}, []string{"b=2", "c=2"}, tagger("other"), diff(false, "c", "a", ""), nil},
		"another key, labels":   {[]string{"metadata.labels[app]=1"}, []string{"metadata.labels[x]=2"}, tagger("other"), nil, nil},
		"a label":               {[]string{"a", "metadata.labels[app]=1"}, []string{"a", "metadata.labels[app]=2"}, nil, diff(false, "", "", "metadata.labels[app]"), diff(false, "", "", "metadata.labels[app]")},
		"a label of nothing":    {[]string{"metadata.labels[app]=1"}, []string{"metadata.labels[app]=2"}, nil, diff(true, "", "", "metadata.labels[app]"), diff(true, "", "", "metadata.labels[app]")},
		"many, one changed":     {many(30, "x=1"), many(30, "x=2"), nil, diff(true, "", "", "x"), diff(false, "", "", "")},
		"many, none":            {many(30), many(30), nil, nil, nil},
	} {
		by := c
		if test.by != nil {
			by = test.by
		}
		full, brief := by.sheets("u", valued(by, test.before...))
		if s, _ := readSheet(full); string(by.briefly("u", s)) != string(brief) {
			t.Errorf("%s: what has not changed is remembered in another brief form", name)
		}
		for form, want := range map[string]*record.Diff{string(full): test.full, string(brief): test.brief} {
			sheet, ok := readSheet([]byte(form))
			if !ok {
				t.Fatalf("%s: %q cannot be read", name, form)
			}
			got := c.differ("u", sheet, valued(c, test.now...))
			empty := cmp.Comparer(func(a, b []string) bool { return slices.Equal(a, b) })
			if d := cmp.Diff(want, got, empty); d != "" {
				t.Errorf("%s, form %c: %s", name, form[0], d)
			}
		}
	}
	if _, ok := readSheet([]byte(`[3]`)); ok {
		t.Error("another family's facts are taken")
	}
	g := content{generation: 2, full: true}
	if d := c.differ("u", sheet{form: 'n', generation: 1, check: c.tagCheck}, g); d == nil || d.KeysKnown {
		t.Errorf("another generation: %+v", d)
	}
}

// FuzzSheet: whatever a state says, a comparison ends and names only what there
// is or was named.
func FuzzSheet(f *testing.F) {
	c := tagger("k")
	now := content{full: true, entries: []entry{{"a", "AAAAAA"}, {"b", ""}}}
	full, brief := c.sheets("u", now)
	for _, seed := range [][]byte{full, brief, []byte("n1,2,x;"), []byte("h1,2,x;abc"), []byte("d,,;")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, ok := readSheet(raw)
		if !ok {
			return
		}
		if d := c.differ("u", s, now); d != nil && len(d.Added) > len(now.entries) {
			t.Errorf("%+v", d)
		}
		s.keys(nil)
	})
}

func TestTagsAreOfOneObjectAndKey(t *testing.T) {
	c := tagger("k")
	tag := c.tag("u", "a", []byte("hunter2"))
	for name, other := range map[string]string{
		"another object": c.tag("v", "a", []byte("hunter2")), "another key of the object": c.tag("u", "b", []byte("hunter2")),
		"another value": c.tag("u", "a", []byte("hunter3")), "another key of ours": tagger("l").tag("u", "a", []byte("hunter2")),
	} {
		if other == tag {
			t.Errorf("%s has the same tag", name)
		}
	}
	if len(tag) != tagSize || tag != c.tag("u", "a", []byte("hunter2")) {
		t.Errorf("tag %q", tag)
	}
	withoutKey := &collection{source: &source{config: Config{Fingerprints: true}}}
	if err := withoutKey.prepareTags(); connector.ClassOf(err) != connector.ClassConfig {
		t.Errorf("values would be read without a key: %v", err)
	}
}

func TestValuesAreWipedAfterTheirFingerprintsAreTaken(t *testing.T) {
	c := tagger("k")
	c.config.Fingerprints = true
	j := &job{listing: listing{kind: kind{resource: secrets(), stream: record.StreamSecrets, values: true}}}
	value := []byte("pl4nted")
	if err := c.takeSecret(j, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "db", UID: "u"}, Data: map[string][]byte{"password": value}}); err != nil {
		t.Fatal(err)
	}
	token := []byte("pl4nted")
	if err := c.takeSecret(j, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "t", UID: "t"}, Type: corev1.SecretTypeServiceAccountToken, Data: map[string][]byte{"token": token}}); err != nil {
		t.Fatal(err)
	}
	binary := []byte("pl4nted")
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "m", UID: "m"}, Data: map[string]string{"a": "pl4nted"}, BinaryData: map[string][]byte{"b": binary}}
	if err := c.takeConfigMap(j, m); err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{value, token, binary} {
		if strings.Trim(string(b), "\x00") != "" {
			t.Errorf("left in memory: %q", b)
		}
	}
	if len(j.settings) != 2 || !slices.Equal(j.settings[0].Keys, []string{"password"}) || !slices.Equal(j.settings[1].Keys, []string{"a", "b"}) {
		t.Errorf("%+v", j.settings)
	}
	for _, s := range j.settings {
		if strings.Contains(string(s.facts)+string(s.brief), "pl4nted") {
			t.Errorf("a value is kept: %q", s.facts)
		}
	}

	body := []byte(`{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"pl4nted"}}`)
	api, err := newClient(defaultConfig(), location{rest: &rest.Config{Host: "https://server"}}, connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	var ns corev1.Namespace
	if err := api.codecs.decode(body, 0, &ns); err != nil {
		t.Fatal(err)
	}
	wipe(body)
	if ns.Name != "pl4nted" {
		t.Errorf("what was decoded shares memory with the answer: %q", ns.Name)
	}
}

func TestReferencesOfAPodTemplate(t *testing.T) {
	name := func(s string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: s} }
	spec := &corev1.PodSpec{
		InitContainers: []corev1.Container{{Env: []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: name("db"), Key: "password"},
		}}}}},
		Containers: []corev1.Container{{
			Env: []corev1.EnvVar{{Name: "B", Value: "x"}, {Name: "C", ValueFrom: &corev1.EnvVarSource{
				ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: name("flags"), Key: "c"},
			}}},
			EnvFrom:      []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: name("flags")}}, {SecretRef: &corev1.SecretEnvSource{LocalObjectReference: name("tokens")}}},
			VolumeMounts: []corev1.VolumeMount{{Name: "whole", MountPath: "/a"}, {Name: "part", MountPath: "/b", SubPath: "x"}, {Name: "both", MountPath: "/c"}},
		}},
		EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			VolumeMounts: []corev1.VolumeMount{{Name: "both", MountPath: "/c", SubPathExpr: "$(A)"}},
		}}},
		Volumes: []corev1.Volume{
			{Name: "whole", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: name("files")}}},
			{Name: "part", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "tls"}}},
			{Name: "both", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: name("bundle")}}, {Secret: &corev1.SecretProjection{LocalObjectReference: name("bundle")}},
			}}}},
			{Name: "odd", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "not a name"}}},
		},
		ImagePullSecrets: []corev1.LocalObjectReference{name("registry")},
	}
	var got []string
	for _, r := range references(spec) {
		got = append(got, r.kind+" "+r.name+" "+string(r.via))
	}
	want := []string{
		"Secret db env", "ConfigMap flags env", "ConfigMap flags env_from", "Secret tokens env_from", "ConfigMap files volume", "Secret tls sub_path",
		"ConfigMap bundle sub_path", "ConfigMap bundle projected", "Secret bundle sub_path", "Secret bundle projected", "Secret registry image_pull_secret",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	huge := &corev1.PodSpec{}
	for i := range 2 * maxReferences {
		huge.ImagePullSecrets = append(huge.ImagePullSecrets, name("s"+itoa(int64(i))))
	}
	if n := len(references(huge)); n != maxReferences {
		t.Errorf("%d references are kept", n)
	}
}

// BenchmarkTakeConfigMap is what one ConfigMap with the labels of a chart costs,
// at the first look and where nothing has changed since.
func BenchmarkTakeConfigMap(b *testing.B) {
	var fields strings.Builder
	for i := range 10 {
		fields.WriteString(`,"f:settings.` + itoa(int64(i)) + `.yaml":{}`)
	}
	now := at("10:00:00")
	m := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: "web-settings", Namespace: "shop", UID: "99999999-aaaa-4bbb-8ccc-000000000001", ResourceVersion: "4711", CreationTimestamp: now,
		Labels: map[string]string{
			"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "web", "app.kubernetes.io/version": "1.0.0",
			"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "web-1.0.0",
		},
		ManagedFields: []metav1.ManagedFieldsEntry{
			{Manager: "helm", Time: &now, FieldsV1: metav1.NewFieldsV1(`{"f:data":{".":{}` + fields.String() + `},"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/name":{}}}}`)},
			{Manager: "kubectl-edit", Time: &now, FieldsV1: metav1.NewFieldsV1(`{"f:data":{"f:settings.1.yaml":{}}}`)},
		},
	}}
	for _, seen := range []bool{false, true} {
		b.Run(map[bool]string{false: "first", true: "unchanged"}[seen], func(b *testing.B) {
			c := tagger("k", "app.kubernetes.io/name")
			j := &job{listing: listing{kind: kind{resource: configMaps(), stream: record.StreamConfigMaps}}}
			if seen {
				if err := c.takeConfigMapMetadata(j, m); err != nil {
					b.Fatal(err)
				}
				s := j.settings[0]
				looked := func(string, string) (glance, bool) { return glance{began: now.Time, asked: true}, true }
				raw, _, err := c.prior.remember([]snapshotObject{{object: s.Object, facts: s.facts, brief: s.brief}}, looked, 10)
				if err != nil {
					b.Fatal(err)
				}
				if c.prior, err = readState(raw); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				j.settings = j.settings[:0]
				if err := c.takeConfigMapMetadata(j, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Keys of the same short name cannot be told apart by it.
func TestKeysThatAreCalledAlikeInShortAreNotNamed(t *testing.T) {
	c := tagger("k")
	met := map[string]string{}
	var a, b string
	for i := 0; a == ""; i++ {
		key := "key-" + strconv.Itoa(i)
		short := c.shortName("u", key)
		a, b = met[short], key
		met[short] = key
	}
	facts, brief := c.sheets("u", content{full: true, entries: []entry{{a, "AAAAAA"}, {b, "BBBBBB"}}})
	if facts[0] != 'n' || brief[0] != 'd' {
		t.Errorf("%s, %s", facts, brief)
	}
	_, brief = c.sheets("u", content{full: true, entries: []entry{{a, "AAAAAA"}}})
	before, _ := readSheet(brief)
	if d := c.differ("u", before, content{full: true, entries: []entry{{a, "AAAAAA"}, {b, "BBBBBB"}}}); d == nil || d.KeysKnown || len(d.Added)+len(d.Changed) > 0 {
		t.Errorf("from one to both: %+v", d)
	}
	if other := tagger("l"); other.shortName("u", a) == other.shortName("u", b) {
		t.Error("who knows no key of ours can choose keys that are called alike")
	}
}

// A label is not told as removed because others were added before it.
func TestManyLabelsDoNotHideOthers(t *testing.T) {
	c := tagger("k")
	m := &metav1.ObjectMeta{UID: "u", Labels: map[string]string{"app.kubernetes.io/name": "shop"}}
	look := func() content { return content{full: true, entries: c.sorted(m)} }
	before, _ := c.sheets("u", look())
	m.Annotations = map[string]string{}
	for i := range 100 {
		m.Annotations["nginx.ingress.kubernetes.io/a"+strconv.Itoa(i)] = "x"
	}
	s, _ := readSheet(before)
	if d := c.differ("u", s, look()); d == nil || len(d.Added) != 100 || len(d.Removed) > 0 {
		t.Errorf("%+v", d)
	}
}

func (c *collection) sorted(m *metav1.ObjectMeta) []entry {
	entries := c.metaEntries(m)
	slices.SortFunc(entries, compareEntries)
	return entries
}

// What is kept of an object does not hold on to what was cut.
func TestFactsOfManyKeysAreSmall(t *testing.T) {
	c := tagger("k")
	var many content
	many.full = true
	for i := range 900 {
		many.entries = append(many.entries, entry{key: fmt.Sprintf("key-%04d", i)})
	}
	facts, brief := c.sheets("u", many)
	if len(facts)+len(brief) > maxFacts {
		t.Errorf("%d and %d bytes", len(facts), len(brief))
	}
	s, _ := readSheet(facts)
	if c.differ("u", s, many) != nil {
		t.Error("the same differs")
	}
	many.entries[7].tag = "AAAAAA"
	if d := c.differ("u", s, many); d == nil || d.KeysKnown {
		t.Errorf("a change is not told: %+v", d)
	}
	fields := &metav1.FieldsV1{}
	var raw strings.Builder
	raw.WriteString(`{"f:data":{"f:a":{}`)
	for i := range 50_000 {
		fmt.Fprintf(&raw, `,"f:k%d":{}`, i)
	}
	fields.SetRawBytes([]byte(raw.String() + "}}"))
	now := metav1.Now()
	list, all, full := c.allowed.settingManagers([]metav1.ManagedFieldsEntry{{Manager: "m", Time: &now, FieldsV1: fields}}, dataFields)
	if full || cap(all) > 2*maxKeys || cap(list[0].Keys) > 2*maxKeys {
		t.Errorf("%v, room for %d and %d keys", full, cap(all), cap(list[0].Keys))
	}
}
