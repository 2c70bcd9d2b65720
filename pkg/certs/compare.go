// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Compare finds what must be the same on all control planes and is not: the authorities,
// and the key of ServiceAccounts. It compares public parts.
func Compare(looks []Look) (rows []Row) {
	if r, differ := compared("sa.key", looks, func(l Look) string { return l.ServiceAccountKey }); differ {
		r.Notes = []string{"a token that one of them signs is not accepted by the others"}
		rows = append(rows, r)
	}
	for _, name := range []string{clusterCA, frontProxyCA, etcdCA} {
		r, differ := compared(name, looks, func(l Look) string {
			for _, row := range l.Rows {
				if row.Name == name && row.Certificate != nil {
					return row.Certificate.PublicKey
				}
			}
			return ""
		})
		if differ {
			r.Authority = true
			rows = append(rows, r)
		}
	}
	return rows
}

// compared groups hosts by a value; those without one are not compared.
func compared(name string, looks []Look, value func(Look) string) (Row, bool) {
	groups := map[string][]string{}
	for _, l := range looks {
		if v := value(l); v != "" {
			groups[v] = append(groups[v], l.Node)
		}
	}
	if len(groups) < 2 {
		return Row{}, false
	}
	var each []string
	for _, v := range slices.Sorted(maps.Keys(groups)) {
		each = append(each, strings.Join(groups[v], ", "))
	}
	slices.Sort(each)
	return Row{Name: name, ManagedBy: NotRenewed, Faults: []string{fmt.Sprintf("it is not the same on all control planes: one on %s",
		strings.Join(each, "; another on "))}}, true
}
