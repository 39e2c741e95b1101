// Package github reads what happened to source code: commits, merged pull requests,
// releases, deployments and the runs of workflows.
//
// It only asks with GET; the one POST is the exchange of an App's key for a token
// that may read and nothing else. Pages are cut down to records as they arrive: no
// message, title, path, login or address leaves this package.
//
// Where to look:
//
//	config.go, discover.go, remote.go, names.go
//	                        what can be configured, what is found without, and which
//	                        repositories are meant
//	capabilities.go, permissions.go
//	                        what is read, and what that needs
//
// Asking:
//
//	client.go, transport.go, actions.go
//	                        the one door for requests, and what went through it
//	token.go, app.go        as whom it asks
//	endpoint.go             where the API is
//	limits.go, errors.go    when to stop, and errors in our own words
//	identity.go, health.go  which GitHub it is, whether it answers
//	ask.go                  one answer, and the pages of a list
//
// Reading:
//
//	source.go, look.go      the order of it all; what a run asks for, and what it need not
//	repository.go           one repository, whatever it is called now
//	commits.go, details.go  what is new on branches, and what it touched
//	pulls.go, releases.go, deployments.go, runs.go
//	                        the other streams
//	coverage.go             what could not be read
//	state.go                what the next run is to know
//
// Cutting down:
//
//	summary.go              a commit
//	message.go, people.go   its message, and who made it
//	categories.go, glob.go, risks.go
//	                        its files by kind, and where to look first
//
// Answering:
//
//	resolve.go, ranges.go   what a revision names, what lies between two commits
package github

//go:generate go test -run ^TestDocsAreFresh$ -count=1 . -update-docs
