// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// known is the version of Kubernetes that data/ is of.
const known = 36

// gone is what earlier versions had: since which minor version it is not there, and what
// takes its place.
type gone struct {
	since   int
	instead string
}

// goneFlags are flags that how-tos still name, by "component flag". Any other that data/
// does not have is unknown.
func goneFlags() map[string]gone {
	serves := gone{24, "leave it out: the API server serves TLS only"}
	return map[string]gone{
		"kube-controller-manager horizontal-pod-autoscaler-use-rest-clients": {21,
			"leave it out: the autoscaler always takes its metrics from the metrics API (kubernetes/kubernetes#90368)"},
		"kube-controller-manager pod-eviction-timeout":           {27, "set default-unreachable-toleration-seconds of the API server"},
		"kube-controller-manager enable-taint-manager":           {27, "leave it out: it is always on"},
		"kube-controller-manager address":                        {24, "name bind-address"},
		"kube-controller-manager port":                           {24, "name secure-port"},
		"kube-scheduler address":                                 {24, "name bind-address"},
		"kube-scheduler port":                                    {24, "name secure-port"},
		"kube-scheduler policy-config-file":                      {23, "write profiles in a KubeSchedulerConfiguration"},
		"kube-apiserver insecure-port":                           serves,
		"kube-apiserver insecure-bind-address":                   serves,
		"kube-apiserver basic-auth-file":                         {19, "use certificates, OIDC, or tokens of ServiceAccounts"},
		"kube-apiserver experimental-encryption-provider-config": {22, "name it encryption-provider-config"},
		"kube-apiserver kubelet-https":                           {22, "leave it out: it is always on"},
		"kube-apiserver cloud-provider":                          {33, "run the cloud's own controller manager"},
		"kubelet network-plugin":                                 {24, "leave it out: the container runtime has the network (CNI)"},
		"kubelet cni-bin-dir":                                    {24, "set it in the container runtime's configuration"},
		"kubelet cni-conf-dir":                                   {24, "set it in the container runtime's configuration"},
		"kubelet container-runtime":                              {27, "leave it out: there is no other than remote"},
		"kubelet pod-infra-container-image":                      {35, "set the pause image in the container runtime's configuration"},
	}
}

// gonePlugins are admission plugins of earlier versions.
func gonePlugins() map[string]gone {
	return map[string]gone{
		"PodSecurityPolicy":     {25, "use Pod Security (labels of namespaces), which is always on, or a policy engine"},
		"SecurityContextDeny":   {30, "use Pod Security (labels of namespaces)"},
		"DenyEscalatingExec":    {21, "use a ValidatingAdmissionPolicy"},
		"DenyExecOnPrivileged":  {21, "use a ValidatingAdmissionPolicy"},
		"Initializers":          {14, "use webhooks"},
		"PersistentVolumeLabel": {31, "leave it out: the cloud's controller manager labels volumes"},
	}
}

// argument is one flag of a component, with its value.
type argument struct{ name, value value }

// arguments are those of a component, in both forms.
func arguments(v value) (all []argument) {
	for _, item := range v.items() {
		all = append(all, argument{item.get("name"), item.get("value")})
	}
	for _, f := range v.fields() {
		all = append(all, argument{f.key, f.value})
	}
	return all
}

// arguments judges the flags of a component: kubeadm hands on whatever there is.
func (l *linter) arguments(component string, v value) {
	for i, item := range v.items() {
		if item.get("name").there() && !item.get("value").there() {
			l.say(Field, Blocks, item, fmt.Sprintf("argument %d (%s) has no value", i+1, short(item.get("name").text())),
				"write value below name, with the same indentation")
		}
	}
	for _, arg := range arguments(v) {
		name := arg.name.text()
		if arg.name.there() && arg.name.node.Value != "" {
			name = arg.name.node.Value
		}
		if !l.unknown(component, name, arg.name) {
			l.argument(component, name, arg.value)
		}
	}
}

// unknown reports, and says, that a component has no flag of a name.
func (l *linter) unknown(component, name string, at value) bool {
	flags := lines(component)
	old, was := goneFlags()[component+" "+name]
	other := len(flags) > 0 && !slices.Contains(flags, name)
	switch {
	case name == "":
		l.say(Field, Blocks, at, "an argument has no name", "name the flag, without dashes")
	case strings.HasPrefix(name, "-"):
		l.say(Flag, Blocks, at, fmt.Sprintf("%q begins with a dash; kubeadm writes the dashes itself", short(name)), "leave them out")
	case was && l.since(old.since):
		l.say(Flag, Blocks, at, fmt.Sprintf("%s has no flag %s since 1.%d and would not start", component, name, old.since), old.instead)
	case other && (l.minor == 0 || l.minor == known):
		l.say(Flag, Blocks, at, fmt.Sprintf("%s of 1.%d has no flag %q and would not start", component, known, short(name)),
			"is it written right? See "+component+" --help of that version")
	case other:
		l.say(Flag, Warns, at, fmt.Sprintf("%s of 1.%d has no flag %q; that of 1.%d may have", component, known, short(name), l.minor),
			"see "+component+" --help of that version")
	default:
		return false
	}
	return true
}

// argument judges the value of one flag.
func (l *linter) argument(component, name string, v value) {
	switch {
	case name == "feature-gates":
		for gate := range strings.SplitSeq(v.text(), ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(gate), "=")
			l.gate(v, name)
		}
	case component == "kube-apiserver":
		l.ofAPIServer(name, v)
	case component == "kube-controller-manager":
		l.ofControllerManager(name, v)
	}
}

