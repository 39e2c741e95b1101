// Package config finds, reads and checks the config file.
//
// Find says which file is used. Parse reads it strictly and reports everything
// that is wrong with it at once, each with line and column: it never stops at
// the first. Neither needs a network, a clock or the environment, so that a
// config can be checked in a pull request.
//
//	found, err := config.Find(config.Search{Flag: flag, Env: env, UserDir: dir})
//	cfg, problems := config.Parse(found.Path, found.Data, types)
//	if problems.Errors() > 0 { ... }
//
// The form of the file is schemas/config.v1.json, which editors read too. A
// JSON Schema cannot say everything, and its errors are not written for people:
// this package words them, reads durations and references, and lets each
// connector check its own part. It does not import the connectors: the caller
// hands in Types, which makes an empty config for a type.
//
// A credential in the file is an error that does not show it. Nothing that is
// quoted from a file where a credential belongs, or may belong, reaches a
// Problem.
package config
