// Package kubernetes reads what a cluster remembers of its workloads: which pod
// templates they had and when, what their containers suffer, which warnings the
// cluster gave, and what configures them: what changed of it, and who still runs
// with what was there before.
//
// It lists and never watches or writes; the only POST is the access review that
// asks whether a list is allowed. Pages are cut down to records as they arrive:
// values of ConfigMaps and Secrets are not asked for, unless the config wants their
// fingerprints, and no value, argument or message leaves this package.
//
// Where to look:
//
//	config.go, discover.go  what can be configured, and what is found without
//	client.go, gate.go      one REST client; the gate lets only reads through
//	scope.go, selector.go   which namespaces and which objects are meant
//	access.go, review.go, list.go
//	                        may we list it, and the pages of a list
//	decode.go               an answer is taken only for what it says it is
//	workloads.go, pods.go, events.go, settings.go, secrets.go
//	                        API objects cut down to records, family by family
//	managers.go, compare.go who wrote which keys, and what differs from the last look
//	gitops.go, flux.go, helm.go, managedby.go, deliver.go
//	                        what delivery tools applied, and what is theirs
//	served.go               which kinds of other makers the server knows
//	refs.go                 who names a ConfigMap or Secret, and since when it runs
//	join.go                 what belongs to which workload
//	collect.go              the order of it all
//	coverage.go, notes.go   what could not be read, and what no look can know
//	state.go                what the next look is compared with
//	dump.go, dump           a recording in place of a server
//	unreachable.go          errors in our own words
package kubernetes

//go:generate go test -run ^TestDocsAreFresh$ -count=1 . -update-docs
