package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
func discover(_ context.Context, env connector.Env) (connector.Config, error) {
	config := defaultConfig()
	if _, err := config.locate(env); err != nil {
		return nil, err
	}
	return config, nil
}

// Describe implements connector.Describer.
func (c *Config) Describe(env connector.Env) (string, error) {
	at, err := c.locate(env)
	if err != nil {
		return "", err
	}
	what := at.where + " · " + c.describeNamespaces(at)
	if c.LabelSelector != "" {
		what += " · selector " + c.LabelSelector
	}
	return what, nil
}

// describeNamespaces says what is read, and for a namespace that nobody named,
// that nobody did.
func (c *Config) describeNamespaces(at location) string {
	names := c.namespaces(at)
	said := sayNamespaces(names)
	if len(c.ExcludeNamespaces) > 0 {
		said += " without " + strings.Join(slices.Sorted(slices.Values(c.ExcludeNamespaces)), ", ")
	}
	if len(c.Namespaces) == 0 && !at.named {
		said += " (" + at.silent + " names none)"
	}
	return said
}

// sayNamespaces lists namespaces for a sentence.
func sayNamespaces(names []string) string {
	switch {
	case len(names) == 0:
		return "no namespace"
	case slices.ContainsFunc(names, func(ns string) bool { return ns == "" || ns == allNamespaces }):
		return "all namespaces"
	case len(names) == 1:
		return "namespace " + names[0]
	}
	return "namespaces " + strings.Join(names, ", ")
}

// Pin implements connector.Pinner: it writes down the kubeconfig, unless it is
// the one that is found anyway, the context and the namespaces.
func (c *Config) Pin(env connector.Env) error {
	if c.From != "" {
		return c.pinRecording()
	}
	at, err := c.locate(env)
	if err != nil {
		return err
	}
	file := c.Kubeconfig
	if file == "" {
		if file, err = at.pinnable(defaultKubeconfigs(env)); err != nil {
			return err
		}
	}
	if file != "" {
		if file, err = filepath.Abs(file); err != nil {
			return connector.Errorf(connector.ClassConfig, err, "the folder in which rcactl runs is not known, so that the path of the kubeconfig cannot be written down")
		}
	}
	c.Kubeconfig, c.Context, c.Namespaces = file, at.context, c.namespaces(at)
	return nil
}

