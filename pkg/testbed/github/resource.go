package github

import (
	"encoding/base64"
	"hash/fnv"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// number is an id made of a name: stable, and small enough for JavaScript.
func number(name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return int64(h.Sum64() & (1<<40 - 1))
}

func node(kind, name string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(kind + ":" + strconv.FormatInt(number(name), 10)))
}

// stamp is a time as GitHub writes it: to the second, in UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// stampOrNull is null for no time.
func stampOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

// user is an account.
func (c *call) user(login, kind string) obj {
	if strings.HasSuffix(login, "[bot]") {
		kind = "Bot"
	}
	at := c.base + "/users/" + url.PathEscape(login)
	return obj{
		"login": login, "id": number(login), "node_id": node("User", login),
		"avatar_url": c.base + "/avatars/" + strconv.FormatInt(number(login), 10), "gravatar_id": "",
		"url": at, "html_url": c.html(url.PathEscape(login)),
		"followers_url": at + "/followers", "following_url": at + "/following{/other_user}",
		"gists_url": at + "/gists{/gist_id}", "starred_url": at + "/starred{/owner}{/repo}",
		"subscriptions_url": at + "/subscriptions", "organizations_url": at + "/orgs", "repos_url": at + "/repos",
		"events_url": at + "/events{/privacy}", "received_events_url": at + "/received_events",
		"type": kind, "user_view_type": "public", "site_admin": false,
	}
}

// html is an address for people.
func (c *call) html(path string) string { return "http://" + c.request.Host + "/" + path }

func (c *call) owner(r *repo) obj {
	if r.Organization {
		return c.user(r.Owner, "Organization")
	}
	return c.user(r.Owner, "User")
}

// account is the account of an author, or nil where GitHub knows none.
func (c *call) account(r *repo, who ident) any {
	login := r.login(who)
	if login == "" {
		return nil
	}
	return c.user(login, "User")
}

// login is the login of an author: what the test says, or what stands before the
// @, as noreply addresses have it.
func (r *repo) login(who ident) string {
	if r.NoUsers {
		return ""
	}
	if login, ok := r.Users[who.email]; ok {
		return login
	}
	local, _, _ := strings.Cut(who.email, "@")
	if _, after, ok := strings.Cut(local, "+"); ok {
		local = after
	}
	return strings.ReplaceAll(local, ".", "-")
}

// api is an address of the API below a repository.
func (c *call) api(r *repo, path string) string {
	return c.base + "/repos/" + r.Owner + "/" + r.Name + path
}

// repository is a repository as lists and pull requests have it, which is a part
// of what is told when it is asked for by itself.
func (c *call) repository(r *repo) obj {
	u := func(path string) string { return c.api(r, path) }
	full := r.Owner + "/" + r.Name
	visibility := "public"
	if r.Private {
		visibility = "private"
	}
	return obj{
		"id": r.id, "node_id": node("Repository", full), "name": r.Name, "full_name": full, "owner": c.owner(r),
		"private": r.Private, "visibility": visibility, "html_url": c.html(full), "description": nil, "fork": r.Fork,
		"url": u(""), "archive_url": u("/{archive_format}{/ref}"), "assignees_url": u("/assignees{/user}"),
		"blobs_url": u("/git/blobs{/sha}"), "branches_url": u("/branches{/branch}"), "collaborators_url": u("/collaborators{/collaborator}"),
		"comments_url": u("/comments{/number}"), "commits_url": u("/commits{/sha}"), "compare_url": u("/compare/{base}...{head}"),
		"contents_url": u("/contents/{+path}"), "contributors_url": u("/contributors"), "deployments_url": u("/deployments"),
		"downloads_url": u("/downloads"), "events_url": u("/events"), "forks_url": u("/forks"), "git_commits_url": u("/git/commits{/sha}"),
		"git_refs_url": u("/git/refs{/sha}"), "git_tags_url": u("/git/tags{/sha}"), "hooks_url": u("/hooks"),
		"issue_comment_url": u("/issues/comments{/number}"), "issue_events_url": u("/issues/events{/number}"), "issues_url": u("/issues{/number}"),
		"keys_url": u("/keys{/key_id}"), "labels_url": u("/labels{/name}"), "languages_url": u("/languages"), "merges_url": u("/merges"),
		"milestones_url": u("/milestones{/number}"), "notifications_url": u("/notifications{?since,all,participating}"),
		"pulls_url": u("/pulls{/number}"), "releases_url": u("/releases{/id}"), "stargazers_url": u("/stargazers"),
		"statuses_url": u("/statuses/{sha}"), "subscribers_url": u("/subscribers"), "subscription_url": u("/subscription"),
		"tags_url": u("/tags"), "teams_url": u("/teams"), "trees_url": u("/git/trees{/sha}"),
		"git_url": "git://" + c.request.Host + "/" + full + ".git", "ssh_url": "git@" + c.request.Host + ":" + full + ".git",
		"clone_url": c.html(full) + ".git", "svn_url": c.html(full), "mirror_url": nil, "homepage": nil, "language": nil,
		"forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0, "watchers_count": 0, "size": len(r.history.commits),
		"default_branch": r.DefaultBranch, "open_issues": 0, "open_issues_count": 0, "is_template": false, "topics": []string{},
		"has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false, "has_downloads": false, "has_discussions": false,
		"archived": r.Archived, "disabled": false, "license": nil, "allow_forking": true, "web_commit_signoff_required": false,
		"created_at": stamp(r.created), "updated_at": stamp(r.pushed), "pushed_at": stamp(r.pushed),
		"permissions": obj{"admin": false, "maintain": false, "push": false, "triage": false, "pull": true},
	}
}

// times are when a repository was made and last pushed to, as its commits tell.
func (r *repo) times() (created, pushed time.Time) {
	created = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range r.history.commits {
		t := r.history.commits[i].committer.when
		if t.Before(created) {
			created = t
		}
		if t.After(pushed) {
			pushed = t
		}
	}
	if pushed.IsZero() {
		pushed = created
	}
	return created, pushed
}

func (c *call) getRepository() answer {
	out := c.repository(c.repo)
	out["network_count"], out["subscribers_count"], out["temp_clone_token"] = 0, 0, nil
	return ok(out)
}

// listed is a repository as lists have it.
func (c *call) listed(r *repo) obj { return c.repository(r) }

// minimal is a repository as runs and the lists of an account have it.
func (c *call) minimal(r *repo) obj { return c.repository(r) }

func (c *call) meta() answer {
	out := obj{"verifiable_password_authentication": false}
	if c.server.enterprise != "" {
		out["installed_version"] = c.server.enterprise
	}
	return ok(out)
}
