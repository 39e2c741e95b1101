package github

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
	"github.com/rcactl/rcactl/pkg/secret"
)

// plantedToken must be seen by the API and by nobody else.
const plantedToken = "ghp_plantedTOKENplantedTOKENplanted000"

// morning is when these tests happen.
func morning() time.Time { return time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC) }

// front is a client before a server that a test writes.
type front struct {
	*client
	t      *testing.T
	server *httptest.Server
	mu     sync.Mutex
	clock  time.Time
	slept  []time.Duration
	log    bytes.Buffer
	asked  []string // method and address, as they arrived
}

// replying answers a request, of which n is the number, from 1.
type replying func(n int, w http.ResponseWriter, r *http.Request)

// newFront makes one. answer gets the number of the request, from 1.
func newFront(t *testing.T, change func(*Config, *connector.Env), answer replying) *front {
	t.Helper()
	f := &front{t: t, clock: morning()}
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked = append(f.asked, r.Method+" "+r.URL.RequestURI())
		n := len(f.asked)
		w.Header().Set("Date", f.clock.Format(http.TimeFormat))
		f.mu.Unlock()
		answer(n, w, r)
	}))
	t.Cleanup(f.server.Close)
	cfg := defaultConfig()
	cfg.BaseURL, cfg.Host, cfg.Repositories = f.server.URL+"/", "github.com", []string{"acme/shop"}
	token, err := secret.ParseRef("env:PLANTED")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Token = token
	env := connector.Env{
		Secrets: secret.Sources{LookupEnv: func(name string) (string, bool) { return plantedToken, name == "PLANTED" }},
		Now:     f.now, UserAgent: "rcactl/test",
		Log: slog.New(slog.NewTextHandler(&f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(cfg, &env)
	}
	if f.client, err = newClient(t.Context(), cfg, env); err != nil {
		t.Fatal(err)
	}
	f.sleep = func(_ context.Context, d time.Duration) error { f.pass(d); return nil }
	return f
}

func (f *front) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clock
}

// pass lets time pass.
func (f *front) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slept = append(f.slept, d)
	f.clock = f.clock.Add(d)
}

// commits asks for a list, as the streams do.
func (f *front) commits(ctx context.Context) ([]*github.RepositoryCommit, error) {
	f.t.Helper()
	api, ctx, err := f.on(ctx, "acme", record.StreamCommits, "commits")
	if err != nil {
		return nil, err
	}
	list, _, err := api.Repositories.ListCommits(ctx, "acme", "shop", nil)
	return list, err
}

// quiet fails when the token shows anywhere that a person or a program may look.
func (f *front) quiet(things ...any) {
	f.t.Helper()
	var all strings.Builder
	all.WriteString(f.log.String())
	for _, a := range f.actions() {
		fmt.Fprintf(&all, "%+v\n", a)
	}
	fmt.Fprintf(&all, "%v\n", f.notes())
	if _, reason, ok := f.stopped(); ok {
		all.WriteString(reason)
	}
	for _, thing := range things {
		fmt.Fprintf(&all, "%v %+v %q %#v\n", thing, thing, thing, thing)
		for err, ok := thing.(error); ok && err != nil; err = errors.Unwrap(err) {
			fmt.Fprintf(&all, "%v %+v\n", err, err)
		}
	}
	for _, planted := range []string{plantedToken, "PLANTED TEXT"} {
		if strings.Contains(all.String(), planted) {
			f.t.Errorf("%q shows in:\n%s", planted, all.String())
		}
	}
}

func answerJSON(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = io.WriteString(w, body)
}

// limitHeaders are those of GitHub's primary limit.
func limitHeaders(w http.ResponseWriter, limit, remaining int, reset time.Time) {
	w.Header().Set("X-RateLimit-Limit", strconv.Itoa(limit))
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
	w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	w.Header().Set("X-RateLimit-Resource", "core")
}

const oneCommit = `[{"sha":"1111111111111111111111111111111111111111"}]`

