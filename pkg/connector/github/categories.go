package github

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// rulesVersion changes with the built-in rules, and with what else of a summary
// follows from more than the commit: kept summaries of another version are made
// anew.
const rulesVersion = 1

// builtinRules are the rules after those of the config; the first that fits wins.
// Prose wins over all, since a README beside migrations migrates nothing. What says
// how to build and run comes next, then tests, so that a migration among the
// fixtures of a test is a test.
func builtinRules() []CategoryRule {
	return []CategoryRule{
		{record.CategoryDocumentation, []string{
			"*.md", "*.mdx", "*.markdown", "*.rst", "*.adoc", "*.asciidoc", "*.org", "*.pod",
			"LICENSE*", "LICENCE*", "COPYING*", "NOTICE", "NOTICE.txt", "README*", "CHANGELOG*", "CHANGES", "CONTRIBUTING*", "AUTHORS*", "SECURITY*",
		}},
		{record.CategoryDependency, append(lockFiles(),
			"go.mod", "go.work", "package.json", "pnpm-workspace.yaml", "requirements*.txt", "requirements*.in", "constraints*.txt",
			"pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "environment.yml", "conda.yaml", "Cargo.toml", "Gemfile", "*.gemspec",
			"pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "libs.versions.toml", "gradle-wrapper.properties", "build.sbt", "ivy.xml",
			"composer.json", "*.csproj", "*.fsproj", "*.vbproj", "packages.config", "Directory.Packages.props", "paket.dependencies", "global.json",
			"mix.exs", "rebar.config", "pubspec.yaml", "Package.swift", "Podfile", "Cartfile", "deps.edn", "project.clj", "stack.yaml", "*.cabal",
			"MODULE.bazel", "vcpkg.json", "conanfile.txt", "conanfile.py", "bower.json", "deno.json", ".tool-versions",
			"vendor/**", "third_party/**", "**/node_modules/**", "renovate.json", ".github/dependabot.yml", ".github/dependabot.yaml",
		)},
		{record.CategoryInfrastructure, append(pipelineFiles(),
			"*.tf", "*.tfvars", "*.tf.json", "*.hcl", "*.bicep", "*.nomad", "Dockerfile*", "*.dockerfile", "*.Dockerfile", "Containerfile*", ".dockerignore",
			"docker-compose*.yml", "docker-compose*.yaml", "compose.yml", "compose.yaml", "compose.*.yml", "compose.*.yaml", "docker-bake.hcl",
			"Chart.yaml", "kustomization.yaml", "kustomization.yml", "helmfile*.yaml", "skaffold.yaml", "Tiltfile", "Procfile", "fly.toml",
			"serverless.yml", "serverless.yaml", "cdk.json", "Pulumi*.yaml", "template.yaml", "samconfig.toml", "ansible.cfg", "Vagrantfile",
			"**/charts/**/*.yaml", "**/charts/**/*.yml", "**/charts/**/*.tpl", "**/helm/**/*.yaml", "**/helm/**/*.yml", "**/helm/**/*.tpl",
			"**/k8s/**/*.yaml", "**/k8s/**/*.yml", "**/kubernetes/**/*.yaml", "**/kubernetes/**/*.yml", "**/manifests/**/*.yaml", "**/manifests/**/*.yml",
			"**/kustomize/**/*.yaml", "**/overlays/**/*.yaml", "**/overlays/**/*.yml", "**/deploy/**/*.yaml", "**/deploy/**/*.yml", "**/deployment/**/*.yaml",
			"**/deployments/**/*.yaml", "**/argocd/**/*.yaml", "**/flux/**/*.yaml", "**/clusters/**/*.yaml", "**/cloudformation/**",
			"**/ansible/**/*.yml", "**/ansible/**/*.yaml", "**/playbooks/**/*.yml", "**/roles/**/tasks/*.yml", "**/terraform/**/*.json", "**/infra/**/*.yaml", "**/infrastructure/**/*.yaml",
			"*.jsonnet", "*.libsonnet",
		)},
		{record.CategoryTest, []string{
			"*_test.go", "test_*.py", "*_test.py", "*_tests.py", "conftest.py", "*.test.js", "*.test.jsx", "*.test.ts", "*.test.tsx", "*.test.mjs", "*.spec.js", "*.spec.jsx", "*.spec.ts", "*.spec.tsx",
			"*_spec.rb", "*_test.rb", "*Test.java", "*Tests.java", "*IT.java", "*TestCase.java", "*Test.kt", "*Tests.kt", "*Test.scala", "*Spec.scala", "*Test.groovy", "*Spec.groovy",
			"*Test.cs", "*Tests.cs", "*Test.php", "*Tests.swift", "*_test.exs", "*_test.dart", "*_test.cc", "*_test.cpp", "*_test.c", "*_test.rs", "*.feature", "*.snap", "*.bats",
			"**/test/**", "**/tests/**", "**/testing/**", "**/testdata/**", "**/__tests__/**", "**/__mocks__/**", "**/__snapshots__/**", "**/fixtures/**", "**/e2e/**", "**/spec/**/*.rb",
			"**/cypress/**", "**/playwright/**", "**/src/*Test/**", "*.Tests/**", "**/*.Tests/**",
		}},
		{record.CategoryMigration, []string{
			"**/migrations/**", "**/db/migrate/**", "**/migrate/**/*.sql", "**/migration/**/*.sql", "**/migration/**/*.xml", "**/migration/**/*.java",
			"V[0-9]*__*.sql", "U[0-9]*__*.sql", "R__*.sql", "*.up.sql", "*.down.sql", "**/alembic/versions/**", "**/versions/*.sql",
			"**/db/changelog/**", "**/liquibase/**", "**/flyway/**", "**/sqitch/**", "sqitch.plan", "db/schema.rb", "db/structure.sql", "**/db/schema.rb", "**/db/structure.sql",
			"**/evolutions/**/*.sql", "**/Migrations/**", "**/knex/**/*.sql", "**/schema_migrations/**", "schema.prisma", "**/changesets/**/*.sql",
		}},
		{record.CategoryCode, []string{
			"*.go", "*.py", "*.pyx", "*.pyi", "*.rb", "*.rake", "*.js", "*.jsx", "*.mjs", "*.cjs", "*.ts", "*.tsx", "*.mts", "*.vue", "*.svelte", "*.astro",
			"*.java", "*.kt", "*.kts", "*.scala", "*.groovy", "*.clj", "*.cljs", "*.cljc", "*.cs", "*.fs", "*.vb", "*.razor", "*.cshtml",
			"*.c", "*.h", "*.cc", "*.cpp", "*.cxx", "*.hh", "*.hpp", "*.inl", "*.rs", "*.zig", "*.swift", "*.m", "*.mm", "*.dart", "*.php", "*.phtml", "*.twig", "*.blade.php",
			"*.ex", "*.exs", "*.eex", "*.heex", "*.erl", "*.hrl", "*.hs", "*.lhs", "*.ml", "*.mli", "*.elm", "*.nim", "*.cr", "*.jl", "*.r", "*.R", "*.lua", "*.pl", "*.pm", "*.tcl",
			"*.sh", "*.bash", "*.zsh", "*.fish", "*.ps1", "*.psm1", "*.bat", "*.cmd", "*.awk", "*.sql", "*.proto", "*.thrift", "*.avsc", "*.graphql", "*.gql", "*.wsdl", "*.xsd",
			"*.html", "*.htm", "*.css", "*.scss", "*.sass", "*.less", "*.styl", "*.hbs", "*.ejs", "*.erb", "*.haml", "*.slim", "*.jinja", "*.jinja2", "*.j2", "*.ftl", "*.jsp", "*.gohtml", "*.tmpl",
			"*.sol", "*.vy", "*.wat", "*.asm", "*.s", "*.S", "*.f90", "*.cob", "*.cbl", "*.abap", "*.cls", "*.trigger", "*.ipynb", "*.rego", "*.cue", "*.nix", "*.bzl",
			"Makefile", "makefile", "GNUmakefile", "*.mk", "CMakeLists.txt", "*.cmake", "BUILD", "BUILD.bazel", "WORKSPACE", "WORKSPACE.bazel", "Rakefile", "justfile", "Justfile", "Taskfile.yml", "Taskfile.yaml", "build.xml", "meson.build", "configure.ac", "magefile.go",
		}},
		{record.CategoryConfiguration, []string{
			"*.yaml", "*.yml", "*.toml", "*.json", "*.json5", "*.jsonc", "*.ini", "*.cfg", "*.conf", "*.config", "*.cnf", "*.properties", "*.env", ".env", ".env.*", "*.plist", "*.xml",
			".editorconfig", ".gitattributes", ".gitignore", ".gitmodules", ".*rc", ".*rc.*", "CODEOWNERS", "**/config/**", "**/conf/**", "**/configs/**", "**/settings/**",
		}},
		{record.CategoryDocumentation, []string{"**/docs/**", "**/doc/**", "*.txt", "**/man/**"}},
	}
}

