package kubernetes

import (
	"bytes"
	"context"
)

// ahead is the next page of a list, asked for while the one before it is still
// being read, so that the server and we work at the same time. It holds bytes and
// no objects.
type ahead struct {
	token string
	limit int
	stop  context.CancelFunc
	done  chan struct{}
	body  []byte
	err   error
	// panicked is what a bug on the way panicked with; it goes on where it can be
	// contained.
	panicked any
}

// askAhead asks for the page that follows body, if that is a page in protobuf which
// says that there is one. A list that may reach its bound before is not asked
// for more than it needs.
func (l *listing) askAhead(ctx context.Context, c *client, body []byte, token string, limit int) *ahead {
	next := continueOf(body)
	if next == "" || next == token || c.maxObjects-l.objects <= 2*limit {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	a := &ahead{token: next, limit: limit, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		defer func() { a.panicked = recover() }()
		a.body, a.err = l.fetch(ctx, c, next, limit)
	}()
	return a
}

// page waits for the page if it is the one that is wanted now; ok is false when it
// is another one, or none was asked for.
func (a *ahead) page(token string, limit int) (body []byte, err error, ok bool) {
	if a == nil {
		return nil, nil, false
	}
	if a.token != token || a.limit != limit {
		a.drop()
		return nil, nil, false
	}
	<-a.done
	a.stop()
	if a.panicked != nil {
		panic(a.panicked)
	}
	return a.body, a.err, true
}

// drop gives up a page that nobody wants any more, and wipes what came of it.
func (a *ahead) drop() {
	if a != nil {
		a.stop()
		<-a.done
		wipe(a.body)
	}
}

// continueOf reads the continue token of a list in protobuf without its items: the
// list is field 2 of the envelope, its metadata field 1 of the list, the token
// field 3 of that. It is only a hint, which the decoded page must confirm.
func continueOf(body []byte) (token string) {
	rest, ok := bytes.CutPrefix(body, []byte(protobufMagic))
	if !ok {
		return ""
	}
	field := func(message []byte, wanted uint64) (found []byte) {
		eachField(message, func(number uint64, value []byte, long bool) {
			if number == wanted && long {
				found = value
			}
		})
		return found
	}
	return string(field(field(field(rest, 2), 1), 3))
}
