package kubernetes

import (
	"context"
	"fmt"
	"net/url"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/rcactl/rcactl/pkg/connector"
)

// verdict is what an access review said.
type verdict int

const (
	unsaid verdict = iota // the review itself was not answered: try the list
	allowed
	denied
)

// resource is a kind of object that is listed.
type resource struct {
	group, version, plural, kind string
	// cluster says that its objects belong to no namespace.
	cluster bool
}

func (r resource) path(namespace string) string {
	path := "/apis/" + r.group + "/" + r.version
	if r.group == "" {
		path = "/api/" + r.version
	}
	if namespace != "" {
		// A name needs no escape, and one that does is not to reach another path.
		path += "/namespaces/" + url.PathEscape(namespace)
	}
	return path + "/" + r.plural
}

func core(plural, kind string) resource { return resource{version: "v1", plural: plural, kind: kind} }

func apps(plural, kind string) resource {
	return resource{group: "apps", version: "v1", plural: plural, kind: kind}
}

// Resources that are named in more than one place.
func pods() resource       { return core("pods", "Pod") }
func events() resource     { return core("events", "Event") }
func configMaps() resource { return core("configmaps", "ConfigMap") }
func secrets() resource    { return core("secrets", "Secret") }

// grant is the permission that a verb on a resource needs.
func grant(verb string, r resource, namespace string) connector.Grant {
	return connector.Grant{
		Verb: verb, Group: r.group, Resource: r.plural, Namespace: namespace,
		Rule: fmt.Sprintf(`- {apiGroups: [%q], resources: [%q], verbs: [%q]}  # in %s`, r.group, r.plural, verb, roleFor(namespace)),
	}
}

// roleFor names what a rule belongs into: a Role gives nothing beyond its own
// namespace.
func roleFor(namespace string) string {
	if namespace == "" {
		return "a ClusterRole, bound by a ClusterRoleBinding"
	}
	return "a Role in the namespace " + namespace
}

// review asks the API server whether we may. Only the verdict is used: reasons
// are text of an authorizer.
func (c *client) review(ctx context.Context, g connector.Grant) (verdict, error) {
	body := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: g.Namespace, Verb: g.Verb, Group: g.Group, Resource: g.Resource,
		},
	}}
	body.APIVersion, body.Kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
	why := "access review: " + g.Verb + " " + g.Resource
	var answer authorizationv1.SelfSubjectAccessReview
	err := c.into(c.rest.Post().AbsPath(reviewPath).SetHeader("Accept", asObjects).Body(body).
		Do(withPurpose(ctx, "", why)), &answer)
	if err != nil {
		own := classify(ctx, err, "an access review")
		if ctx.Err() != nil || classifyRefusal(err, "") != nil || own.Class == connector.ClassAuth || own.Class == connector.ClassUnreachable {
			return unsaid, own
		}
		return unsaid, nil // an old or limited server: the list itself will tell
	}
	if answer.Status.Allowed {
		return allowed, nil
	}
	// Without a denial and with an evaluation error the authorizer could not
	// tell; webhooks do that when they are down.
	if !answer.Status.Denied && answer.Status.EvaluationError != "" {
		return unsaid, nil
	}
	return denied, nil
}
