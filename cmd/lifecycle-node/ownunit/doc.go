// SPDX-License-Identifier: Apache-2.0

// Package ownunit copies this program for a unit of systemd's that outlives the connection
// which brought the program. The copy is gone when the unit has begun.
package ownunit
