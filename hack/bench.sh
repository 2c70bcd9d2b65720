#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How fast things are, beside a peer in the same run. It prints and judges no time: what a
# machine does today is not what it did yesterday. A ratio within one run is judged: the
# plugin starts no slower than kubectl.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."

plugin=$PWD/bin/kubectl-lifecycle
[ -x "$plugin" ] || { echo "there is no $plugin: run 'make bench', which builds it first" >&2; exit 1; }

ms() { echo $(( ${EPOCHREALTIME/[.,]/} / 1000 )); }

# since MILLISECONDS: the time gone by, in seconds.
since() { awk -v ms=$(( $(ms) - $1 )) 'BEGIN { printf "%.1f s", ms / 1000 }'; }

# median FILE: of microseconds, in milliseconds.
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { printf "%.1f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2000 }'; }

# timed FILE COMMAND…: one run, its microseconds appended.
timed() {
  local file=$1 from=${EPOCHREALTIME/[.,]/}
  shift
  "$@" >/dev/null 2>&1
  echo $(( ${EPOCHREALTIME/[.,]/} - from )) >>"$file"
}

# start_up compares the two by turns, so that both meet the same machine.
start_up() {
  local runs=${BENCH_RUNS:-31} kubectl=$1 i
  for i in 1 2 3; do # warm the page cache
    "$plugin" version >/dev/null
    [ -z "$kubectl" ] || "$kubectl" version --client >/dev/null
  done
  for ((i = 0; i < runs; i++)); do
    timed "$work/ours" "$plugin" version
    [ -z "$kubectl" ] || timed "$work/theirs" "$kubectl" version --client
  done
  echo "start-up, median of $runs runs"
  printf '  %-32s %8s ms\n' "kubectl-lifecycle version" "$(median "$work/ours")"
  if [ -n "$kubectl" ]; then
    printf '  %-32s %8s ms   (%s, %s)\n' "kubectl version --client" "$(median "$work/theirs")" \
      "$kubectl" "$("$kubectl" version --client 2>/dev/null | awk 'NR == 1 { print $NF }')"
    # A tenth is what two medians of the same program differ by.
    if awk -v ours="$(median "$work/ours")" -v theirs="$(median "$work/theirs")" 'BEGIN { exit !(ours > theirs * 1.1) }'; then
      slow="the plugin starts slower than kubectl"
    fi
  else
    echo "  no kubectl here to compare with"
  fi
}

sizes() {
  local arch
  printf '%s\n  %-32s %8s MiB\n' "plugin (at most 90 MB)" "linux/$(go env GOARCH)" "$(mib "$plugin")"
  echo "node program (at most 12 MiB each)"
  for arch in amd64 arm64; do
    printf '  linux/%-26s %8s MiB, %s MiB as it is embedded\n' "$arch" \
      "$(mib "bin/lifecycle-node-linux-$arch")" "$(mib "pkg/runner/payload/lifecycle-node-linux-$arch.gz")"
  done
}

mib() { stat -c %s "$1" | awk '{ printf "%.1f", $1 / 1048576 }'; }

# removal times "remove" of a drained worker. The worker is a host of its own,
# so that the bed is afterwards as it was.
removal() {
  local node="bench-$$" from
  echo "remove of a drained worker, on test bed $TESTBED_NAME"
  (cd hack/testbed && go run . blank "$node") >"$work/log" 2>&1 || give_up "no blank host"
  made=$node
  command=$("$plugin" join -o command --node-name "$node" 2>"$work/log") || give_up "no join command"
  # shellcheck disable=SC2086 # words and flags, made to be split
  docker exec "$node" $command >>"$work/log" 2>&1 || give_up "the host did not join"
  await_pods "$node" >>"$work/log" 2>&1 || give_up "nothing runs on the node"
  "$plugin" drain "$node" --ignore-daemonsets --timeout 2m >>"$work/log" 2>&1 || give_up "the drain did not end"
  from=$(ms)
  "$plugin" remove "$node" --yes >>"$work/log" 2>&1 || give_up "the removal failed"
  printf '  %-32s %10s\n' "kubectl-lifecycle remove" "$(since "$from")"
}

# await_pods waits until the node's own pods run: kube-proxy, and the
# network's where there is one. A node without a network stays NotReady.
await_pods() {
  "$TESTBED_KUBECTL" wait --for=create "node/$1" --timeout=60s
  "$TESTBED_KUBECTL" wait --for=condition=Ready "node/$1" --timeout=60s || true
  "$TESTBED_KUBECTL" wait --for=condition=Ready pods -n kube-system -l k8s-app=kube-proxy \
    --field-selector "spec.nodeName=$1" --timeout=60s
}

# drains compares drains with kubectl's, its library's and the fastest possible,
# on a control plane of its own.
drains() {
  local name="bench-$$"
  (cd hack/testbed && TESTBED_NAME=$name go run . control up) >"$work/log" 2>&1 || give_up "no control plane"
  plane=$name
  eval "$(cd hack/testbed && TESTBED_NAME=$name go run . control env)"
  go test -v -tags e2e,bench -count=1 -timeout 90m -run TestBench ./e2e/control/ | measurements
}

# drains_of_a_real_node does the same on the test bed's worker.
drains_of_a_real_node() {
  go test -v -tags e2e,bench -count=1 -timeout 90m -run TestBench ./e2e/ | measurements
}

# measurements leaves out what only says that a test ran.
measurements() { grep -vE '^(=== |--- PASS|PASS$|ok  )' || true; }

plan_of_a_big_cluster() {
  echo "drain --plan on recorded lists of 5,000 nodes and 150,000 pods (to be 2 s and 150 MB at most)"
  go test -run '^$' -bench PlanOfABigCluster -benchtime 5x ./cmd/kubectl-lifecycle |
    awk '/^Benchmark/ { sub(/.*\//, "", $1); sub(/_nodes-.*/, "", $1)
      printf "  %-32s %8.2f s, %4.0f MiB\n", $1 " of the nodes drained", $7, $5 }'
}

