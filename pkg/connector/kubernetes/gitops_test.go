package kubernetes

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

func TestTheAddressOfARepositoryIsHostAndPath(t *testing.T) {
	for address, want := range map[string]string{
		"https://github.com/acme/config.git":                    "github.com/acme/config",
		"https://GitHub.com/acme/config/":                       "github.com/acme/config",
		"https://user:s3cret@github.com/acme/config":            "github.com/acme/config",
		"https://s3cret@dev.azure.com/acme/My%20Shop/_git/conf": "dev.azure.com/acme/My%20Shop/_git/conf",
		"https://git.acme.example:8443/config?token=s3cret#x":   "git.acme.example:8443/config",
		"ssh://git@git.acme.example:2222/acme/config.git":       "git.acme.example:2222/acme/config",
		"git@github.com:acme/config.git":                        "github.com/acme/config",
		"user:s3@cret@github.com:acme/config.git":               "github.com/acme/config",
		"oci://ghcr.io/acme/manifests":                          "ghcr.io/acme/manifests",
		"registry-1.docker.io/bitnamicharts":                    "registry-1.docker.io/bitnamicharts",
		"https://charts.bitnami.com":                            "charts.bitnami.com",
		"https://user:s3/cret@github.com/acme":                  "",
		"https://user:12#s3cret@github.com/acme":                "",
		"https://user:12?s3cret@github.com/acme":                "",
		"file:///srv/s3cret":                                    "",
		"/srv/git/config":                                       "",
		"not an address s3cret":                                 "",
		"https://host/a b":                                      "",
		"https://host/\x1b[31m":                                 "",
		"":                                                      "",
		"https://host/" + strings.Repeat("x", 600):              "",
	} {
		if got := repository(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func TestARevisionIsFreedOfItsDecoration(t *testing.T) {
	commit := strings.Repeat("1a", 20)
	for revision, want := range map[string]string{
		"main@sha1:" + commit:      commit,
		"v1.2.3@sha1:" + commit:    commit,
		"sha1:" + commit:           commit,
		"main/" + commit:           commit,
		"feature/x/" + commit:      commit,
		commit:                     commit,
		"feature/x":                "feature/x",
		"1.2.3":                    "1.2.3",
		"latest@sha256:" + commit:  "sha256:" + commit,
		"main@sha1:a b":            "",
		strings.Repeat("main", 99): "",
	} {
		if got := undecorated(revision); got != want {
			t.Errorf("%q: %q, want %q", revision, got, want)
		}
	}
}

func TestAnObjectSaysWhoManagesIt(t *testing.T) {
	o := record.Object{Kind: "Deployment", Namespace: "shop", Name: "web"}
	type m = map[string]string
	helm := m{"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}
	flux := m{"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "flux", "app.kubernetes.io/managed-by": "Helm"}
	for name, test := range map[string]struct {
		labels, annotations m
		want                *record.ManagedBy
	}{
		"nobody":                     {nil, nil, nil},
		"a label that others use":    {m{"app.kubernetes.io/instance": "web"}, nil, nil},
		"Helm":                       {m{"app.kubernetes.io/managed-by": "Helm"}, helm, &record.ManagedBy{Tool: "helm", Kind: "Release", Namespace: "shop", Name: "web"}},
		"Helm's annotations alone":   {nil, helm, nil},
		"a rendered chart":           {m{"app.kubernetes.io/managed-by": "Helm"}, nil, nil},
		"Flux before Helm":           {flux, helm, &record.ManagedBy{Tool: "flux", Kind: "HelmRelease", Namespace: "flux", Name: "web"}},
		"a Kustomization":            {m{"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"}, nil, &record.ManagedBy{Tool: "flux", Kind: "Kustomization", Namespace: "flux", Name: "apps"}},
		"Argo CD's label":            {m{"argocd.argoproj.io/instance": "shop"}, nil, &record.ManagedBy{Tool: "argocd", Kind: "Application", Name: "shop"}},
		"Argo CD's annotation":       {nil, m{"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}, &record.ManagedBy{Tool: "argocd", Kind: "Application", Name: "shop"}},
		"an Application of a team":   {nil, m{"argocd.argoproj.io/tracking-id": "team-a_shop:apps/Deployment:shop/web"}, &record.ManagedBy{Tool: "argocd", Kind: "Application", Namespace: "team-a", Name: "shop"}},
		"the annotation of another":  {nil, m{"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/other"}, nil},
		"an annotation that is none": {nil, m{"argocd.argoproj.io/tracking-id": "shop"}, nil},
		"a name that is none":        {m{"argocd.argoproj.io/instance": "eve@acme.example"}, nil, nil},
		"a name with a control":      {m{"kustomize.toolkit.fluxcd.io/name": "a\x1b[31m", "kustomize.toolkit.fluxcd.io/namespace": "flux"}, nil, nil},
		"Flux without the namespace": {m{"kustomize.toolkit.fluxcd.io/name": "apps"}, nil, nil},
	} {
		if diff := cmp.Diff(test.want, managedBy(o, test.labels, test.annotations)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// deliveryCollection collects what is taken without a server.
func deliveryCollection() (*collection, *job) {
	s := &source{config: *defaultConfig(), clusterID: "prod"}
	return &collection{source: s, done: map[string]bool{}}, &job{}
}

func readCustom[B any](t *testing.T, file string) *custom[B] {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "delivery", file))
	if err != nil {
		t.Fatal(err)
	}
	return parseCustom[B](t, string(raw))
}

func parseCustom[B any](t *testing.T, raw string) *custom[B] {
	t.Helper()
	var o custom[B]
	if err := json.Unmarshal([]byte(raw), &o); err != nil {
		t.Fatal(err)
	}
	return &o
}

// appliedLines shows what was applied, one line each.
func appliedLines(list []record.Applied) []string {
	var out []string
	show := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Format("15:04:05")
	}
	for _, a := range list {
		line := string(a.State) + " " + show(a.Started) + " " + show(a.Finished)
		if !a.After.IsZero() {
			line += " between " + show(a.After) + " and " + show(a.Before)
		}
		for _, s := range a.Sources {
			line += " | " + strings.Join([]string{s.Repository, s.Path, s.Revision[:min(len(s.Revision), 4)], s.Chart, s.ChartVersion}, ",")
		}
		out = append(out, strings.TrimSpace(line+" "+a.Reason))
	}
	return out
}

func expectApplied(t *testing.T, got []record.Applied, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, appliedLines(got)); diff != "" {
		t.Error(diff)
	}
	keys := map[string]bool{}
	for _, a := range got {
		if keys[a.Key] {
			t.Errorf("the key %q comes twice", a.Key)
		}
		keys[a.Key] = true
	}
}

func TestAnApplicationTellsItsHistoryAndTheLastFailure(t *testing.T) {
	c, j := deliveryCollection()
	if err := c.takeApplication(j, readCustom[argoApplication](t, "application.json")); err != nil {
		t.Fatal(err)
	}
	d := j.deliveries[0]
	place := "git.acme.example/platform/config,apps/checkout,"
	expectApplied(t, d.Applied,
		"complete 10:00:00 10:00:09 | "+place+"1111,,",
		"complete - 11:00:04 | "+place+"2222,,",
		"failed 12:00:00 12:00:31 | "+place+"3333,, Failed",
	)
	if d.Target != "shop" || d.OtherCluster {
		t.Errorf("target %q, elsewhere %v", d.Target, d.OtherCluster)
	}
	if diff := cmp.Diff([]objectKey{{"Deployment", "shop", "checkout"}, {"ConfigMap", "shop", "checkout-flags"}}, d.resources, cmp.AllowUnexported(objectKey{})); diff != "" {
		t.Error(diff)
	}
	if text, _ := json.Marshal(d.Delivery); strings.Contains(string(text), "pl4nted") || strings.Contains(string(text), "eve@") {
		t.Errorf("what must not come out did: %s", text)
	}
}

func TestAnOperationKeepsItsKeyWhenItBecomesHistory(t *testing.T) {
	running := parseCustom[argoApplication](t, `{"metadata":{"name":"a"},"status":{"operationState":{"phase":"Running","startedAt":"2026-03-01T10:00:00Z","operation":{"sync":{}}}}}`)
	done := parseCustom[argoApplication](t, `{"metadata":{"name":"a"},"status":{"history":[{"id":1,"revision":"abc","deployStartedAt":"2026-03-01T10:00:00Z","deployedAt":"2026-03-01T10:01:00Z"}],
		"operationState":{"phase":"Succeeded","startedAt":"2026-03-01T10:00:00Z","finishedAt":"2026-03-01T10:01:00Z","operation":{"sync":{}}}}}`)
	before, after := argoApplied(&running.Body), argoApplied(&done.Body)
	if len(before) != 1 || len(after) != 1 || before[0].Key != after[0].Key || before[0].State != record.RolloutProgressing || after[0].State != record.RolloutComplete {
		t.Errorf("%+v\n%+v", before, after)
	}
}

func TestApplicationsOfManyShapes(t *testing.T) {
	for name, test := range map[string]struct {
		status string
		want   []string
	}{
		"several sources": {
			`{"history":[{"id":0,"deployedAt":"2026-03-01T10:00:00Z","revision":"",
			"revisions":["18.1.0","` + strings.Repeat("4", 40) + `"],"sources":[{"repoURL":"https://charts.bitnami.com/bitnami","chart":"redis"},{"repoURL":"https://github.com/acme/values","ref":"values"}]}]}`,
			[]string{"complete - 10:00:00 | charts.bitnami.com/bitnami,,,redis,18.1.0 | github.com/acme/values,,4444,,"},
		},
		"fewer revisions than sources": {
			`{"history":[{"id":0,"deployedAt":"2026-03-01T10:00:00Z","sources":[{"repoURL":"https://github.com/acme/values"}]}]}`,
			[]string{"complete - 10:00:00 | github.com/acme/values,,,,"},
		},
		"a dry run": {`{"operationState":{"phase":"Failed","startedAt":"2026-03-01T10:00:00Z","operation":{"sync":{"dryRun":true}}}}`, nil},
		"chosen objects": {
			`{"operationState":{"phase":"Succeeded","startedAt":"2026-03-01T10:00:00Z","finishedAt":"2026-03-01T10:00:05Z",
			"operation":{"sync":{"resources":[{"kind":"ConfigMap","name":"x"}]}},"syncResult":{"revision":"abc","source":{"repoURL":"https://github.com/acme/c"}}}}`,
			[]string{"complete 10:00:00 10:00:05 | github.com/acme/c,,abc,,"},
		},
		"one that could not begin": {`{"operationState":{"phase":"Error","startedAt":"2026-03-01T10:00:00Z","finishedAt":"2026-03-01T10:00:05Z","operation":{"sync":{}}}}`, []string{"failed 10:00:00 10:00:05 Error"}},
		"a success that an old history tells without its start": {
			`{"history":[{"id":1,"revision":"abc","deployedAt":"2026-03-01T10:00:05Z"}],
			"operationState":{"phase":"Succeeded","startedAt":"2026-03-01T10:00:00Z","finishedAt":"2026-03-01T10:00:05Z","operation":{"sync":{}}}}`,
			[]string{"complete - 10:00:05 | ,,abc,,"},
		},
		"a phase that is not known": {`{"operationState":{"phase":"pl4nted","startedAt":"2026-03-01T10:00:00Z","operation":{"sync":{}}}}`, nil},
		"times that are none":       {`{"history":[{"id":1,"deployedAt":"yesterday"}],"operationState":{"phase":"Failed","startedAt":"-","operation":{"sync":{}}}}`, nil},
		"the same one twice":        {`{"history":[{"id":1,"deployedAt":"2026-03-01T10:00:00Z"},{"id":1,"deployedAt":"2026-03-01T10:00:00Z"}]}`, []string{"complete - 10:00:00 | ,,,,"}},
		"free text for a revision":  {`{"history":[{"id":1,"revision":"my secret","deployedAt":"2026-03-01T10:00:00Z"}]}`, []string{"complete - 10:00:00 | ,,,,"}},
	} {
		o := parseCustom[argoApplication](t, `{"metadata":{"name":"a"},"status":`+test.status+`}`)
		if diff := cmp.Diff(test.want, appliedLines(argoApplied(&o.Body))); diff != "" || o.Broken {
			t.Errorf("%s: broken %v\n%s", name, o.Broken, diff)
		}
	}
}

func TestAHistoryIsBounded(t *testing.T) {
	var b strings.Builder
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range 3000 {
		if i > 0 {
			b.WriteByte(',')
		}
		raw, _ := json.Marshal(map[string]any{"id": i, "deployedAt": at.Add(time.Duration(i) * time.Minute)})
		b.Write(raw)
	}
	o := parseCustom[argoApplication](t, `{"metadata":{"name":"a"},"status":{"history":[`+b.String()+`]}}`)
	if list := argoApplied(&o.Body); len(list) != maxApplied || list[maxApplied-1].Number != 2999 {
		t.Errorf("%d entries, the last is %d", len(list), list[len(list)-1].Number)
	}
}

func TestAnApplicationOfAnotherClusterClaimsNothingHere(t *testing.T) {
	c, j := deliveryCollection()
	o := readCustom[argoApplication](t, "application.json")
	o.Body.Spec.Destination.Server = "https://10.0.0.1:6443"
	if err := c.takeApplication(j, o); err != nil {
		t.Fatal(err)
	}
	if d := j.deliveries[0]; !d.OtherCluster || len(d.resources) != 0 {
		t.Errorf("elsewhere %v, %d resources", d.OtherCluster, len(d.resources))
	}
}

func TestACustomResourceOfAnotherShapeDoesNotTakeTheListWithIt(t *testing.T) {
	k := gitopsKinds()[0]
	codecs, err := newCodecs(gitopsKinds())
	if err != nil {
		t.Fatal(err)
	}
	page := k.page()
	body := `{"apiVersion":"argoproj.io/v1alpha1","kind":"ApplicationList","metadata":{"continue":"next"},"items":[
		{"metadata":{"name":"odd","namespace":"a","uid":"1"},"status":{"history":"none"}},
		{"metadata":{"name":"even","namespace":"a","uid":"2"},"status":{"history":[]}}]}`
	if err := codecs.decode([]byte(body), 100, page); err != nil {
		t.Fatal(err)
	}
	items := page.(*customList[argoApplication]).Items
	if len(items) != 2 || !items[0].Broken || items[1].Broken || items[1].Name != "even" || page.GetContinue() != "next" {
		t.Errorf("%+v", items)
	}
	for _, other := range []string{"argoproj.io/v1", "example.com/v1alpha1"} {
		if err := codecs.decode([]byte(strings.Replace(body, "argoproj.io/v1alpha1", other, 1)), 100, k.page()); err == nil {
			t.Errorf("%s was taken for an Application", other)
		}
	}
}

func kustomization(t *testing.T, c *collection, from fluxSource, change func(*fluxKustomization)) delivery {
	t.Helper()
	o := readCustom[fluxKustomization](t, "kustomization.json")
	if change != nil {
		change(&o.Body)
	}
	j := &job{}
	if err := c.takeKustomization(j, o); err != nil {
		t.Fatal(err)
	}
	d := j.deliveries[0]
	c.present(&d, from)
	d.locate(from)
	return d
}

func TestAKustomizationTellsWhenAContentCameAndCameBack(t *testing.T) {
	c, _ := deliveryCollection()
	d := kustomization(t, c, fluxSource{repository: "github.com/acme/config"}, nil)
	place := "github.com/acme/config,clusters/prod/apps,"
	// The first content is there again: under which revision it first came is not told.
	expectApplied(t, d.Applied,
		"complete - 10:00:03 | "+place+",,",
		"failed - 10:30:00 | "+place+",, HealthCheckFailed",
		"complete - 11:00:03 | "+place+"2222,,",
		"complete - - between 11:00:03 and 12:20:03 | "+place+"3333,,",
	)
	later := kustomization(t, c, fluxSource{}, func(k *fluxKustomization) { k.Status.History[0].LastReconciled = "2026-03-02T12:20:03Z" })
	if n := len(later.Applied); n != 3 {
		t.Errorf("a content that came back at some time of a day: %v", appliedLines(later.Applied))
	}
	want := []objectKey{{"Deployment", "shop", "checkout"}, {"ConfigMap", "shop", "checkout-flags"}, {"ClusterRole", "", "system:controller"}}
	if diff := cmp.Diff(want, d.resources, cmp.AllowUnexported(objectKey{})); diff != "" {
		t.Error(diff)
	}
}

func TestAKustomizationWithoutAHistoryIsDatedByItsSource(t *testing.T) {
	c, _ := deliveryCollection()
	bare := func(k *fluxKustomization) { k.Status.History = nil }
	revision := "main@sha1:" + strings.Repeat("3", 40)
	fetched := at("12:00:00").UTC()
	expectApplied(t, kustomization(t, c, fluxSource{revision: revision, fetched: fetched}, bare).Applied,
		"complete 12:00:00 - | ,clusters/prod/apps,3333,,")
	// The time of the condition is that of the last reconciliation and dates nothing.
	expectApplied(t, kustomization(t, c, fluxSource{}, bare).Applied)
	expectApplied(t, kustomization(t, c, fluxSource{revision: "main@sha1:" + strings.Repeat("4", 40), fetched: fetched}, bare).Applied)
	expectApplied(t, kustomization(t, c, fluxSource{revision: "main@sha1:" + strings.Repeat("4", 40), fetched: fetched}, func(k *fluxKustomization) {
		bare(k)
		k.Status.LastAttemptedRevision = "main@sha1:" + strings.Repeat("4", 40)
		k.Status.Conditions[0].Status, k.Status.Conditions[0].Reason = "False", "BuildFailed"
	}).Applied, "failed 12:00:00 12:20:03 | ,clusters/prod/apps,4444,, BuildFailed")
}

func TestTwoLooksDateARevision(t *testing.T) {
	c, _ := deliveryCollection()
	bare := func(k *fluxKustomization) { k.Status.History = nil }
	look, end := at("12:10:00").UTC(), at("12:30:00").UTC()
	k := snapshotObject{object: record.Object{Kind: kindKustomization, Namespace: "flux-system", Name: "apps", UID: "8f2f8a55-3f0e-4a4c-bb1d-0f6a0b7d3c02"}, facts: strings.Repeat("2", 40)}
	st, err := readState(nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, _, err := st.remember([]snapshotObject{k}, func(string, string) (glance, bool) {
		return glance{stream: record.StreamGitOps, began: look, ended: look, end: look, asked: true}, true
	}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if c.prior, err = readState(raw); err != nil {
		t.Fatal(err)
	}
	c.req = connector.Request{Window: window.Window{Start: look, End: end}, Incremental: true}
	c.jobs = []*job{{listing: listing{kind: kind{resource: resource{kind: kindKustomization}, stream: record.StreamGitOps}, namespace: "flux-system"}}}
	d := kustomization(t, c, fluxSource{}, bare)
	expectApplied(t, d.Applied,
		"complete - - | ,clusters/prod/apps,2222,,",
		"complete - - between 12:10:00 and 12:30:00 | ,clusters/prod/apps,3333,,")
}

func TestAHelmReleaseTellsItsReleases(t *testing.T) {
	c, j := deliveryCollection()
	o := readCustom[fluxRelease](t, "helmrelease.json")
	if err := c.takeHelmRelease(j, o); err != nil {
		t.Fatal(err)
	}
	d := j.deliveries[0]
	d.locate(fluxSource{repository: "charts.bitnami.com/bitnami"})
	expectApplied(t, d.Applied,
		"complete 08:00:02 - | charts.bitnami.com/bitnami,,,redis,18.1.0",
		"failed 12:00:02 - | charts.bitnami.com/bitnami,,,redis,18.2.0")
	if d.source != (objectKey{"HelmRepository", "flux-system", "bitnami"}) {
		t.Errorf("source %+v", d.source)
	}

	// What failed before Helm made a release is in no history.
	o.Body.Status.History = o.Body.Status.History[1:]
	j.deliveries = nil
	if err := c.takeHelmRelease(j, o); err != nil {
		t.Fatal(err)
	}
	expectApplied(t, j.deliveries[0].Applied,
		"complete 08:00:02 - | ,,,redis,18.1.0", "failed - 12:05:10 | ,,,redis,18.2.0 UpgradeFailed")

	// v2beta1 has no history.
	old := parseCustom[fluxRelease](t, `{"metadata":{"name":"redis","namespace":"shop"},"spec":{"chart":{"spec":{"chart":"./charts/redis"}}},
		"status":{"lastAppliedRevision":"18.1.0","lastAttemptedRevision":"18.1.0","lastReleaseRevision":2,
		"conditions":[{"type":"Released","status":"True","reason":"UpgradeSucceeded","lastTransitionTime":"2026-03-01T08:00:09Z"}]}}`)
	j.deliveries = nil
	if err := c.takeHelmRelease(j, old); err != nil {
		t.Fatal(err)
	}
	expectApplied(t, j.deliveries[0].Applied, "complete - 08:00:09 | ,,,redis,18.1.0")
}

func TestAReleaseIsReadFromLabelsThatAgreeWithTheName(t *testing.T) {
	secret := func(change func(*metav1.PartialObjectMetadata)) *metav1.PartialObjectMetadata {
		m := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Name: "sh.helm.release.v1.web.v3", Namespace: "shop", UID: types.UID("u"), CreationTimestamp: at("10:00:00"),
			Labels: map[string]string{"owner": "helm", "name": "web", "version": "3", "status": "superseded", "modifiedAt": "1772366400"},
		}}
		if change != nil {
			change(m)
		}
		return m
	}
	r, ok := cutRelease(secret(nil))
	if !ok || r.name != "web" || r.Number != 3 || !r.Started.Equal(at("10:00:00").Time) || !r.Finished.IsZero() || r.State != record.RolloutComplete {
		t.Errorf("%v %+v", ok, r)
	}
	// Of one that is not superseded modifiedAt is the end.
	r, ok = cutRelease(secret(func(m *metav1.PartialObjectMetadata) { m.Labels["status"] = "failed" }))
	if !ok || !r.Finished.Equal(time.Unix(1772366400, 0)) || r.State != record.RolloutFailed {
		t.Errorf("%v %+v", ok, r)
	}
	for name, change := range map[string]func(*metav1.PartialObjectMetadata){
		"another name":       func(m *metav1.PartialObjectMetadata) { m.Labels["name"] = "api" },
		"another version":    func(m *metav1.PartialObjectMetadata) { m.Labels["version"] = "03" },
		"no version":         func(m *metav1.PartialObjectMetadata) { m.Labels["version"] = "x" },
		"another owner":      func(m *metav1.PartialObjectMetadata) { m.Labels["owner"] = "me" },
		"a status of nobody": func(m *metav1.PartialObjectMetadata) { m.Labels["status"] = "pl4nted" },
	} {
		if r, ok := cutRelease(secret(change)); ok {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestOnlyServedVersionsAreAsked(t *testing.T) {
	g, err := parseGroups([]byte(`{"kind":"APIGroupList","apiVersion":"v1","groups":[
		{"name":"argoproj.io","versions":[{"version":"v1alpha1"}]},{"name":"helm.toolkit.fluxcd.io","versions":[{"version":"v3"},{"version":"v2beta1"},{"version":"v2beta2"}]},
		{"name":"kustomize.toolkit.fluxcd.io","versions":[{"version":"v7"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, k := range gitopsKinds() {
		if v, ok := g.best(k.group, k.versions); ok {
			got[k.resource.kind] = v
		}
	}
	if diff := cmp.Diff(map[string]string{"Application": "v1alpha1", "HelmRelease": "v2beta2"}, got); diff != "" {
		t.Error(diff)
	}
	for _, body := range []string{"", "<html>", `{"kind":"Status"}`, `{"groups":[]}`} {
		if _, err := parseGroups([]byte(body)); err == nil {
			t.Errorf("%q was taken for a list of groups", body)
		}
	}
}

// FuzzDelivery holds whatever stands in an object of a delivery tool to its bounds.
func FuzzDelivery(f *testing.F) {
	for _, file := range []string{"application.json", "kustomization.json", "helmrelease.json"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "delivery", file))
		if err != nil {
			f.Fatal(err)
		}
		var small bytes.Buffer // a large seed is slow to be made smaller
		if err := json.Compact(&small, raw); err != nil {
			f.Fatal(err)
		}
		f.Add(small.Bytes())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, j := deliveryCollection()
		var app custom[argoApplication]
		var apply custom[fluxKustomization]
		var helm custom[fluxRelease]
		if json.Unmarshal(raw, &app) != nil || json.Unmarshal(raw, &apply) != nil || json.Unmarshal(raw, &helm) != nil {
			return
		}
		for _, err := range []error{c.takeApplication(j, &app), c.takeKustomization(j, &apply), c.takeHelmRelease(j, &helm)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range j.deliveries {
			d := &j.deliveries[i]
			if d.Object.Kind == kindKustomization {
				c.present(d, fluxSource{revision: d.current.applied, fetched: at("12:00:00").UTC(), repository: repository(d.current.applied)})
			}
			checkDelivery(t, d)
		}
	})
}

func checkDelivery(t *testing.T, d *delivery) {
	t.Helper()
	keys := map[string]bool{}
	if len(d.Applied) > maxApplied+2 || len(d.resources) > maxResources || d.Target != "" && !isPlainName(d.Target) && d.Target != d.Object.Namespace {
		t.Errorf("%d applied, %d resources, target %q", len(d.Applied), len(d.resources), d.Target)
	}
	for _, a := range d.Applied {
		if keys[a.Key] || len(a.Sources) > maxSources || a.Reason != "" && !isReason(a.Reason) {
			t.Errorf("%+v", a)
		}
		keys[a.Key] = true
		for _, s := range a.Sources {
			for _, text := range []string{s.Repository, s.Path, s.Revision, s.Chart, s.ChartVersion} {
				if len(text) > 512 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
					t.Errorf("%q came through", text)
				}
			}
			if strings.ContainsAny(s.Repository, "@?#") {
				t.Errorf("%q is more than host and path", s.Repository)
			}
		}
	}
}
