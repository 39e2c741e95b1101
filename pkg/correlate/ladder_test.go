package correlate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/correlate"
	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/pkg/record"
)

// rollout is a case: what was collected, who may be asked, and what is said of the
// rollout in it.
type rollout struct {
	name string
	in   correlate.Input
	ask  *history // nil: nobody
	want string
	// revision is the number of the commit that is attributed; 0 for none.
	revision int
}

func events(list ...evidence.Event) []evidence.Event { return list }

func images(list ...correlate.Image) []correlate.Image { return list }

// to changes the template after the rollout.
func to(change func(*evidence.Template)) evidence.Event {
	return event(func(e *evidence.Event) { change(e.Deployment.To) })
}

func tagged(tag string) evidence.Event {
	return to(func(t *evidence.Template) { t.Images[0].Image = image + ":" + tag })
}

func claims(list ...evidence.Claim) evidence.Event {
	return to(func(t *evidence.Template) { t.Claims = list })
}

func revisionClaim(v string) evidence.Claim {
	return evidence.Claim{Kind: "revision", Key: "org.opencontainers.image.revision", Value: v}
}

func sourceClaim(v string) evidence.Claim {
	return evidence.Claim{Kind: "source", Key: "org.opencontainers.image.source", Value: v}
}

func versionClaim(v string) evidence.Claim {
	return evidence.Claim{Kind: "version", Key: "app.kubernetes.io/version", Value: v}
}

// theRungs has a case for each rung.
func theRungs() []rollout {
	provenance := func(isSigned bool) []correlate.Image {
		return images(labelled(2, record.ImageClaim{Place: record.PlaceProvenance, Revision: sha(2), Source: shop, Signed: isSigned}))
	}
	return []rollout{
		{
			"signed_provenance",
			correlate.Input{Events: events(event(nil)), Images: provenance(true)},
			line(1, 3),
			"high 0.97 signed_provenance: full_sha, signed, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"provenance",
			correlate.Input{Events: events(event(nil)), Images: provenance(false)},
			line(1, 3),
			"high 0.90 provenance: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"image_label",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label(sha(2))))},
			line(1, 3),
			"high 0.90 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"delivery_tool",
			correlate.Input{Events: events(event(managed), applied(3*time.Minute, shop, sha(2), sha(1))), Images: unlabelled(), Services: services()},
			line(1, 3),
			"medium 0.80 delivery_tool: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"annotation",
			correlate.Input{Events: events(claims(revisionClaim(sha(2)), sourceClaim(shop))), Images: unlabelled()},
			line(1, 3),
			"medium 0.80 annotation: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"tag_sha",
			correlate.Input{Events: events(tagged("main-" + sha(2))), Images: unlabelled(), Services: services()},
			line(1, 3),
			"medium 0.75 tag_sha: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"github_deployment",
			correlate.Input{Events: events(event(nil), told(10*time.Minute, 2, nil)), Images: unlabelled(), Services: services()},
			line(1, 3),
			"medium 0.70 github_deployment: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"short_sha",
			correlate.Input{Events: events(tagged("sha-" + sha(2)[:8])), Images: unlabelled(), Services: services()},
			line(1, 3),
			"medium 0.60 short_sha: short_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"version_tag",
			correlate.Input{Events: events(claims(versionClaim("1.4.0"), sourceClaim(shop))), Images: unlabelled()},
			&history{first: 1, last: 3, tags: map[string]int{"v1.4.0": 2}},
			"medium 0.50 version_tag: git_tag, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"temporal_only",
			correlate.Input{Events: events(event(nil), pull(7, nil)), Images: unlabelled(), Services: services()},
			line(1, 3),
			"low 0.30 temporal_only: temporal_only, no_claim", 0,
		},
		{
			"none",
			correlate.Input{Events: events(event(nil)), Images: unlabelled(), Services: services()},
			line(1, 3),
			"low 0.00 none: no_claim", 0,
		},
	}
}

