package kubernetes_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/connector/kubernetes"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// taken is a list as the API server gives it: the type stands at the list alone.
type taken struct {
	group, version, plural, kind string
	items                        []map[string]any
}

func (l taken) apiVersion() string {
	if l.group == "" {
		return l.version
	}
	return l.group + "/" + l.version
}

// typed are the items with their type, as kubectl writes them.
func (l taken) typed() []map[string]any {
	var out []map[string]any
	for _, item := range l.items {
		item := asMap(item)
		item["apiVersion"], item["kind"] = l.apiVersion(), l.kind
		out = append(out, item)
	}
	return out
}

func asMap(m map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// take lists everything in the namespace, and the namespace kube-system.
func (c *cluster) take() []taken {
	c.Helper()
	groups, err := discovery.NewDiscoveryClientForConfigOrDie(c.srv.AdminConfig()).ServerPreferredNamespacedResources()
	if err != nil {
		c.Fatal(err)
	}
	var out []taken
	get := func(path string) map[string]any {
		raw, err := c.client.CoreV1().RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(c.Context())
		if err != nil {
			c.Fatalf("%s: %v", path, err)
		}
		var object map[string]any
		if err := json.Unmarshal(raw, &object); err != nil {
			c.Fatal(err)
		}
		return object
	}
	for _, g := range groups {
		group, version, found := strings.Cut(g.GroupVersion, "/")
		root := "/apis/"
		if !found {
			group, version, root = "", g.GroupVersion, "/api/"
		}
		for _, r := range g.APIResources {
			if strings.Contains(r.Name, "/") || !slices.Contains(r.Verbs, "list") || group == "events.k8s.io" {
				continue
			}
			l := taken{group: group, version: version, plural: r.Name, kind: r.Kind}
			items, _ := get(root + g.GroupVersion + "/namespaces/" + c.ns + "/" + r.Name)["items"].([]any)
			for _, item := range items {
				l.items = append(l.items, item.(map[string]any))
			}
			out = append(out, l)
		}
	}
	system := get("/api/v1/namespaces/kube-system")
	return append(out, taken{version: "v1", plural: "namespaces", kind: "Namespace", items: []map[string]any{system}})
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", "    ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func asYAML(t testing.TB, v any) string {
	t.Helper()
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func list(kind string, items []map[string]any) map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": kind, "items": items, "metadata": map[string]any{"resourceVersion": ""}}
}

// layouts are the ways in which people record a cluster, by the name of the tool.
func (c *cluster) layouts() map[string]map[string]string {
	all := c.take()
	out := map[string]map[string]string{}
	add := func(tool, file, text string) {
		if out[tool] == nil {
			out[tool] = map[string]string{}
		}
		out[tool][file] = text
	}
	var everything []map[string]any
	for _, l := range all {
		everything = append(everything, l.typed()...)
		typedList := list(l.kind+"List", l.items)
		typedList["apiVersion"] = l.apiVersion()
		add("cluster-info dump", c.ns+"/"+l.plural+".json", asJSON(c, typedList))
		add("cluster-info dump -o yaml", c.ns+"/"+l.plural+".yaml", asYAML(c, typedList))
		group := l.group
		if group == "" {
			group = "core"
		}
		inspected := list(l.kind+"List", l.typed())
		inspected["apiVersion"] = l.apiVersion()
		add("must-gather", "image/namespaces/"+c.ns+"/"+group+"/"+l.plural+".yaml", "---\n"+asYAML(c, inspected))
		for i, item := range l.typed() {
			add("must-gather", fmt.Sprintf("image/namespaces/%s/%s/%s/%d.yaml", c.ns, group, l.plural, i), "---\n"+asYAML(c, item))
		}
		add("support bundle", "bundle/cluster-resources/"+l.plural+"/"+c.ns+".json", asJSON(c, typedList))
	}
	add("kubectl get -o json", "all.json", asJSON(c, list("List", everything)))
	add("kubectl get -o yaml", "all.yaml", asYAML(c, list("List", everything)))
	add("must-gather", "timestamp", time.Now().String()+"\n")
	add("must-gather", "image/namespaces/"+c.ns+"/pods/web/logs/current.log", "a line")
	add("support bundle", "bundle/version.yaml", "apiVersion: troubleshoot.sh/v1beta2\nkind: SupportBundle\nspec:\n  versionNumber: 0.100.0\n")
	return out
}

func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func writeArchive(t testing.TB, files map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.tar.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	zip := gzip.NewWriter(f)
	w := tar.NewWriter(zip)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range files {
			if !yield(name) {
				return
			}
		}
	}) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(files[name])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	for _, closer := range []interface{ Close() error }{w, zip, f} {
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// namespaced are the streams that another test cannot change.
func namespaced() []string {
	return []string{
		record.StreamWorkloads, record.StreamConfigMaps, record.StreamSecrets, record.StreamConfiguration,
		record.StreamPods, record.StreamHelm, record.StreamEvents,
	}
}

func recordingOf(path string) *kubernetes.Config {
	config := kubernetes.Factory().New().(*kubernetes.Config)
	config.From, config.Streams = path, namespaced()
	return config
}

// tellAStory leaves something behind for every stream of a namespace.
func (c *cluster) tellAStory() {
	c.Helper()
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"TIMEOUT": planted}}
	if _, err := c.client.CoreV1().ConfigMaps(c.ns).Create(c.Context(), config, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		c.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "password"}, StringData: map[string]string{"PASSWORD": planted}}
	if _, err := c.client.CoreV1().Secrets(c.ns).Create(c.Context(), secret, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		c.Fatal(err)
	}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	if _, err := c.client.CoreV1().Services(c.ns).Create(c.Context(), service, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		c.Fatal(err)
	}
	c.deploy("web", "shop/web:1.0.0")
	c.tick()
	c.rollout("web", "shop/web:2.0.0")
	c.tick()
	c.undo("web", podTemplate("shop/web:1.0.0"))
	c.awaitRollout("web")
	c.tick()
	c.patch("web", "kubectl-set", imagePatch("shop/web:4.0.0-broken"))
	c.await("the image that cannot be pulled", func(ctx context.Context) (bool, error) {
		list, err := c.client.CoreV1().Events(c.ns).List(ctx, metav1.ListOptions{FieldSelector: "reason=Failed"})
		return err == nil && len(list.Items) > 0, err
	})
	c.tick()
}

