// Package evidencetest holds tests to the published schema: every line of
// evidence that a test writes goes through Validate.
package evidencetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/rcactl/rcactl/pkg/evidence"
	"github.com/rcactl/rcactl/schemas"
)

// Validate fails the test when the line is not one that the evidence schema
// takes. The line may end in a newline.
func Validate(t testing.TB, line []byte) {
	t.Helper()
	if err := Check(line); err != nil {
		t.Errorf("the line does not follow schemas/evidence.v1.json: %v\n%s", err, line)
	}
}

// Check says why a line does not follow the evidence schema; nil when it does.
func Check(line []byte) error {
	schema, err := compiled()
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return err
	}
	return schema.Validate(value)
}

//nolint:gochecknoglobals // a cache: compiling takes longer than validating
var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat = true
	c.LoadURL = noLoad
	if err := c.AddResource(evidence.Schema, bytes.NewReader(schemas.Evidence())); err != nil {
		return nil, err
	}
	return c.Compile(evidence.Schema)
})

// noLoad keeps the compiler from the network.
func noLoad(url string) (io.ReadCloser, error) {
	return nil, fmt.Errorf("%s is not embedded", url)
}
