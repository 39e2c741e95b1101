package kubernetes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"syscall"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
)

// sendError is a request that got no answer: to whom, and how long it took.
type sendError struct {
	host string // host:port
	took time.Duration
	err  error
}

// Error gives the cause, in the words that client-go looks for.
func (e *sendError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *sendError) Unwrap() error { return e.err }

// Timeout says whether it was waited for in vain; *url.Error asks for it.
func (e *sendError) Timeout() bool { return isTimeout(e.err) }

// hostPort is where a URL leads, without its user, path and query.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[u.Scheme]
	}
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// peer names the API server in sentences, and says how long it was waited for.
func peer(err error) (server string, waited time.Duration) {
	var sent *sendError
	if !errors.As(err, &sent) {
		return "the API server", 0
	}
	return "the API server at " + sent.host, sent.took
}

// within says how long an answer was waited for.
func within(d time.Duration) string {
	if d < 10*time.Millisecond { // no clock, or hardly any wait
		return "in time"
	}
	if d < time.Second {
		return "within " + d.Round(10*time.Millisecond).String()
	}
	return "within " + d.Round(100*time.Millisecond).String()
}

// stopped is the error of a request whose context ended: the deadline of this
// connector, or an interrupt.
func stopped(ctx context.Context, err error, what string) *connector.Error {
	class, cause := connector.ClassOf(ctx.Err()), errors.Join(ctx.Err(), err)
	var sent *sendError
	if class == connector.ClassTimeout && errors.As(err, &sent) {
		server, waited := peer(err)
		return connector.Errorf(class, cause, "%s gave no answer %s, when asked for %s; then the time of this connector was over (--timeout)",
			server, within(waited), what)
	}
	return connector.Errorf(class, cause, "stopped while asking for %s", what)
}

// unreachable says why a request got no answer. The texts of resolvers, proxies
// and certificates are not passed on.
func unreachable(err error, what string) *connector.Error {
	server, waited := peer(err)
	var dns *net.DNSError
	var op *net.OpError
	fail := func(problem, next string) *connector.Error {
		return connector.Errorf(connector.ClassUnreachable, err, "%s %s (asked for %s); %s", server, problem, what, next)
	}
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return fail("cannot be reached through the proxy of the environment", "check HTTPS_PROXY and NO_PROXY")
	case errors.As(err, &dns):
		return fail("has a name that cannot be resolved", "check the address in the kubeconfig, the DNS and the VPN")
	case errors.Is(err, syscall.ECONNREFUSED):
		return fail("refused the connection", "does it run, and is the port right?")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fail("cannot be reached: there is no route to it", "check the network and the VPN")
	case isCertificate(err):
		return fail("has a certificate that is not trusted: "+certificateProblem(err), "check certificate-authority in the kubeconfig")
	case isTimeout(err):
		return connector.Errorf(connector.ClassTimeout, err, "%s gave no answer %s (asked for %s); check the network, the VPN and firewalls",
			server, within(waited), what)
	}
	return fail("cannot be reached", "check its address and the network (\"kubectl version\" shows the same)")
}

func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &verification) || errors.As(err, &record)
}

// certificateProblem sorts what is wrong with a certificate.
func certificateProblem(err error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &authority):
		return "its authority is not known"
	case errors.As(err, &host):
		return "it is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired or is not valid yet"
	case errors.As(err, &record):
		return "there is none, for what answers does not speak TLS"
	}
	return "it is not valid"
}
