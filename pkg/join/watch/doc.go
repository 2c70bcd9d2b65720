// SPDX-License-Identifier: Apache-2.0

// Package watch keeps copies of API objects for the waits of a join, and makes the
// errors with which such a wait ends.
package watch
