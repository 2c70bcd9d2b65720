// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/screentest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/sshcarrier"
)

var update = flag.Bool("update", false, "write the golden files of screens")

// TestScreensOfJoining has what each command shows that brings a host into a cluster.
func TestScreensOfJoining(t *testing.T) {
	screentest.Compare(t, *update, slices.Concat(joinScreens(), tokenScreens(), sshScreens(), prepScreens(), initScreens(t), lintScreens(t)))
}

// line is the screen of a command line.
func line(name string, with func(*testing.T, *env.Env), args ...string) screentest.Screen {
	return screentest.Family(Commands).Line(name, with, args...)
}

// joinable is a cluster that hosts can join: each token signs cluster-info. A host that comes
// (with a status of its condition Ready) does so after half a minute.
func joinable(comes corev1.ConditionStatus, more ...runtime.Object) func(*testing.T, *env.Env) {
	return func(t *testing.T, e *env.Env) {
		t.Helper()
		objects := append(screentest.Kubeadm(), screentest.Node("cp-1"), screentest.Node("worker-1"),
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-public", Name: "cluster-info"},
				Data: map[string]string{"kubeconfig": screentest.ClusterInfo()}})
		b := &joinBed{T: t, client: flowtest.Permissive(t, nil, append(objects, more...)...)}
		screentest.Reviewed(b.client)
		b.sign()
		if comes != "" {
			go b.arrive(comes)
		}
		e.Client = func() (kubernetes.Interface, error) { return b.client, nil }
		e.Config = func() (*rest.Config, error) { return &rest.Config{Host: "http://127.0.0.1:1"}, nil } // it is not asked from outside
	}
}

func joinScreens() []screentest.Screen {
	const token = "--bootstrap-token=abcdef.0123456789abcdef"
	return []screentest.Screen{
		line("join", joinable(""), "join", token), line("join-dry-run", joinable(""), "join", "--dry-run", "--node-name", "worker-4"),
		line("join-control-plane-dry-run", joinable(""), "join", "--control-plane", "--dry-run"),
		line("join-script-dry-run", joinable(""), "join", "-o", "script", "--dry-run"),
		line("join-cloud-init-dry-run", joinable(""), "join", "-o", "cloud-init", "--dry-run"),
		line("join-wait", joinable(corev1.ConditionTrue), "join", token, "--wait", "--role", "worker"),
		line("join-wait-not-ready", joinable(corev1.ConditionFalse), "join", token, "--wait", "--timeout", "2m"),
		line("join-wait-nothing-comes", joinable(""), "join", token, "--wait", "--timeout", "2m"),
		line("join-no-such-token", joinable(""), "join", "--bootstrap-token", "zzzzzz"),
		line("join-name-is-taken", joinable(""), "join", "--node-name", "worker-1", "--dry-run"),
		line("join-wait-dry-run", nil, "join", "--wait", "--dry-run"),
	}
}

// token is one of another tool's, or of this one.
func token(id, description string, own bool, ends time.Duration) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "bootstrap-token-" + id, Labels: map[string]string{}},
		Type: "bootstrap.kubernetes.io/token", Data: map[string][]byte{"token-id": []byte(id), "token-secret": []byte("0123456789abcdef"),
			"description": []byte(description), "usage-bootstrap-authentication": []byte("true"), "usage-bootstrap-signing": []byte("true"),
			"auth-extra-groups": []byte("system:bootstrappers:kubeadm:default-node-token")}}
	if own {
		s.Labels[bootstrap.Label] = "join"
	}
	if ends != 0 {
		s.Data["expiration"] = []byte(screentest.Now().Add(ends).Format(time.RFC3339))
	}
	return s
}

func tokenScreens() []screentest.Screen {
	tokens := joinable("", token("abcdef", "kubectl lifecycle join by ann@laptop", true, 90*time.Minute),
		token("k4z9w2", "Proxy for managing TTL for the kubeadm-certs secret", false, -time.Hour), token("p0q1r2", "", false, 0))
	return []screentest.Screen{
		line("join-list", tokens, "join", "list"), line("join-list-none", joinable(""), "join", "list"),
		line("join-revoke", tokens, "join", "revoke", "abcdef"), line("join-revoke-foreign", tokens, "join", "revoke", "p0q1r2"),
		line("join-revoke-unknown", tokens, "join", "revoke", "zzzzzz"),
		line("join-revoke-whole", tokens, "join", "revoke", "abcdef.0123456789abcdef"),
	}
}

