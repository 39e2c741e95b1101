package kubernetes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/record"
)

// What is kept of one object of a delivery tool, which whoever may write it can
// make as long as an object may be.
const (
	maxApplied   = 50
	maxSources   = 20
	maxResources = 5000
)

// delivery is a record in the making.
type delivery struct {
	record.Delivery
	// resources are the objects in this cluster that the tool says that it applied.
	resources []objectKey
	// source is the object of Flux that holds the address of the configuration.
	source  objectKey
	current attempt
	// services are those of the workloads that are managed by this object.
	services [][2]string
}

// fluxSource is an object of Flux that fetches a configuration.
type fluxSource struct {
	repository string
	// revision is what it holds, as the source spells it, since fetched.
	revision string
	fetched  time.Time
}

// gitopsKinds are the objects of delivery tools, and those that hold the addresses
// of what they apply.
func gitopsKinds() []kind {
	const stream = record.StreamGitOps
	applies, helm, sources := "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io", "source.toolkit.fluxcd.io"
	return []kind{
		foreignOf("argoproj.io", "applications", kindApplication, stream, []string{"v1alpha1"}, (*collection).takeApplication),
		foreignOf(applies, "kustomizations", kindKustomization, stream, []string{"v1", "v1beta2"}, (*collection).takeKustomization),
		foreignOf(helm, "helmreleases", kindHelmRelease, stream, []string{"v2", "v2beta2", "v2beta1"}, (*collection).takeHelmRelease),
		foreignOf(sources, "gitrepositories", "GitRepository", stream, []string{"v1", "v1beta2"}, (*collection).takeFluxSource),
		foreignOf(sources, "ocirepositories", "OCIRepository", stream, []string{"v1", "v1beta2"}, (*collection).takeFluxSource),
		foreignOf(sources, "helmrepositories", "HelmRepository", stream, []string{"v1", "v1beta2"}, (*collection).takeFluxSource),
	}
}

// instant reads a time as the API writes it; zero for what is none.
func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// argoSource is a source of an Application.
type argoSource struct {
	RepoURL string `json:"repoURL"`
	Path    string `json:"path"`
	Chart   string `json:"chart"`
}

// argoRevisions is what was applied: one source, or several with a revision
// each, in which case the single ones are empty.
type argoRevisions struct {
	Revision  string       `json:"revision"`
	Revisions []string     `json:"revisions"`
	Source    argoSource   `json:"source"`
	Sources   []argoSource `json:"sources"`
}

