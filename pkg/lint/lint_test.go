// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	clusterDocument = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\ncontrolPlaneEndpoint: api.example.com:6443\n"
	initDocument    = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
	joinDocument    = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n"
	kubeletDocument = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
	proxyDocument   = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
)

// expect are findings as "ID@line", those that block with a "!".
func expect(t *testing.T, config string, want ...string) []Finding {
	t.Helper()
	all := Check([]byte(config), Options{})
	var got []string
	for _, f := range all {
		id, _, _ := strings.Cut(f.ID, "-")
		mark := ""
		if f.Severity == Blocks {
			mark = "!"
		}
		got = append(got, fmt.Sprintf("%s@%d%s", id, f.Line, mark))
		if f.Text == "" || f.WayOut == "" || !slices.Contains(IDs(), f.ID) {
			t.Errorf("a finding that says nothing: %+v", f)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("found %v, want %v\n%+v", got, want, all)
	}
	return all
}

// TestTheConfigurationsOfHowTosAreExplained: what is copied from pages that many read, each
// with every fault that it has.
func TestTheConfigurationsOfHowTosAreExplained(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		want   []string
	}{
		"a MasterConfiguration of 1.11": {`apiVersion: kubeadm.k8s.io/v1alpha1
kind: MasterConfiguration
controllerManagerExtraArgs:
  horizontal-pod-autoscaler-use-rest-clients: "true"
  horizontal-pod-autoscaler-sync-period: "10s"
  node-monitor-grace-period: "10s"
apiServerExtraArgs:
  runtime-config: "api/all=true"
  kubernetesVersion: "stable-1.11"
`, []string{"LINT002@2!"}},
		"the same for 1.32, with a value that has lost its indentation": {`apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
controllerManager:
  extraArgs:
    - name: "horizontal-pod-autoscaler-use-rest-clients"
      value: "true"
    - name: "horizontal-pod-autoscaler-sync-period"
      value: "10s"
    - name: "node-monitor-grace-period"
      value: "10s"
apiServer:
  extraArgs:
    - name: runtime-config
value: "api/all=true"
kubernetesVersion: "1.32.0"
`, []string{
			"LINT011@1",  // no endpoint
			"LINT006@5!", // the flag is gone since 1.21
			"LINT012@8", "LINT012@10", "LINT003@13!", "LINT003@14!",
		}},
		"v1beta4 with the arguments of v1beta3, a plugin that is gone, a version that no kubeadm deploys": {
			`apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration:
  name: node1
  criSocket: unix:///var/run/containerd/containerd.sock
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.26.0
networking:
  podSubnet: 192.168.0.0/16
  serviceSubnet: 10.96.0.0/12
apiServer:
  extraArgs:
    enable-admission-plugins: "NodeRestriction,PodSecurityPolicy"
controllerManager:
  extraArgs:
    node-monitor-period: "5s"
scheduler:
  extraArgs:
    config: "/etc/kubernetes/scheduler-config.yaml"
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: systemd
`, []string{"LINT011@7", "LINT009@9!", "LINT004@15!", "LINT007@15!", "LINT004@18!", "LINT004@21!", "LINT012@21!"}},
		"indentation that was lost as a whole": {`apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration:
name: node1
criSocket: unix:///var/run/containerd/containerd.sock
`, []string{"LINT003@4!", "LINT003@5!"}},
		"one network for kubeadm, another one for kube-proxy": {clusterDocument + "networking: {podSubnet: 10.224.0.0/16}\n---\n" +
			proxyDocument + "clusterCIDR: 10.244.0.0/16\n", []string{"LINT015@8!"}},
		"a registry that is frozen": {clusterDocument + "imageRepository: k8s.gcr.io\n", []string{"LINT012@4!"}},
		"what kubeadm config print init-defaults writes": {initDocument + `bootstrapTokens:
- token: abcdef.0123456789abcdef
  ttl: 24h0m0s
localAPIEndpoint:
  advertiseAddress: 1.2.3.4
nodeRegistration:
  name: node
`, []string{"LINT014@4!", "LINT014@7!", "LINT014@9!"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, tc.config, tc.want...) })
	}
}

