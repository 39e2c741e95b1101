package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/correlate"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/oci"
	"github.com/rcactl/rcactl/pkg/secret"
	"github.com/rcactl/rcactl/pkg/window"
)

// The registries stand in the manifest as one source with one stream.
const (
	imagesSource = "images"
	imagesType   = "oci"
	imagesStream = "images"
)

// imagesShare is the part of the time for asking that registries may take: 1/3. A
// registry that does not answer must not keep a source from being asked.
const imagesShare = 3

// readImages asks the registries what the images of the held deployments say of
// their source code. Nothing depends on it: what could not be read is stated, and
// the run is complete without it.
func (r *session) readImages(ctx context.Context) error {
	if r.Images.Off {
		return nil
	}
	asks := r.imagesAsked()
	if len(asks) == 0 {
		return nil
	}
	began := r.Now()
	s := &source{Source: Source{Name: imagesSource, Type: imagesType}, clean: true}
	s.plan.fromCursor, s.plan.window = r.Window == nil, r.intends()
	s.space = r.kept.Space(imagesSpace)
	s.caps.Streams = []connector.Stream{{Name: imagesStream, Optional: true}}
	s.tallies.records = map[string]int{}
	r.images = s
	r.observe(Progress{Source: s.Name})
	ctx, stop := context.WithTimeout(ctx, (r.Timeout-reserve(r.Timeout))/imagesShare)
	defer stop()
	answers, err := r.askRegistries(ctx, s, asks)
	r.noteImages(s, asks, answers, err)
	s.took = r.Now().Sub(began)
	s.settle(Options{Window: &s.plan.window}) // a cursor is not spoken of
	s.status = s.coverage[0].Status
	r.ended(s)
	return nil
}

// unreadableLogins says why no registry can be asked at all. The path is left out: it
// names whose home folder it is in.
const unreadableLogins = "docker's config cannot be read, or is not JSON with auths, credHelpers or credsStore; correct it, or name another folder in DOCKER_CONFIG"

// askRegistries gives the answers, one an ask, or why there are none.
func (r *session) askRegistries(ctx context.Context, s *source, asks []oci.Ask) ([]oci.Answer, error) {
	type read struct {
		answers []oci.Answer
		actions []oci.Action
	}
	credentials := r.pullSecrets(ctx)
	got, err := isolate(ctx, r.grace(), r.log, "read images", func(ctx context.Context) (read, error) {
		reader, err := oci.New(oci.Options{
			Transport: r.Env.Transport, UserAgent: r.Env.UserAgent, DockerConfig: r.Images.DockerConfig, Credentials: credentials,
			Registries: r.Images.Registries, Keys: r.Images.Keys, Store: s.space, Now: r.Now, MaxImages: r.Images.MaxImages, Timeout: r.Images.Timeout,
		})
		if errors.Is(err, oci.ErrLogins) {
			return read{}, connector.Errorf(connector.ClassConfig, err, "%s", unreadableLogins)
		}
		if err != nil {
			return read{}, err
		}
		answers := reader.Read(ctx, asks)
		return read{answers, reader.Actions()}, nil
	})
	for _, a := range got.actions {
		// Whoever names an image must not be able to have every run put aside.
		s.result.Actions = append(s.result.Actions, connector.Action{Stream: imagesStream, Method: a.Method, Target: r.Redactor.Withhold(a.Target), Requests: a.Requests})
	}
	if err == nil && len(got.answers) != len(asks) {
		err = connector.Errorf(connector.ClassInternal, nil, "a bug in the reader of images: %d answers to %d images", len(got.answers), len(asks))
	}
	return got.answers, err
}

// pullSecrets asks the sources for the credentials of their workloads, when the
// config says so.
func (r *session) pullSecrets(ctx context.Context) (all []secret.Value) {
	if !r.Images.PullSecrets {
		return nil
	}
	type read struct {
		configs []secret.Value
		actions []connector.Action
		notes   []string
	}
	for _, s := range r.sources {
		reader, ok := s.connector.(connector.PullSecretReader)
		if !ok {
			continue
		}
		got, err := isolate(ctx, r.grace(), r.log, "read pull secrets", func(ctx context.Context) (got read, err error) {
			got.configs, got.actions, got.notes, err = reader.PullSecrets(ctx)
			return got, err
		})
		if err != nil {
			got.notes = append(got.notes, "pull secrets could not be read: "+message(err))
		}
		if !usable(err) {
			s.connector = nil
		}
		all = append(all, got.configs...)
		s.result.Actions = append(s.result.Actions, got.actions...)
		s.result.Notes = append(s.result.Notes, got.notes...)
	}
	return all
}