func TestARequestIsWhatGitHubExpects(t *testing.T) {
	var got http.Header
	f := newFront(t, nil, func(_ int, w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		answerJSON(w, oneCommit)
	})
	api, ctx, err := f.on(t.Context(), "acme", record.StreamCommits, "commits")
	if err != nil {
		t.Fatal(err)
	}
	list, resp, err := api.Repositories.ListCommits(ctx, "acme", "shop", nil)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if given := resp.Request.Header.Get("Authorization"); given != "" {
		t.Error("the answer leads to the token")
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer " + plantedToken, "X-Github-Api-Version": "2022-11-28", "User-Agent": "rcactl/test",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q", name, got.Get(name))
		}
	}
	want := []connector.Action{{Stream: "commits", Method: "GET", Target: "/repos/acme/shop/commits", Purpose: "commits", Requests: 1}}
	if diff := cmp.Diff(want, f.actions()); diff != "" || f.requests() != 1 {
		t.Errorf("(-) want (+) got\n%s%d requests", diff, f.requests())
	}
	if skew := f.skew(); !skew.Measured || skew.Offset != time.Second/2 {
		t.Errorf("skew %+v", skew)
	}
	f.quiet()
}

// What does not only read, or is accounted to nothing, or goes elsewhere, never
// leaves.
func TestOnlyReadsOfTheAPILeave(t *testing.T) {
	f := newFront(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) { answerJSON(w, `{}`) })
	api, ctx, err := f.on(t.Context(), "acme", "", "a test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.Repositories.Delete(ctx, "acme", "shop"); !errors.Is(err, errNotARead) || explain(err).Class != connector.ClassInternal {
		t.Errorf("delete: %v", err)
	}
	if _, _, err := api.Issues.Create(ctx, "acme", "shop", &github.IssueRequest{}); !errors.Is(err, errNotARead) {
		t.Errorf("post: %v", err)
	}
	if _, _, err := api.Apps.CreateInstallationToken(ctx, 1, nil); !errors.Is(err, errNotARead) {
		t.Errorf("the exchange of a token, without an App: %v", err)
	}
	if _, _, err := f.api.Repositories.Get(t.Context(), "acme", "shop"); !errors.Is(err, errUnaccounted) {
		t.Errorf("accounted to nothing: %v", err)
	}
	for _, at := range []string{"https://api.github.com/meta", "http://127.0.0.1:1/meta", f.server.URL + "/a/../../meta", f.server.URL + "/a/%2e%2e/meta"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.RoundTrip(req); !errors.Is(err, errElsewhere) {
			t.Errorf("%s: %v", at, err)
		}
	}
	for path, post := range map[string]bool{"app/installations/1/access_tokens/x": true, "app/installations/1": true, "repos/acme/shop": false, "orgs/acme": false} {
		if method := map[bool]string{true: "POST", false: "GET"}[post]; isRead(method, path, call{asApp: true}) {
			t.Errorf("%s %s as the App", method, path)
		}
	}
	if len(f.asked) > 0 || f.requests() > 0 {
		t.Errorf("it was asked: %v", f.asked)
	}
}

// A redirect within the API is followed, with the credential; one to another place
// is not, with or without it.
func TestRedirects(t *testing.T) {
	other := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { other++; answerJSON(w, oneCommit) }))
	defer elsewhere.Close()
	tests := []struct {
		name    string
		status  int
		to      func(own string) string
		want    error
		arrived int
	}{
		{"renamed", 301, func(own string) string { return own + "/repositories/42/commits" }, nil, 2},
		{"temporary", 307, func(string) string { return "/repositories/42/commits" }, nil, 2},
		{"another host", 301, func(string) string { return elsewhere.URL + "/repos/acme/shop/commits" }, errRedirect, 1},
		{"another scheme", 302, func(own string) string { return "ftp" + strings.TrimPrefix(own, "http") + "/x" }, errRedirect, 1},
		{"a user in it", 302, func(own string) string { return strings.Replace(own, "://", "://me@", 1) + "/x" }, errRedirect, 1},
		{"climbing", 302, func(own string) string { return own + "/a/%2e%2e/x" }, errRedirect, 1},
		{"nowhere", 302, func(string) string { return "" }, errRedirect, 1},
		{"round and round", 308, func(own string) string { return own + "/repos/acme/shop/commits" }, errRedirects, maxRedirects + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f *front
			f = newFront(t, nil, func(n int, w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer "+plantedToken {
					t.Errorf("%s without the token", r.URL.Path)
				}
				if n > 1 && tt.want == nil {
					answerJSON(w, oneCommit)
					return
				}
				w.Header().Set("Location", tt.to(f.server.URL))
				w.WriteHeader(tt.status)
			})
			list, err := f.commits(t.Context())
			if !errors.Is(err, tt.want) || (err == nil) != (len(list) == 1) {
				t.Errorf("%v, %v", list, err)
			}
			if len(f.asked) != tt.arrived {
				t.Errorf("asked %v", f.asked)
			}
			if err != nil && explain(err).Class != connector.ClassProtocol {
				t.Errorf("%v", explain(err))
			}
			f.quiet(err)
		})
	}
	if other > 0 {
		t.Errorf("the other host was asked %d times", other)
	}
}

