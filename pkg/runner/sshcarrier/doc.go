// SPDX-License-Identifier: Apache-2.0

// Package sshcarrier brings the node program onto a host that no cluster has yet: with
// the person's own OpenSSH client, so that their configuration, agent, jump hosts,
// hardware keys and known hosts count. Nothing of that is turned off or written here.
//
// The program and the delivery travel in the standard input of one connection, and
// nothing secret in an argument. A user who is not root becomes root by "sudo -n". The
// program lies in a directory that only root can read, and is gone when it has ended.
package sshcarrier
