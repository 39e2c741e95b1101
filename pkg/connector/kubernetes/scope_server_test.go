package kubernetes_test

import (
	"context"
	"fmt"
	keysof "maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/kubernetes"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/window"
)

// label sets labels of a Deployment and, with pods, those of its template.
func (c *cluster) label(name string, own, pods map[string]string) {
	c.Helper()
	text := func(labels map[string]string) string {
		var all []string
		for _, key := range slices.Sorted(keysof.Keys(labels)) {
			all = append(all, fmt.Sprintf("%q:%q", key, labels[key]))
		}
		return "{" + strings.Join(all, ",") + "}"
	}
	patch := `{"metadata":{"labels":` + text(own) + `}}`
	if pods != nil {
		patch = `{"metadata":{"labels":` + text(own) + `},"spec":{"template":{"metadata":{"labels":` + text(pods) + `}}}}`
	}
	c.patch(name, "kubectl-label", patch)
	c.awaitRollout(name)
}

func (c *cluster) settingWith(name string, labels map[string]string) {
	c.Helper()
	if _, err := c.client.CoreV1().ConfigMaps(c.ns).Create(c.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Data: map[string]string{"key": "value"},
	}, metav1.CreateOptions{FieldManager: "kubectl-create"}); err != nil {
		c.Fatal(err)
	}
}

// warn writes an Event about an object.
func (c *cluster) warn(about corev1.ObjectReference) {
	c.Helper()
	about.Namespace = c.ns
	now := metav1.Now()
	if _, err := c.client.CoreV1().Events(c.ns).Create(c.Context(), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: "warned-", Namespace: c.ns},
		InvolvedObject: about, Type: "Warning", Reason: "Strange", Message: "strange",
		FirstTimestamp: now, LastTimestamp: now, Count: 1, Source: corev1.EventSource{Component: "kubelet"},
	}, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) podOf(app string) corev1.Pod {
	c.Helper()
	pods, err := c.client.CoreV1().Pods(c.ns).List(c.Context(), metav1.ListOptions{})
	if err != nil {
		c.Fatal(err)
	}
	for _, p := range pods.Items {
		if strings.HasPrefix(p.Name, app+"-") && p.DeletionTimestamp == nil {
			return p
		}
	}
	c.Fatalf("no pod of %s", app)
	return corev1.Pod{}
}

// told lists the objects that evidence is of, the hashes of pod names cut off.
func told(events []evidence.Event) []string {
	seen := map[string]bool{}
	for _, e := range events {
		o := e.Source.Object
		if o.Kind == "Node" || o.Kind == "CustomResourceDefinition" {
			continue // of the whole cluster, and of other tests
		}
		name := o.Name
		if o.Kind == "Pod" {
			name, _, _ = strings.Cut(name, "-")
		}
		seen[o.Kind+"/"+name] = true
	}
	return slices.Sorted(keysof.Keys(seen))
}

