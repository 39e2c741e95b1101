package config_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/config"
)

var update = flag.Bool("update", false, "rewrite the first comments of the bad files; read the result")

// planted stands in the bad files wherever somebody might put a credential.
const planted = "correct-horse-battery"

// kubernetes stands for the real config of that type, which this room may not
// import; pkg/connector/builtin runs the same files against the real one.
type kubernetes struct {
	Kubeconfig    string   `yaml:"kubeconfig"`
	Context       string   `yaml:"context"`
	Namespaces    []string `yaml:"namespaces"`
	Exclude       []string `yaml:"exclude_namespaces"`
	Selector      string   `yaml:"label_selector"`
	ClusterID     string   `yaml:"cluster_id"`
	ServiceLabels []string `yaml:"service_labels"`
	Streams       []string `yaml:"streams"`
	MaxObjects    int      `yaml:"max_objects"`
	PageSize      int      `yaml:"page_size"`
	QPS           float64  `yaml:"qps"`
	Burst         int      `yaml:"burst"`
}

type fieldError struct{ path, problem, hint string }

func (e fieldError) Error() string { return e.path + ": " + e.problem }

func (e fieldError) Field() (path, problem, hint string) { return e.path, e.problem, e.hint }

func (k *kubernetes) Validate() error {
	var errs []error
	for i, ns := range k.Namespaces {
		if ns == "*" && len(k.Namespaces) > 1 {
			errs = append(errs, fieldError{fmt.Sprintf("namespaces[%d]", i), `"*" stands beside other namespaces, which it includes`, `write "*" alone, or only names`})
		}
	}
	for i, ns := range k.Exclude {
		if slices.Contains(k.Namespaces, ns) {
			errs = append(errs, fieldError{fmt.Sprintf("exclude_namespaces[%d]", i), fmt.Sprintf("%q stands in namespaces too", ns), "remove it from one of them"})
		}
	}
	if strings.HasSuffix(k.Selector, " in payments") { // the real one parses it
		errs = append(errs, fieldError{"label_selector", "this is not a label selector", "as kubectl takes it, for example team=payments,env!=dev"})
	}
	return errors.Join(errs...)
}

func defaultKubernetes() *kubernetes {
	return &kubernetes{ServiceLabels: []string{"app.kubernetes.io/name", "app", "k8s-app"}, MaxObjects: 100000, PageSize: 500, QPS: 50, Burst: 100}
}

func types(typ string) (any, error) {
	switch typ {
	case "kubernetes":
		return defaultKubernetes(), nil
	case "github":
		return &map[string]any{}, nil
	}
	return nil, fmt.Errorf("%q: unknown connector type", typ)
}

// withoutKubernetes is a build that left the type out.
func withoutKubernetes(string) (any, error) {
	return nil, errors.New("kubernetes: not included in this build; build with -tags rcactl_minimal,rcactl_kubernetes or without rcactl_minimal")
}

// parseFile parses a test file as its "# name: value" comments ask.
func parseFile(t *testing.T, file string) (*config.Config, config.Problems, []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, from := data, types
	if pad, ok := directive(data, "pad"); ok {
		size, err := strconv.Atoi(pad)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(bytes.Clone(data), bytes.Repeat([]byte("#"), size-len(data))...)
	}
	if build, ok := directive(data, "build"); ok {
		if build != "without kubernetes" {
			t.Fatalf("unknown build %q", build)
		}
		from = withoutKubernetes
	}
	cfg, problems := config.Parse(filepath.Base(file), parsed, from)
	if (cfg == nil) != (problems.Errors() > 0) {
		t.Errorf("config %v beside %s", cfg, problems.Summary())
	}
	return cfg, problems, data
}

func directive(data []byte, name string) (string, bool) {
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "# "+name+": "); ok {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// wanted reads the comments at the top of a bad file: "# want:" is a problem as
// it is printed, without the file's name; "# hint:" is the hint below it.
func wanted(data []byte, file string) string {
	var b strings.Builder
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		if want, ok := strings.CutPrefix(lines.Text(), "# want: "); ok {
			b.WriteString(file + ":" + want + "\n")
		} else if hint, ok := strings.CutPrefix(lines.Text(), "# hint: "); ok {
			b.WriteString("   " + hint + "\n")
		}
	}
	return b.String()
}

func badFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/config/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad files: %v", err)
	}
	return files
}

// Each bad file breaks the rule that it is named after and says in its first
// comments, to the letter, what is printed: all of it, and nothing else.
func TestBadFiles(t *testing.T) {
	for _, file := range badFiles(t) {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".bad.yaml"), func(t *testing.T) {
			if data, err := os.ReadFile(file); err != nil || bytes.Contains(data, []byte("\n# checked with the real types\n")) {
				return // by pkg/connector/builtin alone: the type itself says what is wrong
			}
			if *update {
				rewrite(t, file)
			}
			_, problems, data := parseFile(t, file)
			if diff := cmp.Diff(wanted(data, name), problems.Text()); diff != "" {
				t.Errorf("the comments of the file (-) and what is printed (+) differ:\n%s", diff)
			}
			if !bytes.HasPrefix(data, []byte("# want: ")) {
				t.Error("the first line is not a # want: comment")
			}
			rule, _, _ := strings.Cut(name, ".")
			for _, p := range problems {
				if p.Rule == rule {
					return
				}
			}
			t.Errorf("nothing breaks the rule %s", rule)
		})
	}
}

