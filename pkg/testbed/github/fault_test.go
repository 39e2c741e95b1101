package github

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const commitsRoute = "GET /repos/{owner}/{repo}/commits"

func TestFaultsHappenWhenTheyShould(t *testing.T) {
	s := New(t, History(t, Linear(3)...).Served("acme", "shop"))
	s.Fail(Fault{Route: commitsRoute, After: 1, Times: 2, Effect: Respond(http.StatusBadGateway, "Server Error")})
	s.Fail(Fault{Match: func(r *http.Request) bool { return r.URL.Query().Get("page") == "2" }, Effect: Respond(http.StatusTeapot, "")})
	at := s.URL + "/repos/acme/shop"
	for i, tc := range []struct {
		path string
		want int
	}{{"/commits", 200}, {"", 200}, {"/commits", 502}, {"/commits?page=2", 502}, {"/commits", 200}, {"/commits?page=2", 418}, {"/pulls?page=2", 418}} {
		if r := ask(t, http.MethodGet, at+tc.path); r.StatusCode != tc.want {
			t.Errorf("%d: %s: %s, want %d", i, tc.path, r.Status, tc.want)
		}
	}
	s.Recover()
	if r := ask(t, http.MethodGet, at+"/pulls?page=2"); r.StatusCode != http.StatusOK {
		t.Errorf("after all of them: %s", r.Status)
	}
	if have := s.Count()[commitsRoute]; have != 5 {
		t.Errorf("%d requests for commits were counted", have)
	}
	if have := s.Requests()[2].Status; have != 502 {
		t.Errorf("the third request was answered %d", have)
	}
	s.Forget()
	if len(s.Requests()) != 0 {
		t.Error("requests are remembered")
	}
}

func TestEachFault(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := New(t, History(t, Linear(3)...).Served("acme", "shop"), WithNow(func() time.Time { return now }))
	at := s.URL + "/repos/acme/shop/commits"
	whole := string(ask(t, http.MethodGet, at).body)
	for name, tc := range map[string]struct {
		effect Effect
		status int
		header map[string]string
		body   func(string) bool
	}{
		"primary 403":                  {PrimaryLimit(403, time.Minute), 403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000060", "Retry-After": ""}, contains("API rate limit exceeded")},
		"primary 429":                  {PrimaryLimit(429, time.Minute), 429, map[string]string{"X-RateLimit-Remaining": "0"}, contains("API rate limit exceeded")},
		"secondary 403, told how long": {SecondaryLimit(403, time.Minute), 403, map[string]string{"Retry-After": "60", "X-RateLimit-Remaining": "4999"}, contains("secondary rate limit")},
		"secondary 429, not told":      {SecondaryLimit(429, 0), 429, map[string]string{"Retry-After": ""}, contains("secondary-rate-limits")},
		"a server error":               {Respond(503, "Service Unavailable"), 503, nil, contains("Service Unavailable")},
		"a page for people":            {Page(502, "<html>planted</html>"), 502, map[string]string{"Content-Type": "text/html; charset=utf-8"}, contains("<html>")},
		"nothing in it":                {EmptyOK(), 200, map[string]string{"Content-Type": "application/json; charset=utf-8"}, func(s string) bool { return s == "" }},
		"half of it":                   {Cut(), 200, nil, func(s string) bool { return s == whole[:len(whole)/2] }},
		"more than it":                 {Trailing("{}"), 200, nil, func(s string) bool { return s == whole+"{}" }},
		"another type":                 {WrongType("text/html"), 200, map[string]string{"Content-Type": "text/html"}, func(s string) bool { return s == whole }},
		"another server":               {RedirectTo(301, "http://planted.example.test/"), 301, map[string]string{"Location": "http://planted.example.test/"}, contains("Moved")},
		"another header":               {Header(map[string]string{"X-RateLimit-Remaining": "", "Link": "planted"}), 200, map[string]string{"X-RateLimit-Remaining": "", "Link": "planted"}, contains("sha")},
		"something before":             {Before(func() { now = now.Add(0) }), 200, nil, func(s string) bool { return s == whole }},
	} {
		s.Fail(Fault{Effect: tc.effect})
		r := ask(t, http.MethodGet, at)
		if r.StatusCode != tc.status || !tc.body(string(r.body)) {
			t.Errorf("%s: %s %.200s", name, r.Status, r.body)
		}
		for k, v := range tc.header {
			if r.Header.Get(k) != v {
				t.Errorf("%s: %s is %q, want %q", name, k, r.Header.Get(k), v)
			}
		}
		s.Recover()
	}
}

func contains(s string) func(string) bool {
	return func(body string) bool { return strings.Contains(body, s) }
}

func TestBrokenConnections(t *testing.T) {
	s := New(t, History(t, Linear(3)...).Served("acme", "shop"))
	at := s.URL + "/repos/acme/shop/commits"
	s.Fail(Fault{Times: 1, Effect: Truncated()})
	resp, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(resp.Body)
	resp.Body.Close()
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body that breaks off: %v", err)
	}
	s.Fail(Fault{Effect: Reset()})
	if resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(at); err == nil {
		resp.Body.Close()
		t.Error("a connection that is closed gave an answer")
	}
}

