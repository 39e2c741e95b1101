package github

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/connector"
)

// The documentation says what holds: grants, bounds, and what is never read.
func TestDocsSayWhatHolds(t *testing.T) {
	text, err := os.ReadFile("../../../docs/connectors/github.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := strings.Join(strings.Fields(string(text)), " ")
	c := defaultConfig()
	caps := c.capabilities(func(string) connector.Stream { return connector.Stream{} })
	want := []string{
		fmt.Sprintf("At most %d requests are under way", maxConcurrent), fmt.Sprintf("`max_requests` (%d)", c.MaxRequests),
		fmt.Sprintf("2%% of it, at most %d requests", reserve(1_000_000)), fmt.Sprintf("One answer may have %d MiB", maxAnswer>>20),
		fmt.Sprintf("After %d requests in a row without any answer", maxDead), fmt.Sprintf("after %d in a row, each tried again", maxBroken),
		fmt.Sprintf("version of the API is `%s`", apiVersion), fmt.Sprintf("More than %d repositories of one owner", maxNarrow),
		"`" + envToken + "`, else `" + envGHToken + "`", "`" + envEnterpriseToken + "`, else `" + envGitHubEntToken + "`",
	}
	for _, never := range caps.NeverReads {
		want = append(want, "- "+never)
	}
	for _, stream := range caps.Streams {
		want = append(want, fmt.Sprintf("| `%s` | %s |", stream.Name, title(stream.Needs[0].Resource)))
	}
	for _, words := range want {
		if !strings.Contains(docs, words) {
			t.Errorf("docs/connectors/github.md does not say: %s", words)
		}
	}
}
