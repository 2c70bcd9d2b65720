// SPDX-License-Identifier: Apache-2.0

// Package mirror says from which registry an image or a chart is taken instead of
// the one that it is named with. It is pure.
package mirror
