package testbed_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/rcactl/rcactl/pkg/internal/tools"
	"github.com/rcactl/rcactl/pkg/testbed"
)

const revisionAnnotation = "deployment.kubernetes.io/revision"

func TestRolloutsGiveRevisionsAndUndoReusesTheReplicaSet(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("shop/web:1.0.0")
	c.rollout("shop/web:1.1.0")
	c.rollout("shop/web:1.2.0")
	before := c.replicaSets()
	if got, want := revisions(before), []string{"1 shop/web:1.0.0", "2 shop/web:1.1.0", "3 shop/web:1.2.0"}; !slices.Equal(got, want) {
		t.Fatalf("revisions %q, want %q", got, want)
	}

	// What an undo does: the old template again.
	c.rollout("shop/web:1.0.0")
	after := c.replicaSets()
	if got, want := revisions(after), []string{"2 shop/web:1.1.0", "3 shop/web:1.2.0", "4 shop/web:1.0.0"}; !slices.Equal(got, want) {
		t.Fatalf("revisions after the undo %q, want %q", got, want)
	}
	if a, b := nameOf(before, "shop/web:1.0.0"), nameOf(after, "shop/web:1.0.0"); a != b {
		t.Errorf("the undo made ReplicaSet %s instead of using %s again", b, a)
	}
}

func TestImagesFailInTheWellKnownWays(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.pod("good", podSpec("shop/room:1")) // not "oom": whole words only
	c.pod("pull", podSpec("shop/broken:1"))
	c.pod("crash", podSpec("shop/crash:1"))
	c.pod("oom", podSpec("shop/oom:1"))

	good := c.awaitContainer("good", func(s corev1.ContainerStatus) bool { return s.Ready })
	if !regexp.MustCompile(`^shop/room@sha256:[0-9a-f]{64}$`).MatchString(good.ImageID) {
		t.Errorf("imageID %q is no digest reference", good.ImageID)
	}
	c.awaitContainer("pull", func(s corev1.ContainerStatus) bool {
		return s.State.Waiting != nil && s.State.Waiting.Reason == "ImagePullBackOff" && s.ImageID == ""
	})
	c.awaitContainer("crash", func(s corev1.ContainerStatus) bool {
		last := s.LastTerminationState.Terminated
		return s.RestartCount == 3 && s.State.Waiting != nil && s.State.Waiting.Reason == "CrashLoopBackOff" &&
			last != nil && last.ExitCode == 1 && last.Reason == "Error"
	})
	c.awaitContainer("oom", func(s corev1.ContainerStatus) bool {
		last := s.LastTerminationState.Terminated
		return s.RestartCount == 3 && s.Ready && last != nil && last.ExitCode == 137 && last.Reason == "OOMKilled"
	})
	c.awaitEvents(
		`pull Failed Failed to pull image "shop/broken:1": `,
		`pull BackOff Back-off pulling image "shop/broken:1"`,
		`pull Failed Error: ImagePullBackOff`,
		`crash BackOff Back-off restarting failed container app in pod crash_`+c.ns,
	)
}

func TestBrokenImageHangsTheRollout(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("shop/web:1.0.0")
	c.setImage("shop/web:2.0.0-broken")
	c.awaitEvents(`web-`, `Failed to pull image "shop/web:2.0.0-broken"`)
	d, err := c.client.AppsV1().Deployments(c.ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Status.AvailableReplicas != 2 || d.Status.UnavailableReplicas == 0 {
		t.Errorf("status %+v: the old pods should still serve while the new one hangs", d.Status)
	}
}

func TestServiceAccountIsForbiddenWhatItsRulesDoNotSay(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	path := c.srv.ServiceAccountKubeconfig(t, c.ns, "nopods",
		[]rbacv1.PolicyRule{{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get", "list"}}},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"list"}})

	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{ExplicitPath: path}, nil)
	if ns, _, err := loader.Namespace(); err != nil || ns != c.ns {
		t.Errorf("the context's namespace is %q (%v), want %q", ns, err, c.ns)
	}
	cfg, err := loader.ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	since := c.srv.AuditOffset(t)
	if _, err := client.AppsV1().Deployments(c.ns).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("list Deployments: %v", err)
	}
	if _, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("list Nodes by the cluster rule: %v", err)
	}
	if _, err := client.CoreV1().Pods(c.ns).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("list Pods: %v, want Forbidden", err)
	}

	var got []string
	for _, line := range c.srv.Audit(t, testbed.ServiceAccountUser(c.ns, "nopods"), since) {
		got = append(got, line.String())
	}
	want := []string{
		"list /apis/apps/v1/namespaces/" + c.ns + "/deployments 200 allow",
		"list /api/v1/nodes 200 allow",
		"list /api/v1/namespaces/" + c.ns + "/pods 403 forbid",
	}
	if !slices.Equal(got, want) {
		t.Errorf("audit log:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestServerStopsWhenNobodyHoldsIt(t *testing.T) {
	t.Parallel()
	testbed.Start(t) // skips or fails when there is no binary
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root, err := tools.Root(wd)
	if err != nil {
		t.Fatal(err)
	}
	tool, err := tools.Testbed(root)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := tool.Find()
	if err != nil {
		t.Skipf("the server of %s was not built from this tree", testbed.EnvDir)
	}
	p, err := testbed.Launch(binary, filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state directory is still there (%v)", err)
	}
}

// cluster is the server as one test sees it: a namespace and a Deployment "web".
type cluster struct {
	*testing.T
	srv    *testbed.Server
	client kubernetes.Interface
	ns     string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	srv := testbed.Start(t)
	return &cluster{T: t, srv: srv, client: srv.AdminClient(), ns: srv.Namespace(t)}
}

func podSpec(image string) corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}}
}