func TestAGoodConfigurationHasNoFindings(t *testing.T) {
	expect(t, clusterDocument+`kubernetesVersion: v1.36.3
networking: {podSubnet: "10.244.0.0/16,fd00::/48", serviceSubnet: 10.96.0.0/16, dnsDomain: cluster.local}
apiServer:
  certSANs: [api.example.com]
  extraArgs:
  - {name: audit-log-path, value: /var/log/audit/a.log}
  - {name: enable-admission-plugins, value: "NodeRestriction,AlwaysPullImages"}
  extraVolumes:
  - {name: audit, hostPath: /var/log/audit, mountPath: /var/log/audit, pathType: DirectoryOrCreate}
controllerManager:
  extraArgs: [{name: controllers, value: "*,bootstrapsigner,tokencleaner"}, {name: node-cidr-mask-size, value: "24"}]
---
`+initDocument+"nodeRegistration: {name: cp1, taints: [], kubeletExtraArgs: [{name: node-ip, value: 10.0.0.2}]}\n---\n"+
		kubeletDocument+"cgroupDriver: systemd\nclusterDNS: [10.96.0.10]\nfeatureGates: {SidecarContainers: true}\n---\n"+
		proxyDocument+"mode: nftables\nclusterCIDR: 10.244.0.0/16,fd00::/48\nconntrack: {maxPerCore: 0}\n")
}

func TestEachFaultIsFoundWhereItIs(t *testing.T) {
	pin := "sha256:" + strings.Repeat("a", 64)
	join := joinDocument + "discovery:\n  bootstrapToken:\n    apiServerEndpoint: api:6443\n    token: qy69uc.ti9d3js6xmx7830f\n"
	for name, tc := range map[string]struct {
		config string
		want   []string
	}{
		"networks that overlap":          {clusterDocument + "networking: {podSubnet: 10.96.0.0/16}\n", []string{"LINT010@4!"}},
		"a network that is an address":   {clusterDocument + "networking: {podSubnet: 10.244.0.1/16}\n", []string{"LINT010@4"}},
		"a network of fewer than a node": {clusterDocument + "networking: {podSubnet: 10.244.0.0/25}\n", []string{"LINT010@4!"}},
		"no network":                     {clusterDocument + "networking: {podSubnet: abc}\n", []string{"LINT010@4!"}},
		"a number as version":            {clusterDocument + "kubernetesVersion: 1.36\n", []string{"LINT004@4!", "LINT009@4!"}},
		"a version of the internet":      {clusterDocument + "kubernetesVersion: stable-1\n", []string{"LINT009@4"}},
		"a field in another case":        {clusterDocument + "clustername: x\n", []string{"LINT003@4!"}},
		"a key that is there twice":      {clusterDocument + "clusterName: x\nclusterName: y\n", []string{"LINT005@5!"}},
		"two documents of a kind":        {clusterDocument + "---\n" + clusterDocument, []string{"LINT005@6!"}},
		"a flag that never was":          {clusterDocument + "scheduler: {extraArgs: [{name: bind-adr, value: x}]}\n", []string{"LINT006@4!"}},
		"a flag with its dashes":         {clusterDocument + "scheduler: {extraArgs: [{name: --v, value: '2'}]}\n", []string{"LINT006@4!"}},
		"a plugin that never was": {clusterDocument + "apiServer: {extraArgs: [{name: enable-admission-plugins, value: Podsecurity}]}\n",
			[]string{"LINT007@4!"}},
		"controllers without those that joins need": {clusterDocument + "controllerManager: {extraArgs: [{name: controllers, value: '*'}]}\n",
			[]string{"LINT012@4!"}},
		"a gate that is gone":           {kubeletDocument + "featureGates: {DynamicKubeletConfig: true}\n", []string{"LINT008@3!"}},
		"a gate of kubelets at kubeadm": {clusterDocument + "featureGates: {SidecarContainers: true}\n", []string{"LINT008@4!"}},
		"text where a list is wanted":   {clusterDocument + "apiServer: {certSANs: api}\n", []string{"LINT004@4!"}},
		"an endpoint that is a URL":     {strings.Replace(clusterDocument, "api.ex", "https://api.ex", 1), []string{"LINT011@3!"}},
		"a worker's":                    {join + "    caCertHashes: [" + pin + "]\n", []string{"LINT013@6"}},
		"a pin that was cut":            {join + "    caCertHashes: ['sha256:a01a138f']\n", []string{"LINT013@6", "LINT004@7!"}},
		"no pin":                        {join, []string{"LINT013@6", "LINT003@5!"}},
		"another DNS domain":            {clusterDocument + "---\n" + kubeletDocument + "clusterDomain: other\n", []string{"LINT015@7!"}},
		"a DNS server outside":          {clusterDocument + "---\n" + kubeletDocument + "clusterDNS: [10.43.0.10]\n", []string{"LINT015@7!"}},
		"kube-proxy in IPVS":            {proxyDocument + "mode: ipvs\n", []string{"LINT012@3"}},
		"an unknown kind":               {"apiVersion: v1\nkind: Pod\n", []string{"LINT002@2!"}},
		"a form that is going":          {strings.Replace(clusterDocument, "v1beta4", "v1beta3", 1), []string{"LINT002@1!"}},
		"the upgrade's": {"apiVersion: kubeadm.k8s.io/v1beta4\nkind: UpgradeConfiguration\napply: {forceUpgrade: yes please}\n",
			[]string{"LINT004@3!"}},
		"dockershim": {initDocument + "nodeRegistration: {criSocket: unix:///var/run/dockershim.sock}\n",
			[]string{"LINT012@3!"}},
		"a flag of kubelets that is gone": {initDocument + "nodeRegistration: {kubeletExtraArgs: [{name: network-plugin, value: cni}]}\n",
			[]string{"LINT006@3!"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, tc.config, tc.want...) })
	}
	if got := Check([]byte(clusterDocument+"kubernetesVersion: v1.35.1\n"),
		Options{Kubeadm: "v1.37.0"}); len(got) != 1 || got[0].ID != Version {
		t.Errorf("a version two back: %+v", got)
	}
}

