package kubernetes

import (
	"encoding/json"
	"errors"
	"regexp"
)

var gitVersion = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9A-Za-z.+-]{1,64}$`)

// parseVersion reads the gitVersion of /version; empty when it is there and does
// not look like a version. Without it the answer is none of an API server.
func parseVersion(body []byte) (string, error) {
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(body, &v); err != nil || v.GitVersion == "" {
		return "", errors.Join(errWrongKind, err)
	}
	if !gitVersion.MatchString(v.GitVersion) {
		return "", nil
	}
	return v.GitVersion, nil
}
