package kubernetes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// helmPrefix begins the name of a Secret in which Helm keeps a version of a
// release: sh.helm.release.v1.NAME.vVERSION.
const helmPrefix = "sh.helm.release.v1."

// helmNote stands in the manifest whenever the stream was read.
const helmNote = "Of Helm's release Secrets only the metadata was asked for, and the server left out what they hold. " +
	"RBAC cannot say that: the grant to list secrets allows to read their values, so give it knowingly."

// release is a version of a release, as the labels of its Secret tell it.
type release struct {
	namespace, name string
	record.Applied
}

// helmKinds are the Secrets in which Helm keeps its releases. Their data holds all
// values that were given to the chart: it is never asked for.
func helmKinds() []kind {
	k := metadataOf(secrets(), record.StreamHelm, (*collection).takeRelease)
	k.labels = "owner=helm"
	return []kind{k}
}

func (c *collection) takeRelease(j *job, m *metav1.PartialObjectMetadata) error {
	if r, ok := cutRelease(m); ok {
		j.releases = append(j.releases, r)
	}
	return nil
}

// cutRelease takes the labels that Helm writes where they agree with the name. The
// time of a version is the creation of its Secret: the label modifiedAt of one that
// is superseded says when it was replaced.
func cutRelease(m *metav1.PartialObjectMetadata) (release, bool) {
	name, version := m.Labels["name"], m.Labels["version"]
	number, err := strconv.ParseInt(version, 10, 32)
	state, known := helmState(m.Labels["status"])
	if err != nil || number < 1 || !known || m.Labels["owner"] != "helm" || !isPlainName(name) ||
		m.Name != helmPrefix+name+".v"+version || m.CreationTimestamp.IsZero() {
		return release{}, false
	}
	out := release{namespace: m.Namespace, name: name, Applied: record.Applied{
		Key: string(m.UID), Number: number, Started: m.CreationTimestamp.UTC(), StartedFrom: record.StartedCreation, State: state,
	}}
	if s := m.Labels["status"]; s == "deployed" || s == "failed" {
		if at := unixLabel(m.Labels["modifiedAt"]); !at.Before(out.Started) {
			out.Finished = at
		}
	}
	return out, true
}

// unixLabel reads seconds; zero for what is none.
func unixLabel(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || len(s) > 11 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// gatherReleases makes one record of the versions of each release.
func (c *collection) gatherReleases(list []release) []delivery {
	slices.SortFunc(list, func(a, b release) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.name, b.name), cmp.Compare(a.Number, b.Number))
	})
	var out []delivery
	for _, r := range list {
		if n := len(out); n == 0 || out[n-1].Object.Namespace != r.namespace || out[n-1].Object.Name != r.name {
			out = append(out, delivery{Delivery: record.Delivery{
				From: record.StreamHelm, Tool: record.ToolHelm, Target: r.namespace, ServiceNamespace: r.namespace,
				Object: record.Object{Cluster: c.clusterID, Kind: kindRelease, Namespace: r.namespace, Name: r.name},
			}})
		}
		d := &out[len(out)-1]
		d.Applied = append(d.Applied, r.Applied)
	}
	for i := range out {
		out[i].Applied = orderApplied(out[i].Applied)
	}
	return out
}
