// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"time"

	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

const (
	// A closed budget is asked all the same from time to time, in case the
	// watch is deaf, and ever more rarely.
	firstProbe = 15 * time.Second
	lastProbe  = time.Minute
	// perBudget is how many questions one budget is asked at the same time. Each
	// eviction writes its status, and one that meets another's write tries again
	// half a second later (Kubernetes 1.36, pkg/registry/core/pod/storage,
	// EvictionsRetry): many at once are slower than a few.
	perBudget = 3
)

// ledger keeps account of evictions that a budget's status does not show yet,
// so that a budget of one is not asked by ten pods at once. It is an estimate
// that saves refusals; the API server decides.
type ledger map[types.UID]*account

// account is the ledger's page for one budget.
type account struct {
	// charges are the pods that were asked for under this budget and that no
	// status accounts for; true once the server has accepted.
	charges map[string]bool
	// refusedAt is the version of the budget under which the server refused
	// although the status had room: it knew better, so a newer one is awaited.
	refusedAt string
	// probe is when to ask a closed budget again, and interval the time
	// between two such questions.
	probe    time.Time
	interval time.Duration
	version  string
}

func (l ledger) of(pdb *policyv1.PodDisruptionBudget, now time.Time) *account {
	a, ok := l[pdb.UID]
	if !ok {
		a = &account{charges: map[string]bool{}}
		a.calm(now)
		l[pdb.UID] = a
	}
	return a
}

// heard takes note of a status: of evictions that it shows, and of those that
// were accepted before it came.
func (l ledger) heard(pdb *policyv1.PodDisruptionBudget, now time.Time) {
	a, known := l[pdb.UID]
	if !known {
		return
	}
	if a.version != pdb.ResourceVersion {
		a.version = pdb.ResourceVersion
		a.calm(now)
	}
	for name, taken := range a.charges {
		if _, shown := pdb.Status.DisruptedPods[name]; shown || taken {
			delete(a.charges, name)
		}
	}
}

// room is the number of disruptions that are left after the charges.
func (a *account) room(pdb *policyv1.PodDisruptionBudget) int {
	if a.refusedAt != "" && a.refusedAt == pdb.ResourceVersion {
		return 0
	}
	return int(pdb.Status.DisruptionsAllowed) - len(a.charges)
}

// busy reports whether the budget is being asked enough.
func (a *account) busy() bool {
	asked := 0
	for _, taken := range a.charges {
		if !taken {
			asked++
		}
	}
	return asked >= perBudget
}

// calm puts the next question to a closed budget off.
func (a *account) calm(now time.Time) {
	a.interval = firstProbe
	a.probe = now.Add(kube.Jitter(a.interval))
}

// due reports whether a closed budget should be asked again.
func (a *account) due(now time.Time) bool {
	return len(a.charges) == 0 && !now.Before(a.probe)
}

// settle books the server's answer for a pod that was asked for at a version of
// the budget.
func (a *account) settle(pod, version string, said answer, now time.Time) {
	switch said.kind {
	case accepted:
		if _, open := a.charges[pod]; open {
			a.charges[pod] = true
		}
		return
	case gone, later, never:
		delete(a.charges, pod)
	}
	if said.cause != drain.CauseBudget {
		return
	}
	a.refusedAt = version
	a.interval = min(2*a.interval, lastProbe)
	a.probe = now.Add(max(kube.Jitter(a.interval), said.after))
	if said.after > 0 {
		a.probe = now.Add(said.after)
	}
}
