# SPDX-License-Identifier: Apache-2.0
# Prints what Kubernetes and a pod network can leave on a host, one thing a
# line, in sections. It shares nothing with the code that is tested. Read by sh
# on the host, from standard input.
section() { echo "@@ $1"; }

section files
for dir in /etc/cni /etc/kubernetes /etc/sysctl.d /etc/systemd/system /opt/cni/bin /run/cilium /run/flannel /run/netns \
  /run/systemd/system /var/lib/calico /var/lib/cilium /var/lib/cni /var/lib/kubelet /var/log/containers /var/log/pods /var/run/kubernetes /root/.kube; do
  [ -e "$dir" ] || continue
  find "$dir" \( -type d -printf '%p dir %m %U:%G\n' \) -o \( -type l -printf '%p -> %l\n' \) \
    -o \( -type f -printf '%p file %m %U:%G %s ' -exec sha256sum -z {} \; -printf '\n' \) -o -printf '%p %y %m %U:%G\n' 2>/dev/null
done | sed 's/\x00//; s/ \([0-9a-f]\{64\}\)  .*/ \1/'
find /var/lib /run /tmp /etc -maxdepth 1 -name '*lifecycle*' -print

section links
ip -d -o link

section addresses
ip -o address

section routes
ip route show table all
ip -6 route show table all

section rules
ip rule
ip -6 rule

section queues
tc qdisc show

section pins
find /sys/fs/bpf -mindepth 1 2>/dev/null

# Only tables that are there are read: asking for a legacy table makes it.
for family in iptables ip6tables; do
  for backend in nft legacy; do
    section $family-$backend
    $family-$backend-save 2>/dev/null
  done
done

section nft
nft list ruleset

section mounts
cat /proc/1/mountinfo

section units
systemctl list-units --all --plain --no-legend

section unit-files
systemctl list-unit-files --no-legend

section sysctls
grep -rs '' /proc/sys/net | grep -vE 'nf_conntrack_(count|max|buckets)|stable_secret|/(conf|neigh)/(veth|cni0|flannel)'

section cgroups
find /sys/fs/cgroup -type d 2>/dev/null | grep -E 'kube|lifecycle|cri-containerd'

section processes
ps -eo comm= | grep -E 'kube|flannel|coredns|pause|agnhost|shim|lifecycle|sleep'

section runtime
ctr -n k8s.io containers ls -q 2>/dev/null | grep -c .
ctr -n k8s.io tasks ls -q 2>/dev/null | grep -c .
exit 0
