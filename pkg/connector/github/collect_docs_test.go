package github

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/record"
)

var updateDocs = flag.Bool("update-docs", false, "write the table of categories into the documentation")

const docsPage = "../../../docs/connectors/github.md"

// categoryTable is the table of the built-in rules.
func categoryTable() string {
	var b strings.Builder
	b.WriteString("| category | files |\n|---|---|\n")
	for _, rule := range builtinRules() {
		fmt.Fprintf(&b, "| `%s` | `%s` |\n", rule.Category, strings.Join(rule.Paths, "` `"))
	}
	return b.String()
}

func TestDocsAreFresh(t *testing.T) {
	text, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- categories: begin (a test holds it) -->\n", "<!-- categories: end -->"
	before, rest, ok := strings.Cut(string(text), begin)
	was, after, found := strings.Cut(rest, end)
	if !ok || !found {
		t.Fatalf("%s has no place for the table of categories", docsPage)
	}
	if was == categoryTable() {
		return
	}
	if !*updateDocs {
		t.Fatalf("%s is not what the rules say: go generate ./pkg/connector/github", docsPage)
	}
	if err := os.WriteFile(docsPage, []byte(before+begin+categoryTable()+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The bounds in the documentation are those of the program.
func TestDocsSayWhatIsRead(t *testing.T) {
	text, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	docs := strings.Join(strings.Fields(string(text)), " ")
	for _, words := range []string{
		fmt.Sprintf("up to %.0f hours before the window, with the statuses", deploymentsBack.Hours()),
		fmt.Sprintf("from %.0f hours before the window", runsBack.Hours()), fmt.Sprintf("up to %.0f hours |", openRunsBack.Hours()),
		fmt.Sprintf("At most %d repositories are read that the config does not name", maxFollowed),
		fmt.Sprintf("believed from %.0f minutes after the push", settled.Minutes()), fmt.Sprintf("an incremental run is %.0f hours", overlap.Hours()),
		fmt.Sprintf("up to %d for what was deployed before", maxEarlier), fmt.Sprintf("up to %d KiB", maxMessage>>10),
		fmt.Sprintf("`large_lines` (%d)", defaultLargeLines), fmt.Sprintf("`large_files` (%d)", defaultLargeFiles),
		fmt.Sprintf("Of a range %d commits are told and the details of %d", maxRange, maxRangeDetails), fmt.Sprintf("for up to %d commits from asking", maxRangePulls),
	} {
		if !strings.Contains(docs, words) {
			t.Errorf("%s does not say: %s", docsPage, words)
		}
	}
	for _, risk := range []record.Risk{record.RiskBreaking, record.RiskCIChanged, record.RiskLarge, record.RiskLockFileOnly, record.RiskMigrationWithCode, record.RiskRevert, record.RiskSensitivePath} {
		if !strings.Contains(docs, fmt.Sprintf("| `%s` |", risk)) {
			t.Errorf("%s does not tell of %s", docsPage, risk)
		}
	}
}

func TestTheMapNamesEveryFile(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{"doc.go": true}
	for _, word := range strings.Fields(string(text)) {
		if word = strings.TrimSuffix(word, ","); strings.HasSuffix(word, ".go") {
			named[word] = true
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") && !named[file] {
			t.Errorf("the map does not name %s", file)
		}
		delete(named, file)
	}
	for file := range named {
		t.Errorf("the map names %s, which is not there", file)
	}
}
