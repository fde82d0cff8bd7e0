# Penstock's workbench. `make help` lists what there is.
#
# A fresh Debian with Go, make and git is enough: every tool is pinned in a
# module of its own under tools/ and compiled once, without a C compiler, into
# .cache/bin.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The contract that api/management.yaml has to stay compatible with.
SEED ?= ../shared/contract/management.seed.yaml
# How long every fuzz target runs in `make fuzz`.
FUZZTIME ?= 1m
# How long every crash and failover story runs in `make soak`: a span, or rounds
# as in 200x.
DURATION ?= 10m
# What `make test` tests, and what is added to its command line.
PACKAGES ?= ./...
TESTFLAGS ?=

## Tools ######################################################################

# A tool is known by its version and by the Go that compiled it: a linter built
# by an older Go refuses newer code.
TOOLS_BIN := .cache/bin/$(shell go env GOVERSION)
tool_version = $(shell awk '$$1 == "$(2)" { print $$2 }' tools/$(1)/go.mod)
tool_binary = $(TOOLS_BIN)/$(1)-$(call tool_version,$(1),$(2))

GOFUMPT := $(call tool_binary,gofumpt,mvdan.cc/gofumpt)
GOLANGCI_LINT := $(call tool_binary,golangci-lint,github.com/golangci/golangci-lint/v2)
OAPI_CODEGEN := $(call tool_binary,oapi-codegen,github.com/oapi-codegen/oapi-codegen/v2)
OASDIFF := $(call tool_binary,oasdiff,github.com/oasdiff/oasdiff)
SQLC := $(call tool_binary,sqlc,github.com/sqlc-dev/sqlc)

# sqlc without cgo brings PostgreSQL's parser as WebAssembly: slower by a
# second or two, and no C compiler is needed.
define tool_rule
$($(1)): tools/$(2)/go.mod tools/$(2)/go.sum
	@echo "building $$(@F)"
	@mkdir -p $$(@D)
	@cd tools/$(2) && CGO_ENABLED=0 go build -trimpath -o $$(abspath $$@) $(3)
	@touch $$@
endef

$(eval $(call tool_rule,GOFUMPT,gofumpt,mvdan.cc/gofumpt))
$(eval $(call tool_rule,GOLANGCI_LINT,golangci-lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint))
$(eval $(call tool_rule,OAPI_CODEGEN,oapi-codegen,github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen))
$(eval $(call tool_rule,OASDIFF,oasdiff,github.com/oasdiff/oasdiff))
$(eval $(call tool_rule,SQLC,sqlc,github.com/sqlc-dev/sqlc/cmd/sqlc))

.PHONY: tools
tools: $(GOFUMPT) $(GOLANGCI_LINT) $(OAPI_CODEGEN) $(OASDIFF) $(SQLC) ## Compile the pinned tools into .cache/bin (minutes, once)

## Generated code #############################################################

.PHONY: generate generate-api generate-sql generate-go
generate: generate-api generate-sql generate-go ## Write all generated code anew

