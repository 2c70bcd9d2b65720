// SPDX-License-Identifier: Apache-2.0

// Package clean knows what Kubernetes and a pod network leave on a host, takes
// it away, and proves that it is gone.
//
//	Survey ──▶ Inventory ──▶ Decide ──▶ Removal      (reads, then pure)
//	                            │
//	Recipe ──▶ plan.Plan ───────┘ the same decisions, step by step
//	Survey ──▶ Inventory ──▶ Verify(before, after) ──▶ Verdict
//
// An Inventory is a flat, sorted list of Items: a unit, a sandbox, a mount, a
// link, a chain, a file … each with its owner and whether a removal would take
// it away. What is not provably Kubernetes' or its network's (by a name that
// only they use, or by the Facts of the cluster) is foreign: reported, never
// removed. What could not be read is Unchecked, and never called clean.
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
//		removal := clean.Decide(before)          // what would go, what stays
//		…
//		res, err := t.Recipe().Run(ctx, observer) // again = resume
//		if err != nil { /* wait for retry, or: */ err = t.Restore(ctx) }
//		after, err := t.Survey(ctx)
//		verdict := clean.Verify(before, after)
//	}
//
// Facts, Inventory, Item, Removal, Verdict, Decide and Verify compile on every
// system, because the program on a person's laptop reads and shows them.
// Target is for Linux alone.
package clean
