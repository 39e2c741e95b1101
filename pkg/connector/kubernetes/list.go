package kubernetes

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/rcactl/rcactl/pkg/connector"
)

// maxIdle is how many pages in a row may bring nothing new.
const maxIdle = 16

// listing is one list in one namespace: what is asked, and how it went.
type listing struct {
	kind
	namespace string // empty for all
	// optional says that a refusal is no gap.
	optional bool

	// reviewed says that an access review was asked for already.
	reviewed bool

	// objects counts what was taken. A listing that is not whole has missed
	// objects: refused, failed, cut at the bound, or expired twice.
	objects   int
	pages     int
	truncated bool
	restarted bool
	refused   bool
	// absent says that the server does not know the kind.
	absent bool
	// unknown says, beside absent, that this is not known: the server did not say
	// which kinds it has.
	unknown bool
	err     *connector.Error
}

func (l *listing) whole() bool { return l.err == nil && !l.refused && !l.absent && !l.truncated }

// what names the listing in sentences.
func (l *listing) what() string {
	if l.resource.cluster {
		return "the " + l.resource.plural + " of the cluster"
	}
	if l.namespace == "" {
		return "the " + l.resource.plural + " of all namespaces"
	}
	return "the " + l.resource.plural + " of namespace " + l.namespace
}

// pager is a page as it arrives: a list type of the API.
type pager interface {
	runtime.Object
	metav1.ListInterface
}

// list asks for permission, then for page after page, and hands each object
// to take, no object twice. How it went is written into l; the error is only
// that of take.
func list[T any, PT interface {
	*T
	metav1.Object
}, P pager](ctx context.Context, c *client, l *listing, page func() P, items func(P) []T, take func(PT) error) error {
	if c.recording != nil {
		return replay(ctx, c, l, take)
	}
	if l.absent || !l.mayList(ctx, c) {
		return nil
	}
	seen := seenSet{}
	token, idle := "", 0
	var next *ahead
	defer func() { next.drop() }()
	for {
		p := page()
		pageSize := c.pageSize
		if l.foreign {
			pageSize = min(pageSize, foreignPage)
		}
		limit := min(pageSize, c.maxObjects-l.objects) // at the bound one more tells whether there is more
		if l.restarted {
			limit = pageSize // what was seen comes again
		}
		body, err, ok := next.page(token, limit)
		if !ok {
			body, err = l.fetch(ctx, c, token, limit)
		}
		if err == nil {
			next = l.askAhead(ctx, c, body, token, limit)
			err = c.decode(body, limit, p)
		}
		if err != nil {
			// A continue token lives about five minutes. The list then starts
			// again, once: a server that cannot finish it in time never will.
			if token != "" && !l.restarted && isExpired(err) {
				l.restarted, token, idle = true, "", -l.pages
				continue
			}
			l.fail(ctx, err)
			return nil
		}
		l.pages++
		idle++
		all := items(p)
		for i := range all {
			object := PT(&all[i])
			if !l.sound(object) {
				return nil
			}
			if !seen.add(string(object.GetUID())) {
				continue
			}
			if l.objects == c.maxObjects {
				l.truncated = true
				return nil
			}
			idle = min(idle, 0)
			l.objects++
			if err := take(object); err != nil {
				return err
			}
		}
		following := p.GetContinue()
		if following == "" {
			l.complete(p)
			return nil
		}
		if !l.advances(token, following, idle) {
			return nil
		}
		token = following
	}
}

// sound refuses a list with an object that cannot be one of it. Without a name
// or uid objects cannot be told apart, and one of another namespace was not
// asked for.
func (l *listing) sound(m metav1.Object) bool {
	switch {
	case m.GetName() == "" || m.GetUID() == "":
		l.err = connector.Errorf(connector.ClassProtocol, nil,
			"an object without a name or uid was in the answer, when asked for %s; name the right server in the kubeconfig", l.what())
	case l.namespace != "" && m.GetNamespace() != l.namespace:
		l.err = connector.Errorf(connector.ClassProtocol, nil,
			"an object of another namespace was in the answer, when asked for %s; name the right server in the kubeconfig", l.what())
	}
	return l.err == nil
}

// count takes an object of a recording into account; more is false for one
// beyond the bound.
func (l *listing) count(m metav1.Object, maxObjects int) (more bool, err error) {
	switch {
	case !l.sound(m):
		return false, l.err
	case l.objects == maxObjects:
		l.truncated = true
		return false, nil
	}
	l.objects++
	return true, nil
}

// advances refuses pages that lead nowhere: a token that comes again, or page
// after page without an object that is new.
func (l *listing) advances(token, next string, idle int) bool {
	if next == token || idle > maxIdle {
		l.err = connector.Errorf(connector.ClassProtocol, nil,
			"the pages of %s go round in circles: the list was given up; a proxy before the API server may be in the way", l.what())
	}
	return l.err == nil
}

// complete notes a last page that says itself that it is not the last.
func (l *listing) complete(p metav1.ListInterface) {
	if left := p.GetRemainingItemCount(); left != nil && *left > 0 {
		l.err = connector.Errorf(connector.ClassProtocol, nil,
			"the API server ended %s before their end: it says that %d are left, and gave no way to ask for them", l.what(), *left)
	}
}

// fetch asks for a page and gives its bytes.
func (l *listing) fetch(ctx context.Context, c *client, token string, limit int) ([]byte, error) {
	// A namespace becomes part of a path: one that is none could lead elsewhere.
	if l.namespace != "" && !isNamespace(l.namespace) {
		return nil, connector.Errorf(connector.ClassConfig, nil, "%q is not the name of a namespace; set namespaces", l.namespace)
	}
	query := url.Values{"limit": {strconv.Itoa(max(limit, 1))}}
	if token != "" {
		query.Set("continue", token)
	}
	if l.selector != "" {
		query.Set("fieldSelector", l.selector)
	}
	if l.labels != "" {
		query.Set("labelSelector", l.labels)
	}
	accept := l.accept
	if accept == "" {
		accept = asObjects
	}
	ctx, cancel := context.WithTimeout(ctx, c.patience(ctx))
	defer cancel()
	return c.getBody(withPurpose(ctx, l.stream, "list"), l.resource.path(l.namespace), query, accept)
}

func (l *listing) fail(ctx context.Context, err error) {
	if l.foreign && l.pages == 0 && apierrors.IsNotFound(err) {
		l.absent = true
		return
	}
	if apierrors.IsForbidden(err) {
		if l.pages == 0 {
			l.refused = true
			return
		}
		l.err = connector.Errorf(connector.ClassForbidden, err,
			"permission to list %s was lost between pages (403): the rest was not read; see who changed the Role", l.what())
		return
	}
	l.err = classify(ctx, err, l.what())
}

func isExpired(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code == http.StatusGone
}

// seenSet remembers objects in 16 bytes each: a list that starts again would
// otherwise give them twice.
type seenSet map[[16]byte]struct{}

func (s seenSet) add(uid string) bool {
	sum := sha256.Sum256([]byte(uid))
	key := [16]byte(sum[:16])
	if _, ok := s[key]; ok {
		return false
	}
	s[key] = struct{}{}
	return true
}
