package github

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/secret"
)

// The defaults of Config.
const (
	defaultLargeLines  = 1000
	defaultLargeFiles  = 50
	defaultMaxRequests = 2000
)

// Config is what one credential may see of one GitHub. Fields that do not change
// what is read are left out of the JSON form, of which the digest is taken that
// ties a cursor to its config.
type Config struct {
	// App is the GitHub App to be; nil means a token.
	App *App `yaml:"app" json:"-"`
	// Token is a personal access token or that of a workflow. Without it and App:
	// GITHUB_TOKEN, else GH_TOKEN (for another host GH_ENTERPRISE_TOKEN, else
	// GITHUB_ENTERPRISE_TOKEN).
	Token secret.Ref `yaml:"token" json:"-"`
	// BaseURL is the root of the API; empty means https://api.github.com/.
	BaseURL string `yaml:"base_url" json:"base_url,omitempty"`
	// Host is the first part of the names of repositories, where the API is reached
	// by another address than its own; empty means to derive it from BaseURL.
	Host string `yaml:"host" json:"host,omitempty"`
	// Repositories to read, as owner/name. Empty means those that other sources
	// name, and where none is named that of the folder.
	Repositories []string `yaml:"repositories" json:"repositories,omitempty"`
	// Branches to read beside the default branch, by their exact names.
	Branches []string `yaml:"branches" json:"branches,omitempty"`
	// Streams to read; empty means all.
	Streams []string `yaml:"streams" json:"streams,omitempty"`
	// DeployWorkflows are the base names of the files of workflows that deploy.
	DeployWorkflows []string `yaml:"deploy_workflows" json:"deploy_workflows,omitempty"`
	// Categories are rules that come before the built-in ones; the first that fits
	// wins.
	Categories []CategoryRule `yaml:"categories" json:"categories,omitempty"`
	// SensitivePaths are globs of paths that are worth a mark.
	SensitivePaths []string `yaml:"sensitive_paths" json:"sensitive_paths,omitempty"`
	// LargeLines and LargeFiles are from how many changed lines or files on a commit
	// is marked as large.
	LargeLines int `yaml:"large_lines" json:"large_lines"`
	LargeFiles int `yaml:"large_files" json:"large_files"`
	// MaxRequests bounds the requests of a run, all repositories and Resolve
	// together.
	MaxRequests int `yaml:"max_requests" json:"-"`
}

// App is a GitHub App. Exactly one of ID and ClientID names it.
type App struct {
	ID       int64  `yaml:"id" json:"-"`
	ClientID string `yaml:"client_id" json:"-"`
	// Key is the private key, PEM.
	Key secret.Ref `yaml:"key" json:"-"`
	// Installation is the number of an installation; 0 means to find that of each
	// owner.
	Installation int64 `yaml:"installation" json:"-"`
}

// CategoryRule says of which category the files are that one of the globs fits.
// In a glob * stands for anything within a folder, ** for any folders; one without
// "/" fits the base name.
type CategoryRule struct {
	Category record.Category `yaml:"category" json:"category"`
	Paths    []string        `yaml:"paths" json:"paths"`
}

// defaultConfig has every default filled in.
func defaultConfig() *Config {
	return &Config{LargeLines: defaultLargeLines, LargeFiles: defaultLargeFiles, MaxRequests: defaultMaxRequests}
}

// Follows implements connector.Follower.
func (c *Config) Follows() bool { return len(c.Repositories) == 0 }

// allStreams lists the streams in the order of coverage.
func allStreams() []string {
	return []string{
		record.StreamCommits, record.StreamPullRequests, record.StreamReleases,
		record.StreamDeployments, record.StreamWorkflowRuns,
	}
}

// streams are those to read, in the order of allStreams.
func (c *Config) streams() []string {
	if len(c.Streams) == 0 {
		return allStreams()
	}
	return slices.DeleteFunc(allStreams(), func(stream string) bool { return !slices.Contains(c.Streams, stream) })
}

