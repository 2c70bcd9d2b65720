// SPDX-License-Identifier: Apache-2.0

// Package kubeletcert has the kubelet of a host whose client certificate has expired ask for
// another one with a bootstrap token, as it did when the host joined.
package kubeletcert
