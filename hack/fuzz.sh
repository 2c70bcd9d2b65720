#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Feeds the parsers of hostile input with generated input.
#   hack/fuzz.sh            each target for FUZZTIME (10m), guided by coverage
#   hack/fuzz.sh quick      each target with 1,000 inputs, on the ordinary test binary
# FUZZ=REGEXP chooses targets by name. An input that fails is kept by Go below
# testdata/fuzz of its package: commit it, and every later test run tries it.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."
mode="${1:-long}" wanted="${FUZZ:-.}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# targets lists all targets, as lines of a directory and a name.
targets() {
  grep -roE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' cmd pkg |
    sed -E 's|^(.*)/[^/]*_test.go:func (.*)$|\1 \2|' | awk -v wanted="$wanted" '$2 ~ wanted' | sort -u
}

# brief tries one target with few inputs, by one worker: it is the start of the
# processes that takes the time, so targets run side by side.
brief() {
  local dir="$1" name="$2" log="$work/${1//\//-}-$2.log"
  if (cd "$dir" && "$work/bin/${dir//\//-}.test" -test.run '^$' -test.fuzz "^$name\$" -test.fuzztime 1000x \
    -test.parallel 1 -test.fuzzcachedir "$work/cache") >"$log" 2>&1; then
    echo "fuzz $dir $name"
  else
    echo "FAILED: fuzz $dir $name"
    cat "$log"
    echo "$dir $name" >>"$work/failed"
  fi
}

# build makes one test binary of each package with a target.
build() {
  mkdir -p "$work/bin"
  cut -d' ' -f1 "$work/targets" | sort -u | while read -r dir; do
    go test -c -o "$work/bin/${dir//\//-}.test" "./$dir"
  done
}

targets >"$work/targets"
[ -s "$work/targets" ] || { echo "no fuzz target is called like $wanted" >&2; exit 1; }
if [ "$mode" = quick ]; then
  build
  export work
  export -f brief
  xargs -P "$(nproc)" -L 1 bash -c 'brief "$1" "$2"' brief <"$work/targets"
else
  while read -r dir name; do
    echo "fuzz $dir $name"
    go test "./$dir" -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-10m}" || echo "$dir $name" >>"$work/failed"
  done <"$work/targets"
fi

if [ -s "$work/failed" ]; then
  sed 's/^/fuzzing found a fault: /' "$work/failed" >&2
  exit 1
fi
echo "$(wc -l <"$work/targets") fuzz targets, no fault"