// lines are events as they are written, sorted.
func lines(t testing.TB, events []evidence.Event) []string {
	t.Helper()
	var out []string
	for _, e := range events {
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(raw))
	}
	slices.Sort(out)
	return out
}

func TestARecordingGivesTheSameEvidenceAsItsCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.tellAStory()
	var layouts map[string]map[string]string
	var want []string
	req := request()
	// The cluster goes on while it is recorded: what was the same before and after
	// is what the recording must give.
	c.await("a quiet cluster", func(context.Context) (bool, error) {
		config := c.config()
		config.ClusterID, config.Streams = "", namespaced()
		before, _ := c.collect(config, req, env())
		layouts = c.layouts()
		after, _ := c.collect(config, req, env())
		want = lines(c, before)
		return slices.Equal(want, lines(c, after)), nil
	})
	if len(want) < 5 {
		t.Fatalf("the cluster tells of %d things alone", len(want))
	}
	paths := map[string]string{}
	for tool, files := range layouts {
		paths[tool] = writeFiles(t, files)
		paths[tool+", archived"] = writeArchive(t, files)
	}
	for tool, path := range paths {
		t.Run(tool, func(t *testing.T) {
			c := &cluster{T: t, ns: c.ns}
			events, result := c.collect(recordingOf(path), req, env())
			if got := lines(t, events); !slices.Equal(got, want) {
				t.Errorf("the recording gives something else: %s", cmp.Diff(want, got))
			}
			for _, a := range result.Actions {
				if a.Method != "OPEN" {
					t.Errorf("something was asked: %v", a)
				}
			}
			for _, cov := range result.Coverage {
				if strings.Contains(cov.Reason, "could not be read") {
					t.Errorf("coverage: %+v", cov)
				}
			}
			if told := strings.Join(append(lines(t, events), result.Notes...), "\n"); strings.Contains(told, planted) {
				t.Error("what was planted comes out")
			}
		})
	}
}

func TestARecordingKnowsWhenItWasMade(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	for tool, files := range c.layouts() {
		now := time.Now()
		id, err := c.connect(recordingOf(writeFiles(t, files)), env()).(connector.Identifier).Identity(t.Context())
		if err != nil || id.AsOf.After(now.Add(2*time.Second)) || id.AsOf.Before(now.Add(-20*time.Second)) {
			t.Errorf("%s: made at %v, now %v: %v", tool, id.AsOf, now, err)
		}
		system, err := c.client.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
		if err != nil || id.Target != string(system.UID) {
			t.Errorf("%s: the cluster is %q, want %q: %v", tool, id.Target, system.UID, err)
		}
	}
}

func TestTwoRecordingsAreComparedAsTwoLooks(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	c.deploy("gone", "shop/web:1.0.0")
	first := writeFiles(t, c.layouts()["kubectl get -o json"])
	c.tick()
	if err := c.client.AppsV1().Deployments(c.ns).Delete(t.Context(), "gone", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.tick()
	c.rollout("web", "shop/web:2.0.0")
	second := writeFiles(t, c.layouts()["kubectl get -o json"])
	at := func(path string) time.Time {
		id, err := c.connect(recordingOf(path), env()).(connector.Identifier).Identity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return id.AsOf
	}
	req := request()
	req.Window.End = at(first)
	_, before := c.collect(recordingOf(first), req, env())
	req.Window.Start, req.Window.End, req.Incremental, req.State = req.Window.End, at(second), true, before.State
	events, _ := c.collect(recordingOf(second), req, env())
	if !slices.ContainsFunc(changes(events), func(e evidence.Event) bool {
		return e.Deployment.Change == evidence.ChangeDelete && e.Source.Object.Name == "gone"
	}) {
		t.Errorf("the deletion is not told: %s", strings.Join(lines(t, events), "\n"))
	}
}

func TestARecordingKeepsTheContractOfConnectors(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	if _, err := c.client.CoreV1().ConfigMaps(c.ns).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: c.meta("settings"), Data: map[string]string{"key": planted},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	path := writeFiles(t, c.layouts()["kubectl get -o json"])
	connectortest.Suite{
		New: func(t *testing.T) connector.Connector {
			conn, err := recordingOf(path).Connect(t.Context(), env())
			if err != nil {
				t.Fatal(err)
			}
			return conn
		},
		Request: request(),
		Planted: []string{planted},
	}.Run(t)
}
