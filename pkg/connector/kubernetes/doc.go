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
//	kinds.go                every kind that is read, and when
//	scope.go, selector.go   which namespaces and which objects are meant
//
// Asking:
//
//	client.go, gate.go, plugin.go
//	                        one REST client; the gate lets only reads through
//	identity.go, version.go, health.go
//	                        which cluster it is, what is asked of it, whether it answers
//	access.go, review.go, list.go, ahead.go
//	                        may we list it, and the pages of a list
//	served.go               which kinds of other makers the server knows
//	decode.go               an answer is taken only for what it says it is
//	unreachable.go          errors in our own words
//	dump.go, dump_survey.go, dump_probe.go, package dump
//	                        a recording in place of a server: how it is read, what
//	                        it holds and when it was made, and what one object is
//
// Cutting down:
//
//	names.go                which names may be written down
//	workloads.go, runs.go, autoscalers.go
//	                        what runs pods, and what scales it
//	template.go, fields.go  pod templates, whole and field by field
//	claims.go               from which commit and repository they say they were built
//	pods.go, posture.go     what containers suffer, and what they asked for
//	events.go, messages.go, signalfacts.go, fold.go
//	                        Events, what their messages tell, and which tell of what
//	                        a pod's status tells too
//	nodes.go                what nodes are and suffer
//	settings.go, secrets.go, managers.go, fieldset.go, allowlist.go
//	                        what configures, who wrote which keys of it, and which
//	                        labels and annotations count
//	pullsecrets.go          credentials for pulling images, read only when asked for
//	gitops.go, flux.go, helm.go, managedby.go
//	                        what delivery tools applied, and what is theirs
//
// Tying together and telling:
//
//	collect.go, jobs.go     the order of it all, and the lists side by side
//	join.go, refs.go, deliver.go
//	                        what belongs to which workload, who names a ConfigMap or
//	                        Secret and since when it runs, what a tool manages
//	coverage.go, notes.go   what could not be read, and what no look can know
//
// Two looks:
//
//	state.go, remember.go   what the next look is compared with, read and written
//	looks.go                when this run looked, and what can be compared
//	recall.go, compare.go   what the last look knew of workloads and of settings
package kubernetes

//go:generate go test -run ^TestDocsAreFresh$ -count=1 . -update-docs
