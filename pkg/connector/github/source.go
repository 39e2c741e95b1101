package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// handOver is how much of the time is kept for giving away what was read: at most
// this, and at most a tenth.
const handOver = 3 * time.Second

// source is one configured GitHub: what one credential may see of it.
type source struct {
	cfg    *Config
	env    connector.Env
	client *client
	// summaries is how commits are cut down.
	summaries *summarizer
	// history is what Resolve knows of the last Collect.
	history *history
}

// newSource makes the connector. Its error is a *connector.Error of the class
// config.
func newSource(cfg *Config, env connector.Env, c *client) (*source, error) {
	sorter, err := newSorter(cfg)
	if err != nil {
		return nil, err
	}
	return &source{
		cfg: cfg, env: env, client: c, history: newHistory(),
		summaries: &summarizer{sorter: sorter, people: people{env.Pseudonym}, scrub: env.Scrub},
	}, nil
}

// Capabilities implements connector.Connector.
func (s *source) Capabilities() connector.Capabilities { return s.cfg.capabilities(streamKind) }

// collection is one Collect.
type collection struct {
	*source
	look    *look
	streams []string
	repos   []*repository
	// refused are the repositories that could not be opened, with the reason.
	refused []refusal
	// follows says that nobody configured the repositories.
	follows bool
	notes   []string
	scope   string
}

type refusal struct {
	name string
	err  error
}

// Collect implements connector.Connector. It reads the lists of all repositories, a
// few side by side, then the details of the commits that are not in the store, and
// then emits everything in the order of time.
func (s *source) Collect(ctx context.Context, req connector.Request, emit func(record.Record) error) (connector.Result, error) {
	c := &collection{source: s, look: &look{req: req}, streams: s.cfg.streams()}
	var err error
	if c.look.prior, err = readState(req.State); err != nil {
		return c.result(nil, err), err
	}
	c.read(ctx)
	if ctx.Err() != nil && (errors.Is(ctx.Err(), context.Canceled) || len(c.repos) == 0) {
		err = ctx.Err()
	} else {
		err = c.worthless()
	}
	if err != nil {
		return c.result(nil, err), err
	}
	s.history = c.learn()
	if err := c.emit(ctx, emit); err != nil {
		return c.result(nil, err), err
	}
	state, err := c.state()
	return c.result(state, err), err
}

// read asks for everything.
func (c *collection) read(ctx context.Context) {
	ctx, stop := c.patience(ctx)
	defer stop()
	targets, why := c.client.targets(c.look.req.Scope)
	c.follows = c.cfg.Follows()
	if c.follows && len(targets) > maxFollowed {
		c.notes = append(c.notes, fmt.Sprintf("%d repositories are named, and the %d that are named most were read; name those that matter in the config", len(targets), maxFollowed))
		targets = targets[:maxFollowed]
	}
	slices.Sort(targets)
	c.scope = fmt.Sprintf("%d repositories %s", len(targets), why)
	if len(targets) > 0 && len(targets) <= maxNamed {
		c.scope = strings.Join(targets, ", ") + " (" + why + ")"
	}
	c.client.expect(targets)
	c.open(ctx, targets)
	notes := make([][]string, len(c.repos))
	sideBySide(len(c.repos), func(i int) { notes[i] = c.lists(ctx, c.repos[i]) })
	for i, r := range c.repos {
		c.notes = append(c.notes, r.notes()...)
		c.notes = append(c.notes, notes[i]...)
	}
	if c.has(record.StreamCommits) {
		c.detailAll(ctx, c.repos)
		for _, r := range c.repos {
			c.settleCommits(c.look, r)
		}
	}
}

// patience ends the asking a little before the time is over, so that what was read
// can be given away.
func (c *collection) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	now := c.client.now()
	if !ok || now.IsZero() || !deadline.After(now) {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-min(handOver, deadline.Sub(now)/10)))
}

func (c *collection) has(stream string) bool { return slices.Contains(c.streams, stream) }

// open asks for the repositories, and leaves out those that are there twice under two
// names.
func (c *collection) open(ctx context.Context, targets []string) {
	opened := make([]*repository, len(targets))
	errs := make([]error, len(targets))
	sideBySide(len(targets), func(i int) { opened[i], errs[i] = c.source.open(ctx, targets[i]) })
	seen := map[int64]bool{}
	for i, r := range opened {
		switch {
		case errs[i] != nil:
			c.refused = append(c.refused, refusal{targets[i], errs[i]})
		case !seen[r.id]:
			seen[r.id] = true
			r.remember(c.look.prior)
			c.repos = append(c.repos, r)
		}
	}
}

// lists reads the lists of a repository. The short ones come first, so that a limit
// costs details before it costs facts.
func (c *collection) lists(ctx context.Context, r *repository) (notes []string) {
	for _, stream := range []string{record.StreamDeployments, record.StreamWorkflowRuns, record.StreamPullRequests, record.StreamReleases, record.StreamCommits} {
		if !c.has(stream) {
			continue
		}
		switch stream {
		case record.StreamDeployments:
			c.listDeployments(ctx, c.look, r)
		case record.StreamWorkflowRuns:
			c.listRuns(ctx, c.look, r)
		case record.StreamPullRequests:
			c.listPulls(ctx, c.look, r)
		case record.StreamReleases:
			c.listReleases(ctx, c.look, r)
		case record.StreamCommits:
			notes = c.listCommits(ctx, c.look, r)
		}
	}
	return notes
}

