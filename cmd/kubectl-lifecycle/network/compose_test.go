// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// smallChart is shaped as flannel's, with a value that a chart of its own has already.
func smallChart(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: flannel\nversion: v0.28.4\n",
		"values.yaml": "podCidr: 10.244.0.0/16\nflannel: {image: {repository: ghcr.io/flannel-io/flannel, tag: v1}}\n" +
			"hook: {image: docker.io/x/hook:1}\n",
		"templates/a.yaml": "kind: DaemonSet\napiVersion: apps/v1\nmetadata: {name: kube-flannel-ds}\nspec: {template: {spec: {containers: " +
			"[{name: c, image: '{{ .Values.flannel.image.repository }}:{{ .Values.flannel.image.tag }}'}]}}}\n",
		"templates/b.yaml": "kind: Job\napiVersion: batch/v1\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-delete}}\nspec: " +
			"{template: {spec: {containers: [{name: c, image: '{{ .Values.hook.image }}'}]}}}\n",
	} {
		file := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// asked runs a command about networks that asks no cluster.
func asked(t *testing.T, args ...string) (out, errOut string, err error) {
	t.Helper()
	streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
	e := env.New(streams, "dev")
	e.Client = func() (kubernetes.Interface, error) {
		t.Error("it asked the cluster")
		return nil, errors.New("no")
	}
	cmd := newCNICommand(commands{e})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(context.WithoutCancel(t.Context()))
	return stdout.String(), stderr.String(), err
}

func TestCNICommandsThatOnlyTell(t *testing.T) {
	small := smallChart(t)
	compose := []string{"flannel", "--chart", small, "--kubernetes-version", "1.36"}
	for name, c := range map[string]struct {
		args []string
		out  []string
		not  string
		err  string
	}{
		"list":             {[]string{"list"}, []string{"NAME", "cilium", "kube-ovn-v2", "1.31 to 1.34", "needed or replaced"}, "", ""},
		"list, by name":    {[]string{"list", "-o", "name"}, []string{"cni/cilium\n", "cni/antrea\n"}, "NAME", ""},
		"list, as JSON":    {[]string{"list", "-o", "json"}, []string{`"registry": "oci://quay.io/cilium/charts/cilium"`}, "", ""},
		"versions":         {[]string{"versions", "calico"}, []string{"LINE", "3.32   1.34 to 1.36   v3.32.1"}, "", ""},
		"versions, names":  {[]string{"versions", "cilium", "-o", "name"}, []string{"1.20\n1.19\n"}, "LINE", ""},
		"no more of weave": {[]string{"versions", "weave"}, nil, "", "no release since 2.8.1"},
		"values that are the chart's own are not shown": {append([]string{"values"}, compose...), []string{"VALUE"}, "podCidr", ""},
		"values with their reasons": {append([]string{"values", "--mirror", "ghcr.io=m.io"}, compose...),
			[]string{"flannel.image.repository=m.io/flannel-io/flannel", "--mirror ghcr.io=m.io"}, "", ""},
		"images, hooks included": {append([]string{"images"}, compose...),
			[]string{"ghcr.io/flannel-io/flannel:v1", "daemonset kube-flannel-ds", "docker.io/x/hook:1", "job hook (hook)"}, "", ""},
		"images, to copy": {append([]string{"images", "-o", "name"}, compose...), []string{"docker.io/x/hook:1\nghcr.io/flannel-io/flannel:v1\n"},
			"IMAGE", ""},
		"images that no mirror serves": {append([]string{"images", "--mirror", "ghcr.io=m.io", "-o", "json"}, compose...),
			[]string{`"outsideOfMirror": [`, `"docker.io/x/hook:1"`}, "", ""},
		"a mirror without sense": {append([]string{"images", "--mirror", "x"}, compose...), nil, "", "has no ="},
		"an unknown format":      {append([]string{"values", "-o", "xml"}, compose...), nil, "", "xml"},
		"an authority that is none": {append([]string{"images", "--registry-ca", filepath.Join(small, "values.yaml")}, compose...), nil, "",
			"there is no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := asked(t, c.args...)
			if c.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("%v, want %q", err, c.err)
			}
			for _, want := range c.out {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
			if c.not != "" && strings.Contains(out, c.not) {
				t.Errorf("%q in:\n%s", c.not, out)
			}
		})
	}
}

func TestTheMirrorOfTheEnvironmentIsForThoseWhoGiveNone(t *testing.T) {
	small := smallChart(t)
	t.Setenv(mirrorVariable, "ghcr.io=env.io")
	compose := []string{"images", "flannel", "-o", "name", "--chart", small, "--kubernetes-version", "1.36"}
	if out, _, err := asked(t, compose...); err != nil || !strings.Contains(out, "env.io/flannel-io/flannel:v1") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, _, err := asked(t, append(compose, "--mirror", "ghcr.io=flag.io")...); err != nil || !strings.Contains(out, "flag.io/") ||
		strings.Contains(out, "env.io") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestMirrorsAreReadFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mirrors")
	if err := os.WriteFile(file, []byte("# ours\nquay.io=file.io/quay\n\nghcr.io=file.io/ghcr # all of it\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	compose := []string{"images", "flannel", "-o", "name", "--chart", smallChart(t), "--kubernetes-version", "1.36"}
	const want = "file.io/ghcr/flannel-io/flannel:v1"
	if out, _, err := asked(t, append(compose, "--mirror", "@"+file)...); err != nil || !strings.Contains(out, want) {
		t.Errorf("%v\n%s", err, out)
	}
	t.Setenv(mirrorVariable, "@"+file)
	if out, _, err := asked(t, compose...); err != nil || !strings.Contains(out, want) {
		t.Errorf("by the environment: %v\n%s", err, out)
	}
	for name, word := range map[string]string{"no file": "@" + file + ".not", "a directory": "@" + filepath.Dir(file)} {
		if _, _, err := asked(t, append(compose, "--mirror", word)...); plan.ClassOf(err) != plan.Misused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheAnswerIsReadBeforeTheCheckIsRefused(t *testing.T) {
	out, _, err := asked(t, "images", "flannel", "--chart", smallChart(t), "--kubernetes-version", "1.36", "--check-images",
		"--mirror", "*=127.0.0.1:1")
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "cannot be pulled") || !strings.Contains(out, "no: ") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestInstallRefusesImagesThatAreNotThere(t *testing.T) {
	b := newCNIBed()
	b.images = []release.Image{{Image: "127.0.0.1:1/flannel:v1"}}
	err := b.run(t, cni.Request{}, cniFlags{check: true})
	if plan.ClassOf(err) != plan.Refused || b.applied > 0 || !strings.Contains(err.Error(), "cannot be pulled") {
		t.Errorf("%v, applied %d times", err, b.applied)
	}
}