// lacking is what a host lacks.
func lacking() prep.Facts {
	return prep.Facts{
		OS: prep.OS{Systemd: true}, Kernel: prep.Kernel{Release: "6.1.0-30-amd64", Cgroup: 2},
		Identity: prep.Identity{Node: "worker-4", MachineID: "own"}, Resolves: []string{"127.0.1.1"}, Addresses: []string{"192.0.2.4"},
		HostsFile: prep.File{Path: "/etc/hosts", There: true, Content: "127.0.1.1 worker-4\n"},
		Swap: prep.Swap{On: []string{"/dev/sda2"}, FSTab: prep.File{Path: "/etc/fstab", There: true,
			Content: "/dev/sda1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n"}},
		Modules:  prep.Modules{Loaded: []string{"overlay", "nf_conntrack"}},
		Sysctls:  prep.Sysctls{Now: map[string]string{"net.ipv4.ip_forward": "0", "net.bridge.bridge-nf-call-iptables": "1"}},
		CNI:      prep.CNI{Bin: prep.Dir{Path: "/opt/cni/bin", There: true, Mode: 0o755}},
		Clock:    prep.Clock{Service: "systemd-timesyncd.service"},
		Programs: map[string]string{"kubeadm": "v1.36.3", "kubelet": "v1.36.3", "kubectl": "v1.36.3"},
		Packages: "apt", Disks: []prep.Disk{{Path: "/", Free: 100 << 30, Inodes: 1000, FreeInodes: 900}},
	}
}

func prepScreens() []screentest.Screen {
	const name = "root@192.0.2.4"
	tell := func(screen string, f prepFlags, outcome prep.Outcome) screentest.Screen {
		return screentest.Screen{Name: screen, Show: screentest.Still(func(t *testing.T, e *env.Env) error {
			t.Helper()
			c := commands{e}
			f.ssh = []string{name}
			progress := c.Progress()
			p := plan.Plan{Steps: []plan.Step{{ID: "prep", Title: prepTitle(f, name)}}}
			_, err := screentest.Played(p, map[string]screentest.Act{"prep": {Takes: 6 * time.Second,
				Says: []string{"connecting to " + name + " by ssh"}}}).Run(t.Context(), progress)
			progress.Close()
			order := prep.Order{Apply: f.yes, Undo: f.undo}
			return errors.Join(err, c.tellPrepared(f, order, map[string]*prepared{name: {Host: name, Outcome: outcome}}))
		})}
	}
	report := prep.Decide(lacking(), prep.Wanted{Kubernetes: "v1.36.3"})
	var left prep.Report
	var made []string
	for _, f := range report.Findings {
		if f.Fixable() {
			for _, c := range f.Changes {
				made = append(made, c.String())
			}
			continue
		}
		left.Findings = append(left.Findings, f)
	}
	for _, id := range prep.IDs() {
		if !slices.ContainsFunc(left.Findings, func(f prep.Finding) bool { return f.ID == id }) {
			left.Checked = append(left.Checked, id)
		}
	}
	return []screentest.Screen{
		tell("prep", prepFlags{}, prep.Outcome{Report: report}),
		tell("prep-changed", prepFlags{yes: true}, prep.Outcome{Report: left, Made: made}),
		tell("prep-undo", prepFlags{undo: true}, prep.Outcome{Pending: []string{"turn swap off: /dev/sda2",
			"load the kernel module br_netfilter"}}),
		tell("prep-undone", prepFlags{undo: true, yes: true}, prep.Outcome{Undone: []prep.Undone{{Change: "turn swap off: /dev/sda2"},
			{Change: "write /etc/fstab", Kept: "it was changed since"}}}),
		tell("prep-undo-nothing", prepFlags{undo: true}, prep.Outcome{}),
		line("prep-no-host", nil, "prep"), line("prep-no-cluster-known", func(_ *testing.T, e *env.Env) {
			e.Client = func() (kubernetes.Interface, error) {
				return nil, plan.Refuse(errors.New("there is no kubeconfig: no cluster is named anywhere"), "name one: --kubeconfig FILE")
			}
		}, "prep", "--ssh", name),
	}
}

