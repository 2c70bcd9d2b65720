// SPDX-License-Identifier: Apache-2.0

package host

// DeadFUSE is deadFUSE for the tests of the package from outside.
var DeadFUSE = deadFUSE