// namespaces are those to read, sorted.
func (c *Config) namespaces(at location) []string {
	names := c.Namespaces
	if len(names) == 0 {
		names = []string{at.namespace}
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// location is a cluster that was found, and how to talk to it.
type location struct {
	rest *rest.Config
	// namespace is the one to read when the config names none; named says that
	// the place that was found names it, silent is what to call a place that does
	// not.
	namespace string
	named     bool
	silent    string
	// where says in words where it was found.
	where string
	// context is the context of a kubeconfig, origins are the files that hold it,
	// its cluster and its user. Both are empty for a ServiceAccount.
	context string
	origins []string
	// recording is what is read in place of a cluster.
	recording *recording
}

// pinnable is the one file that holds everything about the context; empty when
// it is one that is found without being named.
func (at location) pinnable(defaults []string) (string, error) {
	files := slices.Compact(slices.Sorted(slices.Values(at.origins)))
	switch {
	case len(files) == 0, len(files) == 1 && slices.Contains(defaults, files[0]):
		return "", nil
	case len(files) == 1:
		return files[0], nil
	}
	return "", connector.Errorf(connector.ClassConfig, nil,
		"the context %q is spread over %s, and a config can name one file; \"kubectl config view --flatten --minify\" makes one", at.context, strings.Join(files, " and "))
}

// locate finds the cluster: the kubeconfig that the config names, else the one
// that kubectl would use, else the ServiceAccount of the pod. The error wraps
// connector.ErrNothingFound when nobody has named anything.
func (c *Config) locate(env connector.Env) (location, error) {
	if c.From != "" {
		return c.locateRecording(env)
	}
	paths, named := c.kubeconfigPaths(env)
	at, found, err := fromKubeconfig(paths, c.Context, c.Kubeconfig != "")
	if err != nil || found {
		return at, err
	}
	if at, found := inCluster(env, serviceAccountDir); found && c.Context == "" {
		return at, nil
	}
	switch {
	case named:
		return location{}, connector.Errorf(connector.ClassConfig, nil,
			"KUBECONFIG names %s, where there is no kubeconfig; correct it or unset it", shown(strings.Join(paths, string(filepath.ListSeparator))))
	case c.Context != "":
		return location{}, connector.Errorf(connector.ClassConfig, nil,
			"there is no kubeconfig with the context %q; set kubeconfig or KUBECONFIG", c.Context)
	}
	return location{}, connector.Errorf(connector.ClassConfig, connector.ErrNothingFound,
		"no cluster is configured here: no kubeconfig (KUBECONFIG, ~/.kube/config) and no ServiceAccount; set kubeconfig")
}

// kubeconfigPaths lists the files to merge. named says that somebody named them.
func (c *Config) kubeconfigPaths(env connector.Env) (paths []string, named bool) {
	if c.Kubeconfig != "" {
		return []string{c.Kubeconfig}, true
	}
	for _, path := range filepath.SplitList(lookupEnv(env, "KUBECONFIG")) {
		if path != "" {
			paths = append(paths, path)
		}
	}
	if len(paths) > 0 {
		return paths, true
	}
	return defaultKubeconfigs(env), false
}

// defaultKubeconfigs is the file that is found without being named.
func defaultKubeconfigs(env connector.Env) []string {
	for _, home := range []string{lookupEnv(env, "HOME"), lookupEnv(env, "USERPROFILE")} {
		if home != "" {
			return []string{filepath.Join(home, ".kube", "config")}
		}
	}
	return nil
}

func lookupEnv(env connector.Env, name string) string {
	if env.LookupEnv == nil {
		return ""
	}
	value, _ := env.LookupEnv(name)
	return value
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
	files := shown(strings.Join(paths, string(filepath.ListSeparator)))
	if err := checkFiles("the kubeconfig", paths...); err != nil {
		return location{}, false, err
	}
	raw, err := rules.Load()
	if err != nil {
		file, why := unreadable(paths)
		return location{}, false, connector.Errorf(connector.ClassConfig, err, "the kubeconfig %s %s", shown(file), why)
	}
	if clientcmdapi.IsConfigEmpty(raw) && !explicit {
		return location{}, false, nil
	}
	name := contextName
	if name == "" {
		name = raw.CurrentContext
	}
	chosen := raw.Contexts[name]
	if chosen == nil {
		return location{}, false, noContext(raw, name, files)
	}
	if err := checkFiles(fmt.Sprintf("a file that the context %q names,", name), mentioned(raw, chosen)...); err != nil {
		return location{}, false, err
	}
	client := clientcmd.NewNonInteractiveClientConfig(*raw, name, &clientcmd.ConfigOverrides{}, rules)
	restConfig, err := client.ClientConfig()
	// client-go takes a user who is not there for nobody.
	if err != nil || chosen.AuthInfo != "" && raw.AuthInfos[chosen.AuthInfo] == nil {
		return location{}, false, connector.Errorf(connector.ClassConfig, err,
			"the context %q of the kubeconfig %s %s", name, files, unusable(raw, chosen, name))
	}
	where := "context " + shown(name)
	if contextName == "" {
		where = "current " + where
	}
	at := location{
		rest: restConfig, namespace: chosen.Namespace, named: chosen.Namespace != "", silent: "the context",
		where: where, context: name, origins: origins(raw, chosen),
	}
	if !at.named {
		at.namespace = "default"
	}
	if !isNamespace(at.namespace) {
		return location{}, false, connector.Errorf(connector.ClassConfig, nil,
			"the context %q of the kubeconfig %s names a namespace that cannot be one; correct it, or set namespaces", name, files)
	}
	return at, true, nil
}

// maxFile bounds a kubeconfig, and a certificate, key or token that it names.
const maxFile = 4 << 20

// checkFiles refuses what client-go would read for ever: it opens whatever a
// path names, be it a pipe that nobody writes to. A missing file is left to it.
func checkFiles(what string, paths ...string) error {
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case path == "" || err != nil:
			continue
		case !info.Mode().IsRegular():
			return connector.Errorf(connector.ClassConfig, nil,
				"%s %s is not a file but a folder, pipe or device: it is not read; name a regular file", what, shown(path))
		case info.Size() > maxFile:
			return connector.Errorf(connector.ClassConfig, nil,
				"%s %s is larger than %d MiB: it is not read; name the right file", what, shown(path), maxFile>>20)
		}
	}
	return nil
}

