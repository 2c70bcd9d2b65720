// SPDX-License-Identifier: Apache-2.0

// Package detach waits until the volumes of drained nodes are detached, which is
// when another node may mount them, and says of each that stays why, and what
// releases it. It deletes no VolumeAttachment and removes no finalizer.
package detach
