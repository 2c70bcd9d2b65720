// SPDX-License-Identifier: Apache-2.0

// Package cni gives a cluster its pod network, and proves that it works.
//
//	Survey   reads what the cluster says of its network
//	Decide   picks the chart and its values, with the reason of each, or refuses (pure)
//	Prepare  reads and renders the chart and asks for the permissions: still only reads
//	Recipe   is the plan: namespace, release, and the wait until the network works
//	Wait     follows agents, nodes and CoreDNS until packets can flow
//
// What it promises: values that must agree with the cluster (the pod CIDR above
// all) come from the cluster, and one that contradicts it is refused; nothing
// is created before the chart is read, rendered and checked against the API; a
// second network is never put beside a first; a run that changes nothing says
// so; a release that was left half-made is taken up again.
//
// What it does not do: look at a host. What an earlier network left in
// /etc/cni/net.d of a node is the business of those who clean hosts.
//
// Helm is behind the interface Releases, and one file knows it. Its own --wait
// and --atomic are not used: Helm calls a DaemonSet ready at desired minus
// maxUnavailable, so that on one node zero agents are enough (helm#8660), and
// an automatic uninstall leaves hosts with a configuration and no agent.
package cni
