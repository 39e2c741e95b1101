package kubernetes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
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
	rest   *rest.RESTClient
	ledger *ledger
	// server names the API server without telling its address: a digest of its
	// authority, else of its host.
	server   string
	pageSize int
	// maxObjects bounds a list.
	maxObjects int
}

// newClient makes the client. It sends nothing.
func newClient(c *Config, at location, env connector.Env) (*client, error) {
	quietKlog()
	codecs, err := newCodecs()
	if err != nil {
		return nil, connector.Errorf(connector.ClassInternal, err, "the list of API types is not consistent")
	}
	config := rest.CopyConfig(at.rest)
	config.UserAgent = userAgent()
	config.QPS, config.Burst = float32(c.QPS), c.Burst
	config.WarningHandler = rest.NoWarnings{}
	config.NegotiatedSerializer = codecs.WithoutConversion()
	config.AcceptContentTypes = asObjects
	config.ContentType = runtime.ContentTypeJSON
	prefix := ""
	if u, err := url.Parse(config.Host); err == nil {
		prefix = strings.TrimSuffix(u.Path, "/")
	}
	api := &client{ledger: &ledger{}, server: serverDigest(config, prefix), pageSize: c.PageSize, maxObjects: c.MaxObjects}
	config.Wrap(func(base http.RoundTripper) http.RoundTripper {
		return &gate{next: transport(env, base), prefix: prefix, ledger: api.ledger, now: env.Now, log: env.Log}
	})
	api.rest, err = rest.UnversionedRESTClientFor(config)
	if err != nil {
		return nil, connector.Errorf(connector.ClassConfig, err,
			"no client can be made for the %s: its address, certificates or credentials cannot be used", at.where)
	}
	return api, nil
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

// newCodecs knows the few types that are read: the whole list of client-go's
// clientset would cost every start of the program.
func newCodecs() (serializer.CodecFactory, error) {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(corev1.SchemeGroupVersion, &corev1.PodList{}, &corev1.EventList{}, &corev1.Namespace{})
	scheme.AddKnownTypes(appsv1.SchemeGroupVersion, &appsv1.DeploymentList{}, &appsv1.ReplicaSetList{},
		&appsv1.StatefulSetList{}, &appsv1.DaemonSetList{}, &appsv1.ControllerRevisionList{})
	scheme.AddKnownTypes(authorizationv1.SchemeGroupVersion, &authorizationv1.SelfSubjectAccessReview{})
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		return serializer.CodecFactory{}, err
	}
	return serializer.NewCodecFactory(scheme), nil
}

// userAgent is rcactl/<version>.
func userAgent() string {
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		return "rcactl/" + info.Main.Version
	}
	return "rcactl/devel"
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

// get reads one object or page into obj.
func (c *client) get(ctx context.Context, path string, query url.Values, accept string, obj runtime.Object) error {
	req := c.rest.Get().AbsPath(path).SetHeader("Accept", accept)
	for key, values := range query {
		for _, value := range values {
			req.Param(key, value)
		}
	}
	return req.Do(ctx).Into(obj)
}

// serverVersion asks for the version. Everybody who is authenticated may.
func (c *client) serverVersion(ctx context.Context) (string, error) {
	body, err := c.rest.Get().AbsPath("/version").SetHeader("Accept", runtime.ContentTypeJSON).
		DoRaw(withPurpose(ctx, "", "version and clock of the server"))
	if err != nil {
		return "", err
	}
	return parseVersion(body), nil
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
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return classifyStatus(int(status.Status().Code), err, what)
	}
	var urlErr *url.Error
	switch {
	case errors.Is(err, errNotARead):
		return connector.Errorf(connector.ClassInternal, err, "a request that does not only read was stopped, when asking for %s", what)
	case errors.Is(err, errTooLarge):
		return connector.Errorf(connector.ClassBound, err, "an answer was larger than %d MiB, when asked for %s; lower page_size", maxAnswer>>20, what)
	case strings.Contains(err.Error(), "getting credentials: "):
		return connector.Errorf(connector.ClassAuth, err, "the credential plugin of the kubeconfig failed; log in again (\"kubectl version\" shows why)")
	case errors.As(err, &urlErr):
		return unreachable(err, what)
	case isTimeout(err):
		return connector.Errorf(connector.ClassTimeout, err, "the API server did not answer in time, when asked for %s", what)
	}
	return connector.Errorf(connector.ClassProtocol, err, "the API server's answer cannot be read, when asked for %s", what)
}

func isTimeout(err error) bool {
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
