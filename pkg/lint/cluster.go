// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// cluster judges a ClusterConfiguration.
func (l *linter) cluster(d value) {
	l.version(d.get("kubernetesVersion"))
	l.networks(d.get("networking"))
	l.endpoint(d)
	if v := d.get("imageRepository"); strings.HasPrefix(v.text(), "k8s.gcr.io") || strings.HasPrefix(v.text(), "gcr.io/google") {
		l.say(Foolish, Blocks, v, v.text()+" is frozen since 2023 and has no newer version",
			"leave it out (registry.k8s.io), or name your mirror of that")
	}
	for component, field := range map[string]string{
		"kube-apiserver": "apiServer", "kube-controller-manager": "controllerManager", "kube-scheduler": "scheduler",
	} {
		l.arguments(component, d.get(field).get("extraArgs"))
		l.mounts(component, d.get(field))
	}
	for _, f := range d.get("featureGates").fields() {
		// kubeadm's own (features.InitFeatureGates).
		if name := f.key.node.Value; !slices.Contains([]string{"PublicKeysECDSA", "RootlessControlPlane", "NodeLocalCRISocket",
			"ControlPlaneKubeletLocalMode", "WaitForAllControlPlaneComponents"}, name) {
			l.say(Gate, Blocks, f.key, fmt.Sprintf("kubeadm has no feature gate %q", short(name)),
				"gates of components stand in their extraArgs (feature-gates), those of kubelets in KubeletConfiguration")
		}
	}
	if v := d.get("dns").get("disabled"); v.text() == "true" {
		l.say(Foolish, Warns, v, "the cluster gets no DNS, without which most workloads do not run", "leave it out")
	}
}

// mounts finds files that a component is told to read and that are not in its container.
func (l *linter) mounts(component string, d value) {
	for _, arg := range arguments(d.get("extraArgs")) {
		path := arg.value.text()
		if !filepath.IsAbs(path) || strings.HasPrefix(path, "/etc/kubernetes/pki/") || slices.Contains([]string{"/etc/kubernetes/scheduler.conf",
			"/etc/kubernetes/controller-manager.conf", "/etc/ssl/certs"}, path) || path == "/healthz" || path == "/livez" {
			continue
		}
		if slices.ContainsFunc(d.get("extraVolumes").items(), func(v value) bool {
			at := v.get("mountPath").text()
			return at != "" && (path == at || strings.HasPrefix(path, strings.TrimSuffix(at, "/")+"/"))
		}) {
			continue
		}
		l.say(Foolish, Blocks, arg.value, fmt.Sprintf("%s is told %s, which is not in its container", component, short(path)),
			"mount it: extraVolumes with name, hostPath and mountPath; the file must be on every control plane")
	}
}

// oldestV1beta4 is the oldest version that a kubeadm which reads v1beta4 can deploy: the
// form came with 1.31, and a kubeadm deploys its own minor version and the one before.
const oldestV1beta4 = 30

// version judges kubernetesVersion.
func (l *linter) version(v value) {
	text := v.text()
	minor, ok := minorOf(text)
	switch {
	case text == "":
	case !ok && regexp.MustCompile(`^(ci/|stable|latest|release)`).MatchString(text):
		l.say(Version, Warns, v, fmt.Sprintf("kubernetesVersion %s is asked of the internet each time", short(text)),
			"write a version, such as v1.36.3")
	case !ok || !regexp.MustCompile(`^v?1\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`).MatchString(text):
		l.say(Version, Blocks, v, fmt.Sprintf("kubernetesVersion %q is not a version", short(text)), "write it whole, such as v1.36.3")
	case minor < oldestV1beta4:
		l.say(Version, Blocks, v, fmt.Sprintf("no kubeadm that reads v1beta4 (1.31 and newer) can deploy %s: each deploys its own minor "+
			"version and the "+
			"one before", text), "write a version that is supported, such as v1.36.3")
	default:
		if adm, ok := minorOf(l.options.Kubeadm); ok && (minor > adm || minor < adm-1) {
			l.say(Version, Blocks, v, fmt.Sprintf("the kubeadm of %s cannot deploy %s: only its own minor version and the one before",
				l.options.Kubeadm, text), fmt.Sprintf("use that of 1.%d", minor))
		}
	}
}

