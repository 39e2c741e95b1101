package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
)

// reviewPath is the only path that may be posted to.
const reviewPath = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

// maxAnswer bounds one answer of the server, after decompression. A page of 500
// large objects is less than half of it.
const maxAnswer = 64 << 20

// maxErrorAnswer is how much is read of an answer that is an error: client-go
// decodes it, whatever it is, before we can look at it.
const maxErrorAnswer = 64 << 10

// maxWait is how long the server may make one request wait (Retry-After).
const maxWait = 30 * time.Second

// errNotARead stops a request that would change the cluster. It is a bug in
// this package when it shows.
var errNotARead = errors.New("a request that does not only read was stopped")

// errRedirect stops a redirect: client-go would follow it, with the credential.
var errRedirect = errors.New("a redirect was not followed")

// errElsewhere stops a request to another server than the configured one.
var errElsewhere = errors.New("a request to another server was stopped")

// errTooLarge says that an answer went beyond maxAnswer.
var errTooLarge = errors.New("the answer is too large")

// waitError says that the server asked to wait longer than can be waited.
type waitError struct{ seconds int }

// Error implements error.
func (e *waitError) Error() string { return "Retry-After: " + strconv.Itoa(e.seconds) }

// gate is the transport that every request of this package goes through. It
// lets only reads of the configured server pass and no redirect come back,
// writes down what was asked, bounds the answers and reads the server's clock.
type gate struct {
	next     http.RoundTripper
	server   string // scheme://host of the configured server
	prefix   string // path of the API server, when it stands behind one
	requests *connector.RequestLog
	now      func() time.Time
	log      *slog.Logger // nil for none
	values   bool         // Secrets may be read with their values
}

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	if here := req.URL.Scheme + "://" + req.URL.Host; here != g.server || req.Host != "" && req.Host != req.URL.Host {
		return nil, errElsewhere
	}
	target, ours := strings.CutPrefix(req.URL.Path, g.prefix)
	if !ours || !reads(req.Method, target) || !g.mayReadSecrets(req, target) {
		return nil, fmt.Errorf("%w: %s %s", errNotARead, req.Method, target)
	}
	g.requests.Note(action(req.Context(), req.Method, target))
	sent := g.clock()
	resp, err := g.next.RoundTrip(req)
	took := g.clock().Sub(sent)
	if err != nil {
		g.say(req, "no answer", "took", took)
		return resp, &sendError{host: hostPort(req.URL), took: took, err: err}
	}
	answer := []any{"status", resp.StatusCode, "took", took}
	if resp.ContentLength >= 0 {
		answer = append(answer, "bytes", resp.ContentLength)
	}
	g.say(req, "answer", answer...)
	g.requests.ReadClock(resp.Header.Get("Date"), sent, g.clock())
	if err := g.refuse(req.Context(), resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	resp.Body = bounded(resp)
	return resp, nil
}

// refuse finds answers that client-go must not see: it would follow a redirect,
// and sleep as long as a server tells it to.
func (g *gate) refuse(ctx context.Context, resp *http.Response) error {
	if resp.StatusCode >= http.StatusMultipleChoices && resp.StatusCode < http.StatusBadRequest {
		return errRedirect
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || resp.StatusCode < http.StatusBadRequest {
		return nil
	}
	deadline, limited := ctx.Deadline()
	tooLong := seconds > int(maxWait/time.Second)
	if now := g.clock(); limited && !now.IsZero() {
		tooLong = tooLong || now.Add(time.Duration(seconds)*time.Second).After(deadline)
	}
	if tooLong {
		return &waitError{seconds}
	}
	return nil
}

// bounded cuts the text of an error short, and fails beyond the bound of an
// answer.
func bounded(resp *http.Response) io.ReadCloser {
	if resp.StatusCode < http.StatusBadRequest {
		return &boundedBody{ReadCloser: resp.Body, left: maxAnswer}
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxErrorAnswer), resp.Body}
}

// say logs a request: never its query, its headers or a body, nor the text of an
// error, which may quote them.
func (g *gate) say(req *http.Request, message string, args ...any) {
	if g.log != nil {
		path := strings.TrimPrefix(req.URL.Path, g.prefix)
		g.log.Debug("kubernetes: "+message, append([]any{"method", req.Method, "path", path}, args...)...)
	}
}

func (g *gate) clock() time.Time {
	if g.now == nil {
		return time.Time{}
	}
	return g.now()
}

// reads also wants a path that is what it seems.
func reads(method, target string) bool {
	if path.Clean(target) != target {
		return false
	}
	return method == http.MethodGet || method == http.MethodPost && target == reviewPath
}

// mayReadSecrets lets only lists of Secrets pass that ask for metadata and nothing
// else, unless values are to be read. One Secret is let through only where
// PullSecrets asks for that one; what lies below it never is. Other paths are not its
// business.
func (g *gate) mayReadSecrets(req *http.Request, target string) bool {
	parts := strings.Split(target, "/")
	if !slices.Contains(parts, "secrets") {
		return true
	}
	if path, ok := req.Context().Value(pullSecretKey{}).(string); ok {
		return target == path && len(parts) == 7 && parts[5] == "secrets" && req.Method == http.MethodGet && req.URL.RawQuery == ""
	}
	list := target == "/api/v1/secrets" || len(parts) == 6 && strings.HasPrefix(target, "/api/v1/namespaces/") && parts[5] == "secrets"
	if !list || req.Method != http.MethodGet || req.URL.Query().Has("watch") {
		return false
	}
	return g.values || onlyMetadata(req.Header.Values("Accept"))
}

// onlyMetadata reports whether an answer in every accepted form is a list of
// metadata. A form without it would be answered with whole objects by a server
// that knows no other.
func onlyMetadata(accept []string) bool {
	forms := strings.Split(strings.Join(accept, ","), ",")
	return !slices.ContainsFunc(forms, func(form string) bool {
		parameters := strings.Split(strings.ReplaceAll(form, " ", ""), ";")[1:]
		return !slices.Equal(parameters, []string{"as=PartialObjectMetadataList", "g=meta.k8s.io", "v=v1"})
	})
}

// boundedBody fails, rather than ends, beyond its bound.
type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

// purpose says what a request is for; it travels in the request's context.
type purpose struct{ stream, why string }

type purposeKey struct{}

func withPurpose(ctx context.Context, stream, why string) context.Context {
	return context.WithValue(ctx, purposeKey{}, purpose{stream, why})
}

// action says what a request of a context is for.
func action(ctx context.Context, method, target string) connector.Action {
	p, _ := ctx.Value(purposeKey{}).(purpose)
	return connector.Action{Stream: p.stream, Method: method, Target: target, Purpose: p.why}
}