// lockFiles are the names of files in which tools write down the exact versions of
// dependencies.
func lockFiles() []string {
	return []string{
		"go.sum", "go.work.sum", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb", "deno.lock",
		"poetry.lock", "uv.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "conda-lock.yml", "Cargo.lock", "Gemfile.lock", "composer.lock",
		"packages.lock.json", "paket.lock", "gradle.lockfile", "buildscript-gradle.lockfile", "mix.lock", "rebar.lock", "pubspec.lock",
		"Package.resolved", "Podfile.lock", "Cartfile.resolved", "stack.yaml.lock", "cabal.project.freeze", "renv.lock", "flake.lock",
		"MODULE.bazel.lock", "conan.lock", ".terraform.lock.hcl", "Chart.lock", "requirements.lock",
	}
}

// pipelineFiles are globs of files that say what pipelines do.
func pipelineFiles() []string {
	return []string{
		".github/workflows/**", ".github/actions/**", "action.yml", "action.yaml", ".gitlab-ci.yml", ".gitlab/ci/**", ".circleci/**", "Jenkinsfile*", "*.jenkinsfile",
		"azure-pipelines*.yml", ".azure-pipelines/**", ".azuredevops/**", "bitbucket-pipelines.yml", ".travis.yml", ".drone.yml", ".woodpecker/**", ".woodpecker.yml",
		".buildkite/**", ".tekton/**", "cloudbuild.yaml", "cloudbuild.json", "buildspec*.yml", "appveyor.yml", ".semaphore/**", ".cirrus.yml",
		"goreleaser.yaml", ".goreleaser.yaml", ".goreleaser.yml", ".releaserc*", "codefresh.yml",
	}
}

