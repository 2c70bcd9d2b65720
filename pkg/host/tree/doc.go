// SPDX-License-Identifier: Apache-2.0

// Package tree removes a directory with all that is in it, and nothing through a
// mount: each step goes by openat2 from the directory above, whatever the tree's
// depth, and what something is mounted on stays and is an error.
package tree
