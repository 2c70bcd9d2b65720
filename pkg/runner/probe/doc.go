// SPDX-License-Identifier: Apache-2.0

// Package probe sends packets through the pod network and says what arrives: pod to
// pod on one node and across nodes, packets of full size, a Service, DNS, the API
// server, a port of a host.
//
// The packets are sent by the node program, in pods of the pod network that use images
// which their nodes have already. All of it is removed again, after an interruption
// too.
package probe
