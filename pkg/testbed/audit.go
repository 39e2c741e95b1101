package testbed

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// AuditLine is one request as the API server itself saw it.
type AuditLine struct {
	// Time is when the request came in.
	Time time.Time
	// Verb is Kubernetes' word: get, list, watch, create, patch, ...
	Verb string
	// URI is the path with its query.
	URI string
	// User is the authenticated user name; empty when authentication failed.
	User string
	// UserAgent is what the client calls itself.
	UserAgent string
	// Code is the HTTP status of the answer.
	Code int
	// Decision is RBAC's: allow or forbid.
	Decision string
}

func (l AuditLine) String() string {
	return fmt.Sprintf("%s %s %d %s", l.Verb, l.URI, l.Code, l.Decision)
}

// AuditOffset marks the present end of the audit log, to read from later.
func (s *Server) AuditOffset(t testing.TB) int64 {
	t.Helper()
	info, err := os.Stat(s.AuditLog())
	if err != nil {
		t.Fatalf("find the audit log: %v", err)
	}
	return info.Size()
}

// Audit lists what one user asked since an offset, in the order of the answers.
// Every request that was answered before the call is in the list.
func (s *Server) Audit(t testing.TB, user string, since int64) []AuditLine {
	t.Helper()
	// A line is written when its answer is sent, so a later request whose line is
	// there proves that all the earlier lines are.
	marker := s.mark(t)
	var log []byte
	Eventually(t, "the audit log to catch up", func(context.Context) (bool, error) {
		var err error
		log, err = readFrom(s.AuditLog(), since)
		return err == nil && bytes.Contains(log, []byte(marker)), err
	})
	var lines []AuditLine
	for raw := range bytes.Lines(log) {
		if !bytes.HasSuffix(raw, []byte("\n")) {
			break // still being written
		}
		line, err := parseAudit(raw)
		if err != nil {
			t.Fatalf("read the audit log: %v", err)
		}
		if line.User == user {
			lines = append(lines, line)
		}
	}
	return lines
}

// mark sends a request that nobody else sends and returns what to look for.
func (s *Server) mark(t testing.TB) string {
	t.Helper()
	cfg := rest.CopyConfig(s.config)
	cfg.UserAgent = "audit-marker/" + rand.Text()
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatalf("mark the audit log: %v", err)
	}
	if _, err := client.Discovery().ServerVersion(); err != nil {
		t.Fatalf("mark the audit log: %v", err)
	}
	return cfg.UserAgent
}

func readFrom(path string, offset int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("go to the offset: %w", err)
	}
	b, err := io.ReadAll(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return b, nil
}

func parseAudit(raw []byte) (AuditLine, error) {
	var e struct {
		Verb       string `json:"verb"`
		RequestURI string `json:"requestURI"`
		UserAgent  string `json:"userAgent"`
		User       struct {
			Username string `json:"username"`
		} `json:"user"`
		ResponseStatus struct {
			Code int `json:"code"`
		} `json:"responseStatus"`
		RequestReceivedTimestamp time.Time         `json:"requestReceivedTimestamp"`
		Annotations              map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return AuditLine{}, fmt.Errorf("a line is not JSON: %w", err)
	}
	return AuditLine{
		Time: e.RequestReceivedTimestamp, Verb: e.Verb, URI: e.RequestURI, User: e.User.Username, UserAgent: e.UserAgent,
		Code: e.ResponseStatus.Code, Decision: e.Annotations["authorization.k8s.io/decision"],
	}, nil
}
