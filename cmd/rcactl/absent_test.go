package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/collect"
)

// The flags of a cluster are no remedy for another source.
func TestTheRemedyForASourceThatCannotBeUsedIsItsOwn(t *testing.T) {
	for typ, want := range map[string]string{typeKubernetes: "name another one with --kubeconfig or --context", typeGitHub: ""} {
		err := checkUsable(&setup{sources: []collect.Source{{Name: typ, Type: typ, Config: &unusable{err: errors.New("planted")}}}})
		var coded *codedError
		if !errors.As(err, &coded) || coded.hint != want {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

// Somebody who named another GitHub, or GitHub itself, is told what is missing for
// it, and not to set what is set.
func TestWhyGitHubIsNotAsked(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "config")
	write(t, kubeconfig, []byte(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, namespace: shop}}]
current-context: c
`))
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
		want string
		not  string
	}{
		"nothing is set":            {nil, []string{"--connector", "github"}, "GITHUB_TOKEN", "connectors:"},
		"a token of another GitHub": {map[string]string{"GH_HOST": "github.example.test", "GITHUB_TOKEN": "planted"}, []string{"--connector", "github"}, "GH_ENTERPRISE_TOKEN", "GITHUB_TOKEN"},
		"beside a cluster":          {map[string]string{"GH_HOST": "github.example.test", "GITHUB_TOKEN": "planted"}, nil, "github not asked: there is no credential for github.example.test: set app or token, or GH_ENTERPRISE_TOKEN", "set GITHUB_TOKEN"},
		"beside a cluster, no host": {nil, nil, "github not asked: set GITHUB_TOKEN", "ENTERPRISE"},
		"a host that is none":       {map[string]string{"GH_HOST": "a b", "GITHUB_TOKEN": "planted"}, nil, "GH_HOST", "set GITHUB_TOKEN"},
	} {
		l := newLaptop(t, kubeconfig)
		for k, v := range c.env {
			l.env[k] = v
		}
		a := l.rcactl(t, append([]string{"collect", "--plan"}, c.args...)...)
		if !strings.Contains(a.stderr, c.want) || strings.Contains(a.stderr, c.not) {
			t.Errorf("%s: exit %d\n%s", name, a.code, a.stderr)
		}
	}
}