# cleaning compares the cleaning of a host with what how-tos have people type.
cleaning() {
  echo "cleaning of a host beside the how-to's shell (to be 10 times faster; an inventory 1 s at most)"
  BENCH_OUT=$work/cleaning go test -tags bench -count=1 -timeout 30m -run TestBench ./pkg/clean >"$work/log" 2>&1 ||
    give_up "the host could not be cleaned"
  cat "$work/cleaning"
}

give_up() {
  echo "  not measured: $1. Its last lines:" >&2
  tail -n 12 "$work/log" | sed 's/^/  | /' >&2
  exit 1
}

made= command= plane= slow=
work=$(mktemp -d)
# tidy leaves the bed as it was, whatever has happened: no host, Node, record
# or token of ours.
tidy() {
  rm -rf "$work"
  [ -z "$plane" ] || (cd hack/testbed && TESTBED_NAME=$plane go run . control down) >/dev/null 2>&1
  [ -n "$made" ] || return 0
  local token=${command#*--token }
  "$TESTBED_KUBECTL" delete -n kube-system --ignore-not-found --wait=false \
    secret "lifecycle-$made" "bootstrap-token-${token%%.*}" >/dev/null || true
  "$TESTBED_KUBECTL" delete --ignore-not-found node "$made" >/dev/null || true
  (cd hack/testbed && go run . blank --rm "$made") >/dev/null 2>&1 ||
    echo "the host $made is still there: cd hack/testbed && go run . blank --rm $made" >&2
}
trap tidy EXIT

bed=
if (cd hack/testbed && go run . status) >/dev/null 2>&1; then
  bed=$(cd hack/testbed && go run . env)
  eval "$bed"
fi
# The bed's kubectl is the real one; on the PATH it may be a distribution's wrapper.
start_up "${TESTBED_KUBECTL:-$(command -v kubectl || true)}"
sizes
if [ -n "$bed" ]; then
  removal
  drains_of_a_real_node
else
  echo "drains of a real node, remove of a drained worker: not measured, no test bed is up ('make testbed')"
fi
plan_of_a_big_cluster
cleaning
drains
[ -z "$slow" ] || { echo "OVER BUDGET: $slow" >&2; exit 1; }
