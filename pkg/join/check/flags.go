// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// The components of a control plane whose flags decide about hosts that join.
const (
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
)

const (
	strangersHint = "allow them for that one object: an AuthenticationConfiguration with anonymous conditions (kube-apiserver " +
		"--authentication-config)"
	// TokensHint is how tokens are switched on.
	TokensHint = "start every kube-apiserver with --enable-bootstrap-token-auth=true " +
		"(/etc/kubernetes/manifests/kube-apiserver.yaml)" //nolint:gosec // a flag's name
)

// flagFault is one way in which the flags of a component keep hosts out.
type flagFault struct {
	component string
	// wrong judges the flags of one pod.
	wrong func(flags) bool
	// text has one verb for the names of the pods.
	text, hint string
}

// flagFaults lists them, after the flags of Kubernetes 1.36.
func flagFaults() []flagFault {
	return []flagFault{
		{apiServer, func(f flags) bool { return !f.enabled("enable-bootstrap-token-auth", false) },
			"bootstrap tokens are switched off in %s (--enable-bootstrap-token-auth): no host can use a token", TokensHint},
		{apiServer, func(f flags) bool { return !f.enabled("anonymous-auth", true) },
			"anonymous requests are refused by %s: no host can read configmap cluster-info", strangersHint},
		{controllerManager, func(f flags) bool { return !f.runs("bootstrapsigner", "bootstrap-signer-controller", false) },
			"the bootstrapsigner controller is off in %s: no host can check cluster-info (kubernetes/kubernetes#134823)", bootstrap.SignerHint},
		{controllerManager, func(f flags) bool { return !f.runs("tokencleaner", "token-cleaner-controller", false) },
			"the tokencleaner controller is off in %s: tokens that have expired stay as Secrets (they are refused all the " +
				"same)", bootstrap.SignerHint},
		{controllerManager, func(f flags) bool {
			return !f.runs("csrapproving", "certificatesigningrequest-approving-controller", true)
		},
			"the csrapproving controller is off in %s: the certificate of each host has to be approved by hand",
			"approve it when the host asks: kubectl certificate approve NAME; or take -csrapproving out of --controllers"},
		{controllerManager, func(f flags) bool { return !f.runs("csrsigning", "certificatesigningrequest-signing-controller", true) },
			"the csrsigning controller is off in %s: no host gets a certificate", "take -csrsigning out of --controllers of " +
				"kube-controller-manager"},
		{controllerManager, func(f flags) bool {
			return !f.has("cluster-signing-key-file") && !f.has("cluster-signing-kube-apiserver-client-kubelet-key-file")
		},
			"%s has no key to sign certificates with (--cluster-signing-key-file): no host gets a certificate unless another program signs it",
			"give it --cluster-signing-cert-file and --cluster-signing-key-file, or see that your own signer serves " +
				"kubernetes.io/kube-apiserver-client-kubelet"},
	}
}

// flagWarnings reads the flags of the control plane's static pods: all of them,
// since one API server of several that differs refuses a part of all requests.
func flagWarnings(pods []corev1.Pod) []Warning {
	var ws []Warning
	for _, fault := range flagFaults() {
		var wrong []string
		seen := 0
		for i := range pods {
			if pods[i].Labels["component"] != fault.component || pods[i].DeletionTimestamp != nil {
				continue
			}
			f := flagsOf(&pods[i], fault.component)
			if f == nil {
				continue // it is started in a way that tells nothing
			}
			seen++
			if fault.wrong(f) {
				wrong = append(wrong, pods[i].Name)
			}
		}
		if len(wrong) == 0 {
			continue
		}
		slices.Sort(wrong)
		who := text.Join(wrong, ", ")
		if len(wrong) < seen {
			who += fmt.Sprintf(" (%d of %d)", len(wrong), seen)
		}
		ws = append(ws, Warning{Text: fmt.Sprintf(fault.text, who), Hint: fault.hint})
	}
	return ws
}

// flags are what a component is started with: names in their canonical form,
// without dashes, to their last value.
type flags map[string]string

func (f flags) has(name string) bool { return f[name] != "" }

// enabled reads a flag that is true or false. What Kubernetes could not read
// would keep the component from starting, so it is not judged here.
func (f flags) enabled(name string, unset bool) bool {
	value, ok := f[name]
	if !ok {
		return unset
	}
	on, err := strconv.ParseBool(value)
	return on || err != nil
}

// runs reads --controllers: a controller runs if it is named, by its alias or
// its canonical name (since 1.28), or if there is a star and it is on by
// default, unless it is named with a minus.
func (f flags) runs(alias, canonical string, byDefault bool) bool {
	list, ok := f["controllers"]
	if !ok {
		return byDefault
	}
	star := false
	for name := range strings.SplitSeq(list, ",") {
		switch strings.TrimSpace(name) {
		case alias, canonical:
			return true
		case "-" + alias, "-" + canonical:
			return false
		case "*":
			star = true
		}
	}
	return star && byDefault
}

// booleans are the flags here that take no value of their own as the next word.
func booleans() []string { return []string{"enable-bootstrap-token-auth", "anonymous-auth"} }

// flagsOf reads the flags of a component: from the container of its name, else
// from all. It returns nil if there are none: then something else starts the
// component, and nothing is known.
func flagsOf(pod *corev1.Pod, component string) flags {
	containers := pod.Spec.Containers
	if i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == component }); i >= 0 {
		containers = containers[i : i+1]
	}
	found := flags{}
	for _, c := range containers {
		words := wordsOf(c)
		for i, word := range words {
			name, ok := strings.CutPrefix(word, "--")
			if !ok || name == "" {
				continue
			}
			name, value, hasValue := strings.Cut(name, "=")
			// As Kubernetes does, which takes both.
			name = strings.ReplaceAll(name, "_", "-")
			switch {
			case hasValue:
			case !slices.Contains(booleans(), name) && i+1 < len(words) && !strings.HasPrefix(words[i+1], "--"):
				value = words[i+1]
			default:
				value = "true"
			}
			found[name] = unquoted(value)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found
}

// wordsOf is everything a container is started with, also where a shell starts
// it: sh -c "exec kube-apiserver --a=b".
func wordsOf(c corev1.Container) []string {
	words := slices.Concat(c.Command, c.Args)
	if len(words) == 0 || !slices.Contains([]string{"sh", "bash", "ash", "dash"}, path.Base(words[0])) {
		for i, word := range words {
			words[i] = unquoted(word)
		}
		return words
	}
	var split []string
	for _, word := range words {
		for _, part := range strings.Fields(word) {
			split = append(split, unquoted(part))
		}
	}
	return split
}

// unquoted takes off the quotes that a shell would, and a manifest may hold by
// mistake.
func unquoted(word string) string { return strings.Trim(word, `"'`) }
