// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"bufio"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestATableIsPrintedLineByLine(t *testing.T) {
	nft := Table{Backend: Nft, Family: "ip", Name: "nat", Chains: []Chain{
		{Name: "PREROUTING", Base: true, Policy: "accept", Type: "nat", Hook: []byte{1, 2, 3}, Rules: []Rule{
			{Handle: 17, Targets: []string{"KUBE-SERVICES"}, Comments: []string{"service \"portals\"\nand more"}, Raw: []byte("raw"),
				UserData: []byte("data")},
			{Handle: 18, Raw: []byte("other")},
		}},
		{Name: "KUBE SERVICES"},
	}}
	legacy, err := ParseSave("ip6", "*filter\n:INPUT DROP [0:0]\n:KUBE-FIREWALL - [0:0]\n[5:300] -A INPUT -j KUBE-FIREWALL\nCOMMIT\n")
	if err != nil {
		t.Fatal(err)
	}
	const want = `table nft ip nat
chain "PREROUTING" accept nat 010203
rule 17 3 4 -> KUBE-SERVICES # "service \"portals\"\nand more"
rawdata
rule 18 5 0
other
chain "KUBE SERVICES"
table legacy ip6 filter
chain "INPUT" drop - 
-A INPUT -j KUBE-FIREWALL
chain "KUBE-FIREWALL"
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

func TestWhatIsNoPrintedPacketFilterIsAnError(t *testing.T) {
	for _, broken := range []string{
		"nonsense\n", "table nft ip\n", "chain \"before\"\n", "table nft ip nat\nrule 1 0 0\n\n", "table nft ip nat\nchain bare\n",
		"table nft ip nat\nchain \"c\" accept nat zz\n", "table nft ip nat\nchain \"c\"\nrule x\n", "table nft ip nat\nchain \"c\"\nrule 1 10 " +
			"0\nshort\n",
		"table nft ip nat\nchain \"c\"", "table legacy ip nat\nchain \"c\"\nnonsense\n", "table nft ip nat\nchain \"c\"\nrule 1 4 0\nabcd\n",
	} {
		if got, err := ReadTables(bufio.NewReader(strings.NewReader(broken))); err == nil {
			t.Errorf("%q: %+v", broken, got)
		}
	}
	if got, err := ReadTables(bufio.NewReader(strings.NewReader(""))); got != nil || err != nil {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}
