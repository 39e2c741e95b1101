package github

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
)

// requestLog collects what was asked, and what GitHub's clock said.
type requestLog struct {
	mu      sync.Mutex
	actions map[connector.Action]int // keyed without Requests
	skew    connector.Skew
}

func (l *requestLog) note(what call, method, path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.actions == nil {
		l.actions = map[connector.Action]int{}
	}
	l.actions[connector.Action{Stream: what.stream, Method: method, Target: pattern(path), Purpose: what.purpose}]++
}

// readClock compares the Date of the first answer with the middle of its request.
// Date has a resolution of one second and is cut, not rounded: half a second is
// added, so that the error is at most that either way.
func (l *requestLog) readClock(date string, sent, received time.Time) {
	server, err := http.ParseTime(date)
	if err != nil || sent.IsZero() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.skew.Measured {
		middle := sent.Add(received.Sub(sent) / 2)
		l.skew = connector.Skew{Measured: true, Offset: server.Add(time.Second / 2).Sub(middle)}
	}
}

func (l *requestLog) clock() connector.Skew {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.skew
}

// take hands over the actions since the last call, in a stable order: first what
// belongs to no stream, then stream by stream.
func (l *requestLog) take() []connector.Action {
	l.mu.Lock()
	defer l.mu.Unlock()
	actions := make([]connector.Action, 0, len(l.actions))
	for action, n := range l.actions {
		action.Requests = n
		actions = append(actions, action)
	}
	l.actions = nil
	order := append([]string{""}, allStreams()...)
	slices.SortFunc(actions, func(a, b connector.Action) int {
		if d := slices.Index(order, a.Stream) - slices.Index(order, b.Stream); d != 0 {
			return d
		}
		return strings.Compare(a.Method+" "+a.Target+" "+a.Purpose, b.Method+" "+b.Target+" "+b.Purpose)
	})
	return actions
}

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
