package kubernetes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/record"
)

// fluxRef names an object of Flux.
type fluxRef struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

func (r fluxRef) key(namespace string) objectKey {
	if r.Namespace != "" {
		namespace = r.Namespace
	}
	return objectKey{r.Kind, namespace, r.Name}
}

// fluxCondition is a condition of an object of Flux.
type fluxCondition struct {
	Type               string `json:"type"`
	Status             string `json:"status"`
	Reason             string `json:"reason"`
	LastTransitionTime string `json:"lastTransitionTime"`
}

func condition(list []fluxCondition, name string) fluxCondition {
	if i := slices.IndexFunc(list, func(c fluxCondition) bool { return c.Type == name }); i >= 0 {
		return list[i]
	}
	return fluxCondition{}
}

// fluxKustomization is what is read of a Kustomization.
type fluxKustomization struct {
	Spec struct {
		Path            string    `json:"path"`
		TargetNamespace string    `json:"targetNamespace"`
		SourceRef       fluxRef   `json:"sourceRef"`
		KubeConfig      *struct{} `json:"kubeConfig"`
	} `json:"spec"`
	Status struct {
		LastAppliedRevision   string          `json:"lastAppliedRevision"`
		LastAttemptedRevision string          `json:"lastAttemptedRevision"`
		Conditions            []fluxCondition `json:"conditions"`
		History               []fluxSnapshot  `json:"history"`
		Inventory             struct {
			Entries []struct {
				ID string `json:"id"`
			} `json:"entries"`
		} `json:"inventory"`
	} `json:"status"`
}

// fluxSnapshot is a content that was applied, with one outcome: its digest is that
// of the manifests, and its revision the last one that gave them.
type fluxSnapshot struct {
	Digest               string `json:"digest"`
	FirstReconciled      string `json:"firstReconciled"`
	LastReconciled       string `json:"lastReconciled"`
	LastReconciledStatus string `json:"lastReconciledStatus"`
	TotalReconciliations int64  `json:"totalReconciliations"`
	Metadata             struct {
		Revision string `json:"revision"`
	} `json:"metadata"`
}

// succeeded is the reason of what Flux applied.
const succeeded = "ReconciliationSucceeded"

func (c *collection) takeKustomization(j *job, o *custom[fluxKustomization]) error {
	spec, status := o.Body.Spec, o.Body.Status
	d := newDelivery(c, record.ToolFlux, kindKustomization, o)
	d.OtherCluster = spec.KubeConfig != nil
	if isPlainName(spec.TargetNamespace) {
		d.Target = spec.TargetNamespace
	}
	d.source = spec.SourceRef.key(o.Namespace)
	if !d.OtherCluster {
		for _, e := range status.Inventory.Entries[:min(len(status.Inventory.Entries), maxResources)] {
			if key, ok := inventoryKey(e.ID); ok {
				d.resources = append(d.resources, key)
			}
		}
	}
	place := record.ConfigSource{Path: folder(spec.Path)}
	d.Applied = kustomizationApplied(status.History, place)
	d.current = attempt{
		applied: status.LastAppliedRevision, attempted: status.LastAttemptedRevision,
		failure: failure(status.Conditions, "Ready"), place: place, latest: latestOf(status.History),
	}
	j.deliveries = append(j.deliveries, d)
	return nil
}

// inventoryKey reads "namespace_name_group_kind"; in a name ":" is written "__".
func inventoryKey(id string) (objectKey, bool) {
	namespace, rest, ok := strings.Cut(id, "_")
	last := strings.LastIndexByte(rest, '_')
	if !ok || last < 0 {
		return objectKey{}, false
	}
	kind := rest[last+1:]
	rest = rest[:last]
	name := strings.LastIndexByte(rest, '_')
	if name < 0 || !isBuiltin(rest[name+1:]) {
		return objectKey{}, false
	}
	return objectKey{kind, namespace, strings.ReplaceAll(rest[:name], "__", ":")}, true
}

// maxComeBack is how far apart the bounds may lie of the time at which a content
// came back: the later one moves on with each reconciliation, and what may have
// been at any time tells nothing.
const maxComeBack = 2 * time.Hour

