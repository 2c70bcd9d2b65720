// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// fault is something that goes wrong in the middle.
type fault struct {
	name string
	// strike makes it happen, and ends it again if it ends by itself.
	strike func(t *testing.T, b *bed, r *running)
}

// outage is how long an API server or a network is away.
const outage = 30 * time.Second

func faults() []fault {
	return []fault{
		{"the plugin is killed", func(_ *testing.T, _ *bed, r *running) { _ = r.cmd.Process.Kill() }},
		{"the pod is deleted", func(t *testing.T, b *bed, _ *running) {
			t.Helper()
			_, _ = b.tryKubectl(t, "", "-n", "kube-system", "delete", "pod", "lifecycle-"+b.blank, "--ignore-not-found", "--force",
				"--grace-period=0")
		}},
		{"the program is killed", func(t *testing.T, b *bed, _ *running) {
			t.Helper()
			_, _ = b.tryHost(t, b.blank, "systemctl kill --signal=KILL kubectl-lifecycle")
		}},
		{hostRestarted, func(t *testing.T, b *bed, _ *running) {
			t.Helper()
			if _, err := command(t, commandLimit, "", "docker", "restart", "-t", "1", b.blank); err != nil {
				t.Error(err)
			}
		}},
		{"the API server is stopped for 30 s", func(t *testing.T, b *bed, _ *running) {
			t.Helper()
			b.away(t, "docker", "pause", b.controlPlane, "unpause")
		}},
		{"the network is cut for 30 s", func(t *testing.T, b *bed, _ *running) {
			t.Helper()
			b.unplugged(t)
		}},
	}
}

// away has docker do something to a container, and the contrary after a while.
func (b *bed) away(t *testing.T, docker, verb, container, back string) {
	t.Helper()
	if _, err := command(t, hostLimit, "", docker, verb, container); err != nil {
		t.Error(err)
		return
	}
	<-time.After(outage)
	if _, err := command(t, hostLimit, "", docker, back, container); err != nil {
		t.Error(err)
	}
}

// unplugged takes the host's cable out for a while.
func (b *bed) unplugged(t *testing.T) {
	t.Helper()
	cable := b.cable(t)
	setCable(t, cable, "down")
	<-time.After(outage)
	setCable(t, cable, "up")
}

// cable is the name of the outer end of the host's link: setting it down changes
// nothing on the host itself.
func (b *bed) cable(t *testing.T) string {
	t.Helper()
	index := strings.TrimSpace(b.host(t, b.blank, "cat /sys/class/net/eth0/iflink"))
	name, err := command(t, hostLimit, "", "sh", "-c", `ip -o link | awk -F': ' -v i=`+index+` '$1 == i { sub(/@.*/, "", $2); print $2 }'`)
	if name = strings.TrimSpace(name); err != nil || name == "" {
		t.Fatalf("no link of number %s: %v", index, err)
	}
	return name
}

func setCable(t *testing.T, name, state string) {
	t.Helper()
	if _, err := command(t, hostLimit, "", "ip", "link", "set", name, state); err != nil {
		t.Error(err)
	}
}

// hostRestarted is the fault after which what was in the kernel is gone.
const hostRestarted = "the host is restarted"

// moment is a line of a run's progress at which a fault strikes: "… Title" when a
// step begins, "✓ Title" when it is done. The end of a step is the beginning of
// the next.
type moment string

// journey is a command that takes the host out of its cluster.
type journey struct {
	name string
	// from is the bed that the command is given on; again is what is run after
	// an interruption.
	from        *bed
	args, again []string
	// arrived checks where the host is afterwards, and leaves it in no cluster.
	arrived func(t *testing.T)
	// forget has the cluster that it goes to forget the host, if there is one.
	forget func(t *testing.T)
}

// removal is the journey to nowhere.
func (b *bed) removal() journey {
	args := []string{"remove", b.blank, "--yes", "--timeout", "4m"}
	return journey{"remove", b, args, append(args, "--ignore-not-found"), func(*testing.T) {}, func(*testing.T) {}}
}

