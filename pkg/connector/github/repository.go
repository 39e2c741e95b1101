package github

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// maxFollowed is how many repositories are read that nobody configured.
const maxFollowed = 20

// repository is one repository of a run.
type repository struct {
	// asked is the name that it was asked by, name the one that it has, both in the
	// form of record.RepositoryName; owner and short are the parts of name as GitHub
	// spells them.
	asked, name  string
	owner, short string
	id           int64
	branch       string // the default branch
	pushed       time.Time
	archived     bool
	// before is what an earlier run remembers of it; nil for nothing. next is what
	// the next run is to know.
	before, next *repoState
	// head is that of the default branch; empty when it was not asked for.
	head string
	// parts are what came of the streams, pending the commits whose details are still
	// to be asked for.
	parts   map[string]*part
	pending []*pendingCommit
	// looked are the branches that were read.
	looked []*branchLook
	// merged are the pull requests that were read.
	merged []mergedPull
	// deployments are all that were listed, for telling which runs deployed.
	deployments []deploymentJSON
}

// storeName is how keys of the store name it: with GitHub's own number, since one that
// is deleted and made anew under its name has another history.
func (r *repository) storeName() string { return r.name + "/" + strconv.FormatInt(r.id, 10) }

// open asks for a repository. A nil repository beside a nil error is one that is
// there twice, under two names.
func (s *source) open(ctx context.Context, asked string) (*repository, error) {
	owner, short, ok := s.client.split(asked)
	if !ok {
		return nil, connector.Errorf(connector.ClassConfig, nil, "%s is not a repository of %s", asked, s.client.host())
	}
	answer, err := s.client.repository(ctx, owner, short)
	if err != nil {
		return nil, err
	}
	r := &repository{
		asked: asked, owner: owner, short: short, id: answer.GetID(), branch: answer.GetDefaultBranch(),
		pushed: answer.GetPushedAt().UTC(), archived: answer.GetArchived(), parts: map[string]*part{},
	}
	if o, n, ok := strings.Cut(answer.GetFullName(), "/"); ok {
		r.owner, r.short = o, n
	}
	r.name = record.RepositoryName(s.client.host() + "/" + r.owner + "/" + r.short)
	if r.name == "" || r.id == 0 || r.branch == "" {
		return nil, connector.Errorf(connector.ClassProtocol, nil, "the answer about the repository is not what GitHub gives")
	}
	return r, nil
}

// remember finds what earlier runs know of a repository: of its name, or of its
// number under the name that it had then. What is known of another repository that
// had the name is not of this one.
func (r *repository) remember(prior state) {
	if known := prior.Repositories[r.name]; known != nil && known.ID == r.id {
		r.before = known
	} else {
		for _, name := range slices.Sorted(maps.Keys(prior.Repositories)) {
			if other := prior.Repositories[name]; other.ID == r.id {
				r.before = other
			}
		}
	}
	r.next = &repoState{}
	if r.before != nil {
		r.next = r.before
	}
	r.next = r.next.clone()
	r.next.ID = r.id
}

// part gives what came of a stream.
func (r *repository) part(stream string) *part {
	p := r.parts[stream]
	if p == nil {
		p = &part{repo: r.name, stream: stream}
		r.parts[stream] = p
	}
	return p
}

// notes says what is worth knowing of a repository.
func (r *repository) notes() (notes []string) {
	if r.asked != r.name {
		notes = append(notes, fmt.Sprintf("%s was renamed or moved; it is %s now", r.asked, r.name))
	}
	if r.archived {
		notes = append(notes, r.name+" is archived: nothing changes in it any more")
	}
	return notes
}