func (c *cluster) deploy(image string) {
	c.Helper()
	c.create(image)
	c.awaitRollout()
}

func (c *cluster) create(image string) {
	c.Helper()
	labels := map[string]string{"app": "web"}
	replicas := int32(2)
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas,
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec(image)},
	}}
	if _, err := c.client.AppsV1().Deployments(c.ns).Create(c.Context(), d, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) setImage(image string) {
	c.Helper()
	c.patchWeb(fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"app","image":%q}]}}}}`, image))
}

func (c *cluster) patchWeb(patch string) {
	c.Helper()
	if _, err := c.client.AppsV1().Deployments(c.ns).Patch(c.Context(), "web", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) rollout(image string) {
	c.Helper()
	c.setImage(image)
	c.awaitRollout()
}

func (c *cluster) awaitRollout() {
	c.Helper()
	c.await("the rollout", func() (bool, string) {
		d, err := c.client.AppsV1().Deployments(c.ns).Get(c.Context(), "web", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		s := d.Status
		return s.ObservedGeneration == d.Generation && s.UpdatedReplicas == 2 && s.AvailableReplicas == 2 && s.Replicas == 2, fmt.Sprintf("%+v", s)
	})
}

func (c *cluster) replicaSets() []appsv1.ReplicaSet {
	c.Helper()
	list, err := c.client.AppsV1().ReplicaSets(c.ns).List(c.Context(), metav1.ListOptions{})
	if err != nil {
		c.Fatal(err)
	}
	return list.Items
}

func (c *cluster) awaitContainer(pod string, ok func(corev1.ContainerStatus) bool) corev1.ContainerStatus {
	c.Helper()
	var found corev1.ContainerStatus
	c.await("pod "+pod, func() (bool, string) {
		p, err := c.client.CoreV1().Pods(c.ns).Get(c.Context(), pod, metav1.GetOptions{})
		if err != nil || len(p.Status.ContainerStatuses) != 1 {
			return false, fmt.Sprint("no status yet; error: ", err)
		}
		found = p.Status.ContainerStatuses[0]
		return ok(found), fmt.Sprintf("%+v", found)
	})
	return found
}

// awaitEvents waits until each text is part of some "object reason message".
func (c *cluster) awaitEvents(texts ...string) {
	c.Helper()
	c.await("events", func() (bool, string) {
		list, err := c.client.CoreV1().Events(c.ns).List(c.Context(), metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		var all strings.Builder
		for _, e := range list.Items {
			fmt.Fprintf(&all, "%s %s %s\n", e.InvolvedObject.Name, e.Reason, e.Message)
		}
		for _, text := range texts {
			if !strings.Contains(all.String(), text) {
				return false, fmt.Sprintf("%q is missing in\n%s", text, all.String())
			}
		}
		return true, ""
	})
}

func (c *cluster) await(what string, done func() (ok bool, state string)) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	defer cancel()
	for {
		ok, state := done()
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			c.Fatalf("waited a minute for %s: %s", what, state)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func revisions(sets []appsv1.ReplicaSet) []string {
	var out []string
	for _, rs := range sets {
		out = append(out, rs.Annotations[revisionAnnotation]+" "+rs.Spec.Template.Spec.Containers[0].Image)
	}
	slices.Sort(out)
	return out
}

func nameOf(sets []appsv1.ReplicaSet, image string) string {
	for _, rs := range sets {
		if rs.Spec.Template.Spec.Containers[0].Image == image {
			return rs.Name
		}
	}
	return ""
}
