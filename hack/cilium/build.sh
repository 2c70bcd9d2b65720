#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the images of Cilium's agent and operator for the end-to-end tests, out of Go
# modules and Debian's packages alone (no image registry is asked), and prints the
# directory in the cache where they are, with the chart:
#
#   cilium.tar      the agent's image, for 'ctr -n k8s.io images import'
#   operator.tar    the operator's
#   chart/cilium    the module's own Helm chart, unchanged
#
# go.mod and go.sum beside this script pin all of it. What is there is not built again;
# an interrupted build goes on where it was. Needs root and mmdebstrap, which is
# installed if it is missing. Takes about 25 minutes of one processor, 3 GB of Go's
# build cache and 2 GB of its own; seconds when it is there.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")"

cache="${TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-lifecycle}/cilium"
version="$(awk '$1 == "github.com/cilium/cilium" { print $2 }' go.mod)"
# The agent runs clang alone, of the version that Cilium itself is built with, and
# gives it headers of its own: those of C and GCC's files are left out below.
packages=iptables,nftables,iproute2,conntrack,ipset,kmod,ca-certificates,curl,procps,iputils-ping,clang-19
suite=bookworm
export GOFLAGS=-mod=readonly GOWORK=off CGO_ENABLED=0

key() { cat "$@" | sha256sum | cut -c1-12; }
programs="$cache/programs-$(key go.mod go.sum <(go env GOVERSION GOARCH))"
base="$cache/base-$(key <(echo "$packages $suite" && go env GOARCH)).tar"
out="$cache/$version-$(key build.sh <(echo "$programs $base"))"
say() { echo "$(date +%T) cilium $version: $*" >&2; }

# program NAME PACKAGE [TAGS] builds a program unless it is there.
program() {
  [ ! -x "$programs/$1" ] || return 0
  say "building $1"
  mkdir -p "$programs"
  go build -trimpath -tags "osusergo${3:+,$3}" -o "$programs/$1.new" \
    -ldflags "-s -w -X 'github.com/cilium/cilium/pkg/version.ciliumVersion=${version#v} 0000000000 1970-01-01T00:00:00+00:00'" \
    "github.com/cilium/cilium/$2"
  mv "$programs/$1.new" "$programs/$1" # whole, or not there
}

build_programs() {
  program cilium-mount tools/mount
  program cilium-sysctlfix tools/sysctlfix
  program cilium-health-responder cilium-health/responder
  program cilium-cni plugins/cilium-cni
  program cilium-dbg cilium-dbg
  program cilium-agent daemon
  program cilium-operator-generic operator ipam_provider_operator
}

build_base() {
  [ ! -e "$base" ] || return 0
  if ! command -v mmdebstrap >/dev/null; then
    say "installing mmdebstrap"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring >&2
  fi
  say "bootstrapping Debian $suite for the agent's image"
  mkdir -p "$cache"
  # shellcheck disable=SC2016 # $1 is mmdebstrap's
  mmdebstrap --quiet --variant=minbase --include="$packages" \
    --customize-hook='cd "$1/usr" && rm -rf include/* lib/gcc share/doc/* share/man/* share/locale/* share/perl share/zoneinfo' \
    --customize-hook='cd "$1"/usr/lib/*-linux-gnu && rm -rf -- *.a gprofng perl libclang-19.so*' \
    --customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* && ln -sf clang-19 "$1/usr/bin/clang"' \
    "$suite" "$base.new.tar" >&2
  mv "$base.new.tar" "$base"
}

# layer FILE writes the tree in standing directory "root" as a layer.
layer() { tar --owner=0 --group=0 --sort=name -C "$work/root" -cf "$1" . && rm -rf "$work/root"; }

agent_layer() {
  local root="$work/root" name
  mkdir -p "$root/usr/bin" "$root/opt/cni/bin" "$root/var/lib/cilium"
  for name in agent dbg mount sysctlfix health-responder; do
    install -m 755 "$programs/cilium-$name" "$root/usr/bin/cilium-$name"
  done
  ln -s cilium-dbg "$root/usr/bin/cilium"
  install -m 755 "$programs/cilium-cni" "$root/opt/cni/bin/cilium-cni"
  install -m 755 "$source/images/cilium/init-container.sh" "$source"/plugins/cilium-cni/{install-plugin,cni-uninstall}.sh "$root/"
  cp -r --no-preserve=mode "$source/bpf" "$root/var/lib/cilium/bpf"
  rm -rf "$root/var/lib/cilium/bpf"/{tests,complexity-tests}
  layer "$1"
}

operator_layer() {
  local root="$work/root"
  mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/tmp"
  install -m 755 "$programs/cilium-operator-generic" "$root/usr/bin/cilium-operator-generic"
  layer "$1"
}

# pack IMAGE FILE COMMAND LAYER… writes a Docker archive (image-spec v1.2). Its layers
# are compressed, quickly rather than well: each host keeps a copy of them.
pack() {
  local image="$1" file="$2" command="$3" one digest diffs="" layers="" stage="$work/stage"
  shift 3
  mkdir "$stage"
  for one in "$@"; do
    digest="$(sha256sum "$one" | cut -d' ' -f1)"
    gzip -1n <"$one" >"$stage/$digest.tar.gz"
    diffs+="${diffs:+,}\"sha256:$digest\"" layers+="${layers:+,}\"$digest.tar.gz\""
  done
  cat >"$stage/config.json" <<JSON
{"architecture":"$(go env GOARCH)","os":"linux","config":{"Cmd":["$command"],"Env":[
"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","HUBBLE_SERVER=unix:///var/run/cilium/hubble.sock"]},
"rootfs":{"type":"layers","diff_ids":[$diffs]}}
JSON
  echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"$image\"],\"Layers\":[$layers]}]" >"$stage/manifest.json"
  (cd "$stage" && tar --owner=0 --group=0 -cf "$file" manifest.json config.json ./*.tar.gz)
  rm -rf "$stage"
}

pack_images() {
  [ ! -d "$out" ] || return 0
  say "packing the images"
  source="$(go mod download -json "github.com/cilium/cilium" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')"
  work="$(mktemp -d "$cache/.making-XXXX")"
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/out/chart"
  agent_layer "$work/agent"
  operator_layer "$work/operator"
  pack "quay.io/cilium/cilium:$version" "$work/out/cilium.tar" /usr/bin/cilium-dbg "$base" "$work/agent"
  pack "quay.io/cilium/operator-generic:$version" "$work/out/operator.tar" /usr/bin/cilium-operator-generic "$work/operator"
  cp -r --no-preserve=mode "$source/install/kubernetes/cilium" "$work/out/chart/cilium"
  mv "$work/out" "$out"
}

build_base
build_programs
pack_images
echo "$out"
