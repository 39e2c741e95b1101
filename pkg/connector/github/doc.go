// Package github reads what happened to source code: commits, merged pull requests,
// releases, deployments and the runs of workflows.
//
// It only asks with GET; the one POST is the exchange of an App's key for a token
// that may read and nothing else. Pages are cut down to records as they arrive: no
// message, title, path, login or address leaves this package.
package github
