package github

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
)

// The errors with which this package itself stops a request or refuses an answer.
// They hold no text of the source.
var (
	errNotARead    = errors.New("a request that does not only read was stopped")
	errElsewhere   = errors.New("a request to another place than the API was stopped")
	errUnaccounted = errors.New("a request that is accounted to nothing was stopped")
	errRedirect    = errors.New("a redirect to another place than the API was not followed")
	errRedirects   = errors.New("too many redirects")
	errTooLarge    = errors.New("the answer is too large")
	errEmptyAnswer = errors.New("the answer is empty")
	errNotJSON     = errors.New("the answer is not JSON, or was cut off")
)

// answerError is an answer that is not a whole one of 200. It keeps nothing of its
// text.
type answerError struct {
	status int
	// path is what was asked for, as in an action.
	path string
	// permissions are those that would do, in the words of GitHub, checked.
	permissions []string
	// sso says that the token is not authorised for the organisation's single
	// sign-on.
	sso bool
	// app says that the request was made as the App itself.
	app bool
}

// Error implements error.
func (e *answerError) Error() string { return fmt.Sprintf("GitHub answered %d", e.status) }

// stopError is a request that was not made.
type stopError struct {
	class  connector.Class
	reason string
}

// Error implements error.
func (e *stopError) Error() string { return e.reason }

// sendError is a request that got no whole answer: where, and how long it took.
type sendError struct {
	host string
	path string
	took time.Duration
	err  error
}

// Error implements error.
func (e *sendError) Error() string { return "no answer" }

// Unwrap gives the cause.
func (e *sendError) Unwrap() error { return e.err }

// explain gives an error of a request in our own words, nil for nil.
func explain(err error) *connector.Error {
	var own *connector.Error
	var stop *stopError
	var answer *answerError
	var sent *sendError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.As(err, &stop):
		return connector.Errorf(stop.class, err, "%s", stop.reason)
	case errors.As(err, &answer):
		return explainAnswer(answer)
	case errors.As(err, &sent):
		return explainSend(sent)
	}
	return explainRefusal(err)
}

// explainAnswer words the status of an answer.
func explainAnswer(e *answerError) *connector.Error {
	fail := func(class connector.Class, format string, args ...any) *connector.Error {
		return connector.Errorf(class, e, format+" (%d for %s)", append(args, e.status, e.path)...)
	}
	switch {
	case e.status == http.StatusUnauthorized && e.app:
		return fail(connector.ClassAuth, "GitHub refused the App: check its id, its key and the clock of this machine")
	case e.status == http.StatusUnauthorized:
		return fail(connector.ClassAuth, "GitHub refused the credential: it is wrong, revoked or has expired; make a new one")
	case e.status == http.StatusForbidden && e.sso:
		return fail(connector.ClassForbidden, "the token is not authorised for the single sign-on of the organisation; authorise it in the settings of the token")
	case e.status == http.StatusForbidden && len(e.permissions) > 0:
		return fail(connector.ClassForbidden, "the credential lacks a permission: %s", strings.Join(e.permissions, " or "))
	case e.status == http.StatusForbidden:
		return fail(connector.ClassForbidden, "GitHub refused the request")
	case e.status == http.StatusNotFound && e.app:
		return fail(connector.ClassForbidden, "the App is not installed there")
	case e.status == http.StatusNotFound:
		return fail(connector.ClassForbidden, "there is no such thing, or the credential may not see the repository")
	case e.status == http.StatusConflict:
		return fail(connector.ClassProtocol, "the repository has no commit yet, or is being made")
	case e.status == http.StatusGone:
		return fail(connector.ClassProtocol, "this is switched off in the repository")
	case e.status == http.StatusUnavailableForLegalReasons:
		return fail(connector.ClassForbidden, "the repository was taken down for legal reasons")
	case e.status == http.StatusAccepted:
		return fail(connector.ClassProtocol, "GitHub is still computing the answer; run again later")
	case e.status >= http.StatusInternalServerError:
		return fail(connector.ClassUnreachable, "GitHub failed to answer, also when asked again")
	}
	return fail(connector.ClassProtocol, "GitHub gave an answer that is not expected")
}

// explainSend words a request that got no whole answer.
func explainSend(e *sendError) *connector.Error {
	var dns *net.DNSError
	var op *net.OpError
	var plain tls.RecordHeaderError
	fail := func(problem, next string) *connector.Error {
		return connector.Errorf(connector.ClassUnreachable, e, "%s %s (asked for %s); %s", e.host, problem, e.path, next)
	}
	switch {
	case errors.Is(e.err, context.Canceled):
		return connector.Errorf(connector.ClassCanceled, e, "stopped while asking for %s", e.path)
	case isRefusal(e.err):
		return explainRefusal(e.err)
	case errors.As(e.err, &op) && op.Op == "proxyconnect":
		return fail("cannot be reached through the proxy of the environment", "check HTTPS_PROXY and NO_PROXY")
	case errors.As(e.err, &dns):
		return fail("has a name that cannot be resolved", checkAddress(e.host, "the DNS", "the network"))
	case errors.As(e.err, &plain):
		return fail("does not speak TLS", checkAddress(e.host, "the proxies on the way"))
	case isCertificate(e.err):
		return fail("has a certificate that is not trusted", "add its authority to the system's (SSL_CERT_FILE)")
	case isTimeout(e.err):
		return connector.Errorf(connector.ClassTimeout, e, "%s gave no answer in time (asked for %s)", e.host, e.path)
	case errors.Is(e.err, io.ErrUnexpectedEOF), errors.Is(e.err, io.EOF):
		return fail("ended the connection before the answer was whole", "run again later")
	}
	return fail("cannot be reached", checkAddress(e.host, "the network"))
}

