#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The whole circle on real nodes: each command as you would type it, and its
# real output. Run by 'make demo', which builds the plugin first.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."

export TESTBED_NAME="${TESTBED_NAME:-lifecycle-demo}"
chapters=()
background=()
current=
began=$(date +%s%N)

# farewell ends what still runs beside the demo, and says how to remove the bed.
farewell() {
  local code=$?
  for pid in "${background[@]}"; do kill "$pid" 2>/dev/null || true; done
  [ $code = 0 ] || printf '\nThe demo stopped at "%s" (exit code %d).\n' "$current" "$code" >&2
  cat <<TEXT

The test bed is still there: export KUBECONFIG=${KUBECONFIG:-}
Remove it with:              TESTBED_NAME=$TESTBED_NAME make testbed-down
TEXT
}
trap farewell EXIT

bold() { if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then printf '\n\033[1m%s\033[0m\n' "$1"; else printf '\n%s\n' "$1"; fi; }
seconds() { awk -v a="$1" -v b="$(date +%s%N)" 'BEGIN {printf "%.1f s", (b - a) / 1e9}'; }

# chapter TITLE COMMAND... runs a function and notes its time.
chapter() {
  local title=$1 start
  shift
  current=$title
  bold "── $title"
  start=$(date +%s%N)
  "$@"
  chapters+=("$(seconds "$start")|$title")
}

# try COMMAND... prints a command as one would type it, and runs it.
try() {
  printf '$ %s\n' "$*"
  "$@"
}

# on_host COMMAND prints and runs a command on the blank host.
on_host() {
  printf '%s# %s\n' "$TESTBED_BLANK" "$1"
  docker exec "$TESTBED_BLANK" sh -c "$1"
}

bed() {
  # A fresh one: the circle begins with a cluster that has no network.
  (cd hack/testbed && go run . down >/dev/null 2>&1 && go run . up)
  eval "$(cd hack/testbed && go run . env)"
  mkdir -p "$TESTBED_CACHE/demo-bin"
  ln -sf "$TESTBED_KUBECTL" "$TESTBED_CACHE/demo-bin/kubectl"
  ln -sf "$PWD/bin/kubectl-lifecycle" "$TESTBED_CACHE/demo-bin/kubectl-lifecycle"
  export PATH="$TESTBED_CACHE/demo-bin:$PATH" KUBECONFIG
  snapshot > "$TESTBED_CACHE/demo-before"
  try kubectl get nodes
}

# snapshot is what of Kubernetes' can be seen on the blank host with its own
# tools, not with ours.
snapshot() {
  docker exec "$TESTBED_BLANK" sh -c '
    find /etc/cni /etc/kubernetes /var/lib/kubelet /var/lib/cni /opt/cni/bin /var/log/pods -type f -o -type l 2>/dev/null | sort
    ip -br link | cut -d" " -f1 | cut -d@ -f1
    ip route show table all | grep -v "^broadcast\|^multicast\|fe80\|^anycast" | sort
    iptables-save 2>/dev/null | sed "s/\[[0-9:]*\]//;/^#/d"
    nft list ruleset 2>/dev/null | sed "s/counter packets [0-9]* bytes [0-9]*//"
    cut -d" " -f5 /proc/1/mountinfo | sort'
}

network() {
  try kubectl lifecycle cni install flannel --chart "$TESTBED_FLANNEL_CHART"
  try kubectl get nodes
}

join() {
  local out log
  out=$(mktemp) log=$(mktemp)
  printf '$ kubectl lifecycle join --wait\n'
  kubectl lifecycle join --wait --timeout 5m >"$out" &
  local plugin=$!
  background+=("$plugin")
  while ! grep -q 'kubeadm join' "$out"; do
    kill -0 "$plugin" 2>/dev/null || { wait "$plugin"; return 1; }
    sleep 0.2
  done
  printf '%s# %s\n' "$TESTBED_BLANK" "$(sed -E 's/(--token [a-z0-9]{6})\.[a-z0-9]{16}/\1.****************/' "$out")"
  docker exec "$TESTBED_BLANK" sh -c "$(cat "$out")" >"$log" 2>&1 || { cat "$log"; return 1; }
  grep 'This node has joined' "$log" || true
  wait "$plugin"
  rm -f "$out" "$log"
  try kubectl get nodes
}

