package connector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/window"
)

func registry() *connector.Registry {
	r := &connector.Registry{}
	r.Register(connector.Factory{Type: "kubernetes"})
	r.Omit("github")
	r.Register(connector.Factory{Type: "postgres"})
	return r
}

func TestLookupSaysWhatToDo(t *testing.T) {
	r := registry()
	if f, err := r.Lookup("postgres"); err != nil || f.Type != "postgres" {
		t.Errorf("%+v, %v", f, err)
	}
	if got := r.Types(); !slices.Equal(got, []string{"kubernetes", "postgres"}) {
		t.Errorf("types %v", got)
	}
	for typ, want := range map[string]struct {
		is   error
		says string
	}{
		"github": {connector.ErrOmitted, "-tags rcactl_minimal,rcactl_kubernetes,rcactl_postgres,rcactl_github"},
		"githup": {connector.ErrUnknown, "kubernetes, postgres"},
	} {
		_, err := r.Lookup(typ)
		if !errors.Is(err, want.is) || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

func TestATypeIsThereOnce(t *testing.T) {
	for _, typ := range []string{"kubernetes", "github", "", "a/b"} {
		for name, add := range map[string]func(*connector.Registry){
			"Register": func(r *connector.Registry) { r.Register(connector.Factory{Type: typ}) },
			"Omit":     func(r *connector.Registry) { r.Omit(typ) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s(%q) did not panic", name, typ)
					}
				}()
				add(registry())
			}()
		}
	}
}

func TestErrorsShowOnlyTheirMessage(t *testing.T) {
	cause := errors.New("planted")
	err := fmt.Errorf("outer: %w", connector.Errorf(connector.ClassAuth, cause, "the token of %s was refused", "env:TOKEN"))
	if err.Error() != "outer: the token of env:TOKEN was refused" || !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	for _, tt := range []struct {
		err  error
		want connector.Class
	}{
		{nil, connector.ClassNone},
		{err, connector.ClassAuth},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), connector.ClassTimeout},
		{fmt.Errorf("x: %w", context.Canceled), connector.ClassCanceled},
		{cause, connector.ClassInternal},
	} {
		if got := connector.ClassOf(tt.err); got != tt.want {
			t.Errorf("%v: class %q, want %q", tt.err, got, tt.want)
		}
	}
	field := &connector.FieldError{Path: "namespaces[0]", Problem: "is empty"}
	if field.Error() != "namespaces[0]: is empty" {
		t.Error(field)
	}
}

func TestWindowOf(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	all := window.Window{Start: at, End: at.Add(time.Hour)}
	own := window.Window{Start: at.Add(-time.Hour), End: at.Add(time.Hour)}
	r := connector.Request{Window: all, Streams: map[string]window.Window{"events": own}}
	if r.WindowOf("events") != own || r.WindowOf("pods") != all {
		t.Error("a stream got the wrong window")
	}
}
