// SPDX-License-Identifier: Apache-2.0

// Package kube is what several packages ask of the objects of a cluster: whether a
// node or a pod is Ready, whose a pod is, lists page by page, and a mirror of one
// kind that is kept by a watch. It knows no verb of this program, and imports none.
//
// The mirror (Source, Mirror) is not client-go's reflector for three reasons: it
// holds objects by UID, so that a new object of an old name is never taken for the
// old one; it begins at the version of a list that was made before, so that nothing
// is missed between a decision and its watch; and it says what is wrong while a watch
// does not work, since a person waits for it.
//
// Below it are bulklist (a list of one kind, object by object), managedby (which tool keeps
// an object as it is) and scheduling (where pods would find a place).
package kube
