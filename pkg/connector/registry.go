package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrUnknown says that no build has a connector of that type.
var ErrUnknown = errors.New("unknown connector type")

// ErrOmitted says that the type exists and this build was made without it.
var ErrOmitted = errors.New("not included in this build")

// ErrNothingFound says that there is no source of a type on this machine.
var ErrNothingFound = errors.New("no source was found here")

// Factory makes the connectors of one type.
type Factory struct {
	// Type is the first part of a config key: kubernetes in kubernetes/prod.
	Type string
	// New returns a config with every default filled in.
	New func() Config
	// Discover looks for a source of this type on a machine without a config and
	// returns a config that is ready to Connect. It sends nothing. Nil, or the
	// error ErrNothingFound, means that there is none. Another error says why what
	// was found cannot be used.
	Discover func(ctx context.Context, env Env) (Config, error)
}

// Registry is the list of the connector types of a build. The zero value is
// empty and ready. It is filled once and then only read.
type Registry struct {
	factories []Factory
	omitted   []string
}

// Register adds a type. A type that is there already is a bug in the caller and
// panics.
func (r *Registry) Register(f Factory) {
	r.mustBeNew(f.Type)
	r.factories = append(r.factories, f)
}

// Omit notes that a type exists which this build was made without.
func (r *Registry) Omit(typ string) {
	r.mustBeNew(typ)
	r.omitted = append(r.omitted, typ)
}

func (r *Registry) mustBeNew(typ string) {
	if typ == "" || strings.Contains(typ, "/") || slices.Contains(r.Types(), typ) || slices.Contains(r.omitted, typ) {
		panic(fmt.Sprintf("connector type %q is empty, has a slash or is there already", typ))
	}
}

// Lookup returns the factory of a type. The error is ErrOmitted, naming the
// build tag to add, or ErrUnknown, naming the types there are.
func (r *Registry) Lookup(typ string) (Factory, error) {
	for _, f := range r.factories {
		if f.Type == typ {
			return f, nil
		}
	}
	if slices.Contains(r.omitted, typ) {
		return Factory{}, fmt.Errorf("%s: %w; build with -tags %s or without rcactl_minimal", typ, ErrOmitted, r.tags(typ))
	}
	return Factory{}, fmt.Errorf("%q: %w; this build has: %s", typ, ErrUnknown, strings.Join(r.Types(), ", "))
}

// Types lists the types of this build, in the order of registration.
func (r *Registry) Types() []string {
	types := make([]string, len(r.factories))
	for i, f := range r.factories {
		types[i] = f.Type
	}
	return types
}

// tags spells the build tags that this build would need to have typ as well.
func (r *Registry) tags(typ string) string {
	tags := []string{"rcactl_minimal"}
	for _, t := range append(r.Types(), typ) {
		tags = append(tags, "rcactl_"+t)
	}
	return strings.Join(tags, ",")
}
