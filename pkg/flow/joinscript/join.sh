#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prepares this host, and has kubeadm join it to a cluster. Made by kubectl lifecycle.
# Run it as root. Run again, it leaves a node of the cluster as it is. Where a join has
# failed halfway, it changes nothing, and says what to do first.
# It holds a bootstrap token, which is of no use once it has expired.
set -eu
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin:$PATH
endpoint=@ENDPOINT@
authorities=@AUTHORITIES@
cluster_minor=@MINOR@
socket_wanted=@SOCKET@
modules=@MODULES@
swap_allowed=@SWAP@
modules_file=@MODULES_FILE@
sysctl_file=@SYSCTL_FILE@

say() { printf '%s\n' "$*"; }
stop() {
  printf 'error: %s\nhint:  %s\n' "$1" "$2" >&2
  exit "${3:-3}"
}

# Only a file that is not there is written: one of a person's stays.
write_if_absent() {
  if [ -e "$1" ]; then
    cat >/dev/null
  else
    mkdir -p "${1%/*}"
    cat >"$1.new"
    chmod 0644 "$1.new"
    mv "$1.new" "$1"
    say "changed: $2: $1"
  fi
}

[ "$(id -u)" -eq 0 ] || stop "only root can join a host" "run it with sudo" 4

# The authority that the kubelet trusts, in base64. The server does not tell clusters
# apart: another one may have the same name later, and a control plane has its own address.
authority() {
  data=$(sed -n 's/^[[:space:]-]*certificate-authority-data:[[:space:]]*//p' "$1")
  file=$(sed -n 's/^[[:space:]-]*certificate-authority:[[:space:]]*//p' "$1")
  if [ -z "$data" ] && [ -f "$file" ]; then
    data=$(base64 <"$file" | tr -d '\n')
  fi
  printf '%s' "$data"
}

# PREP092-earlier-cluster: a host that has joined is left as it is.
if [ -e /etc/kubernetes/kubelet.conf ]; then
  trusted=$(authority /etc/kubernetes/kubelet.conf)
  whose=" of another cluster"
  for known in $authorities; do
    [ "$trusted" = "$known" ] || continue
    whose=
    if [ -s /var/lib/kubelet/pki/kubelet-client-current.pem ]; then
      say "this host is a node of the cluster at $endpoint already: there is nothing to do"
      exit 0
    fi
  done
  stop "PREP092-earlier-cluster: this host is, or was, a node$whose: /etc/kubernetes/kubelet.conf" \
    "remove it from that cluster first (kubectl lifecycle remove NODE); where the cluster is gone: lifecycle-node clean" 4
fi
for trace in /etc/kubernetes/pki/ca.key /etc/kubernetes/admin.conf /etc/kubernetes/manifests/kube-apiserver.yaml /var/lib/etcd/member; do
  [ ! -e "$trace" ] || stop "PREP092-earlier-cluster: this host is, or was, a control plane: $trace" "lifecycle-node clean" 4
done
# kubeadm's preflight would refuse these, once the host was changed.
for trace in /etc/kubernetes/bootstrap-kubelet.conf /etc/kubernetes/pki/ca.crt; do
  [ ! -e "$trace" ] || stop "PREP092-earlier-cluster: a join of this host was begun and not finished: $trace" \
    "take back what it left: lifecycle-node clean, or kubeadm reset" 4
done

# PREP100-programs, PREP101-skew
for program in kubeadm kubelet mount losetup; do
  command -v "$program" >/dev/null 2>&1 || stop "PREP100-programs: not installed: $program" \
    "install the packages of the cluster's version; each minor version of Kubernetes has a repository of its own" 4
done
minor=$(kubeadm version -o short | sed -n 's/^v1\.\([0-9][0-9]*\)\..*/\1/p')
[ -n "$minor" ] || stop "PREP101-skew: kubeadm does not say its version" "install the package again" 4
if [ -n "$cluster_minor" ]; then
  if [ "$minor" -lt "$cluster_minor" ] || [ "$minor" -gt "$((cluster_minor + 1))" ]; then
    stop "PREP101-skew: kubeadm is of 1.$minor, the cluster of 1.$cluster_minor" "install kubeadm and kubelet of 1.$cluster_minor" 4
  fi
fi

# PREP040-runtime
runtime=
if [ -n "$socket_wanted" ]; then
  [ -S "$socket_wanted" ] || stop "PREP040-runtime: no container runtime listens on $socket_wanted" "start it, or name another --cri-socket" 4
else
  for socket in /run/containerd/containerd.sock /run/crio/crio.sock; do
    [ ! -S "$socket" ] || runtime=$socket
  done
  [ -n "$runtime" ] || stop "PREP040-runtime: neither containerd nor CRI-O runs" "install one, and start it: systemctl enable --now containerd" 4
fi

# PREP010-swap
if [ -z "$swap_allowed" ] && [ "$(wc -l </proc/swaps)" -gt 1 ]; then
  swapoff -a || stop "PREP010-swap: swap cannot be turned off" "is there memory enough? See: swapon --show"
  say "changed: PREP010-swap: swap is off"
  if grep -Eqs '^[^#]*[[:space:]]swap[[:space:]]' /etc/fstab; then
    say "warns: PREP011-swap-at-boot: /etc/fstab turns swap on at the next boot; make its line a comment"
  fi
fi

# PREP020-modules, PREP021-modules-at-boot
for module in $modules; do printf '%s\n' "$module"; done | write_if_absent "$modules_file" PREP021-modules-at-boot
for module in $modules; do
  [ -d "/sys/module/$module" ] || modprobe -q "$module" 2>/dev/null || say "warns: PREP020-modules: $module is not loaded; it may be a part of the kernel"
done

# PREP030-sysctl, PREP031-sysctl-at-boot
write_if_absent "$sysctl_file" PREP031-sysctl-at-boot <<'END'
@SYSCTLS@
END
while IFS=' =' read -r key value; do
  file=/proc/sys/$(printf '%s' "$key" | tr . /)
  [ -e "$file" ] || continue
  have=$(cat "$file")
  case $key in
  fs.*) [ "$have" -ge "$value" ] || printf '%s\n' "$value" >"$file" ;;
  *) [ "$have" = "$value" ] || printf '%s\n' "$value" >"$file" ;;
  esac
  have=$(cat "$file")
  case $key in
  fs.*) [ "$have" -ge "$value" ] || say "warns: PREP030-sysctl: $key is $have" ;;
  *) [ "$have" = "$value" ] || stop "PREP030-sysctl: $key is $have, and cannot be set to $value" "see dmesg, and what else sets it" ;;
  esac
done <<'END'
@SYSCTLS@
END

# PREP050-cni-bin
mkdir -p /opt/cni/bin
chmod 0755 /opt/cni /opt/cni/bin

api=v1beta4
[ "$minor" -ge 31 ] || api=v1beta3
dir=$(mktemp -d /run/kubectl-lifecycle-script.XXXXXX)
trap 'rm -f "$dir/join.json"; rmdir "$dir"' EXIT
trap 'exit 1' HUP INT TERM
{
  printf '{"apiVersion":"kubeadm.k8s.io/%s",' "$api"
  cat <<'END'
@CONFIG@
END
} >"$dir/join.json"
say "kubeadm joins the cluster at $endpoint"
kubeadm join --config "$dir/join.json"
