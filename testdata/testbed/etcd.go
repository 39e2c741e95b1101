package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
)

// startTries is how often etcd is started with other ports. etcd takes
// addresses, not listeners, so a port found free can be gone when etcd binds it;
// on a busy machine that is about one start in six.
const startTries = 8

// etcdQuota keeps big-data tests (thousands of Deployments) below etcd's limit.
const etcdQuota = 4 << 30

// etcdServer is the running etcd.
type etcdServer struct {
	*embed.Etcd
	clientURL string
}

// startEtcd starts a single-member etcd on loopback and waits until it serves.
func startEtcd(ctx context.Context, dir, logFile string) (*etcdServer, error) {
	var lastErr error
	for range startTries {
		// What a half-started member wrote names ports that are not ours.
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("clear the data directory: %w", err)
		}
		srv, err := startEtcdOnce(ctx, dir, logFile)
		if err == nil {
			return srv, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
		lastErr = err
	}
	return nil, fmt.Errorf("no free port in %d tries: %w", startTries, lastErr)
}

func startEtcdOnce(ctx context.Context, dir, logFile string) (*etcdServer, error) {
	client, err := freeURL()
	if err != nil {
		return nil, err
	}
	peer, err := freeURL()
	if err != nil {
		return nil, err
	}
	cfg := embed.NewConfig()
	cfg.Dir = dir
	cfg.LogLevel = "warn"
	cfg.LogOutputs = []string{logFile + ".etcd"}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.UnsafeNoFsync = true // the data die with the process
	cfg.QuotaBackendBytes = etcdQuota

	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	select {
	case <-e.Server.ReadyNotify():
		return &etcdServer{Etcd: e, clientURL: client.String()}, nil
	case err := <-e.Err():
		e.Close()
		return nil, err
	case <-ctx.Done():
		e.Close()
		return nil, ctx.Err()
	}
}

// freeURL is a loopback address that was free a moment ago.
func freeURL() (url.URL, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return url.URL{}, fmt.Errorf("find a free port: %w", err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return url.URL{}, fmt.Errorf("free the port again: %w", err)
	}
	return url.URL{Scheme: "http", Host: addr}, nil
}