// worthless gives the error of a source that gave nothing: no repository could be
// opened, and somebody meant them.
func (c *collection) worthless() error {
	if len(c.repos) > 0 || len(c.refused) == 0 {
		return nil
	}
	for _, r := range c.refused {
		if !c.overlooks(r.err) {
			return explain(r.err)
		}
	}
	return nil
}

// overlooks reports whether an error is no failure of the run: that a repository
// cannot be read which nobody configured, but only some image names.
func (c *collection) overlooks(err error) bool {
	return c.follows && !isStopped(err) && explain(err).Class == connector.ClassForbidden
}

// emit gives the records away: by time, stream, repository and number.
func (c *collection) emit(ctx context.Context, emit func(record.Record) error) error {
	type one struct {
		timed
		stream, repo string
	}
	var all []one
	for _, r := range c.repos {
		for stream, p := range r.parts {
			for _, t := range p.records {
				all = append(all, one{t, stream, r.name})
			}
		}
	}
	slices.SortFunc(all, func(a, b one) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.stream, b.stream), cmp.Compare(a.repo, b.repo), cmp.Compare(a.id, b.id))
	})
	for _, o := range all {
		if err := ctx.Err(); errors.Is(err, context.Canceled) {
			return err
		}
		if err := emit(o.record); err != nil {
			return err
		}
	}
	return nil
}

// state is what the next run is to know.
func (c *collection) state() ([]byte, error) {
	next := c.look.prior
	for _, r := range c.repos {
		for name, known := range next.Repositories {
			if known.ID == r.id {
				delete(next.Repositories, name)
			}
		}
		for _, stream := range c.streams {
			if end := c.look.asked(stream).End; end.After(r.next.Seen) {
				r.next.Seen = end
			}
		}
		next.Repositories[r.name] = r.next
	}
	return next.write(c.look.req.Window.End)
}

// result says what the collection was. Beside an error nothing is claimed.
func (c *collection) result(state []byte, err error) connector.Result {
	result := connector.Result{State: state, Actions: c.client.actions(), Scope: c.scope, Notes: slices.Concat(c.client.notes(), c.notes, c.refusals())}
	for _, stream := range c.streams {
		result.Coverage = append(result.Coverage, c.cover(stream, err))
	}
	if len(c.repos) > 0 {
		result.Routine = routineNotes(c.streams)
	}
	return result
}

func (c *collection) cover(stream string, err error) connector.Coverage {
	asked := c.look.asked(stream)
	if err != nil {
		cover := connector.Coverage{Stream: stream, Status: connector.Failed, Asked: asked, Class: connector.ClassOf(err), Reason: "the collection was stopped"}
		if cover.Class != connector.ClassInternal {
			told := explain(err)
			cover.Class, cover.Reason, cover.Missing = told.Class, told.Message, missingGrants(err)
		}
		return cover
	}
	var parts []*part
	for _, r := range c.repos {
		parts = append(parts, r.part(stream))
	}
	for _, r := range c.refused {
		if !c.overlooks(r.err) {
			p := &part{repo: r.name, stream: stream}
			p.fail(r.err)
			if p.class == connector.ClassForbidden && len(p.missing) == 0 {
				p.missing = c.missing(r.name, stream)
			}
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return connector.Coverage{Stream: stream, Status: connector.Skipped, Asked: asked, Reason: c.nothing()}
	}
	slices.SortFunc(parts, func(a, b *part) int { return cmp.Compare(a.repo, b.repo) })
	return streamCoverage(stream, asked, parts)
}

// missing is the grant of a stream for a repository that cannot be seen.
func (c *collection) missing(repository, stream string) []connector.Grant {
	g := grant(permissionOf(stream))
	owner, name, _ := c.client.split(repository)
	g.Namespace, g.Rule = owner, "give the credential access to "+owner+"/"+name+", with "+g.Rule
	return []connector.Grant{g}
}

// nothing says why no repository was read.
func (c *collection) nothing() string {
	if len(c.refused) > 0 {
		return "none of the repositories that other sources name can be read; name those that matter in the config (repositories:), with a credential for them"
	}
	return "no repository is known: none is configured, and no workload or image names one; name them with --repository, or in the config (repositories:)"
}

// refusals say which repositories were overlooked.
func (c *collection) refusals() (notes []string) {
	var names []string
	for _, r := range c.refused {
		if c.overlooks(r.err) {
			names = append(names, r.name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	who := strings.Join(names[:min(len(names), maxNamed)], ", ")
	if more := len(names) - maxNamed; more > 0 {
		who += fmt.Sprintf(" and %d more", more)
	}
	return []string{"Not read, since there is no such repository or the credential may not see it: " + who}
}
