package kubernetes_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/kubernetes"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/testbed"
)

func (c *cluster) configure(name string, data map[string]string) {
	c.Helper()
	if _, err := c.client.CoreV1().ConfigMaps(c.ns).Create(c.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"note": planted}}, Data: data,
	}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) secret(name string, data map[string]string) {
	c.Helper()
	if _, err := c.client.CoreV1().Secrets(c.ns).Create(c.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data,
	}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		c.Fatal(err)
	}
}

// edit patches an object of the core group as the named field manager.
func (c *cluster) edit(plural, name, manager, patch string) {
	c.Helper()
	if err := c.client.CoreV1().RESTClient().Patch(types.MergePatchType).Namespace(c.ns).Resource(plural).Name(name).
		Param("fieldManager", manager).Body([]byte(patch)).Do(c.Context()).Error(); err != nil {
		c.Fatal(err)
	}
}

// consume makes a Deployment of two pods with that pod spec around its container.
func (c *cluster) consume(name string, change func(*corev1.PodSpec)) {
	c.Helper()
	template := podTemplate("shop/" + name + ":1.0.0")
	template.Labels = map[string]string{"app": name}
	change(&template.Spec)
	if _, err := c.client.AppsV1().Deployments(c.ns).Create(c.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       appsv1.DeploymentSpec{Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template},
	}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		c.Fatal(err)
	}
	c.awaitRollout(name)
}

func envFrom(kind, name string) func(*corev1.PodSpec) {
	return func(spec *corev1.PodSpec) {
		from := corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
		if kind == "Secret" {
			from = corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
		}
		spec.Containers[0].EnvFrom = append(spec.Containers[0].EnvFrom, from)
	}
}

func mount(configMap, subPath string) func(*corev1.PodSpec) {
	return func(spec *corev1.PodSpec) {
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: configMap}},
		}})
		spec.Containers[0].VolumeMounts = append(spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "v", MountPath: "/etc/v", SubPath: subPath})
	}
}

func (c *cluster) restart(name string) {
	c.Helper()
	c.patch(name, "kubectl-rollout", `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"`+time.Now().Format(time.RFC3339)+`"}}}}}`)
	c.awaitRollout(name)
}

// look collects with a config, and again with the state that comes of it.
func (c *cluster) look(config *kubernetes.Config, env connector.Env, state []byte) ([]evidence.Event, connector.Result) {
	c.Helper()
	req := request()
	req.Window.End = time.Now().Add(2 * time.Second).UTC()
	req.State, req.Incremental = state, true
	return c.collect(config, req, env)
}

// keyed is an environment with a key for fingerprints.
func keyed() connector.Env {
	e := env()
	e.Fingerprints = func(domain string) func(parts ...[]byte) [32]byte {
		return func(parts ...[]byte) [32]byte {
			h := hmac.New(sha256.New, []byte("key of the test "+domain))
			for _, part := range parts {
				_, _ = fmt.Fprintf(h, "%d:", len(part))
				h.Write(part)
			}
			return [32]byte(h.Sum(nil))
		}
	}
	return e
}

// toldOf shows the changes of an object of configuration in a line each, without
// times.
func toldOf(events []evidence.Event, kind, name string) []string {
	var out []string
	for _, e := range events {
		c := e.ConfigChange
		if c == nil || e.Source.Object.Kind != kind || e.Source.Object.Name != name {
			continue
		}
		line := c.Change + " by " + c.How
		if e.Actor != nil {
			line += " of " + e.Actor.Manager
		}
		for _, keys := range []struct {
			word string
			keys []string
		}{{"+", c.Added}, {"-", c.Removed}, {"~", c.Changed}, {"?", c.KeysOfManager}} {
			for _, key := range keys.keys {
				line += " " + keys.word + key
			}
		}
		if c.KeysKnown {
			line += " known"
		}
		out = append(out, line)
	}
	return out
}

func (c *cluster) expectTold(events []evidence.Event, kind, name string, want ...string) {
	c.Helper()
	if got := toldOf(events, kind, name); !slices.Equal(got, want) {
		c.Errorf("%s %s:\n got %q\nwant %q", kind, name, got, want)
	}
}

