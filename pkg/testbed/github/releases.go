package github

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Release is a release. The history tells of one for each tag that is like a
// version.
type Release struct {
	ID int64 // 0: follows from the tag
	// Tag is the tag's name. It need not exist, as of a draft.
	Tag, Name, Body string
	Author          string // a login
	// Published is zero for a draft. Created is the date of the tagged commit, not of
	// the release, as at GitHub.
	Published, Created time.Time
	Prerelease         bool
}

var versionTag = regexp.MustCompile(`^v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[0-9A-Za-z.-]+)?$`)

// allReleases are those that the tags tell of and those of the test, the newest
// commit first.
func (r *repo) allReleases() []Release {
	byTag := map[string]Release{}
	for _, t := range r.history.tags {
		if r.NoDerived || !versionTag.MatchString(t.name) {
			continue
		}
		m := &r.history.commits[r.history.index[t.target]]
		who := m.committer
		if t.annotated {
			who = t.tagger
		}
		byTag[t.name] = Release{Tag: t.name, Name: t.name, Author: cmp.Or(r.login(who), r.Owner), Published: who.when, Prerelease: strings.Contains(t.name, "-")}
	}
	for _, given := range r.Releases {
		byTag[given.Tag] = given
	}
	out := make([]Release, 0, len(byTag))
	for _, v := range byTag {
		if i, ok := r.resolve("refs/tags/" + v.Tag); ok && v.Created.IsZero() {
			v.Created = r.history.commits[i].committer.when
		}
		v.Created = cmp.Or(v.Created, v.Published, r.created)
		v.ID = cmp.Or(v.ID, number(r.Owner+"/"+r.Name+"@"+v.Tag))
		v.Author = cmp.Or(v.Author, r.Owner)
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b Release) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID)) })
	return out
}

// seen are the releases that the asking one may see: drafts are for those who may
// push.
func (c *call) seenReleases() []Release {
	return slices.DeleteFunc(slices.Clone(c.repo.releases), func(r Release) bool {
		return r.Published.IsZero() && !c.may(c.repo, permission{"contents", "write"})
	})
}

func (c *call) listReleases() answer {
	return paged(c, c.seenReleases(), func(r Release) any { return c.release(r) })
}

func (c *call) latestRelease() answer {
	list := slices.DeleteFunc(c.seenReleases(), func(r Release) bool { return r.Prerelease || r.Published.IsZero() })
	if len(list) == 0 {
		return notFound()
	}
	return ok(c.release(list[0]))
}

func (c *call) releaseOfTag() answer {
	for _, r := range c.seenReleases() {
		if r.Tag == c.path["tag"] {
			return ok(c.release(r))
		}
	}
	return notFound()
}

func (c *call) release(r Release) obj {
	id := strconv.FormatInt(r.ID, 10)
	at := c.api(c.repo, "/releases/"+id)
	return obj{
		"url": at, "assets_url": at + "/assets", "upload_url": at + "/assets{?name,label}",
		"html_url":    c.html(c.repo.Owner + "/" + c.repo.Name + "/releases/tag/" + escapePath(r.Tag)),
		"tarball_url": c.api(c.repo, "/tarball/"+escapePath(r.Tag)), "zipball_url": c.api(c.repo, "/zipball/"+escapePath(r.Tag)),
		"id": r.ID, "node_id": node("Release", id), "tag_name": r.Tag, "target_commitish": c.repo.DefaultBranch, "name": r.Name, "body": r.Body,
		"draft": r.Published.IsZero(), "prerelease": r.Prerelease, "created_at": stamp(r.Created), "published_at": stampOrNull(r.Published),
		"author": c.user(r.Author, "User"), "assets": []any{},
	}
}

func (c *call) listTags() answer {
	list := slices.Clone(c.repo.history.tags)
	slices.Reverse(list)
	return paged(c, list, func(t tag) any {
		return obj{
			"name": t.name, "node_id": node("Ref", t.name), "commit": obj{"sha": t.target, "url": c.api(c.repo, "/commits/"+t.target)},
			"zipball_url": c.api(c.repo, "/zipball/refs/tags/"+escapePath(t.name)), "tarball_url": c.api(c.repo, "/tarball/refs/tags/"+escapePath(t.name)),
		}
	})
}

