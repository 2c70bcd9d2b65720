// SPDX-License-Identifier: Apache-2.0

// Package cni gives a cluster its pod network, and proves that it works.
//
//	Survey   reads what the cluster says of its network
//	Decide   picks the chart and its values, with the reason of each, or refuses (pure)
//	Prepare  reads and renders the chart and asks for the permissions: still only reads
//	Recipe   is the plan: namespace, release, and the wait until the network works
//	Look     says what a network that works does not reach
//
// What it promises: values that must agree with the cluster (the pod CIDR above
// all) come from the cluster, and one that contradicts it is refused; nothing
// is created before the chart is read, rendered and checked against the API; a
// second network is never put beside a first; a run that changes nothing says
// so; a release that was left half-made is taken up again.
//
// What it does not do: ask a host. What hosts answered is given to it
// (Request.Hosts), and is checked as the rest is.
//
// The rooms below it, each of which knows only those after it:
//
//	uninstall  taking a network out of the API again
//	status     how the network is that a cluster has, in one value
//	finding    the known pitfalls, each with an id: its check and its explanation
//	health     whether a network works, and what is missing
//	catalogue  what is particular to each network: one file a network
//	facts      what a cluster says of its network, in one snapshot
//	helm       Helm, behind the interface of package release
//	registry   which images a registry has
//	release    what a release is and shall be
//	chart      where a chart is found, bounded and checked
//	values     the values of a chart
//	mirror     from which registry images and charts are taken instead
//	cidr       ranges of addresses
package cni
