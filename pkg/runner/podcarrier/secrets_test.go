// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/payload"
)

func TestADoorWithoutAStreamHasTheProgramMounted(t *testing.T) {
	node := &corev1.Node{}
	node.Name, node.Status.NodeInfo.Architecture = "w1", "amd64"
	pod := podFor(podSpec{name: "lifecycle-w1", namespace: "kube-system", operation: "remove", image: choice{image: "x"}, node: node,
		program: payload.Payload{Program: []byte("abc"), SHA256: "hash"}, parts: 2, mountDir: "/there"})
	c := pod.Spec.Containers[0]
	spec := podSpec{node: node, mountDir: "/there"}
	command := c.Command[len(spec.withoutEnvironment()):]
	if c.Stdin || !slices.Equal(command[:5], spec.onHost("sh")) || command[8] != "3" || command[9] != "hash" || command[10] != receiver {
		t.Errorf("container %+v", c)
	}
	secrets := map[string]string{}
	for _, v := range pod.Spec.Volumes {
		if v.Secret != nil {
			secrets[v.Name] = v.Secret.SecretName
		}
	}
	for _, m := range c.VolumeMounts {
		if name, is := secrets[m.Name]; is {
			secrets[m.MountPath] = name
		}
	}
	for path, name := range map[string]string{"/there/parcel/letter": "lifecycle.letter.lifecycle-w1",
		"/there/parcel/part-00": "lifecycle.part-00.lifecycle-w1", "/there/parcel/part-01": "lifecycle.part-01.lifecycle-w1"} {
		if secrets[path] != name {
			t.Errorf("at %s is %q, want %q", path, secrets[path], name)
		}
	}
}

// The unpacker is run as it is, but for what stands in for the host.
func TestWhatIsUnpackedIsWhatAStreamWouldHaveBrought(t *testing.T) {
	dir := t.TempDir()
	program := bytes.Repeat([]byte("program\n"), 5000)
	packer := exec.CommandContext(t.Context(), "gzip", "-c")
	packer.Stdin = bytes.NewReader(program)
	packed, err := packer.Output()
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{"parcel/part-00/part": packed[:10], "parcel/part-01/part": packed[10:],
		"parcel/letter/delivery": []byte("{\"spec\":{}}\n")} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	linker := "#!/bin/sh\nshift 3; tool=${1##*/}; shift\n[ $tool != nsenter ] || shift 8\nexec $tool \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "linker"), []byte(linker), 0o700); err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(unpacker, "/dev/termination-log", dir+"/said")
	run := exec.CommandContext(t.Context(), "sh", "-c", script, "unpacker", "40000", "hash",
		`head -c 1 >/dev/null; head -c "$1" >`+dir+`/program; cat >`+dir+`/rest; echo "$0 $2"`, dir, "/lib")
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for path, want := range map[string]string{"program": string(program), "rest": "{\"spec\":{}}\n", "said": "receiver hash\n"} {
		if got, err := os.ReadFile(filepath.Join(dir, path)); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, want %d (%v)", path, len(got), len(want), err)
		}
	}
}
