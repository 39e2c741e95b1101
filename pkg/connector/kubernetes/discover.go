package kubernetes

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/rcactl/rcactl/pkg/connector"
)

// serviceAccountDir is where Kubernetes mounts a pod's own credential.
const serviceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// Factory makes connectors of the type kubernetes.
func Factory() connector.Factory {
	return connector.Factory{
		Type:     "kubernetes",
		New:      func() connector.Config { return defaultConfig() },
		Discover: discover,
	}
}

// discover finds the cluster that kubectl would talk to.
func discover(_ context.Context, env connector.Env) (connector.Finding, bool) {
	config := defaultConfig()
	at, err := config.locate(env)
	if err != nil {
		return connector.Finding{}, false
	}
	return connector.Finding{Config: config, Where: at.where}, true
}

// location is a cluster that was found, and how to talk to it.
type location struct {
	rest *rest.Config
	// namespace is the one to read when the config names none.
	namespace string
	// where says in words where it was found.
	where string
}

// locate finds the cluster: the kubeconfig that the config names, else the one
// that kubectl would use, else the ServiceAccount of the pod.
func (c *Config) locate(env connector.Env) (location, error) {
	paths, explicit := c.kubeconfigPaths(env)
	at, found, err := fromKubeconfig(paths, c.Context, explicit)
	if err != nil || found {
		return at, err
	}
	if at, found := inCluster(env, serviceAccountDir); found && c.Context == "" {
		return at, nil
	}
	if c.Context != "" {
		return location{}, connector.Errorf(connector.ClassConfig, nil,
			"there is no kubeconfig with the context %q; set kubeconfig or KUBECONFIG", c.Context)
	}
	return location{}, connector.Errorf(connector.ClassConfig, nil,
		"no cluster is configured here: no kubeconfig (KUBECONFIG, ~/.kube/config) and no ServiceAccount; set kubeconfig")
}

// kubeconfigPaths lists the files to merge. explicit says that somebody named
// them, so that a missing one is an error.
func (c *Config) kubeconfigPaths(env connector.Env) (paths []string, explicit bool) {
	if c.Kubeconfig != "" {
		return []string{c.Kubeconfig}, true
	}
	lookup := func(name string) string {
		if env.LookupEnv == nil {
			return ""
		}
		value, _ := env.LookupEnv(name)
		return value
	}
	for _, path := range filepath.SplitList(lookup("KUBECONFIG")) {
		if path != "" {
			paths = append(paths, path)
		}
	}
	if len(paths) > 0 {
		return paths, false
	}
	for _, home := range []string{lookup("HOME"), lookup("USERPROFILE")} {
		if home != "" {
			return []string{filepath.Join(home, ".kube", "config")}, false
		}
	}
	return nil, false
}

// fromKubeconfig reads and merges kubeconfigs. Errors of the loader may quote
// the file, which holds credentials, so they are never printed.
func fromKubeconfig(paths []string, contextName string, explicit bool) (location, bool, error) {
	if len(paths) == 0 {
		return location{}, false, nil
	}
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: paths}
	if explicit {
		rules = &clientcmd.ClientConfigLoadingRules{ExplicitPath: paths[0]}
	}
	files := strings.Join(paths, string(filepath.ListSeparator))
	raw, err := rules.Load()
	if err != nil {
		if explicit && os.IsNotExist(err) {
			return location{}, false, connector.Errorf(connector.ClassConfig, err, "the kubeconfig %s does not exist; correct kubeconfig", files)
		}
		return location{}, false, connector.Errorf(connector.ClassConfig, err,
			"the kubeconfig %s cannot be read; \"kubectl config view\" shows why", files)
	}
	if clientcmdapi.IsConfigEmpty(raw) && !explicit {
		return location{}, false, nil
	}
	name := contextName
	if name == "" {
		name = raw.CurrentContext
	}
	if raw.Contexts[name] == nil {
		return location{}, false, noContext(raw, name, files)
	}
	client := clientcmd.NewNonInteractiveClientConfig(*raw, name, &clientcmd.ConfigOverrides{}, rules)
	restConfig, err := client.ClientConfig()
	if err != nil {
		return location{}, false, connector.Errorf(connector.ClassConfig, err,
			"the context %q of the kubeconfig %s cannot be used; \"kubectl config view --minify --context %s\" shows why", name, files, name)
	}
	namespace, _, err := client.Namespace()
	if err != nil || namespace == "" {
		namespace = "default"
	}
	where := "context " + name
	if contextName == "" {
		where = "current context " + name
	}
	return location{rest: restConfig, namespace: namespace, where: where}, true, nil
}

// noContext says what is wrong with the choice of a context.
func noContext(raw *clientcmdapi.Config, name, files string) error {
	if name == "" {
		return connector.Errorf(connector.ClassConfig, nil,
			"the kubeconfig %s has no current context; set context, or run \"kubectl config use-context NAME\"", files)
	}
	return connector.Errorf(connector.ClassConfig, nil,
		"the kubeconfig %s has no context %q (it has %d others); \"kubectl config get-contexts\" lists them", files, name, len(raw.Contexts))
}

// inCluster finds the ServiceAccount of the pod. The token is named by its
// file, because Kubernetes renews it there.
func inCluster(env connector.Env, dir string) (location, bool) {
	if env.LookupEnv == nil {
		return location{}, false
	}
	host, _ := env.LookupEnv("KUBERNETES_SERVICE_HOST")
	port, _ := env.LookupEnv("KUBERNETES_SERVICE_PORT")
	if port == "" {
		port = "443"
	}
	token, ca := filepath.Join(dir, "token"), filepath.Join(dir, "ca.crt")
	if host == "" || !isFile(token) || !isFile(ca) {
		return location{}, false
	}
	namespace, err := os.ReadFile(filepath.Join(dir, "namespace"))
	if err != nil || !isNamespace(strings.TrimSpace(string(namespace))) {
		namespace = []byte("default")
	}
	ns := strings.TrimSpace(string(namespace))
	return location{
		rest: &rest.Config{
			Host:            "https://" + net.JoinHostPort(host, port),
			TLSClientConfig: rest.TLSClientConfig{CAFile: ca},
			BearerTokenFile: token,
		},
		namespace: ns,
		where:     fmt.Sprintf("ServiceAccount of this pod, namespace %s", ns),
	}, true
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}
