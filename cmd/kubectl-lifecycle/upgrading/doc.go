// SPDX-License-Identifier: Apache-2.0

// Package upgrading has the commands that bring a cluster to another version of Kubernetes.
package upgrading
