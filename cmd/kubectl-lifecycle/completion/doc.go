// SPDX-License-Identifier: Apache-2.0

// Package completion says what a shell may complete after the plugin's commands:
// names of nodes, networks, contexts, tokens and runs, and the values of flags. It
// asks the cluster for a moment only, and is silent where that does not answer.
package completion
