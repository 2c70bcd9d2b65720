// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// onBoth is the part of a stage that ends each part of the story. Each part runs on a
// bed of its own, and the two take half the time side by side; a stage belongs to the
// part that is the shorter one.
const onBoth = 0

// TestCircle is the whole story, in order, or the part of it that E2E_PART names. A
// stage that fails does not stop the others unless they need what it could not make.
func TestCircle(t *testing.T) {
	b := newBed(t)
	b.ears = listen(t, b.client)
	b.fresh(t)
	begun := time.Now()
	for _, stage := range b.stages() {
		if !told(t, stage.part) {
			continue
		}
		start := time.Now()
		t.Run(strings.ReplaceAll(stage.name, " ", "-"), stage.run)
		b.took("stage: "+stage.name, time.Since(start))
	}
	b.took("the whole story", time.Since(begun))
	for _, line := range b.times {
		t.Logf("| %8s  %s", line.took.Round(100*time.Millisecond), line.what)
	}
}

// stage is a part of the story.
type stage struct {
	name string
	// part is 1 or 2, or onBoth.
	part int
	run  func(*testing.T)
}

func (b *bed) stages() []stage {
	return []stage{
		{"input that makes no sense changes nothing", 1, b.stageBadInput},
		{"the host of a node without a network is readable", 1, b.stageInspectNotReady},
		{"cni install gives the cluster a network that works", 1, b.stageNetwork},
		{"cni uninstall leaves clean hosts that stay nodes", 2, b.stageNetworkLeaves},
		{"one network gives way to another and pods keep their budgets", 2, b.stageSwitch},
		{"the program never runs in a tenant's image", 1, b.stageImage},
		{"join prints a command that works and then dies", 1, b.stageJoin},
		{"the network of the joined host works across nodes", 1, b.stagePodNetwork},
		{"join and cni install say what cannot work", 1, b.stageJoinCases},
		{"drain explains what blocks and heeds the budget", 1, b.stageDrain},
		{"remove refuses what it cannot finish", 1, b.stageRefusals},
		{"remove leaves a clean host and all that is not Kubernetes", 1, b.stageRemove},
		{"the host joins again", 1, b.stageRejoin},
		{"a kubelet's root elsewhere and directories of a person beside it", 1, b.stageDisk},
		{"a surge ends a drain that three budgets kept", 1, b.stageGitea},
		{"a removal whose plugin was killed finishes", 1, b.stageKilled},
		{"a removal that is interrupted goes on by itself", 1, b.stageInterrupted},
		{"a removal whose program was killed finishes", 1, b.stageProgramKilled},
		{"certificates are told as kubeadm tells them, and renewed", 2, b.stageCertificates},
		{"a renewal of certificates that fails is taken back", 2, b.stageCertificateFaults},
		{"three control planes are renewed one after another", 2, b.stageThreeControlPlanes},
		{"a node whose kubelet has an expired certificate comes back", 2, b.stageRecoverKubelet},
		{"a removal survives whatever happens to its host and its cluster", 2, b.stageFaults},
		{"a command runs on drained hosts", 1, b.stageRun},
		{"a busy mount makes it wait and abort brings the node back", 1, b.stageBusy},
		{"a drained node is removed in seconds", 1, b.stageFast},
		{"what plugins beside the network leave goes and what stays is named", 2, b.stageTraces},
		{"a program that cannot be streamed travels in Secrets", 1, b.stageParcel},
		{"several nodes are removed with one command", 1, b.stageMany},
		{"a finalizer holds a Node and a pod, and remove says so", 1, b.stageFinalizers},
		{"a second cluster: workers move, control planes leave", 2, b.stageSecond},
		{"a bare host is prepared and joins over ssh", 2, b.stageSSH},
		{"a node whose host is dead is given up and cleans itself", 2, b.stageLost},
		{"nothing is left of any run", onBoth, b.stageNothingLeft},
		{"no secret was said", onBoth, b.stageSecrets},
	}
}

// told reports whether this run tells a part of the story.
func told(t *testing.T, part int) bool {
	t.Helper()
	wanted := os.Getenv("E2E_PART")
	switch wanted {
	case "":
		return true
	case "1", "2":
		return part == onBoth || wanted == fmt.Sprint(part)
	}
	t.Fatalf("E2E_PART=%s: the story has the parts 1 and 2", wanted)
	return false
}

// fresh makes sure of a host that has never joined, and keeps what it looks
// like beside the bed's kubeconfig, so that on a bed that is used again the host
// is still compared with what it was at first.
func (b *bed) fresh(t *testing.T) {
	t.Helper()
	b.forgetFixtures(t)
	if b.pristine = b.remembered(t); b.pristine != nil {
		return
	}
	_, err := b.tryHost(t, b.blank, "test ! -e /etc/kubernetes/kubelet.conf && test ! -e /var/lib/kubelet")
	if err != nil || b.node(t, b.blank) != nil {
		t.Logf("| host %s has joined before: it is made again", b.blank)
		b.remake(t)
	}
	b.host(t, b.blank, plantEarly)
	text := b.host(t, b.blank, dumpScript)
	b.pristine = parseDump(text)
	if err := os.WriteFile(b.memory(t), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// remake makes the host again, as one that has never joined.
func (b *bed) remake(t *testing.T) {
	t.Helper()
	b.kubectl(t, "", "delete", "node", b.blank, "--ignore-not-found")
	for _, args := range [][]string{{"blank", "--rm", b.blank}, {"blank", b.blank}} {
		if _, err := commandIn(t, "../hack/testbed", "go", append([]string{"run", "."}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
}

// remembered is the host's first look, if this very container was looked at
// before; nil otherwise.
func (b *bed) remembered(t *testing.T) dump {
	t.Helper()
	text, err := os.ReadFile(b.memory(t))
	if err != nil {
		return nil
	}
	return parseDump(string(text))
}

// memory names the file for what the host, this very container, was like.
func (b *bed) memory(t *testing.T) string {
	t.Helper()
	id, err := command(t, hostLimit, "", "docker", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", b.blank)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(id))
	return filepath.Join(filepath.Dir(b.kubeconfig), fmt.Sprintf("pristine-%x", hash[:6]))
}

// forgetFixtures deletes what an earlier story may have left in the cluster.
func (b *bed) forgetFixtures(t *testing.T) {
	t.Helper()
	b.kubectl(t, "", "delete", "namespace", shop, git, "--ignore-not-found", "--wait=true")
	b.kubectl(t, "", "delete", "validatingadmissionpolicy/e2e-policy", "validatingadmissionpolicybinding/e2e-policy",
		"clusterrole/e2e-half", "clusterrolebinding/e2e-half", "--ignore-not-found")
	for kind := range otherKinds() {
		b.kubectl(t, "", "delete", "node", "e2e-"+strings.ToLower(kind), "--ignore-not-found")
	}
	_, _ = b.tryKubectl(t, "", "delete", "mutatingadmissionpolicy/e2e-policy", "mutatingadmissionpolicybinding/e2e-policy",
		"--ignore-not-found")
	b.kubectl(t, "", "uncordon", b.controlPlane, b.worker, b.worker2)
}
