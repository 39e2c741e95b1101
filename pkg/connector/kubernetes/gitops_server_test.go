package kubernetes_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/testbed"
)

// customKinds are the kinds of delivery tools, in a version that is understood;
// HelmRelease is not served in the best one.
func (c *cluster) customKinds() map[string]schema.GroupVersionResource {
	c.Helper()
	out := map[string]schema.GroupVersionResource{}
	for _, k := range []struct{ group, version, kind, plural string }{
		{"argoproj.io", "v1alpha1", "Application", "applications"},
		{"kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations"},
		{"helm.toolkit.fluxcd.io", "v2beta2", "HelmRelease", "helmreleases"},
		{"source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories"},
		{"source.toolkit.fluxcd.io", "v1", "HelmRepository", "helmrepositories"},
	} {
		out[k.kind] = c.srv.InstallCRD(c, k.group, k.version, k.kind, k.plural, true)
	}
	return out
}

// custom makes an object of a delivery tool with its status, as the tool would.
func (c *cluster) custom(served schema.GroupVersionResource, object map[string]any) {
	c.Helper()
	client, err := dynamic.NewForConfig(c.srv.AdminConfig())
	if err != nil {
		c.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: object}
	u.SetAPIVersion(served.GroupVersion().String())
	u.SetNamespace(c.ns)
	u.SetUID("")
	u.SetCreationTimestamp(metav1.Time{})
	made, err := client.Resource(served).Namespace(c.ns).Create(c.Context(), u.DeepCopy(), metav1.CreateOptions{})
	if err != nil {
		c.Fatal(err)
	}
	made.Object["status"] = object["status"]
	if _, err := client.Resource(served).Namespace(c.ns).UpdateStatus(c.Context(), made, metav1.UpdateOptions{}); err != nil {
		c.Fatal(err)
	}
}

// recorded reads an object out of testdata, with words of it replaced.
func (c *cluster) recorded(file string, replace ...string) map[string]any {
	c.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "delivery", file))
	if err != nil {
		c.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(strings.NewReplacer(replace...).Replace(string(raw))), &object); err != nil {
		c.Fatal(err)
	}
	return object
}

func appliedLine(e evidence.Event) string {
	d := e.Deployment
	line := d.Workload + " " + e.Source.Object.Name + " " + string(d.Status) + " " + e.Time.Format("15:04:05") + " " + string(d.StartedBasis)
	for _, s := range d.Applied.Sources {
		line += " | " + strings.Join([]string{s.ConfigRepository, s.ConfigPath, s.ConfigRevision[:min(4, len(s.ConfigRevision))], s.Chart, s.ChartVersion}, ",")
	}
	return line
}

func appliedLinesOf(events []evidence.Event) []string {
	var out []string
	for _, e := range events {
		if e.Deployment != nil && e.Deployment.Change == evidence.ChangeApply {
			out = append(out, appliedLine(e))
		}
	}
	return out
}

func coverageOf(t *testing.T, result connector.Result, stream string) connector.Coverage {
	t.Helper()
	i := slices.IndexFunc(result.Coverage, func(cov connector.Coverage) bool { return cov.Stream == stream })
	if i < 0 {
		t.Fatalf("no coverage of %s", stream)
	}
	return result.Coverage[i]
}