func TestALabelSelectorChoosesWorkloadsAndWhatBelongsToThem(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, name := range []string{"paid", "dev", "search"} {
		c.deploy(name, "shop/"+name+":1.0.0")
	}
	c.label("paid", map[string]string{"team": "payments"}, map[string]string{"env": "prod"})
	c.label("dev", map[string]string{"team": "payments"}, map[string]string{"env": "dev"})
	c.label("search", map[string]string{"team": "search"}, nil)
	c.settingWith("labelled", map[string]string{"team": "payments"})
	c.settingWith("plain", nil)
	for _, name := range []string{"paid", "dev", "search"} {
		p := c.podOf(name)
		c.warn(corev1.ObjectReference{Kind: "Pod", Name: p.Name, UID: p.UID})
		c.warn(corev1.ObjectReference{Kind: "Pod", Name: name + "-gone-pod", UID: "00000000-0000-0000-0000-000000000000"})
	}
	c.warn(corev1.ObjectReference{Kind: "PersistentVolumeClaim", Name: "somebodys"})

	config := c.config()
	config.Set("label_selector", "team=payments,env!=dev")
	events, result := c.collect(config, request(), env())
	want := []string{"ConfigMap/labelled", "Deployment/paid", "Pod/paid"}
	if got := told(events); !slices.Equal(got, want) {
		t.Errorf("told of\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if !strings.Contains(result.Scope, "chosen by a label selector") || strings.Contains(result.Scope, "payments") {
		t.Errorf("scope %q", result.Scope)
	}
}

func TestWhatAChosenWorkloadConsumesFollowsIt(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.settingWith("mine", nil)
	c.settingWith("theirs", nil)
	for name, source := range map[string]string{"paid": "mine", "search": "theirs"} {
		c.deploy(name, "shop/"+name+":1.0.0")
		c.patch(name, "kubectl-edit", `{"spec":{"template":{"spec":{"containers":[{"name":"app","envFrom":[{"configMapRef":{"name":"`+source+`"}}]}]}}}}`)
		c.awaitRollout(name)
	}
	c.label("paid", map[string]string{"team": "payments"}, nil)
	config := c.config()
	config.LabelSelector = "team=payments"
	events, _ := c.collect(config, request(), env())
	if got, want := told(events), []string{"ConfigMap/mine", "Deployment/paid"}; !slices.Equal(got, want) {
		t.Errorf("told of %q, want %q", got, want)
	}
}

// What stops matching was not deleted, and what was deleted is told only if it
// was asked for when it was there.
func TestASelectorInventsNoDeletion(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, name := range []string{"kept", "deleted", "others"} {
		c.deploy(name, "shop/"+name+":1.0.0")
	}
	for _, name := range []string{"kept", "deleted"} {
		c.label(name, map[string]string{"team": "payments"}, nil)
	}
	config := c.config()
	config.LabelSelector = "team=payments"
	_, first := c.collect(config, request(), env())
	c.tick()
	c.label("kept", map[string]string{"team": "search"}, nil)
	for _, name := range []string{"deleted", "others"} {
		if err := c.client.AppsV1().Deployments(c.ns).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	c.await("the deletions", func(ctx context.Context) (bool, error) {
		l, err := c.client.AppsV1().Deployments(c.ns).List(ctx, metav1.ListOptions{})
		return err == nil && len(l.Items) == 1, err
	})
	next := request()
	next.Window = window.Window{Start: time.Now().Add(-time.Minute).UTC(), End: time.Now().Add(2 * time.Second).UTC()}
	next.State, next.Incremental = first.State, true
	events, second := c.collect(config, next, env())
	var gone []string
	for _, e := range changes(events) {
		if e.Deployment.Change == evidence.ChangeDelete {
			gone = append(gone, e.Source.Object.Name)
		}
	}
	if !slices.Equal(gone, []string{"deleted"}) {
		t.Errorf("told as deleted: %q", gone)
	}
	next.State = second.State
	if third, _ := c.collect(config, next, env()); slices.ContainsFunc(changes(third), func(e evidence.Event) bool { return e.Deployment.Change == evidence.ChangeDelete }) {
		t.Error("the deletion is told again")
	}
}

func TestPatternsAndExclusionsOfNamespaces(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	other := &cluster{T: t, srv: c.srv, client: c.client, ns: c.srv.Namespace(t)}
	other.deploy("web", "shop/web:1.0.0")
	prefix := c.ns[:len(c.ns)-1] + "*"
	namespaces := func(events []evidence.Event) []string {
		seen := map[string]bool{}
		for _, e := range events {
			if ns := e.Source.Object.Namespace; ns != "" {
				seen[ns] = true
			}
		}
		return slices.Sorted(keysof.Keys(seen))
	}
	config := c.config()
	config.Streams = []string{record.StreamWorkloads, record.StreamEvents}
	config.Namespaces = []string{prefix}
	events, result := c.collect(config, request(), env())
	if got := namespaces(events); !slices.Equal(got, []string{c.ns}) {
		t.Errorf("%s gave %q", prefix, got)
	}
	if result.Scope != "namespace "+prefix {
		t.Errorf("scope %q", result.Scope)
	}
	config.Namespaces, config.ExcludeNamespaces = []string{c.ns, other.ns}, []string{prefix}
	events, _ = c.collect(config, request(), env())
	if got := namespaces(events); !slices.Equal(got, []string{other.ns}) {
		t.Errorf("without %s: %q", prefix, got)
	}
	config.Namespaces, config.ExcludeNamespaces = []string{c.ns}, []string{prefix}
	if _, err := config.Connect(t.Context(), env()); connector.ClassOf(err) != connector.ClassConfig {
		t.Errorf("nothing is left to read: %v", err)
	}
	config.Namespaces, config.ExcludeNamespaces = []string{"no-such-name-*"}, nil
	if _, result = c.collect(config, request(), env()); !slices.ContainsFunc(result.Notes, func(n string) bool { return strings.Contains(n, "is the name right?") }) {
		t.Errorf("a pattern that fits nothing is not noted: %q", result.Notes)
	}
}

// defaultRules are the grants of the streams that are always read.
func defaultRules(t *testing.T, config *kubernetes.Config) []rbacv1.PolicyRule {
	t.Helper()
	conn, err := config.Connect(t.Context(), env())
	if err != nil {
		t.Fatal(err)
	}
	var rules []rbacv1.PolicyRule
	for _, s := range conn.Capabilities().Streams {
		for _, g := range s.Needs {
			if !s.Optional {
				rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{g.Group}, Resources: []string{g.Resource}, Verbs: []string{g.Verb}})
			}
		}
	}
	return rules
}

