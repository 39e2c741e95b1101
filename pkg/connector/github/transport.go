package github

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/secret"
)

const (
	// maxConcurrent is how many requests are under way at a time. GitHub advises few.
	maxConcurrent = 4
	// maxAnswer bounds one answer after decompression: 16 MiB.
	maxAnswer = 16 << 20
	// maxErrorAnswer is how much is read of an answer that is an error.
	maxErrorAnswer = 64 << 10
	// requestTimeout bounds one request. GitHub itself gives up after ten seconds.
	requestTimeout = 30 * time.Second
	// slowAnswer is from when on a failure is taken for GitHub's own limit of time,
	// so that asking the same again would hardly end otherwise.
	slowAnswer = 9 * time.Second
	// maxTries is how often a read is sent that fails for what may pass.
	maxTries     = 3
	maxRedirects = 3
)

// apiVersion is the version of the REST API that is asked for.
const apiVersion = "2022-11-28"

// RoundTrip implements http.RoundTripper. It lets only reads of the API pass, adds
// the credential for the API alone, follows redirects within it, tries again what
// may pass, keeps to the limits and gives whole answers of 200: all else is an
// error, which holds nothing of the answer's text. What go-github would read of
// limits is taken out, since it would wait or refuse on its own account.
func (c *client) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
	}
	ctx := req.Context()
	what, ok := ctx.Value(callKey{}).(call)
	if !ok {
		return nil, errUnaccounted
	}
	at := req.URL
	for range maxRedirects + 1 {
		path, ok := c.at.below(at)
		if !ok || req.Host != "" && !strings.EqualFold(req.Host, req.URL.Host) {
			return nil, errElsewhere
		}
		if !isRead(req.Method, path, what) {
			return nil, errNotARead
		}
		resp, err := c.fetch(ctx, req, at, path, what)
		if err != nil {
			return nil, err
		}
		if !isRedirect(resp.StatusCode) {
			return resp, nil
		}
		if at, err = c.redirected(req, at, resp); err != nil {
			return nil, err
		}
	}
	return nil, errRedirects
}

// exchangePath is the only path that may be posted to: it makes a token.
var exchangePath = regexp.MustCompile(`^app/installations/[0-9]+/access_tokens$`)

