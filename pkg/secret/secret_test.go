package secret_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/secret"
)

const hunter = "hunter2-planted"

// A value that is printed by accident, in any way, shows nothing.
func TestValuesDoNotPrint(t *testing.T) {
	v := secret.NewValue([]byte(hunter))
	held := struct {
		Name  string
		Value secret.Value
		Ptr   *secret.Value
	}{"x", v, &v}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		fmt.Fprintf(&out, verb+"\n", v)
		fmt.Fprintf(&out, verb+"\n", &v)
		fmt.Fprintf(&out, verb+"\n", held)
		fmt.Fprintf(&out, verb+"\n", []secret.Value{v})
	}
	fmt.Fprintln(&out, v, &v, held, errors.Join(fmt.Errorf("%v", v)), v.String(), v.GoString())
	js, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(js)
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("x", "v", v, "held", held, "all", []secret.Value{v})
	}
	text := out.String()
	for _, form := range []string{hunter, fmt.Sprintf("%x", hunter), fmt.Sprintf("%X", hunter), fmt.Sprint([]byte(hunter))} {
		if strings.Contains(text, form) {
			t.Errorf("the value shows as %q in:\n%s", form, text)
		}
	}
	if !strings.Contains(text, "[secret]") || string(v.Reveal()) != hunter {
		t.Error("no mask, or no value")
	}
}

func TestParseRef(t *testing.T) {
	for _, good := range []string{"env:NAME", "env:_a1", "file:/etc/key", "file:/with:colon and space"} {
		r, err := secret.ParseRef(good)
		if err != nil || r.String() != good || r.IsZero() {
			t.Errorf("%s: %q, %v", good, r, err)
		}
	}
	for _, bad := range []string{
		hunter, "postgres://u:" + hunter + "@h/db", "env:" + hunter + "!", "file:" + hunter, "ENV:" + hunter, ":" + hunter,
		"vault:" + hunter, "file:/a\x00" + hunter, "env:", "",
	} {
		r, err := secret.ParseRef(bad)
		if err == nil || !r.IsZero() {
			t.Errorf("%q was taken", bad)
			continue
		}
		if strings.Contains(err.Error(), hunter) {
			t.Errorf("the error shows the value: %v", err)
		}
	}
	if _, err := secret.ParseRef(hunter); !errors.Is(err, secret.ErrLiteral) {
		t.Errorf("got %v", err)
	}
}

func TestRefAsText(t *testing.T) {
	var r secret.Ref
	if err := r.UnmarshalText([]byte("env:A")); err != nil || r.String() != "env:A" {
		t.Errorf("%v, %v", r, err)
	}
	text, err := r.MarshalText()
	if err != nil || string(text) != "env:A" {
		t.Errorf("%s, %v", text, err)
	}
	if err := r.UnmarshalText(nil); err != nil || !r.IsZero() || r.String() != "" {
		t.Errorf("%v, %v", r, err)
	}
	if err := r.UnmarshalText([]byte(hunter)); err == nil {
		t.Error("a literal was taken")
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return "file:" + path
	}
	sources := secret.Sources{LookupEnv: func(name string) (string, bool) {
		v, ok := map[string]string{"SET": hunter, "EMPTY": ""}[name]
		return v, ok
	}}
	tests := []struct{ ref, want, wantErr string }{
		{"env:SET", hunter, ""},
		{"env:EMPTY", "", "env:EMPTY"},
		{"env:UNSET", "", "is not set"},
		{file("plain", hunter), hunter, ""},
		{file("newline", hunter+"\n"), hunter, ""},
		{file("crlf", hunter+"\r\n"), hunter, ""},
		{file("two", hunter+"\n\n"), hunter + "\n", ""},
		{file("none", "\n"), "", "is empty"},
		{file("huge", strings.Repeat(hunter, 10_000)), "", "not a credential"},
		{"file:" + dir, "", dir},
		{"file:" + filepath.Join(dir, "missing"), "", "no such file"},
	}
	for _, tt := range tests {
		ref, err := secret.ParseRef(tt.ref)
		if err != nil {
			t.Fatal(err)
		}
		v, err := sources.Resolve(t.Context(), ref)
		if tt.wantErr == "" && (err != nil || string(v.Reveal()) != tt.want) {
			t.Errorf("%s: %v", tt.ref, err)
		}
		if tt.wantErr != "" && (err == nil || len(v.Reveal()) > 0 || !strings.Contains(err.Error(), tt.wantErr) || strings.Contains(err.Error(), hunter)) {
			t.Errorf("%s: error %v, want %q", tt.ref, err, tt.wantErr)
		}
	}
	if _, err := sources.Resolve(t.Context(), secret.Ref{}); err == nil {
		t.Error("the zero Ref was resolved")
	}
	set, err := secret.ParseRef("env:SET")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (secret.Sources{}).Resolve(t.Context(), set); err == nil {
		t.Error("there is no environment, and yet")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sources.Resolve(ctx, set); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
