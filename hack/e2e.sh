#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The end-to-end tests, on a real cluster that is brought up first. A fresh
# cluster each time: the tests take it from no network to the whole circle.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."

if [ "${E2E:-on}" = off ]; then
  echo "############################################################" >&2
  echo "# NOT TESTED: E2E=off. No real kubelet was touched: nothing" >&2
  echo "# is known about join, drain, inspect, remove on a node.    " >&2
  echo "############################################################" >&2
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "the e2e tests need root (Docker, kind nodes); run as root, or give E2E=off to leave them out" >&2
  exit 1
fi
export TESTBED_NAME="${TESTBED_NAME:-lifecycle-e2e}"
testbed() { (cd hack/testbed && go run . "$@"); }
down() { [ "${E2E_KEEP:-}" = yes ] || testbed "$@" down; }

# First the cluster of real nodes, which is what counts most; then drains of
# thousands of pods, on a control plane without nodes.
testbed down
testbed up
eval "$(testbed env)"
go test -tags e2e -count=1 -timeout 45m -v ./e2e/
down
testbed control down
testbed control up
eval "$(testbed control env)"
go test -tags e2e -count=1 -parallel 6 -timeout 30m -v ./e2e/control/
down control
