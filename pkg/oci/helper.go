package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec" //nolint:depguard // docker keeps logins behind programs that its config names; only those are run, and only for a host that is asked
	"regexp"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// maxHelper bounds what is read of a credential helper: 256 KiB.
const maxHelper = 256 << 10

// helperForm is the end of the name of a credential helper, docker-credential-NAME:
// a name and not a path.
var helperForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// askHelper gets a login from docker-credential-<helper>, found in PATH, as docker
// does: the key on its standard input, JSON on its standard output. Its messages are
// discarded. It is stopped when ctx is done. An empty login means that it has none.
func askHelper(ctx context.Context, helper, key string) (authn.AuthConfig, error) {
	if !helperForm.MatchString(helper) {
		return authn.AuthConfig{}, errHelper
	}
	cmd := exec.CommandContext(ctx, "docker-credential-"+helper, "get") //nolint:gosec // the name is of a fixed form, and from the person's own docker config
	cmd.Stdin = strings.NewReader(key)
	out := &limited{max: maxHelper}
	cmd.Stdout = out
	cmd.WaitDelay = time.Second // a grandchild may hold the pipe
	err := cmd.Run()
	switch {
	case out.over:
		return authn.AuthConfig{}, errHelper
	case err != nil && bytes.Contains(out.buf.Bytes(), []byte("credentials not found")):
		return authn.AuthConfig{}, nil
	case err != nil:
		return authn.AuthConfig{}, errHelper
	}
	var answer struct{ Username, Secret string }
	if json.Unmarshal(out.buf.Bytes(), &answer) != nil {
		return authn.AuthConfig{}, errHelper
	}
	if answer.Username == "<token>" {
		return authn.AuthConfig{IdentityToken: answer.Secret}, nil
	}
	return authn.AuthConfig{Username: answer.Username, Password: answer.Secret}, nil
}

// limited keeps what is written up to a bound. It is no bytes.Buffer, whose ReadFrom
// io.Copy would use, past the bound.
type limited struct {
	buf  bytes.Buffer
	max  int
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	if l.buf.Len()+len(p) > l.max {
		l.over = true
		return len(p), nil // and on, so that the program ends by itself
	}
	return l.buf.Write(p)
}
