package github

import (
	"strings"
	"testing"
	"time"
)

func TestFiftyThousandCommitsAreAHistoryToo(t *testing.T) {
	if testing.Short() {
		t.Log("a shorter one")
	}
	start := time.Now()
	c := History(t, Linear(50_000)...)
	t.Log(time.Since(start))
	start = time.Now()
	s := New(t, c.Served("acme", "shop"))
	t.Log(time.Since(start))
	start = time.Now()
	get(t, s.URL+"/repos/acme/shop/commits?per_page=100", nil)
	t.Log(time.Since(start))
	start = time.Now()
	for _, sha := range strings.Fields(c.Git("rev-list", "-1000", "main")) {
		get(t, s.URL+"/repos/acme/shop/commits/"+sha, nil)
	}
	t.Log(time.Since(start))
	c = History(t, Shapes()...)
	t.Log(c.Git("log", "--graph", "--oneline", "--all"))
}
