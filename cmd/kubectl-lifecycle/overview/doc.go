// SPDX-License-Identifier: Apache-2.0

// Package overview is what the plugin says when it is called by its name alone: the life
// of a node as a picture, the cluster in a line, and what to do next there.
package overview
