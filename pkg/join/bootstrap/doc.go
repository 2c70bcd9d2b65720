// SPDX-License-Identifier: Apache-2.0

// Package bootstrap makes bootstrap tokens and takes them back.
//
//	Parse ─▶ Mint ─▶ WaitSigned ─▶ Revoke       of one token
//	Recall, Extend, Described, RevokeDescribed  of those that a move has made
//
// The secret half of a token is in the Secret and in the result of Whole, and
// nowhere else: a Token prints as its id, and no error or report holds it.
package bootstrap
