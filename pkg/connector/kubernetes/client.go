package kubernetes

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/rcactl/rcactl/pkg/connector"
)

// The forms in which answers are asked for: protobuf is two to three times as
// fast as JSON; metadata only keeps the values of ConfigMaps off the wire.
const (
	asObjects  = "application/vnd.kubernetes.protobuf,application/json"
	asMetadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1," +
		"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
)

// quietKlog stops client-go's logger, which writes to standard error and may
// quote a credential plugin. Its settings are those of the process, so that one
// call is enough and more would race.
//
//nolint:gochecknoglobals // guards state that is itself global
var quietKlog = sync.OnceFunc(func() {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("logtostderr", "false")
	_ = flags.Set("stderrthreshold", "FATAL")
	klog.SetOutput(io.Discard)
})

// client is the one REST client of a source.
type client struct {
	rest     *rest.RESTClient
	codecs   *codecs
	requests *connector.RequestLog
	// server names the API server without telling its address: a digest of its
	// authority, else of its host.
	server   string
	pageSize int
	// maxObjects bounds a list.
	maxObjects int
	now        func() time.Time // nil for none
	// recording is what is read in place of a server; nil for a live one.
	recording *recording
}

// newClient makes the client. It sends nothing.
func newClient(c *Config, at location, env connector.Env) (*client, error) {
	quietKlog()
	codecs, err := newCodecs(c.kinds())
	if err != nil {
		return nil, connector.Errorf(connector.ClassInternal, err, "the list of API types is not consistent")
	}
	config := rest.CopyConfig(at.rest)
	config.UserAgent = cmp.Or(env.UserAgent, "rcactl")
	config.QPS, config.Burst = float32(c.QPS), c.Burst
	config.WarningHandler = rest.NoWarnings{}
	config.NegotiatedSerializer = codecs.WithoutConversion()
	config.AcceptContentTypes = asObjects
	config.ContentType = runtime.ContentTypeJSON
	config.ExecProvider = quietPlugin(config.ExecProvider)
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, unusableClient(err, at)
	}
	prefix := strings.TrimSuffix(base.Path, "/")
	api := &client{codecs: codecs, requests: &connector.RequestLog{}, server: serverDigest(config, prefix), pageSize: c.PageSize, maxObjects: c.MaxObjects, now: env.Now, recording: at.recording}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &gate{next: transport(env, next), server: base.Scheme + "://" + base.Host, prefix: prefix, requests: api.requests, now: env.Now, log: env.Log, values: c.Fingerprints}
	})
	carrier, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, unusableClient(err, at)
	}
	if config.ExecProvider != nil {
		carrier.Transport = &impatient{carrier.Transport}
	}
	api.rest, err = rest.UnversionedRESTClientForConfigAndClient(config, carrier)
	if err != nil {
		return nil, unusableClient(err, at)
	}
	return api, nil
}

func unusableClient(err error, at location) error {
	return connector.Errorf(connector.ClassConfig, err,
		"no client can be made for the %s: its address, certificates or credentials cannot be used", at.where)
}

// wrapper is an Env.Transport that wants to stand before the transport with the
// kubeconfig's certificates rather than in its place.
type wrapper interface {
	WrapTransport(base http.RoundTripper) http.RoundTripper
}

func transport(env connector.Env, base http.RoundTripper) http.RoundTripper {
	if w, ok := env.Transport.(wrapper); ok {
		return w.WrapTransport(base)
	}
	if env.Transport != nil {
		return env.Transport
	}
	return base
}

// serverDigest tells servers apart. The authority's certificate outlives a
// change of address; in a pod it is all there is, since the address is the same
// in every cluster. Behind one address and authority the path tells clusters
// apart.
func serverDigest(config *rest.Config, path string) string {
	data := config.CAData
	if len(data) == 0 && config.CAFile != "" {
		data, _ = os.ReadFile(config.CAFile) // one that cannot be read fails the first request
	}
	if len(data) == 0 {
		data, path = []byte(config.Host), ""
	}
	sum := sha256.Sum256(append(slices.Clone(data), path...))
	return hex.EncodeToString(sum[:])[:12]
}

// get reads one object into obj.
func (c *client) get(ctx context.Context, path string, query url.Values, accept string, obj runtime.Object) error {
	body, err := c.getBody(ctx, path, query, accept)
	if err != nil {
		return err
	}
	return c.decode(body, 0, obj)
}

// maxPage is how long one page may take, with what client-go tries again.
const maxPage = 45 * time.Second

// patience bounds a page by half of the time that is left, so that a list that
// hangs does not take the others with it.
func (c *client) patience(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok || c.now == nil {
		return maxPage
	}
	if half := deadline.Sub(c.now()) / 2; half > 0 {
		return min(half, maxPage)
	}
	return maxPage
}

// getBody reads an answer as it is.
func (c *client) getBody(ctx context.Context, path string, query url.Values, accept string) ([]byte, error) {
	req := c.rest.Get().AbsPath(path).SetHeader("Accept", accept)
	for key, values := range query {
		for _, value := range values {
			req.Param(key, value)
		}
	}
	return bodyOf(req.Do(ctx))
}