func TestWhatArgoCDAndFluxAppliedIsTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	kinds := c.customKinds()
	c.deploy("checkout", "shop/web:1.0.0")
	c.custom(kinds["Application"], c.recorded("application.json", `"namespace": "shop"`, `"namespace": "`+c.ns+`"`))
	c.custom(kinds["Kustomization"], c.recorded("kustomization.json"))
	c.custom(kinds["HelmRelease"], c.recorded("helmrelease.json", `"namespace": "flux-system"`, `"namespace": "`+c.ns+`"`))
	c.custom(kinds["GitRepository"], map[string]any{
		"kind": "GitRepository", "metadata": map[string]any{"name": "config"}, "spec": map[string]any{"url": "ssh://git@github.com/acme/config.git"},
	})
	c.custom(kinds["HelmRepository"], map[string]any{
		"kind": "HelmRepository", "metadata": map[string]any{"name": "bitnami"}, "spec": map[string]any{"url": "https://" + planted + "@charts.bitnami.com/bitnami"},
	})
	c.tick()
	c.tick()
	c.patch("checkout", "kubectl-edit", imagePatch("shop/web:2.0.0"))
	c.awaitRollout("checkout")

	events, result := c.collect(c.config(), request(), env())
	argo, flux := "git.acme.example/platform/config,apps/checkout,", "github.com/acme/config,clusters/prod/apps,"
	want := []string{
		"Application checkout complete 10:00:00 status | " + argo + "1111,,",
		"Application checkout complete 11:00:04  | " + argo + "2222,,",
		"Application checkout failed 12:00:00 status | " + argo + "3333,,",
		"HelmRelease redis complete 08:00:02 status | charts.bitnami.com/bitnami,,,redis,18.1.0",
		"HelmRelease redis failed 12:00:02 status | charts.bitnami.com/bitnami,,,redis,18.2.0",
		"Kustomization apps complete 10:00:03  | " + flux + ",,",
		"Kustomization apps failed 10:30:00  | " + flux + ",,",
		"Kustomization apps complete 11:00:03  | " + flux + "2222,,",
		"Kustomization apps complete 11:00:03  | " + flux + "3333,,",
	}
	if got := appliedLinesOf(events); !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if got := coverageOf(t, result, record.StreamGitOps); got.Status != connector.Complete {
		t.Errorf("coverage %+v", got)
	}
	// The Application lists the Deployment, which carries no mark of it.
	edits := 0
	for _, e := range changes(events) {
		switch {
		case e.Source.Object.Kind == "Application":
			if !strings.HasSuffix(e.ServiceKey, "/"+c.ns+"/checkout-service") {
				t.Errorf("the service of the Application is %q", e.ServiceKey)
			}
		case e.Source.Object.Kind == "Deployment" && e.Deployment.Change == evidence.ChangeRollout:
			edits++
			if by := e.Deployment.ManagedBy; by == nil || by.Tool != "argocd" || by.Name != "checkout" || by.Namespace != c.ns || !e.Deployment.BesideManager {
				t.Errorf("managed by %+v, beside it: %v", by, e.Deployment.BesideManager)
			}
			if got := evidence.Summarize(e); !strings.HasSuffix(got, ", by kubectl-edit, beside Argo CD") {
				t.Errorf("the sentence is %q", got)
			}
		}
	}
	if edits != 1 {
		t.Errorf("%d edits", edits)
	}
	if text, _ := json.Marshal(events); bytes.Contains(text, []byte(planted)) || bytes.Contains(text, []byte("eve@")) {
		t.Error("what must not come out did")
	}
}

