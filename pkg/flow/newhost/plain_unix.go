// SPDX-License-Identifier: Apache-2.0

//go:build unix

package newhost

import "syscall"

// plainly opens a file and nothing that it leads to, and waits for no one who writes to it.
const plainly = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