// ofAPIServer judges the value of a flag of the API server.
func (l *linter) ofAPIServer(name string, v value) {
	text := v.text()
	switch name {
	case "enable-admission-plugins", "disable-admission-plugins", "admission-control":
		l.plugins(v)
	case "runtime-config":
		if strings.Contains(text, "api/all=true") || strings.Contains(text, "api/alpha=true") {
			l.say(Foolish, Warns, v, "runtime-config "+short(text)+" turns all alpha APIs on: they may change or go with any version, with what is "+
				"stored of them", "name the one API that is needed: GROUP/VERSION=true")
		}
	case "anonymous-auth":
		if text == "false" {
			l.say(Foolish, Warns, v, "without anonymous requests the API server's probes fail, and no host can join by a token "+
				"(kubernetes/kubeadm#1105)",
				"leave it on: anonymous users may read kube-public/cluster-info and the health endpoints, and nothing else")
		}
	case "authorization-mode":
		if !strings.Contains(text, "Node") || !strings.Contains(text, "RBAC") {
			l.say(Foolish, Blocks, v, "authorization-mode "+short(text)+" lacks Node or RBAC: kubeadm needs both", "write Node,RBAC")
		}
	}
}

// ofControllerManager judges the value of a flag of the controller manager.
func (l *linter) ofControllerManager(name string, v value) {
	text := v.text()
	switch name {
	case "controllers":
		if strings.Contains(text, "-bootstrapsigner") || strings.Contains(text, "-tokencleaner") || !strings.Contains(text, "bootstrapsigner") ||
			!strings.Contains(text, "tokencleaner") {
			l.say(Foolish, Blocks, v, "controllers lacks bootstrapsigner or tokencleaner, which are off unless they are named: no host could join "+
				"(kubernetes/kubernetes#134823)", "write *,bootstrapsigner,tokencleaner and what else there is to be")
		}
	case "node-monitor-grace-period":
		l.least(v, 40*time.Second, "node-monitor-grace-period", "a kubelet reports every 10 s; after a short pause of the network or of the "+
			"API server "+
			"all nodes are NotReady, and their pods are evicted", "leave it out (50s)")
	case "node-monitor-period":
		l.least(v, 5*time.Second, "node-monitor-period", "each look costs the API server, and changes nothing before node-monitor-grace-period",
			"leave it "+
				"out (5s)")
	case "horizontal-pod-autoscaler-sync-period":
		l.least(v, 15*time.Second, "horizontal-pod-autoscaler-sync-period", "metrics are newer every 15 s only; it asks more, and knows no more",
			"leave it "+
				"out (15s)")
	case "allocate-node-cidrs":
		if text == "false" {
			l.say(Foolish, Warns, v, "nodes get no range of the pods' network: flannel, Antrea and others do not work", "leave it out")
		}
	}
}

// least warns of a duration that is shorter than what makes sense.
func (l *linter) least(v value, least time.Duration, name, why, wayOut string) {
	d, err := time.ParseDuration(v.text())
	switch {
	case err != nil:
		l.say(Type, Blocks, v, fmt.Sprintf("%s is %q, which is not a duration", name, short(v.text())), "write it as 40s or 1m")
	case d < least:
		l.say(Foolish, Warns, v, fmt.Sprintf("%s is %s: %s", name, d, why), wayOut)
	}
}

// plugins judges a list of admission plugins.
func (l *linter) plugins(v value) {
	all := lines("plugins")
	for plugin := range strings.SplitSeq(v.text(), ",") {
		plugin = strings.TrimSpace(plugin)
		old, was := gonePlugins()[plugin]
		switch {
		case plugin == "" || slices.Contains(all, plugin):
		case was && l.since(old.since):
			l.say(Plugin, Blocks, v, fmt.Sprintf("the admission plugin %s is gone since 1.%d, and the API server would not start", plugin,
				old.since),
				old.instead)
		case was:
			l.say(Plugin, Warns, v, fmt.Sprintf("the admission plugin %s is gone since 1.%d", plugin, old.since), old.instead)
		case l.minor == 0 || l.minor == known:
			l.say(Plugin, Blocks, v, fmt.Sprintf("the API server of 1.%d has no admission plugin %q, and would not start", known, short(plugin)),
				"is it written right? See kube-apiserver --help")
		default:
			l.say(Plugin, Warns, v, fmt.Sprintf("the API server of 1.%d has no admission plugin %q; that of 1.%d may have", known, short(plugin),
				l.minor),
				"see kube-apiserver --help of that version")
		}
	}
}

// gate judges the name of a feature gate: a component does not start with one that it
// does not know.
func (l *linter) gate(v value, name string) {
	if name == "" || slices.Contains(lines("gates"), name) {
		return
	}
	if l.minor == 0 || l.minor == known {
		l.say(Gate, Blocks, v, fmt.Sprintf("Kubernetes 1.%d has no feature gate %q: it has become a fixed part of it or was given up", known,
			short(name)),
			"leave it out")
		return
	}
	l.say(Gate, Warns, v, fmt.Sprintf("Kubernetes 1.%d has no feature gate %q; 1.%d may have", known, short(name), l.minor),
		"see --help of that version")
}