# api/NAME.cfg.yaml and api/NAME.*.cfg.yaml say what is made of api/NAME.yaml.
generate-api: $(OAPI_CODEGEN)
	@for config in api/*.cfg.yaml; do \
		name=$${config#api/}; \
		echo "oapi-codegen $$config"; \
		$(OAPI_CODEGEN) -config "$$config" "api/$${name%%.*}.yaml"; \
	done

# sqlc leaves the code of queries that are gone; so what there was goes first,
# once it is known that the queries compile.
generate-sql: $(SQLC)
	@echo "sqlc internal/store/sqlc.yaml"
	@$(SQLC) compile --no-remote --file internal/store/sqlc.yaml
	@find internal/store -name '*.sql.go' -delete
	@$(SQLC) generate --no-remote --file internal/store/sqlc.yaml

generate-go:
	@go generate ./...

## Checks #####################################################################

.PHONY: check
.NOTPARALLEL: check # nothing reads code while it is being written
check: check-generated lint test contract ## Everything that has to hold before a merge

# Generated files say so in a line; what is new and what is gone count too.
.PHONY: check-generated
check-generated: generate
	@files=$$(git ls-files --cached --others --exclude-standard -- '*.go' | { xargs -r grep -lsE '^// Code generated .* DO NOT EDIT\.$$' || true; }); \
	gone=$$(git ls-files --deleted -- '*.gen.go' '*.sql.go'); \
	changed=$$(git status --porcelain --untracked-files=all -- $$files $$gone); \
	if [ -n "$$changed" ]; then \
		echo "$$changed"; git --no-pager diff -- $$files; \
		echo "generated code is not what is committed: run 'make generate' and commit the result" >&2; \
		exit 1; \
	fi

.PHONY: lint
lint: $(GOLANGCI_LINT) $(GOFUMPT) ## golangci-lint and gofumpt
	@unformatted=$$($(GOFUMPT) -l .); \
	if [ -n "$$unformatted" ]; then \
		echo "not formatted by gofumpt; 'make format' mends:" >&2; echo "$$unformatted" >&2; exit 1; \
	fi
	@$(GOLANGCI_LINT) run ./...

.PHONY: format
format: $(GOFUMPT) ## Format all Go code
	@$(GOFUMPT) -l -w .

# The race detector needs cgo, and cgo a C compiler. Where there is none, root
# gets one by apt-get; anybody else tests without the detector and is told so.
# PostgreSQL the tests find, or get, themselves: see internal/store/postgres/pgtest.
# Of a browser, and of Node.js for the provider that people sign in with in the
# tests, the same holds as of the compiler: without them those tests say so.
#
# SQLite itself is C, translated to Go that computes with pointers: looking for
# races in each of its steps, and at each of its pointers, took a third of the
# time. Its driver, through which everything of ours passes, is looked at.
RACE := -race -gcflags='modernc.org/sqlite/lib=-race=false -d=checkptr=0'
.PHONY: test
test: ## All tests, with the race detector where a C compiler is to be had
	@missing=; \
	command -v chromium >/dev/null || missing="chromium"; \
	command -v npm >/dev/null || missing="$$missing nodejs npm"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing for the tests of signing in: $$missing"; \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $$missing; } >/dev/null || true; \
	fi
	@if ! command -v "$$(go env CC)" >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "no C compiler: installing gcc for the race detector"; \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends gcc libc6-dev; } >/dev/null || true; \
	fi; \
	if command -v "$$(go env CC)" >/dev/null; then \
		CGO_ENABLED=1 go test $(RACE) -timeout 5m $(TESTFLAGS) $(PACKAGES); \
	else \
		echo "WITHOUT THE RACE DETECTOR: no C compiler found; install gcc to have races looked for"; \
		go test -timeout 5m $(TESTFLAGS) $(PACKAGES); \
	fi

# oasdiff ends with 0 whatever it finds unless told when to fail; WARN takes
# errors and warnings. api/oasdiff-levels.txt raises what it merely mentions
# and we promise to keep: operation ids, fields, enum values, statuses.
.PHONY: contract
contract: $(OASDIFF) ## Compare api/management.yaml with the contract given in SEED
	@if [ -f "$(SEED)" ]; then \
		$(OASDIFF) breaking --fail-on WARN --severity-levels api/oasdiff-levels.txt --allow-external-refs=false "$(SEED)" api/management.yaml; \
	else \
		echo "contract check skipped: its input $(SEED) is not at hand (SEED=path names another)"; \
	fi

## More #######################################################################

# Real machines under a libvirtd of the tests' own: as root, for the namespaces
# that hold it. What is missing comes from Debian; see test/libvirt/run.sh. There
# is no network inside, and so what Go needs is fetched before.
LIBVIRT_PACKAGES ?= ./internal/engine/libvirt/... ./test/libvirt/...
.PHONY: test-libvirt
test-libvirt: ## Test real machines, from a tenant's request on (root, Debian)
	go mod download
	test/libvirt/run.sh go test -v -count=1 -p 1 -timeout 15m $(TESTFLAGS) $(LIBVIRT_PACKAGES)

.PHONY: build
build: ## Compile bin/penstock
	CGO_ENABLED=0 go build -trimpath -o bin/penstock ./cmd/penstock

.PHONY: bench
bench: ## Measure the API against a bare handler
	go run ./test/bench

# They run side by side, since they wait more than they work; -v tells the seeds.
.PHONY: soak
soak: ## Run all crash and failover stories for DURATION (default 10m)
	PENSTOCK_TEST_SOAK=$(DURATION) go test -count=1 -p 8 -timeout 0 -v -run '^TestSoak' $(PACKAGES)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (default 1m)
	@for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' "$$package" | { grep '^Fuzz' || true; }); do \
			echo "fuzz $$package $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$package"; \
		done; \
	done

.PHONY: help
help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