// noteImages keeps what was answered, and says what was not.
func (r *session) noteImages(s *source, asks []oci.Ask, answers []oci.Answer, err error) {
	unread, failed := map[string]int{}, map[string]int{}
	for _, a := range answers {
		image := correlate.Image{Reference: a.Ask.Image, Digest: a.Ask.Digest}
		switch {
		case a.Unread:
			unread[a.Reason]++
			continue
		case a.Reason != "":
			image.Failed = true
			failed[a.Reason]++
		default:
			image.Metadata = &a.Metadata
			s.tallies.records[imagesStream]++
		}
		r.joined.images = append(r.joined.images, image)
	}
	if err != nil {
		failed[message(err)] += len(asks)
	}
	s.result.Scope = plural(len(asks), "image") + " of deployments"
	why := reasonsOf(failed, "could not be read")
	why = append(why, reasonsOf(unread, "not read")...)
	c := imagesCoverage(s.plan.window, s.tallies.records[imagesStream], len(asks))
	if reasons := append(byCount(failed), byCount(unread)...); c.Status == connector.Skipped && len(reasons) > 0 {
		s.nothing = c.Reason + ": " + reasons[0]
		if more := len(reasons) - 1; more > 0 {
			s.nothing += fmt.Sprintf(", and %s", plural(more, "more reason"))
		}
	}
	s.result.Notes, s.result.Coverage = why, []connector.Coverage{c}
}

func reasonsOf(counts map[string]int, what string) (all []string) {
	for _, reason := range byCount(counts) {
		all = append(all, fmt.Sprintf("%s %s: %s", plural(counts[reason], "image"), what, reason))
	}
	return all
}

// imagesCoverage is complete when something was read, and skipped when nothing was:
// the stream is optional.
func imagesCoverage(asked window.Window, read, all int) connector.Coverage {
	c := connector.Coverage{Stream: imagesStream, Status: connector.Complete, Asked: asked, Answered: asked}
	switch {
	case read == 0:
		c.Status, c.Answered, c.Reason = connector.Skipped, window.Window{}, "no image was read"
	case read < all:
		c.Reason = fmt.Sprintf("%d of %s read", read, plural(all, "image"))
	}
	return c
}

// byCount gives the keys, the most frequent first.
func byCount(counts map[string]int) []string {
	var keys []string
	for k := range counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	return keys
}

// imagesAsked are the images of the held deployments, those of the newest first,
// since not all may be read. Of a change of images they are those that changed.
func (r *session) imagesAsked() []oci.Ask {
	newest := map[oci.Ask]time.Time{}
	for _, s := range r.sources {
		if s.through == nil {
			continue
		}
		for _, e := range s.through.held.events {
			for _, ask := range imagesOf(e.Deployment) {
				if last, ok := newest[ask]; !ok || e.Time.After(last) {
					newest[ask] = e.Time
				}
			}
		}
	}
	asks := make([]oci.Ask, 0, len(newest))
	for ask := range newest {
		asks = append(asks, ask)
	}
	slices.SortFunc(asks, func(a, b oci.Ask) int {
		return cmp.Or(newest[b].Compare(newest[a]), cmp.Compare(a.Image, b.Image), cmp.Compare(a.Digest, b.Digest))
	})
	return asks
}

func imagesOf(d *evidence.Deployment) []oci.Ask {
	if d == nil {
		return nil
	}
	var before, after []evidence.Image
	if d.From != nil {
		before = d.From.Images
	}
	if d.To != nil {
		after = d.To.Images
	}
	changed := append(without(before, after), without(after, before)...)
	if len(changed) == 0 {
		changed = append(slices.Clone(after), before...)
	}
	asks := make([]oci.Ask, len(changed))
	for i, image := range changed {
		asks[i] = oci.Ask{Image: image.Image, Digest: image.Digest}
	}
	return asks
}

func without(all, others []evidence.Image) (left []evidence.Image) {
	for _, image := range all {
		if !slices.Contains(others, image) {
			left = append(left, image)
		}
	}
	return left
}

// intends is the window that covers those of all sources that were asked.
func (r *session) intends() (all window.Window) {
	for _, s := range r.sources {
		if s.Skip == "" && !s.follows() {
			all = span(all, s.plan.window)
		}
	}
	return all
}
