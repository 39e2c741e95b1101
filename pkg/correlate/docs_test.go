package correlate_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/correlate"
)

func page(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/correlation.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// table gives the first cells of the rows of the table under a heading.
func table(t *testing.T, page, heading string) (rows [][]string) {
	t.Helper()
	_, part, ok := strings.Cut(page, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("there is no %q", heading)
	}
	part, _, _ = strings.Cut(part, "\n## ")
	for line := range strings.Lines(part) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && strings.HasPrefix(line, "| `") {
			rows = append(rows, []string{strings.Trim(cells[1], " `"), strings.TrimSpace(cells[2])})
		}
	}
	return rows
}

func TestThePageHasTheLadder(t *testing.T) {
	rows := table(t, page(t), "The ladder")
	for method, base := range correlate.Rungs() {
		want := []string{string(method), fmt.Sprintf("%.2f", float64(base)/100)}
		if len(rows) == 0 || rows[0][0] != want[0] || rows[0][1] != want[1] {
			t.Fatalf("the page has %v in place of %v", rows, want)
		}
		rows = rows[1:]
	}
	if len(rows) > 0 {
		t.Errorf("the page has more: %v", rows)
	}
}

func TestThePageHasTheReasons(t *testing.T) {
	rows := table(t, page(t), "The reasons")
	for name, effect := range correlate.Circumstances() {
		want := ""
		switch delta, most := effect[0], effect[1]; {
		case most > 0:
			want = fmt.Sprintf("at most %.2f", float64(most)/100)
		case delta > 0:
			want = fmt.Sprintf("%+.2f, at most 0.99", float64(delta)/100)
		case delta < 0:
			want = fmt.Sprintf("%+.2f", float64(delta)/100)
		}
		if len(rows) == 0 || rows[0][0] != name || rows[0][1] != want {
			t.Fatalf("the page has %v in place of %s %s", rows, name, want)
		}
		rows = rows[1:]
	}
	if len(rows) > 0 {
		t.Errorf("the page has more: %v", rows)
	}
}

func TestThePageHasTheExamples(t *testing.T) {
	_, part, _ := strings.Cut(page(t), "\n## Confidence\n")
	var examples []string
	for line := range strings.Lines(part) {
		if strings.HasPrefix(line, "{") {
			examples = append(examples, strings.TrimSpace(line))
		}
	}
	cases := map[string]rollout{}
	for _, c := range theCircumstances() {
		cases[c.name] = c
	}
	for i, name := range []string{"full_sha", "not_verified", "source_mismatch", "no_claim"} {
		c := cases[name]
		want := text(t, settle(t, c.in, c.ask).Events[0].Deployment.Mapping)
		if i >= len(examples) || examples[i] != want {
			t.Errorf("example %d of the page is not\n%s", i+1, want)
		}
	}
	if len(examples) != 4 {
		t.Errorf("the page has %d examples", len(examples))
	}
}
