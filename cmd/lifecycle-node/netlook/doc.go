// SPDX-License-Identifier: Apache-2.0

// Package netlook reads what a host has for its pod network: the configurations that
// its container runtime would take, the plugins that they call, and what the kernel
// brings. It changes nothing.
package netlook