app() {
  # All three on the node that is to be drained: there the budget matters.
  kubectl cordon "$TESTBED_NAME-worker" >/dev/null
  kubectl cordon "$TESTBED_NAME-worker2" >/dev/null
  kubectl create namespace demo >/dev/null
  sed "s|IMAGE|$TESTBED_AGNHOST_IMAGE|" <<'YAML' | kubectl apply -f -
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: demo}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - name: web
        image: IMAGE
        args: [netexec]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: demo}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
YAML
  kubectl -n demo rollout status deployment/web --timeout 2m
  kubectl uncordon "$TESTBED_NAME-worker" >/dev/null
  kubectl uncordon "$TESTBED_NAME-worker2" >/dev/null
  try kubectl -n demo get pods -o wide
  try kubectl -n demo get poddisruptionbudget
}

# watch_web FILE says, in the background, how many pods of the app are ready
# each time that changes; a pod that is being stopped does not count.
watch_web() {
  kubectl -n demo get pods -l app=web --watch --output-watch-events --no-headers > >(count_ready "$1") &
  background+=("$!")
}

count_ready() {
  local -A ready=()
  local event pod containers status last=""
  while read -r event pod containers status _; do
    unset "ready[$pod]"
    [ "$event $containers $status" != "${event/DELETED/} 1/1 Running" ] || ready[$pod]=yes
    if [ ${#ready[@]} != "$last" ] && { [ "$last" ] || [ ${#ready[@]} = 3 ]; }; then
      last=${#ready[@]}
      echo "$last" >>"$1"
      echo "      watch: $last of 3 pods of web are ready"
    fi
  done
}

drain() {
  local seen lowest
  seen=$(mktemp)
  watch_web "$seen"
  until [ -s "$seen" ]; do sleep 0.1; done
  try kubectl lifecycle drain "$TESTBED_BLANK" --ignore-daemonsets
  kubectl -n demo rollout status deployment/web --timeout 2m >/dev/null
  kill "${background[-1]}"
  wait "${background[-1]}" 2>/dev/null || true
  lowest=$(sort -n "$seen" | head -n 1)
  echo "ready pods of web while it was drained, at least: $lowest (the budget wants 2)"
  rm -f "$seen"
  [ "$lowest" -ge 2 ]
}

rehearse() {
  local out
  out=$(mktemp)
  printf '$ kubectl lifecycle remove %s --dry-run=server\n' "$TESTBED_BLANK"
  kubectl lifecycle remove "$TESTBED_BLANK" --dry-run=server >"$out" 2>/dev/null
  sed -n '1p; /^link\|^mount .*cni\|flannel\|kubelet.conf/p; $p' "$out" | sed 's/  *$//' | head -n 25
  echo "($(wc -l <"$out") lines, of which some are shown)"
  rm -f "$out"
}

remove() {
  try kubectl lifecycle remove "$TESTBED_BLANK" --yes
  try kubectl get nodes
}

clean() {
  on_host 'ip -br link'
  on_host 'ls -A /etc/cni/net.d /etc/kubernetes /var/lib/kubelet /var/lib/cni 2>&1 || true'
  if ! snapshot | diff "$TESTBED_CACHE/demo-before" - >"$TESTBED_CACHE/demo-differences"; then
    head -n 40 "$TESTBED_CACHE/demo-differences"
    return 1
  fi
  echo "files, links, routes, packet filter and mounts are what they were before the join"
}

chapter "A real cluster without a network, and a host beside it" bed
chapter "Give it a network" network
chapter "Join the host" join
chapter "Run an app that may lose one pod at a time" app
chapter "Drain the node" drain
chapter "See what a removal would take away" rehearse
chapter "Remove it" remove
chapter "Look at the host with its own tools" clean
chapter "Join it again" join

bold "── Summary"
for line in "${chapters[@]}"; do printf '%10s  %s\n' "${line%%|*}" "${line#*|}"; done
printf '%10s  all of it\n' "$(seconds "$began")"