// moving is the journey to another cluster.
func (b *bed) moving(t *testing.T, other *bed) journey {
	t.Helper()
	args := []string{"move", b.blank, "--context", b.homeContext(t), "--to-context", second, "--yes", "--timeout", "6m"}
	return journey{"move", other, args, args, func(t *testing.T) {
		t.Helper()
		if !isReady(other.node(t, b.blank)) {
			t.Error("the node is not Ready in the other cluster")
		}
		other.noTokens(t)
		other.knowsMachine(t, b.blank)
		other.must(t, "remove", b.blank, "--yes", "--force")
	}, func(t *testing.T) {
		t.Helper()
		other.kubectl(t, "", "delete", "node", b.blank, "--ignore-not-found")
	}}
}

// knowsMachine waits until the Node says which machine its host is: kind gives one
// that is restarted another machine-id.
func (b *bed) knowsMachine(t *testing.T, name string) {
	t.Helper()
	eventually(t, time.Minute, "the kubelet has reported its machine-id", func() (bool, string) {
		id, said := strings.TrimSpace(b.host(t, name, "cat /etc/machine-id")), "no such node"
		if node := b.node(t, name); node != nil {
			said = node.Status.NodeInfo.MachineID
		}
		return said == id, said + ", and the host says " + id
	})
}

// stageFaults is a part of the kill matrix, each fault at the moment at which it
// hurts most; "make chaos" has all of them.
func (b *bed) stageFaults(t *testing.T) {
	worst := map[string]moment{
		"the pod is deleted":                 "… Start the program on the host",
		hostRestarted:                        "… Unmount what is mounted",
		"the API server is stopped for 30 s": "… Look at the host again",
		"the network is cut for 30 s":        "… Delete Kubernetes' packet-filter rules",
	}
	for _, f := range faults() {
		if at, is := worst[f.name]; is {
			t.Run(f.name, func(t *testing.T) { b.strikes(t, b.removal(), f, at) })
		}
	}
}

// strikes has a fault strike a journey at a moment. After one more call of the
// same command the end is the same as without it.
func (b *bed) strikes(t *testing.T, j journey, f fault, at moment) {
	t.Helper()
	b.drained(t)
	before := b.names(t, b.blank)
	b.host(t, b.blank, plantLate)
	const data = "sha256sum /srv/precious/data"
	planted, precious := b.host(t, b.blank, showPlanted), b.host(t, b.blank, data)
	r := j.from.start(t, j.args...)
	if !reaches(t, r, string(at)) {
		t.Logf("| it was over before %q was seen", at)
	}
	token, _ := b.tryHost(t, b.blank, "cat /var/lib/kubectl-lifecycle/token")
	f.strike(t, b, r)
	if o := r.wait(t); o.code != 0 {
		j.from.run(t, 0, j.again...)
	}
	if f.name == hostRestarted {
		planted = ""
	} else if after := b.host(t, b.blank, showPlanted); after != planted {
		t.Errorf("things of others were changed on the host:\nbefore:\n%s\nafter:\n%s", planted, after)
	}
	if after := b.host(t, b.blank, data); after != precious {
		t.Errorf("data of others was changed:\nbefore: %safter:  %s", precious, after)
	}
	b.isGone(t, before)
	b.nothingOnHost(t)
	j.arrived(t)
	if planted == "" { // what was in the kernel is gone, ours of before it joined included
		b.remake(t)
		b.fresh(t)
	} else {
		b.host(t, b.blank, unplantLate)
		b.isPristine(t, b.blank, b.pristine)
	}
	if token = strings.TrimSpace(token); token != "" {
		b.dies(t, token)
	}
}

// reaches waits until a journey is at a moment; false if it has ended before.
func reaches(t *testing.T, r *running, at string) bool {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if strings.Contains(r.err.String(), at) {
			return true
		}
		// Whoever waits for it is told by wait; here it is only looked at.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
		if _, rest, _ := strings.Cut(string(stat), ") "); err != nil || strings.HasPrefix(rest, "Z") {
			return strings.Contains(r.err.String(), at)
		}
		select {
		case <-t.Context().Done():
			return false
		case <-tick.C:
		}
	}
}
