package kubernetes

import (
	"net/http"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// quietPlugin keeps a credential plugin of the kubeconfig from our standard
// input: nobody may be there to answer, and a question would wait for ever.
// client-go binds the plugin's standard error to ours when it makes the client,
// with no way to say otherwise; docs/decisions/005 says what that means.
func quietPlugin(plugin *clientcmdapi.ExecConfig) *clientcmdapi.ExecConfig {
	if plugin == nil {
		return nil
	}
	quiet := plugin.DeepCopy()
	quiet.StdinUnavailable = true
	quiet.StdinUnavailableMessage = "rcactl asks nothing"
	return quiet
}

// impatient gives up a request when its context ends. client-go runs a
// credential plugin within a request and heeds no context while it runs. What
// was given up goes on in the background until the plugin ends, which client-go
// cannot be told to stop.
type impatient struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (i *impatient) RoundTrip(req *http.Request) (*http.Response, error) {
	type outcome struct {
		resp  *http.Response
		err   error
		panic any
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			o.panic = recover()
			done <- o
		}()
		o.resp, o.err = i.next.RoundTrip(req)
		if o.err == nil && req.Context().Err() != nil {
			_ = o.resp.Body.Close()
		}
	}()
	select {
	case o := <-done:
		if o.panic != nil {
			panic(o.panic) // in the caller's goroutine, where it can be contained
		}
		return o.resp, o.err
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}
