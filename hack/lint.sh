#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks the style of all Go code, that of the modules in hack/ too, and asks about
# known vulnerabilities. The linter is built once for each version of it, which takes
# minutes, and kept in the cache.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."

cache="${TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-lifecycle}/tools"
key="$(cat hack/tools/go.mod hack/tools/go.sum <(go env GOVERSION) | sha256sum | cut -c1-12)"

# tool NAME PACKAGE builds a tool unless it is there, and prints its path.
tool() {
  local path="$cache/$1-$key"
  if [ ! -x "$path" ]; then
    echo "building $1" >&2
    mkdir -p "$cache"
    (cd hack/tools && go build -o "$path.$$" "$2")
    mv "$path.$$" "$path" # whole, or not there
  fi
  echo "$path"
}

linter="$(tool golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint)"
# Two runs at a time would be refused: another checkout may be at it.
"$linter" run --allow-parallel-runners ./...
for module in testbed release; do
  (cd "hack/$module" && "$linter" run --allow-parallel-runners --config ../../.golangci.yml ./...)
done

# Where the database cannot be reached (no internet) it says so and goes on.
checker="$(tool govulncheck golang.org/x/vuln/cmd/govulncheck)"
code=0
said="$("$checker" ./... 2>&1)" || code=$?
if [ "$code" != 0 ] && grep -qE '^govulncheck: (fetching vulnerabilities|loading vulnerabilit)' <<<"$said"; then
  echo "NOT CHECKED: known vulnerabilities; the database cannot be reached: ${said##*$'\n'}" >&2
  exit 0
fi
echo "$said"
exit "$code"
