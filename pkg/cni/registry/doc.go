// SPDX-License-Identifier: Apache-2.0

// Package registry asks image registries whether images are there, and for which
// architectures, without pulling them. It reads manifests alone, bounded in size and
// time, over TLS but for a registry on this machine.
package registry