// theCircumstances has a case for each of them, named after it.
func theCircumstances() []rollout {
	two := images(labelled(2, label(sha(2))))
	with := func(change func(*record.ImageMetadata)) []correlate.Image {
		m := labelled(2, label(sha(2)))
		change(m.Metadata)
		return images(m)
	}
	elsewhere := func(name, source string, img string) evidence.Event {
		return event(func(e *evidence.Event) {
			e.ID, e.ServiceKey = id(name), "prod-eu1/"+name+"/"+name
			e.Deployment.From = nil
			e.Deployment.To.Images[0] = evidence.Image{Container: "app", Image: img, Digest: digest(9)}
		})
	}
	return []rollout{
		{
			"full_sha",
			correlate.Input{Events: events(event(nil)), Images: two},
			line(1, 3),
			"high 0.90 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"short_sha",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label(sha(2)[:10])))},
			line(1, 3),
			"medium 0.60 short_sha: short_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"git_tag",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label("v1.4.0")))},
			&history{first: 1, last: 3, tags: map[string]int{"v1.4.0": 2}},
			"medium 0.50 version_tag: git_tag, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"signed",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, record.ImageClaim{Place: record.PlaceProvenance, Revision: sha(2), Source: shop, Signed: true}))},
			nil,
			"high 0.87 signed_provenance: full_sha, signed, repository_confirmed, not_verified -0.10", 2,
		},
		{
			"agreement",
			correlate.Input{Events: events(tagged(sha(2))), Images: two},
			line(1, 3),
			"high 0.93 image_label: full_sha, agreement +0.03, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"repository_confirmed",
			correlate.Input{Events: events(event(nil)), Images: two, Services: services()},
			nil,
			"medium 0.80 image_label: full_sha, repository_confirmed, not_verified -0.10", 2,
		},
		{
			"commit_exists",
			correlate.Input{Events: events(event(nil), commit(2, func(c *evidence.Commit) { c.DefaultBranch, c.Branch = false, "release-1" })), Images: two},
			nil,
			"high 0.90 image_label: full_sha, repository_confirmed, commit_exists", 2,
		},
		{
			"on_default_branch",
			correlate.Input{Events: events(event(nil), commit(2, nil)), Images: two},
			nil,
			"high 0.90 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"not_verified",
			correlate.Input{Events: events(event(nil)), Images: two},
			&history{silent: true},
			"medium 0.70 image_label: full_sha, not_verified -0.10, repository_not_confirmed -0.10", 2,
		},
		{
			"repository_not_confirmed",
			correlate.Input{Events: events(to(func(t *evidence.Template) { t.Images[0].Image = "registry.example.test/web:2" })), Images: two},
			line(1, 3),
			"medium 0.80 image_label: full_sha, commit_exists, on_default_branch, repository_not_confirmed -0.10", 2,
		},
		{
			"repository_unreadable",
			correlate.Input{Events: events(event(nil)), Images: two},
			&history{unreadable: true},
			"medium 0.70 image_label: full_sha, repository_not_confirmed -0.10, repository_unreadable -0.10", 2,
		},
		{
			"dirty",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label(sha(2)+"-dirty")))},
			line(1, 3),
			"medium 0.70 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, dirty -0.20", 2,
		},
		{
			"off_default_branch",
			correlate.Input{Events: events(event(nil)), Images: two},
			&history{first: 1, last: 3, off: map[int]bool{2: true}},
			"medium 0.75 image_label: full_sha, repository_confirmed, commit_exists, off_default_branch -0.15", 2,
		},
		{
			"forced_away",
			correlate.Input{Events: events(event(nil)), Images: two},
			&history{first: 1, last: 3, forced: map[int]bool{2: true}},
			"medium 0.60 image_label: full_sha, repository_confirmed, commit_exists, forced_away -0.30", 2,
		},
		{
			"by_tag",
			correlate.Input{Events: events(event(nil)), Images: with(func(m *record.ImageMetadata) { m.ByTag = true })},
			line(1, 3),
			"medium 0.75 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, by_tag -0.15", 2,
		},
		{
			"places_disagree",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label(sha(1)), record.ImageClaim{Place: record.PlaceManifest, Revision: sha(2), Source: shop}))},
			line(1, 3),
			"medium 0.60 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, places_disagree -0.30", 2,
		},
		{
			"several_images",
			correlate.Input{Events: events(to(func(t *evidence.Template) {
				t.Images = append(t.Images, evidence.Image{Container: "helper", Image: "registry.example.test/helper:3"})
			})), Images: two},
			line(1, 3),
			"medium 0.80 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, several_images -0.10", 2,
		},
		{
			"conflict",
			correlate.Input{Events: events(tagged(sha(1))), Images: two},
			line(1, 3),
			"medium 0.60 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, conflict -0.30", 2,
		},
		{
			"repository_unknown",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, record.ImageClaim{Place: record.PlaceLabel, Revision: sha(2)}))},
			line(1, 3),
			"low 0.45 image_label: full_sha, repository_unknown -0.45", 0,
		},
		{
			"commit_not_found",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label(sha(9))))},
			line(1, 3),
			"low 0.30 image_label: full_sha, repository_not_confirmed -0.10, commit_not_found -0.50", 0,
		},
		{
			"ambiguous",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label("9be01d0")))},
			&history{first: 1, last: 3, twins: true},
			"low 0.20 short_sha: short_sha, repository_not_confirmed -0.10, ambiguous -0.30", 0,
		},
		{
			"source_mismatch",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, record.ImageClaim{Place: record.PlaceLabel, Revision: sha(2), Source: "github.com/nodejs/docker-node"})), Services: services()},
			line(1, 3),
			"low 0.30 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, source_mismatch -0.60", 0,
		},
		{
			"an annotation names another repository than the label, which is the base image's",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, label(sha(2)), record.ImageClaim{Place: record.PlaceManifest, Source: "github.com/acme/web"}))},
			line(1, 3),
			"low 0.30 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, source_mismatch -0.60", 0,
		},
		{
			"base_image",
			correlate.Input{Events: events(event(nil)), Images: append(with(func(m *record.ImageMetadata) { m.Base = digest(5) }), labelled(5, label(sha(2))))},
			line(1, 3),
			"low 0.30 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, base_image -0.60", 0,
		},
		{
			"a label that is a day older than the image",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, record.ImageClaim{
				Place: record.PlaceLabel, Revision: sha(2), Source: shop, Created: noon().Add(-26 * time.Hour),
			}))},
			line(1, 3),
			"low 0.30 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, base_image -0.60", 0,
		},
		{
			"a label that is as old as the image",
			correlate.Input{Events: events(event(nil)), Images: images(labelled(2, record.ImageClaim{
				Place: record.PlaceLabel, Revision: sha(2), Source: shop, Created: noon().Add(-2 * time.Hour),
			}))},
			line(1, 3),
			"high 0.90 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch", 2,
		},
		{
			"an owner's name in a registry where anybody may have taken it",
			correlate.Input{Events: events(to(func(t *evidence.Template) { t.Images[0].Image = "docker.io/acme/shop:2" })), Images: two},
			line(1, 3),
			"medium 0.80 image_label: full_sha, commit_exists, on_default_branch, repository_not_confirmed -0.10", 2,
		},
		{
			"shared_label",
			correlate.Input{
				Events:   events(event(nil), elsewhere("other", "", "ghcr.io/acme/other:1")),
				Images:   append(two, correlate.Image{Reference: "ghcr.io/acme/other:1", Digest: digest(9), Metadata: labelled(9, label(sha(2))).Metadata}),
				Services: append(services(), correlate.Service{Namespace: "other", Name: "other", Repository: "github.com/acme/other"}),
			},
			line(1, 3),
			"low 0.30 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, shared_label -0.60", 0,
		},
		{
			"implausible_time",
			correlate.Input{Events: events(event(nil)), Images: with(func(m *record.ImageMetadata) { m.Created = noon().Add(-3 * time.Hour) })},
			line(1, 3),
			"low 0.30 image_label: full_sha, repository_confirmed, commit_exists, on_default_branch, implausible_time -0.60", 0,
		},
		{
			"several_deployments",
			correlate.Input{Events: events(event(nil), told(10*time.Minute, 2, nil), told(5*time.Minute, 3, nil)), Images: unlabelled(), Services: services()},
			line(1, 3),
			"low 0.30 github_deployment: several_deployments -0.40", 0,
		},
		{
			"temporal_only",
			correlate.Input{Events: events(event(nil), pull(7, nil)), Images: unlabelled(), Services: services()},
			line(1, 3),
			"low 0.30 temporal_only: temporal_only, no_claim", 0,
		},
		{
			"no_claim",
			correlate.Input{Events: events(event(nil)), Images: unlabelled()},
			line(1, 3),
			"low 0.00 none: no_claim", 0,
		},
		{
			"image_unread",
			correlate.Input{Events: events(event(nil))},
			line(1, 3),
			"low 0.00 none: image_unread", 0,
		},
		{
			"image_unreadable",
			correlate.Input{Events: events(event(nil)), Images: images(correlate.Image{Reference: image + ":2", Digest: digest(2), Failed: true})},
			line(1, 3),
			"low 0.00 none: image_unreadable", 0,
		},
		{
			"no_template",
			correlate.Input{Events: events(event(func(e *evidence.Event) { e.Deployment.From, e.Deployment.To = nil, nil }))},
			line(1, 3),
			"low 0.00 none: no_template", 0,
		},
		{
			"configuration_only",
			correlate.Input{Events: events(event(managed), applied(3*time.Minute, config, sha(2), sha(1))), Images: unlabelled(), Services: services()},
			line(1, 3),
			"low 0.00 none: no_claim, configuration_only", 0,
		},
	}
}

