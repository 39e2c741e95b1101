package kubernetes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientset "k8s.io/client-go/kubernetes"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/connector/kubernetes"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/normalize"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/testbed"
	"github.com/rcactl/rcactl/pkg/window"
)

// cluster is a namespace of the real API server, and what tests do in it.
type cluster struct {
	*testing.T
	srv    *testbed.Server
	client clientset.Interface
	ns     string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	srv := testbed.Start(t)
	return &cluster{T: t, srv: srv, client: srv.AdminClient(), ns: srv.Namespace(t)}
}

// planted stands wherever a cluster may hold what must not come out.
const planted = "pl4nted-s3cret"

func podTemplate(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels:      map[string]string{"app": "web"},
			Annotations: map[string]string{"note": planted},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: image, Args: []string{"--token=" + planted},
			Env: []corev1.EnvVar{{Name: "PASSWORD", Value: planted}},
		}}},
	}
}

func (c *cluster) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"app.kubernetes.io/name": name + "-service"},
		Annotations: map[string]string{
			"kubernetes.io/change-cause":                       planted,
			"kubectl.kubernetes.io/last-applied-configuration": `{"env":"` + planted + `"}`,
		},
	}
}

func (c *cluster) deploy(name, image string) {
	c.Helper()
	template := podTemplate(image)
	_, err := c.client.AppsV1().Deployments(c.ns).Create(c.Context(), &appsv1.Deployment{
		ObjectMeta: c.meta(name),
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
			ProgressDeadlineSeconds: new(int32(600)),
		},
	}, metav1.CreateOptions{FieldManager: "helm"})
	if err != nil {
		c.Fatal(err)
	}
	c.awaitRollout(name)
}

// patch changes a Deployment as the named field manager.
func (c *cluster) patch(name, manager, patch string) {
	c.Helper()
	if _, err := c.client.AppsV1().Deployments(c.ns).Patch(c.Context(), name, types.StrategicMergePatchType, []byte(patch),
		metav1.PatchOptions{FieldManager: manager}); err != nil {
		c.Fatal(err)
	}
}

func imagePatch(image string) string {
	return `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"` + image + `"}]}}}}`
}

func (c *cluster) rollout(name, image string) {
	c.Helper()
	c.patch(name, "kubectl-set", imagePatch(image))
	c.awaitRollout(name)
}

func (c *cluster) awaitRollout(name string) {
	c.Helper()
	c.srv.AwaitRollout(c, c.ns, name)
}

func (c *cluster) await(what string, done func(context.Context) (bool, error)) {
	c.Helper()
	testbed.Eventually(c, what, done)
}

// tick waits until a new second has begun, since the API's stamps have no
// finer resolution and the order of changes is what the tests are about.
func (c *cluster) tick() { time.Sleep(1100 * time.Millisecond) }

// config reads this namespace as the admin.
func (c *cluster) config() *kubernetes.Config {
	config := kubernetes.Factory().New().(*kubernetes.Config)
	config.Kubeconfig = c.srv.Kubeconfig()
	config.Namespaces = []string{c.ns}
	config.ClusterID = "testbed"
	return config
}

func env() connector.Env { return connector.Env{Now: time.Now, UserAgent: "rcactl/test"} }

func request() connector.Request {
	now := time.Now()
	return connector.Request{Window: window.Window{Start: now.Add(-time.Hour).UTC(), End: now.Add(time.Second).UTC()}}
}

func (c *cluster) connect(config *kubernetes.Config, env connector.Env) connector.Connector {
	c.Helper()
	if err := config.Validate(); err != nil {
		c.Fatal(err)
	}
	conn, err := config.Connect(c.Context(), env)
	if err != nil {
		c.Fatal(err)
	}
	return conn
}

// collect runs the connector and the normaliser. An id must not come twice.
func (c *cluster) collect(config *kubernetes.Config, req connector.Request, env connector.Env) ([]evidence.Event, connector.Result) {
	c.Helper()
	var events []evidence.Event
	ids := map[string]evidence.Event{}
	result, err := c.connect(config, env).Collect(c.Context(), req, func(r record.Record) error {
		more, err := normalize.Record("kubernetes", r)
		for _, e := range more {
			if twin, ok := ids[e.ID]; ok {
				c.Errorf("the id of %s %s is that of %s %s as well", e.Kind, e.Source.Object.Name, twin.Kind, twin.Source.Object.Name)
			}
			ids[e.ID] = e
		}
		events = append(events, more...)
		return err
	})
	if err != nil {
		c.Fatalf("Collect: %v", err)
	}
	return events, result
}

func changes(events []evidence.Event) []evidence.Event {
	var out []evidence.Event
	for _, e := range events {
		if e.Deployment != nil {
			out = append(out, e)
		}
	}
	return out
}

