package kubernetes

import (
	"context"
	"encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kjson "k8s.io/apimachinery/pkg/util/json"
)

// groupsPath lists the API groups that the server knows. Everybody who is
// authenticated may ask.
const groupsPath = "/apis"

// foreignPage bounds a page of custom resources: one may be hundreds of KB, and
// they are only in JSON.
const foreignPage = 100

// groups are the versions that a server serves, by group.
type groups map[string][]string

// servedGroups asks once which kinds the server can know at all: to ask for one
// that it does not know would look like a fault.
func (c *client) servedGroups(ctx context.Context) (groups, error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience(ctx))
	defer cancel()
	body, err := c.rest.Get().AbsPath(groupsPath).SetHeader("Accept", runtime.ContentTypeJSON).
		DoRaw(withPurpose(ctx, "", "which kinds the server knows"))
	if err != nil {
		return nil, err
	}
	return parseGroups(body)
}

func parseGroups(body []byte) (groups, error) {
	var list struct {
		Kind   string `json:"kind"`
		Groups []struct {
			Name     string `json:"name"`
			Versions []struct {
				Version string `json:"version"`
			} `json:"versions"`
		} `json:"groups"`
	}
	if err := json.Unmarshal(body, &list); err != nil || list.Kind != "APIGroupList" {
		return nil, errWrongKind
	}
	out := groups{}
	for _, g := range list.Groups {
		for _, v := range g.Versions {
			out[g.Name] = append(out[g.Name], v.Version)
		}
	}
	return out, nil
}

// best is the first of the versions that is served.
func (g groups) best(group string, versions []string) (string, bool) {
	for _, v := range versions {
		if slices.Contains(g[group], v) {
			return v, true
		}
	}
	return "", false
}

// findForeign chooses for each planned custom resource the version that is
// served. A kind without one is not asked for. Where the server does not say
// which it knows, a stream that was not asked for by name is left out, and one
// that was is tried.
func (c *collection) findForeign(ctx context.Context) {
	if !slices.ContainsFunc(c.jobs, func(j *job) bool { return j.foreign }) {
		return
	}
	served, err := c.api.servedGroups(ctx)
	for _, j := range c.jobs {
		if !j.foreign {
			continue
		}
		if err != nil {
			j.unknown, j.absent = j.optional, j.optional
			continue
		}
		version, ok := served.best(j.resource.group, j.versions)
		if !ok {
			j.absent = true
			continue
		}
		j.resource.version = version
	}
}

// custom is an object of a CustomResourceDefinition: of its metadata what is
// needed, and B.
type custom[B any] struct {
	metav1.ObjectMeta
	Body B
	// Broken says that the body is not as its definition says.
	Broken bool
}

// UnmarshalJSON keeps what is needed and drops the rest at once. Without a schema
// a custom resource may hold anything: one that cannot be read is not to take
// the list with it.
func (o *custom[B]) UnmarshalJSON(raw []byte) error {
	var head struct {
		Metadata struct {
			Name              string            `json:"name"`
			Namespace         string            `json:"namespace"`
			UID               string            `json:"uid"`
			CreationTimestamp metav1.Time       `json:"creationTimestamp"`
			DeletionTimestamp *metav1.Time      `json:"deletionTimestamp"`
			Labels            map[string]string `json:"labels"`
		} `json:"metadata"`
	}
	if err := kjson.Unmarshal(raw, &head); err != nil {
		return err
	}
	m := head.Metadata
	o.Name, o.Namespace, o.Labels = m.Name, m.Namespace, m.Labels
	o.UID = types.UID(m.UID)
	o.CreationTimestamp, o.DeletionTimestamp = m.CreationTimestamp, m.DeletionTimestamp
	o.Broken = kjson.Unmarshal(raw, &o.Body) != nil
	return nil
}

// customList is a page of custom resources.
type customList[B any] struct {
	metav1.TypeMeta
	metav1.ListMeta `json:"metadata"`
	Items           []custom[B] `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (l *customList[B]) DeepCopyObject() runtime.Object {
	out := *l
	out.Items = slices.Clone(l.Items)
	return &out
}

// foreignOf is a kind of custom resource in the versions that are understood, the
// best first.
func foreignOf[B any](group, plural, name, stream string, versions []string, cut func(*collection, *job, *custom[B]) error) kind {
	k := kindOf(resource{group: group, version: versions[0], plural: plural, kind: name}, stream,
		func(l *customList[B]) []custom[B] { return l.Items },
		func(c *collection, j *job, o *custom[B]) error {
			if o.Broken {
				j.broken++
				return nil
			}
			return cut(c, j, o)
		})
	k.foreign, k.versions, k.accept = true, versions, runtime.ContentTypeJSON
	return k
}
