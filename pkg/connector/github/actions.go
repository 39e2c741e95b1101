package github

import "strings"

// isWord reports whether a part of a path is a word of the API. Whatever else stands
// there, such as a branch, a tag, a commit or a number, is not written down.
func isWord(part string) bool {
	switch part {
	case "commits", "compare", "pulls", "files", "releases", "tags", "latest", "deployments", "statuses", "status",
		"actions", "runs", "workflows", "attempts", "jobs", "branches", "git", "ref", "refs", "heads", "matching-refs", "trees",
		"installation", "installations", "access_tokens", "rate_limit", "meta", "app", "repos", "orgs", "users",
		"repositories", "branches-where-head", "activity":
		return true
	}
	return false
}

// pattern is a path as it is written down: words of the API and the name of the
// repository as they are, all else as "*", and what follows a "*" only where it is a
// word.
func pattern(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	var out []string
	for i, part := range parts {
		named := i > 0 && (parts[0] == "repos" && i <= 2 || (parts[0] == "orgs" || parts[0] == "users") && i == 1)
		switch {
		case named && isPlain(part):
		case !named && isWord(part):
		default:
			part = "*"
		}
		if part == "*" && len(out) > 0 && out[len(out)-1] == "*" {
			continue
		}
		out = append(out, part)
	}
	return "/" + strings.Join(out, "/")
}

// isPlain reports whether a name can be written down as it is.
func isPlain(s string) bool {
	return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}
