// SPDX-License-Identifier: Apache-2.0

// Package hostpaths asks what pods left on a host in the directories of it that they were
// given (hostPath volumes, and those that lie on the host): mounts that came out of a
// container, settings and programs of the host's that a pod may have written. It only reads,
// within bounds, and removes nothing: a pod could make it, and so could a person, so it is
// named with the pod, and keeps a verdict from being clean.
package hostpaths
