// SPDX-License-Identifier: Apache-2.0

// Package hostcommand runs a command on the hosts of nodes, wave after wave: drain, run,
// wait until the node is Ready, uncordon. Hosts of a wave are drained under one account of
// the budgets, and run the command side by side. Where the command fails, the node stays
// cordoned, and after too many of them no further wave is begun.
package hostcommand
