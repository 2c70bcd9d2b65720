// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/cluster-bootstrap/token/api"
	"k8s.io/cluster-bootstrap/token/util"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// NodeGroup is the group all of kubeadm's bindings for joining hosts name. A
// token without it authenticates, but cannot join.
const NodeGroup = "system:bootstrappers:kubeadm:default-node-token"

// Label marks the Secret of a token that was made here, for one host.
const Label = "lifecycle.kubectl.io/join"

// Token is a bootstrap token. It prints as its id, whatever the verb; only
// Whole and the Secret in the cluster show the secret half. The zero Token
// is none.
type Token struct {
	// ID is the public half, six characters of [a-z0-9].
	ID string `json:"id"`
	// Expires is when the API server stops accepting it; zero means never,
	// which only a token made elsewhere can be.
	Expires time.Time `json:"expires,omitzero"`
	// Foreign says that it was not made here (its Secret lacks Label): other
	// hosts may be about to use it, so nothing here revokes it unasked.
	Foreign bool `json:"foreign,omitempty"`

	// created is when the Secret was, by the clock of the API server.
	created time.Time
	// secret is a function so that not even reflection prints it.
	secret func() string
}

// String returns the id with the secret half masked: "abcdef.****************".
func (t Token) String() string {
	if t.ID == "" {
		return "no token"
	}
	return util.TokenFromIDAndSecret(t.ID, "****************")
}

// GoString is String: %#v hides the secret too.
func (t Token) GoString() string { return t.String() }

// SecretName is the name of the token's Secret in kube-system.
func (t Token) SecretName() string { return util.BootstrapTokenSecretName(t.ID) }

// IsReference says that only the id is known: Mint will read the rest.
func (t Token) IsReference() bool { return t.ID != "" && t.secret == nil }

// UserName is who a host is while it uses the token.
func (t Token) UserName() string { return api.BootstrapUserPrefix + t.ID }

// Created is when the token's Secret was made, by the clock of the API server; zero
// if it was not read.
func (t Token) Created() time.Time { return t.created }

// Whole is the token, secret half included: for a host, on a way that is not
// logged or shown elsewhere.
func (t Token) Whole() string { return util.TokenFromIDAndSecret(t.ID, t.reveal()) }

func (t Token) reveal() string {
	if t.secret == nil {
		return ""
	}
	return t.secret()
}

func newToken(id, secret string) Token {
	return Token{ID: id, secret: func() string { return secret }}
}

// generate makes a token from crypto/rand.
func generate() (Token, error) {
	text, err := util.GenerateBootstrapToken()
	if err != nil {
		return Token{}, fmt.Errorf("generate a bootstrap token: %w", err)
	}
	return newToken(text[:api.BootstrapTokenIDBytes], text[api.BootstrapTokenIDBytes+1:]), nil
}

// Placeholder is a token that looks like one and is none, for showing a
// command without making anything.
func Placeholder() Token { return newToken("xxxxxx", "xxxxxxxxxxxxxxxx") }

// Parse reads what a person gave: a whole token "abcdef.0123456789abcdef",
// to be made, or the id "abcdef" of an existing one, a reference to it. The error is
// of class Misused and does not repeat what was given.
func Parse(text string) (Token, error) {
	switch {
	case util.IsValidBootstrapTokenID(text):
		return Token{ID: text}, nil
	case util.IsValidBootstrapToken(text):
		return newToken(text[:api.BootstrapTokenIDBytes], text[api.BootstrapTokenIDBytes+1:]), nil
	}
	return Token{}, plan.As(plan.Misused, plan.Hint(
		errors.New("malformed bootstrap token"),
		"a token is six, a dot and sixteen characters of a-z and 0-9; the six alone name an existing one; leave it out to have one made"))
}
