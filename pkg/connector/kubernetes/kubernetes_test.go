package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func at(hms string) metav1.Time {
	t, err := time.Parse(time.RFC3339, "2026-03-01T"+hms+"Z")
	if err != nil {
		panic(err)
	}
	return metav1.NewTime(t)
}

func TestTheGateLetsOnlyReadsThrough(t *testing.T) {
	passed := 0
	g := &gate{requests: &connector.RequestLog{}, server: "https://server", next: roundTrip(func(*http.Request) (*http.Response, error) {
		passed++
		return &http.Response{Body: io.NopCloser(strings.NewReader(""))}, nil
	})}
	for _, test := range []struct {
		method, path string
		ok           bool
	}{
		{"GET", "/api/v1/pods", true},
		{"POST", reviewPath, true},
		{"POST", "/api/v1/namespaces/a/pods", false},
		{"POST", reviewPath + "/../pods", false},
		{"GET", "/api/v1/namespaces/a/secrets", false},
		{"GET", "/api/v1/namespaces/a/../b/pods", false},
		{"PUT", "/api/v1/pods", false},
		{"PATCH", "/api/v1/pods", false},
		{"DELETE", "/api/v1/pods", false},
		{"CONNECT", "/api/v1/namespaces/a/pods/b/exec", false},
	} {
		req, err := http.NewRequestWithContext(t.Context(), test.method, "https://server"+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := passed
		resp, err := g.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if ok := err == nil; ok != test.ok || (passed > before) != test.ok || !ok && !errors.Is(err, errNotARead) {
			t.Errorf("%s %s: %v, passed on: %v", test.method, test.path, err, passed > before)
		}
	}
	if n := len(g.requests.Take(allStreams())); n != 2 {
		t.Errorf("%d actions are written down, want 2", n)
	}
}

func TestAnAnswerIsBounded(t *testing.T) {
	b := &boundedBody{ReadCloser: io.NopCloser(strings.NewReader("0123456789")), left: 4}
	n, err := io.Copy(io.Discard, b)
	if !errors.Is(err, errTooLarge) || n > 10 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestConfigProblemsAreNamed(t *testing.T) {
	for _, test := range []struct {
		change func(*Config)
		path   string
	}{
		{func(c *Config) { c.Namespaces = []string{"a", "Not_A_Name"} }, "namespaces[1]"},
		{func(c *Config) { c.Namespaces = []string{"*", "a"} }, "namespaces[0]"},
		{func(c *Config) { c.Namespaces = []string{"a", "a"} }, "namespaces[1]"},
		{func(c *Config) { c.ClusterID = "a/b" }, "cluster_id"},
		{func(c *Config) { c.ServiceLabels = nil }, "service_labels"},
		{func(c *Config) { c.ServiceLabels = []string{"a b"} }, "service_labels[0]"},
		{func(c *Config) { c.Streams = []string{"values"} }, "streams[0]"},
		{func(c *Config) { c.Namespaces = []string{"a", "te*m"} }, "namespaces[1]"},
		{func(c *Config) { c.ExcludeNamespaces = []string{"*"} }, "exclude_namespaces[0]"},
		{func(c *Config) { c.ExcludeNamespaces = []string{"a*", "a*"} }, "exclude_namespaces[1]"},
		{func(c *Config) { c.Namespaces, c.ExcludeNamespaces = []string{"a"}, []string{"a"} }, "exclude_namespaces[0]"},
		{func(c *Config) { c.LabelSelector = "a in b" }, "label_selector"},
		{func(c *Config) { c.LabelSelector = strings.Repeat("a,", maxSelector) + "a" }, "label_selector"},
		{func(c *Config) { c.MaxObjects = 0 }, "max_objects"},
		{func(c *Config) { c.PageSize = 0 }, "page_size"},
		{func(c *Config) { c.Burst = 0 }, "qps"},
	} {
		c := defaultConfig()
		if err := c.Validate(); err != nil {
			t.Fatalf("the default: %v", err)
		}
		test.change(c)
		var field *connector.FieldError
		if err := c.Validate(); !errors.As(err, &field) || field.Path != test.path {
			t.Errorf("want a problem with %s, got %v", test.path, err)
		}
	}
}

func TestTheDigestOfAConfigIsOfWhatIsRead(t *testing.T) {
	digest := func(change func(*Config)) string {
		c := defaultConfig()
		change(c)
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	base := digest(func(*Config) {})
	if base != digest(func(c *Config) { c.Kubeconfig, c.QPS, c.Burst, c.PageSize = "/elsewhere", 1, 1, 1 }) {
		t.Error("how it is read changes the digest")
	}
	if base == digest(func(c *Config) { c.Set("namespaces", "a") }) || base == digest(func(c *Config) { c.Set("streams", "pods") }) {
		t.Error("what is read does not change the digest")
	}
	if defaultConfig().Set("no_such_key", "x") {
		t.Error("a key that does not exist was set")
	}
}

const kubeconfig = `apiVersion: v1
kind: Config
current-context: CURRENT
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: s3cret-t0ken}}]
contexts:
- {name: one, context: {cluster: c, user: u, namespace: shop}}
- {name: two, context: {cluster: c, user: u}}
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func lookup(vars map[string]string) connector.Env {
	return connector.Env{LookupEnv: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }}
}

func TestDiscoverFindsWhatKubectlWould(t *testing.T) {
	path := write(t, ".kube/config", strings.Replace(kubeconfig, "CURRENT", "one", 1))
	home := filepath.Dir(filepath.Dir(path))
	for name, vars := range map[string]map[string]string{
		"KUBECONFIG":  {"KUBECONFIG": path},
		"HOME":        {"HOME": home},
		"USERPROFILE": {"USERPROFILE": home},
		"list":        {"KUBECONFIG": filepath.Join(home, "missing") + string(filepath.ListSeparator) + path},
	} {
		config, err := discover(t.Context(), lookup(vars))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if where, err := config.(*Config).Describe(lookup(vars)); err != nil || where != "current context one · namespace shop" {
			t.Errorf("%s: %s, %v", name, where, err)
		}
		conn, err := config.Connect(t.Context(), lookup(vars))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := conn.(*source).namespaces; !cmp.Equal(got, []string{"shop"}) {
			t.Errorf("%s: namespaces %v", name, got)
		}
	}
	if config, err := discover(t.Context(), lookup(map[string]string{"HOME": t.TempDir()})); !errors.Is(err, connector.ErrNothingFound) {
		t.Errorf("found %+v where there is nothing: %v", config, err)
	}
	if _, err := discover(t.Context(), connector.Env{}); !errors.Is(err, connector.ErrNothingFound) {
		t.Errorf("a cluster without an environment: %v", err)
	}
}

func TestDiscoverSaysWhatIsWrongWithWhatItFound(t *testing.T) {
	good := strings.Replace(kubeconfig, "CURRENT", "one", 1)
	missing := filepath.Join(t.TempDir(), "missing")
	for _, test := range []struct{ name, path, want string }{
		{"no current context", write(t, "config", strings.Replace(kubeconfig, "CURRENT", `""`, 1)), "no current context"},
		{"another context", write(t, "config", strings.Replace(kubeconfig, "CURRENT", "gone", 1)), `no context "gone" (it has 2 others)`},
		{"yaml", write(t, "config", good+"users: {"), "is not the YAML or JSON of a kubeconfig"},
		{"missing", missing, "KUBECONFIG names"},
		{"folder", t.TempDir(), "is not a file"},
	} {
		_, err := discover(t.Context(), lookup(map[string]string{"KUBECONFIG": test.path}))
		if err == nil || errors.Is(err, connector.ErrNothingFound) || !strings.Contains(err.Error(), test.want) ||
			!strings.Contains(err.Error(), test.path) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestDescribeSaysWhatIsReadInTheEnd(t *testing.T) {
	path := write(t, "config", strings.Replace(kubeconfig, "CURRENT", "two", 1))
	env := lookup(map[string]string{"KUBECONFIG": path})
	for want, change := range map[string]func(*Config){
		"current context two · namespace default (the context names none)": func(*Config) {},
		"context one · namespace shop":                                     func(c *Config) { c.Set("context", "one") },
		"current context two · namespaces a, b":                            func(c *Config) { c.Set("namespaces", "b", "a") },
		"current context two · all namespaces":                             func(c *Config) { c.Set("namespaces", "*") },
	} {
		c := defaultConfig()
		change(c)
		if got, err := c.Describe(env); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
}

func TestPinKeepsMeaningTheSameCluster(t *testing.T) {
	one := write(t, "config", strings.Replace(kubeconfig, "CURRENT", "one", 1))
	c := defaultConfig()
	if err := c.Pin(lookup(map[string]string{"KUBECONFIG": one})); err != nil {
		t.Fatal(err)
	}
	if c.Kubeconfig != one || c.Context != "one" || !cmp.Equal(c.Namespaces, []string{"shop"}) {
		t.Errorf("by KUBECONFIG: %+v", c)
	}
	home := write(t, ".kube/config", strings.Replace(kubeconfig, "CURRENT", "two", 1))
	c = defaultConfig()
	if err := c.Pin(lookup(map[string]string{"HOME": filepath.Dir(filepath.Dir(home))})); err != nil {
		t.Fatal(err)
	}
	if c.Kubeconfig != "" || c.Context != "two" || !cmp.Equal(c.Namespaces, []string{"default"}) {
		t.Errorf("the default file: %+v", c)
	}
	// A context of one file with the cluster of another cannot be named.
	context := write(t, "context", "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n")
	both := lookup(map[string]string{"KUBECONFIG": context + string(filepath.ListSeparator) + one})
	if err := defaultConfig().Pin(both); err == nil || !strings.Contains(err.Error(), "spread over") {
		t.Errorf("over two files: %v", err)
	}
	if err := defaultConfig().Pin(connector.Env{}); !errors.Is(err, connector.ErrNothingFound) {
		t.Errorf("of nothing: %v", err)
	}
}

func TestCapabilitiesNameTheNamespaces(t *testing.T) {
	path := write(t, "config", strings.Replace(kubeconfig, "CURRENT", "one", 1))
	for _, test := range []struct{ set, want []string }{
		{nil, []string{"shop"}}, {[]string{"b", "a"}, []string{"a", "b"}}, {[]string{"*"}, []string{""}},
	} {
		c := defaultConfig()
		c.Kubeconfig, c.Namespaces = path, test.set
		conn, err := c.Connect(t.Context(), connector.Env{})
		if err != nil {
			t.Fatal(err)
		}
		caps := conn.Capabilities()
		for _, stream := range caps.Streams {
			var got []string
			for _, g := range stream.Needs {
				if len(got) == 0 || got[len(got)-1] != g.Namespace {
					got = append(got, g.Namespace)
				}
				if in := roleFor(g.Namespace); !strings.HasSuffix(g.Rule, "# in "+in) {
					t.Errorf("rule %q does not say %s", g.Rule, in)
				}
			}
			want := test.want
			if stream.Name == record.StreamNodes || stream.Name == record.StreamCRDs {
				want = []string{""} // of the whole cluster
			}
			if !cmp.Equal(got, want) {
				t.Errorf("%v: %s needs %v", test.set, stream.Name, got)
			}
		}
		if len(caps.Identity) != 2 || caps.Identity[0].Resource != "/version" || caps.Identity[1].Namespace != "kube-system" {
			t.Errorf("identity: %+v", caps.Identity)
		}
	}
}

func TestServersInPodsAreToldApartByTheirAuthority(t *testing.T) {
	digest := func(ca, host, path string) string {
		return serverDigest(&rest.Config{Host: host, TLSClientConfig: rest.TLSClientConfig{CAFile: ca}}, path)
	}
	one, two := write(t, "ca.crt", "one"), write(t, "ca.crt", "two")
	const host = "https://10.96.0.1:443"
	if digest(one, host, "") == digest(two, host, "") {
		t.Error("two clusters with the usual address have one name")
	}
	if digest(one, host, "") != digest(one, "https://other", "") {
		t.Error("a change of address changes the name")
	}
	if digest(one, host, "/k8s/clusters/a") == digest(one, host, "/k8s/clusters/b") {
		t.Error("two clusters behind one proxy have one name")
	}
}

func TestKubeconfigProblemsNeverQuoteTheFile(t *testing.T) {
	good := strings.Replace(kubeconfig, "CURRENT", "one", 1)
	for _, test := range []struct{ name, text, context, want string }{
		{"none", strings.Replace(kubeconfig, "CURRENT", `""`, 1), "", "no current context"},
		{"context", good, "three", `no context "three"`},
		{"yaml", good + "users: {", "", "is not the YAML"},
		{"cluster", strings.Replace(good, "name: c,", "name: other,", 1), "", `names the cluster "c", which is not there`},
		{"user", strings.Replace(good, "name: u, user", "name: other, user", 1), "", `names the user "u", who is not there`},
	} {
		c := defaultConfig()
		c.Kubeconfig, c.Context = write(t, "config", test.text), test.context
		_, err := c.Connect(t.Context(), connector.Env{})
		if connector.ClassOf(err) != connector.ClassConfig || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	c := defaultConfig()
	c.Kubeconfig = filepath.Join(t.TempDir(), "missing")
	if _, err := c.Connect(t.Context(), connector.Env{}); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestInClusterNeedsTheServiceAccount(t *testing.T) {
	dir := t.TempDir()
	env := lookup(map[string]string{"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"})
	if _, ok := inCluster(env, dir); ok {
		t.Error("found without a token")
	}
	for name, text := range map[string]string{"token": "t", "ca.crt": "c", "namespace": "shop\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at, ok := inCluster(env, dir)
	if !ok || at.rest.Host != "https://[fd00::1]:6443" || at.namespace != "shop" || at.rest.BearerTokenFile == "" || at.rest.BearerToken != "" {
		t.Errorf("%+v, %v", at, ok)
	}
	if _, ok := inCluster(lookup(nil), dir); ok {
		t.Error("found outside a cluster")
	}
}

func TestKlogIsSilent(t *testing.T) {
	old := os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = w
	quietKlog()
	klog.Error("a credential plugin said s3cret")
	klog.TODO().Error(errors.New("s3cret"), "refreshing")
	klog.Flush()
	os.Stderr = old
	_ = w.Close()
	if out, _ := io.ReadAll(r); len(out) > 0 {
		t.Errorf("klog wrote %q", out)
	}
}

func TestBothRecordersTimes(t *testing.T) {
	micro := func(hms string) metav1.MicroTime { return metav1.NewMicroTime(at(hms).Time) }
	old := &corev1.Event{FirstTimestamp: at("10:00:00"), LastTimestamp: at("10:05:00"), Count: 7}
	once := &corev1.Event{EventTime: micro("10:00:00")}
	series := &corev1.Event{EventTime: micro("10:00:00"), Series: &corev1.EventSeries{Count: 4, LastObservedTime: micro("10:30:00")}}
	bare := &corev1.Event{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at("10:00:00")}}
	for name, test := range map[string]struct {
		e     *corev1.Event
		last  string
		count int32
	}{"old": {old, "10:05:00", 7}, "once": {once, "10:00:00", 1}, "series": {series, "10:30:00", 4}, "bare": {bare, "10:00:00", 1}} {
		first, last, count := eventTimes(test.e)
		if !first.Equal(at("10:00:00").Time) || !last.Equal(at(test.last).Time) || count != test.count {
			t.Errorf("%s: %v %v %d", name, first, last, count)
		}
	}
}

func TestManagersAreCutDown(t *testing.T) {
	fields := func(s string) *metav1.FieldsV1 { return metav1.NewFieldsV1(s) }
	early, late := at("09:00:00"), at("10:00:00")
	got := managers([]metav1.ManagedFieldsEntry{
		{Manager: "kubectl-edit", Time: &late, FieldsV1: fields(`{"f:spec":{"f:replicas":{}}}`)},
		{Manager: "helm", Time: &early, FieldsV1: fields(`{"f:spec":{"f:template":{"f:spec":{"f:containers":{}}}}}`)},
		{Manager: "kube-controller-manager", Time: &late},
		{Manager: "kube-controller-manager", Subresource: "status", Time: &late},
		{Manager: "kube-controller-manager", Subresource: "scale"},
		{Manager: "no-time"},
		{Manager: "line\nbreak", Time: &late, FieldsV1: fields(`{"f:data":{".":{},"f:a":{}}}`)},
		{Manager: "alice@example.com", Time: &late, FieldsV1: fields(`{"f:metadata":{"f:labels":{}}}`)},
		{Manager: "my secret =", Time: &late, FieldsV1: fields(`{"f:binaryData":{"f:a":{}}}`)},
	})
	want := []record.Manager{
		{Name: "kube-controller-manager", Subresource: "scale"},
		{Name: "helm", Template: true, Time: early.UTC()},
		{Name: "(unusual name)", Data: true, Time: late.UTC()},
		{Name: "(unusual name)", Time: late.UTC()},
		{Name: "(unusual name)", Data: true, Time: late.UTC()},
		{Name: "kubectl-edit", Time: late.UTC()},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheTemplateDigestLeavesOutRestartsAndHashes(t *testing.T) {
	template := func(annotations, labels map[string]string, image string) string {
		return cutTemplate(&corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Annotations: annotations, Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}},
		}, newTemplateReader(newLayout())).digest
	}
	base := template(nil, map[string]string{"app": "web"}, "a")
	restarted := template(map[string]string{restartedAtAnnotation: "2026-03-01T09:00:00Z"}, map[string]string{"app": "web", podTemplateHashLabel: "5d"}, "a")
	if base != restarted {
		t.Error("a restart changes the digest")
	}
	for name, other := range map[string]string{
		"image": template(nil, map[string]string{"app": "web"}, "b"), "label": template(nil, map[string]string{"app": "x"}, "a"),
		"annotation": template(map[string]string{"a": "b"}, map[string]string{"app": "web"}, "a"),
	} {
		if other == base {
			t.Errorf("another %s does not change the digest", name)
		}
	}
}

func TestRunningDigestIsThatOfARegistry(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	for id, want := range map[string]string{
		"shop/web@" + digest: digest, "docker-pullable://r.io/shop/web@" + digest: digest, digest: "", "": "", "shop/web:1": "",
	} {
		if got := runningDigest(id); got != want {
			t.Errorf("%q: %q", id, got)
		}
	}
}

func TestRolloutStates(t *testing.T) {
	condition := func(reason string) []appsv1.DeploymentCondition {
		return []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Reason: reason, LastUpdateTime: at("10:00:00")}}
	}
	full := appsv1.DeploymentStatus{UpdatedReplicas: 2, Replicas: 2, AvailableReplicas: 2}
	deployment := func(status appsv1.DeploymentStatus, paused bool, reason string) *appsv1.Deployment {
		if reason != "" {
			status.Conditions = condition(reason)
		}
		return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: new(int32(2)), Paused: paused}, Status: status}
	}
	for name, test := range map[string]struct {
		d    *appsv1.Deployment
		want record.RolloutState
	}{
		"available":         {deployment(appsv1.DeploymentStatus{}, false, "NewReplicaSetAvailable"), record.RolloutComplete},
		"deadline":          {deployment(appsv1.DeploymentStatus{}, false, "ProgressDeadlineExceeded"), record.RolloutFailed},
		"create error":      {deployment(appsv1.DeploymentStatus{}, false, "ReplicaSetCreateError"), record.RolloutFailed},
		"updated":           {deployment(appsv1.DeploymentStatus{}, false, "ReplicaSetUpdated"), record.RolloutProgressing},
		"paused":            {deployment(appsv1.DeploymentStatus{}, true, "DeploymentPaused"), record.RolloutPaused},
		"paused when whole": {deployment(full, true, "DeploymentPaused"), record.RolloutComplete},
		"no condition":      {deployment(appsv1.DeploymentStatus{}, false, ""), record.RolloutProgressing},
		"no condition full": {deployment(full, false, ""), record.RolloutComplete},
	} {
		if got := deploymentRollout(test.d); got.State != test.want {
			t.Errorf("%s: %s, want %s", name, got.State, test.want)
		}
	}
	set := func(current, update string, ready, updated int32, partition int32) *appsv1.StatefulSet {
		return &appsv1.StatefulSet{
			Spec: appsv1.StatefulSetSpec{Replicas: new(int32(3)), UpdateStrategy: appsv1.StatefulSetUpdateStrategy{
				RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: &partition},
			}},
			Status: appsv1.StatefulSetStatus{CurrentRevision: current, UpdateRevision: update, ReadyReplicas: ready, UpdatedReplicas: updated},
		}
	}
	for name, test := range map[string]struct {
		s    *appsv1.StatefulSet
		want record.RolloutState
	}{
		"settled": {set("a", "a", 3, 3, 0), record.RolloutComplete}, "sick": {set("a", "a", 1, 3, 0), record.RolloutUnknown},
		"under way": {set("a", "b", 3, 1, 0), record.RolloutProgressing}, "partition": {set("a", "b", 3, 1, 2), record.RolloutPaused},
	} {
		if got := statefulSetState(test.s); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	daemons := func(desired, updated, available int32) *appsv1.DaemonSet {
		return &appsv1.DaemonSet{Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: desired, UpdatedNumberScheduled: updated, NumberAvailable: available}}
	}
	for name, test := range map[string]struct {
		d    *appsv1.DaemonSet
		want record.RolloutState
	}{
		"whole": {daemons(3, 3, 3), record.RolloutComplete}, "a sick node": {daemons(3, 3, 2), record.RolloutUnknown}, "under way": {daemons(3, 1, 3), record.RolloutProgressing},
	} {
		if got := daemonSetState(test.d); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestServicesOfPodsThatAreGone(t *testing.T) {
	w := workload{}
	w.Object = record.Object{Kind: "Deployment", Namespace: "shop", Name: "web", UID: "d"}
	w.Service = record.Service{Name: "front", Basis: "label app"}
	j := join(&batch{workloads: []workload{w}, revisions: []revision{{namespace: "shop", owner: "d", Revision: record.Revision{Name: "web-5d8c", UID: "rs", Number: 1}}}})
	for _, test := range []struct {
		o    record.Object
		want record.Service
	}{
		{record.Object{Kind: "Pod", Namespace: "shop", Name: "web-5d8c-x7k2p", UID: "gone"}, record.Service{Name: "front", Basis: "generated name"}},
		{record.Object{Kind: "Pod", Namespace: "other", Name: "web-5d8c-x7k2p", UID: "gone"}, record.Service{}},
		{record.Object{Kind: "Pod", Namespace: "shop", Name: "stranger", UID: "gone"}, record.Service{}},
		{record.Object{Kind: "ReplicaSet", Namespace: "shop", Name: "web-5d8c", UID: "rs"}, record.Service{Name: "front", Basis: "owner"}},
		{record.Object{Kind: "Deployment", Namespace: "shop", Name: "web", UID: "d"}, w.Service},
		{record.Object{Kind: "Node", Name: "web"}, record.Service{}},
	} {
		if got := j.serviceOf(test.o); got != test.want {
			t.Errorf("%s %s: %+v, want %+v", test.o.Kind, test.o.Name, got, test.want)
		}
	}
}

func TestPodSignals(t *testing.T) {
	s := &source{config: *defaultConfig(), clusterID: "c"}
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", UID: "u", CreationTimestamp: at("09:00:00")},
		Spec:       corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Name: "app", Image: "shop/web:1"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodFailed, Reason: "Evicted", Message: "s3cret",
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: at("10:00:00")},
				{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", LastTransitionTime: at("09:30:00"), Message: "s3cret"},
			},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "app", RestartCount: 4,
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "s3cret"}},
				LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
					ExitCode: 137, Reason: "OOMKilled", StartedAt: at("09:58:00"), FinishedAt: at("09:59:00"), Message: "s3cret",
				}},
			}, {
				Name: "odd", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError"}},
			}},
		},
	}
	var got []string
	for _, sig := range s.cutPod(p).signals {
		got = append(got, strings.Join([]string{string(sig.Class), sig.Key, sig.Reason, sig.First.Format(time.TimeOnly)}, " "))
		if sig.Node != "n1" || sig.Object.UID != "u" || sig.Count < 1 {
			t.Errorf("%+v", sig)
		}
	}
	want := []string{
		"evicted  Evicted 10:00:00",
		"unschedulable  Unschedulable 09:30:00",
		"crash_loop app CrashLoopBackOff 09:58:00",
		"oom_killed app/3 OOMKilled 09:59:00",
		"container_config odd CreateContainerConfigError 10:00:00",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	p.DeletionTimestamp = new(at("10:01:00"))
	p.Status.ContainerStatuses[0].LastTerminationState.Terminated.Reason = "Error"
	for _, sig := range s.cutPod(p).signals {
		if sig.Class == record.SignalContainerExit {
			t.Error("the end of a pod that was told to stop is a signal")
		}
	}
}

func TestErrorsHoldNoTextOfTheServer(t *testing.T) {
	status := func(code int) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			body := `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"s3cret","reason":"x","code":` + itoa(int64(code)) + `}`
			return &http.Response{StatusCode: code, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
		}
	}
	for code, class := range map[int]connector.Class{
		401: connector.ClassAuth, 403: connector.ClassForbidden, 404: connector.ClassProtocol, 410: connector.ClassProtocol,
		429: connector.ClassLimited, 500: connector.ClassUnreachable, 504: connector.ClassTimeout,
	} {
		api, err := newClient(defaultConfig(), location{rest: &rest.Config{Host: "https://server"}}, connector.Env{Transport: status(code)})
		if err != nil {
			t.Fatal(err)
		}
		own := classify(t.Context(), api.get(t.Context(), "/api/v1/pods", nil, asObjects, &corev1.PodList{}), "pods")
		if own.Class != class || strings.Contains(own.Error(), "s3cret") {
			t.Errorf("%d: %s: %v", code, own.Class, own)
		}
	}
	dial := roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("dial tcp s3cret") })
	api, err := newClient(defaultConfig(), location{rest: &rest.Config{Host: "https://server"}}, connector.Env{Transport: dial})
	if err != nil {
		t.Fatal(err)
	}
	if own := classify(t.Context(), api.get(t.Context(), "/x", nil, asObjects, &corev1.PodList{}), "pods"); own.Class != connector.ClassUnreachable || strings.Contains(own.Error(), "s3cret") {
		t.Errorf("%s: %v", own.Class, own)
	}
	garbage := roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader([]byte("s3cret")))}, nil
	})
	api, err = newClient(defaultConfig(), location{rest: &rest.Config{Host: "https://server"}}, connector.Env{Transport: garbage})
	if err != nil {
		t.Fatal(err)
	}
	if own := classify(t.Context(), api.get(t.Context(), "/x", nil, asObjects, &corev1.PodList{}), "pods"); own.Class != connector.ClassProtocol || strings.Contains(own.Error(), "s3cret") {
		t.Errorf("%s: %v", own.Class, own)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if own := classify(ctx, ctx.Err(), "pods"); own.Class != connector.ClassCanceled {
		t.Errorf("%v", own)
	}
}

func TestEventsAnswerForWhatIsStillKept(t *testing.T) {
	asked := window.Window{Start: at("09:00:00").Time, End: at("11:00:00").Time}
	for name, test := range map[string]struct {
		oldest, start, end string
		ok                 bool
	}{
		"older":   {"08:00:00", "09:00:00", "11:00:00", true},
		"inside":  {"10:00:00", "10:00:00", "11:00:00", true},
		"none":    {"", "10:59:59", "11:00:00", true},
		"younger": {"12:00:00", "", "", false},
	} {
		c := &collection{}
		if test.oldest != "" {
			c.see(at(test.oldest).Time)
			c.see(at("23:00:00").Time)
		}
		want := window.Window{}
		if test.start != "" {
			want = window.Window{Start: at(test.start).Time, End: at(test.end).Time}
		}
		got, why, ok := c.clip(asked)
		if got != want || ok != test.ok || (why == "") != (got == asked) {
			t.Errorf("%s: %v %q %v", name, got, why, ok)
		}
	}
}

func TestAPanicOfAListReachesTheCaller(t *testing.T) {
	c := &collection{source: &source{api: &client{}}, jobs: []*job{{
		listing: listing{reviewed: true, kind: kind{read: func(context.Context, *collection, *job) error { panic("a bug") }}},
	}}}
	defer func() {
		if p := recover(); p != "a bug" {
			t.Errorf("recovered %v", p)
		}
	}()
	_ = c.runJobs(t.Context())
	t.Error("the panic was lost")
}

func TestScopeNamesNoPaths(t *testing.T) {
	got := newScope(connector.Scope{Services: []string{"../../x/y", "shop/web"}}, []string{"*"}, nil, nil)
	if !cmp.Equal(got.namespaces, []string{"shop"}) {
		t.Errorf("namespaces %q", got.namespaces)
	}
	if got := newScope(connector.Scope{Services: []string{"other/web"}}, []string{"shop"}, nil, nil); len(got.namespaces) != 0 {
		t.Errorf("namespaces %q", got.namespaces)
	}
}

func TestCredentialPluginsWork(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("needs /bin/sh")
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer from-the-plugin" || !strings.HasPrefix(r.Header.Get("User-Agent"), "rcactl/") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path == kubeSystemPath {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system","uid":"u"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"gitVersion":"v1.37.1"}`)
	}))
	defer server.Close()
	for command, want := range map[string]connector.Class{ // credentials go over TLS only
		`echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"from-the-plugin"}}'`: connector.ClassNone,
		`exit 3`: connector.ClassAuth,
	} {
		c := defaultConfig()
		c.ClusterID = "c"
		c.Kubeconfig = write(t, "config", `{"apiVersion":"v1","kind":"Config","current-context":"x",
"contexts":[{"name":"x","context":{"cluster":"c","user":"u"}}],"clusters":[{"name":"c","cluster":{"insecure-skip-tls-verify":true,"server":"`+server.URL+`"}}],
"users":[{"name":"u","user":{"exec":{"apiVersion":"client.authentication.k8s.io/v1","interactiveMode":"Never","command":"/bin/sh","args":["-c",`+quote(command)+`]}}}]}`)
		conn, err := c.Connect(t.Context(), connector.Env{Now: time.Now, UserAgent: "rcactl/test"})
		if err != nil {
			t.Fatal(err)
		}
		id, err := conn.(connector.Identifier).Identity(t.Context())
		if connector.ClassOf(err) != want || err == nil && id.Version != "v1.37.1" {
			t.Errorf("%s: %+v, %v", command, id, err)
		}
		if err != nil && !strings.Contains(err.Error(), "credential plugin") {
			t.Errorf("the error does not name the plugin: %v", err)
		}
	}
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestAnEventThatIsCountedUpIsANewFact(t *testing.T) {
	s := &source{config: *defaultConfig(), clusterID: "c"}
	j := join(&batch{})
	key := func(count int32) string {
		sig, ok := s.cutEvent(&corev1.Event{
			ObjectMeta: metav1.ObjectMeta{UID: "e"}, Type: "Warning", Reason: "Unhealthy", Count: count, LastTimestamp: at("10:00:00"),
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "web", UID: "p"},
		}, j)
		if !ok {
			t.Fatal("a warning is no signal")
		}
		return sig.Key
	}
	if first, again := key(2), key(2); key(1) == first || first != again {
		t.Errorf("keys %q, %q", key(1), key(2))
	}
	if _, ok := s.cutEvent(&corev1.Event{Type: "Normal", Reason: "Pulled"}, j); ok {
		t.Error("an event of type Normal that tells of no trouble is a signal")
	}
	odd, _ := s.cutEvent(&corev1.Event{Type: "Warning", Reason: "X", InvolvedObject: corev1.ObjectReference{
		Kind: "free text", Name: "a secret!", Namespace: "Not One", UID: "a secret!",
	}, Source: corev1.EventSource{Component: "kubelet", Host: "a secret!"}}, j)
	if strings.Contains(odd.Object.Name+odd.Object.Kind+odd.Object.Namespace+odd.Object.UID+odd.Node, "secret") || odd.Object.Kind != "Unknown" {
		t.Errorf("free text of an event came through: %+v", odd)
	}
}