// GitHub's limits, each as it is published, and what becomes of them.
func TestLimits(t *testing.T) {
	const secondary = `{"message":"You have exceeded a secondary rate limit. PLANTED TEXT","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`
	reset := morning().Add(20 * time.Minute)
	tests := []struct {
		name   string
		first  func(w http.ResponseWriter)
		stops  string // in the reason; empty for going on
		fails  bool   // the first request already
		waited []time.Duration
	}{
		{"plenty", func(w http.ResponseWriter) { limitHeaders(w, 5000, 4000, reset); answerJSON(w, oneCommit) }, "", false, nil},
		{"no limits, as on a server of one's own", func(w http.ResponseWriter) { answerJSON(w, oneCommit) }, "", false, nil},
		{"nearly used up", func(w http.ResponseWriter) { limitHeaders(w, 5000, 100, reset); answerJSON(w, oneCommit) }, "100 left); it is reset at 2026-11-22T09:20:00Z", false, nil},
		{"nearly, without a credential", func(w http.ResponseWriter) { limitHeaders(w, 60, 2, reset); answerJSON(w, oneCommit) }, "", false, nil},
		{"of another kind", func(w http.ResponseWriter) {
			limitHeaders(w, 30, 0, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)) // go-github would refuse to ask
			w.Header().Set("X-RateLimit-Resource", "search")
			answerJSON(w, oneCommit)
		}, "", false, nil},
		{"the last one", func(w http.ResponseWriter) { limitHeaders(w, 5000, 0, reset); answerJSON(w, oneCommit) }, "used up; it is reset at 2026-11-22T09:20:00Z", false, nil},
		{"403, used up", func(w http.ResponseWriter) { limitHeaders(w, 5000, 0, reset); w.WriteHeader(403) }, "used up; it is reset at 2026-11-22T09:20:00Z", true, nil},
		{"429, used up", func(w http.ResponseWriter) { limitHeaders(w, 5000, 0, reset); w.WriteHeader(429) }, "used up; it is reset at 2026-11-22T09:20:00Z", true, nil},
		{"429, a short wait", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "7"); w.WriteHeader(429) }, "", false, []time.Duration{7 * time.Second}},
		{"403, a short wait", func(w http.ResponseWriter) {
			limitHeaders(w, 5000, 4000, reset)
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(403)
			_, _ = io.WriteString(w, secondary)
		}, "", false, []time.Duration{7 * time.Second}},
		{"403, a long wait", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "600"); w.WriteHeader(403) }, "come back at 2026-11-22T09:10:00Z", true, nil},
		{"403, secondary and silent", func(w http.ResponseWriter) {
			limitHeaders(w, 5000, 4000, reset)
			w.WriteHeader(403)
			_, _ = io.WriteString(w, secondary)
		}, "run again after 2026-11-22T09:01:00Z", true, nil},
		{"429, silent", func(w http.ResponseWriter) { w.WriteHeader(429) }, "run again after 2026-11-22T09:01:00Z", true, nil},
		{"used up, and no word until when", func(w http.ResponseWriter) {
			w.Header().Set("X-RateLimit-Limit", "5000")
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.WriteHeader(403)
		}, "reset at a time that it does not say", true, nil},
		{"403, a permission", func(w http.ResponseWriter) { limitHeaders(w, 5000, 4000, reset); w.WriteHeader(403) }, "", true, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFront(t, nil, func(n int, w http.ResponseWriter, _ *http.Request) {
				if n == 1 {
					tt.first(w)
					return
				}
				answerJSON(w, oneCommit)
			})
			_, err := f.commits(t.Context())
			if (err != nil) != tt.fails {
				t.Fatalf("%v", err)
			}
			if diff := cmp.Diff(tt.waited, f.slept); diff != "" {
				t.Errorf("waited (-) want (+) got\n%s", diff)
			}
			class, reason, stopped := f.stopped()
			if stopped != (tt.stops != "") || !strings.Contains(reason, tt.stops) || stopped && class != connector.ClassLimited {
				t.Errorf("stopped: %v, %s, %q", stopped, class, reason)
			}
			before := len(f.asked)
			_, err = f.commits(t.Context())
			if isStopped(err) != stopped || stopped != (len(f.asked) == before) {
				t.Errorf("the next request: %v, %v", err, f.asked)
			}
			if stopped && (explain(err).Class != connector.ClassLimited || explain(err).Message != reason) {
				t.Errorf("%v", explain(err))
			}
			f.quiet(err)
		})
	}
}

