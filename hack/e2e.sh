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

log="$(mktemp)"
trap 'rm -f "$log"' EXIT

# tested runs tests that say much, and says last what failed: whoever sees only
# the end of it needs that. What a test tells beside that begins with "$ ", "| ".
tested() {
  local code=0
  go test -tags e2e -count=1 -v "$@" 2>&1 | tee "$log" || code=$?
  [ "$code" = 0 ] && return 0
  echo "############ what failed"
  awk '/^ *(=== |--- |FAIL|PASS|ok )/ { more = 0 } /^ *--- FAIL/
    / [a-z0-9_]+_test\.go:[0-9]+: / { more = /_test\.go:[0-9]+: [$|] / ? 0 : 12 } more-- > 0' "$log" | cut -c1-400 | sed -n 1,100p
  return "$code"
}

# First the cluster of real nodes, which is what counts most; then drains of
# thousands of pods, on a control plane without nodes.
testbed down
testbed up
eval "$(testbed env)"
tested -timeout 45m ./e2e/
down
testbed control down
testbed control up
eval "$(testbed control env)"
tested -parallel 6 -timeout 30m ./e2e/control/
down control
