// SPDX-License-Identifier: Apache-2.0

// Package kubetest makes objects, answers and lists of a cluster for tests. Only tests
// import it.
package kubetest