// line shows a change in one line, without times.
func line(e evidence.Event) string {
	d := e.Deployment
	show := func(t *evidence.Template) string {
		if t == nil {
			return "-"
		}
		former := ""
		if len(t.FormerRevisions) > 0 {
			former = fmt.Sprint(t.FormerRevisions)
		}
		return fmt.Sprintf("%d%s %s", t.Revision, former, t.Images[0].Image)
	}
	actor := "-"
	if e.Actor != nil {
		actor = e.Actor.Manager
	}
	return fmt.Sprintf("%s %s | %s -> %s | %s | %s | by %s", e.ServiceKey, d.Change, show(d.From), show(d.To), d.Status, d.StartedBasis, actor)
}

func (c *cluster) expectLines(events []evidence.Event, want ...string) {
	c.Helper()
	var got []string
	for _, e := range events {
		got = append(got, strings.ReplaceAll(line(e), c.ns, "NS"))
	}
	if !slices.Equal(got, want) {
		c.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func (c *cluster) undo(name string, to corev1.PodTemplateSpec) {
	c.Helper()
	raw, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/spec/template", "value": to}})
	if err != nil {
		c.Fatal(err)
	}
	if _, err := c.client.AppsV1().Deployments(c.ns).Patch(c.Context(), name, types.JSONPatchType, raw,
		metav1.PatchOptions{FieldManager: "kubectl-rollout"}); err != nil {
		c.Fatal(err)
	}
}

func TestEachChangeOfADeploymentIsToldOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	c.tick()
	c.rollout("web", "shop/web:2.0.0")
	c.tick()
	c.rollout("web", "shop/web:3.0.0")
	c.tick()
	undone := time.Now()
	c.undo("web", podTemplate("shop/web:1.0.0"))
	c.awaitRollout("web")
	c.tick()
	c.patch("web", "kubectl-set", imagePatch("shop/web:4.0.0-broken"))
	c.await("the image that cannot be pulled", func(ctx context.Context) (bool, error) {
		list, err := c.client.CoreV1().Events(c.ns).List(ctx, metav1.ListOptions{FieldSelector: "reason=Failed"})
		return err == nil && len(list.Items) > 0, err
	})

	events, result := c.collect(c.config(), request(), env())
	told := changes(events)
	c.expectLines(told,
		"testbed/NS/web-service create | - -> 1 shop/web:1.0.0 | superseded | creation_timestamp | by -",
		"testbed/NS/web-service rollout | 1 shop/web:1.0.0 -> 2 shop/web:2.0.0 | superseded | creation_timestamp | by -",
		"testbed/NS/web-service rollout | 2 shop/web:2.0.0 -> 3 shop/web:3.0.0 | superseded | creation_timestamp | by -",
		"testbed/NS/web-service rollback | 3 shop/web:3.0.0 -> 4[1] shop/web:1.0.0 | superseded | pod_creation | by -",
		"testbed/NS/web-service rollout | 4[1] shop/web:1.0.0 -> 5 shop/web:4.0.0-broken | progressing | creation_timestamp | by kubectl-set",
	)
	if len(told) == 5 {
		if d := told[3].Time.Sub(undone).Abs(); d > 3*time.Second {
			t.Errorf("the rollback is told at %v, %v from when it was done", told[3].Time, d)
		}
	}
	pulls := 0
	for _, e := range events {
		if e.Signal != nil && e.Signal.Class == "image_pull" && e.Source.Stream == record.StreamPods {
			pulls++
			if e.Signal.Image != "shop/web:4.0.0-broken" || e.Signal.Detail != "not_found" || !e.Signal.Ongoing || !strings.HasSuffix(e.ServiceKey, "/web-service") {
				t.Errorf("image pull: %+v of %s", e.Signal, e.ServiceKey)
			}
		}
	}
	if pulls == 0 {
		t.Error("the broken image is not told of")
	}
	for _, cov := range result.Coverage {
		if cov.Status != connector.Complete && (cov.Stream != record.StreamGitOps || cov.Status != connector.Skipped) {
			t.Errorf("coverage: %+v", cov)
		}
	}
	again, _ := c.collect(c.config(), request(), env())
	for _, e := range changes(again) {
		if !slices.ContainsFunc(told, func(o evidence.Event) bool { return o.ID == e.ID && o.Time.Equal(e.Time) }) {
			t.Errorf("the second look tells of something else: %s", line(e))
		}
	}
}

func TestARollbackIsToldWithItsTimeAndManager(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	c.tick()
	c.rollout("web", "shop/web:2.0.0")
	c.tick()
	c.tick() // a write one second after a rollout and one before the next is claimed for neither
	c.undo("web", podTemplate("shop/web:1.0.0"))
	c.awaitRollout("web")
	want := []string{
		"testbed/NS/web-service create | - -> 1 shop/web:1.0.0 | superseded | creation_timestamp | by -",
		"testbed/NS/web-service rollout | 1 shop/web:1.0.0 -> 2 shop/web:2.0.0 | superseded | creation_timestamp | by -", // the undo took the field over
		"testbed/NS/web-service rollback | 2 shop/web:2.0.0 -> 3[1] shop/web:1.0.0 | complete | pod_creation | by kubectl-rollout",
	}
	events, _ := c.collect(c.config(), request(), env())
	c.expectLines(changes(events), want...)

	// Without Events and pods the field manager still tells, and the id stays.
	config := c.config()
	config.Streams = []string{record.StreamWorkloads}
	without, _ := c.collect(config, request(), env())
	want[2] = strings.Replace(want[2], "pod_creation", "managed_fields", 1)
	c.expectLines(changes(without), want...)
	if n := len(without); n != 3 || without[2].ID != changes(events)[2].ID {
		t.Error("without Events the rollback has another id")
	}
}

func TestRestartAndScaleAreTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	c.tick()
	c.tick()
	at := time.Now().Format(time.RFC3339)
	c.patch("web", "kubectl-rollout", `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"`+at+`"}}}}}`)
	c.awaitRollout("web")
	c.tick()
	c.tick()
	if _, err := c.client.AppsV1().Deployments(c.ns).Patch(t.Context(), "web", types.MergePatchType, []byte(`{"spec":{"replicas":4}}`),
		metav1.PatchOptions{FieldManager: "kubectl"}, "scale"); err != nil {
		t.Fatal(err)
	}
	c.await("four replicas", func(ctx context.Context) (bool, error) {
		list, err := c.client.CoreV1().Events(c.ns).List(ctx, metav1.ListOptions{FieldSelector: "reason=ScalingReplicaSet"})
		return err == nil && slices.ContainsFunc(list.Items, func(e corev1.Event) bool { return strings.HasSuffix(e.Message, "to 4") }), err
	})
	c.awaitRollout("web")
	events, _ := c.collect(c.config(), request(), env())
	told := changes(events)
	c.expectLines(told,
		"testbed/NS/web-service create | - -> 1 shop/web:1.0.0 | superseded | creation_timestamp | by -",
		"testbed/NS/web-service restart | 1 shop/web:1.0.0 -> 2 shop/web:1.0.0 | complete | annotation | by kubectl-rollout",
		"testbed/NS/web-service scale | - -> 2 shop/web:1.0.0 | unknown | event | by kubectl",
	)
	if n := len(told); n == 3 {
		if r := told[2].Deployment.Replicas; r == nil || r.From == nil || *r.From != 2 || r.To != 4 {
			t.Errorf("replicas %+v, want 2 to 4", r)
		}
		if told[1].Deployment.Finished == nil {
			t.Error("the restart is complete and has no end")
		}
	}
}

