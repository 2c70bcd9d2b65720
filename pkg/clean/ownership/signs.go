// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// Signs are what rules and tables are known by; to be made once for many tables.
type Signs struct {
	Chains           Names
	Comments, Tables patterns
	// others says that this host has CNI networks besides the pods', which use the
	// same plugins.
	Others bool
	// Second reports whether an owner has a sign on this host besides those of some kinds;
	// nil for none.
	Second Second
	// scope limits what is ours.
	scope inventory.Scope
}

// Within limits signs to a scope: what is not in it is taken for foreign.
func (s Signs) Within(scope inventory.Scope) Signs {
	s.scope = scope
	s.Chains, s.Comments, s.Tables = s.Chains.within(scope), s.Comments.within(scope), s.Tables.within(scope)
	return s
}

// Network reports whether the name of a CNI network is a pod network's.
func (s Signs) Network(name string) bool { return s.scope.TakesNetwork(name, NetworkNames()) }

// FilterSigns are what rules and tables are known by.
func FilterSigns(others bool, second Second) Signs {
	return Signs{Chains: Chains(), Comments: Comments(), Tables: Tables(), Others: others, Second: second}
}
