//go:build !unix

package kubernetes

import "testing"

// makeFIFO gives a folder where there are no pipes in the file system.
func makeFIFO(t *testing.T) string { return t.TempDir() }