func TestStatefulSetAndDaemonSetRollbacks(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	template := podTemplate("shop/db:1")
	selector := &metav1.LabelSelector{MatchLabels: template.Labels}
	apps := c.client.AppsV1()
	if _, err := apps.StatefulSets(c.ns).Create(t.Context(), &appsv1.StatefulSet{
		ObjectMeta: c.meta("db"),
		Spec:       appsv1.StatefulSetSpec{Replicas: new(int32(2)), Selector: selector, Template: template},
	}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		t.Fatal(err)
	}
	if _, err := apps.DaemonSets(c.ns).Create(t.Context(), &appsv1.DaemonSet{
		ObjectMeta: c.meta("agent"),
		Spec:       appsv1.DaemonSetSpec{Selector: selector, Template: template},
	}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
		t.Fatal(err)
	}
	settled := func(image string) {
		t.Helper()
		c.await("both on "+image, func(ctx context.Context) (bool, error) {
			sts, err := apps.StatefulSets(c.ns).Get(ctx, "db", metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			ds, err := apps.DaemonSets(c.ns).Get(ctx, "agent", metav1.GetOptions{})
			return err == nil && sts.Status.ObservedGeneration == sts.Generation && sts.Status.CurrentRevision == sts.Status.UpdateRevision &&
				sts.Status.ReadyReplicas == 2 && ds.Status.ObservedGeneration == ds.Generation && ds.Status.DesiredNumberScheduled > 0 &&
				ds.Status.UpdatedNumberScheduled == ds.Status.DesiredNumberScheduled && ds.Status.NumberAvailable == ds.Status.DesiredNumberScheduled, err
		})
	}
	set := func(image string) {
		t.Helper()
		c.tick()
		c.tick()
		opts := metav1.PatchOptions{FieldManager: "kubectl-set"}
		if _, err := apps.StatefulSets(c.ns).Patch(t.Context(), "db", types.StrategicMergePatchType, []byte(imagePatch(image)), opts); err != nil {
			t.Fatal(err)
		}
		if _, err := apps.DaemonSets(c.ns).Patch(t.Context(), "agent", types.StrategicMergePatchType, []byte(imagePatch(image)), opts); err != nil {
			t.Fatal(err)
		}
		settled(image)
	}
	settled("shop/db:1")
	set("shop/db:2")
	set("shop/db:1")
	events, _ := c.collect(c.config(), request(), env())
	c.expectLines(changes(events),
		"testbed/NS/agent-service create | - -> - | superseded | creation_timestamp | by -",
		"testbed/NS/agent-service rollout | - -> 2 shop/db:2 | superseded | creation_timestamp | by -",
		"testbed/NS/agent-service rollback | 2 shop/db:2 -> 3 shop/db:1 | complete | pod_creation | by kubectl-set",
		"testbed/NS/db-service create | - -> - | superseded | creation_timestamp | by -",
		"testbed/NS/db-service rollout | - -> 2 shop/db:2 | superseded | creation_timestamp | by -",
		"testbed/NS/db-service rollback | 2 shop/db:2 -> 3 shop/db:1 | complete | pod_creation | by kubectl-set",
	)
}

func TestADeletedWorkloadIsToldByTheNextLook(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	c.deploy("cart", "shop/cart:1.0.0")
	first, result := c.collect(c.config(), request(), env())
	if n := len(changes(first)); n != 2 {
		t.Fatalf("%d changes, want two", n)
	}
	if !slices.ContainsFunc(result.Notes, func(n string) bool { return strings.Contains(n, "first look") }) {
		t.Errorf("the first look does not say what it cannot know: %q", result.Notes)
	}
	c.tick()
	if err := c.client.AppsV1().Deployments(c.ns).Delete(t.Context(), "cart", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	next := request()
	next.Window = window.Window{Start: time.Now().Add(-time.Minute).UTC(), End: time.Now().Add(2 * time.Second).UTC()}
	next.State, next.Incremental = result.State, true
	events, second := c.collect(c.config(), next, env())
	var gone []evidence.Event
	for _, e := range events {
		if e.Deployment != nil && e.Deployment.Change == evidence.ChangeDelete {
			gone = append(gone, e)
		}
	}
	c.expectLines(gone, "testbed/NS/cart-service delete | - -> - | complete | snapshot | by -")
	if len(gone) == 1 && (gone[0].Deployment.NotBefore == nil || gone[0].Deployment.NotAfter == nil || gone[0].Time.After(time.Now().Add(2*time.Second))) {
		t.Errorf("between which looks: %+v", gone[0].Deployment)
	}
	next.State = second.State
	third, _ := c.collect(c.config(), next, env())
	for _, e := range changes(third) {
		if e.Deployment.Change == evidence.ChangeDelete {
			t.Error("the deletion is told again")
		}
	}
}

// readRules are the grants of what is read by default and not only where the
// credential may.
func readRules(without ...string) []rbacv1.PolicyRule {
	keep := func(resources ...string) []string {
		return slices.DeleteFunc(resources, func(r string) bool { return slices.Contains(without, r) })
	}
	return []rbacv1.PolicyRule{
		{APIGroups: []string{"apps"}, Resources: keep("deployments", "replicasets", "statefulsets", "daemonsets", "controllerrevisions"), Verbs: []string{"list"}},
		{APIGroups: []string{""}, Resources: keep("configmaps", "events", "pods", "services", "resourcequotas", "limitranges"), Verbs: []string{"list"}},
		{APIGroups: []string{"batch"}, Resources: keep("cronjobs", "jobs"), Verbs: []string{"list"}},
		{APIGroups: []string{"autoscaling"}, Resources: keep("horizontalpodautoscalers"), Verbs: []string{"list"}},
		{APIGroups: []string{"networking.k8s.io"}, Resources: keep("ingresses", "networkpolicies"), Verbs: []string{"list"}},
		{APIGroups: []string{"policy"}, Resources: keep("poddisruptionbudgets"), Verbs: []string{"list"}},
	}
}

func TestAMissingGrantIsCoverage(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	config := c.config()
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "nopods", readRules("pods"))
	config.Namespaces, config.ClusterID = nil, ""
	since := c.srv.AuditOffset(t)
	events, result := c.collect(config, request(), env())
	if len(changes(events)) != 1 {
		t.Errorf("%d changes, want the creation", len(changes(events)))
	}
	for _, cov := range result.Coverage {
		if cov.Stream != record.StreamPods {
			if cov.Status != connector.Complete && cov.Status != connector.Skipped {
				t.Errorf("coverage: %+v", cov)
			}
			continue
		}
		if cov.Status != connector.Failed || cov.Class != connector.ClassForbidden || len(cov.Missing) != 1 {
			t.Fatalf("coverage: %+v", cov)
		}
		want := connector.Grant{Verb: "list", Resource: "pods", Namespace: c.ns, Rule: `- {apiGroups: [""], resources: ["pods"], verbs: ["list"]}  # in a Role in the namespace ` + c.ns}
		if cov.Missing[0] != want {
			t.Errorf("grant %+v", cov.Missing[0])
		}
	}
	if !slices.ContainsFunc(result.Notes, func(n string) bool { return strings.Contains(n, "set cluster_id") }) {
		t.Errorf("a guessed cluster id is not noted: %q", result.Notes)
	}
	if len(events) > 0 && !strings.HasPrefix(events[0].ServiceKey, "server-") {
		t.Errorf("service key %s", events[0].ServiceKey)
	}
	c.onlyReads(since, "nopods")
}

// onlyReads asks the API server's own log.
func (c *cluster) onlyReads(since int64, account string) {
	c.Helper()
	lines := c.srv.Audit(c.T, testbed.ServiceAccountUser(c.ns, account), since)
	if len(lines) == 0 {
		c.Error("the audit log has no request of ours")
	}
	for _, l := range lines {
		review := l.Verb == "create" && strings.HasPrefix(l.URI, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
		if l.Verb != "get" && l.Verb != "list" && !review {
			c.Errorf("not a read: %s", l)
		}
		if l.Decision == "forbid" && !strings.HasPrefix(l.URI, "/api/v1/namespaces/kube-system") {
			c.Errorf("asked for what the review had denied: %s", l)
		}
		if !strings.HasPrefix(l.UserAgent, "rcactl/") {
			c.Errorf("user agent %q", l.UserAgent)
		}
		if strings.Contains(l.URI, "secrets") {
			c.Errorf("asked for Secrets: %s", l)
		}
	}
}

// noReviews answers access reviews as a server does that has none.
type noReviews struct{ base http.RoundTripper }

func (n *noReviews) WrapTransport(base http.RoundTripper) http.RoundTripper { n.base = base; return n }

func (n *noReviews) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "selfsubjectaccessreviews") {
		return &http.Response{StatusCode: http.StatusNotFound, Request: req, Body: readCloser("404"), Header: http.Header{}}, nil
	}
	return n.base.RoundTrip(req)
}