// checkAddress says what to check of a host, first its name. That of github.com
// nobody wrote down.
func checkAddress(host string, more ...string) string {
	if host != "api."+publicHost {
		more = append([]string{"base_url (or " + envHost + ")"}, more...)
	}
	last := len(more) - 1
	if last == 0 {
		return "check " + more[0]
	}
	return "check " + strings.Join(more[:last], ", ") + " and " + more[last]
}

// isRefusal reports whether this package refused the answer.
func isRefusal(err error) bool {
	for _, own := range []error{errNotARead, errElsewhere, errUnaccounted, errRedirect, errRedirects, errTooLarge, errEmptyAnswer, errNotJSON} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// explainRefusal words our own refusals, and whatever else it may be.
func explainRefusal(err error) *connector.Error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, context.Canceled):
		return connector.Errorf(connector.ClassCanceled, err, "stopped while asking")
	case errors.Is(err, context.DeadlineExceeded):
		return connector.Errorf(connector.ClassTimeout, err, "the time of this connector was over (--timeout)")
	case errors.Is(err, errNotARead), errors.Is(err, errElsewhere), errors.Is(err, errUnaccounted):
		return connector.Errorf(connector.ClassInternal, err, "%s", plainCause(err))
	case errors.Is(err, errRedirect):
		return connector.Errorf(connector.ClassProtocol, err, "GitHub sent the request elsewhere, where it was not followed; check base_url")
	case errors.Is(err, errRedirects):
		return connector.Errorf(connector.ClassProtocol, err, "GitHub sent the request on more than %d times", maxRedirects)
	case errors.Is(err, errTooLarge):
		return connector.Errorf(connector.ClassBound, err, "an answer was larger than %d MiB", maxAnswer>>20)
	case errors.Is(err, errEmptyAnswer):
		return connector.Errorf(connector.ClassProtocol, err, "GitHub answered 200 with nothing in it; nothing is concluded from that")
	case errors.Is(err, errNotJSON), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax), errors.As(err, &kind):
		return connector.Errorf(connector.ClassProtocol, err, "the answer is not what GitHub gives, or was cut off; check base_url and proxies")
	}
	var sent *url.Error
	if errors.As(err, &sent) {
		return connector.Errorf(connector.ClassUnreachable, err, "GitHub cannot be reached")
	}
	return connector.Errorf(connector.ClassProtocol, err, "the answer cannot be read")
}

// plainCause is the innermost text of one of our own errors, without the address
// that http adds.
func plainCause(err error) string {
	for _, own := range []error{errNotARead, errElsewhere, errUnaccounted} {
		if errors.Is(err, own) {
			return own.Error()
		}
	}
	return "a request was stopped"
}

// isCertificate reports whether there is no trust in who answered.
func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	return errors.As(err, &verification) || errors.As(err, &plain)
}

// isTimeout reports whether an error says that it was waited for in vain.
func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// hasStatus reports whether an error is an answer of one of these.
func hasStatus(err error, statuses ...int) bool {
	var answer *answerError
	if !errors.As(err, &answer) {
		return false
	}
	for _, status := range statuses {
		if answer.status == status {
			return true
		}
	}
	return false
}

// missingGrants are the permissions that an error says are lacking; nil for others.
func missingGrants(err error) []connector.Grant {
	var answer *answerError
	if !errors.As(err, &answer) || answer.status != http.StatusForbidden {
		return nil
	}
	if len(answer.permissions) == 0 {
		return nil
	}
	var grants []connector.Grant
	for name := range strings.SplitSeq(answer.permissions[0], " and ") { // the first set is enough
		name, _, _ = strings.Cut(name, ":")
		grants = append(grants, grant(name))
	}
	return grants
}

// isNotFound reports whether the answer was 404: there is no such thing, or the
// credential may not see the repository.
func isNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// isUnprocessable reports whether the answer was 422, which GitHub gives for a
// commit that there is not.
func isUnprocessable(err error) bool { return hasStatus(err, http.StatusUnprocessableEntity) }

// isEmptyRepository reports whether the answer was 409, which a repository without a
// commit gives.
func isEmptyRepository(err error) bool { return hasStatus(err, http.StatusConflict) }

// isGone reports whether the answer was 410 or 451: switched off, or taken down.
func isGone(err error) bool {
	return hasStatus(err, http.StatusGone, http.StatusUnavailableForLegalReasons)
}

// isTooSlow reports whether the answer was one of 5xx or none in time, after all
// retries: a smaller page may do.
func isTooSlow(err error) bool {
	var answer *answerError
	var sent *sendError
	return errors.As(err, &answer) && answer.status >= http.StatusInternalServerError ||
		errors.As(err, &sent) && isTimeout(sent.err)
}

// isStopped reports whether a request was not made since none may be: see stopped.
func isStopped(err error) bool {
	var stop *stopError
	return errors.As(err, &stop)
}
