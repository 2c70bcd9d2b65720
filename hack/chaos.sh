#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The kill matrix: every fault at every moment of a removal and of a move, on a
# test bed of its own; takes hours. CHAOS_JOURNEYS, CHAOS_FAULTS and CHAOS_MOMENTS
# name parts of it, separated by commas:
#   CHAOS_JOURNEYS=remove CHAOS_FAULTS=plugin,program CHAOS_MOMENTS=mounted make chaos
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."
export TESTBED_NAME="${TESTBED_NAME:-lifecycle-chaos}"
testbed() { (cd hack/testbed && go run . "$@"); }
testbed up
eval "$(testbed env)"
go test -tags e2e,chaos -count=1 -timeout 12h -v -run '^(TestLostControlPlane|TestChaos)$' ./e2e/
[ "${E2E_KEEP:-}" = yes ] || testbed down
