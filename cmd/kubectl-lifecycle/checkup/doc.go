// SPDX-License-Identifier: Apache-2.0

// Package checkup has the commands that look at a cluster as a whole: doctor, which says
// what is wrong with it, and explain, which says why, and what the way out is.
package checkup
