// SPDX-License-Identifier: Apache-2.0

// Package lost is the recipe that gives up a node whose host is dead: its pods are
// given up, its volumes detached, its etcd member removed, and the Node deleted. The
// host is not cleaned. A node that shows any sign of life is refused.
package lost
