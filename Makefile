# rcactl's words. "make help" lists them. Everything is fetched or built from the
# Go module proxy and kept in the user's cache folder; the longer words are
# written in Go: pkg/internal/workbench.

VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT    := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
WORKBENCH := go run ./pkg/internal/workbench

.DEFAULT_GOAL := help
.PHONY: help build demo demo-live demo-record test bench fuzz lint docs check release-check

help: ## list these words
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/rcactl
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)' -o bin/rcactl ./cmd/rcactl

demo: ## do the main job on a recorded cluster: rcactl collect, manifest verify
	@$(WORKBENCH) demo

demo-live: ## the same on a cluster of its own, in which the story happens
	@$(WORKBENCH) demo-live

demo-record: ## play the story on the test API server and record it anew, for demo
	@$(WORKBENCH) demo-record

test: ## run all tests, none skipped, on a real API server (first time: about 10 minutes of building)
	@$(WORKBENCH) test

bench: ## run the benchmarks
	@$(WORKBENCH) bench

fuzz: ## run each fuzz target for a few seconds
	@$(WORKBENCH) fuzz

lint: ## run golangci-lint with .golangci.yml
	@$(WORKBENCH) lint

docs: ## generate what is generated: schemas, reference pages
	go generate ./...

check: ## what CI runs: docs are fresh, go.mod is tidy, lint, fuzz, test
	@$(WORKBENCH) check

release-check: ## check goreleaser.yaml with goreleaser itself (heavy to build, so apart)
	@$(WORKBENCH) release-check