// When the time of the reset is over, it is asked again: by GitHub's clock.
func TestALimitEnds(t *testing.T) {
	f := newFront(t, nil, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.Header().Set("Date", morning().Add(time.Hour).Format(http.TimeFormat)) // its clock is ahead
			limitHeaders(w, 5000, 0, morning().Add(time.Hour+time.Minute))
		}
		answerJSON(w, oneCommit)
	})
	if _, err := f.commits(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.pass(59 * time.Second)
	if _, err := f.commits(t.Context()); !isStopped(err) {
		t.Errorf("before: %v", err)
	}
	f.pass(time.Second)
	if _, err := f.commits(t.Context()); err != nil {
		t.Errorf("after: %v", err)
	}
}

// The secondary limit is waited for twice in a run, and then no more; a wait that
// does not fit the time that is left is none.
func TestWaitsAreBounded(t *testing.T) {
	slow := func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(403)
	}
	f := newFront(t, nil, slow)
	if _, err := f.commits(t.Context()); !isStopped(err) || len(f.slept) != maxWaits || len(f.asked) != maxWaits+1 {
		t.Errorf("%v, %v, %v", err, f.slept, f.asked)
	}
	f = newFront(t, nil, func(n int, w http.ResponseWriter, r *http.Request) {
		if n%2 == 1 {
			slow(n, w, r)
			return
		}
		answerJSON(w, oneCommit)
	})
	for range maxWaits {
		if _, err := f.commits(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.commits(t.Context()); !isStopped(err) || len(f.slept) != maxWaits {
		t.Errorf("a third wait: %v, %v", err, f.slept)
	}
	f = newFront(t, func(_ *Config, env *connector.Env) { env.Now = time.Now }, slow)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	if _, err := f.commits(ctx); !isStopped(err) || len(f.slept) != 0 || len(f.asked) != 1 {
		t.Errorf("%v, %v, %v", err, f.slept, f.asked)
	}
}

// While one waits for the secondary limit, the others do too.
func TestAWaitIsForAll(t *testing.T) {
	f := newFront(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) { answerJSON(w, oneCommit) })
	if !f.limits.mayWait(9 * time.Second) {
		t.Fatal("may not wait")
	}
	if _, err := f.commits(t.Context()); err != nil || len(f.slept) != 1 || f.slept[0] != 9*time.Second {
		t.Errorf("%v, %v", err, f.slept)
	}
	if _, err := f.commits(t.Context()); err != nil || len(f.slept) != 1 {
		t.Errorf("and again: %v, %v", err, f.slept)
	}
}

