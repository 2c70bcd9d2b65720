// SPDX-License-Identifier: Apache-2.0

// Package arrival watches a host arrive. It comes in stages, and each has one
// controller that can hold it up, which Follow names:
//
//	Awaited ─▶ Requested ─▶ Approved ─▶ Issued ─▶ Registered ─▶ Ready
//	 the host   csrapproving  csrsigning  kubelet    network, runtime
//
// What ties a host to the command it was given is the token: the API server
// itself writes "system:bootstrap:<token id>" into the certificate request, so
// a name is believed only if it stands in a request made with that token.
package arrival