// rewrite puts what is printed at the top of a bad file. The comments move the
// rest down, so that it takes two turns.
func rewrite(t *testing.T, file string) {
	t.Helper()
	for range 2 {
		_, problems, data := parseFile(t, file)
		var b bytes.Buffer
		for line := range strings.Lines(problems.Text()) {
			if hint, ok := strings.CutPrefix(line, "   "); ok {
				b.WriteString("# hint: " + hint)
			} else {
				b.WriteString("# want: " + strings.TrimPrefix(line, filepath.Base(file)+":"))
			}
		}
		for line := range strings.Lines(string(data)) {
			if !strings.HasPrefix(line, "# want: ") && !strings.HasPrefix(line, "# hint: ") {
				b.WriteString(line)
			}
		}
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryRuleHasABadFile(t *testing.T) {
	severities := map[string]config.Severity{}
	for _, rule := range config.Rules() {
		severities[rule.ID] = rule.Severity
		if _, err := os.Stat("../../testdata/config/" + rule.ID + ".bad.yaml"); err != nil {
			t.Errorf("rule %s has no bad file: %v", rule.ID, err)
		}
	}
	for _, file := range badFiles(t) {
		_, problems, _ := parseFile(t, file)
		for _, p := range problems {
			if want, ok := severities[p.Rule]; !ok || want != p.Severity {
				t.Errorf("%s: rule %s, severity %s is not in Rules", filepath.Base(file), p.Rule, p.Severity)
			}
		}
	}
}

// A credential in the wrong place is on nobody's screen and in no log.
func TestPlantedCredentialIsNotShown(t *testing.T) {
	seen := 0
	for _, file := range badFiles(t) {
		_, problems, data := parseFile(t, file)
		if !bytes.Contains(data, []byte(planted)) {
			continue
		}
		seen++
		noCredential(t, filepath.Base(file), problems)
	}
	if seen < 4 {
		t.Errorf("only %d files have a planted credential", seen)
	}
}

// noCredential looks for the planted credential and for its beginning.
func noCredential(t *testing.T, name string, problems config.Problems) {
	t.Helper()
	asJSON, err := json.Marshal(problems)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{problems.Text(), string(asJSON), fmt.Sprintf("%#v", problems)} {
		if strings.Contains(out, planted[:7]) {
			t.Errorf("%s shows the credential:\n%s", name, out)
		}
	}
}

// Wherever a credential is planted around the keys that take a reference, no
// problem shows it.
func TestPlantedCredentialAnywhere(t *testing.T) {
	shapes := []string{
		"signing: %s", "signing: {%s}", "signing: [%s]", "signing: {%s: x}", "signing: {%s, %s}", "signing: {key: {%s: 1}}",
		"signing: {key: {%s: !t b}}", "signing: {key: {%s: '${x}'}}", "signing: {%s: {a: !t b}}", "signing: {%s: !t b}", "signing: {key: [%s]}", "signing: {key: [!t %s]}",
		"signing: {key: *%s}", "signing: {key: !%s x}", "signing: {key: &%s x}", "signing: {key: @%s}", "signing: {key: '%s}", "signing: {key: %s: x}",
		"signing: {key: env:%s-}", "signing: {key: file:%s}", "signing: {key: '${%s}'}", "signing: {key: x, key: %s}", "signing: {? %s : x}",
		"signing: {<<: %s}", "signing:\n  key: |\n    %s", "signing:\n\tkey: %s", "signing:\n  password: %s\n   x: y", "redaction: {key: %s, personal: 1}",
		"!%s signing: x", "signing: !<%s> {}", "%%TAG ! %s", "signing: {key: \"\\%s\"}", "*%s : x", "signing: {key: {? [%s] : x}}",
	}
	for _, shape := range shapes {
		_, problems := config.Parse("c.yaml", []byte("version: 1\n"+strings.ReplaceAll(shape, "%s", planted)+"\n"), types)
		if len(problems) == 0 {
			t.Errorf("no problem with %s", shape)
		}
		noCredential(t, shape, problems)
	}
}

func TestGoodFiles(t *testing.T) {
	files, err := filepath.Glob("../../testdata/config/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".bad.yaml") {
			continue
		}
		good++
		if _, problems, _ := parseFile(t, file); len(problems) > 0 {
			t.Errorf("problems with a good file:\n%s", problems.Text())
		}
	}
	if good == 0 {
		t.Error("no good files")
	}
}

// Examples are checked and point editors to the schema.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		_, problems, data := parseFile(t, file)
		if len(problems) > 0 {
			t.Errorf("problems with an example:\n%s", problems.Text())
		}
		if !bytes.HasPrefix(data, []byte(config.Modeline+"\n")) {
			t.Errorf("%s does not begin with the modeline", file)
		}
	}
}
