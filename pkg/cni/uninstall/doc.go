// SPDX-License-Identifier: Apache-2.0

// Package uninstall takes a network out of the API of a cluster.
//
//	Survey  reads what is there of it: release, agents, what they wrote, pods on it
//	Decide  is the exact list of what goes, and what stays, or a refusal (pure)
//	Recipe  is the plan
//
// What it promises: only what the release holds, and what agents have written for
// themselves, is deleted; objects of people (policies, pools) and their definitions
// stay, and are named. A network that was applied by hand, or that Flux or Argo CD
// manages, is refused, and so is one that pods use, unless that is wanted.
//
// It looks at no host: what stays there is named.
package uninstall
