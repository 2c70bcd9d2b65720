// SPDX-License-Identifier: Apache-2.0

// Package departure takes a Node out of the API, and then the pods that are still said
// to run there. What a finalizer holds is named and waited for, and never taken by
// force.
package departure
