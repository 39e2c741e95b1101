package kubernetes

import (
	"strings"

	"github.com/rcactl/rcactl/pkg/record"
)

// The labels and annotations by which delivery tools know what is theirs.
const (
	argoInstanceLabel       = "argocd.argoproj.io/instance"
	argoTrackingAnnotation  = "argocd.argoproj.io/tracking-id"
	fluxHelmNameLabel       = "helm.toolkit.fluxcd.io/name"
	fluxHelmNamespaceLabel  = "helm.toolkit.fluxcd.io/namespace"
	fluxApplyNameLabel      = "kustomize.toolkit.fluxcd.io/name"
	fluxApplyNamespaceLabel = "kustomize.toolkit.fluxcd.io/namespace"
	managedByLabel          = "app.kubernetes.io/managed-by"
	helmNameAnnotation      = "meta.helm.sh/release-name"
	helmNamespaceAnnotation = "meta.helm.sh/release-namespace"
)

// Kinds of objects of delivery tools.
const (
	kindApplication   = "Application"
	kindKustomization = "Kustomization"
	kindHelmRelease   = "HelmRelease"
	kindRelease       = "Release"
)

// managedBy reads what an object says of the tool that manages it; nil when it
// says nothing, or something that no tool would write. A chart that Flux installs
// carries the marks of Helm too, so that the outer tool comes first.
func managedBy(o record.Object, labels, annotations map[string]string) *record.ManagedBy {
	if by := argoTracking(o, annotations[argoTrackingAnnotation]); by != nil {
		return by
	}
	if app := labels[argoInstanceLabel]; app != "" {
		return application(app)
	}
	if by := managing(record.ToolFlux, kindHelmRelease, labels[fluxHelmNamespaceLabel], labels[fluxHelmNameLabel]); by != nil {
		return by
	}
	if by := managing(record.ToolFlux, kindKustomization, labels[fluxApplyNamespaceLabel], labels[fluxApplyNameLabel]); by != nil {
		return by
	}
	if labels[managedByLabel] != "Helm" {
		return nil
	}
	return managing(record.ToolHelm, kindRelease, annotations[helmNamespaceAnnotation], annotations[helmNameAnnotation])
}

func managing(tool record.Tool, kind, namespace, name string) *record.ManagedBy {
	if !isPlainName(name) || !isPlainName(namespace) {
		return nil
	}
	return &record.ManagedBy{Tool: tool, Kind: kind, Namespace: namespace, Name: name}
}

// argoTracking reads "app:group/kind:namespace/name". It is copied with the
// object at times, and then names another one: Argo CD does not take that for its
// own, and neither do we.
func argoTracking(o record.Object, id string) *record.ManagedBy {
	if id == "" {
		return nil
	}
	app, rest, ok := strings.Cut(id, ":")
	_, rest, slash := strings.Cut(rest, "/")
	kind, object, colon := strings.Cut(rest, ":")
	namespace, name, named := strings.Cut(object, "/")
	if !ok || !slash || !colon || !named || kind != o.Kind || name != o.Name || namespace != o.Namespace && o.Namespace != "" {
		return nil
	}
	return application(app)
}

// application reads the name by which Argo CD knows an Application: one outside
// its own namespace is called namespace_name.
func application(s string) *record.ManagedBy {
	namespace, name, qualified := strings.Cut(s, "_")
	if !qualified {
		namespace, name = "", s
	}
	if !isPlainName(name) || qualified && !isPlainName(namespace) {
		return nil
	}
	return &record.ManagedBy{Tool: record.ToolArgoCD, Kind: kindApplication, Namespace: namespace, Name: name}
}
