// SPDX-License-Identifier: Apache-2.0

// Package upgradeplan reads a cluster, through the API alone, for what stands in the way of
// another version of Kubernetes. What it means is decided in pkg/upgrade.
package upgradeplan
