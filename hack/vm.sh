#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The host's tests once more, as root on Debian's own kernel in a virtual machine:
# what this machine's kernel does not have (IPVS) is tested there alone. The machine
# sees this one's files, read-only, below a layer of its own. VM_TESTS names tests, as
# -run does; VM_KVM=yes makes it fast where /dev/kvm works.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."

cache=${VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-lifecycle/vm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache"

install_tools() {
  local missing=() tool
  for tool in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static ipvsadm:ipvsadm iptables:iptables nft:nftables ip:iproute2; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
  done
  apt-get update -qq
  [ ${#missing[@]} -eq 0 ] || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# kernel puts Debian's current kernel below the cache and says where.
kernel() {
  local name
  name=$(apt-cache depends linux-image-amd64 | awk '/Depends:/ { print $2; exit }')
  if [ ! -f "$cache/$name/ready" ]; then
    (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$name" && dpkg -x ./*.deb "$cache/$name")
    busybox depmod -b "$cache/$name" "${name#linux-image-}"
    touch "$cache/$name/ready"
  fi
  echo "$cache/$name"
}

# first_files KERNEL: what the kernel needs before it sees this machine's files.
first_files() {
  local version=${1##*/linux-image-} module
  mkdir -p "$work/first"/{bin,lib/modules/"$version",proc,sys,dev,host,layer,new}
  cp "$(command -v busybox)" "$work/first/bin/busybox"
  cp "$1/lib/modules/$version"/modules.{dep,builtin} "$work/first/lib/modules/$version/"
  for module in virtio_pci 9pnet_virtio 9p overlay; do
    awk -v m="/$module.ko:" 'index($0, m) { gsub(":", ""); for (i = 1; i <= NF; i++) print $i }' "$1/lib/modules/$version/modules.dep"
  done | sort -u | (cd "$1/lib/modules/$version" && xargs -I{} install -D -m 644 {} "$work/first/lib/modules/$version/{}")
  cat >"$work/first/init" <<INIT
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc; mount -t devtmpfs dev /dev
for m in virtio_pci 9pnet_virtio 9p overlay; do modprobe \$m; done
mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,ro,msize=512000 host /host
mount -t tmpfs layer /layer; mkdir /layer/up /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/up,workdir=/layer/work overlay /new
umount /proc
exec switch_root /new /bin/bash $work/inside "$1"
INIT
  chmod +x "$work/first/init"
  (cd "$work/first" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 >"$work/first.gz")
}

# The tests, as the machine's first process. Its word at the end is the result.
cat >"$work/inside" <<'INSIDE'
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm; mount -t devpts pts /dev/pts; mount -t tmpfs shm /dev/shm; mount -t tmpfs run /run
mount -t cgroup2 cgroup /sys/fs/cgroup; mount -t bpf bpf /sys/fs/bpf
mount --make-rshared /
mkdir -p /lib/modules; mount --bind "$1/lib/modules" /lib/modules
[ -e /sbin/modprobe ] || ln -s "$(command -v busybox)" /sbin/modprobe
for module in fuse ip_tables ip6_tables; do modprobe "$module"; done # what this kernel has only once it is asked
ip link set lo up
here=${0%/*}; rc=0
for package in $(cat "$here/packages"); do
  echo "== $package, Linux $(uname -r)"
  cd "$(cat "$here/root")/$package" && "$here/${package//\//-}.test" -test.count=1 -test.timeout=30m $(cat "$here/flags") || rc=1
done
echo "vm: rc $rc"
busybox poweroff -f
INSIDE

install_tools
boot=$(kernel)
# All whose tests have a host of their own.
grep -rl '/pkg/host/hosttest"' --include='*_test.go' pkg | xargs -n1 dirname | sort -u >"$work/packages"
pwd >"$work/root"
echo "${VM_TESTS:+-test.v -test.run=$VM_TESTS}" >"$work/flags"
for package in $(cat "$work/packages"); do
  CGO_ENABLED=0 go test -c -tags vm -o "$work/${package//\//-}.test" "./$package"
done
first_files "$boot"
fast=()
if [ "${VM_KVM:-no}" = yes ]; then fast=(-enable-kvm -cpu host,arch-capabilities=off); fi
qemu-system-x86_64 "${fast[@]}" -m 3072 -smp 2 -nographic -no-reboot -nic none \
  -kernel "$boot"/boot/vmlinuz-* -initrd "$work/first.gz" -append "console=ttyS0 quiet panic=-1" \
  -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap 2>&1 </dev/null | tee "$work/said"
grep -q "^vm: rc 0" "$work/said"
