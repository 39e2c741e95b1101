package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/kubernetes/dump"
	"github.com/rcactl/rcactl/pkg/record"
)

// recording is a cluster as somebody wrote it down. It is walked once to learn
// what it holds and when it was made, once for the objects, and once more for
// what is passed on page by page.
type recording struct {
	*dump.Recording
	now    func() time.Time
	survey *survey
	// kinds are those that the connector can read, with their versions.
	kinds map[groupKind][]string
	// Objects that were not taken: not what they say they are, there before, without
	// a uid.
	unread, twice, nameless int
}

// groupKind names a kind whatever its version.
type groupKind struct{ group, kind string }

func (r resource) groupKind() groupKind { return groupKind{r.group, r.kind} }

func groupKindOf(t dump.Type) groupKind {
	group, _, ok := strings.Cut(t.APIVersion, "/")
	if !ok {
		group = ""
	}
	return groupKind{group, t.Kind}
}

// serves reports whether objects of a type are those of a resource. Metadata is
// the same in every version.
func (r resource) serves(t dump.Type, metadataOnly bool) bool {
	if r.groupKind() != groupKindOf(t) {
		return r.kind == "Event" && r.group == "" && t.Kind == "Event" && t.APIVersion == eventsAPI
	}
	version := t.APIVersion[strings.LastIndexByte(t.APIVersion, '/')+1:]
	return metadataOnly || r.version == version
}

// recorded is a source that is a recording: nothing is asked of a cluster.
type recorded struct{ *source }

// locateRecording is locate of a config that names a recording, of which all
// namespaces are read unless the config names some.
func (c *Config) locateRecording(env connector.Env) (location, error) {
	found, err := dump.Open(c.From, dump.Limits{Bytes: c.MaxBytes})
	if err != nil {
		return location{}, c.badRecording(err)
	}
	return location{
		rest: &rest.Config{Host: "https://recording.invalid"}, namespace: allNamespaces, named: true,
		where: "recording " + shown(c.From), recording: &recording{Recording: found, now: env.Now, kinds: c.readable()},
	}, nil
}

// pinRecording is Pin of a recording.
func (c *Config) pinRecording() error {
	from, err := filepath.Abs(c.From)
	if err != nil {
		return connector.Errorf(connector.ClassConfig, err, "the folder in which rcactl runs is not known, so that the path of the recording cannot be written down")
	}
	c.From = from
	return nil
}

// badRecording says why a recording is not read. The path stands there, because
// the person who reads it chose it.
func (c *Config) badRecording(err error) error {
	var refused *dump.RefusedError
	if errors.As(err, &refused) {
		return connector.Errorf(connector.ClassConfig, err, "%s: %s", shown(filepath.Base(c.From)), refused.Error())
	}
	return err
}

// noTransport is that of a recording: there is nobody to ask.
type noTransport struct{}

var errNobody = errors.New("a recording has no server")

// RoundTrip implements http.RoundTripper.
func (noTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNobody }

// HealthCheck implements connector.Connector: the recording can be read through.
func (r *recorded) HealthCheck(ctx context.Context) connector.Health {
	if err := r.identify(ctx); err != nil {
		return connector.Health{Err: err}
	}
	return connector.Health{Reachable: true, Authenticated: true}
}

// Capabilities implements connector.Connector. No grant is needed.
func (r *recorded) Capabilities() connector.Capabilities {
	out := r.source.Capabilities()
	out.Identity = nil
	for i := range out.Streams {
		out.Streams[i].Needs = nil
	}
	return out
}

// Identity implements connector.Identifier.
func (r *recorded) Identity(ctx context.Context) (connector.Identity, error) {
	if err := r.identify(ctx); err != nil {
		return connector.Identity{}, err
	}
	return connector.Identity{Target: r.target, AsOf: r.api.recording.survey.asOf}, nil
}

// identifyRecording surveys the recording once, and names its cluster as a live
// one would be named if the recording holds the namespace kube-system.
func (s *source) identifyRecording(ctx context.Context) error {
	r := s.api.recording
	if r.survey == nil {
		s.api.open(ctx, "", "what it holds, of which cluster and when")
	}
	if err := r.look(ctx); err != nil {
		return s.config.unreadable(ctx, err)
	}
	if len(r.survey.types) == 0 {
		return connector.Errorf(connector.ClassConfig, nil, "%s: the recording holds no object of Kubernetes%s; name a folder or file that \"kubectl get -o json\", "+
			"\"kubectl cluster-info dump\" or \"oc adm must-gather\" wrote", shown(filepath.Base(s.config.From)), r.survey.sayBroken())
	}
	if r.survey.asOf.IsZero() {
		return connector.Errorf(connector.ClassConfig, nil, "%s: no object of the recording tells a time; record whole objects, with their metadata", shown(filepath.Base(s.config.From)))
	}
	s.target = r.survey.target()
	s.clusterID = cmp.Or(s.config.ClusterID, s.target)
	return nil
}

// open notes that the recording is read once more.
func (c *client) open(ctx context.Context, stream, why string) {
	c.requests.Note(action(withPurpose(ctx, stream, why), "OPEN", "recording"))
}

// unreadable classifies the error of a walk.
func (c *Config) unreadable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return classify(ctx, err, "the recording")
	}
	return c.badRecording(err)
}