// refs are all references by their names without "refs/", sorted.
func (r *repo) refs() []tag {
	var out []tag
	for name, sha := range r.history.branches {
		out = append(out, tag{name: "heads/" + name, object: sha})
	}
	for _, t := range r.history.tags {
		t.name = "tags/" + t.name
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b tag) int { return cmp.Compare(a.name, b.name) })
	return out
}

func (c *call) getRef() answer {
	if len(c.repo.history.commits) == 0 {
		return empty()
	}
	for _, t := range c.repo.refs() {
		if t.name == c.path["ref"] {
			return ok(c.ref(t))
		}
	}
	return notFound()
}

func (c *call) matchingRefs() answer {
	if len(c.repo.history.commits) == 0 {
		return empty()
	}
	out := []any{}
	for _, t := range c.repo.refs() {
		if strings.HasPrefix(t.name, c.path["ref"]) {
			out = append(out, c.ref(t))
		}
	}
	return ok(out)
}

func (c *call) ref(t tag) obj {
	kind, at := "commit", "/git/commits/"
	if t.annotated {
		kind, at = "tag", "/git/tags/"
	}
	return obj{
		"ref": "refs/" + t.name, "node_id": node("Ref", t.name), "url": c.api(c.repo, "/git/refs/"+escapePath(t.name)),
		"object": obj{"type": kind, "sha": t.object, "url": c.api(c.repo, at+t.object)},
	}
}

// getTag is the object of an annotated tag.
func (c *call) getTag() answer {
	for _, t := range c.repo.history.tags {
		if t.annotated && t.object == c.path["tag_sha"] {
			return ok(obj{
				"node_id": node("Tag", t.object), "tag": t.name, "sha": t.object, "url": c.api(c.repo, "/git/tags/"+t.object), "message": t.message,
				"tagger":       person(t.tagger),
				"object":       obj{"type": "commit", "sha": t.target, "url": c.api(c.repo, "/git/commits/"+t.target)},
				"verification": (&commit{}).verification(""),
			})
		}
	}
	return notFound()
}

func (c *call) listBranches() answer {
	var names []string
	for name := range c.repo.history.branches {
		names = append(names, name)
	}
	slices.Sort(names)
	return paged(c, names, func(name string) any { return c.branch(name, false) })
}

func (c *call) getBranch() answer {
	if _, found := c.repo.history.branches[c.path["branch"]]; !found {
		return fail(http.StatusNotFound, "Branch not found")
	}
	return ok(c.branch(c.path["branch"], true))
}

// branch is a branch; whole is the form that it has when it is asked for by itself.
func (c *call) branch(name string, whole bool) obj {
	sha := c.repo.history.branches[name]
	at := c.api(c.repo, "/branches/"+escapePath(name))
	out := obj{"name": name, "protected": false, "commit": obj{"sha": sha, "url": c.api(c.repo, "/commits/"+sha)}}
	if whole {
		out["commit"] = c.commit(c.repo, c.repo.history.index[sha])
		out["_links"] = obj{"self": at, "html": c.html(c.repo.Owner + "/" + c.repo.Name + "/tree/" + escapePath(name))}
		out["protection"] = obj{"enabled": false, "required_status_checks": obj{"enforcement_level": "off", "contexts": []any{}, "checks": []any{}}}
		out["protection_url"] = at + "/protection"
	}
	return out
}

// branchesWhereHead are the branches whose head a commit is.
func (c *call) branchesWhereHead() answer {
	i, found := c.repo.resolve(c.path["commit_sha"])
	if !found {
		return fail(http.StatusUnprocessableEntity, "No commit found for SHA: "+c.path["commit_sha"])
	}
	var names []string
	for name, sha := range c.repo.history.branches {
		if sha == c.repo.history.commits[i].sha {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := []any{}
	for _, name := range names {
		out = append(out, c.branch(name, false))
	}
	return ok(out)
}
