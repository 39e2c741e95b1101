package redact

import "testing"

// Package collect asks under which id an event will be written before it is.
func TestTheIDOfAnEventIsKnownBefore(t *testing.T) {
	for _, policy := range []Policy{{Identifiers: Keep}, {Identifiers: Hash}} {
		r := newRedactor(t, policy)
		out, _ := redacted(t, r, rollout())
		if got := r.EventID(rollout().ID); got != out.ID() {
			t.Errorf("%s: %s, and it is written as %s", policy.Identifiers, got, out.ID())
		}
	}
}
