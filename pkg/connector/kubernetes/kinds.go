package kubernetes

import (
	"context"
	"encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// kind is one kind of object that is read: where it is listed, to which stream
// it belongs, and what is kept of it.
type kind struct {
	resource
	stream string
	// accept is the form that is asked for; empty for whole objects. selector is a
	// field selector.
	accept, selector string
	// foreign says that the kind belongs to a CustomResourceDefinition, which may not
	// be there.
	foreign bool
	// versions are those of a foreign kind that are understood, the best first.
	versions []string
	// labels is a label selector.
	labels string
	// values says that values of data are read, so that the bytes of answers are
	// wiped.
	values bool
	// read lists the objects of a job and cuts them down.
	read func(ctx context.Context, c *collection, j *job) error
	// take cuts down one object of a recording, in JSON.
	take func(c *collection, j *job, object []byte) error
	// page makes an empty page, of which the decoder must know the type.
	page func() pager
}

// kindOf ties the list type of a kind to what cuts its objects down.
func kindOf[T, L any, PT interface {
	*T
	metav1.Object
}, PL interface {
	*L
	pager
}](r resource, stream string, items func(PL) []T, cut func(*collection, *job, PT) error,
) kind {
	return kind{
		resource: r, stream: stream,
		page: func() pager { return PL(new(L)) },
		read: func(ctx context.Context, c *collection, j *job) error {
			return list(ctx, c.api, &j.listing, func() PL { return PL(new(L)) }, items, func(object PT) error {
				if !c.admits(j, object) {
					return nil
				}
				return cut(c, j, object)
			})
		},
		take: func(c *collection, j *job, object []byte) error {
			t := PT(new(T))
			if tooManyParts(object) {
				return errTooMany
			}
			if err := json.Unmarshal(object, t); err != nil {
				return errWrongKind
			}
			if more, err := j.count(t, c.config.MaxObjects); err != nil || !more || !c.admits(j, t) {
				return err
			}
			return cut(c, j, t)
		},
	}
}

// metadataOf is a kind of which only the metadata is read: values never cross the
// wire.
func metadataOf(r resource, stream string, cut func(*collection, *job, *metav1.PartialObjectMetadata) error) kind {
	k := kindOf(r, stream, func(l *metav1.PartialObjectMetadataList) []metav1.PartialObjectMetadata { return l.Items }, cut)
	k.accept = asMetadata
	return k
}

// kinds lists every kind that a config can ask for, in the order in which they
// are read.
func (c *Config) kinds() []kind {
	return slices.Concat(workloadKinds(), settingKinds(c), podKinds(), nodeKinds(), gitopsKinds(), helmKinds(), eventKinds())
}

// allStreams lists the streams in the order of Capabilities and Coverage, which
// is also the order in which their records are emitted.
func allStreams() []string {
	return []string{
		record.StreamWorkloads, record.StreamConfigMaps, record.StreamSecrets, record.StreamConfiguration,
		record.StreamCRDs, record.StreamRBAC, record.StreamPods, record.StreamNodes, record.StreamGitOps, record.StreamHelm,
		record.StreamEvents,
	}
}

// mode says when a stream is read.
type mode int

const (
	always  mode = iota // unless the config names others; a missing grant is a gap
	granted             // by default where the credential may; when named, as always
	asked               // only when the config names it
)

// modeOf says when a stream is read. Reading Secrets, even their metadata, takes a
// grant that many rightly do not give, and kinds of the whole cluster take a
// ClusterRole: a run without them is complete, and says so.
func modeOf(stream string) mode {
	switch stream {
	case record.StreamSecrets, record.StreamCRDs, record.StreamNodes, record.StreamGitOps:
		return granted
	case record.StreamRBAC, record.StreamHelm:
		return asked
	}
	return always
}

// streams are the streams that the config asks for, in the order of allStreams.
func (c *Config) streams() []string {
	return slices.DeleteFunc(allStreams(), func(s string) bool {
		if len(c.Streams) == 0 {
			return modeOf(s) == asked
		}
		return !slices.Contains(c.Streams, s)
	})
}

// optional reports whether a stream is left out without a gap where the credential
// may not read it, or the cluster has none of it.
func (c *Config) optional(stream string) bool {
	return len(c.Streams) == 0 && modeOf(stream) == granted
}

// resources lists what a stream reads.
func (c *Config) resources(stream string) []resource {
	var out []resource
	for _, k := range c.kinds() {
		if k.stream == stream && !slices.Contains(out, k.resource) {
			out = append(out, k.resource)
		}
	}
	return out
}
