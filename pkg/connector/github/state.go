package github

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
)

// stateVersion changes when an older program could misread the state.
const stateVersion = 1

// The bounds of a state.
const (
	maxGone         = 20
	maxOpen         = 50
	maxEnvironments = 200
	maxSettled      = 500
	// forgetRepository is for how long a repository that is not read any more is
	// remembered.
	forgetRepository = 30 * 24 * time.Hour
)

// state is how far the runs before came. It holds commits, numbers and times; names
// of branches and environments only as digests.
type state struct {
	Version      int                   `json:"version"`
	Repositories map[string]*repoState `json:"repositories,omitempty"`
}

// repoState is what is remembered of a repository, by the name that it had.
type repoState struct {
	ID int64 `json:"id"`
	// Seen is the end of the last window that anything was read for.
	Seen time.Time `json:"seen,omitzero"`
	// Listed is the end of the last window that a stream was read in full for.
	Listed map[string]time.Time `json:"listed,omitempty"`
	// Heads are the heads of the branches, by the digest of their names, up to which
	// all commits were told.
	Heads map[string]head `json:"heads,omitempty"`
	// Gone are heads that a branch was rewritten away from, the latest last.
	Gone []string `json:"gone,omitempty"`
	// Deployed are the last successful deployments, by the digest of the environment.
	Deployed map[string]deployed `json:"deployed,omitempty"`
	// OpenDeployments had no outcome yet; OpenRuns is when the oldest run was made that
	// had not ended.
	OpenDeployments []int64   `json:"open_deployments,omitempty"`
	OpenRuns        time.Time `json:"open_runs,omitzero"`
	// Settled are deployments that had an outcome and were told, with their last change.
	Settled map[int64]time.Time `json:"settled_deployments,omitempty"`
}

// deployed is a successful deployment.
type deployed struct {
	ID     int64  `json:"id"`
	Commit string `json:"commit"`
}

// readState reads what an earlier run wrote. Nil is nothing.
func readState(text []byte) (state, error) {
	s := state{Version: stateVersion, Repositories: map[string]*repoState{}}
	if len(text) == 0 {
		return s, nil
	}
	if len(text) > connector.MaxState {
		return s, badState(nil)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, badState(err)
	}
	if s.Version != stateVersion {
		return s, connector.Errorf(connector.ClassConfig, nil,
			"the state has version %d and this program reads %d; use the program that wrote it, or remove the cursor to start anew", s.Version, stateVersion)
	}
	if s.Repositories == nil {
		s.Repositories = map[string]*repoState{}
	}
	for name, r := range s.Repositories {
		if r == nil {
			delete(s.Repositories, name)
			continue
		}
		r.clean()
	}
	return s, nil
}

func badState(err error) error {
	return connector.Errorf(connector.ClassConfig, err, "the state of this connector cannot be read; remove the cursor to start anew")
}

// clean leaves out what cannot have been written by us: it becomes parts of paths.
func (r *repoState) clean() {
	for branch, at := range r.Heads {
		if !fullSHA(at.SHA) {
			delete(r.Heads, branch)
		}
	}
	for name, d := range r.Deployed {
		if !fullSHA(d.Commit) {
			delete(r.Deployed, name)
		}
	}
	r.Gone = slices.DeleteFunc(r.Gone, func(sha string) bool { return !fullSHA(sha) })
	r.OpenDeployments = slices.DeleteFunc(r.OpenDeployments, func(id int64) bool { return id <= 0 })
	r.bound()
}

// bound keeps the latest of what grows.
func (r *repoState) bound() {
	r.Gone = r.Gone[max(len(r.Gone)-maxGone, 0):]
	slices.Sort(r.OpenDeployments)
	r.OpenDeployments = slices.Compact(r.OpenDeployments)
	r.OpenDeployments = r.OpenDeployments[max(len(r.OpenDeployments)-maxOpen, 0):]
	latest(r.Deployed, maxEnvironments, func(_ string, d deployed) int64 { return d.ID })
	latest(r.Settled, maxSettled, func(id int64, _ time.Time) int64 { return id })
}

// latest keeps the entries with the greatest numbers.
func latest[K comparable, V any](m map[K]V, most int, number func(K, V) int64) {
	if len(m) <= most {
		return
	}
	numbers := make([]int64, 0, len(m))
	for k, v := range m {
		numbers = append(numbers, number(k, v))
	}
	slices.Sort(numbers)
	least := numbers[len(numbers)-most]
	for k, v := range m {
		if number(k, v) < least {
			delete(m, k)
		}
	}
}

// clone is a copy to be changed.
func (r *repoState) clone() *repoState {
	next := *r
	next.Listed, next.Heads, next.Deployed = copied(r.Listed), copied(r.Heads), copied(r.Deployed)
	next.Settled = copied(r.Settled)
	next.Gone, next.OpenDeployments = slices.Clone(r.Gone), slices.Clone(r.OpenDeployments)
	return &next
}

// copied is never nil.
func copied[K comparable, V any](m map[K]V) map[K]V {
	out := make(map[K]V, len(m))
	maps.Copy(out, m)
	return out
}

// write gives the state as text: of the same state always the same bytes.
func (s state) write(now time.Time) ([]byte, error) {
	for name, r := range s.Repositories {
		if !now.IsZero() && r.Seen.Before(now.Add(-forgetRepository)) {
			delete(s.Repositories, name)
			continue
		}
		r.bound()
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, connector.Errorf(connector.ClassInternal, err, "the state cannot be written")
	}
	if len(text) > connector.MaxState {
		return nil, connector.Errorf(connector.ClassBound, nil, "the state has more than %d MiB; read fewer repositories with one connector", connector.MaxState>>20)
	}
	return text, nil
}

// digestName stands for a name that is not written down.
func digestName(kind, name string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + name))
	return hex.EncodeToString(sum[:8])
}

func itoa(n int) string { return strconv.Itoa(n) }
