package github

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rcactl/rcactl/pkg/record"
)

func TestMessagesAreCutDown(t *testing.T) {
	sha := strings.Repeat("0a", 20)
	for _, tt := range []struct {
		name, text string
		want       message
	}{
		{"nothing", "", message{}},
		{"prose", "Take orders", message{}},
		{"type and scope", "feat(checkout): take orders\n\nCloses #3", message{conventional: record.Conventional{Type: "feat", Scope: "checkout"}, issues: []int64{3}}},
		{"breaking by a mark", "fix!: another form", message{conventional: record.Conventional{Type: "fix", Breaking: true}}},
		{"breaking by a footer", "perf(db): faster\n\nBREAKING CHANGE: another form", message{conventional: record.Conventional{Type: "perf", Scope: "db", Breaking: true}}},
		{"the footer in small letters is prose", "perf: faster\n\nbreaking change: none", message{conventional: record.Conventional{Type: "perf"}}},
		{"breaking without a type", "Faster\r\n\r\nBREAKING-CHANGE: another form", message{conventional: record.Conventional{Breaking: true}}},
		{"another spelling", "Hotfix: stop it", message{conventional: record.Conventional{Type: "fix"}}},
		{"a word that is no type", "planted: person", message{}},
		{"a scope like a token", "fix(ghp_" + strings.Repeat("a1", 18) + "): it", message{conventional: record.Conventional{Type: "fix"}}},
		{"a scope that is no word", "fix(planted person): it", message{conventional: record.Conventional{Type: "fix"}}},
		{"a type without a subject", "fix:", message{}},
		{"squashed", "fix: it (#12)\n\nsee #13, #12 and GH-14", message{conventional: record.Conventional{Type: "fix"}, pulls: []int64{12}, issues: []int64{13, 14}}},
		{"merged", "Merge pull request #12 from acme/planted-branch\n\nfeat(api): more", message{conventional: record.Conventional{Type: "feat", Scope: "api"}, pulls: []int64{12}}},
		{"a number that is not at the end merges nothing", "it (#12) again", message{issues: []int64{12}}},
		{"numbers of others", "acme/shop#4, &#39; and #ff0012 and v#5", message{}},
		{"zero and too large", "#0 and #12345678901", message{}},
		{"reverts", "Revert \"feat: it\"\n\nThis reverts commit " + sha + ".", message{reverts: sha, revert: true}},
		{"reverts without a commit", "revert: it", message{conventional: record.Conventional{Type: "revert"}, revert: true}},
		{"a short commit is not kept", "This reverts commit 0a0a0a0.", message{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, readMessage(tt.text), cmp.AllowUnexported(message{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAScopeIsAWordOfTheRepository(t *testing.T) {
	for _, tt := range []struct {
		scope, file string
		want        bool
	}{
		{"checkout", "pkg/checkout/order.go", true},
		{"order", "pkg/checkout/order.go", true},
		{"order.go", "pkg/checkout/order.go", true},
		{"orde", "pkg/checkout/order.go", false},
		{"Checkout", "pkg/checkout/order.go", false},
		{"planted-person", "pkg/checkout/order.go", false},
		{"", "pkg//order.go", false},
	} {
		if got := knownScope(tt.scope, tt.file); got != tt.want {
			t.Errorf("%q in %q: %v", tt.scope, tt.file, got)
		}
	}
}

func TestWhoIsABot(t *testing.T) {
	p := people{func(domain, value string) string { return domain + "=" + value }}
	for _, tt := range []struct {
		name  string
		user  *userJSON
		email string
		want  record.Person
	}{
		{"an account", &userJSON{Login: "planted", Type: "User"}, "planted@example.test", record.Person{Pseudonym: "user=planted"}},
		{"an address of nobody", nil, "planted@example.test", record.Person{Pseudonym: "email=planted@example.test"}},
		{"an empty account", &userJSON{}, "planted@example.test", record.Person{Pseudonym: "email=planted@example.test"}},
		{"a hidden address", nil, "123+planted-person@users.noreply.github.com", record.Person{Pseudonym: "user=planted-person"}},
		{"an App", &userJSON{Login: "planted", Type: "Bot"}, "", record.Person{Pseudonym: "user=planted", Bot: true}},
		{"the login of an App", &userJSON{Login: "dependabot[bot]"}, "", record.Person{Pseudonym: "user=dependabot[bot]", Bot: true}},
		{"the address of an App", nil, "49699333+dependabot[bot]@users.noreply.github.com", record.Person{Pseudonym: "user=dependabot[bot]", Bot: true}},
		{"GitHub itself", &userJSON{Login: "web-flow", Type: "User"}, "noreply@github.com", record.Person{Pseudonym: "user=web-flow", Bot: true}},
		{"nothing", nil, "", record.Person{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := p.person(tt.user, tt.email); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
	if got := (people{}).person(&userJSON{Login: "planted"}, ""); got != (record.Person{}) {
		t.Errorf("without a key: %+v", got)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add("feat(checkout)!: take orders (#12)\n\nCloses #3\nThis reverts commit " + strings.Repeat("0a", 20) + ".")
	f.Add("Merge pull request #12 from acme/x\n\nfix: y")
	f.Fuzz(func(t *testing.T, text string) {
		m := readMessage(text)
		if m.reverts != "" && !fullSHA(m.reverts) {
			t.Errorf("reverts %q", m.reverts)
		}
		for _, list := range [][]int64{m.pulls, m.issues} {
			if len(list) > maxNumbers || !slices.IsSorted(list) || slices.Contains(list, 0) {
				t.Errorf("numbers %v", list)
			}
		}
		if c := m.conventional; c.Scope != "" && (c.Type == "" || !scopeForm.MatchString(c.Scope) || len(c.Scope) > maxScope) || c.Type != conventionalType(c.Type) {
			t.Errorf("%+v", c)
		}
	})
}