func TestScalingsOfACountedAndOfACombinedEvent(t *testing.T) {
	event := func(prefix string) *corev1.Event {
		return &corev1.Event{
			Message: prefix + "Scaled up replica set web-5d from 0 to 1", FirstTimestamp: at("10:00:00"), LastTimestamp: at("10:05:00"), Count: 2,
			InvolvedObject: corev1.ObjectReference{Kind: "Deployment", UID: "d"}, Source: corev1.EventSource{Component: deploymentController},
		}
	}
	if _, got := scalings(event("")); len(got) != 2 || !got[0].Time.Equal(at("10:00:00").Time) || !got[1].Time.Equal(at("10:05:00").Time) {
		t.Errorf("counted: %+v", got)
	}
	if _, got := scalings(event(combined)); len(got) != 1 || !got[0].Time.Equal(at("10:05:00").Time) {
		t.Errorf("combined: %+v", got)
	}
}

func TestPodsThatRunDifferentDigestsTellNone(t *testing.T) {
	one, two := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	running := func(name, digest string) pod {
		return pod{object: record.Object{Name: name, UID: name}, owner: "rs", containers: []record.Container{{Name: "app", Digest: digest}}}
	}
	for name, test := range map[string]struct {
		pods []pod
		want string
	}{
		"alike": {[]pod{running("a", one), running("b", ""), running("c", one)}, one}, "different": {[]pod{running("a", one), running("b", two), running("c", one)}, ""},
	} {
		w := workload{}
		w.Object.UID = "d"
		j := join(&batch{workloads: []workload{w}, pods: test.pods, revisions: []revision{{
			owner: "d", Revision: record.Revision{Name: "web-5d", UID: "rs", Number: 1, Containers: []record.Container{{Name: "app"}}},
		}}})
		r := j.workloads[0].Revisions[0]
		if r.Containers[0].Digest != test.want {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// One Secret is let through only where PullSecrets asks for that one.
func TestTheGateLetsOnePullSecretThrough(t *testing.T) {
	g := &gate{requests: &connector.RequestLog{}, server: "https://server", next: roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{Body: io.NopCloser(strings.NewReader(""))}, nil
	})}
	const login = "/api/v1/namespaces/a/secrets/login"
	for _, test := range []struct {
		allowed, method, path string
		ok                    bool
	}{
		{login, "GET", login, true},
		{"", "GET", login, false},
		{login, "GET", "/api/v1/namespaces/a/secrets/other", false},
		{login, "GET", "/api/v1/namespaces/b/secrets/login", false},
		{login, "GET", login + "?watch=true", false},
		{login, "PUT", login, false},
		{login, "GET", "/api/v1/namespaces/a/secrets", false},
		{"/api/v1/namespaces/a/secrets", "GET", "/api/v1/namespaces/a/secrets", false},
		{login + "/status", "GET", login + "/status", false},
	} {
		ctx := t.Context()
		if test.allowed != "" {
			ctx = context.WithValue(ctx, pullSecretKey{}, test.allowed)
		}
		req, err := http.NewRequestWithContext(ctx, test.method, "https://server"+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := g.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if (err == nil) != test.ok {
			t.Errorf("%s %s, when %s was asked for: %v", test.method, test.path, test.allowed, err)
		}
	}
}

func TestARecordingGivesNoCredentials(t *testing.T) {
	r := &recorded{&source{pulls: []pullSecret{{"shop", "login"}}}}
	if configs, actions, notes, err := r.PullSecrets(t.Context()); len(configs)+len(actions) != 0 || len(notes) != 1 || err != nil {
		t.Errorf("%d, %v, %v, %v", len(configs), actions, notes, err)
	}
}
