package kubernetes

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// lateData is how far back a continued run looks: stamps have a resolution of
// one second, and lists take a while.
const lateData = time.Minute

// Capabilities implements connector.Connector.
func (s *source) Capabilities() connector.Capabilities {
	values := "values of ConfigMaps and Secrets: only their metadata is asked for (but for image pull Secrets, with images.pull_secrets), and a copy that kubectl apply left in it is dropped unread"
	if s.config.Fingerprints {
		values = "values of ConfigMaps and Secrets into evidence: fingerprints are taken of them, as the config asks, and nothing else is kept"
	}
	out := connector.Capabilities{Identity: identityGrants(), NeverReads: []string{
		values,
		"who or what a role is bound to, and what it allows",
		"values of environment variables, commands and arguments of containers",
		"annotations, but for revision numbers, the time of a restart, the marks of delivery tools, those that name what was built (revision_keys, source_keys, version_keys), and whether a few well-known ones changed",
		"logs of containers",
		"the text of Events and of status messages beyond well-known words, image names and numbers",
	}}
	for _, name := range s.config.streams() {
		stream := connector.Stream{Name: name, Incremental: true, Overlap: lateData}
		if name == record.StreamEvents {
			stream.Overlap = seriesLag + lateData
		}
		stream.Needs, stream.Optional = s.needs(name), s.config.optional(name)
		out.Streams = append(out.Streams, stream)
	}
	return out
}

// HealthCheck implements connector.Connector. It asks for the version and for
// access reviews, and lists nothing.
func (s *source) HealthCheck(ctx context.Context) connector.Health {
	var h connector.Health
	version, err := s.api.serverVersion(ctx)
	h.Skew, h.Version = s.api.requests.Clock(), version
	if err != nil && !apierrors.IsForbidden(err) {
		own := classify(ctx, err, "the version of the server")
		h.Reachable = own.Class == connector.ClassAuth
		h.Err = own
		return h
	}
	h.Reachable = true
	for _, stream := range s.config.streams() {
		for _, g := range s.needs(stream) {
			v, err := s.api.review(ctx, g)
			if err != nil {
				h.Err = err
				return h
			}
			h.Authenticated = h.Authenticated || v != unsaid
			switch {
			case v != denied:
			case s.config.optional(stream):
				h.Optional = append(h.Optional, g)
			default:
				h.Missing = append(h.Missing, g)
			}
		}
	}
	for _, g := range s.unneeded() {
		if v, err := s.api.review(ctx, g); err == nil && v == allowed {
			h.Excess = append(h.Excess, g)
		}
	}
	return h
}

// needs lists the grants that streams need, namespace by namespace.
func (s *source) needs(streams ...string) []connector.Grant {
	var out []connector.Grant
	for _, ns := range s.listed() {
		for _, stream := range streams {
			for _, r := range s.config.resources(stream) {
				g := grant("list", r, ns)
				if r.cluster {
					g = grant("list", r, "")
				}
				if !slices.Contains(out, g) {
					out = append(out, g)
				}
			}
		}
	}
	return out
}

// unneeded lists grants that rcactl never uses and that would hurt in the wrong
// hands.
func (s *source) unneeded() []connector.Grant {
	needed := s.needs(s.config.streams()...)
	var out []connector.Grant
	for _, ns := range s.listed() {
		for _, g := range []connector.Grant{
			grant("list", secrets(), ns), grant("create", pods(), ns), grant("delete", pods(), ns),
			grant("patch", apps("deployments", "Deployment"), ns), grant("update", configMaps(), ns),
		} {
			if !slices.Contains(needed, g) {
				out = append(out, g)
			}
		}
	}
	return out
}

// listed are the namespaces of the lists, in the words of the API: one empty for
// all.
func (s *source) listed() []string {
	return newScope(connector.Scope{}, s.namespaces, s.config.ExcludeNamespaces, nil).namespaces
}

// Interface checks.
var (
	_ connector.Connector  = (*source)(nil)
	_ connector.Identifier = (*source)(nil)
)