// The forms of names. A branch is taken as git takes it, but for what would be
// escaped in an address.
var (
	repositoryForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,99})/[A-Za-z0-9._-]{1,100}$`)
	branchForm     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/@+#=-]{0,249}$`)
	workflowForm   = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}\.ya?ml$`)
	clientIDForm   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
)

// maxRequests bounds max_requests.
const maxRequests = 100_000

// complaint notes a problem of a field.
type complaint func(path, hint, problem string, args ...any)

// Validate implements connector.Config.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(path, hint, problem string, args ...any) {
		errs = append(errs, &connector.FieldError{Path: path, Problem: fmt.Sprintf(problem, args...), Hint: hint})
	}
	c.validateCredential(wrong)
	c.validateEndpoint(wrong)
	c.validateNames(wrong)
	c.validateRules(wrong)
	if c.MaxRequests < 1 || c.MaxRequests > maxRequests {
		wrong("max_requests", "", "%d is not between 1 and %d", c.MaxRequests, maxRequests)
	}
	return errors.Join(errs...)
}

func (c *Config) validateCredential(wrong complaint) {
	a := c.App
	if a == nil {
		return
	}
	if !c.Token.IsZero() {
		wrong("token", "keep one of them", "a token stands beside an app")
	}
	switch {
	case a.ID == 0 && a.ClientID == "":
		wrong("app", "add client_id (or id), as the page of the App shows it", "the app has no client_id")
	case a.ID != 0 && a.ClientID != "":
		wrong("app.id", "keep client_id", "id and client_id both name the app")
	case a.ID < 0:
		wrong("app.id", "as the page of the App shows it", "%d is not the id of an App", a.ID)
	case a.ClientID != "" && !clientIDForm.MatchString(a.ClientID):
		wrong("app.client_id", "as the page of the App shows it", "this is not the client id of an App")
	}
	if a.Key.IsZero() {
		wrong("app", "add key, such as key: file:/etc/rcactl/github-app.pem", "the app has no key")
	}
	if a.Installation < 0 {
		wrong("app.installation", "leave it out to find it", "%d is not the number of an installation", a.Installation)
	}
}

func (c *Config) validateEndpoint(wrong complaint) {
	if _, err := parseEndpoint(c.BaseURL); err != nil {
		hint := "leave it out for github.com; https://HOST/api/v3/ for GitHub Enterprise Server; https://api.SUBDOMAIN.ghe.com/"
		wrong("base_url", hint, "%s", err)
	}
	if c.Host != "" && !repositoryHost.MatchString(c.Host) {
		wrong("host", "such as github.example.com", "this is not the name of a host")
	}
}

func (c *Config) validateNames(wrong complaint) {
	each := func(key string, list []string, form *regexp.Regexp, hint, problem string) {
		seen := map[string]bool{}
		for i, name := range list {
			at := fmt.Sprintf("%s[%d]", key, i)
			same := name
			if key == "repositories" {
				same = strings.ToLower(name)
			}
			switch {
			case !form.MatchString(name) || strings.Contains(name, ".."):
				wrong(at, hint, problem, name)
			case seen[same]:
				wrong(at, "remove one of them", "%q is there twice", name)
			}
			seen[same] = true
		}
	}
	each("repositories", c.Repositories, repositoryForm, "such as acme/shop", "%q is not owner/name")
	each("branches", c.Branches, branchForm, "the exact name, such as release/1.4", "%q is not the name of a branch")
	each("deploy_workflows", c.DeployWorkflows, workflowForm, "the name of its file without the folder, such as deploy.yml", "%q is not the file of a workflow")
	for i, stream := range c.Streams {
		if !slices.Contains(allStreams(), stream) {
			wrong(fmt.Sprintf("streams[%d]", i), fmt.Sprintf("one of %v", allStreams()), "there is no stream %q", stream)
		}
	}
}

func (c *Config) validateRules(wrong complaint) {
	globs := func(key string, list []string) {
		for i, glob := range list {
			if _, err := parseGlob(glob); err != nil {
				wrong(fmt.Sprintf("%s[%d]", key, i), "such as db/migrations/** or *.sql", "%q: %s", glob, err)
			}
		}
	}
	for i, rule := range c.Categories {
		if !slices.Contains(categoryOrder(), rule.Category) {
			wrong(fmt.Sprintf("categories[%d].category", i), fmt.Sprintf("one of %v", categoryOrder()), "there is no category %q", rule.Category)
		}
		if len(rule.Paths) == 0 {
			wrong(fmt.Sprintf("categories[%d]", i), "add paths, or remove the rule", "the rule has no paths")
		}
		globs(fmt.Sprintf("categories[%d].paths", i), rule.Paths)
	}
	globs("sensitive_paths", c.SensitivePaths)
	if c.LargeLines < 1 {
		wrong("large_lines", "", "%d is not a positive number", c.LargeLines)
	}
	if c.LargeFiles < 1 {
		wrong("large_files", "", "%d is not a positive number", c.LargeFiles)
	}
}

// endpoint is where the API is.
func (c *Config) endpoint() (endpoint, error) {
	at, err := parseEndpoint(c.BaseURL)
	if err != nil {
		return endpoint{}, connector.Errorf(connector.ClassConfig, err, "base_url cannot be used: %s", err)
	}
	if c.Host != "" {
		at.host = c.Host
	}
	return at, nil
}

// owners gives the owner of each configured repository, sorted, each once and in
// lower case.
func (c *Config) owners() []string {
	var owners []string
	for _, repository := range c.Repositories {
		owner, _, _ := strings.Cut(strings.ToLower(repository), "/")
		owners = append(owners, owner)
	}
	return slices.Compact(slices.Sorted(slices.Values(owners)))
}

// Connect implements connector.Config. It reads the credential and sends nothing.
func (c *Config) Connect(ctx context.Context, env connector.Env) (connector.Connector, error) {
	api, err := newClient(ctx, c, env)
	if err != nil {
		return nil, err
	}
	return newSource(c, env, api)
}
