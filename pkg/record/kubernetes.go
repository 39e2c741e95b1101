package record

import "time"

// Streams of the kubernetes connector.
const (
	StreamWorkloads     = "workloads"     // Deployments, StatefulSets, DaemonSets with their revisions, Jobs, CronJobs
	StreamPods          = "pods"          // container status
	StreamEvents        = "events"        // core/v1 Events
	StreamConfigMaps    = "configmaps"    // metadata only, unless fingerprints are asked for
	StreamSecrets       = "secrets"       // metadata only, unless fingerprints are asked for
	StreamConfiguration = "configuration" // Services, Ingresses, NetworkPolicies, autoscalers, quotas, disruption budgets
	StreamNodes         = "nodes"
	StreamCRDs          = "crds"   // CustomResourceDefinitions: their versions
	StreamRBAC          = "rbac"   // ServiceAccounts, Roles and their bindings
	StreamGitOps        = "gitops" // Argo CD Applications, Flux Kustomizations and HelmReleases: status
	StreamHelm          = "helm"   // labels of Helm's release Secrets
)

// Object names a Kubernetes object.
type Object struct {
	// Cluster is the cluster id of the service key.
	Cluster string
	// Kind as the API spells it: Deployment, Pod.
	Kind string
	// Namespace is empty for a cluster-scoped object.
	Namespace, Name, UID string
}

// Service says which service an object belongs to.
type Service struct {
	// Name is the last part of the service key; empty when it is not known.
	Name string
	// Basis says how the name is known: "label app.kubernetes.io/name" or another
	// label, "workload name", "owner", "generated name", "consumer" (of a Setting),
	// "reference" (of an autoscaler), "managed workloads" (of a Delivery), or
	// "snapshot" (the last look knew it).
	Basis string
}

// UnusualManager stands for the name of a manager that is not like that of a
// program: free text, or somebody's address.
const UnusualManager = "(unusual name)"

// Manager is an entry of metadata.managedFields.
type Manager struct {
	// Name is chosen by the client: kubectl-edit, helm, argocd-controller; or
	// UnusualManager.
	Name string
	// Subresource is "scale" or empty.
	Subresource string
	// Template says that the entry owns fields of the pod template, Data that it
	// owns some of the Keys of a Setting. Keys are those that it owns, sorted.
	Template, Data bool
	Keys           []string
	// Pauses says that the entry owns the field that pauses or suspends.
	Pauses bool
	// Time is when this manager last changed a field of its own, whichever that
	// was: a later change of a label hides when it wrote the template. It is zero for
	// the scale subresource, where Kubernetes leaves it out: such an entry says
	// who set the present number of replicas, and not when.
	Time time.Time
}
