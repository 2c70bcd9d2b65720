// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVirtualServicesOfTheClusterAreToldFromOthers(t *testing.T) {
	const text = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A600001:01BB rr
  -> C0A80005:192B      Masq    1      3          0
UDP  [fd00:0010:0096:0000:0000:0000:0000:000a]:0035 rr
TCP  C000020A:7531 rr
TCP  C000020A:0050 wlc persistent 50
FWM  00000001 rr
`
	all, err := parseIPVS(text)
	if err != nil {
		t.Fatal(err)
	}
	facts := Facts{ServiceCIDRs: []string{"10.96.0.0/12", "fd00:10:96::/112"}}
	of := func(facts Facts) map[string]Fate {
		out := map[string]Fate{}
		for _, it := range ipvsItems(all, facts) {
			out[it.Name] = it.Fate
		}
		return out
	}
	want := map[string]Fate{"tcp 10.96.0.1:443": Reboot, "udp [fd00:10:96::a]:53": Reboot, "tcp 192.0.2.10:30001": Reboot, "tcp 192.0.2.10:80": Stays}
	if diff := cmp.Diff(want, of(facts)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := of(Facts{}); got["tcp 192.0.2.10:30001"] != Stays || got["tcp 10.96.0.1:443"] != Stays {
		t.Errorf("without facts: %v", got)
	}
	for _, broken := range []string{"TCP  nonsense rr", "TCP  0A600001 rr", "TCP  0A60:01BB rr", "UDP  [zz]:0035 rr"} {
		if got, err := parseIPVS(broken); err == nil {
			t.Errorf("%q: %v", broken, got)
		}
	}
	if got, err := parseIPVS(""); got != nil || err != nil {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}
