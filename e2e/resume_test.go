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

// drained makes sure that the host has joined and runs nothing but what every
// node runs: what is removed then is the host alone.
func (b *bed) drained(t *testing.T) {
	t.Helper()
	b.joined(t)
	b.kubectl(t, "", "drain", b.blank, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=120s")
}

// kubeletStops waits until the kubelet of the host has been stopped, and fails
// the test if the plugin ends before.
func (b *bed) kubeletStops(t *testing.T, r *running) {
	t.Helper()
	eventually(t, time.Minute, "the kubelet of the host stops", func() (bool, string) {
		state, _ := b.tryHost(t, b.blank, "systemctl is-active kubelet")
		return strings.TrimSpace(state) != "active", state + r.err.String()
	})
}

// stageKilled: the plugin is killed right after the kubelet stopped; the same
// command again finishes.
func (b *bed) stageKilled(t *testing.T) {
	b.drained(t)
	before := b.names(t, b.blank)
	r := b.start(t, "remove", b.blank, "--yes")
	b.kubeletStops(t, r)
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if o := r.wait(t); o.code != -1 {
		t.Fatalf("the plugin was to be killed, but had ended: exit code %d", o.code)
	}
	if b.node(t, b.blank) == nil {
		t.Error("the Node was deleted before the verdict")
	}
	o := b.must(t, "remove", b.blank, "--yes")
	o.says(t, "taking up the remove")
	b.isGone(t, before)
	b.isPristine(t, b.blank, b.pristine)
	t.Run("and the host joins anew before the same command again", b.joinsAnew)
}

// joinsAnew leaves the record of a finished removal behind, and has the host join
// again under its name. The next removal is one of its own.
func (b *bed) joinsAnew(t *testing.T) {
	b.drained(t)
	before := b.names(t, b.blank)
	r := b.start(t, "remove", b.blank, "--yes")
	if !reaches(t, r, "✓ Clean the host") {
		t.Fatal("the host was not cleaned")
	}
	_ = r.cmd.Process.Kill()
	r.wait(t)
	b.kubectl(t, "", "delete", "node", b.blank, "--ignore-not-found")
	b.drained(t)
	o := b.must(t, "remove", b.blank, "--yes")
	o.says(t, "the record of an earlier node of that name goes",
		"replacing the record of an earlier node of that name: remove of node "+b.blank, "✓ Stop and hold the kubelet")
	b.isGone(t, before)
	b.isPristine(t, b.blank, b.pristine)
}

// stageProgramKilled: the program on the host is killed right after the kubelet
// stopped; its unit starts it again and the same command finishes.
func (b *bed) stageProgramKilled(t *testing.T) {
	b.drained(t)
	before := b.names(t, b.blank)
	r := b.start(t, "remove", b.blank, "--yes")
	b.kubeletStops(t, r)
	b.host(t, b.blank, `pid=$(systemctl show -p MainPID --value kubectl-lifecycle); [ "$pid" -gt 0 ] && kill -KILL "$pid"`)
	if o := r.wait(t); o.code != 0 {
		t.Fatalf("exit code %d", o.code)
	} else {
		b.took("remove of a drained node, its program killed on the way", o.took)
	}
	journal := b.host(t, b.blank, "journalctl --no-pager -u kubectl-lifecycle")
	if !strings.Contains(journal, "status=9/KILL") {
		t.Errorf("the program was not killed while it worked:\n%s", journal)
	}
	b.isGone(t, before)
	b.isPristine(t, b.blank, b.pristine)
}

// podMount mounts a tmpfs below the kubelet's directory, as a pod's.
func (b *bed) podMount(t *testing.T) {
	t.Helper()
	b.host(t, b.blank, `set -e
dir=/var/lib/kubelet/pods/e2e-busy/volumes/held
mkdir -p $dir
mount -t tmpfs e2e-held $dir
echo kept >$dir/file`)
}

// holdLate has a process go into that mount as soon as the kubelet has been stopped, which is
// after the host has asked who is in it; it returns its process ID.
func (b *bed) holdLate(t *testing.T) (pid string) {
	t.Helper()
	script := "echo $$ >/srv/holder/pid; while systemctl -q is-active kubelet; do sleep 0.02; done; " +
		"cd /var/lib/kubelet/pods/e2e-busy/volumes/held && exec sleep 1234"
	b.host(t, b.blank, "rm -rf /srv/holder; mkdir /srv/holder")
	if _, err := command(t, hostLimit, "", "docker", "exec", "-d", b.blank, "sh", "-c", script); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the holder has started", func() (bool, string) {
		out, err := b.tryHost(t, b.blank, "pid=$(cat /srv/holder/pid) && test -d /proc/$pid && echo $pid")
		pid = strings.TrimSpace(out)
		return err == nil && pid != "", out
	})
	return pid
}

// release ends the holder.
func (b *bed) release(t *testing.T, pid string) {
	t.Helper()
	b.host(t, b.blank, fmt.Sprintf("kill %s; rm -r /srv/holder; mkdir /srv/holder", pid))
}

// waits runs a removal that has to stop at the held mount.
func (b *bed) waits(t *testing.T, pid string) {
	t.Helper()
	o := b.run(t, 1, "remove", b.blank, "--yes")
	o.says(t, "e2e-busy/volumes/held", "sleep", pid, "runs abort "+b.blank)
	runs := b.run(t, 0, "runs")
	if !strings.Contains(runs.stdout, b.blank) || !strings.Contains(runs.stdout, "waiting") {
		t.Errorf("runs does not show the one that waits:\n%s", runs.stdout)
	}
	if node := b.node(t, b.blank); node == nil || !node.Spec.Unschedulable {
		t.Error("the node of a removal that waits is to be there and cordoned")
	}
}

