// Package pkg holds the rooms of rcactl.
//
// These packages serve the rcactl command and promise nothing to other
// importers before v1. What each room is for, and which other rooms it may
// import, is written down as data in testdata/rooms.yaml and enforced by a
// test in cmd/rcactl.
package pkg