func TestWithoutAccessReviewsTheListsTell(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	config := c.config()
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "nopods", readRules("pods"))
	e := env()
	e.Transport = &noReviews{}
	_, result := c.collect(config, request(), e)
	for _, cov := range result.Coverage {
		if cov.Status == connector.Skipped {
			continue
		}
		if pods := cov.Stream == record.StreamPods; pods != (cov.Status == connector.Failed) || pods != (len(cov.Missing) == 1) {
			t.Errorf("coverage: %+v", cov)
		}
	}
}

func TestARoleInOneNamespaceIsEnough(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	other := c.srv.Namespace(t)
	config := c.config()
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "here", readRules())
	config.Namespaces = []string{c.ns, other}
	events, result := c.collect(config, request(), env())
	if len(changes(events)) != 1 {
		t.Errorf("%d changes, want the creation", len(changes(events)))
	}
	for _, cov := range result.Coverage {
		if cov.Status == connector.Skipped {
			continue
		}
		if cov.Status != connector.Partial || len(cov.Missing) == 0 {
			t.Errorf("coverage: %+v", cov)
		}
		for _, g := range cov.Missing {
			if g.Namespace != other {
				t.Errorf("a grant that is there is named as missing: %+v", g)
			}
		}
	}
	config.Namespaces = []string{"*"}
	if _, err := c.connect(config, env()).Collect(t.Context(), request(), func(record.Record) error { return nil }); connector.ClassOf(err) != connector.ClassForbidden {
		t.Errorf("all namespaces with a Role: %v", err)
	}
}