// stageBusy: a mount that becomes busy makes the program wait; abort brings the node back;
// one that is busy is a reason not to begin; and when the holder is gone the same command
// finishes.
func (b *bed) stageBusy(t *testing.T) {
	b.joined(t)
	b.podMount(t)
	before := b.names(t, b.blank)
	t.Run("a program that nobody comes back to takes the way back by itself", b.nobodyComes)
	pid := b.holdLate(t)
	b.waits(t, pid)
	token := b.recordToken(t)
	t.Run("a run that waits holds the node", func(t *testing.T) {
		b.run(t, 4, "inspect", b.blank).says(t, "being worked on", "remove of node "+b.blank, "since", "runs abort")
	})
	b.abort(t)
	b.dies(t, token)
	if changed := before.changed(b.names(t, b.blank)); len(changed) > 0 {
		t.Errorf("the removal that was taken back left or took away: %v", changed)
	}
	b.crossNodes(t)
	if kept := b.host(t, b.blank, "cat /var/lib/kubelet/pods/e2e-busy/volumes/held/file"); kept != "kept\n" {
		t.Errorf("the held mount has lost its file: %q", kept)
	}
	b.drained(t)
	b.unchanged(t, b.blank, func() {
		b.run(t, 4, "remove", b.blank, "--yes").says(t, "in use by programs of this host", "e2e-busy/volumes/held", "sleep", pid)
	})
	b.release(t, pid)
	before = b.names(t, b.blank)
	pid = b.holdLate(t)
	b.waits(t, pid)
	b.release(t, pid)
	b.must(t, "remove", b.blank, "--yes")
	b.isGone(t, before)
	b.isPristine(t, b.blank, b.pristine)
}

// nobodyComes: the program waits for as long as it was told, and then starts the
// kubelet again and leaves; the node stays cordoned for whoever looks at it.
func (b *bed) nobodyComes(t *testing.T) {
	defer b.release(t, b.holdLate(t))
	o := b.run(t, 1, "remove", b.blank, "--yes", "--patience", "5s")
	o.says(t, "e2e-busy/volumes/held")
	eventually(t, time.Minute, "the node is Ready again by itself", func() (bool, string) {
		state, _ := b.tryHost(t, b.blank, "systemctl is-active kubelet; ls -d /var/lib/kubectl-lifecycle 2>/dev/null")
		return strings.TrimSpace(state) == "active" && isReady(b.node(t, b.blank)), state
	})
	runs := b.run(t, 0, "runs")
	if !strings.Contains(runs.stdout, b.blank) || !strings.Contains(runs.stdout, "aborted") {
		t.Errorf("runs does not show the one that was taken back:\n%s", runs.stdout)
	}
	if node := b.node(t, b.blank); !node.Spec.Unschedulable {
		t.Error("the node was opened though nobody said so")
	}
	b.nothingOnHost(t)
}

// abort takes a run back and checks that the node is as before it.
func (b *bed) abort(t *testing.T) {
	t.Helper()
	o := b.must(t, "runs", "abort", b.blank)
	b.took("runs abort, until the node is Ready", o.took)
	node := b.node(t, b.blank)
	if !isReady(node) || node.Spec.Unschedulable {
		t.Errorf("the node is not Ready and schedulable after abort")
	}
	b.nothingOnHost(t)
	runs := b.run(t, 0, "runs")
	if strings.Contains(runs.stdout, b.blank) {
		t.Errorf("the run is still there after abort:\n%s", runs.stdout)
	}
}

// departure is how long a program may take to be gone after its last word: if the
// answer to that was lost, its request has to time out, and then it does not believe
// for a while that its record is gone.
const departure = 45 * time.Second

// nothingOnHost checks that no file of a run is on the host. On one that has joined
// again files come and go while one looks. The layer of the pod's container, in which
// the runtime has made the places to mount at, goes when the kubelet collects the
// container, within its minute (ContainerGCPeriod).
func (b *bed) nothingOnHost(t *testing.T) {
	t.Helper()
	eventually(t, departure, "a run takes itself off the host", func() (bool, string) {
		left := b.host(t, b.blank, "command -v find >/dev/null && { find /var/lib /run /etc -xdev -name '*lifecycle*' ! -path "+
			"'/run/credentials/*' ! -path '*-look*' ! -path '/var/lib/containerd/io.containerd.snapshotter.*' -print 2>/dev/null; true; }")
		return left == "", left
	})
}

// stageInterrupted: after Ctrl-C the host goes on by itself, how to follow it is
// said, and the same command finishes.
func (b *bed) stageInterrupted(t *testing.T) {
	b.drained(t)
	before := b.names(t, b.blank)
	r := b.start(t, "remove", b.blank, "--yes")
	b.kubeletStops(t, r)
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	o := r.wait(t)
	if o.code != 130 {
		t.Errorf("exit code %d, want 130", o.code)
	}
	o.says(t, "the work on the host continues", "kubectl lifecycle runs follow "+b.blank)
	follow := b.run(t, 0, "runs", "follow", b.blank)
	if !strings.Contains(follow.stdout, "remove of node "+b.blank+": finished") {
		t.Errorf("runs follow: %q", follow.stdout)
	}
	b.must(t, "remove", b.blank, "--yes")
	b.isGone(t, before)
	b.isPristine(t, b.blank, b.pristine)
}

// stageFast prints how long the removal of a drained node takes.
func (b *bed) stageFast(t *testing.T) {
	b.drained(t)
	o := b.must(t, "remove", b.blank, "--yes")
	b.took("remove of a drained node (to be 15 s at most)", o.took)
	b.isPristine(t, b.blank, b.pristine)
}
