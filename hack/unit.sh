#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The unit tests. The host's side is tested as root in mount and network
# namespaces of its own, and needs iptables, nft and ip for that.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" = 0 ]; then
  missing=()
  for tool in iptables:iptables nft:nftables ip:iproute2; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || { echo "install ${missing[*]} first" >&2; exit 1; }
    echo "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
else
  echo "NOT TESTED: the host's side (mounts, links, packet filter) needs root" >&2
fi
# 'go test' runs the part of vet that finds faults; 'make lint' runs all of it.
# Tests of the host's side mostly wait, so more of them than there are processors run.
go test -timeout 50m -parallel "$((2 * $(nproc)))" ./...
hack/fuzz.sh quick
(cd hack/testbed && go test ./...)
# One platform; 'make release-test' does the same for all.
(cd hack/release && go test ./...)
