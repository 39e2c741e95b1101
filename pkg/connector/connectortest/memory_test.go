package connectortest_test

import (
	"testing"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/connector/connectortest"
	"github.com/rcactl/rcactl/pkg/window"
)

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func request() connector.Request {
	return connector.Request{Window: window.Window{Start: start(), End: start().Add(time.Hour)}}
}

func TestMemoryKeepsTheContract(t *testing.T) {
	connectortest.Suite{
		New: func(*testing.T) connector.Connector {
			return &connectortest.Memory{Records: connectortest.Signals(20, start(), time.Minute)}
		},
		Request: request(),
		Planted: []string{connectortest.Planted},
	}.Run(t)
}

func TestMemoryKeepsTheContractWhenRefused(t *testing.T) {
	connectortest.Suite{
		New: func(*testing.T) connector.Connector {
			return &connectortest.Memory{Records: connectortest.Signals(20, start(), time.Minute), Trouble: connectortest.Forbidden}
		},
		Request: request(),
		Prompt:  time.Second,
	}.Run(t)
}
