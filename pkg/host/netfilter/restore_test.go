// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsKeptOfADeletionIsEnoughToUndoIt(t *testing.T) {
	tables, err := ParseSave("ip", `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:KUBE-FIREWALL - [0:0]
:DOCKER-USER - [0:0]
-A INPUT -p tcp --dport 22 -m comment --comment theirs -j ACCEPT
-A INPUT -j KUBE-FIREWALL
-A INPUT -p udp -m comment --comment theirs -j DOCKER-USER
-A INPUT -m mark --mark 0x8000 -j KUBE-FIREWALL
-A KUBE-FIREWALL -j DROP
-A DOCKER-USER -m comment --comment theirs -j RETURN
COMMIT
`)
	if err != nil {
		t.Fatal(err)
	}
	input := tables[0].Chain("INPUT").Rules
	d := Deletion{
		Table: tables[0], Rules: map[string][]Rule{"INPUT": {input[1], input[3]}},
		Flush: []string{"KUBE-FIREWALL"}, Chains: []string{"KUBE-FIREWALL"}, Open: []string{"FORWARD"},
	}
	kept := d.Kept()
	var text bytes.Buffer
	to := bufio.NewWriter(&text)
	kept.Table.Print(to)
	if err := to.Flush(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), "theirs") {
		t.Errorf("rules of others are kept:\n%s", text.String())
	}
	again, err := ReadTables(bufio.NewReader(&text))
	if err != nil || len(again) != 1 {
		t.Fatalf("%v, %v", again, err)
	}
	kept.Table = again[0]
	const want = `*filter
:KUBE-FIREWALL - [0:0]
:FORWARD DROP [0:0]
-A KUBE-FIREWALL -j DROP
-I INPUT 2 -j KUBE-FIREWALL
-I INPUT 4 -m mark --mark 0x8000 -j KUBE-FIREWALL
COMMIT
`
	for what, undo := range map[string]string{"all of it": d.Undo(), "what is kept": kept.Undo()} {
		if diff := cmp.Diff(want, undo); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestHandlesOfRulesThatStayAreKept(t *testing.T) {
	rule := func(handle uint64) Rule {
		return Rule{Handle: handle, Raw: []byte{byte(handle)}, Targets: []string{"x"}}
	}
	d := Deletion{
		Table: Table{Backend: Nft, Family: "ip", Name: "nat", Chains: []Chain{
			{Name: "OUTPUT", Base: true, Policy: "accept", Rules: []Rule{rule(4), rule(5), rule(6)}}, {Name: "others", Rules: []Rule{rule(7)}},
		}},
		Rules: map[string][]Rule{"OUTPUT": {rule(5)}},
	}
	want := Deletion{
		Table: Table{Backend: Nft, Family: "ip", Name: "nat", Chains: []Chain{
			{Name: "OUTPUT", Base: true, Policy: "accept", Rules: []Rule{{Handle: 4}, rule(5), {Handle: 6}}},
		}},
		Rules: map[string][]Rule{"OUTPUT": {{Handle: 5}}},
	}
	if diff := cmp.Diff(want, d.Kept()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
