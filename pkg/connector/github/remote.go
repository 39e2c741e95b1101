package github

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/internal/safefile"
	"github.com/rcactl/rcactl/pkg/record"
)

const (
	// maxGitFile bounds a file of git that is read.
	maxGitFile = 1 << 20
	// maxFolders is how many folders up a repository is looked for.
	maxFolders = 64
)

// workRepository finds the repository that a folder belongs to, as
// record.RepositoryName: the address of a remote of git that is of this host. Empty
// when there is none. It reads files of git and runs nothing.
func workRepository(dir, host string) string {
	if dir == "" || !filepath.IsAbs(dir) {
		return ""
	}
	for range maxFolders {
		if config, ok := gitConfig(dir); ok {
			text, err := safefile.Read(config, maxGitFile)
			if err != nil || len(text) > maxGitFile {
				return ""
			}
			return remoteOf(parseRemotes(string(text)), host)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
	return ""
}

// gitConfig gives the config of the repository that has its root in a folder. In a
// worktree or a submodule ".git" is a file that names another folder, and that may
// name the one that all worktrees share.
func gitConfig(dir string) (path string, ok bool) {
	git := filepath.Join(dir, ".git")
	info, err := os.Stat(git)
	if err != nil {
		return "", false
	}
	if !info.IsDir() {
		line, err := firstLine(git)
		target, named := strings.CutPrefix(line, "gitdir:")
		if err != nil || !named {
			return "", false
		}
		git = from(dir, strings.TrimSpace(target))
	}
	if common, err := firstLine(filepath.Join(git, "commondir")); err == nil && common != "" {
		git = from(git, common)
	}
	return filepath.Join(git, "config"), true
}

func firstLine(path string) (string, error) {
	text, err := safefile.Read(path, maxGitFile)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line), nil
}

// from gives a path that may be relative to a folder.
func from(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// remote is a remote of git.
type remote struct{ name, address string }

// parseRemotes reads the addresses of remotes in a git config, in their order.
func parseRemotes(text string) []remote {
	var remotes []remote
	name := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			name = ""
			section, _, _ := strings.Cut(line[1:], "]")
			if quoted, ok := strings.CutPrefix(section, `remote "`); ok {
				name = strings.TrimSuffix(quoted, `"`)
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if name == "" || !ok || !strings.EqualFold(strings.TrimSpace(key), "url") || len(remotes) >= maxFolders {
			continue
		}
		remotes = append(remotes, remote{name, unquoted(strings.TrimSpace(value))})
	}
	return remotes
}

// unquoted gives a value of a git config without its quotes and without what stands
// behind it.
func unquoted(value string) string {
	if rest, ok := strings.CutPrefix(value, `"`); ok {
		value, _, _ = strings.Cut(rest, `"`)
		return value
	}
	if i := strings.IndexAny(value, "#;"); i >= 0 {
		value = value[:i]
	}
	return strings.TrimSpace(value)
}

// remoteOf chooses the remote of a host: upstream before github before origin, as
// the command line tool of GitHub does, then the first of the others.
func remoteOf(remotes []remote, host string) string {
	order := []string{"upstream", "github", "origin"}
	rank := func(r remote) int {
		if i := slices.Index(order, r.name); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(remotes, func(a, b remote) int { return rank(a) - rank(b) })
	for _, r := range remotes {
		name := record.RepositoryName(r.address)
		if rest, ok := strings.CutPrefix(name, "ssh.github.com:443/"); ok { // ssh where its port is closed
			name = publicHost + "/" + rest
		}
		rest, ok := strings.CutPrefix(name, host+"/")
		if ok && strings.Count(rest, "/") == 1 {
			return name
		}
	}
	return ""
}