func changeOf(t testing.TB, events []evidence.Event, kind, name, change string) evidence.Event {
	t.Helper()
	for _, e := range events {
		if e.ConfigChange != nil && e.Source.Object.Kind == kind && e.Source.Object.Name == name && e.ConfigChange.Change == change {
			return e
		}
	}
	t.Fatalf("no %s of %s %s is told", change, kind, name)
	return evidence.Event{}
}

func TestAConfigMapChangedAndOneOfItsConsumersWasRestarted(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.configure("flags", map[string]string{"PAYMENT_TIMEOUT": "30s", "RETRIES": "3"})
	c.consume("checkout", envFrom("ConfigMap", "flags"))
	c.consume("cart", envFrom("ConfigMap", "flags"))
	c.consume("files", mount("flags", ""))
	c.consume("part", mount("flags", "RETRIES"))
	c.tick()
	c.tick()
	changed := time.Now().Truncate(time.Second)
	c.edit("configmaps", "flags", "kubectl-edit", `{"data":{"PAYMENT_TIMEOUT":"`+planted+`"}}`)
	c.tick()
	c.tick()
	c.restart("checkout")

	events, _ := c.collect(c.config(), request(), env())
	c.expectTold(events, "ConfigMap", "flags", "create by managed_fields", "update by managed_fields of kubectl-edit ?PAYMENT_TIMEOUT")
	e := changeOf(t, events, "ConfigMap", "flags", "update")
	if d := e.Time.Sub(changed).Abs(); d > 2*time.Second {
		t.Errorf("told %v from when it was done", d)
	}
	var got []string
	for _, consumer := range e.ConfigChange.Consumers {
		got = append(got, fmt.Sprintf("%s/%s %v %s %d/%d %s %s", consumer.Kind, consumer.Name, consumer.Via, consumer.TakesEffect,
			*consumer.PodsStartedBefore, *consumer.Pods, consumer.Restarted, strings.ReplaceAll(consumer.ServiceKey, c.ns, "NS")))
	}
	want := []string{
		"Deployment/cart [env_from] restart 2/2 no testbed/NS/cart", "Deployment/checkout [env_from] restart 0/2 yes testbed/NS/checkout",
		"Deployment/files [volume] live 2/2 no testbed/NS/files", "Deployment/part [sub_path] restart 2/2 no testbed/NS/part",
	}
	if !slices.Equal(got, want) {
		t.Errorf("consumers\n got %q\nwant %q", got, want)
	}
	const sentence = "ConfigMap flags was changed: PAYMENT_TIMEOUT, or a key that is gone; started before that: 2 of 2 running pods of Deployment cart, 2 of 2 running pods of Deployment part"
	if got := evidence.Summarize(e); got != sentence {
		t.Errorf("%s", got)
	}

	config := c.config()
	config.Streams = []string{record.StreamWorkloads, record.StreamConfigMaps}
	blind, _ := c.collect(config, request(), env())
	for _, consumer := range changeOf(t, blind, "ConfigMap", "flags", "update").ConfigChange.Consumers {
		if consumer.Restarted != "unknown" || consumer.Pods != nil {
			t.Errorf("without pods: %+v", consumer)
		}
	}
}

func TestASettingBelongsToItsOnlyConsumer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.configure("one", nil)
	c.configure("two", nil)
	c.configure("none", nil)
	c.consume("web", func(spec *corev1.PodSpec) { envFrom("ConfigMap", "one")(spec); envFrom("ConfigMap", "two")(spec) })
	c.consume("cart", envFrom("ConfigMap", "two"))
	events, _ := c.collect(c.config(), request(), env())
	for name, want := range map[string]string{"one": "testbed/" + c.ns + "/web", "two": "", "none": ""} {
		if e := changeOf(t, events, "ConfigMap", name, "create"); e.ServiceKey != want {
			t.Errorf("%s belongs to %q, want %q", name, e.ServiceKey, want)
		}
	}
}

