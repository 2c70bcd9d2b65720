// SPDX-License-Identifier: Apache-2.0

// Package e2e holds the end-to-end tests: one story on real kubelets, from a
// cluster without a network to a host that has joined, left, and joined again.
// They need a test bed of their own, which "make e2e" brings up:
//
//	make e2e                                    fresh beds, all stages, beds down
//	hack/e2e.sh story-1                         the same for one of the two parts
//	E2E_KEEP=yes hack/e2e.sh story-1            the same, and the bed stays
//
// On a bed that is there already (see hack/testbed), one stage at a time:
//
//	eval "$(cd hack/testbed && TESTBED_NAME=lifecycle-e2e-1 go run . env)"
//	go test -tags e2e -count=1 -v -run TestCircle/drain ./e2e/
//
// Each stage makes sure of what it builds on, so a stage that runs alone brings
// the bed there first. What a host looks like is read by a shell script of
// these tests (dump.sh), never by the code that is tested.
package e2e
