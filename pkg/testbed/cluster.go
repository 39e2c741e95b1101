package testbed

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// LoadAnnotation on a HorizontalPodAutoscaler says how much load its target (a
// Deployment or StatefulSet) has, in percent of what one pod requests. The ready
// pods share it: a load of 200 with a target utilisation of 50 ends at 4 replicas,
// within a few seconds.
const LoadAnnotation = "testbed/load"

// settleTimeout bounds the wait for things that the server does by itself.
const settleTimeout = time.Minute

// Namespace makes a namespace for one test, named after it, and deletes it when
// the test ends. It returns when pods can be created in it.
func (s *Server) Namespace(t testing.TB) string {
	t.Helper()
	ctx := t.Context()
	name := namespaceName(t.Name())
	namespaces := s.client.CoreV1().Namespaces()
	if _, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("make the test's namespace: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context has ended. Nobody waits for the deletion: it
		// takes ten seconds, and the name is never used again.
		if err := namespaces.Delete(context.WithoutCancel(ctx), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("delete the test's namespace: %v", err)
		}
	})
	Eventually(t, "the default ServiceAccount of "+name, func(ctx context.Context) (bool, error) {
		_, err := s.client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, err
	})
	return name
}

// namespaceName turns a test's name into a label, short enough to leave room in
// the names that are made from it, and never the same twice.
func namespaceName(test string) string {
	name := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(strings.TrimPrefix(test, "Test")), "-")
	if len(name) > 30 {
		name = name[:30]
	}
	return strings.ToLower(strings.Trim("t-"+name, "-") + "-" + rand.Text()[:6])
}

// ServiceAccountUser is the user name by which a ServiceAccount is known to RBAC
// and in the audit log.
func ServiceAccountUser(namespace, name string) string {
	return "system:serviceaccount:" + namespace + ":" + name
}

// ServiceAccountKubeconfig makes a ServiceAccount that may do what the rules say
// inside its namespace, and what the cluster rules say everywhere, and returns
// the path of a kubeconfig with a token for it. The context's namespace is the
// ServiceAccount's. It returns when the rules are in force.
func (s *Server) ServiceAccountKubeconfig(t testing.TB, namespace, name string, rules []rbacv1.PolicyRule, clusterRules ...rbacv1.PolicyRule) string {
	t.Helper()
	ctx := t.Context()
	accounts := s.client.CoreV1().ServiceAccounts(namespace)
	meta := metav1.ObjectMeta{Name: name, Namespace: namespace}
	if _, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("make the ServiceAccount: %v", err)
	}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}}
	if len(rules) > 0 {
		s.grantInNamespace(t, meta, rules, subjects)
	}
	if len(clusterRules) > 0 {
		s.grantEverywhere(t, metav1.ObjectMeta{Name: namespace + "-" + name}, clusterRules, subjects)
	}
	user := ServiceAccountUser(namespace, name)
	for _, r := range rules {
		s.awaitRule(t, user, namespace, r)
	}
	for _, r := range clusterRules {
		s.awaitRule(t, user, "", r)
	}

	token, err := accounts.CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("ask for the ServiceAccount's token: %v", err)
	}
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters["testbed"] = &clientcmdapi.Cluster{Server: s.config.Host, CertificateAuthorityData: s.config.CAData}
	cfg.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	cfg.Contexts["testbed"] = &clientcmdapi.Context{Cluster: "testbed", AuthInfo: name, Namespace: namespace}
	cfg.CurrentContext = "testbed"
	path := filepath.Join(t.TempDir(), name+".kubeconfig")
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		t.Fatalf("write the ServiceAccount's kubeconfig: %v", err)
	}
	return path
}

func (s *Server) grantInNamespace(t testing.TB, meta metav1.ObjectMeta, rules []rbacv1.PolicyRule, subjects []rbacv1.Subject) {
	t.Helper()
	rbac := s.client.RbacV1()
	if _, err := rbac.Roles(meta.Namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("make the Role: %v", err)
	}
	if _, err := rbac.RoleBindings(meta.Namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("bind the Role: %v", err)
	}
}

func (s *Server) grantEverywhere(t testing.TB, meta metav1.ObjectMeta, rules []rbacv1.PolicyRule, subjects []rbacv1.Subject) {
	t.Helper()
	ctx := t.Context()
	rbac := s.client.RbacV1()
	// Unlike the namespace's own objects these do not go with the namespace.
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		if err := rbac.ClusterRoleBindings().Delete(ctx, meta.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("delete the ClusterRoleBinding: %v", err)
		}
		if err := rbac.ClusterRoles().Delete(ctx, meta.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("delete the ClusterRole: %v", err)
		}
	})
	if _, err := rbac.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("make the ClusterRole: %v", err)
	}
	if _, err := rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("bind the ClusterRole: %v", err)
	}
}

// awaitRule waits until the API server's authorizer, which reads RBAC from a
// cache, has heard of a rule.
func (s *Server) awaitRule(t testing.TB, user, namespace string, rule rbacv1.PolicyRule) {
	t.Helper()
	spec := authorizationv1.SubjectAccessReviewSpec{User: user, Groups: []string{"system:serviceaccounts", "system:authenticated"}}
	switch {
	case len(rule.Verbs) == 0:
		return
	case len(rule.NonResourceURLs) > 0:
		spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: rule.NonResourceURLs[0], Verb: rule.Verbs[0]}
	case len(rule.APIGroups) > 0 && len(rule.Resources) > 0:
		resource, sub, _ := strings.Cut(rule.Resources[0], "/")
		spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: rule.Verbs[0], Group: rule.APIGroups[0], Resource: resource, Subresource: sub,
		}
		if len(rule.ResourceNames) > 0 {
			spec.ResourceAttributes.Name = rule.ResourceNames[0]
		}
	default:
		return
	}
	Eventually(t, "RBAC to allow "+user+" what its rules say", func(ctx context.Context) (bool, error) {
		review, err := s.client.AuthorizationV1().SubjectAccessReviews().Create(ctx,
			&authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
		if err != nil {
			return false, err
		}
		return review.Status.Allowed, fmt.Errorf("denied: %s", review.Status.Reason)
	})
}

// AwaitRollout waits until the newest pod template of a Deployment runs everywhere,
// and nothing else does.
func (s *Server) AwaitRollout(t testing.TB, namespace, name string) {
	t.Helper()
	Eventually(t, name+" to roll out", func(ctx context.Context) (bool, error) {
		d, err := s.client.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		available := slices.ContainsFunc(d.Status.Conditions, func(c appsv1.DeploymentCondition) bool {
			return c.Type == appsv1.DeploymentProgressing && c.Reason == "NewReplicaSetAvailable"
		})
		want := *d.Spec.Replicas
		return available && d.Status.ObservedGeneration >= d.Generation && d.Status.UpdatedReplicas == want && d.Status.Replicas == want,
			fmt.Errorf("generation %d, status %+v", d.Generation, d.Status)
	})
}

// Eventually polls until done, and fails the test with the last error when it
// takes too long.
func Eventually(t testing.TB, what string, done func(context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settleTimeout)
	defer cancel()
	for {
		ok, err := done(ctx)
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s for %s: %v", settleTimeout, what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
