#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The end-to-end tests, each part on a test bed of its own, which is fresh, so that
# parts can run side by side. 'make e2e' and 'make test' run all but cilium.
#   hack/e2e.sh build      build what the beds are made of, and bring nothing up
#   hack/e2e.sh story-1    the first part of the story on real nodes; story-2 the second
#   hack/e2e.sh control    drains of many pods, on a control plane without nodes
#   hack/e2e.sh cilium     the real Cilium, beside kube-proxy, in its place, and in flannel's
# A bed is removed afterwards, unless E2E_KEEP=yes. E2E_RUN=REGEXP chooses tests, as
# -run does; E2E_FULL=yes draws and drains more.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."

part="${1:-}"
if [ "$(id -u)" != 0 ]; then
  echo "the e2e tests need root (Docker, kind nodes): run them as root, or leave them out with E2E=off" >&2
  exit 1
fi
testbed() { (cd hack/testbed && go run . "$@"); }

# remove takes the bed down, also after a test that failed or was ended.
remove() {
  local code=$?
  trap - EXIT
  if [ "${E2E_KEEP:-}" = yes ]; then
    echo "E2E_KEEP=yes: the bed stays. To remove it: (cd hack/testbed && TESTBED_NAME=$TESTBED_NAME go run . $* down)" >&2
  elif ! testbed "$@" down; then
    [ "$code" != 0 ] || code=1
  fi
  exit "$code"
}
trap 'exit 130' INT
trap 'exit 143' TERM

case "$part" in
build)
  testbed build
  # Compiled here, and not by both parts of the story at once.
  go list -test -export -tags e2e ./e2e/... >/dev/null
  ;;
story-[12])
  export TESTBED_NAME="${TESTBED_NAME:-lifecycle-e2e}-${part#story-}" E2E_PART="${part#story-}"
  testbed down
  trap remove EXIT
  testbed up
  eval "$(testbed env)"
  go test -tags e2e -count=1 -v -timeout 65m -run "${E2E_RUN:-.}" ./e2e/
  ;;
control)
  export TESTBED_NAME="${TESTBED_NAME:-lifecycle-e2e}"
  testbed control down
  trap 'remove control' EXIT
  testbed control up
  eval "$(testbed control env)"
  go test -tags e2e -count=1 -v -parallel 6 -timeout 45m -run "${E2E_RUN:-.}" ./e2e/control/
  ;;
cilium)
  export TESTBED_NAME="${TESTBED_NAME:-lifecycle-e2e-cilium}"
  testbed down
  trap remove EXIT
  TESTBED_CILIUM="$(hack/cilium/build.sh)"
  export TESTBED_CILIUM
  for E2E_CILIUM in ${E2E_CILIUM:-kube-proxy replacement switch}; do
    export E2E_CILIUM
    testbed down # Cilium cannot be taken off a cluster's hosts without a trace
    testbed up
    eval "$(testbed env)"
    go test -tags e2e,cilium -count=1 -v -timeout 30m -run "${E2E_RUN:-^TestCilium$}" ./e2e/
  done
  ;;
*)
  echo "usage: hack/e2e.sh build|story-1|story-2|control|cilium" >&2
  exit 2
  ;;
esac