// What may pass is asked for again, at most twice; what is not whole is no answer.
func TestFaults(t *testing.T) {
	hijack := func(w http.ResponseWriter, text string) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
	tests := []struct {
		name  string
		fault func(w http.ResponseWriter)
		once  bool // it is not tried again
		class connector.Class
		slow  bool
	}{
		{"500", func(w http.ResponseWriter) { w.WriteHeader(500); _, _ = io.WriteString(w, "PLANTED TEXT") }, false, connector.ClassUnreachable, true},
		{"502 of a proxy", func(w http.ResponseWriter) { w.WriteHeader(502); _, _ = io.WriteString(w, "<html>PLANTED TEXT") }, false, connector.ClassUnreachable, true},
		{"empty 200", func(w http.ResponseWriter) { w.WriteHeader(200) }, false, connector.ClassProtocol, false},
		{"cut off", func(w http.ResponseWriter) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n[{\"sha\":\"PLANTED TEXT")
		}, false, connector.ClassUnreachable, false},
		{"cut off and closed properly", func(w http.ResponseWriter) { answerJSON(w, `[{"sha":"PLANTED TEXT`) }, false, connector.ClassProtocol, false},
		{"a page of a portal", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>PLANTED TEXT</html>") }, false, connector.ClassProtocol, false},
		{"closed without an answer", func(w http.ResponseWriter) { hijack(w, "") }, false, connector.ClassUnreachable, false},
		{"not what was asked for", func(w http.ResponseWriter) { answerJSON(w, `{"PLANTED TEXT":1}`) }, true, connector.ClassProtocol, false},
		{"202", func(w http.ResponseWriter) { w.WriteHeader(202); _, _ = io.WriteString(w, "{}") }, true, connector.ClassProtocol, false},
		{"204", func(w http.ResponseWriter) { w.WriteHeader(204) }, true, connector.ClassProtocol, false},
		{"304", func(w http.ResponseWriter) { w.WriteHeader(304) }, true, connector.ClassProtocol, false},
		{"404", func(w http.ResponseWriter) { w.WriteHeader(404) }, true, connector.ClassForbidden, false},
		{"409", func(w http.ResponseWriter) { w.WriteHeader(409) }, true, connector.ClassProtocol, false},
		{"410", func(w http.ResponseWriter) { w.WriteHeader(410) }, true, connector.ClassProtocol, false},
		{"451", func(w http.ResponseWriter) { w.WriteHeader(451) }, true, connector.ClassForbidden, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFront(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) { tt.fault(w) })
			_, err := f.commits(t.Context())
			own := explain(err)
			if own == nil || own.Class != tt.class || isTooSlow(err) != tt.slow {
				t.Errorf("%T: %v (%v)", err, own, isTooSlow(err))
			}
			want := maxTries
			if tt.once {
				want = 1
			}
			if len(f.asked) != want || f.requests() != want || len(f.slept) != want-1 {
				t.Errorf("asked %d times, waited %v", len(f.asked), f.slept)
			}
			if empty := errors.Is(err, errEmptyAnswer); empty != (tt.name == "empty 200") {
				t.Errorf("empty: %v", err)
			}
			f.quiet(err, own)
			f = newFront(t, nil, func(n int, w http.ResponseWriter, _ *http.Request) {
				if n < maxTries {
					tt.fault(w)
					return
				}
				answerJSON(w, oneCommit)
			})
			if list, err := f.commits(t.Context()); (err == nil) == tt.once || (len(list) == 1) == tt.once {
				t.Errorf("after it passed: %v, %v", list, err)
			}
		})
	}
}

// A reset in the middle of the body, an answer that is too large, one that is packed.
func TestBodies(t *testing.T) {
	body := func(resp *http.Response, err error) func(r *http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) { return resp, err }
	}
	endless := body(&http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(endlessly{})}, nil)
	f := newFront(t, func(_ *Config, env *connector.Env) { env.Transport = carries(endless) }, nil)
	if _, err := f.commits(t.Context()); !errors.Is(err, errTooLarge) || explain(err).Class != connector.ClassBound || f.requests() != 1 {
		t.Errorf("%v after %d requests", err, f.requests())
	}
	broken := body(&http.Response{StatusCode: 200, Header: http.Header{"Content-Encoding": {"gzip"}}, Body: io.NopCloser(strings.NewReader("\x1f\x8b no"))}, nil)
	f = newFront(t, func(_ *Config, env *connector.Env) { env.Transport = carries(broken) }, nil)
	if _, err := f.commits(t.Context()); explain(err) == nil || explain(err).Class != connector.ClassUnreachable {
		t.Errorf("%v", err)
	}
}

