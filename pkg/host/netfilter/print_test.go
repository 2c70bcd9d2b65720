// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"bufio"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrintLosesNothingOfATable(t *testing.T) {
	nft := Table{Backend: Nft, Family: "ip", Name: "nat", Chains: []Chain{
		{Name: "PREROUTING", Base: true, Policy: "accept", Type: "nat", Hook: []byte{1, 2, 3}, Rules: []Rule{
			{Handle: 17, Targets: []string{"KUBE-SERVICES"}, Comments: []string{"service \"portals\"\nand more"}, Raw: []byte("raw"), UserData: []byte("data")},
			{Handle: 18, Raw: []byte("other")},
		}},
		{Name: "KUBE-SERVICES"},
	}}
	legacy, err := ParseSave("ip6", "*filter\n:INPUT DROP [0:0]\n:KUBE-FIREWALL - [0:0]\n[5:300] -A INPUT -j KUBE-FIREWALL\nCOMMIT\n")
	if err != nil {
		t.Fatal(err)
	}
	const want = `table nft ip nat
chain PREROUTING accept nat AQID
rule 17 -> KUBE-SERVICES # "service \"portals\"\nand more" expressions cmF3 data ZGF0YQ==
rule 18 expressions b3RoZXI=
chain KUBE-SERVICES
table legacy ip6 filter
chain INPUT drop
-A INPUT -j KUBE-FIREWALL
chain KUBE-FIREWALL
`
	var out strings.Builder
	to := bufio.NewWriter(&out)
	for _, table := range append([]Table{nft}, legacy...) {
		table.Print(to)
	}
	if err := to.Flush(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
