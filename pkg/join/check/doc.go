// SPDX-License-Identifier: Apache-2.0

// Package check finds what would keep a host from joining, or pods from its node:
// rights that hosts lack, flags of the control plane, the kubelet's configuration, a
// name that is taken, cordons and taints. Each is a Warning with its way out.
//
// It asks the API and changes nothing.
package check
