package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

const aCommit = "9be01d7c5a4f3e2d1c0b9a8f7e6d5c4b3a2f1e0d"

func TestClaimsOfKnownKeysAlone(t *testing.T) {
	r := newClaimReader(defaultConfig())
	got := r.read(
		map[string]string{
			"org.opencontainers.image.revision": aCommit, "app.openshift.io/vcs-ref": "main",
			"org.opencontainers.image.source": "git@github.com:Acme/Shop.git", "example.test/revision": aCommit,
			"org.opencontainers.image.authors": "Planted Person", "kubectl.kubernetes.io/last-applied-configuration": "planted",
		},
		map[string]string{"app.kubernetes.io/version": "1.8.3", "tags.datadoghq.com/version": "1.8.3"},
		map[string]string{"org.opencontainers.image.revision": aCommit, "app.kubernetes.io/version": "1.8.4"},
	)
	want := []record.Claim{
		{Kind: record.ClaimRevision, Key: "org.opencontainers.image.revision", Value: aCommit},
		{Kind: record.ClaimRevision, Key: "app.openshift.io/vcs-ref", Value: "main"},
		{Kind: record.ClaimSource, Key: "org.opencontainers.image.source", Value: "github.com/acme/shop"},
		{Kind: record.ClaimVersion, Key: "app.kubernetes.io/version", Value: "1.8.3"},
		{Kind: record.ClaimVersion, Key: "app.kubernetes.io/version", Value: "1.8.4"},
		{Kind: record.ClaimVersion, Key: "tags.datadoghq.com/version", Value: "1.8.3"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var none *claimReader
	if none.read(map[string]string{"app.kubernetes.io/version": "1"}) != nil || r.read(nil, map[string]string{"a": "b"}) != nil {
		t.Error("claims of nothing")
	}
}

func TestTheKeysOfClaimsCanBeConfigured(t *testing.T) {
	config := defaultConfig()
	if !config.Set("revision_keys", "example.test/commit") || !config.Set("source_keys", "example.test/repo") || !config.Set("version_keys", "example.test/version") {
		t.Fatal("the keys cannot be set")
	}
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	got := newClaimReader(config).read(map[string]string{
		"example.test/commit": aCommit, "example.test/repo": "https://git.example.test/team/shop", "example.test/version": "v2", "app.kubernetes.io/version": "1",
	})
	want := []record.Claim{
		{Kind: record.ClaimRevision, Key: "example.test/commit", Value: aCommit},
		{Kind: record.ClaimSource, Key: "example.test/repo", Value: "git.example.test/team/shop"},
		{Kind: record.ClaimVersion, Key: "example.test/version", Value: "v2"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, spoil := range map[string]func(*Config){
		"revision_keys": func(c *Config) { c.RevisionKeys = nil }, "source_keys[0]": func(c *Config) { c.SourceKeys = []string{"a b"} },
		"version_keys": func(c *Config) { c.VersionKeys = strings.Split(strings.Repeat("a,", maxClaimKeys)+"a", ",") },
	} {
		config := defaultConfig()
		spoil(config)
		if err := config.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsKeptOfAClaim(t *testing.T) {
	token := "ghp_" + strings.Repeat("q7Z9", 9)
	for _, c := range []struct {
		kind     record.ClaimKind
		in, want string
	}{
		{record.ClaimRevision, " " + aCommit + "\n", aCommit},
		{record.ClaimRevision, strings.ToUpper(aCommit), strings.ToUpper(aCommit)},
		{record.ClaimRevision, "sha1:" + aCommit, "sha1:" + aCommit},
		{record.ClaimRevision, "feature/pay@sha1:" + aCommit, "feature/pay@sha1:" + aCommit},
		{record.ClaimRevision, aCommit + "-dirty", aCommit + "-dirty"},
		{record.ClaimRevision, "v1.2.3-5-g" + aCommit, "v1.2.3-5-g" + aCommit},
		{record.ClaimRevision, "9be01d7", "9be01d7"},
		{record.ClaimRevision, "planted@example.test", ""},
		{record.ClaimRevision, "main@planted", ""},
		{record.ClaimRevision, "two words", ""},
		{record.ClaimRevision, token, ""},
		{record.ClaimRevision, "x-" + token, ""},
		{record.ClaimRevision, "AKIA" + "Q7Q7Q7Q7Q7Q7Q7Q7", ""},
		{record.ClaimRevision, strings.Repeat("a", maxClaim+1), ""},
		{record.ClaimRevision, "a\x00b", ""},
		{record.ClaimVersion, "v1.8.3-rc.1+build.7", "v1.8.3-rc.1+build.7"},
		{record.ClaimVersion, "planted@example.test", ""},
		{record.ClaimVersion, "1/2", ""},
		{record.ClaimSource, "https://planted:" + token + "@github.com/acme/shop?x=" + token, "github.com/acme/shop"},
		{record.ClaimSource, "shop", ""},
		{record.ClaimSource, "https://git.example.test/acme/" + token, ""},
	} {
		if got := claimValue(c.kind, c.in); got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.kind, c.in, got, c.want)
		}
	}
}

func TestEqualClaimsShareTheirMemoryWithinABound(t *testing.T) {
	r := newClaimReader(defaultConfig())
	labels := func(version string) map[string]string { return map[string]string{"app.kubernetes.io/version": version} }
	a, b := r.read(labels("1.8.3")), r.read(labels("1.8.3"))
	if &a[0] != &b[0] {
		t.Error("equal claims are kept twice")
	}
	for i := range 200_000 {
		if got := r.read(labels(fmt.Sprint(i))); len(got) != 1 || got[0].Value != fmt.Sprint(i) {
			t.Fatalf("%d: %v", i, got)
		}
	}
	r.read(map[string]string{"app.kubernetes.io/version": strings.Repeat("a", 5<<20)})
	if r.bytes > maxKnownClaims+maxClaims*maxSource*4 {
		t.Errorf("%d bytes are kept for sharing", r.bytes)
	}
}

// A ReplicaSet keeps the annotations that its Deployment had, and not its labels.
func TestClaimsOfRevisionsAndOfTheWorkload(t *testing.T) {
	s := &source{config: *defaultConfig(), claims: newClaimReader(defaultConfig())}
	reader := newTemplateReader(newLayout())
	reader.claims = s.claims
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/version": "1.8.2"}}}
	rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Name: "web-1", Labels: map[string]string{"app.openshift.io/vcs-ref": "main"},
		Annotations:     map[string]string{revisionAnnotation: "1", "org.opencontainers.image.revision": aCommit},
		OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", Name: "web", Controller: new(true)}},
	}, Spec: appsv1.ReplicaSetSpec{Template: template}}
	r, ok := cutReplicaSet(rs, reader)
	version := record.Claim{Kind: record.ClaimVersion, Key: "app.kubernetes.io/version", Value: "1.8.2"}
	commit := record.Claim{Kind: record.ClaimRevision, Key: "org.opencontainers.image.revision", Value: aCommit}
	if diff := cmp.Diff([]record.Claim{commit, version}, r.Claims); diff != "" || !ok {
		t.Error(ok, diff)
	}
	w := s.cutDeployment(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Name: "web", Labels: map[string]string{"app.openshift.io/vcs-uri": "https://github.com/acme/shop"},
		Annotations: map[string]string{"org.opencontainers.image.revision": aCommit},
	}, Spec: appsv1.DeploymentSpec{Template: template}})
	source := record.Claim{Kind: record.ClaimSource, Key: "app.openshift.io/vcs-uri", Value: "github.com/acme/shop"}
	if diff := cmp.Diff([]record.Claim{commit, source, version}, w.Claims); diff != "" {
		t.Error(diff)
	}
	got, ok := cutRawTemplate([]byte(`{"spec":{"template":{"metadata":{"annotations":{"org.opencontainers.image.revision":"`+aCommit+`"}}}}}`), reader)
	if diff := cmp.Diff([]record.Claim{commit}, got.claims); diff != "" || !ok {
		t.Error(ok, diff)
	}
}

func FuzzClaims(f *testing.F) {
	for _, seed := range []string{aCommit, "main@sha1:" + aCommit, "v1.2.3", "https://github.com/acme/shop", "planted@example.test", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, kind := range []record.ClaimKind{record.ClaimRevision, record.ClaimSource, record.ClaimVersion} {
			kept := claimValue(kind, value)
			if again := claimValue(kind, kept); again != kept {
				t.Errorf("%s %q: kept %q, and of that %q", kind, value, kept, again)
			}
			if len(kept) > 256 || strings.ContainsFunc(kept, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("%s %q: kept %q", kind, value, kept)
			}
			if user, rest, found := strings.Cut(kept, "@"); found && !strings.HasPrefix(rest, "sha") {
				t.Errorf("%s: an address of %q was kept", kind, user)
			}
		}
	})
}