// isRead reports whether a request only reads. The App itself, which could do more
// than the token that it asks for, may only find its installation and ask for one.
func isRead(method, path string, what call) bool {
	if what.asApp {
		if method == http.MethodPost {
			return exchangePath.MatchString(path)
		}
		return method == http.MethodGet && (path == "app" || strings.HasPrefix(path, "app/") || strings.HasSuffix(path, "/installation"))
	}
	return method == http.MethodGet || method == http.MethodHead
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirected gives the place that an answer points to, if it is of the API: a
// repository that was renamed or moved answers so. Nothing is sent elsewhere, with
// or without the credential.
func (c *client) redirected(req *http.Request, from *url.URL, resp *http.Response) (*url.URL, error) {
	to, err := from.Parse(resp.Header.Get("Location"))
	if err != nil || req.Method != http.MethodGet && req.Method != http.MethodHead {
		return nil, errRedirect
	}
	if _, ok := c.at.below(to); !ok || resp.Header.Get("Location") == "" {
		return nil, errRedirect
	}
	return to, nil
}

// fetch gives the answer of one address: whole and of 200, or a redirect.
func (c *client) fetch(ctx context.Context, req *http.Request, at *url.URL, path string, what call) (*http.Response, error) {
	renewed := false
	for try := 1; ; try++ {
		token, err := c.authorize(ctx, what)
		if err != nil {
			return nil, err
		}
		bucket := c.bucket(what)
		if err := c.limits.admit(ctx, bucket, c.sleep); err != nil {
			return nil, err
		}
		resp, took, err := c.send(ctx, req, at, path, what, token)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && resp.StatusCode == http.StatusUnauthorized && !what.asApp && !renewed && c.cred.renew(what.owner, token) {
			renewed = true
			continue
		}
		again, wait, err := c.judge(ctx, req, resp, err, verdict{path: path, bucket: bucket, took: took, try: try, what: what})
		if !again {
			if err != nil {
				return nil, err
			}
			return resp, nil
		}
		if wait == 0 {
			continue // admit waits
		}
		if err := c.sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// authorize gives the token of a request; a call of the App brings its own.
func (c *client) authorize(ctx context.Context, what call) (secret.Value, error) {
	if app, ok := c.cred.(*app); ok && what.asApp {
		return app.sign()
	}
	return c.cred.token(ctx, what.owner)
}

// bucket names whose limit a request counts against.
func (c *client) bucket(what call) string {
	if what.asApp {
		return appBucket
	}
	return c.cred.bucket(what.owner)
}

// send sends a request once and reads its answer whole.
func (c *client) send(ctx context.Context, req *http.Request, at *url.URL, path string, what call, token secret.Value) (*http.Response, time.Duration, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	out, err := c.prepare(ctx, req, at, token)
	if err != nil {
		return nil, 0, err
	}
	c.log.Note(connector.Action{Stream: what.stream, Method: req.Method, Target: pattern(path), Purpose: what.purpose})
	sent := c.now()
	resp, err := c.next.RoundTrip(out)
	if err != nil {
		took := c.now().Sub(sent)
		c.say(req.Method, path, 0, took)
		return nil, took, err
	}
	defer func() { _ = resp.Body.Close() }()
	c.log.ReadClock(resp.Header.Get("Date"), sent, c.now())
	c.observe(resp.Header)
	err = readWhole(req.Method, resp)
	took := c.now().Sub(sent)
	c.say(req.Method, path, resp.StatusCode, took)
	resp.Request = req.Clone(req.Context()) // without the credential
	resp.Request.URL = at
	return resp, took, err
}

// prepare makes the request that is sent: the credential is added here and nowhere
// else, so that it cannot go with a redirect.
func (c *client) prepare(ctx context.Context, req *http.Request, at *url.URL, token secret.Value) (*http.Request, error) {
	out := req.Clone(ctx)
	out.URL, out.Host = at, at.Host
	out.Header.Del("Authorization")
	out.Header.Set("X-GitHub-Api-Version", apiVersion)
	if len(token.Reveal()) > 0 {
		out.Header.Set("Authorization", "Bearer "+string(token.Reveal()))
	}
	out.Body = nil
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = body
	}
	return out, nil
}

// readWhole reads an answer into memory, so that one that was cut off can be asked
// for again. Of an error only the beginning is read.
func readWhole(method string, resp *http.Response) error {
	var from io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") == "gzip" { // a transport that does not unpack
		unpacked, err := gzip.NewReader(resp.Body)
		if err != nil {
			return io.ErrUnexpectedEOF
		}
		from = unpacked
		resp.Header.Del("Content-Encoding")
		resp.ContentLength = -1
	}
	bound := int64(maxAnswer)
	if !isWhole(resp.StatusCode) {
		bound = maxErrorAnswer
	}
	body, err := io.ReadAll(io.LimitReader(from, bound+1))
	resp.Body = &kept{bytes.NewReader(body), body}
	if !isWhole(resp.StatusCode) || method == http.MethodHead {
		return nil
	}
	switch {
	case err != nil:
		return err
	case int64(len(body)) > bound:
		return errTooLarge
	case len(bytes.TrimSpace(body)) == 0:
		return errEmptyAnswer
	case !json.Valid(body):
		return errNotJSON
	}
	return nil
}

// kept is a body in memory.
type kept struct {
	*bytes.Reader
	all []byte
}

// Close implements io.Closer.
func (*kept) Close() error { return nil }

// isWhole reports whether an answer of this status has what was asked for.
func isWhole(status int) bool { return status == http.StatusOK || status == http.StatusCreated }

// verdict is what is known of a request when its answer is judged.
type verdict struct {
	path   string
	bucket string
	took   time.Duration
	try    int
	what   call
}

// judge decides what becomes of an answer: it is taken (no error), it is an error,
// or it is asked for again after a wait.
func (c *client) judge(ctx context.Context, req *http.Request, resp *http.Response, err error, v verdict) (again bool, wait time.Duration, _ error) {
	if err != nil {
		return c.judgeFailure(ctx, req, err, v)
	}
	status := resp.StatusCode
	if status < http.StatusInternalServerError {
		c.limits.alive()
	}
	c.limits.note(v.bucket, resp.Header)
	switch {
	case isWhole(status), isRedirect(status):
		strip(resp.Header)
		return false, 0, nil
	case isLimited(resp):
		return c.judgeLimit(ctx, resp, v)
	case status >= http.StatusInternalServerError && mayRepeat(req, v):
		if wait, ok := c.backoff(ctx, v.try, retryAfter(resp.Header)); ok {
			return true, wait, nil
		}
	}
	answer := &answerError{status: status, path: pattern(v.path), app: v.what.asApp}
	if status == http.StatusForbidden {
		answer.permissions = parsePermissions(resp.Header.Get("X-Accepted-GitHub-Permissions"))
		answer.sso = strings.HasPrefix(resp.Header.Get("X-GitHub-SSO"), "required")
	}
	if status == http.StatusUnauthorized && !v.what.asApp {
		// Asking on with a credential that is refused makes GitHub refuse good ones too.
		c.limits.stop(v.bucket, &stopError{class: explainAnswer(answer).Class, reason: explainAnswer(answer).Message}, time.Time{})
	}
	if status >= http.StatusInternalServerError {
		c.limits.dead(explainAnswer(answer), maxBroken)
	}
	return false, 0, answer
}

// judgeFailure decides about a request that got no whole answer.
func (c *client) judgeFailure(ctx context.Context, req *http.Request, err error, v verdict) (bool, time.Duration, error) {
	if errors.Is(err, errTooLarge) {
		return false, 0, err
	}
	if mayRepeat(req, v) && mayPass(err) {
		if wait, ok := c.backoff(ctx, v.try, 0); ok {
			return true, wait, nil
		}
	}
	own := &sendError{host: c.at.base.Host, path: pattern(v.path), took: v.took, err: err}
	switch {
	case errors.Is(err, errEmptyAnswer), errors.Is(err, errNotJSON):
		c.limits.dead(explainSend(own), maxBroken)
	case !isRefusal(err):
		c.limits.dead(explainSend(own), maxDead)
	}
	return false, 0, own
}

// mayRepeat reports whether a request may be sent again: it reads, and it was not
// sent too often. What took as long as GitHub takes at most is tried once more only.
func mayRepeat(req *http.Request, v verdict) bool {
	tries := maxTries
	if v.took >= slowAnswer {
		tries = 2
	}
	return req.Method != http.MethodPost && v.try < tries
}

// mayPass reports whether a failure may be gone in a moment.
func mayPass(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return false
	}
	return !isCertificate(err)
}

