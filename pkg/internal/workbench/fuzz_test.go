package main

import "testing"

func TestTheEndOfTheTimeIsNoFinding(t *testing.T) {
	const ended = "fuzz: elapsed: 21s, execs: 1 (0/sec)\n--- FAIL: FuzzX (21.04s)\n    context deadline exceeded\nFAIL\nexit status 1\nFAIL\texample.com/x\t21.1s\n"
	for output, want := range map[string]bool{
		ended:                        true,
		"ok  \texample.com/x\t20s\n": false,
		"--- FAIL: FuzzX (3s)\n    --- FAIL: FuzzX (0.00s)\n        x_test.go:1: context deadline exceeded\n    \n    Failing input written to testdata/fuzz/FuzzX/1\nFAIL\n": false,
		"--- FAIL: FuzzX (3s)\n    fuzzing process hung or terminated unexpectedly: exit status 2\nFAIL\n":                                                                    false,
		"panic: x\nFAIL\n": false,
	} {
		if got := onlyTimeWasUp(output); got != want {
			t.Errorf("%v for %q", got, output)
		}
	}
}