func TestEachRungHasACase(t *testing.T) {
	cases := theRungs()
	for method := range correlate.Rungs() {
		if len(cases) == 0 || cases[0].name != string(method) {
			t.Fatalf("%s has no case, or not in its place", method)
		}
		t.Run(cases[0].name, cases[0].run)
		cases = cases[1:]
	}
}

func TestEachCircumstanceHasACase(t *testing.T) {
	cases := map[string]rollout{}
	for _, c := range theCircumstances() {
		cases[c.name] = c
		t.Run(c.name, c.run)
	}
	for name := range correlate.Circumstances() {
		c, ok := cases[name]
		if !ok {
			t.Errorf("%s has no case", name)
			continue
		}
		if !strings.Contains(c.want, name) {
			t.Errorf("the case of %s is not about it", name)
		}
	}
}

func (c rollout) run(t *testing.T) {
	t.Helper()
	out := settle(t, c.in, c.ask)
	d := out.Events[0].Deployment
	if got := say(d.Mapping); got != c.want {
		t.Errorf("the mapping is\n  %s\nand not\n  %s", got, c.want)
	}
	want := ""
	if c.revision > 0 {
		want = sha(c.revision)
	}
	if d.Revision != want {
		t.Errorf("the revision is %q and not %q", d.Revision, want)
	}
}