// backoff is how long to wait before the next try, if there is time for that.
func (c *client) backoff(ctx context.Context, try int, asked time.Duration) (time.Duration, bool) {
	wait := time.Duration(try*try) * time.Second // 1 s, 4 s
	if asked > 0 {
		wait = asked
	}
	return wait, c.fits(ctx, wait)
}

// fits reports whether a wait is short enough: at most maxWait, and at most half of
// the time that is left.
func (c *client) fits(ctx context.Context, wait time.Duration) bool {
	if wait > maxWait {
		return false
	}
	deadline, ok := ctx.Deadline()
	now := c.now()
	return !ok || now.IsZero() || wait <= deadline.Sub(now)/2
}

// strip takes out what go-github would act upon.
func strip(header http.Header) {
	for name := range header {
		if strings.HasPrefix(name, "X-Ratelimit-") || name == "Retry-After" {
			header.Del(name)
		}
	}
}

// say logs a request: never its query, its headers or a body, nor what a path holds
// beyond words of the API.
func (c *client) say(method, path string, status int, took time.Duration) {
	if c.env.Log == nil {
		return
	}
	answer := "none"
	if status > 0 {
		answer = fmt.Sprint(status)
	}
	c.env.Log.Debug("github: asked", "method", method, "path", pattern(path), "status", answer, "took", took)
}

// sleep waits, or gives the error of the context.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
