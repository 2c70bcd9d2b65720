// SPDX-License-Identifier: Apache-2.0

//go:build e2e && cilium

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ciliumValues are what the images of hack/cilium and the test bed need: there is no
// Envoy among them, and some machines' root has no CAP_SYS_RESOURCE to give away.
const ciliumValues = `
envoy: {enabled: false}
securityContext: {privileged: true}
`

// ciliumCases are the clusters on which the tests are run, by what E2E_CILIUM says.
func ciliumCases() map[string]string {
	return map[string]string{
		// kube-proxy does its work, and programs are attached as on kernels before 6.6.
		"kube-proxy": "bpf: {enableTCX: false}\n",
		// Cilium does kube-proxy's, since that is not there; TCX where the kernel has it.
		"replacement": "",
		// It comes in flannel's place, and flannel in its.
		"switch": "",
	}
}

// plantPodman is a network of another's on the host, which Cilium puts aside.
const plantPodman = `mkdir -p /etc/cni/net.d && cat >/etc/cni/net.d/87-podman.conflist <<'JSON'
{"cniVersion":"0.4.0","name":"podman","plugins":[{"type":"bridge","bridge":"cni-podman0","isGateway":true,"ipMasq":true,
"ipam":{"type":"host-local","ranges":[[{"subnet":"10.89.0.0/16"}]]}}]}
JSON
`

// TestCilium is the life of a host with the real Cilium: the cluster gets it by its
// chart, the host joins, its pods reach others and are kept from it, and it leaves as
// it came, also when Cilium's agent is dead.
func TestCilium(t *testing.T) {
	b := newBed(t)
	b.ears = listen(t, b.client)
	c := &ciliumBed{bed: b, kind: need(t, "E2E_CILIUM"), dir: need(t, "TESTBED_CILIUM")}
	more, known := ciliumCases()[c.kind]
	if !known {
		t.Fatalf("E2E_CILIUM=%s: kube-proxy, replacement and switch are known", c.kind)
	}
	c.prepare(t, ciliumValues+more)
	stages := []stage{
		{"cni install gives the cluster a network that works", onBoth, c.stageInstall},
		{"the host joins and its pods are reached", onBoth, c.stageJoin},
		{"a policy keeps strangers from a pod", onBoth, c.stagePolicy},
		{"remove leaves nothing of Cilium and all that is not its own", onBoth, c.stageRemove},
		{"the host joins again", onBoth, c.stageJoin},
		{"remove does not wait for an agent that is dead", onBoth, c.stageDeadAgent},
		{"no secret was said", onBoth, b.stageSecrets},
	}
	if c.kind == "switch" { // it makes no record of a run, in which a secret could be
		stages = c.switching()
	}
	for _, stage := range stages {
		start := time.Now()
		if !t.Run(strings.ReplaceAll(stage.name, " ", "-"), stage.run) {
			break // each builds on the one before
		}
		b.took("stage: "+stage.name, time.Since(start))
	}
	for _, line := range b.times {
		t.Logf("| %8s  %s", line.took.Round(100*time.Millisecond), line.what)
	}
}

// ciliumBed is a bed whose hosts have Cilium's images.
type ciliumBed struct {
	*bed
	kind, dir string
	values    string // a file
	program   string // that lists the BPF programs of a host
	programs  string // of the host before its first join
}

