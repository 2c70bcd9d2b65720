// SPDX-License-Identifier: Apache-2.0

// Package ownconfig renews the client certificate in a person's own kubeconfig: the cluster
// issues another one for the same subject, with a key that is made here and goes nowhere.
//
//	Find   the entry that is used, and what it says of the person; refuses what it cannot renew
//	Renew  asks the cluster for the certificate
//	Save   puts it into that one entry, and keeps the earlier file
package ownconfig
