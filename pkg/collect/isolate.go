package collect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
)

// isolate calls do in a goroutine of its own, so that neither a panic nor a
// hang in a connector gets further than the connector. When do is still running
// grace after ctx is done it is left behind: its result is thrown away, and the
// goroutine lives until the process ends, which is soon.
//
// A panic in a goroutine that do itself started cannot be caught here.
func isolate[T any](ctx context.Context, grace time.Duration, log *slog.Logger, what string, do func(context.Context) (T, error)) (T, error) {
	if err := ctx.Err(); err != nil {
		// One that hangs would cost the grace once more.
		var none T
		return none, connector.Errorf(connector.ClassOf(err), err, "the run was over before the connector was asked to %s", what)
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		// Stands when do neither returns nor panics: runtime.Goexit.
		a := answer{err: connector.Errorf(connector.ClassPanic, nil, "a bug in the connector ended its goroutine while it was asked to %s; please report it", what)}
		defer func() {
			if p := recover(); p != nil {
				a.err = panicked(log, what, p)
			}
			answers <- a
		}()
		a.value, a.err = do(ctx)
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-timer.C:
		var none T
		return none, connector.Errorf(connector.ClassOf(ctx.Err()), errors.Join(errLeftBehind, ctx.Err()),
			"the connector was asked to %s and was still at it when its time was over; it was left behind", what)
	}
}

// errLeftBehind marks the error of a connector whose goroutine may still be running.
var errLeftBehind = errors.New("left behind")

// usable reports whether a connector that gave this error may be called again: a
// connector serves one goroutine at a time, and one that panicked is in no known
// state.
func usable(err error) bool {
	return !errors.Is(err, errLeftBehind) && connector.ClassOf(err) != connector.ClassPanic
}

// panicked makes an error of a panic. The value of the panic may hold anything,
// so only its type is told; the stack has no values in it.
func panicked(log *slog.Logger, what string, p any) error {
	log.Debug("panic in a connector", "doing", what, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	return connector.Errorf(connector.ClassPanic, nil, "a bug in the connector (a panic) when it was asked to %s; run with -v and report the stack", what)
}
