package oci

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// The ways in which reading an image fails. They are all that is kept of an error:
// what a registry or a library says may have addresses with signatures in it.
var (
	errUnauthorised = errors.New("not authorised")
	errNotAsked     = errors.New("not asked")
	errNoLogin      = errors.New("needs a login")
	errHelper       = errors.New("the credential helper failed")
	errNotFound     = errors.New("not found")
	errMoved        = errors.New("the tag moved")
	errUnreachable  = errors.New("unreachable")
	errTimeout      = errors.New("too slow")
	errStopped      = errors.New("stopped")
	errTooLarge     = errors.New("too large")
	errRateLimited  = errors.New("rate limited")
	errServer       = errors.New("the registry failed")
	errOdd          = errors.New("not the answer of a registry")
	errRefused      = errors.New("a request that is not made")
	errCertificate  = errors.New("a certificate that is not trusted")
	errNoTLS        = errors.New("no TLS")
)

// reasonFor says in our words why an image of a registry was not read.
func reasonFor(err error, host string) string {
	switch {
	case errors.Is(err, errUnauthorised):
		return host + " does not let this login read the image, or has no such image"
	case errors.Is(err, errNotAsked):
		return host + " is not asked: this machine has no login for it"
	case errors.Is(err, errNoLogin):
		return host + " needs a login, and there is none"
	case errors.Is(err, errHelper):
		return "the credential helper that docker's config names for " + host + " gave no login"
	case errors.Is(err, errNotFound):
		return host + " does not have this image any more"
	case errors.Is(err, errMoved):
		return host + " does not have this digest any more, and the tag is another image by now"
	case errors.Is(err, errUnreachable), errors.Is(err, errRefused):
		return host + " could not be reached"
	case errors.Is(err, errCertificate):
		return host + " could not be reached: its certificate is not trusted here"
	case errors.Is(err, errNoTLS):
		return host + " offers no TLS, and is not asked without"
	case errors.Is(err, errTimeout):
		return host + " did not answer in time"
	case errors.Is(err, errStopped):
		return "the run ended before " + host + " answered"
	case errors.Is(err, errTooLarge):
		return host + " has more to say of this image than is read"
	case errors.Is(err, errRateLimited):
		return host + " said that it is asked too often"
	case errors.Is(err, errServer):
		return host + " failed"
	}
	return host + " gave an answer that is not that of a registry"
}

// classify makes one of the errors above of what the client library returns.
// anonymous says that no login was sent.
func classify(ctx context.Context, err error, anonymous bool) error {
	if err == nil {
		return nil
	}
	var status *transport.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate): // first: on loopback, http is tried after it
		return errCertificate
	case errors.As(err, &status):
		return classifyStatus(status.StatusCode, anonymous)
	case ctx.Err() != nil:
		return stopped(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout // of a connection, which has the deadline of ctx
	case errors.Is(err, http.ErrSchemeMismatch):
		return errNoTLS
	case errors.Is(err, errRefused):
		return errRefused
	case errors.Is(err, errUnreachable):
		return errUnreachable
	}
	return errOdd // what the client library says of an answer has no type
}

func classifyStatus(status int, anonymous bool) error {
	switch {
	case (status == http.StatusUnauthorized || status == http.StatusForbidden) && anonymous:
		return errNoLogin
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return errUnauthorised
	case status == http.StatusNotFound || status == http.StatusGone:
		return errNotFound
	case status == http.StatusTooManyRequests:
		return errRateLimited
	case status >= 500:
		return errServer
	}
	return errOdd
}

// stopped tells the time for one image from the end of the run.
func stopped(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		return errTimeout
	}
	return errStopped
}

// passing reports whether asking again later may go better.
func passing(err error) bool {
	return !errors.Is(err, errNotFound) && !errors.Is(err, errTooLarge) && !errors.Is(err, errOdd)
}
