#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the stages that are named, or all of them: see hack/stages. It is no child of
# "go run", which would not pass a signal on.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."
mkdir -p bin
"${GO:-go}" build -o bin/stages ./hack/stages
exec bin/stages "$@"
