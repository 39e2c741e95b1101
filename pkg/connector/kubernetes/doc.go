// Package kubernetes reads what a cluster remembers of its workloads: which pod
// templates they had and when, what their containers suffer, which warnings the
// cluster gave, and that ConfigMaps changed.
//
// It lists and never watches or writes; the only POST is the access review that
// asks whether a list is allowed. Pages are cut down to records as they arrive:
// values of ConfigMaps never cross the wire, and no environment value, argument
// or message leaves this package.
//
// Where to look:
//
//	config.go, discover.go  what can be configured, and what is found without
//	client.go, gate.go      one REST client; the gate lets only reads through
//	access.go, list.go      may we list it, and the pages of a list
//	workloads.go …          one file a stream
//	collect.go              the order of it all
//	state.go                what the next look is compared with
package kubernetes
