// SPDX-License-Identifier: Apache-2.0

// Package control tests drains against a real API server and the real
// controllers, with kwok in place of kubelets: what needs thousands of pods, an
// audit log or a broken API server. Its tests have the build tag e2e and are
// run by hack/e2e.sh.
package control