func TestAStreamThatMayNotBeReadIsNoGapUnlessNamed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	config := c.config()
	rules := defaultRules(t, config)
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "plain", rules)
	other := c.srv.Namespace(t)
	for ns, extra := range map[string][]rbacv1.PolicyRule{
		other: rules,
		c.ns:  {{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"list"}}},
	} {
		meta := metav1.ObjectMeta{Name: "more", Namespace: ns}
		if _, err := c.client.RbacV1().Roles(ns).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: extra}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.client.RbacV1().RoleBindings(ns).Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "more"},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: c.ns, Name: "plain"}},
		}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	config.Namespaces = []string{c.ns, other}
	c.await("RBAC to allow both namespaces", func(ctx context.Context) (bool, error) {
		h := c.connect(config, env()).HealthCheck(ctx)
		return h.Err == nil && len(h.Missing) == 0 && !slices.ContainsFunc(h.Optional, func(g connector.Grant) bool { return g.Resource == "secrets" && g.Namespace == c.ns }), h.Err
	})
	coverage := func() map[string]connector.Coverage {
		_, result := c.collect(config, request(), env())
		out := map[string]connector.Coverage{}
		for _, cov := range result.Coverage {
			out[cov.Stream] = cov
		}
		return out
	}
	all := coverage()
	for stream, cov := range all {
		switch stream {
		case record.StreamSecrets:
			if cov.Status != connector.Complete || len(cov.Missing) != 1 || cov.Missing[0].Namespace != other || !strings.Contains(cov.Reason, other) {
				t.Errorf("granted in one of two namespaces: %+v", cov)
			}
		case record.StreamNodes:
			if cov.Status != connector.Skipped || len(cov.Missing) != 1 || cov.Class != connector.ClassNone ||
				!strings.Contains(cov.Missing[0].Rule, "a ClusterRole, bound by a ClusterRoleBinding") {
				t.Errorf("not granted: %+v", cov)
			}
		case record.StreamCRDs, record.StreamGitOps:
			if cov.Status != connector.Skipped {
				t.Errorf("not granted: %+v", cov)
			}
		default:
			if cov.Status != connector.Complete {
				t.Errorf("granted: %+v", cov)
			}
		}
	}
	config.Streams = []string{record.StreamWorkloads, record.StreamSecrets, record.StreamNodes}
	named := coverage()
	if cov := named[record.StreamSecrets]; cov.Status != connector.Partial || cov.Class != connector.ClassForbidden || len(cov.Missing) != 1 {
		t.Errorf("named: %+v", cov)
	}
	if cov := named[record.StreamNodes]; cov.Status != connector.Failed || cov.Class != connector.ClassForbidden {
		t.Errorf("named: %+v", cov)
	}
	h := c.connect(config, env()).HealthCheck(t.Context())
	if len(h.Missing) != 2 || len(h.Optional) != 0 {
		t.Errorf("health of named streams: missing %+v, optional %+v", h.Missing, h.Optional)
	}
	config.Streams = nil
	h = c.connect(config, env()).HealthCheck(t.Context())
	if len(h.Missing) != 0 || !slices.ContainsFunc(h.Optional, func(g connector.Grant) bool { return g.Resource == "nodes" }) || len(h.Excess) != 0 {
		t.Errorf("health: missing %+v, optional %+v, excess %+v", h.Missing, h.Optional, h.Excess)
	}
}

// A list of all namespaces that is refused says what to do instead.
func TestAllNamespacesWithSomeGranted(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	config := c.config()
	config.Streams = []string{record.StreamWorkloads, record.StreamPods}
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "some", nil,
		rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"deployments", "replicasets", "statefulsets", "daemonsets", "controllerrevisions"}, Verbs: []string{"list"}},
		rbacv1.PolicyRule{APIGroups: []string{"batch"}, Resources: []string{"jobs", "cronjobs"}, Verbs: []string{"list"}})
	config.Namespaces = []string{"*"}
	_, result := c.collect(config, request(), env())
	for _, cov := range result.Coverage {
		if pods := cov.Stream == record.StreamPods; pods != strings.Contains(cov.Reason, "with Roles name in namespaces those that may be read") {
			t.Errorf("coverage: %+v", cov)
		}
	}
}

func TestEachGrantIsReviewedOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	config := c.config()
	config.Namespaces = []string{c.ns, c.srv.Namespace(t)}
	_, result := c.collect(config, request(), env())
	reviews := 0
	for _, a := range result.Actions {
		if a.Method != "POST" {
			continue
		}
		reviews++
		if a.Requests > 2 {
			t.Errorf("%s: %d times for two namespaces", a.Purpose, a.Requests)
		}
	}
	if reviews == 0 {
		t.Error("nothing was reviewed")
	}
}

// The kubeconfigs that the tools of the large providers write: each names a
// program that prints a credential.
func TestKubeconfigsOfManagedClusters(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	config := c.config()
	plain, err := clientcmd.LoadFromFile(c.srv.ServiceAccountKubeconfig(t, c.ns, "managed", defaultRules(t, config)))
	if err != nil {
		t.Fatal(err)
	}
	token := plain.AuthInfos["managed"].Token
	const v1, v1beta1 = "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"
	for name, test := range map[string]struct {
		context string
		exec    *clientcmdapi.ExecConfig
	}{
		"EKS": {"arn:aws:eks:eu-west-1:123456789012:cluster/prod", &clientcmdapi.ExecConfig{
			APIVersion: v1beta1, Command: "aws", Args: []string{"--region", "eu-west-1", "eks", "get-token", "--cluster-name", "prod", "--output", "json"},
			Env: []clientcmdapi.ExecEnvVar{{Name: "AWS_PROFILE", Value: "prod"}},
		}},
		"GKE": {"gke_project_europe-west1-b_prod", &clientcmdapi.ExecConfig{
			APIVersion: v1beta1, Command: "gke-gcloud-auth-plugin", InstallHint: "Install gke-gcloud-auth-plugin", ProvideClusterInfo: true,
		}},
		"AKS": {"prod-admin", &clientcmdapi.ExecConfig{
			APIVersion: v1beta1, Command: "kubelogin", Args: []string{"get-token", "--environment", "AzurePublicCloud", "--login", "azurecli"},
		}},
		"v1":        {"prod", &clientcmdapi.ExecConfig{APIVersion: v1, Command: "kubelogin", InteractiveMode: clientcmdapi.IfAvailableExecInteractiveMode}},
		"OpenShift": {"shop/api-prod-example-com:6443/kube:admin", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user := &clientcmdapi.AuthInfo{Exec: test.exec}
			if test.exec == nil {
				user.Token = token
			} else {
				if user.Exec.InteractiveMode == "" {
					user.Exec.InteractiveMode = clientcmdapi.IfAvailableExecInteractiveMode
				}
				user.Exec.Command = credentialProgram(t, user.Exec.Command, user.Exec.APIVersion, token)
			}
			cfg := clientcmdapi.NewConfig()
			cfg.Clusters[test.context] = plain.Clusters["testbed"]
			cfg.AuthInfos[test.context] = user
			cfg.Contexts[test.context] = &clientcmdapi.Context{Cluster: test.context, AuthInfo: test.context, Namespace: c.ns}
			cfg.CurrentContext = test.context
			path := filepath.Join(t.TempDir(), "kubeconfig")
			if err := clientcmd.WriteToFile(*cfg, path); err != nil {
				t.Fatal(err)
			}
			config := c.config()
			config.Kubeconfig, config.Namespaces = path, nil
			changed := 0
			conn, err := config.Connect(t.Context(), env())
			if err != nil {
				t.Fatal(err)
			}
			result, err := conn.Collect(t.Context(), request(), func(r record.Record) error {
				if w, ok := r.(record.Workload); ok && w.Object.Name == "web" {
					changed++
				}
				return nil
			})
			if err != nil || changed != 1 || result.Coverage[0].Status != connector.Complete {
				t.Errorf("%d workloads, %v, %+v", changed, err, result.Coverage)
			}
		})
	}
}

// credentialProgram is a program of that name that prints the token as a
// credential plugin does.
func credentialProgram(t *testing.T, name, apiVersion, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	script := "#!/bin/sh\ncat <<'END'\n" + `{"kind":"ExecCredential","apiVersion":"` + apiVersion + `","spec":{},"status":{"token":"` + token + `"}}` + "\nEND\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}
