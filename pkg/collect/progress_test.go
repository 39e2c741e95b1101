package collect

import (
	"testing"

	"github.com/rcactl/rcactl/pkg/connector"
)

// That nothing was read of a source that ended well is a short sentence.
func TestThatNothingWasReadIsSaid(t *testing.T) {
	skipped := connector.Coverage{Status: connector.Skipped, Reason: "no repository is known; name one"}
	const said = "nothing was read: no repository is known"
	for name, c := range map[string]struct {
		s    source
		want string
	}{
		"all streams left out": {source{coverage: []connector.Coverage{skipped, skipped}}, said},
		"one of them read":     {source{coverage: []connector.Coverage{skipped, {Status: connector.Complete}}}, ""},
		"one of them failed":   {source{coverage: []connector.Coverage{skipped, {Status: connector.Failed}}}, ""},
		"no streams":           {source{}, ""},
		"a source that failed": {source{coverage: []connector.Coverage{skipped}, err: errFull}, ""},
		"in its own words":     {source{coverage: []connector.Coverage{skipped}, nothing: "no image was read"}, "no image was read"},
		"not asked":            {source{Source: Source{Skip: "beside a recording"}, coverage: []connector.Coverage{skipped}}, ""},
	} {
		if got := c.s.progress().Nothing; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
