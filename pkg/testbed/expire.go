package testbed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// snapshotWait is a little longer than the API server's caches take to drop the
// old lists that etcd has forgotten: they look every 15 seconds.
const snapshotWait = 17 * time.Second

// ExpireContinueTokens makes the server forget all lists that were begun before
// the call: who asks for their next page is answered 410 Gone, reason Expired. It
// takes 17 seconds, so the test should run in parallel with others. These are
// not disturbed unless one of their lists takes longer than that: a list begun
// after the call is not touched.
func (s *Server) ExpireContinueTokens(t testing.TB) {
	t.Helper()
	if s.ready.Etcd == "" {
		t.Fatal("the test API server is older than this test: it does not say where its etcd is")
	}
	ctx := t.Context()
	// Any write is newer than all lists up to now.
	now, err := s.etcd(ctx, "put", map[string]any{"key": []byte("testbed/expire"), "value": []byte("now")})
	if err != nil {
		t.Fatalf("ask etcd for its revision: %v", err)
	}
	// This key is where API servers tell each other how far etcd is compacted.
	if _, err := s.etcd(ctx, "put", map[string]any{"key": []byte("compact_rev_key"), "value": []byte(strconv.FormatInt(now, 10))}); err != nil {
		t.Fatalf("announce the compaction: %v", err)
	}
	if _, err := s.etcd(ctx, "compaction", map[string]any{"revision": now}); err != nil {
		t.Fatalf("compact etcd: %v", err)
	}
	select {
	case <-time.After(snapshotWait):
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
}

// etcd asks etcd by its JSON gateway and returns its revision.
func (s *Server) etcd(ctx context.Context, method string, request map[string]any) (revision int64, err error) {
	body, err := json.Marshal(request) // byte slices become base64, as the gateway wants
	if err != nil {
		return 0, fmt.Errorf("encode the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.ready.Etcd+"/v3/kv/"+method, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("make the request: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, fmt.Errorf("read the answer: %w", err)
	}
	var a struct {
		Header struct {
			Revision int64 `json:"revision,string"`
		} `json:"header"`
	}
	if err := json.Unmarshal(answer, &a); err != nil || resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("etcd answers %s: %s", resp.Status, answer)
	}
	return a.Header.Revision, nil
}
