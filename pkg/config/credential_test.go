package config

import (
	"strings"
	"testing"
)

func TestCredentialsAmongKeys(t *testing.T) {
	want := map[string]bool{
		"": false, "connectors": false, "default_since": false, "kubernetes/prod-eu-west-1": false, "terminationGracePeriodSeconds": false,
		"kubernetes/shop-checkout-2026-11-22": false, "maxObjects": false, "[3]": false,
		"ghp_" + strings.Repeat("a1B2", 9): true, "password=hunter22": true, "https://a:secret@host": true,
		"9f86d081884c7d659a2feaa0c55ad015": true, "qZxJvKwPtLmNbRfGhYsD": true, strings.Repeat("word_", 14): true,
		"kubernetes/" + strings.Repeat("a", 63): false,
	}
	keys := map[string]bool{}
	for key := range want {
		keys[key] = true
	}
	hidden := credentials(keys)
	for key, hide := range want {
		if hidden[key] != hide {
			t.Errorf("%q: hidden is %v", key, hidden[key])
		}
	}
}
