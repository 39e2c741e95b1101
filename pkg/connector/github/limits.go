package github

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
)

const (
	// maxWait is how long GitHub may make one request wait.
	maxWait = time.Minute
	// maxWaits is how often in a run the secondary limit is waited for. Going on
	// against it can get an App banned.
	maxWaits = 2
	// maxDead is how many requests in a row get no answer at all before no further
	// one is sent.
	maxDead = 3
	// maxBroken is how many in a row, each tried again, get an answer that is none
	// before no further one is sent: a GitHub that is down is not asked for each of a
	// thousand commits.
	maxBroken = 5
	// silentLimit is for how long GitHub is left alone when it does not say.
	silentLimit = time.Minute
)

// appBucket is the limit of requests that an App makes as itself.
const appBucket = "app"

// limits keeps a run within our bound and GitHub's limits.
type limits struct {
	max int
	now func() time.Time

	mu     sync.Mutex
	total  int
	waits  int
	failed int
	// resume is when the pause ends that all requests wait for, by our clock; serial
	// counts the pauses.
	resume time.Time
	serial int
	// all stops everything; buckets stop one credential's requests.
	all     *stopError
	buckets map[string]*bucket
}

// bucket is one limit of GitHub.
type bucket struct {
	stop *stopError
	// until is when GitHub answers again, by our clock; zero for not in this run.
	until time.Time
}

func newLimits(maxRequests int, now func() time.Time) *limits {
	return &limits{max: maxRequests, now: now, buckets: map[string]*bucket{}}
}

// admit lets one request pass and counts it, after a pause if there is one, or says
// why it may not be made.
func (l *limits) admit(ctx context.Context, name string, sleep func(context.Context, time.Duration) error) error {
	waited := 0
	for {
		pause, serial, err := l.enter(name, waited)
		if err != nil || pause == 0 {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		waited = serial
	}
}

func (l *limits) enter(name string, waited int) (pause time.Duration, serial int, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all != nil {
		return 0, 0, l.all
	}
	if b := l.at(name); b.stop != nil {
		if b.until.IsZero() || l.now().Before(b.until) {
			return 0, 0, b.stop
		}
		b.stop = nil
	}
	if left := l.resume.Sub(l.now()); l.serial != waited && left > 0 {
		return left, l.serial, nil
	}
	if l.total >= l.max {
		l.all = &stopError{
			class:  connector.ClassBound,
			reason: fmt.Sprintf("max_requests (%d) was reached; the next run goes on from there, or raise it", l.max),
		}
		return 0, 0, l.all
	}
	l.total++
	return 0, 0, nil
}

// sent is how many requests were admitted.
func (l *limits) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// at is the bucket of a name. The caller holds mu.
func (l *limits) at(name string) *bucket {
	b := l.buckets[name]
	if b == nil {
		b = &bucket{}
		l.buckets[name] = b
	}
	return b
}

// stop keeps further requests of a bucket from being made, until a time by our
// clock, or for the rest of the run.
func (l *limits) stop(name string, why *stopError, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.at(name)
	b.stop, b.until = why, until
}

// note reads the primary limit of an answer. It stops while some of it is left,
// since it is shared with whatever else the same credential is used for. A server
// without limits says nothing and is not stopped for.
func (l *limits) note(name string, header http.Header) {
	limit, err1 := strconv.Atoi(header.Get("X-RateLimit-Limit"))
	remaining, err2 := strconv.Atoi(header.Get("X-RateLimit-Remaining"))
	if err1 != nil || err2 != nil || limit <= 0 || remaining > reserve(limit) {
		return
	}
	if resource := header.Get("X-RateLimit-Resource"); resource != "" && resource != "core" {
		return
	}
	reset, until := l.reset(header)
	what := fmt.Sprintf("GitHub's limit of %d requests an hour is nearly used up (%d left)", limit, remaining)
	if remaining == 0 {
		what = fmt.Sprintf("GitHub's limit of %d requests an hour is used up", limit)
	}
	l.stop(name, &stopError{class: connector.ClassLimited, reason: what + "; it is reset at " + reset}, until)
}

// reserve is how much of a limit is left to others: 2%, at most 100.
func reserve(limit int) int { return min(limit/50, 100) }

// reset reads when a limit is reset: as GitHub says it, and by our clock.
func (l *limits) reset(header http.Header) (said string, until time.Time) {
	seconds, err := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return "a time that it does not say", time.Time{}
	}
	at := time.Unix(seconds, 0).UTC()
	until = at
	if date, err := http.ParseTime(header.Get("Date")); err == nil && !l.now().IsZero() {
		until = l.now().Add(at.Sub(date))
	}
	return at.Format(time.RFC3339), until
}