// mentioned lists the files that a context names.
func mentioned(raw *clientcmdapi.Config, chosen *clientcmdapi.Context) []string {
	var files []string
	if cluster := raw.Clusters[chosen.Cluster]; cluster != nil {
		files = append(files, cluster.CertificateAuthority)
	}
	if user := raw.AuthInfos[chosen.AuthInfo]; user != nil {
		files = append(files, user.ClientCertificate, user.ClientKey, user.TokenFile)
	}
	return files
}

// shown is a name for a sentence: as it is, unless it could draw on a terminal
// or end the line.
func shown(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// origins lists the files that hold the context, its cluster and its user.
func origins(raw *clientcmdapi.Config, chosen *clientcmdapi.Context) []string {
	files := []string{chosen.LocationOfOrigin}
	if cluster := raw.Clusters[chosen.Cluster]; cluster != nil {
		files = append(files, cluster.LocationOfOrigin)
	}
	if user := raw.AuthInfos[chosen.AuthInfo]; user != nil {
		files = append(files, user.LocationOfOrigin)
	}
	return slices.DeleteFunc(files, func(file string) bool { return file == "" })
}

// unreadable finds the file that cannot be read and says why, without a word
// of the file.
func unreadable(paths []string) (file, why string) {
	for _, path := range paths {
		_, err := clientcmd.LoadFromFile(path)
		var pathErr *fs.PathError
		switch {
		case err == nil:
			continue
		case errors.Is(err, fs.ErrNotExist):
			if len(paths) == 1 {
				return path, "does not exist; correct kubeconfig"
			}
		case errors.Is(err, fs.ErrPermission):
			return path, "may not be read (permission denied); correct its permissions"
		case errors.As(err, &pathErr):
			return path, "is not a file that can be read; correct the path"
		default:
			return path, "is not the YAML or JSON of a kubeconfig; \"kubectl config view\" shows where"
		}
	}
	return strings.Join(paths, string(filepath.ListSeparator)), "cannot be read; \"kubectl config view\" shows why"
}

// unusable says what a context lacks.
func unusable(raw *clientcmdapi.Config, chosen *clientcmdapi.Context, name string) string {
	cluster := raw.Clusters[chosen.Cluster]
	switch {
	case cluster == nil:
		return fmt.Sprintf("names the cluster %q, which is not there; \"kubectl config get-clusters\" lists them", chosen.Cluster)
	case cluster.Server == "":
		return fmt.Sprintf("names the cluster %q, which has no server; \"kubectl config set-cluster\" sets it", chosen.Cluster)
	case chosen.AuthInfo != "" && raw.AuthInfos[chosen.AuthInfo] == nil:
		return fmt.Sprintf("names the user %q, who is not there; \"kubectl config get-users\" lists them", chosen.AuthInfo)
	}
	return fmt.Sprintf("cannot be used: a certificate, key or credential of it cannot be; \"kubectl config view --minify --context %s\" shows them", shown(name))
}

// noContext says what is wrong with the choice of a context.
func noContext(raw *clientcmdapi.Config, name, files string) error {
	if name == "" {
		return connector.Errorf(connector.ClassConfig, nil,
			"the kubeconfig %s has no current context; set context, or run \"kubectl config use-context NAME\"", files)
	}
	return connector.Errorf(connector.ClassConfig, nil,
		"the kubeconfig %s has no context %q (%s); \"kubectl config get-contexts\" lists them", files, name, others(len(raw.Contexts)))
}

// others says how many there are instead.
func others(n int) string {
	switch n {
	case 0:
		return "it has none at all"
	case 1:
		return "it has one other"
	}
	return fmt.Sprintf("it has %d others", n)
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
	raw, err := os.ReadFile(filepath.Join(dir, "namespace"))
	ns := strings.TrimSpace(string(raw))
	named := err == nil && isNamespace(ns)
	if !named {
		ns = "default"
	}
	return location{
		rest: &rest.Config{
			Host:            "https://" + net.JoinHostPort(host, port),
			TLSClientConfig: rest.TLSClientConfig{CAFile: ca},
			BearerTokenFile: token,
		},
		namespace: ns, named: named, silent: "the ServiceAccount", where: "ServiceAccount of this pod",
	}, true
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
