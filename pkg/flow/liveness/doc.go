// SPDX-License-Identifier: Apache-2.0

// Package liveness finds out whether the host of a silent node is dead. It asks the
// kubelet through the API server, looks for another Node of the same machine, and
// watches for what only a kubelet writes. The clocks of two machines are not compared,
// and that a question could not be asked proves nothing.
package liveness
