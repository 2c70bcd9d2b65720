// SPDX-License-Identifier: Apache-2.0

// Package access asks the API server, before anything is changed, whether a recipe may
// do all that it has to do, and knows what its parts Need.
package access
