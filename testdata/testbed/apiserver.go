package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/rest"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	apioptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// The testbed's own identities. The audit log leaves their requests out, so
// that it holds what the tests and rcactl asked and nothing else.
const (
	controllerUser = "system:kube-controller-manager"
	kubeletUser    = "system:node:testbed"
)

// auditPolicy logs who asked what and how it was answered, never a body.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "` + controllerUser + `", "` + kubeletUser + `"]
- level: Metadata
`

// readyTimeout is generous: a start takes about three seconds, but a machine
// that compiles something else at the same time can be ten times slower.
const readyTimeout = 90 * time.Second

// apiServer is the running kube-apiserver and what is needed to talk to it.
type apiServer struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan error

	url             string
	adminKubeconfig string
	auditLog        string
	controllers     *rest.Config
	kubelet         *rest.Config
}

// startAPIServer runs kube-apiserver with RBAC, an audit log and ServiceAccount
// tokens, and returns when /readyz says ok.
func startAPIServer(ctx context.Context, dir, etcdURL string, extraArgs []string) (_ *apiServer, err error) {
	// The listener is handed over open, so nobody can take the port in between.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	s := &apiServer{
		done:            make(chan error, 1),
		url:             "https://" + listener.Addr().String(),
		adminKubeconfig: filepath.Join(dir, "admin.kubeconfig"),
		auditLog:        filepath.Join(dir, "audit.log"),
	}
	ca, err := s.writeIdentities(dir)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	opts, err := serverOptions(ctx, dir, etcdURL, s.auditLog, listener, extraArgs)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}

	// Its own context, not the caller's: on a stop the API server must go down
	// after those who use it.
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() { s.done <- app.Run(s.ctx, opts) }()
	if err := s.awaitReady(ctx, ca); err != nil {
		s.cancel()
		return nil, err
	}
	return s, nil
}

// serverOptions turns flags into kube-apiserver's completed options, the way
// its own command does it.
func serverOptions(ctx context.Context, dir, etcdURL, auditLog string, listener net.Listener, extraArgs []string) (apioptions.CompletedOptions, error) {
	var none apioptions.CompletedOptions
	in := func(name string) string { return filepath.Join(dir, name) }
	opts := apioptions.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range opts.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	args := append([]string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none",
		"--tls-cert-file=" + in("apiserver.crt"),
		"--tls-private-key-file=" + in("apiserver.key"),
		"--client-ca-file=" + in("ca.crt"),
		"--service-account-issuer=https://testbed.local",
		"--service-account-key-file=" + in("sa.key"),
		"--service-account-signing-key-file=" + in("sa.key"),
		"--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.0.0.0/24",
		"--audit-log-path=" + auditLog,
		"--audit-log-maxsize=4096", // a rotation would take lines away from a test that reads from an offset
		"--audit-policy-file=" + in("audit-policy.yaml"),
	}, extraArgs...)
	if err := flags.Parse(args); err != nil {
		return none, fmt.Errorf("kube-apiserver flags: %w", err)
	}
	if err := opts.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return none, fmt.Errorf("feature gates: %w", err)
	}
	opts.SecureServing.Listener = listener
	completed, err := opts.Complete(ctx)
	if err != nil {
		return none, fmt.Errorf("complete the options: %w", err)
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return none, fmt.Errorf("check the options: %w", utilerrors.NewAggregate(errs))
	}
	return completed, nil
}

// writeIdentities makes the CA, the keys, the audit policy and the three
// clients: the admin for tests, and one each for controllers and kubelet.
func (s *apiServer) writeIdentities(dir string) (ca []byte, err error) {
	authority, err := newAuthority()
	if err != nil {
		return nil, err
	}
	server, err := authority.server()
	if err != nil {
		return nil, err
	}
	tokens, err := serviceAccountKey()
	if err != nil {
		return nil, err
	}
	for name, data := range map[string][]byte{
		"ca.crt":            authority.pem,
		"apiserver.crt":     server.cert,
		"apiserver.key":     server.key,
		"sa.key":            tokens,
		"audit-policy.yaml": []byte(auditPolicy),
	} {
		if err := writePrivate(filepath.Join(dir, name), data); err != nil {
			return nil, err
		}
	}
	admin, err := authority.client("admin", "system:masters")
	if err != nil {
		return nil, err
	}
	if err := writeKubeconfig(s.adminKubeconfig, s.url, authority.pem, "admin", admin); err != nil {
		return nil, err
	}
	// The user agents end up as managedFields managers, so they are named as in a
	// real cluster.
	if s.controllers, err = s.component(authority, controllerUser, "kube-controller-manager"); err != nil {
		return nil, err
	}
	if s.kubelet, err = s.component(authority, kubeletUser, "kubelet"); err != nil {
		return nil, err
	}
	return authority.pem, nil
}

// component is the client configuration of one of the testbed's own parts.
func (s *apiServer) component(a *authority, user, agent string) (*rest.Config, error) {
	p, err := a.client(user, "system:masters")
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host:            s.url,
		UserAgent:       agent + "/v1.37.1 (linux/amd64) kubernetes/testbed",
		QPS:             -1, // no client-side limit: there is nobody else to be fair to
		TLSClientConfig: rest.TLSClientConfig{CAData: a.pem, CertData: p.cert, KeyData: p.key},
	}, nil
}

// awaitReady polls /readyz. Before RBAC's own roles are stored an anonymous
// caller is refused, so a 403 counts as "not yet".
func (s *apiServer) awaitReady(ctx context.Context, ca []byte) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("ask /readyz: %w", err)
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-s.done:
			return fmt.Errorf("it stopped while starting: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// Stop ends the API server and waits for it, but not for ever.
func (s *apiServer) Stop(grace time.Duration) {
	s.cancel()
	select {
	case <-s.done:
	case <-time.After(grace):
	}
}
