package github

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// Fault makes requests go wrong.
type Fault struct {
	// Route is the request as the description names it, such as
	// "GET /repos/{owner}/{repo}/commits"; empty is every one.
	Route string
	// Match may ask for more of a request.
	Match func(*http.Request) bool
	// After lets so many through first; Times is how often it happens, 0 for always.
	After, Times int
	// Effect is what happens.
	Effect Effect

	met, done int
}

// Effect answers a request. serve is the answer that there would have been; it may
// be given to any writer, once or never.
type Effect func(s *Server, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc)

// Fail adds a fault. Of several that fit, the first one happens.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Recover forgets all faults.
func (s *Server) Recover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault is what happens to a request, or nil.
func (s *Server) fault(route string, r *http.Request) Effect {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Route != "" && f.Route != route || f.Match != nil && !f.Match(r) {
			continue
		}
		f.met++
		if f.met <= f.After || f.Times > 0 && f.done >= f.Times {
			continue
		}
		f.done++
		return f.Effect
	}
	return nil
}

// limitHeaders are those of a limit.
func limitHeaders(h http.Header, limit, remaining int, reset time.Time) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-RateLimit-Used", strconv.Itoa(limit-remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
}

// PrimaryLimit is the limit of the hour, with its headers; status is 403 or 429.
func PrimaryLimit(status int, reset time.Duration) Effect {
	return func(s *Server, w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		s.stamp(w.Header())
		limitHeaders(w.Header(), defaultLimit, 0, s.now().Add(reset))
		a := fail(status, "API rate limit exceeded for user ID 1.")
		a.write(w)
	}
}

// SecondaryLimit is the limit on haste; status is 403 or 429. Without retryAfter
// there is no such header.
func SecondaryLimit(status int, retryAfter time.Duration) Effect {
	return func(s *Server, w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		s.stamp(w.Header())
		limitHeaders(w.Header(), defaultLimit, defaultLimit-1, s.now().Add(time.Hour))
		if retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		}
		a := fail(status, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
		a.body.(obj)["documentation_url"] = "https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
		a.write(w)
	}
}

// Respond answers with a status and a message in GitHub's form.
func Respond(status int, message string) Effect {
	return func(s *Server, w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		s.stamp(w.Header())
		a := fail(status, message)
		a.write(w)
	}
}

// Page answers with a status and a page for people, as a proxy does.
func Page(status int, html string) Effect {
	return func(_ *Server, w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(html))
	}
}

// Hang answers nothing until the client gives up or the test ends.
func Hang() Effect {
	return func(s *Server, _ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		select {
		case <-r.Context().Done():
		case <-s.closing:
		}
	}
}

// Wait answers when until is closed.
func Wait(until <-chan struct{}) Effect {
	return func(s *Server, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
		select {
		case <-until:
			serve(w, r)
		case <-r.Context().Done():
		case <-s.closing:
		}
	}
}

// Before does something before the answer is made: a branch moves, a pull request
// changes its place in the list.
func Before(do func()) Effect {
	return func(_ *Server, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
		do()
		serve(w, r)
	}
}

// Truncated breaks the connection in the middle of the body.
func Truncated() Effect {
	return func(_ *Server, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
		rec := recorded(serve, r)
		copyHeader(w.Header(), rec.Header())
		w.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()))
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
		panic(http.ErrAbortHandler)
	}
}

// Cut ends the body in its middle as if that were all of it.
func Cut() Effect {
	return rewritten(func(body []byte) []byte { return body[:len(body)/2] })
}

// EmptyOK answers 200 without a body.
func EmptyOK() Effect { return rewritten(func([]byte) []byte { return nil }) }

// Trailing gives the body, and then something more.
func Trailing(more string) Effect {
	return rewritten(func(body []byte) []byte { return append(bytes.Clone(body), more...) })
}

// WrongType gives the right body with another content type.
func WrongType(kind string) Effect {
	return func(_ *Server, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
		rec := recorded(serve, r)
		copyHeader(w.Header(), rec.Header())
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	}
}

// RedirectTo sends the client to another address.
func RedirectTo(status int, address string) Effect {
	return func(s *Server, w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		s.stamp(w.Header())
		w.Header().Set("Location", address)
		a := fail(status, "Moved Permanently")
		a.body.(obj)["url"] = address
		a.write(w)
	}
}

// Reset closes the connection without an answer.
func Reset() Effect {
	return func(*Server, http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) }
}

// Header gives the answer with other headers; an empty value takes one away.
func Header(changed map[string]string) Effect {
	return func(_ *Server, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
		rec := recorded(serve, r)
		copyHeader(w.Header(), rec.Header())
		for k, v := range changed {
			if v == "" {
				w.Header().Del(k)
				continue
			}
			w.Header().Set(k, v)
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	}
}

func rewritten(change func([]byte) []byte) Effect {
	return func(_ *Server, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
		rec := recorded(serve, r)
		copyHeader(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(change(rec.Body.Bytes()))
	}
}

func recorded(serve http.HandlerFunc, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	serve(rec, r)
	return rec
}

func copyHeader(to, from http.Header) {
	for k, v := range from {
		to[k] = v
	}
}

// The limits of a token without a word of the test, and of none.
const (
	defaultLimit   = 5000
	anonymousLimit = 60
)

// WithLimit sets how many requests each token has for an hour.
func WithLimit(n int) Option { return func(s *Server) { s.limit = n } }

// WithoutLimits says nothing of limits, as a GitHub Enterprise Server does. version
// is what it says it is, such as 3.19.0.
func WithoutLimits(version string) Option {
	return func(s *Server) { s.limit, s.enterprise = 0, version }
}

// budget is what is left of the hour for one token.
type budget struct {
	limit, used int
	reset       time.Time
}

// spend takes one request from the budget of a token; false is that none is left.
// A request that costs nothing asks what is left.
func (s *Server) spend(token string, cost int) (budget, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.budgets[token]
	if b == nil || !s.now().Before(b.reset) {
		b = &budget{limit: s.limit, reset: s.now().Add(time.Hour)}
		if token == "" && s.anonymous > 0 {
			b.limit = s.anonymous
		}
		s.budgets[token] = b
	}
	if b.used+cost > b.limit {
		return *b, false
	}
	b.used += cost
	return *b, true
}

// refund gives back what a request that was not modified took.
func (s *Server) refund(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.budgets[token]; b != nil && b.used > 0 {
		b.used--
	}
}

func (c *call) rateLimit() answer {
	if c.server.limit == 0 {
		return fail(http.StatusNotFound, "Rate limiting is not enabled.")
	}
	b, _ := c.server.spend(c.token, 0)
	core := obj{"limit": b.limit, "remaining": b.limit - b.used, "used": b.used, "reset": b.reset.Unix()}
	other := obj{"limit": 30, "remaining": 30, "used": 0, "reset": c.server.now().Add(time.Minute).Unix()}
	out := obj{"resources": obj{"core": core, "search": other, "graphql": core}}
	if c.request.Header.Get("X-GitHub-Api-Version") != "2026-03-10" {
		out["rate"] = core
	}
	return ok(out)
}

// overLimit is what a token without a budget is told.
func overLimit(b budget) answer {
	a := fail(http.StatusForbidden, fmt.Sprintf("API rate limit exceeded. (%d requests an hour)", b.limit))
	a.header = http.Header{}
	limitHeaders(a.header, b.limit, 0, b.reset)
	return a
}