// sorter tells of a path what kind of file it is. It is made once and not changed.
type sorter struct {
	rules      *rules
	categories []record.Category // of each rule
	locks      *rules
	pipelines  *rules
	sensitive  *rules
	largeLines int64
	largeFiles int32
	// digest is of all that summaries depend on beside the commit.
	digest string
}

// newSorter compiles the rules of the config and the built-in ones. An error names
// the glob by its place in the config.
func newSorter(cfg *Config) (*sorter, error) {
	s := &sorter{
		rules: newRules(), locks: newRules(), pipelines: newRules(), sensitive: newRules(),
		largeLines: int64(cfg.LargeLines), largeFiles: int32(min(max(cfg.LargeFiles, 0), 1<<30)),
	}
	for i, rule := range slices.Concat(cfg.Categories, builtinRules()) {
		s.categories = append(s.categories, rule.Category)
		for j, pattern := range rule.Paths {
			if err := s.rules.add(i, pattern); err != nil {
				return nil, badGlob(fmt.Sprintf("categories[%d].paths[%d]", i, j), err)
			}
		}
	}
	for i, pattern := range cfg.SensitivePaths {
		if err := s.sensitive.add(i, pattern); err != nil {
			return nil, badGlob(fmt.Sprintf("sensitive_paths[%d]", i), err)
		}
	}
	for i, name := range lockFiles() {
		if err := s.locks.add(i, name); err != nil {
			return nil, badGlob("lock files", err)
		}
	}
	for i, pattern := range pipelineFiles() {
		if err := s.pipelines.add(i, pattern); err != nil {
			return nil, badGlob("pipeline files", err)
		}
	}
	var err error
	s.digest, err = rulesDigest(cfg)
	return s, err
}

func badGlob(where string, err error) error {
	return connector.Errorf(connector.ClassConfig, err, "%s: %s", where, err)
}

// rulesDigest is short: it tells kept summaries of other rules apart, and no more.
func rulesDigest(cfg *Config) (string, error) {
	text, err := json.Marshal([]any{rulesVersion, cfg.Categories, cfg.SensitivePaths, cfg.LargeLines, cfg.LargeFiles})
	if err != nil {
		return "", connector.Errorf(connector.ClassInternal, err, "the rules of the config cannot be digested")
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6]), nil
}

// category gives what kind of file a path is.
func (s *sorter) category(file string) record.Category {
	if i := s.rules.first(file); i >= 0 {
		return s.categories[i]
	}
	return record.CategoryOther
}

// categoryOrder lists the categories as they are counted.
func categoryOrder() []record.Category {
	return []record.Category{
		record.CategoryMigration, record.CategoryInfrastructure, record.CategoryDependency, record.CategoryConfiguration,
		record.CategoryCode, record.CategoryTest, record.CategoryDocumentation, record.CategoryOther,
	}
}

// counting adds up the files of a commit or of a difference.
type counting struct {
	sorter *sorter
	files  int32
	count  map[record.Category]int32
	locks  int32
	// pipelines and sensitive say that there was one.
	pipelines, sensitive bool
}

func (s *sorter) counting() *counting {
	return &counting{sorter: s, count: map[record.Category]int32{}}
}

// add counts a file. Of one that was renamed both names are looked at for marks,
// the new one for the category.
func (c *counting) add(file, before string) {
	c.files++
	c.count[c.sorter.category(file)]++
	if c.sorter.locks.first(file) >= 0 {
		c.locks++
	}
	for _, name := range []string{file, before} {
		if name == "" {
			continue
		}
		c.pipelines = c.pipelines || c.sorter.pipelines.first(name) >= 0
		c.sensitive = c.sensitive || c.sorter.sensitive.first(name) >= 0
	}
}

// categories gives the counts in the order of the categories.
func (c *counting) categories() []record.CategoryCount {
	var out []record.CategoryCount
	for _, category := range categoryOrder() {
		if n := c.count[category]; n > 0 {
			out = append(out, record.CategoryCount{Category: category, Files: n})
		}
	}
	return out
}
