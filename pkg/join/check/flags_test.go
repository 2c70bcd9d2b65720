// SPDX-License-Identifier: Apache-2.0

package check

import (
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
)

func TestFlagsThatKeepHostsOut(t *testing.T) {
	const key, tokens = "--cluster-signing-key-file=k", "--enable-bootstrap-token-auth=true"
	const both = "--controllers=*,bootstrapsigner,tokencleaner"
	manager := func(flags ...string) corev1.Pod { return *jointest.ControlPlanePod(controllerManager, flags...) }
	server := func(flags ...string) corev1.Pod { return *jointest.ControlPlanePod(apiServer, flags...) }
	renamed := func(name string, pod corev1.Pod) corev1.Pod { pod.Name = name; return pod }
	shell := server()
	shell.Spec.Containers[0].Command = []string{"/bin/sh", "-c", `exec kube-apiserver "--enable-bootstrap-token-auth=false" --v=2`}
	arguments := server()
	arguments.Spec.Containers[0].Args = []string{"--enable-bootstrap-token-auth=false"}
	sidecar := server(tokens)
	sidecar.Spec.Containers = append(sidecar.Spec.Containers, corev1.Container{Name: "agent",
		Command: []string{"agent", "--anonymous-auth=false", "--enable-bootstrap-token-auth=false"}})
	const noTokens, noSigner, noStrangers = "bootstrap tokens are switched off in ", "bootstrapsigner controller is off in ", "anonymous " +
		"requests are refused by "
	const noCleaner, noApproval, noSigning, noKey = "tokencleaner controller is off", "csrapproving controller is off", "csrsigning " +
		"controller is off", "has no key to sign certificates with"
	for name, c := range map[string]struct {
		pods []corev1.Pod
		want []string
	}{
		"no pods to see are no news":             {nil, nil},
		"kubeadm's own flags are fine":           {[]corev1.Pod{manager(both, key), server(tokens)}, nil},
		"no flag for tokens leaves them off":     {[]corev1.Pod{server("--v=2")}, []string{noTokens + "kube-apiserver-cp"}},
		"so does false":                          {[]corev1.Pod{server("--enable-bootstrap-token-auth=false")}, []string{noTokens}},
		"so does 0":                              {[]corev1.Pod{server("--enable-bootstrap-token-auth=0")}, []string{noTokens}},
		"the flag alone switches them on":        {[]corev1.Pod{server("--enable-bootstrap-token-auth", "--v=2")}, nil},
		"a flag of yes or no takes no next word": {[]corev1.Pod{server("--enable-bootstrap-token-auth", "false")}, nil},
		"underscores are dashes":                 {[]corev1.Pod{server("--enable_bootstrap_token_auth=true")}, nil},
		"the last one counts": {[]corev1.Pod{server(tokens, "--enable-bootstrap-token-auth=false")},
			[]string{noTokens}},
		"arguments count like the command":                  {[]corev1.Pod{arguments}, []string{noTokens}},
		"so does what a shell starts, quoted":               {[]corev1.Pod{shell}, []string{noTokens}},
		"quotes that a manifest has by mistake":             {[]corev1.Pod{server(`"--enable-bootstrap-token-auth=true"`)}, nil},
		"another container's flags are its own":             {[]corev1.Pod{sidecar}, nil},
		"a component whose flags are not seen is not known": {[]corev1.Pod{server()}, nil},
		"one API server of three that differs, by its name": {
			[]corev1.Pod{renamed("kube-apiserver-b", server("--v=2")), renamed("kube-apiserver-a", server(tokens)),
				renamed("kube-apiserver-c", server(tokens))},
			[]string{noTokens + "kube-apiserver-b (1 of 3) "},
		},
		"an API server may refuse strangers": {[]corev1.Pod{server(tokens, "--anonymous-auth=false")},
			[]string{noStrangers}},
		"a star alone leaves signer and cleaner off": {[]corev1.Pod{manager("--controllers=*", key)}, []string{noSigner, noCleaner}},
		"so does no such flag at all":                {[]corev1.Pod{manager(key)}, []string{noSigner, noCleaner}},
		"so does a name with a minus": {[]corev1.Pod{manager("--controllers=*,-bootstrapsigner,tokencleaner", key)},
			[]string{noSigner}},
		"the list may be the next word": {[]corev1.Pod{manager("--controllers",
			"*,bootstrapsigner,tokencleaner", key)}, nil},
		"the canonical names of controllers count": {[]corev1.Pod{manager(
			"--controllers=*,bootstrap-signer-controller,token-cleaner-controller", key)}, nil},
		"approval that is switched off": {[]corev1.Pod{manager(both+",-csrapproving", key)}, []string{noApproval}},
		"signing that is switched off, by its canonical name": {[]corev1.Pod{manager(both+",-certificatesigningrequest-signing-controller",
			key)}, []string{noSigning}},
		"a list without a star has only what it names": {[]corev1.Pod{manager("--controllers=bootstrapsigner,tokencleaner,csrsigning",
			key)}, []string{noApproval}},
		"no key to sign with": {[]corev1.Pod{manager(both)}, []string{noKey}},
		"a key for the kubelets' certificates alone is as good": {[]corev1.Pod{manager(both,
			"--cluster-signing-kube-apiserver-client-kubelet-key-file=k")}, nil},
		"a standby controller manager that differs is named, too": {[]corev1.Pod{renamed("m-a", manager(both, key)),
			renamed("m-b", manager("--controllers=*,tokencleaner", key))}, []string{noSigner + "m-b (1 of 2)"}},
	} {
		t.Run(name, func(t *testing.T) { wantWarnings(t, flagWarnings(c.pods), c.want...) })
	}
}

func FuzzFlags(f *testing.F) {
	for _, seed := range []string{"--a=b", "--a\n--b", "--controllers\n*,x", `sh -c "x --a='b'"`, "--=\n--", "--a=\"", "-\n---x=--"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, command string) {
		words := strings.Split(command, "\n")
		pod := jointest.ControlPlanePod(apiServer)
		pod.Spec.Containers[0].Command = words
		found := flagsOf(pod, apiServer)
		if again := flagsOf(pod, apiServer); !maps.Equal(found, again) {
			t.Errorf("%q is read twice as %v and %v", words, found, again)
		}
		for name, value := range found {
			if strings.HasPrefix(name, "=") || strings.Contains(name, "_") || len(name)+len(value) > len(command)+len("true") {
				t.Errorf("%q has the flag %q=%q", words, name, value)
			}
		}
		flagWarnings([]corev1.Pod{*pod})
	})
}

func wantWarnings(t *testing.T, got []Warning, want ...string) {
	t.Helper()
	jointest.WantWarnings(t, got, func(w Warning) (string, string) { return w.Text, w.Hint }, want...)
}