// Four answers at once of which each unpacks to a GiB: what is held of them is bounded
// by maxAnswer. What was allocated in all is never less than what was held at once.
func TestFourBombsAtOnce(t *testing.T) {
	var member bytes.Buffer
	pack := gzip.NewWriter(&member)
	_, _ = pack.Write(bytes.Repeat([]byte{' '}, 1<<20))
	_ = pack.Close()
	var arrived sync.WaitGroup
	arrived.Add(maxConcurrent)
	f := newFront(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) {
		arrived.Done()
		arrived.Wait()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		for range 1 << 10 { // members of one stream
			if _, err := w.Write(member.Bytes()); err != nil {
				return
			}
		}
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	sideBySide(maxConcurrent, func(int) {
		if _, err := f.commits(t.Context()); !errors.Is(err, errTooLarge) {
			t.Errorf("%v", err)
		}
	})
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > maxConcurrent*100 { // twice as much where races are looked for
		t.Errorf("%d MiB were allocated", got)
	} else {
		t.Logf("%d MiB were allocated", got)
	}
}

type carries func(*http.Request) (*http.Response, error)

func (c carries) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

type endlessly struct{}

func (endlessly) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// A server that is not there costs a few requests, and not the time of the run.
func TestAServerThatIsNotThere(t *testing.T) {
	f := newFront(t, nil, nil)
	f.server.Close()
	for range maxDead {
		if _, err := f.commits(t.Context()); explain(err).Class != connector.ClassUnreachable || isStopped(err) {
			t.Fatalf("%v", explain(err))
		}
	}
	sent := f.requests()
	if _, err := f.commits(t.Context()); !isStopped(err) || explain(err).Class != connector.ClassUnreachable || f.requests() != sent {
		t.Errorf("%v after %d requests", explain(err), f.requests())
	}
	if sent != maxDead*maxTries {
		t.Errorf("%d requests", sent)
	}
	f.quiet()
}

// A refused credential is not tried again, and neither is anything else with it.
func TestARefusedTokenEndsTheRun(t *testing.T) {
	f := newFront(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
	_, err := f.commits(t.Context())
	if own := explain(err); own.Class != connector.ClassAuth || !strings.Contains(own.Message, "make a new one") {
		t.Errorf("%v", own)
	}
	_, err = f.commits(t.Context())
	if class, _, ok := f.stopped(); !ok || class != connector.ClassAuth || len(f.asked) != 1 || explain(err).Class != connector.ClassAuth {
		t.Errorf("%v %s, asked %v", ok, class, f.asked)
	}
	f.quiet(err)
}

func TestMaxRequestsHoldsForEverything(t *testing.T) {
	f := newFront(t, func(c *Config, _ *connector.Env) { c.MaxRequests = 4 }, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < 3 {
			w.WriteHeader(500) // retries count too
			return
		}
		answerJSON(w, oneCommit)
	})
	for range 2 {
		if _, err := f.commits(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := f.commits(t.Context())
	class, reason, ok := f.stopped()
	if !isStopped(err) || !ok || class != connector.ClassBound || !strings.Contains(reason, "max_requests (4)") || len(f.asked) != 4 {
		t.Errorf("%v, %s, %q, asked %v", err, class, reason, f.asked)
	}
}

func TestAtMostFourAtATime(t *testing.T) {
	var now, most atomic.Int32
	full := make(chan struct{})
	var once sync.Once
	f := newFront(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == maxConcurrent {
			once.Do(func() { close(full) })
		}
		<-full
		now.Add(-1)
		answerJSON(w, oneCommit)
	})
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if _, err := f.commits(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 4 {
		t.Errorf("%d at a time", most.Load())
	}
}

// A repository that is asked for twice is asked for once.
func TestARepositoryIsAskedForOnce(t *testing.T) {
	f := newFront(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) { answerJSON(w, `{"id":7,"full_name":"acme/shop"}`) })
	for _, name := range []string{"shop", "Shop"} {
		if repo, err := f.repository(t.Context(), "acme", name); err != nil || repo.GetID() != 7 {
			t.Errorf("%v, %v", repo, err)
		}
	}
	if len(f.asked) != 1 {
		t.Errorf("asked %v", f.asked)
	}
}

// A context that ends is said as such, and nothing is tried again.
func TestAContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFront(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) { cancel(); w.WriteHeader(500) })
	if _, err := f.commits(ctx); explain(err).Class != connector.ClassCanceled || len(f.asked) != 1 {
		t.Errorf("%v, asked %v", explain(err), f.asked)
	}
}