func TestKeysThatChangedBetweenTwoLooks(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.configure("flags", map[string]string{"A": "1", "B": "1", "C": "1"})
	c.configure("gone", map[string]string{"A": "1"})
	c.configure("still", map[string]string{"A": "1"})
	c.secret("db", map[string]string{"password": "old-" + planted, "user": "shop"})
	c.consume("web", envFrom("Secret", "db"))
	config, fingerprints := c.config(), c.config()
	fingerprints.Fingerprints = true
	_, plain := c.look(config, keyed(), nil)
	_, valued := c.look(fingerprints, keyed(), nil)
	c.tick()
	c.tick()
	c.edit("configmaps", "flags", "kubectl-edit", `{"data":{"A":"2","B":null,"D":"`+planted+`"}}`)
	c.edit("secrets", "db", "kubectl-edit", `{"stringData":{"password":"new-`+planted+`"}}`)
	if err := c.client.CoreV1().ConfigMaps(c.ns).Delete(t.Context(), "gone", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.tick()

	one, first := c.look(config, keyed(), plain.State)
	c.expectTold(one, "ConfigMap", "flags", "create by managed_fields", "update by snapshot of kubectl-edit +D -B ?A ?D")
	c.expectTold(one, "ConfigMap", "gone", "delete by snapshot")
	c.expectTold(one, "ConfigMap", "still", "create by managed_fields of helm")
	c.expectTold(one, "Secret", "db", "create by managed_fields", "update by managed_fields of kubectl-edit ?password")
	two, second := c.look(fingerprints, keyed(), valued.State)
	c.expectTold(two, "ConfigMap", "flags", "create by managed_fields", "update by snapshot of kubectl-edit +D -B ~A known")
	c.expectTold(two, "Secret", "db", "create by managed_fields", "update by snapshot of kubectl-edit ~password known")
	for _, name := range []string{"ConfigMap flags", "Secret db"} {
		kind, name, _ := strings.Cut(name, " ")
		a, b := changeOf(t, one, kind, name, "update"), changeOf(t, two, kind, name, "update")
		if a.ID != b.ID || !a.Time.Equal(b.Time) {
			t.Errorf("%s %s: what is known better has another id", kind, name)
		}
	}
	db := changeOf(t, two, "Secret", "db", "update")
	const sentence = "Secret db was changed: password; started before that: 2 of 2 running pods of Deployment web"
	if got := evidence.Summarize(db); got != sentence || !db.ConfigChange.ValuesRead {
		t.Errorf("%s", got)
	}
	deleted := changeOf(t, one, "ConfigMap", "gone", "delete")
	if d := deleted.ConfigChange; d.NotBefore == nil || d.NotAfter == nil || d.NotAfter.Before(*d.NotBefore) {
		t.Errorf("between which looks: %+v", d)
	}
	for _, state := range [][]byte{plain.State, valued.State, first.State, second.State} {
		for _, value := range []string{planted, base64.StdEncoding.EncodeToString([]byte("old-" + planted))} {
			if bytes.Contains(state, []byte(value)) {
				t.Error("a value is in the state")
			}
		}
	}

	// What was told is not told as a difference again; and turning fingerprints on
	// is no change of values.
	for name, look := range map[string]struct {
		config *kubernetes.Config
		state  []byte
	}{"again": {config, first.State}, "again, with values": {fingerprints, second.State}, "values read since": {fingerprints, first.State}, "and not any more": {config, second.State}} {
		events, _ := c.look(look.config, keyed(), look.state)
		for _, e := range events {
			if e.ConfigChange != nil && e.ConfigChange.How == "snapshot" {
				t.Errorf("%s: %s %s %+v", name, e.Source.Object.Kind, e.Source.Object.Name, e.ConfigChange)
			}
		}
	}
	withoutKey, err := fingerprints.Connect(t.Context(), env())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := withoutKey.Collect(t.Context(), request(), func(record.Record) error { return nil }); connector.ClassOf(err) != connector.ClassConfig {
		t.Errorf("values are read without a key for them: %v", err)
	}
}

func TestALabelThatChangedBetweenTwoLooks(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.configure("flags", map[string]string{"A": "1"})
	_, first := c.look(c.config(), keyed(), nil)
	c.tick()
	c.edit("configmaps", "flags", "kubectl-label", `{"metadata":{"labels":{"app.kubernetes.io/version":"2","secret":"`+planted+`"},"annotations":{"note":"`+planted+`"}}}`)
	c.tick()
	events, _ := c.look(c.config(), keyed(), first.State)
	c.expectTold(events, "ConfigMap", "flags", "create by managed_fields of helm", "update by snapshot of kubectl-label +metadata.labels[app.kubernetes.io/version]")
}

func TestTwoProgramsWroteBetweenTwoLooks(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.configure("flags", map[string]string{"A": "1", "B": "1", "C": "1"})
	config := c.config()
	config.Fingerprints = true
	_, first := c.look(config, keyed(), nil)
	c.tick()
	c.edit("configmaps", "flags", "kubectl-edit", `{"data":{"A":"2"}}`)
	c.tick()
	c.tick()
	c.edit("configmaps", "flags", "argocd-controller", `{"data":{"B":"2","C":null}}`)
	c.tick()
	events, _ := c.look(config, keyed(), first.State)
	c.expectTold(events, "ConfigMap", "flags", "create by managed_fields",
		"update by snapshot of kubectl-edit ~A", "update by snapshot of argocd-controller ~B ?B", "update by snapshot -C")
}

// wire keeps the bytes that come back, as they are before they are decoded.
type wire struct {
	base http.RoundTripper
	mu   sync.Mutex
	seen bytes.Buffer
}

func (w *wire) WrapTransport(base http.RoundTripper) http.RoundTripper { w.base = base; return w }

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	w.mu.Lock()
	w.seen.Write(body)
	w.mu.Unlock()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

func TestARotatedSecretIsToldAndNoneIsRead(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const old, next = "old-p4ssw0rd-x", "new-p4ssw0rd-x"
	c.secret("db", map[string]string{"password": old, "user": "shop"})
	for _, s := range []corev1.Secret{
		{ObjectMeta: metav1.ObjectMeta{Name: "sh.helm.release.v1.shop.v1"}, Type: "helm.sh/release.v1"},
		{ObjectMeta: metav1.ObjectMeta{Name: "token", Annotations: map[string]string{"kubernetes.io/service-account.name": "default"}}, Type: corev1.SecretTypeServiceAccountToken},
	} {
		if _, err := c.client.CoreV1().Secrets(c.ns).Create(t.Context(), &s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	c.consume("web", envFrom("Secret", "db"))
	c.tick()
	c.tick()
	c.edit("secrets", "db", "vault-agent", `{"stringData":{"password":"`+next+`"}}`)
	c.tick()
	config := c.config()
	rules := append(readRules(), rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "watch"}})
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "reader", rules)
	since := c.srv.AuditOffset(t)
	seen := &wire{}
	e := env()
	e.Transport = seen
	events, result := c.collect(config, request(), e)
	c.expectTold(events, "Secret", "db", "create by managed_fields", "update by managed_fields of vault-agent ?password")
	for _, name := range []string{"sh.helm.release.v1.shop.v1", "token"} {
		c.expectTold(events, "Secret", name)
	}
	if got := changeOf(t, events, "Secret", "db", "update").ConfigChange.Consumers; len(got) != 1 || got[0].Restarted != "no" {
		t.Errorf("consumers %+v", got)
	}
	if got := coverage(t, result, record.StreamSecrets); got.Status != connector.Complete {
		t.Errorf("coverage %+v", got)
	}
	// Whether a list asked for metadata is not in an audit line: the bytes that came
	// back say that.
	lists := 0
	for _, l := range c.srv.Audit(t, testbed.ServiceAccountUser(c.ns, "reader"), since) {
		if strings.Contains(l.URI, "secrets") {
			lists++
			if l.Verb != "list" {
				t.Errorf("not a list: %s", l)
			}
		}
	}
	if lists != 1 {
		t.Errorf("%d requests for Secrets", lists)
	}
	body := seen.seen.String()
	if !strings.Contains(body, "vault-agent") {
		t.Fatal("the answers were not looked into")
	}
	for _, value := range []string{old, next} {
		for _, form := range []string{value, base64.StdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value))} {
			if strings.Contains(body, form) {
				t.Errorf("the value of a Secret crossed the wire as %q", form)
			}
		}
	}
}

