// SPDX-License-Identifier: Apache-2.0

// Package netlinks lists what the kernel's network has, whole: a listing during
// which something changed is repeated.
package netlinks
