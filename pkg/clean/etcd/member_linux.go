// SPDX-License-Identifier: Apache-2.0

package etcd

import "github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"

// Member is what a host has of an etcd cluster: a member, its data, or neither.
type Member struct{ part.Host }
