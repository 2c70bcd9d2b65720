// SPDX-License-Identifier: Apache-2.0

// Package certificates has the commands about a cluster's certificates: "certs" and what is
// below it.
package certificates