// kustomizationApplied lists when a content was first applied, and when it came
// back. The revision of a snapshot is the last one that gave that content, which
// is that of the first time only where there was no other.
func kustomizationApplied(history []fluxSnapshot, place record.ConfigSource) []record.Applied {
	var out []record.Applied
	for i, h := range history[:min(len(history), maxApplied)] {
		first, last := instant(h.FirstReconciled), instant(h.LastReconciled)
		if !isRevision(h.Digest) || first.IsZero() {
			continue
		}
		one := record.Applied{
			Key: "content " + h.Digest, Number: -1, Finished: first, Sources: []record.ConfigSource{place}, State: record.RolloutComplete,
		}
		if h.LastReconciledStatus != succeeded {
			one.Key, one.State, one.Reason = "failed "+h.Digest, record.RolloutFailed, reasonWord(h.LastReconciledStatus)
		}
		revision := h.Metadata.Revision
		if h.TotalReconciliations == 1 {
			one.Sources = placed(place, undecorated(revision))
		}
		out = append(out, one)
		// The list is in the order of the last times. What has a first time before
		// the last one of an older content came back after that.
		if i+1 < len(history) && one.State == record.RolloutComplete {
			before := history[i+1]
			if after := instant(before.LastReconciled); before.LastReconciledStatus == succeeded && first.Before(after) && after.Before(last) && last.Sub(after) <= maxComeBack {
				out = append(out, record.Applied{
					Key: "content " + h.Digest + " after " + after.Format(time.RFC3339), Number: -1, Sources: placed(place, undecorated(revision)),
					After: after, Before: last, State: record.RolloutComplete,
				})
			}
		}
	}
	return orderApplied(out)
}

// placed is a place at a revision.
func placed(place record.ConfigSource, revision string) []record.ConfigSource {
	place.Revision = revision
	return []record.ConfigSource{place}
}

// attempt is what an object of Flux says of the present, from which it is told
// what its history does not.
type attempt struct {
	applied, attempted string
	failure            fluxFailure
	place              record.ConfigSource
	latest             latest
}

// latest is the newest entry of a history: its key, none without a history, its
// revision as it stands there, and whether it failed.
type latest struct {
	key, revision string
	failed        bool
}

func latestOf(history []fluxSnapshot) latest {
	if len(history) == 0 {
		return latest{}
	}
	h := history[0]
	return latest{"content " + h.Digest, h.Metadata.Revision, h.LastReconciledStatus != succeeded}
}

// fluxFailure is why the last attempt failed, and when that was last said.
type fluxFailure struct {
	reason string
	since  time.Time
}

// failure reads a condition that is false.
func failure(list []fluxCondition, name string) fluxFailure {
	c := condition(list, name)
	if c.Status != "False" || c.Reason == "DependencyNotReady" || c.Reason == "Progressing" {
		return fluxFailure{}
	}
	return fluxFailure{cmp.Or(reasonWord(c.Reason), "Unknown"), instant(c.LastTransitionTime)}
}

// fluxRelease is what is read of a HelmRelease.
type fluxRelease struct {
	Spec struct {
		Chart struct {
			Spec struct {
				Chart     string  `json:"chart"`
				SourceRef fluxRef `json:"sourceRef"`
			} `json:"spec"`
		} `json:"chart"`
		ChartRef        *fluxRef  `json:"chartRef"`
		TargetNamespace string    `json:"targetNamespace"`
		KubeConfig      *struct{} `json:"kubeConfig"`
	} `json:"spec"`
	Status struct {
		LastAppliedRevision   string          `json:"lastAppliedRevision"`
		LastAttemptedRevision string          `json:"lastAttemptedRevision"`
		LastReleaseRevision   int64           `json:"lastReleaseRevision"`
		Conditions            []fluxCondition `json:"conditions"`
		History               []struct {
			Name          string `json:"name"`
			Version       int64  `json:"version"`
			Status        string `json:"status"`
			ChartName     string `json:"chartName"`
			ChartVersion  string `json:"chartVersion"`
			FirstDeployed string `json:"firstDeployed"`
			LastDeployed  string `json:"lastDeployed"`
		} `json:"history"`
	} `json:"status"`
}