// networks judges the networks of pods and Services.
func (l *linter) networks(v value) {
	pods, services := l.prefixes(v.get("podSubnet")), l.prefixes(v.get("serviceSubnet"))
	if len(services) == 0 && !v.get("serviceSubnet").there() {
		services = []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")}
	}
	for _, p := range pods {
		for _, s := range services {
			if p.Overlaps(s) {
				l.say(Networks, Blocks, v.get("podSubnet"), fmt.Sprintf("the networks of pods (%s) and of Services (%s) overlap: a pod may get the "+
					"address of a Service (kubernetes/kubeadm#3312)", p, s), "choose networks apart from each other, and from those of your hosts")
			}
		}
		if mask := 24; p.Addr().Is4() && p.Bits() > mask {
			l.say(Networks, Blocks, v.get("podSubnet"), fmt.Sprintf("podSubnet %s is smaller than the range of one node (/%d)", p, mask),
				"choose a larger one: each node takes 256 addresses of it")
		}
	}
	for _, s := range services {
		if most := s.Addr().BitLen() - 20; s.Bits() < most && s.Addr().Is6() || s.Addr().Is4() && s.Bits() < 12 {
			l.say(Networks, Blocks, v.get("serviceSubnet"), fmt.Sprintf("serviceSubnet %s is larger than kubeadm takes (/%d)", s, most),
				"choose a smaller one")
		}
	}
}

// prefixes are the networks of a value.
func (l *linter) prefixes(v value) (all []netip.Prefix) {
	if v.text() == "" {
		return nil
	}
	for cidr := range strings.SplitSeq(v.text(), ",") {
		p, err := netip.ParsePrefix(strings.TrimSpace(cidr))
		switch {
		case err != nil:
			l.say(Networks, Blocks, v, fmt.Sprintf("%q is not a network", short(cidr)), "write it as 10.244.0.0/16")
			continue
		case p != p.Masked():
			l.say(Networks, Warns, v, fmt.Sprintf("%s is an address in %s", p, p.Masked()), "write "+p.Masked().String())
		}
		all = append(all, p.Masked())
	}
	if len(all) > 2 || len(all) == 2 && all[0].Addr().Is4() == all[1].Addr().Is4() {
		l.say(Networks, Blocks, v, "there may be one network, or one of IPv4 and one of IPv6", "leave one of each")
	}
	return all
}

// endpoint judges controlPlaneEndpoint.
func (l *linter) endpoint(d value) {
	v := d.get("controlPlaneEndpoint")
	text := v.text()
	switch {
	case text == "":
		l.say(Endpoint, Warns, d, "there is no controlPlaneEndpoint: no second control plane can join, and to set one later takes manual work "+
			"on every node",
			"name one, best a name that can lead elsewhere: controlPlaneEndpoint: api.example.com:6443 (init: --endpoint)")
		return
	case strings.Contains(text, "://"), strings.Contains(text, "/"):
		l.say(Endpoint, Blocks, v, "controlPlaneEndpoint is HOST or HOST:PORT, not a URL", "leave out the scheme and the path")
		return
	}
	host := text
	if name, _, err := net.SplitHostPort(text); err == nil {
		host = name
	}
	if strings.ToLower(host) != host || strings.Contains(host, "_") {
		l.say(Endpoint, Blocks, v, fmt.Sprintf("controlPlaneEndpoint %s is not a DNS name in lower case", short(text)), "write it so")
	}
	if a, err := netip.ParseAddr(host); err == nil && (a.IsLoopback() || a.IsUnspecified()) {
		l.say(Endpoint, Blocks, v, fmt.Sprintf("controlPlaneEndpoint %s leads each host to itself", short(text)),
			"name an address that all hosts reach")
	}
}