func bodyOf(answer rest.Result) ([]byte, error) {
	if err := answer.Error(); err != nil {
		return nil, err
	}
	return answer.Raw()
}

// into decodes an answer. client-go's own Into takes what does not say its kind
// for the kind that it is given.
func (c *client) into(answer rest.Result, obj runtime.Object) error {
	body, err := bodyOf(answer)
	if err != nil {
		return err
	}
	return c.decode(body, 0, obj)
}

// decode reads a page of at most limit objects into obj, and wipes it.
func (c *client) decode(body []byte, limit int, obj runtime.Object) error {
	// An answer may hold values; what is decoded shares nothing with it. Copies that
	// the transport and the decoder made are out of reach, and are only freed.
	defer wipe(body)
	return c.codecs.decode(body, limit, obj)
}

// serverVersion asks for the version. Everybody who is authenticated may.
func (c *client) serverVersion(ctx context.Context) (string, error) {
	body, err := c.rest.Get().AbsPath("/version").SetHeader("Accept", runtime.ContentTypeJSON).
		DoRaw(withPurpose(ctx, "", "version and clock of the server"))
	if err != nil {
		return "", err
	}
	return parseVersion(body)
}

// classify turns an error of a request into one of ours. what completes the
// sentence "the API server …, when asked for WHAT". Text of the server may
// quote objects and is not passed on.
func classify(ctx context.Context, err error, what string) *connector.Error {
	var own *connector.Error
	if errors.As(err, &own) {
		return own
	}
	if ctx.Err() != nil {
		return stopped(ctx, err, what)
	}
	if own := classifyRefusal(err, what); own != nil {
		return own
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return classifyStatus(int(status.Status().Code), err, what)
	}
	var urlErr *url.Error
	switch {
	case strings.Contains(err.Error(), "getting credentials: "):
		return connector.Errorf(connector.ClassAuth, err, "the credential plugin of the kubeconfig failed; log in again (\"kubectl version\" shows why)")
	case errors.As(err, &urlErr):
		return unreachable(err, what)
	case strings.Contains(err.Error(), "client rate limiter"):
		return connector.Errorf(connector.ClassBound, err, "qps left no time to ask for %s; raise it", what)
	case isTimeout(err):
		return connector.Errorf(connector.ClassTimeout, err, "the API server did not answer in time, when asked for %s", what)
	}
	return connector.Errorf(connector.ClassProtocol, err, "the API server's answer cannot be read, when asked for %s", what)
}

// classifyRefusal names the errors with which this package itself stops a
// request or refuses an answer; nil for others.
func classifyRefusal(err error, what string) *connector.Error {
	var wait *waitError
	switch {
	case errors.Is(err, errNotARead):
		return connector.Errorf(connector.ClassInternal, err, "a request that does not only read was stopped, when asking for %s", what)
	case errors.Is(err, errElsewhere):
		return connector.Errorf(connector.ClassInternal, err, "a request to another server than the kubeconfig's was stopped, when asking for %s", what)
	case errors.Is(err, errRedirect):
		return connector.Errorf(connector.ClassProtocol, err,
			"the server answered with a redirect, which is not followed, when asked for %s; name the right server in the kubeconfig", what)
	case errors.As(err, &wait):
		return connector.Errorf(connector.ClassLimited, err,
			"the API server asked to wait %d seconds, longer than can be waited, when asked for %s; run again later, or lower qps", wait.seconds, what)
	case errors.Is(err, errTooLarge):
		return connector.Errorf(connector.ClassBound, err, "an answer was larger than %d MiB, when asked for %s; lower page_size", maxAnswer>>20, what)
	case errors.Is(err, errTooMany):
		return connector.Errorf(connector.ClassProtocol, err, "an answer held far more than one page, when asked for %s; "+
			"name the right server in the kubeconfig, or lower page_size if the objects are that large", what)
	case errors.Is(err, errWrongKind):
		return connector.Errorf(connector.ClassProtocol, err,
			"the answer is not the kind of object that a Kubernetes API server gives, when asked for %s; name the right server in the kubeconfig", what)
	}
	return nil
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var sent *url.Error // which asks only the error right below it
	if errors.As(err, &sent) {
		err = sent.Err
	}
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

func classifyStatus(code int, err error, what string) *connector.Error {
	switch code {
	case http.StatusUnauthorized:
		return connector.Errorf(connector.ClassAuth, err, "the API server refused the credential (401); log in again or renew the token")
	case http.StatusForbidden:
		return connector.Errorf(connector.ClassForbidden, err, "the API server refused %s (403)", what)
	case http.StatusTooManyRequests:
		return connector.Errorf(connector.ClassLimited, err, "the API server asked to slow down (429), when asked for %s; lower qps", what)
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return connector.Errorf(connector.ClassTimeout, err, "the API server did not answer in time (%d), when asked for %s", code, what)
	case http.StatusGone:
		return connector.Errorf(connector.ClassProtocol, err, "the pages of the list expired (410), when asked for %s", what)
	}
	if code >= http.StatusInternalServerError {
		return connector.Errorf(connector.ClassUnreachable, err, "the API server answered %d, when asked for %s", code, what)
	}
	return connector.Errorf(connector.ClassProtocol, err, "the API server answered %d, when asked for %s", code, what)
}