// TestAVersionSaysWhatIsGone: a flag that went with a later version is still there.
func TestAVersionSaysWhatIsGone(t *testing.T) {
	config := initDocument + "nodeRegistration: {kubeletExtraArgs: [{name: pod-infra-container-image, value: x}]}\n"
	for version, blocks := range map[string]bool{"v1.34.1": false, "v1.36.0": true, "": true} {
		if got := Check([]byte(config), Options{Kubernetes: version}); Blocked(got) != blocks {
			t.Errorf("%s: %+v", version, got)
		}
	}
}

func TestNoSecretOfAFileIsSaid(t *testing.T) {
	all := Check([]byte(joinDocument+"discovery: {tlsBootstrapToken: qy69uc.ti9d3js6xmx7830f, bootstrapToken: {token: "+
		"Hush1.ti9d3js6xmx7830f}}\n"+
		"controlPlane: {certificateKey: deadbeef}\n"), Options{})
	for _, f := range all {
		if said := f.Text + f.WayOut; strings.Contains(said, "ti9d") || strings.Contains(said, "deadbeef") {
			t.Errorf("%+v", f)
		}
	}
	if len(all) < 3 {
		t.Errorf("%+v", all)
	}
}

func TestAHostileFileIsOneFinding(t *testing.T) {
	laughs := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		laughs += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 10), ","))
	}
	for name, config := range map[string]string{
		"a billion laughs": laughs, "an alias of itself": "a: &a [*a]\n", "too large": strings.Repeat("#", MostBytes+1), "not UTF-8": "a: \xff\n",
		"a NUL": "a: \x00\n", "brackets": strings.Repeat("[", 100_000), "nothing": "", "a remark": "# x\n", "no YAML": "a: [b\nc: d\n",
		"deep": strings.Repeat("- ", 5000) + "x\n", "documents without end": strings.Repeat("a: b\n---\n", 100),
	} {
		t.Run(name, func(t *testing.T) {
			all := Check([]byte(config), Options{})
			if !slices.ContainsFunc(all, func(f Finding) bool { return f.ID == NoYAML && f.Severity == Blocks }) || len(all) > mostFindings {
				t.Errorf("%+v", all)
			}
		})
	}
}

// TestBracketsInATextAreNoDepth: a policy in one line has thousands.
func TestBracketsInATextAreNoDepth(t *testing.T) {
	for _, f := range Check([]byte(clusterDocument+"clusterName: '"+strings.Repeat("{[", 2000)+"'\n"), Options{}) {
		if f.ID == NoYAML {
			t.Errorf("%+v", f)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(clusterDocument+"apiServer: {extraArgs: {a: b}}\nnetworking: {podSubnet: '::/0,0.0.0.0/0'}\n---\n"+joinDocument), "v1.36.3")
	f.Add([]byte("a: &a [*a]\n<<: *a\n? [x]\n: y\n"), "")
	f.Add([]byte(kubeletDocument+"clusterDNS: [x, {}]\nmaxPods: 1e9\n---\n"+proxyDocument+"mode: [x]\n"), "1.x")
	f.Fuzz(func(t *testing.T, raw []byte, version string) {
		all := Check(raw, Options{Kubernetes: version})
		if len(all) > mostFindings {
			t.Errorf("%d findings", len(all))
		}
		for _, one := range all {
			if one.ID == "" || one.Text == "" || len(one.Text) > 1000 {
				t.Errorf("%+v", one)
			}
		}
	})
}
