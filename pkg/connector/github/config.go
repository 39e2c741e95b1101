package github

import (
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
	var out []string
	for _, stream := range allStreams() {
		for _, asked := range c.Streams {
			if asked == stream {
				out = append(out, stream)
				break
			}
		}
	}
	return out
}
