package github

import (
	"fmt"
	"strings"
	"testing"

	standin "github.com/rcactl/rcactl/pkg/testbed/github"
)

// Of more repositories than may be followed those are read that come first: what is
// named most, whatever it is called.
func TestWhatIsNamedMostIsFollowed(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	b.change = func(c *Config) { c.Repositories = nil }
	req := all()
	req.Scope.Repositories = []string{"github.com/acme/shop"}
	for i := range maxFollowed {
		req.Scope.Repositories = append(req.Scope.Repositories, fmt.Sprintf("github.com/acme/a%02d", i))
	}
	g := b.collect(req)
	if len(g.shas()) == 0 {
		t.Error("what comes first was not read")
	}
	if notes := strings.Join(g.result.Notes, "\n"); !strings.Contains(notes, "the 20 that are named most were read") {
		t.Errorf("%q", notes)
	}
}
