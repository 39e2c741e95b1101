package github

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	standin "github.com/rcactl/rcactl/pkg/testbed/github"
)

// gatherAt collects without waiting; what was told is by its text.
func (b *bench) gatherAt(req connector.Request) (gathered, map[string]bool) {
	b.t.Helper()
	s := b.connect()
	s.client.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	g := gathered{source: s}
	if _, err := s.Identity(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	told := map[string]bool{}
	var err error
	g.result, err = s.Collect(b.t.Context(), req, func(r record.Record) error {
		g.records = append(g.records, r)
		told[fmt.Sprintf("%#v", r)] = true
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return g, told
}

// Each fault in the middle of a run: what happens once costs nothing; what stays is
// said, with nothing told that is not so, and the next run makes it whole.
func TestEachFaultInTheMiddleOfARun(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	_, whole := newBench(t, clone.Served("acme", "shop"), then()).gatherAt(all())
	const minute = time.Minute
	tests := []struct {
		name   string
		effect standin.Effect
		class  connector.Class // of what stays
		ends   bool            // once is enough to end the run
	}{
		{"403, the limit of the hour", standin.PrimaryLimit(403, 30*minute), connector.ClassLimited, true},
		{"429, the limit of the hour", standin.PrimaryLimit(429, 30*minute), connector.ClassLimited, true},
		{"403, haste, told how long", standin.SecondaryLimit(403, minute), connector.ClassLimited, false},
		{"429, haste, told how long", standin.SecondaryLimit(429, minute), connector.ClassLimited, false},
		{"403, haste, for too long", standin.SecondaryLimit(403, 10*minute), connector.ClassLimited, true},
		{"403, haste, not told", standin.SecondaryLimit(403, 0), connector.ClassLimited, true},
		{"429, haste, not told", standin.SecondaryLimit(429, 0), connector.ClassLimited, true},
		{"500", standin.Respond(500, "Server Error"), connector.ClassUnreachable, false},
		{"502, a page of a proxy", standin.Page(502, "<html>planted</html>"), connector.ClassUnreachable, false},
		{"503", standin.Respond(503, "Service Unavailable"), connector.ClassUnreachable, false},
		{"504", standin.Respond(504, "Gateway Timeout"), connector.ClassUnreachable, false},
		{"a page of a portal", standin.Page(200, "<html>planted</html>"), connector.ClassProtocol, false},
		{"200 with nothing in it", standin.EmptyOK(), connector.ClassProtocol, false},
		{"broken off", standin.Truncated(), connector.ClassUnreachable, false},
		{"half of it, closed properly", standin.Cut(), connector.ClassProtocol, false},
		{"more than it", standin.Trailing("planted"), connector.ClassProtocol, false},
		{"closed without an answer", standin.Reset(), connector.ClassUnreachable, false},
		{"sent to another host", standin.RedirectTo(302, "http://planted.example.test/"), connector.ClassProtocol, true},
		{"sent round and round", func(s *standin.Server, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
			standin.RedirectTo(307, r.URL.RequestURI())(s, w, r, serve)
		}, connector.ClassProtocol, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, clone.Served("acme", "shop"), then())
			if !tt.ends {
				b.server.Fail(standin.Fault{After: 15, Times: 1, Effect: tt.effect})
				g, told := b.gatherAt(all())
				g.complete(t)
				if len(told) != len(whole) {
					t.Errorf("it happened once, and %d of %d are told", len(told), len(whole))
				}
				b.server.Recover()
				b.store = newShelf()
			}
			b.server.Forget()
			b.server.Fail(standin.Fault{After: 15, Effect: tt.effect})
			g, told := b.gatherAt(all())
			if c := g.cover(record.StreamCommits); c.Status != connector.Partial || c.Class != tt.class || c.Reason == "" || strings.Contains(c.Reason, "planted") {
				t.Errorf("%+v", c)
			}
			if n := b.asked(); n > 60 && !strings.HasPrefix(tt.name, "sent round") { // 90 for all
				t.Errorf("%d requests", n)
			}
			b.server.Recover()
			last, more := b.gatherAt(connector.Request{Window: all().Window, Incremental: true, State: g.result.State})
			last.complete(t)
			for r := range whole {
				if !told[r] && !more[r] {
					t.Errorf("missed: %s", r)
				}
			}
			for r := range told {
				if !whole[r] {
					t.Errorf("not so: %s", r)
				}
			}
		})
	}
}

// A page that GitHub is too slow for is asked for in tenths.
func TestAPageThatTakesTooLong(t *testing.T) {
	clone := standin.History(t, standin.Linear(35)...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	b.server.Fail(standin.Fault{
		Route: "GET /repos/{owner}/{repo}/commits", Effect: standin.Respond(502, "Server Error"),
		Match: func(r *http.Request) bool { return r.URL.Query().Get("per_page") == "100" },
	})
	g, _ := b.gatherAt(all())
	g.complete(t)
	if n := len(g.shas()); n != 35 {
		t.Errorf("%d commits", n)
	}
}

// A list whose pages lead back to themselves ends, and is not taken for whole.
func TestAListThatDoesNotEnd(t *testing.T) {
	clone := standin.History(t, standin.Linear(3)...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	b.server.Fail(standin.Fault{
		Route: "GET /repos/{owner}/{repo}/commits", Match: func(r *http.Request) bool { return r.URL.Query().Get("per_page") == "100" },
		Effect: standin.Header(map[string]string{"Link": `<` + b.server.URL + `/repos/acme/shop/commits?per_page=100>; rel="next"`}),
	})
	g, _ := b.gatherAt(all())
	if c := g.cover(record.StreamCommits); c.Status == connector.Complete || c.Class != connector.ClassProtocol {
		t.Errorf("%+v", c)
	}
	if n := b.server.Count()["GET /repos/{owner}/{repo}/commits"]; n > maxPages+1 {
		t.Errorf("%d pages", n)
	}
}

// The files of a commit come in pages of 300, and 3,000 of them at most.
func TestACommitOfManyFiles(t *testing.T) {
	many := func(n int) map[string]string {
		files := map[string]string{}
		for i := range n {
			files[fmt.Sprintf("db/migrations/%04d.sql", i)] = "x\n"
		}
		return files
	}
	clone := standin.History(t, standin.Commit{Name: "many", Files: many(650)}, standin.Commit{Name: "most", Orphan: true, Branch: "other", Files: many(3100)})
	b := newBench(t, clone.Served("acme", "shop"), then())
	b.change = func(c *Config) { c.Branches = []string{"other"} }
	g, _ := b.gatherAt(all())
	g.complete(t)
	for name, want := range map[string]record.Commit{"many": {Files: 650}, "most": {Files: 3000, FilesTruncated: true}} {
		c := g.commit(t, clone.SHA(name))
		if c.Files != want.Files || c.FilesTruncated != want.FilesTruncated || len(c.Categories) != 1 || c.Categories[0].Files != want.Files {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// A slash in the name of a branch is no part of a path.
func TestABranchWithASlash(t *testing.T) {
	clone := standin.History(t, standin.Commit{Name: "root"}, standin.Commit{Branch: "release/1.0"}, standin.Commit{Name: "off"})
	served := clone.Served("acme", "shop")
	served.DefaultBranch = "release/1.0"
	b := newBench(t, served, then())
	g, _ := b.gatherAt(connector.Request{Window: all().Window, Scope: all().Scope})
	g.complete(t)
	answers, err := b.connect().Resolve(t.Context(), []record.HistoryQuestion{revision(clone.SHA("root")), revision(clone.SHA("off"))})
	if err != nil || answers[0].ReachOf != record.ReachOn || answers[1].ReachOf != record.ReachOff {
		t.Errorf("%v %+v", err, answers)
	}
}

// A GitHub Enterprise Server that says nothing of limits is asked to the end.
func TestAServerWithoutLimits(t *testing.T) {
	clone := standin.History(t, standin.Shapes()...)
	b := newBench(t, clone.Served("acme", "shop"), then())
	b.server = standin.New(t, clone.Served("acme", "shop"), standin.WithNow(func() time.Time { return b.now }), standin.WithoutLimits("3.19.0"),
		standin.WithToken(readerToken, standin.Access{Login: "planted-reader"}))
	g, _ := b.gatherAt(all())
	g.complete(t)
	if id, err := g.source.Identity(t.Context()); err != nil || id.Version != "3.19.0" {
		t.Errorf("%+v, %v", id, err)
	}
}

// Only of another GitHub than github.com did somebody write down the address.
func TestTheAddressIsToBeCheckedWhereItWasWritten(t *testing.T) {
	dns, refused, plain := &net.DNSError{IsNotFound: true}, &net.OpError{Op: "dial"}, tls.RecordHeaderError{}
	for _, tt := range []struct {
		host string
		err  error
		want string
	}{
		{"api.github.com", dns, "; check the DNS and the network"},
		{"api.github.com", refused, "; check the network"},
		{"api.github.com", plain, "; check the proxies on the way"},
		{"github.example.test", dns, "; check base_url (or GH_HOST), the DNS and the network"},
		{"github.example.test", refused, "; check base_url (or GH_HOST) and the network"},
	} {
		if got := explainSend(&sendError{host: tt.host, path: "user", err: tt.err}).Message; !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.host, got, tt.want)
		}
	}
}

// A request that gets no answer says what to look at, in our own words.
func TestRequestsWithoutAnAnswer(t *testing.T) {
	slow := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	for name, tt := range map[string]struct {
		err   error
		took  time.Duration
		tries int
		class connector.Class
		words string
	}{
		"no such host":       {&net.DNSError{Err: "PLANTED TEXT", IsNotFound: true}, 0, 1, connector.ClassUnreachable, "cannot be resolved"},
		"a DNS that is busy": {&net.DNSError{Err: "PLANTED TEXT", IsTemporary: true}, 0, maxTries, connector.ClassUnreachable, "cannot be resolved"},
		"no TLS":             {tls.RecordHeaderError{Msg: "PLANTED TEXT"}, 0, 1, connector.ClassUnreachable, "does not speak TLS"},
		"not trusted":        {&tls.CertificateVerificationError{Err: errors.New("PLANTED TEXT")}, 0, 1, connector.ClassUnreachable, "SSL_CERT_FILE"},
		"the proxy":          {&net.OpError{Op: "proxyconnect", Err: errors.New("PLANTED TEXT")}, 0, maxTries, connector.ClassUnreachable, "HTTPS_PROXY"},
		"nobody listens":     {&net.OpError{Op: "dial", Err: errors.New("PLANTED TEXT")}, 0, maxTries, connector.ClassUnreachable, "cannot be reached"},
		"in no time":         {slow, time.Second, maxTries, connector.ClassTimeout, "no answer in time"},
		"GitHub's own limit": {slow, 10 * time.Second, 2, connector.ClassTimeout, "no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			var f *front
			f = newFront(t, func(_ *Config, env *connector.Env) {
				env.Transport = carries(func(*http.Request) (*http.Response, error) {
					f.mu.Lock()
					defer f.mu.Unlock()
					f.clock = f.clock.Add(tt.took)
					return nil, tt.err
				})
			}, nil)
			_, err := f.commits(t.Context())
			own := explain(err)
			if own == nil || own.Class != tt.class || !strings.Contains(own.Message, tt.words) || f.requests() != tt.tries {
				t.Errorf("%v after %d requests", own, f.requests())
			}
			if isTooSlow(err) != (tt.class == connector.ClassTimeout) {
				t.Errorf("too slow: %v", isTooSlow(err))
			}
			f.quiet(own.Message)
		})
	}
}