func sshScreens() []screentest.Screen {
	const name = "root@192.0.2.4"
	joins := func(screen string, acts map[string]screentest.Act, result sshJoined) screentest.Screen {
		return screentest.Screen{Name: screen, Show: screentest.Still(func(t *testing.T, e *env.Env) error {
			t.Helper()
			joinable("")(t, e)
			c := commands{e}
			j := sshJoin{commands: c, host: sshcarrier.Host{Destination: name}, another: another{cluster: runner.Cluster{}}, result: &result}
			progress := c.Progress()
			_, err := screentest.Played(j.recipe(), acts).Run(t.Context(), progress)
			progress.Close()
			f := joinFlags{}
			f.prep.ssh = []string{name}
			return errors.Join(c.tellSSHJoined(f, map[string]*sshJoined{name: &result}), err)
		})}
	}
	report := prep.Decide(lacking(), prep.Wanted{Kubernetes: "v1.36.3"})
	blocked := prep.Outcome{Report: prep.Report{Findings: slices.DeleteFunc(slices.Clone(report.Findings), prep.Finding.Fixable)}}
	token := screentest.Act{Takes: time.Second, Undone: true,
		Says: []string{"waiting for the bootstrapsigner controller to sign cluster-info with token abcdef"}}
	return []screentest.Screen{
		joins("join-ssh", map[string]screentest.Act{name + "/token": token,
			name + "/join": {Takes: 42 * time.Second, Says: []string{"connecting to " + name + " by ssh", "prepared: 7 changes", "kubeadm join"}},
			name + "/ready": {Takes: 8 * time.Second, Says: []string{"host worker-4 has asked for a certificate",
				"node worker-4 is not Ready: cni plugin not initialized"}}},
			sshJoined{Host: name, Node: "worker-4", Result: "joined", Outcome: prep.Outcome{Made: make([]string, 7)}}),
		joins("join-ssh-blocked", map[string]screentest.Act{name + "/token": token,
			name + "/join": {Takes: 5 * time.Second, Err: blockedBy(blocked, "see what fixes each: kubectl lifecycle prep --ssh "+name)}},
			sshJoined{Host: name, Result: "blocked", Outcome: blocked}),
		line("join-ssh-script", nil, "join", "--ssh", name, "-o", "script"),
	}
}

func initScreens(t *testing.T) []screentest.Screen {
	t.Helper()
	const name = "root@192.0.2.11"
	bad := filepath.Join(t.TempDir(), "kubeadm.yaml")
	if err := os.WriteFile(bad, []byte(flawed), 0o600); err != nil {
		t.Fatal(err)
	}
	makes := func(screen string, acts map[string]screentest.Act, result founded) screentest.Screen {
		return screentest.Screen{Name: screen, Show: screentest.Still(func(t *testing.T, e *env.Env) error {
			t.Helper()
			i := initRun{commands: commands{e}, host: sshcarrier.Host{Destination: name}, own: ownKubeconfig{name: "prod"}, result: result}
			progress := i.Progress()
			_, err := screentest.Played(i.recipe(), acts).Run(t.Context(), progress)
			progress.Close()
			if err := errors.Join(i.tell(""), err); err != nil {
				return err
			}
			i.sayNext()
			return i.differs()
		})}
	}
	report := prep.Decide(lacking(), prep.Wanted{Kubernetes: "v1.36.3"})
	made := founded{Host: name, Node: "cp-1", Endpoint: "api.example.com:6443", Result: "made", Context: "prod",
		Kubeconfig: "/home/ann/.kube/config", Backup: "/home/ann/.kube/config.20260304T050607Z", Outcome: prep.Outcome{Made: make([]string, 9)}}
	return []screentest.Screen{
		line("init-dry-run", nil, "init", "--ssh", name, "--endpoint", "api.example.com", "--dry-run"),
		line("init-dry-run-no-endpoint", nil, "init", "--ssh", name, "--untaint", "--dry-run"),
		line("init-refused-config", nil, "init", "--ssh", name, "--config", bad, "--dry-run"),
		line("init-no-host", nil, "init"),
		makes("init", map[string]screentest.Act{
			"init":   {Takes: 71 * time.Second, Says: []string{"connecting to " + name + " by ssh", "kubeadm init"}},
			"settle": {Takes: 4 * time.Second}}, made),
		makes("init-blocked", map[string]screentest.Act{"init": {Takes: 4 * time.Second, Err: blockedBy(prep.Outcome{Report: report},
			"see what fixes each: kubectl lifecycle prep --no-cluster --control-plane --ssh "+name)}},
			founded{Host: name, Result: "blocked", Outcome: prep.Outcome{Report: report}}),
	}
}

// flawed is a configuration of kubeadm with mistakes of several kinds.
const flawed = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
networking:
  podSubnet: 10.96.0.0/16
  serviceSubnet: 10.96.0.0/12
apiServer:
  extraArgs:
    feature-gates: Nothing=true
  timeoutForControlPlane: 4m
`

func lintScreens(t *testing.T) []screentest.Screen {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"flawed": flawed, "well": "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n" +
		"kubernetesVersion: v1.36.3\ncontrolPlaneEndpoint: api.example.com:6443\nnetworking:\n  podSubnet: 10.244.0.0/16\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []screentest.Screen{
		line("lint", nil, "lint", filepath.Join(dir, "flawed")), line("lint-well", nil, "lint", filepath.Join(dir, "well")),
		line("lint-no-file", nil, "lint", filepath.Join(dir, "none")),
	}
}
