// SPDX-License-Identifier: Apache-2.0

// Package doctor says what is wrong with a cluster, as far as its API tells. It composes
// what others know: the network's findings, the certificates, the bootstrap tokens, the
// runs; and adds what belongs to none of them: nodes, control plane, versions.
//
//	Read     reads the cluster and changes nothing; a part that could not be read is named
//	Examine  makes findings of what was read, and is pure
//	Explain  tells the cause and the way out of a finding, those of the network included
package doctor