func coverage(t testing.TB, result connector.Result, stream string) connector.Coverage {
	t.Helper()
	for _, cov := range result.Coverage {
		if cov.Stream == stream {
			return cov
		}
	}
	t.Fatalf("no coverage of %s", stream)
	return connector.Coverage{}
}

func TestARunWithoutThatGrantIsComplete(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.secret("db", map[string]string{"password": planted})
	config := c.config()
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "reader", readRules())
	since := c.srv.AuditOffset(t)
	events, result := c.collect(config, request(), env())
	c.expectTold(events, "Secret", "db")
	if got := coverage(t, result, record.StreamSecrets); got.Status != connector.Skipped || len(got.Missing) != 1 || got.Missing[0].Resource != "secrets" {
		t.Errorf("coverage %+v", got)
	}
	c.onlyReads(since, "reader")
	config.Streams = []string{record.StreamSecrets, record.StreamConfigMaps}
	_, result = c.collect(config, request(), env())
	if got := coverage(t, result, record.StreamSecrets); got.Status != connector.Failed || got.Class != connector.ClassForbidden {
		t.Errorf("named, and not allowed: %+v", got)
	}
}

// TestOtherConfigurationThatChanged changes an object of each kind between two
// looks.
func TestOtherConfigurationThatChanged(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	meta := metav1.ObjectMeta{Name: "web"}
	port := intstr.FromInt32(80)
	by := metav1.CreateOptions{FieldManager: "helm"}
	quantity := func(s string) resource.Quantity { return resource.MustParse(s) }
	backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}}}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	must(c.client.AutoscalingV2().HorizontalPodAutoscalers(c.ns).Create(ctx, &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, MinReplicas: new(int32(2)), MaxReplicas: 3,
		Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
			Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(80))},
		}}},
	}}, by))
	must(c.client.CoreV1().Services(c.ns).Create(ctx, &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: port}},
	}}, by))
	must(c.client.NetworkingV1().Ingresses(c.ns).Create(ctx, &networkingv1.Ingress{ObjectMeta: meta, Spec: networkingv1.IngressSpec{DefaultBackend: &backend}}, by))
	must(c.client.NetworkingV1().NetworkPolicies(c.ns).Create(ctx, &networkingv1.NetworkPolicy{ObjectMeta: meta, Spec: networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
	}}, by))
	must(c.client.CoreV1().ResourceQuotas(c.ns).Create(ctx, &corev1.ResourceQuota{ObjectMeta: meta, Spec: corev1.ResourceQuotaSpec{
		Hard: corev1.ResourceList{"pods": quantity("20"), "requests.cpu": quantity("4")},
	}}, by))
	must(c.client.CoreV1().LimitRanges(c.ns).Create(ctx, &corev1.LimitRange{ObjectMeta: meta, Spec: corev1.LimitRangeSpec{
		Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Default: corev1.ResourceList{"memory": quantity("64Mi")}}},
	}}, by))
	must(c.client.PolicyV1().PodDisruptionBudgets(c.ns).Create(ctx, &policyv1.PodDisruptionBudget{ObjectMeta: meta, Spec: policyv1.PodDisruptionBudgetSpec{
		MinAvailable: new(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
	}}, by))
	before, first := c.look(c.config(), keyed(), nil)
	c.tick()
	c.tick()
	for path, text := range map[string]string{
		"/apis/autoscaling/v2/%s/horizontalpodautoscalers": `{"spec":{"maxReplicas":9}}`,
		"/api/v1/%s/services":                              `{"spec":{"selector":{"app":"other"}}}`,
		"/apis/networking.k8s.io/v1/%s/ingresses":          `{"spec":{"ingressClassName":"` + planted + `"},"metadata":{"annotations":{"nginx.ingress.kubernetes.io/rewrite-target":"/` + planted + `"}}}`,
		"/apis/networking.k8s.io/v1/%s/networkpolicies":    `{"spec":{"ingress":[{"ports":[{"port":8080}]}]}}`,
		"/api/v1/%s/resourcequotas":                        `{"spec":{"hard":{"pods":"10"}}}`,
		"/api/v1/%s/limitranges":                           `{"spec":{"limits":[{"type":"Container","default":{"memory":"32Mi"}}]}}`,
		"/apis/policy/v1/%s/poddisruptionbudgets":          `{"spec":{"minAvailable":2}}`,
	} {
		if err := c.client.CoreV1().RESTClient().Patch(types.MergePatchType).AbsPath(fmt.Sprintf(path, "namespaces/"+c.ns)+"/web").
			Param("fieldManager", "kubectl-edit").Body([]byte(text)).Do(ctx).Error(); err != nil {
			t.Fatal(path, err)
		}
	}
	c.tick()
	after, _ := c.look(c.config(), keyed(), first.State)
	blind, _ := c.look(c.config(), keyed(), nil)
	for kind, want := range map[string]string{
		"HorizontalPodAutoscaler": "~spec.maxReplicas", "Service": "~spec.selector[app]",
		"Ingress":       "+metadata.annotations[nginx.ingress.kubernetes.io/rewrite-target] +spec.ingressClassName",
		"NetworkPolicy": "+spec.ingress", "ResourceQuota": "~spec.hard[pods]", "LimitRange": "~spec.limits", "PodDisruptionBudget": "~spec.minAvailable",
	} {
		c.expectTold(before, kind, "web", "create by managed_fields of helm")
		c.expectTold(after, kind, "web", "create by managed_fields", "update by snapshot of kubectl-edit "+want+" known")
		if a, b := changeOf(t, after, kind, "web", "update"), changeOf(t, blind, kind, "web", "update"); a.ID != b.ID || b.ConfigChange.KeysKnown || len(b.ConfigChange.KeysOfManager) == 0 && len(b.ConfigChange.Keys) > 1 {
			t.Errorf("%s: one look says %+v", kind, b.ConfigChange)
		}
	}
	if e := changeOf(t, after, "HorizontalPodAutoscaler", "web", "update"); e.ServiceKey != "testbed/"+c.ns+"/web-service" {
		t.Errorf("the autoscaler belongs to %q", e.ServiceKey)
	}
}

