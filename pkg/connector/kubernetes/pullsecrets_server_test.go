package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/testbed"
)

// Only those Secrets are read that workloads name, each by its name, and only when
// that is asked for.
func TestPullSecretsAreReadByNameAndWhenAskedForAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	login := func(host string) string { return `{"` + host + `":{"auth":"` + planted + `"}}` }
	for _, s := range []corev1.Secret{
		{ObjectMeta: metav1.ObjectMeta{Name: "login"}, Type: corev1.SecretTypeDockerConfigJson, StringData: map[string]string{".dockerconfigjson": `{"auths":` + login("new.example.test") + `}`}},
		{ObjectMeta: metav1.ObjectMeta{Name: "legacy"}, Type: corev1.SecretTypeDockercfg, StringData: map[string]string{".dockercfg": login("old.example.test")}},
		{ObjectMeta: metav1.ObjectMeta{Name: "by-account"}, Type: corev1.SecretTypeDockerConfigJson, StringData: map[string]string{".dockerconfigjson": `{"auths":` + login("account.example.test") + `}`}},
		{ObjectMeta: metav1.ObjectMeta{Name: "opaque"}, StringData: map[string]string{".dockerconfigjson": planted}},
		{ObjectMeta: metav1.ObjectMeta{Name: "denied"}, Type: corev1.SecretTypeDockerConfigJson, StringData: map[string]string{".dockerconfigjson": `{"auths":` + login("denied.example.test") + `}`}},
		{ObjectMeta: metav1.ObjectMeta{Name: "unnamed"}, Type: corev1.SecretTypeDockerConfigJson, StringData: map[string]string{".dockerconfigjson": `{"auths":` + login("unnamed.example.test") + `}`}},
	} {
		if _, err := c.client.CoreV1().Secrets(c.ns).Create(t.Context(), &s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	// The account of a pod adds its own, unless the pod has some.
	if _, err := c.client.CoreV1().ServiceAccounts(c.ns).Create(t.Context(), &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: "puller"}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "by-account"}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.consume("web", func(spec *corev1.PodSpec) {
		for _, name := range []string{"login", "legacy", "opaque", "denied", "missing"} {
			spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
		}
	})
	c.consume("api", func(spec *corev1.PodSpec) { spec.ServiceAccountName = "puller" })

	config := c.config()
	config.Kubeconfig = c.srv.ServiceAccountKubeconfig(t, c.ns, "images", append(readRules(), rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}, ResourceNames: []string{"login", "legacy", "by-account", "opaque", "missing", "unnamed"},
	}))
	since := c.srv.AuditOffset(t)
	source := c.connect(config, env())
	reader := source.(connector.PullSecretReader)
	if configs, actions, notes, err := reader.PullSecrets(t.Context()); len(configs)+len(actions)+len(notes) != 0 || err != nil {
		t.Errorf("before anything was read: %d, %v, %v, %v", len(configs), actions, notes, err)
	}
	if _, err := source.Collect(t.Context(), request(), func(record.Record) error { return nil }); err != nil {
		t.Fatal(err)
	}
	asked := func() []string {
		paths := map[string]bool{}
		for _, l := range c.srv.Audit(t, testbed.ServiceAccountUser(c.ns, "images"), since) {
			if path, _, _ := strings.Cut(l.URI, "?"); strings.Contains(path, "/secrets") {
				paths[l.Verb+" "+strings.TrimPrefix(path, "/api/v1/namespaces/"+c.ns+"/")] = true
			}
		}
		return slices.Sorted(maps.Keys(paths))
	}
	if got := asked(); len(got) != 0 {
		t.Errorf("Secrets were asked for before that was wanted: %v", got)
	}

	configs, actions, notes, err := reader.PullSecrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hosts := map[string]bool{}
	for _, config := range configs {
		var docker struct {
			Auths map[string]struct{ Auth string }
		}
		if err := json.Unmarshal(config.Reveal(), &docker); err != nil {
			t.Fatal(err)
		}
		for host, login := range docker.Auths {
			hosts[host] = login.Auth == planted
		}
	}
	if diff := cmp.Diff(map[string]bool{"new.example.test": true, "old.example.test": true, "account.example.test": true}, hosts); diff != "" {
		t.Error(diff)
	}
	names := []string{"by-account", "denied", "legacy", "login", "missing", "opaque"}
	var want, paths []string
	for _, name := range names {
		want = append(want, "get secrets/"+name)
		paths = append(paths, "GET /api/v1/namespaces/"+c.ns+"/secrets/"+name)
	}
	if diff := cmp.Diff(want, asked()); diff != "" {
		t.Error(diff)
	}
	var said []string
	for _, a := range actions {
		said = append(said, a.Method+" "+a.Target)
	}
	if diff := cmp.Diff(paths, said); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"Image pull Secrets that could not be used (the credential may not get them; give it the verb get on secrets with these resourceNames): " + c.ns + "/denied.",
		"Image pull Secrets that could not be used (there are none of these names): " + c.ns + "/missing.",
		"Image pull Secrets that could not be used (they are of another type): " + c.ns + "/opaque.",
	}, notes); diff != "" {
		t.Error(diff)
	}
	if shown := fmt.Sprintf("%v %+v %#v %s %v", configs, configs, configs, notes, actions); strings.Contains(shown, planted) {
		t.Error("a credential can be printed")
	}
	// What is not asked for is not read: another service's Secrets.
	narrow := request()
	narrow.Scope.Services = []string{c.ns + "/api"}
	if _, err := source.Collect(t.Context(), narrow, func(record.Record) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if configs, actions, _, err := reader.PullSecrets(t.Context()); err != nil || len(configs) != 1 || len(actions) != 1 {
		t.Errorf("of one service: %d, %v, %v", len(configs), actions, err)
	}
}

// What a template and the metadata of a workload say is told with the revisions.
func TestClaimsOfADeploymentAreTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy("web", "shop/web:1.0.0")
	c.awaitRollout("web")
	c.tick()
	const first, second = "4f2a91c0d3b5e7f9a1c3e5b7d9f1a3c5e7b9d1f3", "9be01d7c5a4f3e2d1c0b9a8f7e6d5c4b3a2f1e0d"
	release := func(commit, version string) {
		c.patch("web", "helm", `{"metadata":{"annotations":{"org.opencontainers.image.revision":"`+commit+`","note":"`+planted+`"},
			"labels":{"app.openshift.io/vcs-ref":"release"}},
			"spec":{"template":{"metadata":{"labels":{"app.kubernetes.io/version":"`+version+`"}}}}}`)
		c.awaitRollout("web")
		c.tick()
	}
	release(first, "1.8.2")
	release(second, "1.8.3")
	events, _ := c.collect(c.config(), request(), env())
	c.leaksNothing(events)
	told := changesOf(events, "Deployment", "web")
	if len(told) != 3 {
		t.Fatalf("told: %s", words(told))
	}
	say := func(i int) (out []string) {
		for _, claim := range told[i].Deployment.To.Claims {
			out = append(out, claim.Kind+" "+claim.Value)
		}
		return out
	}
	if diff := cmp.Diff([]string{"revision " + first, "version 1.8.2"}, say(1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"revision " + second, "revision release", "version 1.8.3"}, say(2)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(told[1].Deployment.To.Claims, told[2].Deployment.From.Claims); diff != "" {
		t.Error(diff)
	}
}