func (c *collection) takeHelmRelease(j *job, o *custom[fluxRelease]) error {
	spec, status := o.Body.Spec, o.Body.Status
	d := newDelivery(c, record.ToolFlux, kindHelmRelease, o)
	d.OtherCluster = spec.KubeConfig != nil
	d.Target = o.Namespace
	if isPlainName(spec.TargetNamespace) {
		d.Target = spec.TargetNamespace
	}
	d.source = spec.Chart.Spec.SourceRef.key(o.Namespace)
	if spec.ChartRef != nil {
		d.source = spec.ChartRef.key(o.Namespace)
	}
	for _, h := range status.History[:min(len(status.History), maxApplied)] {
		state, ok := helmState(h.Status)
		// A release that is installed anew counts from 1 again.
		if first := instant(h.FirstDeployed); ok && !first.IsZero() {
			d.Applied = append(d.Applied, record.Applied{
				Key: "release " + strconv.FormatInt(h.Version, 10) + " of " + first.Format(time.RFC3339), Number: h.Version,
				Sources: chart(h.ChartName, h.ChartVersion), Started: instant(h.LastDeployed), StartedFrom: record.StartedStatus, State: state,
			})
		}
	}
	name := spec.Chart.Spec.Chart
	if name == "" && len(status.History) > 0 {
		name = status.History[0].ChartName
	}
	released := condition(status.Conditions, "Released")
	if at := instant(released.LastTransitionTime); len(status.History) == 0 && released.Status == "True" && status.LastReleaseRevision > 0 && !at.IsZero() {
		d.Applied = append(d.Applied, record.Applied{
			Key: "release " + strconv.FormatInt(status.LastReleaseRevision, 10), Number: status.LastReleaseRevision,
			Sources: chart(name, status.LastAppliedRevision), Finished: at, State: record.RolloutComplete,
		})
	}
	// What failed before there was a release is in no history.
	fail := failure(status.Conditions, "Released")
	if fail.since.IsZero() {
		fail = failure(status.Conditions, "Ready")
	}
	told := len(status.History) > 0 && status.History[0].Status == "failed"
	if tried := status.LastAttemptedRevision; !fail.since.IsZero() && !told && isRevision(tried) {
		d.Applied = append(d.Applied, record.Applied{
			Key: "failed " + tried, Number: -1, Sources: chart(name, tried), Finished: fail.since, State: record.RolloutFailed, Reason: fail.reason,
		})
	}
	d.Applied = orderApplied(d.Applied)
	j.deliveries = append(j.deliveries, d)
	return nil
}

// chart names a chart. The name in a specification may be a path.
func chart(name, version string) []record.ConfigSource {
	s := record.ConfigSource{}
	if name = name[strings.LastIndexByte(name, '/')+1:]; isRevision(name) {
		s.Chart = name
	}
	if isRevision(version) {
		s.ChartVersion = version
	}
	if s == (record.ConfigSource{}) {
		return nil
	}
	return []record.ConfigSource{s}
}

// helmState reads Helm's word for a release. What is superseded was deployed; what
// is uninstalled was too, and when it went is not told here.
func helmState(s string) (record.RolloutState, bool) {
	switch s {
	case "deployed", "superseded", "uninstalled", "uninstalling":
		return record.RolloutComplete, true
	case "failed":
		return record.RolloutFailed, true
	case "pending-install", "pending-upgrade", "pending-rollback":
		return record.RolloutProgressing, true
	case "unknown":
		return record.RolloutUnknown, true
	}
	return "", false
}

// undecorated strips what Flux puts before a revision: main@sha1:1a2b, the older
// main/1a2b, v1.2@sha1:1a2b. The digest of an artifact, which is no commit, keeps
// its algorithm.
func undecorated(s string) string {
	if !isRevision(s) {
		return ""
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = s[i+1:]
	}
	if commit, ok := strings.CutPrefix(s, "sha1:"); ok {
		return commit
	}
	if i := strings.LastIndexByte(s, '/'); i >= 0 && isHex(s[i+1:]) {
		return s[i+1:]
	}
	return s
}

// isHex takes a full commit.
func isHex(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// fluxFetched is what is read of a GitRepository, OCIRepository or HelmRepository.
type fluxFetched struct {
	Spec struct {
		URL string `json:"url"`
	} `json:"spec"`
	Status struct {
		Artifact struct {
			Revision       string `json:"revision"`
			LastUpdateTime string `json:"lastUpdateTime"`
		} `json:"artifact"`
	} `json:"status"`
}

func (c *collection) takeFluxSource(j *job, o *custom[fluxFetched]) error {
	artifact := o.Body.Status.Artifact
	if j.sources == nil {
		j.sources = map[objectKey]fluxSource{}
	}
	j.sources[objectKey{j.resource.kind, o.Namespace, o.Name}] = fluxSource{
		repository: repository(o.Body.Spec.URL), revision: artifact.Revision, fetched: instant(artifact.LastUpdateTime),
	}
	return nil
}