// argoApplication is what is read of an Application.
type argoApplication struct {
	Spec struct {
		Destination struct {
			Server    string `json:"server"`
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"destination"`
	} `json:"spec"`
	Status struct {
		History []struct {
			argoRevisions
			ID              int64  `json:"id"`
			DeployedAt      string `json:"deployedAt"`
			DeployStartedAt string `json:"deployStartedAt"`
		} `json:"history"`
		OperationState *argoOperation `json:"operationState"`
		Resources      []struct {
			Group     string `json:"group"`
			Kind      string `json:"kind"`
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"resources"`
	} `json:"status"`
}

// argoOperation is the operation that runs, or ran last.
type argoOperation struct {
	Phase      string `json:"phase"`
	StartedAt  string `json:"startedAt"`
	FinishedAt string `json:"finishedAt"`
	Operation  struct {
		Sync *struct {
			DryRun    bool       `json:"dryRun"`
			Resources []struct{} `json:"resources"`
		} `json:"sync"`
	} `json:"operation"`
	SyncResult *argoRevisions `json:"syncResult"`
}

// newDelivery is what all kinds have.
func newDelivery[B any](c *collection, tool record.Tool, kind string, o *custom[B]) delivery {
	service, _ := c.labelled(o.Labels)
	d := delivery{Delivery: record.Delivery{
		From: record.StreamGitOps, Tool: tool, Object: c.object(kind, &o.ObjectMeta), Service: service, ServiceNamespace: o.Namespace,
		Created: o.CreationTimestamp.UTC(),
	}}
	if o.DeletionTimestamp != nil {
		d.Deleted = o.DeletionTimestamp.UTC()
	}
	return d
}

func (c *collection) takeApplication(j *job, o *custom[argoApplication]) error {
	d := newDelivery(c, record.ToolArgoCD, kindApplication, o)
	to := o.Body.Spec.Destination
	d.OtherCluster = to.Name != "" && to.Name != "in-cluster" || to.Server != "" && to.Server != "https://kubernetes.default.svc"
	if isPlainName(to.Namespace) {
		d.Target = to.Namespace
	}
	d.Applied = argoApplied(&o.Body)
	if !d.OtherCluster {
		resources := o.Body.Status.Resources
		for _, r := range resources[:min(len(resources), maxResources)] {
			if isBuiltin(r.Group) {
				d.resources = append(d.resources, objectKey{r.Kind, r.Namespace, r.Name})
			}
		}
	}
	j.deliveries = append(j.deliveries, d)
	return nil
}

// isBuiltin leaves out groups of other makers, which have kinds of the same names.
func isBuiltin(group string) bool {
	return strings.IndexByte(group, '.') < 0 || strings.HasSuffix(group, ".k8s.io")
}

// argoApplied lists the syncs that the history tells of, and the last operation
// where the history has no place for it: one that failed, that still runs, or that
// applied only chosen objects. A dry run applies nothing.
func argoApplied(a *argoApplication) []record.Applied {
	var out []record.Applied
	history := a.Status.History
	for _, h := range history[max(0, len(history)-maxApplied):] {
		one := record.Applied{
			Key: "history " + strconv.FormatInt(h.ID, 10), Number: h.ID, Sources: h.sources(),
			Started: instant(h.DeployStartedAt), StartedFrom: record.StartedStatus, Finished: instant(h.DeployedAt), State: record.RolloutComplete,
		}
		if !one.Started.IsZero() {
			one.Key = operationKey(one.Started) // it was an operation before it was history
		}
		out = append(out, one)
	}
	op := a.Status.OperationState
	if op == nil || op.Operation.Sync == nil || op.Operation.Sync.DryRun {
		return orderApplied(out)
	}
	last := record.Applied{
		Number: -1, Selective: len(op.Operation.Sync.Resources) > 0,
		Started: instant(op.StartedAt), StartedFrom: record.StartedStatus, Finished: instant(op.FinishedAt),
	}
	switch op.Phase {
	case "Running", "Terminating":
		last.State, last.Finished = record.RolloutProgressing, time.Time{}
	case "Failed", "Error":
		last.State, last.Reason = record.RolloutFailed, op.Phase
	case "Succeeded":
		last.State = record.RolloutComplete
	default:
		return orderApplied(out)
	}
	if op.SyncResult != nil {
		last.Sources = op.SyncResult.sources()
	}
	last.Key = operationKey(last.Started)
	if last.Started.IsZero() || last.State == record.RolloutComplete && !last.Selective {
		return orderApplied(out)
	}
	return orderApplied(append(out, last))
}

func operationKey(started time.Time) string { return "operation " + started.Format(time.RFC3339) }

func (r *argoRevisions) sources() []record.ConfigSource {
	if len(r.Sources) == 0 {
		return []record.ConfigSource{r.Source.config(r.Revision)}
	}
	var out []record.ConfigSource
	for i, s := range r.Sources[:min(len(r.Sources), maxSources)] {
		revision := ""
		if i < len(r.Revisions) {
			revision = r.Revisions[i]
		}
		out = append(out, s.config(revision))
	}
	return out
}

// config tells a chart from a repository: its revision is the chart's version.
func (s *argoSource) config(revision string) record.ConfigSource {
	if !isRevision(revision) {
		revision = ""
	}
	out := record.ConfigSource{Repository: repository(s.RepoURL)}
	if s.Chart != "" {
		if isRevision(s.Chart) {
			out.Chart, out.ChartVersion = s.Chart, revision
		}
		return out
	}
	out.Revision, out.Path = revision, folder(s.Path)
	return out
}

// orderApplied puts the oldest first, and leaves out what has the key of another
// or no time.
func orderApplied(list []record.Applied) []record.Applied {
	keys := map[string]bool{}
	list = slices.DeleteFunc(list, func(a record.Applied) bool {
		twice := keys[a.Key]
		keys[a.Key] = true
		return twice || when(a).IsZero()
	})
	slices.SortStableFunc(list, func(a, b record.Applied) int {
		return cmp.Or(when(a).Compare(when(b)), cmp.Compare(a.Number, b.Number))
	})
	return list[max(0, len(list)-maxApplied):]
}

func when(a record.Applied) time.Time {
	for _, t := range []time.Time{a.Started, a.Finished, a.Before, a.After} {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// isRevision takes commits, tags, versions and digests, and the names of charts.
func isRevision(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if !isWordByte(s[i]) && !strings.ContainsRune("/:@+", rune(s[i])) {
			return false
		}
	}
	return true
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// folder keeps a path in a repository, without what says "here".
func folder(s string) string {
	s = strings.Trim(strings.TrimPrefix(s, "./"), "/")
	if s == "." || len(s) > 256 {
		return ""
	}
	for i := range len(s) {
		if !isWordByte(s[i]) && s[i] != '/' {
			return ""
		}
	}
	return s
}

// repository keeps host and path of an address. User, password, query and
// fragment, which may be credentials, are dropped; what is no address is empty.
func repository(address string) string {
	if len(address) > 512 {
		return ""
	}
	scheme, rest, ok := strings.Cut(address, "://")
	switch {
	case ok && slices.Contains([]string{"https", "http", "ssh", "git", "oci", "git+ssh", "git+https"}, scheme):
	case ok:
		return ""
	default:
		// git@host:path, or an OCI registry, which Argo CD writes without a scheme.
		rest = address
		if at := strings.IndexByte(rest, '@'); at >= 0 {
			rest = strings.Replace(rest[at+1:], ":", "/", 1)
		}
	}
	if end := strings.IndexAny(rest, "#?"); end >= 0 {
		if strings.ContainsRune(rest[end:], '@') {
			return "" // what was cut may be the host, and what is left a password
		}
		rest = rest[:end]
	}
	authority, path, _ := strings.Cut(rest, "/")
	host := strings.ToLower(authority[strings.LastIndexByte(authority, '@')+1:])
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	if !isHostPort(host) || strings.ContainsRune(path, '@') {
		return ""
	}
	for i := range len(path) {
		if !isWordByte(path[i]) && !strings.ContainsRune("/~%+", rune(path[i])) {
			return ""
		}
	}
	if path == "" {
		return host
	}
	return host + "/" + path
}

// isHostPort takes the name of a host, with or without a port.
func isHostPort(s string) bool {
	host, port, ported := strings.Cut(s, ":")
	if ported {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	return isPlainName(host)
}
