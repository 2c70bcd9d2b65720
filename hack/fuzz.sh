#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Feeds the parsers of hostile input with what nobody thought of.
#   hack/fuzz.sh            each target for FUZZTIME (10m), guided by coverage
#   hack/fuzz.sh quick      each target with 1,000 inputs, on the ordinary test binary
# FUZZ=REGEXP chooses targets by name. An input that fails is kept by Go below
# testdata/fuzz of its package: commit it, and every later test run tries it.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."
mode="${1:-long}" wanted="${FUZZ:-.}" failed=() count=0
build="$(mktemp -d)"
trap 'rm -rf "$build"' EXIT

# targets lists the targets of a package's directory.
targets() { grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$1"/*_test.go | cut -c6- | grep -E "$wanted" | sort; }

while read -r dir; do
  names="$(targets "$dir" || true)"
  [ -n "$names" ] || continue
  if [ "$mode" = quick ]; then
    go test -c -o "$build/fuzz.test" "./$dir"
  fi
  for name in $names; do
    count=$((count + 1))
    echo "fuzz $dir $name"
    if [ "$mode" = quick ]; then
      (cd "$dir" && "$build/fuzz.test" -test.run '^$' -test.fuzz "^$name\$" -test.fuzztime 1000x -test.fuzzcachedir "$build/cache") >"$build/log" 2>&1 ||
        { cat "$build/log"; failed+=("$dir $name"); }
    else
      go test "./$dir" -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-10m}" || failed+=("$dir $name")
    fi
  done
done < <(grep -rlE '^func Fuzz' --include='*_test.go' cmd pkg | xargs -n1 dirname | sort -u)

if [ ${#failed[@]} -gt 0 ]; then
  printf 'fuzzing found a fault: %s\n' "${failed[@]}" >&2
  exit 1
fi
[ "$count" -gt 0 ] || { echo "no fuzz target is called like $wanted" >&2; exit 1; }
echo "$count fuzz targets, no fault"