// replayJobs feeds the objects of the recording to the jobs of their kinds, in
// place of lists.
func (c *collection) replayJobs(ctx context.Context) error {
	r := c.api.recording
	byKind := map[groupKind][]*job{}
	all := make([]*listing, 0, len(c.jobs))
	for _, j := range c.jobs {
		j.began, j.ended = r.survey.asOf, r.survey.asOf
		if j.absent = !r.survey.holds(&j.listing); !j.absent {
			byKind[j.resource.groupKind()] = append(byKind[j.resource.groupKind()], j)
			all = append(all, &j.listing)
		}
	}
	c.api.open(ctx, "", "objects")
	seen := map[*job]seenSet{}
	_, err := r.Walk(ctx, dump.Handler{
		Want: func(file string) bool { return r.survey.fileHolds(file, all...) },
		Object: func(_ string, in dump.Type, text []byte) error {
			p := probe(text)
			t := p.is(in)
			key := groupKindOf(t)
			if t.APIVersion == eventsAPI {
				key.group = ""
			}
			for _, j := range byKind[key] {
				if j.truncated || !p.belongs(&j.listing, t) {
					continue
				}
				if seen[j] == nil {
					seen[j] = seenSet{}
				}
				switch {
				case p.Metadata.UID == "" || p.Metadata.Name == "":
					r.nameless++
				case !seen[j].add(p.Metadata.UID):
					r.twice++
				default:
					r.give(c, j, t, text)
				}
			}
			return nil
		},
	})
	if err != nil {
		return c.config.unreadable(ctx, err)
	}
	return c.fatal(ctx)
}

// give hands an object to its job. One that is not what it says is counted.
func (r *recording) give(c *collection, j *job, t dump.Type, text []byte) {
	text, err := coreEvent(t, text)
	if err == nil {
		err = j.take(c, j, text)
	}
	if err != nil {
		r.unread++
	}
}

// replay is list for a recording.
func replay[T any, PT interface {
	*T
	metav1.Object
}](ctx context.Context, c *client, l *listing, take func(PT) error) error {
	r := c.recording
	if l.absent = !r.survey.holds(l); l.absent {
		return nil
	}
	c.open(ctx, l.stream, "list")
	seen := seenSet{}
	_, err := r.Walk(ctx, dump.Handler{
		Want: func(file string) bool { return r.survey.fileHolds(file, l) },
		Object: func(_ string, in dump.Type, text []byte) error {
			p := probe(text)
			t := p.is(in)
			if l.truncated || !p.belongs(l, t) || p.Metadata.UID == "" || p.Metadata.Name == "" || !seen.add(p.Metadata.UID) {
				return nil
			}
			text, err := coreEvent(t, text)
			object := PT(new(T))
			if err != nil || tooManyParts(text) || json.Unmarshal(text, object) != nil {
				r.unread++
				return nil
			}
			if more, err := l.count(object, c.maxObjects); err != nil || !more {
				return err
			}
			return take(object)
		},
	})
	var refused *dump.RefusedError
	if errors.As(err, &refused) || ctx.Err() != nil && err != nil {
		l.err = classify(ctx, err, l.what())
		return nil
	}
	return err
}

// sayAbsent says that a stream is of kinds that are not there.
func (c *collection) sayAbsent() string {
	if c.api.recording != nil {
		return "the recording holds none of its kinds"
	}
	return "the cluster has none of these kinds"
}

// unrecorded says what of the lists that a source is asked for is not in the
// recording.
func (c *collection) unrecorded(jobs []*job) string {
	var said, kinds []string
	for _, j := range jobs {
		if s := c.api.recording.survey; j.namespace != "" && !j.resource.cluster && !s.namespaces[j.namespace] {
			if one := "namespace " + j.namespace + " is not in the recording"; !slices.Contains(said, one) {
				said = append(said, one)
			}
		} else if !slices.Contains(kinds, j.resource.plural) {
			kinds = append(kinds, j.resource.plural)
		}
	}
	if len(kinds) > 0 {
		said = append(said, "the recording holds no "+strings.Join(kinds, ", ")+"; whether there were any is not known")
	}
	return strings.Join(said, "; ")
}

// damage says which files of a recording could not be read in full.
func (c *collection) damage(j *job) string {
	if c.api.recording == nil || c.api.recording.survey == nil {
		return ""
	}
	return c.api.recording.survey.damage(&j.listing)
}

// emptyRecording is the error of a recording with nothing that is asked for.
func (c *collection) emptyRecording() error {
	return connector.Errorf(connector.ClassConfig, nil, "nothing was read: %s", c.unrecorded(c.jobs))
}

// noteRecording says what was read, and up to when.
func (c *collection) noteRecording() {
	r := c.api.recording
	if r == nil {
		return
	}
	s := r.survey
	c.note("Read from a recording of %s in %s; nothing was asked of a cluster. Its present is taken to be %s: %s.",
		counted(s.objects, "object"), counted(s.tally.Files, "file"), s.asOf.Format(time.RFC3339), s.basis())
	if s.guessed() && c.config.ClusterID == "" {
		c.note("The cluster id is a digest of the oldest object, because the recording does not hold the namespace kube-system; " +
			"set cluster_id to have the service keys of the live cluster.")
	}
	if s.manageable && !s.managed && slices.Contains(c.config.streams(), record.StreamConfigMaps) {
		c.note("The recording was made without managedFields: when objects were changed, by which program and in which keys is not known. " +
			"kubectl writes them with --show-managed-fields.")
	}
	for _, of := range []struct {
		n    int
		what string
	}{
		{r.nameless, "without a uid, which no cluster had, left out"},
		{r.unread, "that cannot be read as what they say they are, left out"},
		{r.twice, "that the recording holds more than once, of which the first was read"},
	} {
		if of.n > 0 {
			c.note("Objects %s: %d.", of.what, of.n)
		}
	}
	if s.tally.Skipped > 0 {
		c.note("Files of the recording that hold no object of Kubernetes: %d.", s.tally.Skipped)
	}
}

// counted says how many.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Interface checks.
var (
	_ connector.Connector  = (*recorded)(nil)
	_ connector.Identifier = (*recorded)(nil)
	_ http.RoundTripper    = noTransport{}
)
