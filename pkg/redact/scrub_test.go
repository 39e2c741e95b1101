package redact

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/evidence"
)

const sha = "9be01d7c5a4f3e2d1c0b9a8f7e6d5c4b3a2f1e0d"

func scrubber(t testing.TB) *Redactor {
	t.Helper()
	return newRedactor(t, Policy{Text: Scrub})
}

func TestTextIsNotKeptByDefault(t *testing.T) {
	for _, p := range []Policy{{}, {Text: Omit}, {Identifiers: Hash}} {
		if got := newRedactor(t, p).Scrub("fix: a bug"); got != "" {
			t.Errorf("%+v keeps %q", p, got)
		}
	}
	out, line := redacted(t, newRedactor(t, Policy{}), commitEvent())
	if strings.Contains(line, "retry") || out.Event().Commit.Subject != "" {
		t.Errorf("a subject is in %s", line)
	}
}

func TestScrub(t *testing.T) {
	r := scrubber(t)
	token := "ghp_" + strings.Repeat("q7", 18)
	for in, want := range map[string]string{
		"fix(checkout): retry the payment twice":                     "fix(checkout): retry the payment twice",
		"feat!: 日本語 works, too (#812)":                               "feat!: 日本語 works, too (#812)",
		"use " + token + " in tests":                                 "use [secret] in tests",
		"use token=" + token + ", then rotate":                       "use [secret] then rotate",
		"set PASSWORD=ab in compose":                                 "set PASSWORD=[secret] in compose",
		"password = hunter22 leaks":                                  "[secret] leaks",
		"key -----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=":            "key [secret]",
		"Authorization: Bearer abcdefgh12345678abcd":                 "[secret]",
		"mail planted@example.test about it":                         "mail [e-mail] about it",
		"mail planted.person+x@sub.example.test, now":                "mail [e-mail], now",
		"mail ｐlanted＠example．test":                                  "mail [e-mail]",
		"mail pla\u200bnted@exam\u00adple.test":                      "mail [e-mail]",
		"by Planted Person <planted@example.test>":                   "[person]",
		`by "Planted Person" <planted@example.test>`:                 "by [person]",
		"thanks @planted-person and @acme/team":                      "thanks [person] and [person]",
		"fix: a\n\nSigned-off-by: Planted Person <p@example.test>":   "fix: a",
		"fix: a\nCo-authored-by: Planted Person\nmore":               "fix: a more",
		"fix: a Reviewed-by: Planted Person":                         "fix: a",
		"fix: a\nCc: Planted Person":                                 "fix: a",
		"Merge pull request #12 from planted-person/feature-x":       "Merge pull request #12 from [branch]",
		"Merge pull request #12 from planted-person:feature-x":       "Merge pull request #12 from [branch]",
		"Merge branch 'planted/x' of github.com:planted/shop":        "Merge branch [branch] of [path]",
		"see https://planted:pw@example.test/planted?token=abc#x":    "see https://[address]",
		"see https://example.test/planted?mail=planted@example.test": "see https://[address]",
		"see https://example.test/planted?q=1":                       "see https://example.test/[path]",
		"see https://example.test":                                   "see https://example.test",
		"see postgres://u:pa/ss@db/x":                                "see postgres://[address]",
		"host 192.0.2.17 and 2001:db8::17 at 12:30:45":               "host [address] and [address] at 12:30:45",
		"std::vector and a ::ffff:192.0.2.1 mapped":                  "std::vector and a ::ffff:[address] mapped",
		"bump lodash@4.17.21 and actions/checkout@v4":                "bump lodash@4.17.21 and actions/checkout@v4",
		"call +49 (170) 1234-567 or 4111 1111 1111 1111":             "call [number] or [number]",
		"revert " + sha: "revert [id]",
		"id 7f1d5c0e-0d5b-4e0c-9c55-8a1f7f0b2d36":                            "id [id]",
		"key AbCdEfGhIjKlMnOpQr12==":                                         "key [id]",
		"move pkg/connector/kubernetes/workloads into pkg/internal/whatever": "move pkg/connector/kubernetes/workloads into [branch]",
		"\x1b[31mred\x00 \u202etxt":                                          "[31mred txt",
		"bad \xff\xfe bytes":                                                 "bad bytes",
		"planted@example.test@planted":                                       "[e-mail][person]",
		"":                                                                   "",
		" \n ":                                                               "",
	} {
		if got := r.Scrub(in); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
}

func TestScrubIsBounded(t *testing.T) {
	r := scrubber(t)
	for _, in := range []string{strings.Repeat("word ", 3000), strings.Repeat("é", 3000), strings.Repeat("日本 ", 900), strings.Repeat("a@", 5000), strings.Repeat("x", 1<<20)} {
		got := r.Scrub(in)
		if len(got) > MaxText || !utf8.ValidString(got) {
			t.Errorf("%d bytes of %.20q", len(got), in)
		}
	}
	// Half of a secret does not look like one.
	if got := r.Scrub("fix" + strings.Repeat(" ", maxScrub-20) + "ghp_" + strings.Repeat("q7", 18)); got != "fix" {
		t.Error(got)
	}
}

func FuzzScrub(f *testing.F) {
	for _, seed := range []string{
		"fix: a", "planted@example.test", "@planted", "https://a:b@c/d?e", "::1", "a::b", "[e-mail]@x", "from a/b", "<0@0>0", "Cc: x", "password=x", "+1 234 567 890", "token=[secret]",
		"ghp_" + strings.Repeat("q7", 18), "postgres://a:b@c", "'\"<a@b>\"'", "Authorization: token abcdefgh", "-----BEGIN PRIVATE KEY-----",
	} {
		f.Add(seed)
	}
	r := scrubber(f)
	f.Fuzz(func(t *testing.T, s string) {
		kept := r.Scrub(s)
		if again := r.Scrub(kept); again != kept {
			t.Fatalf("%q became %q, and that %q", s, kept, again)
		}
		if len(kept) > MaxText || !utf8.ValidString(kept) || strings.ContainsFunc(kept, forbidden) || strings.Contains(kept, "\n") {
			t.Fatalf("%q became %q", s, kept)
		}
		if found := r.detectors.find(kept); found != "" {
			t.Fatalf("%q became %q: %s", s, kept, found)
		}
		// Whatever stands around an address, it goes.
		if kept := r.Scrub(s + " planted018@example.test " + s); strings.Contains(kept, "planted018") {
			t.Fatalf("an address after %q is in %q", s, kept)
		}
	})
}

func commitEvent() evidence.Event {
	e := rollout()
	e.Kind, e.Deployment, e.Actor, e.ServiceKey = evidence.KindCommit, nil, nil, ""
	e.Source.Object = evidence.Object{Kind: "Commit", Namespace: "github.com/acme/shop", Name: sha[:7]}
	e.Commit = &evidence.Commit{
		Repository: "github.com/acme/shop", SHA: sha, Scope: "checkout", Subject: "fix(checkout): retry, says planted@example.test",
		Author: &evidence.Person{}, Committer: &evidence.Person{Bot: true},
		Deployments: []evidence.CarriedBy{{ID: evidence.ID(evidence.KindDeployment, "uid-1", "2"), Time: e.Time, ServiceKey: "prod/shop/orders"}},
	}
	return e
}

func TestScrubbedTextIsMarked(t *testing.T) {
	r := scrubber(t)
	out, _ := redacted(t, r, commitEvent())
	if got, want := out.Event().Commit.Subject, "fix(checkout): retry, says [e-mail]"; got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
	if diff := cmp.Diff([]evidence.Mark{{Field: "/commit/subject", Action: "scrubbed", Reason: "class text"}}, out.Event().Marks); diff != "" {
		t.Error(diff)
	}
	// What was scrubbed where it was read comes out the same.
	e := commitEvent()
	e.Commit.Subject = r.Scrub(e.Commit.Subject)
	if again, _ := redacted(t, r, e); string(again.Line()) != string(out.Line()) {
		t.Errorf("\n%s\n%s", out.Line(), again.Line())
	}
	// Text of which nothing is left is as if the policy had omitted it.
	e.Commit.Subject = "Signed-off-by: Planted Person"
	out, _ = redacted(t, r, e)
	if diff := cmp.Diff([]evidence.Mark{{Field: "/commit/subject", Action: "omitted", Reason: "class text"}}, out.Event().Marks); diff != "" || out.Event().Commit.Subject != "" {
		t.Error(out.Event().Commit.Subject, diff)
	}
}

// A pseudonym that was made at the source is kept, and nothing else is.
func TestPseudonymsThatWereMadeAtTheSource(t *testing.T) {
	r := newRedactor(t, Policy{})
	user, email := r.Pseudonym("user", "Planted"), r.Pseudonym("email", "Planted@example.test")
	if user != r.pseudonyms[domainUser].of("Planted") || email != r.pseudonyms[domainEmail].of("planted@example.test") || user == "" {
		t.Fatalf("%s, %s", user, email)
	}
	hashedMark := evidence.Mark{Field: "/commit/author/pseudonym", Action: "hashed", Reason: "class personal"}
	for in, want := range map[string]string{
		user: user, email: email,
		"planted": "", "planted@example.test": "", "user:planted": "", user + "x": "", strings.ToUpper(user): "", " " + user: "",
		"id:" + user[5:]: "", "ip:" + user[5:]: "", user[5:]: "", "user:" + strings.Repeat("1", 26): "", user + "\n": "",
	} {
		e := commitEvent()
		e.Commit.Author.Pseudonym, e.Commit.Subject = in, ""
		out, line := redacted(t, r, e)
		author := out.Event().Commit.Author
		if want == "" {
			if author != nil || strings.Contains(strings.ToLower(line), "planted") {
				t.Errorf("%q: %s", in, line)
			}
			if diff := cmp.Diff([]evidence.Mark{{Field: "/commit/author/pseudonym", Action: "dropped", Reason: reasonForm}}, out.Event().Marks); diff != "" {
				t.Errorf("%q: %s", in, diff)
			}
			continue
		}
		if author == nil || author.Pseudonym != want || !cmp.Equal(out.Event().Marks, []evidence.Mark{hashedMark}) {
			t.Errorf("%q: %s", in, line)
		}
	}
	if got := r.Pseudonym("ip", "192.0.2.1") + r.Pseudonym("id", "x") + r.Pseudonym("", "x") + r.Pseudonym("user", " "); got != "" {
		t.Errorf("pseudonyms of what is no person: %s", got)
	}
}

func TestPseudonymsInListsAndUnderOmit(t *testing.T) {
	r, omitting := newRedactor(t, Policy{}), newRedactor(t, Policy{Personal: Omit})
	if got := omitting.Pseudonym("user", "planted"); got != "" {
		t.Errorf("omit gives %s", got)
	}
	e := rollout()
	e.Actor = nil
	e.Deployment.ChangeRange = &evidence.ChangeRange{
		Repository: "github.com/acme/shop", Base: sha, Head: sha, Status: "ahead", Authors: []string{r.Pseudonym("user", "a"), "planted", r.Pseudonym("email", "b")},
	}
	out, _ := redacted(t, r, e)
	if diff := cmp.Diff([]string{r.Pseudonym("user", "a"), r.Pseudonym("email", "b")}, out.Event().Deployment.ChangeRange.Authors); diff != "" {
		t.Error(diff)
	}
	out, _ = redacted(t, omitting, e)
	if got := out.Event().Deployment.ChangeRange.Authors; got != nil {
		t.Errorf("omit keeps %v", got)
	}
}

// Names are hashed to forms that the schema takes, part by part, so that what was
// equal stays equal: the repository of a commit, of a claim, of a mapping.
func TestHashedIdentifiersOfHistoryStillJoin(t *testing.T) {
	r := newRedactor(t, Policy{Identifiers: Hash})
	out, line := redacted(t, r, commitEvent())
	c := out.Event().Commit
	for _, name := range []string{"acme", "shop", "github", "checkout", "prod", "orders"} {
		if strings.Contains(line, name) {
			t.Errorf("%s is in %s", name, line)
		}
	}
	if c.Repository == "" || c.Repository != out.Event().Source.Object.Namespace || c.Scope == "" || c.SHA != sha {
		t.Error(line)
	}
	deployment := rollout()
	deployment.Actor = nil
	deployment.Deployment.To.Claims = []evidence.Claim{{Kind: "source", Key: "org.opencontainers.image.source", Value: "github.com/acme/shop"}}
	deployment.Deployment.Mapping = &evidence.Mapping{Confidence: "high", Score: 0.9, Method: "image_label", Repository: "github.com/acme/shop", Path: "services/orders", Container: "app"}
	deployment.Deployment.Environment = &evidence.Environment{Repository: "github.com/acme/shop"}
	carrier, line := redacted(t, r, deployment)
	d := carrier.Event().Deployment
	if d.Mapping.Repository != c.Repository || d.To.Claims[0].Value != c.Repository || d.Environment.Repository != c.Repository {
		t.Errorf("the repository of the deployment does not join with %s: %s", c.Repository, line)
	}
	if c.Deployments[0].ID != carrier.ID() || c.Deployments[0].ServiceKey != carrier.Event().ServiceKey {
		t.Errorf("the deployment that carried the commit is not found: %+v, %s", c.Deployments[0], carrier.ID())
	}
	if d.Mapping.Reasons == nil || !strings.Contains(line, `"reasons":[]`) {
		t.Errorf("a list that must be there is not: %s", line)
	}
	for _, e := range []evidence.Event{
		{Kind: evidence.KindRelease, Release: &evidence.Release{Repository: "git.example.test:8443/a/b/c/d/e/f/g/h", Tag: "release/2026/v1.2.3"}},
		{Kind: evidence.KindPipeline, Pipeline: &evidence.Pipeline{Repository: "github.com/acme/shop", Workflow: "deploy.yml", Status: "completed"}},
		{Kind: evidence.KindPullRequest, PullRequest: &evidence.PullRequest{Repository: "github.com/acme/shop", Scope: "checkout"}},
	} {
		base := commitEvent()
		base.Kind, base.Commit, base.Release, base.Pipeline, base.PullRequest = e.Kind, nil, e.Release, e.Pipeline, e.PullRequest
		out, line := redacted(t, r, base)
		if strings.Contains(line, "deploy.yml") || strings.Contains(line, "v1.2.3") || strings.Contains(line, reasonForm) {
			t.Errorf("%s: %s", out.Kind(), line)
		}
	}
}

// docs/redaction.md names them: whoever adds a field of class text says so there.
func TestWhichFieldsAreText(t *testing.T) {
	root, err := embeddedSchema()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for pointer, class := range root.classTable() {
		if class == string(text) {
			got = append(got, pointer)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"/commit/subject", "/pull_request/title"}, got); diff != "" {
		t.Error(diff)
	}
}