// alive and dead count requests in a row that got no answer that is one: the rest of
// a run is not spent on a server that is not there.
func (l *limits) alive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = 0
}

func (l *limits) dead(why *connector.Error, most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed++; l.failed >= most && l.all == nil {
		l.all = &stopError{class: why.Class, reason: fmt.Sprintf("%s; no further request was made after %d such failures", why.Message, l.failed)}
	}
}

// mayWait counts a wait for the secondary limit, and makes all other requests wait
// too.
func (l *limits) mayWait(d time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits >= maxWaits {
		return false
	}
	l.waits++
	l.resume, l.serial = l.now().Add(d), l.serial+1
	return true
}

// isLimited reports whether an answer is one of GitHub's limits, as far as it can
// be told from a permission that lacks.
func isLimited(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		return retryAfter(resp.Header) > 0 || resp.Header.Get("X-RateLimit-Remaining") == "0" && resp.Header.Get("X-RateLimit-Limit") != "" || speaksOfLimit(resp)
	}
	return false
}

// speaksOfLimit looks for the words that GitHub has for its secondary limit, which
// has no mark of its own.
func speaksOfLimit(resp *http.Response) bool {
	body, ok := resp.Body.(*kept)
	if !ok {
		return false
	}
	text := bytes.ToLower(body.all)
	for _, words := range []string{"secondary rate limit", "secondary-rate-limits", "#abuse-rate-limits", "abuse detection"} {
		if bytes.Contains(text, []byte(words)) {
			return true
		}
	}
	return false
}

// retryAfter reads how long GitHub asks to wait, 0 when it does not.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseInt(header.Get("Retry-After"), 10, 64)
	if err != nil || seconds <= 0 {
		return 0
	}
	return time.Duration(min(seconds, int64(24*time.Hour/time.Second))) * time.Second
}

// judgeLimit decides about an answer that is one of GitHub's limits: it is waited
// for when that is short, else nothing more is asked.
func (c *client) judgeLimit(ctx context.Context, resp *http.Response, v verdict) (again bool, wait time.Duration, _ error) {
	wait = retryAfter(resp.Header)
	exhausted := resp.Header.Get("X-RateLimit-Remaining") == "0" && resp.Header.Get("X-RateLimit-Limit") != ""
	if wait > 0 && c.fits(ctx, wait) && v.try < maxTries && c.limits.mayWait(wait) {
		return true, 0, nil // admit waits, for all
	}
	var why *stopError
	var until time.Time
	switch now := c.now(); {
	case wait > 0:
		until = now.Add(wait)
		why = &stopError{class: connector.ClassLimited, reason: "GitHub asked to slow down and to come back at " + said(until)}
	case exhausted:
		c.limits.note(v.bucket, resp.Header)
		return false, 0, c.limits.reason(v.bucket)
	default:
		until = now.Add(silentLimit)
		why = &stopError{class: connector.ClassLimited, reason: "GitHub asked to slow down (secondary limit) without saying for how long; run again after " + said(until)}
	}
	c.limits.stop(v.bucket, why, until)
	return false, 0, why
}

// said is a time for a sentence.
func said(at time.Time) string { return at.UTC().Truncate(time.Second).Format(time.RFC3339) }

// reason is why a bucket is stopped.
func (l *limits) reason(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if stop := l.at(name).stop; stop != nil {
		return stop
	}
	return &stopError{class: connector.ClassLimited, reason: "GitHub's limit of requests is used up"}
}
