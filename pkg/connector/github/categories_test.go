package github

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/record"
)

func sorterFor(t testing.TB, change func(*Config)) *sorter {
	t.Helper()
	cfg := defaultConfig()
	if change != nil {
		change(cfg)
	}
	s, err := newSorter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFilesHaveACategory(t *testing.T) {
	s := sorterFor(t, nil)
	for category, files := range map[record.Category][]string{
		record.CategoryMigration: {
			"db/migrate/20310101_add.rb", "app/migrations/0001_initial.py", "src/main/resources/db/migration/V1__init.sql", "V2_1__more.sql", "prisma/migrations/1/migration.sql",
			"alembic/versions/1a2b_add.py", "migrations/001.up.sql", "Shop/Migrations/20310101_Init.cs", "db/changelog/db.changelog-1.yaml", "db/schema.rb", "deploy/migrations/001.sql",
		},
		record.CategoryInfrastructure: {
			"main.tf", "env/prod.tfvars", "Dockerfile", "build/Dockerfile.alpine", "charts/shop/templates/deployment.yaml", "charts/shop/values.yaml", "k8s/overlays/test/patch.yaml",
			".github/workflows/deploy.yml", ".gitlab-ci.yml", "Jenkinsfile", "kustomization.yaml", "deploy/shop.yaml", "docker-compose.override.yml", "terraform/.terraform-version.hcl",
		},
		record.CategoryDependency: {
			"go.mod", "go.sum", "web/package.json", "web/package-lock.json", "requirements.txt", "requirements-dev.txt", "pom.xml", "Cargo.lock", "Gemfile", "Shop/Shop.csproj", "vendor/example.test/x/x.go", ".terraform.lock.hcl",
		},
		record.CategoryConfiguration: {"config/app.yaml", "application.properties", ".env.production", "settings.toml", "config/routes.txt", ".eslintrc.json", ".prettierrc"},
		record.CategoryCode:          {"main.go", "pkg/kubernetes/client.go", "src/app.ts", "lib/x.rb", "src/main/java/Shop.java", "latest.java", "Makefile", "schema.graphql", "web/index.html", "query.sql", "tools/contest.py"},
		record.CategoryTest: {
			"main_test.go", "test/x.rb", "src/test/java/ShopTest.java", "src/test/resources/db/migration/V1__x.sql", "web/app.spec.ts", "tests/migrations/test_x.py", "pkg/testdata/go.golden", "features/pay.feature", "e2e/config.yaml",
		},
		record.CategoryDocumentation: {"README.md", "docs/a.png", "migrations/README.md", "LICENSE", "docs/notes.txt", "CHANGELOG.md"},
		record.CategoryOther:         {"logo.png", "bin/blob", "a", "", "/", "x//y"},
	} {
		for _, file := range files {
			if got := s.category(file); got != category {
				t.Errorf("%s: %s, want %s", file, got, category)
			}
		}
	}
}

func TestRulesOfTheConfigComeFirst(t *testing.T) {
	s := sorterFor(t, func(c *Config) {
		c.Categories = []CategoryRule{
			{Category: record.CategoryMigration, Paths: []string{"schema/*.graphql", "*.ddl"}},
			{Category: record.CategoryTest, Paths: []string{"schema/", "lab/**/x?.go"}},
		}
	})
	for file, want := range map[string]record.Category{
		"schema/a.graphql": record.CategoryMigration, "deep/in/b.ddl": record.CategoryMigration, "schema/deep/a.graphql": record.CategoryTest,
		"schema/a.go": record.CategoryTest, "lab/x1.go": record.CategoryTest, "lab/a/b/x2.go": record.CategoryTest, "lab/a/x12.go": record.CategoryCode,
	} {
		if got := s.category(file); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
	if s.digest == sorterFor(t, nil).digest {
		t.Error("other rules have the same digest: kept summaries would be those of the old rules")
	}
}

func TestGlobs(t *testing.T) {
	for _, tt := range []struct {
		glob, file string
		want       bool
	}{
		{"*.go", "a/b/c.go", true},
		{"a/*.go", "a/b/c.go", false},
		{"a/**", "a", false},
		{"a/**", "a/b", true},
		{"a/**", "a/b/c", true},
		{"**/b/**", "b/c", true},
		{"**/b/**", "a/b", false},
		{"**/a/**/b/*.go", "x/a/y/a/b/z/b/c.go", true},
		{"**/a/b", "a/a/b", true},
		{"a/**/b/**/c", "a/x/b/y/b/c/d", false},
		{"[ab].go", "b.go", true},
		{"/a.go", "a.go", true},
		{"/a.go", "b/a.go", false},
		{"dir/", "dir/x/y", true},
		{"dir/", "other/dir/x", false},
	} {
		g, err := parseGlob(tt.glob)
		if err != nil {
			t.Fatalf("%s: %v", tt.glob, err)
		}
		if got := g.fits(strings.Split(tt.file, "/")); got != tt.want {
			t.Errorf("%s on %s: %v", tt.glob, tt.file, got)
		}
	}
	for _, bad := range []string{"", "[", "a//b", "a/b**/c", "/", strings.Repeat("a", maxGlobLength+1), strings.Repeat("a/", maxGlobParts+1)} {
		if _, err := parseGlob(bad); err == nil {
			t.Errorf("%.20q is taken for a glob", bad)
		}
	}
}

// slowFits is what a glob means, said in the simplest way.
func slowFits(parts, folders []string) bool {
	switch {
	case len(parts) == 0:
		return len(folders) == 0
	case parts[0] == "**":
		for i := range len(folders) + 1 {
			if slowFits(parts[1:], folders[i:]) {
				return true
			}
		}
		return false
	}
	return len(folders) > 0 && segmentFits(parts[0], folders[0]) && slowFits(parts[1:], folders[1:])
}

func FuzzGlobs(f *testing.F) {
	f.Add("**/a*/**/b", "x/ab/c/b")
	f.Add("*.go", "a/b.go")
	f.Fuzz(func(t *testing.T, pattern, file string) {
		g, err := parseGlob(pattern)
		folders := strings.Split(file, "/")
		if err != nil || len(folders) > 12 || len(g.parts) > 8 {
			return
		}
		if got, want := g.fits(folders), slowFits(g.parts, folders); got != want {
			t.Errorf("%q on %q: %v, want %v", pattern, file, got, want)
		}
		r := newRules()
		if err := r.add(0, pattern); err != nil {
			t.Fatal(err)
		}
		if got := r.first(file) == 0; !strings.HasPrefix(file, "/") && got != g.fits(folders) {
			t.Errorf("%q on %q: looked up %v", pattern, file, got)
		}
	})
}

func TestRisks(t *testing.T) {
	s := sorterFor(t, func(c *Config) { c.SensitivePaths = []string{"**/auth/**"}; c.LargeLines, c.LargeFiles = 100, 5 })
	for _, tt := range []struct {
		name      string
		files     []string
		lines     int64
		truncated bool
		m         message
		want      []record.Risk
	}{
		{"nothing", []string{"a.go"}, 1, false, message{}, nil},
		{"migration and code", []string{"db/migrate/1.rb", "a.go"}, 1, false, message{}, []record.Risk{record.RiskMigrationWithCode}},
		{"migration and its documentation", []string{"db/migrate/1.rb", "a.md"}, 1, false, message{}, nil},
		{"lock files alone", []string{"go.sum", "web/yarn.lock"}, 1, false, message{}, []record.Risk{record.RiskLockFileOnly}},
		{"lock files as far as is known", []string{"go.sum"}, 1, true, message{}, nil},
		{"not lock files alone", []string{"go.sum", "go.mod"}, 1, false, message{}, nil},
		{"pipelines", []string{".github/workflows/x.yml"}, 1, false, message{}, []record.Risk{record.RiskCIChanged}},
		{"a sensitive path", []string{"pkg/auth/x.md"}, 1, false, message{}, []record.Risk{record.RiskSensitivePath}},
		{"lines", []string{"a.go"}, 100, false, message{}, []record.Risk{record.RiskLarge}},
		{"files", []string{"a", "b", "c", "d", "e"}, 1, false, message{}, []record.Risk{record.RiskLarge}},
		{"what the message says", []string{"a.go"}, 1, false, message{revert: true, conventional: record.Conventional{Breaking: true}}, []record.Risk{record.RiskBreaking, record.RiskRevert}},
		{"no files", nil, 0, false, message{}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			counted := s.counting()
			for _, f := range tt.files {
				counted.add(f, "")
			}
			got := risks(record.Commit{Additions: tt.lines, FilesTruncated: tt.truncated}, tt.m, counted)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	counted := s.counting()
	counted.add("moved.go", "pkg/auth/x.go")
	if got := risks(record.Commit{}, message{}, counted); len(got) != 1 || got[0] != record.RiskSensitivePath {
		t.Errorf("a file that left a sensitive folder: %v", got)
	}
}

func TestTagsAndEnvironmentsAreLikeNames(t *testing.T) {
	for tag, want := range map[string]bool{
		"v1.2.3": true, "1.2": true, "api/v2.0.0-rc.1": true, "release-2031.04": true, "v1": true, "2031-01-31": true, "shop-1.4.0+build.5": true,
		"planted": false, "not-a-version": false, "planted person 1.0": false, "": false, "v1.0 ": false, "planted@example.test": false, "ghp_" + strings.Repeat("Pl4nt", 7) + "9": false,
	} {
		if got := tagForm.MatchString(tag); got != want {
			t.Errorf("tag %q: %v", tag, got)
		}
	}
	for name, want := range map[string]bool{
		"production": true, "prod-eu.1": true, "": false, "Production – Planted Person": false, "review/planted-branch": false, "planted@example.test": false,
	} {
		if got := environmentForm.MatchString(name); got != want {
			t.Errorf("environment %q: %v", name, got)
		}
	}
}

func TestManyFilesAreSortedQuickly(t *testing.T) {
	s := sorterFor(t, nil)
	var files []string
	for i := range 3000 {
		files = append(files, fmt.Sprintf("a/deep/folder/of/some/service%d/with/files/file%d.%s", i%7, i, []string{"go", "sql", "bin", "yaml"}[i%4]))
	}
	began := time.Now()
	for _, f := range files {
		s.category(f)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("3,000 files took %v", took)
	}
}
