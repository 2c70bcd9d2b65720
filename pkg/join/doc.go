// SPDX-License-Identifier: Apache-2.0

// Package join brings a host into a kubeadm cluster from the API side: it makes
// the bootstrap token, composes the command for the host, and watches the host
// arrive. Nothing here touches the host itself.
//
//	Survey ─▶ Mint ─▶ WaitSigned ─▶ Command ─▶ Follow ─▶ Revoke
//	(reads)  (Secret)  (watches)    (pure)    (watches)  (deletes the Secret)
//
// A host arrives in stages, and each stage has one controller that can hold it
// up (Follow names it):
//
//	Awaited ─▶ Requested ─▶ Approved ─▶ Issued ─▶ Registered ─▶ Ready
//	 the host   csrapproving  csrsigning  kubelet    network, runtime
//
// What ties a host to the command it was given is the token: the API server
// itself writes "system:bootstrap:<token id>" into the certificate request, so
// a name is believed only if it stands in a request made with that token.
//
// The secret half of a token is in the Secret and in the result of Command, and
// nowhere else: a Token prints as its id, and no error or report holds it.
package join