func TestADeletedApplicationIsToldByTheNextLook(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	kinds := c.customKinds()
	c.custom(kinds["Application"], c.recorded("application.json"))
	_, first := c.look(c.config(), env(), nil)
	client, err := dynamic.NewForConfig(c.srv.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Resource(kinds["Application"]).Namespace(c.ns).Delete(t.Context(), "checkout", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.tick()
	events, _ := c.look(c.config(), env(), first.State)
	told := changes(events)
	if len(told) != 1 || told[0].Deployment.Change != evidence.ChangeDelete || told[0].Source.Object.Kind != "Application" || told[0].Deployment.NotBefore == nil {
		t.Errorf("told %+v", told)
	}
}

func TestWithoutTheGrantDeliveryToolsAreLeftOut(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	kinds := c.customKinds()
	c.custom(kinds["Application"], c.recorded("application.json"))
	config := c.config()
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "reader", readRules())
	events, result := c.collect(config, request(), env())
	cov := coverageOf(t, result, record.StreamGitOps)
	if len(appliedLinesOf(events)) != 0 || cov.Status != connector.Skipped || !strings.Contains(cov.Reason, "not allowed to list the applications") ||
		!slices.ContainsFunc(cov.Missing, func(g connector.Grant) bool { return g.Group == "argoproj.io" && g.Resource == "applications" }) {
		t.Errorf("%+v", cov)
	}

	// One that was asked for by name is a gap.
	config.Streams = []string{record.StreamWorkloads, record.StreamGitOps}
	_, result = c.collect(config, request(), env())
	if cov := coverageOf(t, result, record.StreamGitOps); cov.Status != connector.Failed || cov.Class != connector.ClassForbidden {
		t.Errorf("by name: %+v", cov)
	}

	// With the grant on Applications alone these are told.
	config.Streams = nil
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "argo", append(readRules(),
		rbacv1.PolicyRule{APIGroups: []string{"argoproj.io"}, Resources: []string{"applications"}, Verbs: []string{"list"}}))
	events, result = c.collect(config, request(), env())
	if cov := coverageOf(t, result, record.StreamGitOps); len(appliedLinesOf(events)) != 3 || cov.Status != connector.Complete {
		t.Errorf("%d told, %+v", len(appliedLinesOf(events)), cov)
	}
}

// groupsAnswer changes what the server says of the groups that it knows.
type groupsAnswer struct {
	base   http.RoundTripper
	answer func(*http.Response)
}

func (g *groupsAnswer) WrapTransport(base http.RoundTripper) http.RoundTripper {
	g.base = base
	return g
}

func (g *groupsAnswer) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := g.base.RoundTrip(req)
	if err == nil && req.URL.Path == "/apis" {
		g.answer(resp)
	}
	return resp, err
}

func refuseGroups(resp *http.Response) {
	_ = resp.Body.Close()
	resp.StatusCode, resp.Body = http.StatusForbidden, readCloser(planted)
}

// withoutTools makes the answer that of a server without the kinds of delivery
// tools: other tests install them in this one.
func withoutTools(resp *http.Response) {
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	var list struct {
		Kind   string            `json:"kind"`
		Groups []json.RawMessage `json:"groups"`
	}
	_ = json.Unmarshal(body, &list)
	list.Groups = slices.DeleteFunc(list.Groups, func(g json.RawMessage) bool {
		return bytes.Contains(g, []byte("fluxcd.io")) || bytes.Contains(g, []byte("argoproj.io"))
	})
	body, _ = json.Marshal(list)
	resp.Body, resp.ContentLength = readCloser(string(body)), int64(len(body))
}

func TestKindsThatTheServerDoesNotKnowAreNotAskedFor(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	for name, test := range map[string]struct {
		answer func(*http.Response)
		reason string
	}{
		"absent":  {withoutTools, "the cluster has none of these kinds"},
		"refused": {refuseGroups, "the API server did not say which kinds it knows"},
	} {
		e := env()
		e.Transport = &groupsAnswer{answer: test.answer}
		_, result := c.collect(c.config(), request(), e)
		cov := coverageOf(t, result, record.StreamGitOps)
		if cov.Status != connector.Skipped || !strings.Contains(cov.Reason, test.reason) || strings.Contains(cov.Reason, planted) {
			t.Errorf("%s: %+v", name, cov)
		}
		if cov := coverageOf(t, result, record.StreamWorkloads); cov.Status != connector.Complete {
			t.Errorf("%s: workloads %+v", name, cov)
		}
		groups := 0
		for _, a := range result.Actions {
			if a.Target == "/apis" {
				groups += a.Requests
			}
			if strings.Contains(a.Target, "argoproj.io") || strings.Contains(a.Purpose, "applications") {
				t.Errorf("%s: asked %+v", name, a)
			}
		}
		if groups == 0 {
			t.Errorf("%s: the groups were not asked for", name)
		}
	}
	// One that is named is tried, whatever the server says of itself.
	c.customKinds()
	config, e := c.config(), env()
	config.Streams = []string{record.StreamGitOps, record.StreamWorkloads}
	e.Transport = &groupsAnswer{answer: refuseGroups}
	_, result := c.collect(config, request(), e)
	if cov := coverageOf(t, result, record.StreamGitOps); cov.Status != connector.Complete {
		t.Errorf("by name: %+v", cov)
	}
}