func TestWithoutReplicaSetsTheWorkloadsArePartial(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	config := c.config()
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "nosets", readRules("replicasets"))
	events, result := c.collect(config, request(), env())
	cov := result.Coverage[0]
	if cov.Stream != record.StreamWorkloads || cov.Status != connector.Partial || !strings.Contains(cov.Reason, "rollbacks") {
		t.Errorf("coverage: %+v", cov)
	}
	c.expectLines(changes(events), "testbed/NS/web-service create | - -> - | unknown | creation_timestamp | by helm")
}

func TestNobodyMayListAnything(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	config := c.config()
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "nothing", nil)
	result, err := c.connect(config, env()).Collect(t.Context(), request(), func(record.Record) error { return nil })
	if connector.ClassOf(err) != connector.ClassForbidden {
		t.Errorf("error %v, want forbidden", err)
	}
	missing := 0
	for _, cov := range result.Coverage {
		if cov.Status == connector.Skipped {
			continue
		}
		missing += len(cov.Missing)
		if cov.Status != connector.Failed {
			t.Errorf("coverage: %+v", cov)
		}
	}
	needed := 0
	for _, r := range readRules() {
		needed += len(r.Resources)
	}
	if missing != needed {
		t.Errorf("%d grants are named, want %d", missing, needed)
	}
}

