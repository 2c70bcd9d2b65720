# SPDX-License-Identifier: Apache-2.0
# `make help` explains every target.

SHELL       := /bin/bash
.SHELLFLAGS := -o errexit -o nounset -o pipefail -c
GO          ?= go
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PAYLOAD     := pkg/runner/payload
STATIC      := CGO_ENABLED=0 $(GO) build -trimpath
# In the node program, what is not in the way of a look or a removal is built without
# inlining: almost a megabyte less to stream to each host.
SMALL       := $(foreach lib,net/... crypto/... debug/... regexp/... vendor/... github.com/cilium/ebpf/... \
               github.com/BurntSushi/toml go.yaml.in/yaml/v2 sigs.k8s.io/yaml encoding/... math/... text/... mime/... \
               archive/... compress/... log/... hash/... flag fmt os/... ./cmd/lifecycle-node/... ./pkg/prep/... ./pkg/certs/... \
               ./pkg/runner/... ./pkg/plan/... ./pkg/host/kubeadm/... ./pkg/host/etcd/... ./pkg/clean/secrecy/... \
               ./pkg/clean/control/... ./pkg/clean/etcd/... ./pkg/clean/joindate/... ./pkg/clean/devices/... \
               ./pkg/clean/hostpaths/... ./pkg/clean/disk/... ./pkg/clean/cni/... ./pkg/clean/runtime/... ./pkg/clean/inventory/... \
               ./pkg/clean/traces/... ./pkg/clean ./pkg/networks ./pkg/text ./pkg/host/cri ./pkg/host/staticpod ./pkg/host/reach \
               ./pkg/host/netlinks ./pkg/clean/part ./pkg/clean/cluster ./pkg/clean/ownership strconv,-gcflags=$(lib)=-l)
TESTBED     := cd hack/testbed && $(GO) run .
.DEFAULT_GOAL := help

.PHONY: help
help: ## Say what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: node-program ## Build the plugin with the node program inside: bin/kubectl-lifecycle
	$(STATIC) -ldflags "-s -w -X main.version=$(VERSION)" -o bin/kubectl-lifecycle ./cmd/kubectl-lifecycle
	@size=$$(stat -c %s bin/kubectl-lifecycle); \
	  [ $$size -le 90000000 ] || { echo "plugin: $$size bytes, more than 90 MB" >&2; exit 1; }

.PHONY: node-program
node-program: ## Build the node program for both architectures, to be embedded
	@for arch in amd64 arm64; do \
	  GOOS=linux GOARCH=$$arch $(STATIC) $(SMALL) -ldflags "-s -w -buildid=" -o bin/lifecycle-node-linux-$$arch ./cmd/lifecycle-node; \
	  gzip -9nc bin/lifecycle-node-linux-$$arch > $(PAYLOAD)/lifecycle-node-linux-$$arch.gz.new; \
	  mv $(PAYLOAD)/lifecycle-node-linux-$$arch.gz.new $(PAYLOAD)/lifecycle-node-linux-$$arch.gz; \
	  size=$$(stat -c %s bin/lifecycle-node-linux-$$arch); \
	  [ $$size -le $$((12 << 20)) ] || { echo "node program for $$arch: $$size bytes, more than 12 MiB" >&2; exit 1; }; \
	done

.PHONY: unit
unit: ## Test without a cluster (as root, the host's side runs in namespaces of its own)
	hack/unit.sh

.PHONY: e2e
e2e: ## Test on real clusters, which are brought up first (E2E=off leaves it out, loudly)
	hack/test.sh build testbed story-1 story-2 control

.PHONY: test
test: ## Everything: unit, e2e and lint, side by side, with all that they need, on a bare Debian machine
	hack/test.sh

.PHONY: e2e-full
e2e-full: ## The end-to-end tests with all that 'make test' leaves out because it is slow
	E2E_FULL=yes hack/test.sh build testbed story-1 story-2 control

.PHONY: e2e-cilium
e2e-cilium: build ## The life of a host with the real Cilium, which is built first (30 minutes the first time, then 15)
	hack/e2e.sh cilium

.PHONY: testbed
testbed: ## Bring up a real kind cluster without a network, and a blank host beside it
	$(TESTBED) up

.PHONY: testbed-down
testbed-down: ## Remove what 'make testbed' brought up
	$(TESTBED) down

.PHONY: demo
demo: build ## The whole circle on real nodes, each command as you would type it
	hack/demo.sh

.PHONY: bench
bench: build ## Print how fast things are, beside a peer in the same run
	hack/bench.sh

.PHONY: chaos
chaos: build ## Strike a removal and a move with every fault at every moment, and print the matrix (takes hours)
	hack/chaos.sh

.PHONY: vm
vm: ## Test the host's side once more on Debian's own kernel, in a virtual machine (IPVS)
	hack/vm.sh

.PHONY: lint
lint: ## Check the style and known vulnerabilities (golangci-lint, govulncheck, pinned in hack/tools)
	hack/lint.sh

.PHONY: fuzz
fuzz: ## Fuzz every parser of hostile input for FUZZTIME each (10m); 'make unit' tries a thousand inputs of each
	hack/fuzz.sh

.PHONY: release
release: node-program ## Build all that a release consists of into dist/: archives, packages, bills of materials, checksums, krew's files
	cd hack/release && $(GO) run . -source ../.. -out ../../dist $(if $(RELEASE_VERSION),-version $(RELEASE_VERSION))

.PHONY: release-test
release-test: ## Build for every platform, and install each with the real krew (takes minutes; 'make unit' does one platform)
	cd hack/release && RELEASE_PLATFORMS=all $(GO) test -count=1 -timeout 60m ./...

.PHONY: clean
clean: ## Remove what was built here (the test bed's cache stays)
	rm -rf bin dist $(PAYLOAD)/lifecycle-node-linux-*