func TestHelmReleasesAreToldWithoutTheirValues(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	began := time.Now().Add(-time.Second)
	release := func(version, status string) {
		name := "sh.helm.release.v1.shop.v" + version
		if _, err := c.client.CoreV1().Secrets(c.ns).Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"owner": "helm", "name": "shop", "version": version, "status": status}},
			Type:       "helm.sh/release.v1", Data: map[string][]byte{"release": []byte(planted)},
		}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
			t.Fatal(err)
		}
	}
	release("1", "superseded")
	c.secret("other", map[string]string{"password": planted})
	c.tick()
	release("2", "failed")
	if _, err := c.client.CoreV1().Secrets(c.ns).Patch(t.Context(), "sh.helm.release.v1.shop.v1", types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"status":"deployed"}}}`), metav1.PatchOptions{FieldManager: "helm"}); err != nil {
		t.Fatal(err)
	}
	c.deploy("web", "shop/web:1.0.0")
	c.patch("web", "helm", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"Helm"},"annotations":{"meta.helm.sh/release-name":"shop","meta.helm.sh/release-namespace":"`+c.ns+`"}}}`)

	config := c.config()
	config.Streams = []string{record.StreamWorkloads, record.StreamHelm}
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "helm", append(readRules(),
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list"}}))
	seen, e := &wire{}, env()
	e.Transport = seen
	since := c.srv.AuditOffset(t)
	events, result := c.collect(config, request(), e)
	var got []string
	for _, ev := range events {
		if d := ev.Deployment; d != nil && d.Change == evidence.ChangeApply {
			got = append(got, ev.Source.Object.Kind+" "+ev.Source.Object.Name+" "+string(rune('0'+*d.Applied.Number))+" "+string(d.Status)+" "+string(d.StartedBasis))
			if ev.Time.Before(began) || !strings.HasSuffix(ev.ServiceKey, "/web-service") {
				t.Errorf("%v of %s", ev.Time, ev.ServiceKey)
			}
		}
	}
	if want := []string{"Release shop 1 complete creation_timestamp", "Release shop 2 failed creation_timestamp"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if cov := coverageOf(t, result, record.StreamHelm); cov.Status != connector.Complete {
		t.Errorf("coverage %+v", cov)
	}
	if !slices.ContainsFunc(result.Notes, func(n string) bool {
		return strings.Contains(n, "the grant to list secrets allows to read their values")
	}) {
		t.Errorf("notes %q", result.Notes)
	}
	// The list was of metadata, and of Helm's Secrets alone.
	answers := seen.seen.Bytes()
	for _, text := range []string{base64.StdEncoding.EncodeToString([]byte(planted)), "\x12" + planted} {
		if bytes.Contains(answers, []byte(text)) {
			t.Errorf("%q crossed the wire", text)
		}
	}
	lists := 0
	for _, l := range c.srv.Audit(t, testbed.ServiceAccountUser(c.ns, "helm"), since) {
		if strings.Contains(l.URI, "/secrets") {
			lists++
			if l.Verb != "list" || !strings.Contains(l.URI, "labelSelector=owner%3Dhelm") {
				t.Errorf("not a list of Helm's Secrets: %s", l)
			}
		}
	}
	if lists != 1 {
		t.Errorf("%d lists of Secrets", lists)
	}
	// Nobody reads them who did not ask to.
	config.Streams = nil
	_, result = c.collect(config, request(), env())
	if slices.ContainsFunc(result.Coverage, func(cov connector.Coverage) bool { return cov.Stream == record.StreamHelm }) {
		t.Error("the stream was read without being named")
	}
}