// prepare brings the images to the hosts, and looks at the blank one.
func (c *ciliumBed) prepare(t *testing.T, values string) {
	t.Helper()
	c.values, c.program = filepath.Join(t.TempDir(), "values.yaml"), filepath.Join(t.TempDir(), "bpf")
	if err := os.WriteFile(c.values, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-tags", "e2e", "-o", c.program, "./bpf")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program that lists programs: %v\n%s", err, out)
	}
	start := time.Now()
	var hosts sync.WaitGroup
	for _, host := range append(c.hosts(), c.blank) {
		hosts.Go(func() {
			for _, image := range []string{"cilium.tar", "operator.tar"} {
				if err := c.receives(t, host, "ctr -n k8s.io images import --no-unpack -", filepath.Join(c.dir, image)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	hosts.Wait()
	c.took("bring the images to the hosts", time.Since(start))
	c.host(t, c.blank, plantPodman)
	err := c.receives(t, c.blank, "cat >/usr/local/bin/list-bpf && chmod 755 /usr/local/bin/list-bpf", c.program)
	if err != nil || t.Failed() {
		t.Fatalf("the hosts are not ready: %v", err)
	}
	c.fresh(t)
	c.programs = c.host(t, c.blank, "list-bpf")
	if c.kind == "replacement" {
		c.kubectl(t, "", "-n", "kube-system", "delete", "daemonset/kube-proxy", "configmap/kube-proxy", "--ignore-not-found")
	}
}

// receives runs a script on a host that reads a file.
func (c *ciliumBed) receives(t *testing.T, host, script, file string) error {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was read
	cmd := exec.CommandContext(t.Context(), "docker", "exec", "-i", host, "sh", "-c", script)
	cmd.Stdin = in
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s on host %s: %w\n%s", script, host, err, out)
	}
	return nil
}

func (c *ciliumBed) install() []string {
	return []string{"cni", "install", "cilium", "--chart", filepath.Join(c.dir, "chart/cilium"), "--values", c.values}
}

// stageInstall: when the command has ended the network works, and the second time it
// has nothing to do.
func (c *ciliumBed) stageInstall(t *testing.T) {
	o := c.must(t, c.install()...)
	c.took("cni install cilium, until it works", o.took)
	for _, name := range []string{c.controlPlane, c.worker, c.worker2} {
		if !isReady(c.node(t, name)) {
			t.Errorf("node %s is not Ready after the installation", name)
		}
	}
	agents, err := c.client.AppsV1().DaemonSets("kube-system").Get(t.Context(), "cilium", metav1.GetOptions{})
	if err != nil || agents.Status.NumberReady != 3 {
		t.Fatalf("%d of 3 agents are ready, error %v", agents.Status.NumberReady, err)
	}
	dns, err := c.client.AppsV1().Deployments("kube-system").Get(t.Context(), "coredns", metav1.GetOptions{})
	if err != nil || dns.Status.AvailableReplicas < *dns.Spec.Replicas {
		t.Errorf("CoreDNS: %d available, error %v", dns.Status.AvailableReplicas, err)
	}
	if again := c.must(t, c.install()...); !strings.Contains(again.stdout, "nothing to do") {
		t.Errorf("the second installation does not say that there is nothing to do: %q", again.stdout)
	}
	status := c.kubectl(t, "", "-n", "kube-system", "exec", "daemonset/cilium", "-c", "cilium-agent", "--", "cilium-dbg", "status")
	want := "KubeProxyReplacement: +" + map[string]string{"kube-proxy": "False", "replacement": "True", "switch": "False"}[c.kind]
	if !regexp.MustCompile(want).MatchString(status) {
		t.Errorf("the agent does not say %q:\n%s", want, status)
	}
}

// stageJoin: pods of the joined host reach others and are reached, by address and by
// the name of a Service.
func (c *ciliumBed) stageJoin(t *testing.T) {
	c.joinHost(t)
	c.kubectl(t, "", "uncordon", c.blank)
	eventually(t, 3*time.Minute, "the agent on "+c.blank+" is ready", func() (bool, string) {
		ready, err := c.tryKubectl(t, "", "-n", "kube-system", "get", "pods", "-l", "k8s-app=cilium", "--field-selector",
			"spec.nodeName="+c.blank, "-o", "jsonpath={.items[*].status.containerStatuses[*].ready}")
		return err == nil && ready == "true", fmt.Sprint(ready, err)
	})
	c.crossNodes(t)
	programs := strings.Split(c.host(t, c.blank, "list-bpf"), "\n")
	on := func(prefix string) bool {
		return slices.ContainsFunc(programs, func(s string) bool { return strings.HasPrefix(s, prefix) })
	}
	if !on("link eth0 ") || on("cgroups ") != (c.kind == "replacement") {
		t.Errorf("Cilium does not run as it should in this test: %q", programs)
	}
}

// stagePolicy: the one pod that a policy names gets through, another does not.
func (c *ciliumBed) stagePolicy(t *testing.T) {
	c.namespace(t)
	c.barePod(t, "server", c.blank, "")
	c.barePod(t, "friend", c.worker, "")
	c.barePod(t, "stranger", c.worker, "")
	address := strings.TrimSpace(c.kubectl(t, "", "-n", shop, "get", "pod/server", "-o", "jsonpath={.status.podIP}")) + ":8080"
	reaches := func(from string) error {
		_, err := c.tryKubectl(t, "", "-n", shop, "exec", from, "--", "/agnhost", "connect", "--timeout=2s", address)
		return err
	}
	for _, from := range []string{"friend", "stranger"} {
		eventually(t, 30*time.Second, from+" reaches the pod", func() (bool, string) {
			err := reaches(from)
			return err == nil, fmt.Sprint(err)
		})
	}
	c.kubectl(t, `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: friends, namespace: `+shop+`}
spec:
  podSelector: {matchLabels: {app: server}}
  ingress: [{from: [{podSelector: {matchLabels: {app: friend}}}]}]
`, "apply", "-f", "-")
	eventually(t, 30*time.Second, "the policy keeps the stranger away", func() (bool, string) {
		err := reaches("stranger")
		return err != nil && strings.Contains(err.Error(), "TIMEOUT"), fmt.Sprint(err)
	})
	if err := reaches("friend"); err != nil {
		t.Errorf("the policy keeps the friend away: %v", err)
	}
	c.kubectl(t, "", "-n", shop, "delete", "networkpolicy/friends")
}

// stageRemove: the dry run names what goes, with what a kernel without links to
// programs would have; afterwards the host is as it was.
func (c *ciliumBed) stageRemove(t *testing.T) {
	c.host(t, c.blank, "list-bpf attach")
	o := c.run(t, 0, "remove", c.blank, "--dry-run=server", "--force")
	for _, want := range []string{"cilium_host", "cilium_vxlan", "/sys/fs/bpf/tc/globals/cilium_", "cil_sock4_conne", "CILIUM_INPUT",
		"/etc/sysctl.d/99-zzz-override_cilium.conf", "/etc/cni/net.d/05-cilium.conflist", "87-podman.conflist", "/run/cilium"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("the dry run does not name %s", want)
		}
	}
	c.isRemoved(t)
}

// isRemoved removes the host, which is then what it was before it joined, but for
// what is said.
func (c *ciliumBed) isRemoved(t *testing.T, more ...string) outcome {
	t.Helper()
	o := c.must(t, append([]string{"remove", c.blank, "--yes", "--force", "--timeout", "4m", "-o", "json"}, more...)...)
	c.took("remove", o.took)
	var said struct {
		Verdict struct {
			State    string
			Harmless []struct{ Name string }
		}
	}
	if err := json.Unmarshal([]byte(o.stdout), &said); err != nil || said.Verdict.State != "clean" {
		t.Errorf("verdict %q, error %v", said.Verdict.State, err)
	}
	for name := range c.leaves() {
		if !slices.ContainsFunc(said.Verdict.Harmless, func(it struct{ Name string }) bool { return it.Name == name }) {
			t.Errorf("the verdict does not say that %s is not as it was", name)
		}
	}
	if c.node(t, c.blank) != nil {
		t.Errorf("node %s is still there", c.blank)
	}
	c.isPristineBut(t, c.blank, c.pristine, c.allowed())
	if programs := c.host(t, c.blank, "list-bpf"); programs != c.programs {
		t.Errorf("BPF programs:\n%s\nbefore the join:\n%s", programs, c.programs)
	}
	return o
}

// leaves is what a removal leaves of Cilium's and says, by its name in the verdict,
// with the lines that differ.
func (c *ciliumBed) leaves() map[string]string {
	return map[string]string{
		"net.ipv4.conf.all.rp_filter":      `sysctls \S*/ipv4/conf/all/rp_filter:`,
		"net.ipv4.fib_multipath_use_neigh": `sysctls \S*/ipv4/fib_multipath_use_neigh:`,
		"/sys/fs/bpf":                      `\+ (mounts .* /sys/fs/bpf |pins /sys/fs/bpf/(maps|progs)\.debug$)`,
		"/sys/fs/bpf/tc/globals":           `\+ pins /sys/fs/bpf/tc(/globals)?$`,
	}
}

// allowed are the differences that a removal may leave. Nothing sets kube-proxy's
// parameters where it never ran.
func (c *ciliumBed) allowed() []allowance {
	all := slices.DeleteFunc(allowances(), func(a allowance) bool {
		return c.kind == "replacement" && strings.Contains(a.reason, "kube-proxy")
	})
	for _, pattern := range c.leaves() {
		all = append(all, allowance{regexp.MustCompile(pattern), "Cilium leaves it, and the verdict says so"})
	}
	return all
}

// stageDeadAgent: Cilium is taken out of the cluster without a look at its hosts, so
// that no agent answers its plugin. That waits 42 s for each pod that a drain leaves,
// twice.
func (c *ciliumBed) stageDeadAgent(t *testing.T) {
	const patience = 42 * time.Second
	c.namespace(t)
	c.kubectl(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: stays, namespace: %s}
spec:
  selector: {matchLabels: {app: stays}}
  template:
    metadata: {labels: {app: stays}}
    spec:
      nodeSelector: {kubernetes.io/hostname: %s}
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: %q, imagePullPolicy: Never, args: [pause]}]
`, shop, c.blank, c.image), "apply", "-f", "-")
	c.kubectl(t, "", "-n", shop, "rollout", "status", "daemonset/stays", "--timeout=60s")
	image := strings.TrimSpace(c.kubectl(t, "", "-n", "kube-system", "get", "daemonset/cilium", "-o",
		"jsonpath={.spec.template.spec.containers[0].image}"))
	c.kubectl(t, "", "-n", "kube-system", "delete", "daemonset/cilium", "--cascade=orphan")
	c.kubectl(t, "", "-n", "kube-system", "delete", "pods", "-l", "k8s-app=cilium", "--field-selector", "spec.nodeName="+c.blank,
		"--force", "--grace-period=0")
	c.host(t, c.blank, "for pid in $(pidof cilium-agent); do kill -9 $pid; done")
	eventually(t, time.Minute, "the agent is dead", func() (bool, string) {
		out, err := c.tryHost(t, c.blank, "pidof cilium-agent")
		return err != nil, out
	})
	var more []string
	if c.kind == "replacement" { // no image is left there that is surely the owner's
		c.run(t, 4, "remove", c.blank, "--yes", "--force").says(t, "--runner-image IMAGE")
		more = []string{"--runner-image", image}
	}
	if o := c.isRemoved(t, more...); o.took > patience {
		t.Errorf("it took %s: it waited for the agent", o.took)
	}
}