// A missing permission is told in the words of GitHub, if it is in its form.
func TestAMissingPermission(t *testing.T) {
	tests := []struct {
		header, sso, message string
		grants               []string
	}{
		{"pull_requests=read,contents=read; issues=read", "", "pull_requests: read and contents: read or issues: read (403", []string{"pull_requests", "contents"}},
		{"contents=read", "", "lacks a permission: contents: read (403", []string{"contents"}},
		{"PLANTED TEXT", "", "refused the request (403", nil},
		{"", "required; url=https://github.com/orgs/acme/sso?PLANTED TEXT", "single sign-on", nil},
	}
	for _, tt := range tests {
		f := newFront(t, nil, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Accepted-GitHub-Permissions", tt.header)
			w.Header().Set("X-GitHub-SSO", tt.sso)
			w.WriteHeader(403)
			_, _ = io.WriteString(w, `{"message":"PLANTED TEXT"}`)
		})
		_, err := f.commits(t.Context())
		own := explain(err)
		var grants []string
		for _, g := range missingGrants(err) {
			grants = append(grants, g.Resource)
		}
		if own.Class != connector.ClassForbidden || !strings.Contains(own.Message, tt.message) || !cmp.Equal(grants, tt.grants) {
			t.Errorf("%q: %v, %v", tt.header, own, grants)
		}
		f.quiet(err, own)
	}
}

// Names that people chose do not stand in what was asked.
func TestPattern(t *testing.T) {
	for path, want := range map[string]string{
		"repos/acme/shop":                                    "/repos/acme/shop",
		"repos/acme/shop/commits/0123abc":                    "/repos/acme/shop/commits/*",
		"repos/acme/shop/compare/aaa...bbb":                  "/repos/acme/shop/compare/*",
		"repos/acme/shop/commits/feature%2Fplanted":          "/repos/acme/shop/commits/*",
		"repos/acme/shop/branches/planted/person":            "/repos/acme/shop/branches/*",
		"repos/acme/shop/git/ref/heads/planted":              "/repos/acme/shop/git/ref/heads/*",
		"repos/acme/shop/deployments/12/statuses":            "/repos/acme/shop/deployments/*/statuses",
		"repos/acme/shop/actions/workflows/deploy.yml/runs":  "/repos/acme/shop/actions/workflows/*/runs",
		"repos/acme/shop/actions/runs":                       "/repos/acme/shop/actions/runs",
		"repositories/42/commits":                            "/repositories/*/commits",
		"app/installations/42/access_tokens":                 "/app/installations/*/access_tokens",
		"orgs/acme/installation":                             "/orgs/acme/installation",
		"repos/pla nted/shop":                                "/repos/*/shop",
		"rate_limit":                                         "/rate_limit",
		"":                                                   "/*",
		"planted":                                            "/*",
		"repos/acme/shop/contents/planted/person/secret.txt": "/repos/acme/shop/*",
	} {
		if got := pattern(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("pull_requests=read,contents=read; issues=read", "repo, read:org", "2026-12-01 10:00:00 UTC", "repos/acme/shop/commits/abc")
	f.Fuzz(func(t *testing.T, permissions, scopes, expiry, path string) {
		for _, set := range parsePermissions(permissions) {
			if strings.ContainsFunc(set, func(r rune) bool { return r < ' ' || r > '~' }) || len(set) > 1024 {
				t.Errorf("%q", set)
			}
		}
		for _, scope := range parseScopes(scopes) {
			if !tokenScopeForm.MatchString(scope) {
				t.Errorf("%q", scope)
			}
		}
		_ = parseExpiry(expiry)
		for _, part := range strings.Split(pattern(path), "/")[1:] {
			if part != "*" && !isPlain(part) {
				t.Errorf("%q gives %q", path, part)
			}
		}
	})
}