// expire answers 410 to the continue requests of a path, as often as told.
type expire struct {
	path  string
	mu    sync.Mutex
	times int
	pages int
	base  http.RoundTripper
}

func (e *expire) WrapTransport(base http.RoundTripper) http.RoundTripper { e.base = base; return e }

func (e *expire) RoundTrip(req *http.Request) (*http.Response, error) {
	e.mu.Lock()
	match := strings.HasSuffix(req.URL.Path, e.path)
	if match {
		e.pages++
	}
	expired := match && req.URL.Query().Get("continue") != "" && e.times > 0 && e.pages > 2
	if expired {
		e.times--
	}
	e.mu.Unlock()
	if expired {
		body := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"` + planted + `","metadata":{"continue":"x"}}`
		return &http.Response{StatusCode: http.StatusGone, Request: req, Body: readCloser(body), Header: http.Header{"Content-Type": {"application/json"}}}, nil
	}
	return e.base.RoundTrip(req)
}

// RoundTripper fields are set by WrapTransport before the first request.
var _ http.RoundTripper = (*expire)(nil)

func TestAListWhosePagesExpire(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for i := range 7 {
		if _, err := c.client.CoreV1().ConfigMaps(c.ns).Create(t.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("settings-%d", i)}, Data: map[string]string{"key": planted},
		}, metav1.CreateOptions{FieldManager: "helm"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		times  int
		status connector.Status
		count  int
	}{
		{0, connector.Complete, 7}, {1, connector.Complete, 7}, {2, connector.Partial, 4},
	} {
		t.Run(fmt.Sprintf("%d times", test.times), func(t *testing.T) {
			cc := *c
			cc.T = t
			config := c.config()
			config.Streams, config.PageSize = []string{record.StreamConfigMaps}, 2
			fault := &expire{path: "/configmaps", times: test.times}
			e := env()
			e.Transport = fault
			events, result := cc.collect(config, request(), e)
			if len(events) != test.count {
				t.Errorf("%d events, want %d", len(events), test.count)
			}
			cov := result.Coverage[0]
			if cov.Status != test.status || (test.times > 0) != strings.Contains(cov.Reason, "started again") {
				t.Errorf("coverage %+v", cov)
			}
			if strings.Contains(fmt.Sprintf("%+v", result), planted) {
				t.Error("text of the server came out")
			}
			for _, a := range result.Actions {
				if a.Stream == record.StreamConfigMaps && a.Requests != fault.pages {
					t.Errorf("%d requests are written down, %d were made", a.Requests, fault.pages)
				}
			}
		})
	}
}

func TestMaxObjectsCutsAndSaysSo(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	config := c.config()
	config.MaxObjects = 1
	_, result := c.collect(config, request(), env())
	truncated := 0
	for _, cov := range result.Coverage {
		if cov.Truncated {
			truncated++
			if cov.Status != connector.Partial || cov.Class != connector.ClassBound {
				t.Errorf("coverage %+v", cov)
			}
		}
	}
	if truncated == 0 {
		t.Error("two pods, one allowed, and nothing is truncated")
	}
}

func TestSignalsOfPodsAndEvents(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	for name, image := range map[string]string{"crash": "shop/crash:1", "oom": "shop/oom:1"} {
		template := podTemplate(image)
		if _, err := c.client.CoreV1().Pods(c.ns).Create(t.Context(), &corev1.Pod{ObjectMeta: c.meta(name), Spec: template.Spec}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	// The newer recorder's style, by somebody who may create Events.
	web, err := c.client.CoreV1().Pods(c.ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
	if err != nil {
		t.Fatal(err)
	}
	for i, message := range []string{"Readiness probe failed: HTTP probe failed: " + planted, planted} {
		reason := []string{"Unhealthy", "Strange " + planted}[i]
		if _, err := c.client.CoreV1().Events(c.ns).Create(t.Context(), &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Name: fmt.Sprintf("planted-%d", i)},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: c.ns, Name: web.Items[0].Name, UID: web.Items[0].UID, FieldPath: "spec.containers{app}"},
			Type:           "Warning", Reason: reason, Message: message, Action: "Probing",
			EventTime: metav1.NowMicro(), ReportingController: "kubelet", ReportingInstance: "node-1",
			Series: &corev1.EventSeries{Count: 3, LastObservedTime: metav1.NowMicro()},
		}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	c.await("three restarts", func(ctx context.Context) (bool, error) {
		for _, name := range []string{"crash", "oom"} {
			p, err := c.client.CoreV1().Pods(c.ns).Get(ctx, name, metav1.GetOptions{})
			if err != nil || len(p.Status.ContainerStatuses) == 0 || p.Status.ContainerStatuses[0].RestartCount < 3 {
				return false, err
			}
		}
		return true, nil
	})
	events, result := c.collect(c.config(), request(), env())
	var got []string
	for _, e := range events {
		s := e.Signal
		if s == nil {
			continue
		}
		exit := "-"
		if s.ExitCode != nil {
			exit = fmt.Sprint(*s.ExitCode)
		}
		name := e.Source.Object.Name
		if strings.HasPrefix(name, "web-") {
			name = "web"
		}
		got = append(got, fmt.Sprintf("%s %s %s/%s %s %s x%d exit %s %s", e.Source.Stream, name, s.Class, s.Detail, s.Container, s.Reason, s.Count, exit, e.Severity))
	}
	slices.Sort(got)
	got = slices.Compact(got)
	want := []string{
		"events web probe_failed/readiness app Unhealthy x3 exit - warning",
		"events web unclassified/ app Unknown x3 exit - warning",
		"pods crash container_exit/ app Error x1 exit 1 warning",
		"pods crash crash_loop/ app CrashLoopBackOff x3 exit 1 error",
		"pods oom oom_killed/ app OOMKilled x1 exit 137 error",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	for _, e := range events {
		if e.Signal != nil && !strings.HasPrefix(e.ServiceKey, "testbed/"+c.ns+"/") {
			t.Errorf("%s %s has the service key %q", e.Source.Object.Kind, e.Source.Object.Name, e.ServiceKey)
		}
	}
	if raw := fmt.Sprintf("%+v", result); strings.Contains(raw, planted) {
		t.Error("a planted text is in the result")
	}
	if raw, err := json.Marshal(events); err != nil || strings.Contains(string(raw), planted) {
		t.Errorf("a planted text is in the evidence (%v)", err)
	}
}

func TestARefusedCredentialIsTheWholeSource(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	config := c.config()
	config.Kubeconfig = writeKubeconfig(t, c.srv.AdminConfig(), "not-a-token")
	conn := c.connect(config, env())
	_, err := conn.Collect(t.Context(), request(), func(record.Record) error { return nil })
	if connector.ClassOf(err) != connector.ClassAuth {
		t.Errorf("error %v of class %s, want authentication", err, connector.ClassOf(err))
	}
	if h := conn.HealthCheck(t.Context()); !h.Reachable || h.Authenticated || connector.ClassOf(h.Err) != connector.ClassAuth {
		t.Errorf("health %+v", h)
	}
}

func TestHealthNamesMissingAndExcessGrants(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	config := c.config()
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "odd", append(readRules("events"),
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"list"}}))
	config.Streams = []string{record.StreamWorkloads, record.StreamPods, record.StreamEvents} // without Secrets nobody needs that grant
	h := c.connect(config, env()).HealthCheck(t.Context())
	if h.Err != nil || !h.Authenticated || !strings.HasPrefix(h.Version, "v1.") || !h.Skew.Measured {
		t.Errorf("health %+v", h)
	}
	if len(h.Missing) != 1 || h.Missing[0].Resource != "events" || len(h.Excess) != 1 || h.Excess[0].Resource != "secrets" {
		t.Errorf("missing %+v, excess %+v", h.Missing, h.Excess)
	}
}

func TestIdentityIsTheClusterAndItsClock(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	config := c.config()
	config.ClusterID = ""
	id, err := c.connect(config, env()).(connector.Identifier).Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kubeSystem, err := c.client.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if id.Target != string(kubeSystem.UID) || len(id.Aliases) != 1 || !strings.HasPrefix(id.Aliases[0], "server-") || !strings.HasPrefix(id.Version, "v1.") || !id.Skew.Measured || id.Skew.Offset.Abs() > 2*time.Second {
		t.Errorf("identity %+v", id)
	}
	// The label of service keys changes nothing about what the cluster is; two
	// clusters with one label are two.
	config.ClusterID = "prod"
	labelled, err := c.connect(config, env()).(connector.Identifier).Identity(t.Context())
	if err != nil || labelled.Target != id.Target {
		t.Errorf("with a label: %+v, %v", labelled, err)
	}
	// A credential that may not read kube-system knows it by the other name.
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "poor", readRules())
	poor, err := c.connect(config, env()).(connector.Identifier).Identity(t.Context())
	if err != nil || poor.Target != id.Aliases[0] || len(poor.Aliases) != 0 {
		t.Errorf("without the grant: %+v, %v", poor, err)
	}
}

func TestAnotherLabelOfServiceKeysIsNoted(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	config := c.config()
	config.ClusterID = ""
	_, first := c.collect(config, request(), env())
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "poor", readRules())
	next := request()
	next.State, next.Incremental = first.State, true
	_, second := c.collect(config, next, env())
	if !noted(second, "Service keys began with") || noted(first, "Service keys began with") {
		t.Errorf("notes: %q, then %q", first.Notes, second.Notes)
	}
}

func noted(r connector.Result, text string) bool {
	return slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, text) })
}

func TestAnEmptyNamespaceIsNoted(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, test := range []struct{ ns, want string }{
		{"no-such-" + c.ns[:10], "holds no objects that are read: is the name right?"}, {c.ns, ""},
	} {
		config := c.config()
		config.Namespaces = []string{test.ns}
		if test.want == "" {
			c.deploy("web", "shop/web:1.0.0")
		}
		_, result := c.collect(config, request(), env())
		if noted(result, "namespace "+test.ns+" holds") != (test.want != "") || !noted(result, test.want) || result.Scope != "namespace "+test.ns {
			t.Errorf("%s: %q", test.ns, result.Notes)
		}
	}
}

func TestAScalingWithoutAnEventIsToldByTwoLooks(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	config := c.config()
	config.Streams = []string{record.StreamWorkloads} // as if the Events were gone
	first, result := c.collect(config, request(), env())
	if len(changes(first)) != 1 || !noted(result, "scalings whose Event is gone") {
		t.Errorf("the first look: %d changes, %q", len(changes(first)), result.Notes)
	}
	if _, err := c.client.AppsV1().Deployments(c.ns).Patch(t.Context(), "web", types.MergePatchType, []byte(`{"spec":{"replicas":4}}`),
		metav1.PatchOptions{FieldManager: "kubectl"}, "scale"); err != nil {
		t.Fatal(err)
	}
	c.awaitRollout("web")
	next := request()
	next.Window.End = next.Window.End.Add(2 * time.Second)
	next.State, next.Incremental = result.State, true
	events, _ := c.collect(config, next, env())
	told := changes(events)[1:]
	c.expectLines(told, "testbed/NS/web-service scale | - -> - | unknown | snapshot | by kubectl")
	if len(told) == 1 {
		d := told[0].Deployment
		if *d.Replicas.From != 2 || d.Replicas.To != 4 || d.Started != nil || d.NotBefore == nil || d.NotAfter == nil {
			t.Errorf("%+v", d)
		}
	}
}

func TestAServiceThatMatchesNothingIsNoted(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	req := request()
	req.Scope.Services = []string{c.ns + "/web-service", c.ns + "/typo", "elsewhere/web"}
	_, result := c.collect(c.config(), req, env())
	var got []string
	for _, n := range result.Notes {
		if strings.Contains(n, "The service") || strings.Contains(n, "the service") {
			got = append(got, strings.ReplaceAll(n, c.ns, "NS"))
		}
	}
	want := []string{
		`The service "elsewhere/web" is in a namespace that is not read (read: namespace NS): add the namespace, or correct the name.`,
		`Nothing that was read belongs to the service "NS/typo": is the name right?`,
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("notes %q", got)
	}
}

func TestScopeNarrowsToServices(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	c.deploy("cart", "shop/cart:1.0.0")
	req := request()
	req.Scope.Services = []string{c.ns + "/cart-service"}
	config := c.config()
	config.Namespaces = []string{"*"}
	events, _ := c.collect(config, req, env())
	c.expectLines(changes(events), "testbed/NS/cart-service create | - -> 1 shop/cart:1.0.0 | complete | creation_timestamp | by helm")
}

func TestConformance(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	if _, err := c.client.CoreV1().ConfigMaps(c.ns).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: c.meta("settings"), Data: map[string]string{"key": planted},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	config := c.config()
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "collector", readRules())
	connectortest.Suite{
		New:     func(*testing.T) connector.Connector { return c.connect(config, env()) },
		Request: request(),
		Planted: []string{planted},
	}.Run(t)
	c.onlyReads(0, "collector")
}