func TestWaiting(t *testing.T) {
	s := New(t, History(t, Linear(3)...).Served("acme", "shop"))
	at := s.URL + "/repos/acme/shop/commits"
	s.Fail(Fault{Times: 1, Effect: Hang()})
	ctx, cancel := context.WithCancel(t.Context())
	arrived := make(chan struct{})
	go func() {
		for len(s.Requests()) == 0 {
			time.Sleep(time.Millisecond) // not to tell a time: until it is there
		}
		close(arrived)
		cancel()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); !errors.Is(err, context.Canceled) {
		if err == nil {
			resp.Body.Close()
		}
		t.Errorf("a server that hangs: %v", err)
	}
	<-arrived

	open := make(chan struct{})
	s.Forget()
	s.Fail(Fault{Effect: Wait(open)})
	done := make(chan int, 3)
	for range 3 {
		go func() {
			resp, err := http.Get(at)
			if err != nil {
				done <- 0
				return
			}
			resp.Body.Close()
			done <- resp.StatusCode
		}()
	}
	for len(s.Requests()) < 3 {
		time.Sleep(time.Millisecond) // likewise
	}
	close(open)
	for range 3 {
		if status := <-done; status != http.StatusOK {
			t.Errorf("after the wait: %d", status)
		}
	}
	if s.MostAtOnce() < 3 {
		t.Errorf("%d at once, there were 3", s.MostAtOnce())
	}
}

func TestLimitsAreCounted(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := New(t, History(t, Linear(3)...).Served("acme", "shop"), WithNow(func() time.Time { return now }), WithLimit(3), WithAnonymousLimit(1),
		WithToken("planted", Access{Login: "planted"}))
	at := s.URL + "/repos/acme/shop"
	with := "Authorization: Bearer planted"
	first := ask(t, http.MethodGet, at, with)
	if first.Header.Get("X-RateLimit-Limit") != "3" || first.Header.Get("X-RateLimit-Remaining") != "2" || first.Header.Get("X-RateLimit-Reset") != "1800003600" {
		t.Errorf("headers %v", first.Header)
	}
	if r := ask(t, http.MethodGet, at, with, "If-None-Match: "+first.Header.Get("ETag")); r.StatusCode != http.StatusNotModified || len(r.body) != 0 || r.Header.Get("X-RateLimit-Remaining") != "2" {
		t.Errorf("what did not change costs: %s %v", r.Status, r.Header)
	}
	if r := ask(t, http.MethodGet, at, with, `If-None-Match: "other"`); r.StatusCode != http.StatusOK {
		t.Errorf("another tag: %s", r.Status)
	}
	if r := ask(t, http.MethodGet, at, "If-None-Match: "+first.Header.Get("ETag")); r.StatusCode != http.StatusOK {
		t.Errorf("the tag of another token: %s", r.Status)
	}
	ask(t, http.MethodGet, at+"/pulls", with)
	over := ask(t, http.MethodGet, at, with)
	if over.StatusCode != http.StatusForbidden || over.Header.Get("X-RateLimit-Remaining") != "0" || !strings.Contains(string(over.body), "rate limit exceeded") {
		t.Errorf("over the limit: %s %v %s", over.Status, over.Header, over.body)
	}
	if r := ask(t, http.MethodGet, at); r.StatusCode != http.StatusForbidden || r.Header.Get("X-RateLimit-Limit") != "1" {
		t.Errorf("without a token, the second time: %s %v", r.Status, r.Header)
	}
	type overview struct {
		Resources struct {
			Core struct{ Limit, Remaining, Used, Reset int }
		}
		Rate *struct{ Remaining int }
	}
	if v := get[overview](t, s.URL+"/rate_limit", http.StatusOK, with); v.Resources.Core.Remaining != 0 || v.Resources.Core.Used != 3 || v.Rate == nil {
		t.Errorf("/rate_limit says %+v", v)
	}
	if v := get[overview](t, s.URL+"/rate_limit", http.StatusOK, with, "X-GitHub-Api-Version: 2026-03-10"); v.Rate != nil {
		t.Error("the later version still has rate")
	}
	now = now.Add(time.Hour)
	if r := ask(t, http.MethodGet, at, with); r.StatusCode != http.StatusOK {
		t.Errorf("in the next hour: %s", r.Status)
	}
}

func TestAnEnterpriseServerSaysNothingOfLimits(t *testing.T) {
	s := New(t, History(t, Linear(3)...).Served("acme", "shop"), WithoutLimits("3.19.0"))
	r := ask(t, http.MethodGet, s.URL+"/api/v3/repos/acme/shop")
	if r.Header.Get("X-RateLimit-Limit") != "" || r.Header.Get("X-GitHub-Enterprise-Version") != "3.19.0" {
		t.Errorf("headers %v", r.Header)
	}
	get[obj](t, s.URL+"/api/v3/rate_limit", http.StatusNotFound)
	if v := get[obj](t, s.URL+"/api/v3/meta", http.StatusOK)["installed_version"]; v != "3.19.0" {
		t.Errorf("it is of version %v", v)
	}
}

func TestHeadersAreRemembered(t *testing.T) {
	s := New(t, History(t, Linear(1)...).Served("acme", "shop"), WithToken("planted", Access{Login: "planted"}))
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	ask(t, http.MethodGet, s.URL+"/repos/acme/shop", "Authorization: Bearer planted")
	if r := s.Requests()[0]; r.Header.Get("Authorization") != "Bearer planted" || r.Route != "GET /repos/{owner}/{repo}" || r.Path != "/repos/acme/shop" {
		t.Errorf("remembered: %+v", r)
	}
}
