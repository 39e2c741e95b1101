package record

import (
	"strings"
	"testing"
)

func repositoryNames() map[string]string {
	const shop = "github.com/acme/shop"
	return map[string]string{
		// What builders, delivery tools and people write.
		"https://github.com/acme/shop":                        shop,
		"https://github.com/acme/shop/":                       shop,
		"https://github.com/Acme/Shop.git":                    shop,
		" https://GitHub.com/acme/shop.git\n":                 shop,
		"http://github.com/acme/shop":                         shop,
		"https://github.com:443/acme/shop":                    shop,
		"https://www.github.com/acme/shop":                    shop,
		"github.com/acme/shop":                                shop,
		"github.com/acme/shop.git":                            shop,
		"git@github.com:acme/shop.git":                        shop,
		"github.com:acme/shop.git":                            shop,
		"org-12@github.com:acme/shop":                         shop,
		"ssh://git@github.com/acme/shop.git":                  shop,
		"ssh://git@github.com:22/acme/shop.git":               shop,
		"ssh://git@ssh.github.com:443/acme/shop.git":          shop,
		"git://github.com/acme/shop.git":                      shop,
		"git+https://github.com/acme/shop.git":                shop,
		"git+ssh://git@github.com/acme/shop.git":              shop,
		"git+https://github.com/acme/shop?x=1#refs/heads/x":   shop,
		"https://github.com/acme/shop.git#refs/tags/v1":       shop,
		"https://github.com/acme/shop/tree/main/cmd":          shop,
		"https://github.com/acme/shop/commit/1234567":         shop,
		"https://x-access-token:planted@github.com/acme/shop": shop,
		"https://planted@github.com/acme/shop":                shop,
		"https://github.com/acme/.github":                     "github.com/acme/.github",

		"https://gitlab.com/acme/team/shop.git":                "gitlab.com/acme/team/shop",
		"https://gitlab.com/acme/team/shop/-/tree/main":        "gitlab.com/acme/team/shop",
		"git@gitlab.com:acme/team/shop.git":                    "gitlab.com/acme/team/shop",
		"ssh://git@altssh.gitlab.com:443/acme/shop":            "gitlab.com/acme/shop",
		"https://bitbucket.org/acme/shop/src/main":             "bitbucket.org/acme/shop",
		"ssh://git@git.acme.example:7999/team/shop.git":        "git.acme.example/team/shop",
		"git@git.acme.example:2222/shop.git":                   "git.acme.example/2222/shop",
		"https://git.acme.example:8443/team/shop":              "git.acme.example:8443/team/shop",
		"git.acme.example:8443/team/shop":                      "git.acme.example:8443/team/shop",
		"http://gitea:3000/acme/shop":                          "gitea:3000/acme/shop",
		"http://127.0.0.1:3000/acme/shop":                      "127.0.0.1:3000/acme/shop",
		"https://dev.azure.com/acme/team/_git/shop":            "dev.azure.com/acme/team/_git/shop",
		"git://git.acme.example:9418/team/shop":                "git.acme.example/team/shop",
		"https://github.com/acme/shop%2Fx":                     shop,
		"https://git.acme.example/~planted/shop":               "git.acme.example/~planted/shop",
		"https://u:p@git.acme.example/team/shop?token=planted": "git.acme.example/team/shop",

		// What is none.
		"https://github.com/acme/" + "ghp_" + strings.Repeat("Planted", 6):        "",
		"https://github.com/" + "GITHUB_PAT_" + strings.Repeat("a", 40) + "/shop": "",
		"":                                                           "",
		"shop":                                                       "",
		"https://github.com":                                         "",
		"https://github.com/acme":                                    "",
		"https://github.com/acme/.git":                               "",
		"https://github.com/acme/..":                                 "",
		"https://github.com/acme/../shop":                            "",
		"https://github.com/./shop":                                  "",
		"https://github.com/acme/%2e%2e":                             "",
		"https://github.com/acme/shop%00":                            "",
		"https://github.com/acme/sh op":                              "",
		"https://github.com/acme/shöp":                               "",
		"https://gïthub.com/acme/shop":                               "",
		"https://-github.com/acme/shop":                              "",
		"https://git.acme.example:99999x/a/b":                        "",
		"https://git.acme.example:0/a/b":                             "",
		"https://[::1]/acme/shop":                                    "",
		"https:///acme/shop":                                         "",
		"file:///home/planted/shop":                                  "",
		"oci://ghcr.io/acme/shop":                                    "",
		"javascript:alert(1)":                                        "",
		"mailto:planted@example.test":                                "",
		"/home/planted/shop":                                         "",
		"../shop":                                                    "",
		"C:\\planted\\shop":                                          "",
		"user:planted@github.com/acme/shop@x":                        "",
		"us.er:planted@github.com/acme/shop":                         "",
		"https://user/pa/ss#word@github.com/a/b":                     "",
		"https://user/pa/ss?word@github.com/a/b":                     "",
		"https://user:pa/ss/word@github.com/a/b":                     "",
		"https://git.acme.example/a/b/c/d/e/f/g/h/i":                 "",
		"https://git.acme.example/acme/" + strings.Repeat("a", 256):  "",
		"https://git.acme.example/acme/" + strings.Repeat("a", 1024): "",
	}
}

func TestRepositoryName(t *testing.T) {
	for in, want := range repositoryNames() {
		if got := RepositoryName(in); got != want {
			t.Errorf("%.80q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzRepositoryName(f *testing.F) {
	for in := range repositoryNames() {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		name := RepositoryName(in)
		if name == "" {
			return
		}
		if again := RepositoryName(name); again != name {
			t.Errorf("%q gives %q, and that %q", in, name, again)
		}
		if len(name) > maxRepository || strings.ContainsAny(name, "@?#% \\\"") || strings.Contains(name, "//") ||
			strings.Contains(name, "..") || name != strings.ToLower(name) || strings.Count(name, "/") < 2 {
			t.Errorf("%q gives %q", in, name)
		}
	})
}
