// SPDX-License-Identifier: Apache-2.0

// Package secrecy tells of a configuration file of a cluster's whether there is something
// secret in it. What it cannot recognise as harmless is not.
package secrecy
