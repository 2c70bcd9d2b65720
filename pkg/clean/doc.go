// SPDX-License-Identifier: Apache-2.0

// Package clean removes what Kubernetes and a pod network leave on a host, and
// proves that it is gone. It puts the parts of a removal together in the one order
// that inventory.Stages declares; each part is in a room of its own below.
//
//	Survey ──▶ inventory.Inventory ──▶ Decide ──▶ Removal     (reads, then pure)
//	                                      │
//	Recipe ──▶ plan.Plan ─────────────────┘ the same decisions, step by step
//	Survey ──▶ inventory.Inventory ──▶ Verify(before, after) ──▶ Verdict
//
// The rooms are control (kubelet, credentials), etcd, runtime (pods), network (links,
// routes, programs), filter (rules, sets, virtual services) and disk (mounts, files). The
// second look asks the other way round, what still refers to the cluster: traces (files,
// mounts, processes), hostpaths (what pods wrote) and devices (volumes still attached). They
// know inventory, and what all of them share:
//
//	part       what a part is, and the host as a part sees it
//	ownership  whose a thing is, by its name
//	cluster    which cluster this is, and what refers to it
//	cni        the CNI networks of the host
//	joindate   when the host joined
//	secrecy    what may go into a backup
//
// A room never imports another, but for traces, which knows what disk and network
// have named. What one needs of another it gets as a function, here.
//
// A target with a scope looks for what one network has left on a host that stays a node,
// and NetworkRecipe takes that away: the same parts, limited to one owner.
//
// The program on the host uses it like this:
//
//	func main() {
//		if handled, code := host.Child(os.Args[1:]); handled {
//			os.Exit(code) // a disposable child, see package host
//		}
//		…
//		t := clean.Target{Facts: spec.Facts, StateDir: "/var/lib/kubectl-lifecycle/run-1"}
//		before, err := t.Survey(ctx)            // inspect, dry run: stop here
//		removal := inventory.Decide(before)      // what would go, what stays
//		…
//		res, err := t.Recipe().Run(ctx, observer) // again = resume
//		if err != nil { /* wait for retry, or: */ err = t.Restore(ctx) }
//		after, err := t.Survey(ctx)
//		verdict := inventory.Verify(before, after)
//	}
package clean
