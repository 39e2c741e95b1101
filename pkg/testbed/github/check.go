package github

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rcactl/rcactl/pkg/internal/tools"
)

// EnvRequire is the environment variable that, set to 1, makes a missing API
// description a failure.
const EnvRequire = "RCACTL_TEST_REQUIRE"

// defaultChecks is how rarely an answer is checked, after the first of its kind.
const defaultChecks = 50

// checks is what a server holds to the API description, and how often.
type checks struct {
	every int

	mu   sync.Mutex
	seen map[string]int
}

// WithChecks has one of so many answers of each kind checked against GitHub's API
// description; 1 is all, 0 none.
func WithChecks(every int) Option { return func(s *Server) { s.checks.every = every } }

// published is GitHub's API description, read once in a test binary: it has 13 MB.
//
//nolint:gochecknoglobals // a test binary has no other place that outlives one test
var published = sync.OnceValues(func() (*description, error) {
	path, err := tools.GitHubDescription().Find()
	if err != nil {
		return nil, err
	}
	return readDescription(path)
})

// check fails the test when a client asks for what GitHub does not have, or when
// the answer is not what GitHub would give. The query of every request is checked,
// and some of the answers.
func (s *Server) check(c *call, a *answer) {
	if s.checks.every == 0 || c.route == "" || a.status >= 500 {
		return
	}
	due := s.checks.due(c.route+" "+strconv.Itoa(a.status), s.checks.every)
	if !due && len(c.query) == 0 {
		return
	}
	d, err := published()
	if err != nil {
		if !errors.Is(err, tools.ErrNotBuilt) || os.Getenv(EnvRequire) == "1" {
			s.t.Errorf("check the stand-in: %v (make test fetches it)", err)
		}
		return
	}
	if err := d.checkParameters(c.route, slices.Sorted(maps.Keys(c.query))); err != nil {
		s.t.Errorf("a client asks GitHub for what it does not have: %v", err)
	}
	if err := d.checkParameters(c.route, c.read); due && err != nil {
		s.t.Errorf("the stand-in reads what GitHub does not: %v", err)
	}
	if due && strings.HasPrefix(a.kind, "application/json") && a.status != http.StatusNotModified && !c.otherDescription() {
		if err := d.checkAnswer(c.route, a.status, a.raw); err != nil {
			s.t.Errorf("the stand-in is not like GitHub: %v", err)
		}
	}
}

// otherDescription says that the answer is one of another version of the API, or of
// a product that the description is not of.
func (c *call) otherDescription() bool {
	return c.request.Header.Get("X-GitHub-Api-Version") == "2026-03-10" || c.server.enterprise != "" && c.route == "GET /meta"
}

func (c *checks) due(kind string, every int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]int{}
	}
	c.seen[kind]++
	return c.seen[kind]%every == 1%every
}