func TestStatusIsNoChangeOfConfiguration(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	if _, err := c.client.CoreV1().ResourceQuotas(c.ns).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "quota"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"pods": resource.MustParse("20")}},
	}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		t.Fatal(err)
	}
	_, first := c.look(c.config(), keyed(), nil)
	c.tick()
	c.tick()
	c.deploy("web", "shop/web:1.0.0") // its pods are counted in the status
	c.await("the quota to be used", func(ctx context.Context) (bool, error) {
		q, err := c.client.CoreV1().ResourceQuotas(c.ns).Get(ctx, "quota", metav1.GetOptions{})
		used := q.Status.Used["pods"]
		return err == nil && used.Value() == 2, err
	})
	events, _ := c.look(c.config(), keyed(), first.State)
	c.expectTold(events, "ResourceQuota", "quota", "create by managed_fields of helm")
}

func TestRBACIsReadWhenAskedFor(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	if _, err := c.client.RbacV1().Roles(c.ns).Create(t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}},
	}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.client.RbacV1().RoleBindings(c.ns).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
		Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "alice@example.com"}},
	}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		t.Fatal(err)
	}
	c.tick()
	c.tick()
	if _, err := c.client.RbacV1().Roles(c.ns).Patch(t.Context(), "reader", types.MergePatchType,
		[]byte(`{"rules":[{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}]}`), metav1.PatchOptions{FieldManager: "kubectl-edit"}); err != nil {
		t.Fatal(err)
	}
	c.tick()
	events, result := c.collect(c.config(), request(), env())
	c.expectTold(events, "Role", "reader")
	if slices.ContainsFunc(result.Coverage, func(cov connector.Coverage) bool { return cov.Stream == record.StreamRBAC }) {
		t.Error("the stream rbac is read without being named")
	}
	config := c.config()
	config.Streams = []string{record.StreamRBAC}
	seen := &wire{}
	e := env()
	e.Transport = seen
	events, _ = c.collect(config, request(), e)
	c.expectTold(events, "Role", "reader", "create by managed_fields", "update by managed_fields of kubectl-edit")
	c.expectTold(events, "RoleBinding", "reader", "create by managed_fields of helm")
	c.expectTold(events, "ServiceAccount", "default")
	if strings.Contains(seen.seen.String(), "alice@example.com") {
		t.Error("the subjects of a binding were read")
	}
}

func TestCustomResourceDefinitions(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.srv.InstallCRD(t, "settings.rcactl.test", "v1alpha1", "Widget", "widgets", true)
	events, result := c.collect(c.config(), request(), env())
	e := changeOf(t, events, "CustomResourceDefinition", "widgets.settings.rcactl.test", "create")
	if !slices.Contains(e.ConfigChange.Keys, "spec.versions") || e.ServiceKey != "" {
		t.Errorf("%+v of %q", e.ConfigChange, e.ServiceKey)
	}
	if got := coverage(t, result, record.StreamCRDs); got.Status != connector.Complete {
		t.Errorf("coverage %+v", got)
	}
}
