// SPDX-License-Identifier: Apache-2.0

// Package flow holds the recipes: which domain does what, in which order. Here and in
// the recipes' own packages below it domains meet, and nowhere else.
//
// A recipe is a function that reads what it must, refuses what cannot be done before
// anything has changed, and returns a plan.Plan whose steps a stranger can read aloud.
// Its plan is put together of what builds steps:
//
//	Remove   startSteps  drainSteps  hostSteps  finishSteps
//	Move     token, the steps of a removal, arrival
//	Lost     its etcd member, drainSteps, finishSteps (package lost)
//
// Drain is the one recipe of a drain, which the verb, a removal, a wave of removals, a
// move and the loss of a host share. What is done on a host is an operation: a removal
// has its own, a move another.
//
// Recipes with a package of their own:
//
//	lost             gives up a node whose host is dead
//	newhost          prepares and joins hosts over ssh
//	newcluster       makes the first control plane of a cluster
//	newcontrolplane  makes the certificates of a cluster available to one host
//	joinscript       writes a script that prepares a host and joins it
//	netclean         takes what one network left off hosts that stay nodes
//	netswitch        says how far a switch of networks is
//	certcheck        reads certificates; certrenew renews them
//	kubeletrecovery  brings back a node whose kubelet has an expired certificate
//	servingcerts     approves the requests of kubelets for serving certificates
//	ownconfig        renews the certificate in a person's kubeconfig
//	hostcommand      runs a command on drained hosts
//	upgradeplan      reads what stands in the way of another version
//	doctor           says what is wrong with a cluster
//
// What recipes are made of, and import from each other:
//
//	access        asks whether a recipe may do what it will
//	controlplane  decides whether a control plane may leave
//	departure     takes a Node and its pods out of the API
//	hostdata      finds what is of value on a node
//	hostfacts     reads what a cluster knows about a host
//	hostlook      asks hosts what they have for the pod network
//	kubenode      reads one Node
//	liveness      finds out whether a silent host is dead
package flow
