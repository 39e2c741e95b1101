package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"github.com/rcactl/rcactl/pkg/testbed"
)

// cluster is a namespace on the real API server, and what people do in it.
type cluster struct {
	server *testbed.Server
	client kubernetes.Interface
	ns     string
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	server := testbed.Start(t)
	client, err := kubernetes.NewForConfig(server.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{server: server, client: client, ns: server.Namespace(t)}
}

// reader returns a kubeconfig of a ServiceAccount that may read what rcactl asks
// for by default in the namespace, without the resources named. What belongs to
// the whole cluster is left out: other tests change it meanwhile.
func (c *cluster) reader(t testing.TB, without ...string) string {
	t.Helper()
	return c.readerOf(t, nil, without...)
}

// readerOf may list those kinds of the whole cluster as well.
func (c *cluster) readerOf(t testing.TB, cluster map[string][]string, without ...string) string {
	t.Helper()
	denied := map[string]bool{}
	for _, r := range without {
		denied[r] = true
	}
	rules := func(kinds map[string][]string) []rbacv1.PolicyRule {
		var all []rbacv1.PolicyRule
		for _, group := range slices.Sorted(maps.Keys(kinds)) {
			may := slices.DeleteFunc(kinds[group], func(r string) bool { return denied[r] })
			all = append(all, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: may, Verbs: []string{"get", "list"}})
		}
		return all
	}
	return c.server.ServiceAccountKubeconfig(t, c.ns, "rcactl", rules(map[string][]string{
		"":                  {"pods", "events", "configmaps", "secrets", "services", "resourcequotas", "limitranges"},
		"apps":              {"deployments", "replicasets", "statefulsets", "daemonsets", "controllerrevisions"},
		"batch":             {"jobs", "cronjobs"},
		"autoscaling":       {"horizontalpodautoscalers"},
		"networking.k8s.io": {"ingresses", "networkpolicies"},
		"policy":            {"poddisruptionbudgets"},
	}), append(rules(cluster), rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, ResourceNames: []string{"kube-system"}, Verbs: []string{"get"}})...)
}

// deploy makes a Deployment and waits until it has rolled out.
func (c *cluster) deploy(t *testing.T, name, image string, change ...func(*appsv1.Deployment)) {
	t.Helper()
	replicas, deadline := int32(2), int32(600)
	labels := map[string]string{"app.kubernetes.io/name": name}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, ProgressDeadlineSeconds: &deadline,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}},
			},
		},
	}
	for _, f := range change {
		f(d)
	}
	if _, err := c.client.AppsV1().Deployments(c.ns).Create(t.Context(), d, metav1.CreateOptions{FieldManager: "kubectl-create"}); err != nil {
		t.Fatal(err)
	}
	c.server.AwaitRollout(t, c.ns, name)
}

// update changes a Deployment as kubectl edit would.
func (c *cluster) update(t *testing.T, name string, change func(*appsv1.Deployment)) {
	t.Helper()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		d, err := c.client.AppsV1().Deployments(c.ns).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(d)
		_, err = c.client.AppsV1().Deployments(c.ns).Update(t.Context(), d, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) setImage(t *testing.T, name, image string) {
	t.Helper()
	c.update(t, name, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = image })
}

// undo does what kubectl rollout undo does: it puts back the template of the
// ReplicaSet that has the revision.
func (c *cluster) undo(t *testing.T, name string, revision int) {
	t.Helper()
	sets, err := c.client.AppsV1().ReplicaSets(c.ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	for _, rs := range sets.Items {
		if rs.Annotations["deployment.kubernetes.io/revision"] == strconv.Itoa(revision) {
			c.update(t, name, func(d *appsv1.Deployment) {
				template := *rs.Spec.Template.DeepCopy()
				delete(template.Labels, "pod-template-hash")
				d.Spec.Template = template
			})
			return
		}
	}
	t.Fatalf("%s has no revision %d", name, revision)
}

// awaitPodWaiting waits until a pod of the namespace waits for a reason.
func (c *cluster) awaitPodWaiting(t *testing.T, reason string) {
	t.Helper()
	testbed.Eventually(t, "a pod in "+reason, func(ctx context.Context) (bool, error) {
		pods, err := c.client.CoreV1().Pods(c.ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		for _, p := range pods.Items {
			for _, s := range p.Status.ContainerStatuses {
				if s.State.Waiting != nil && s.State.Waiting.Reason == reason {
					return true, nil
				}
			}
		}
		return false, nil
	})
}

// settle waits past the next full second: the API's times have no finer grain,
// so changes that follow in one second have no order.
func settle() { time.Sleep(1100 * time.Millisecond) }
