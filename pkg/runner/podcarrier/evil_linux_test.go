// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/payload"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// image is what a tenant's image may hold to have its code run, or its files read.
type image struct {
	env []string
	// files are by path; volumes are directories that it declares as VOLUME.
	files   map[string]string
	links   map[string]string
	volumes []string
}

// theHost stands in for the receiver: what it says comes from the host.
const theHost = "env; echo on the host; cat >/dev/null\n"

// evilProgram is a program for every path at which the host's would be looked for.
const evilProgram = "#!/evilsh\necho evil program\n"

// The container is made as a runtime makes it, of what podFor says: nothing here
// repeats it. That an image would be obeyed is tested, too, in a pod of which the
// protection was taken away, or this test could not fail.
func TestTheImageDecidesNothing(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	programs := map[string]string{}
	for _, program := range []string{"env", "nsenter", "sh", "cat", "gzip"} {
		programs["/usr/bin/"+program] = evilProgram
	}
	for name, evil := range map[string]image{
		"LD_PRELOAD":         {env: []string{"LD_PRELOAD=/evil.so"}},
		"LD_AUDIT":           {env: []string{"LD_AUDIT=/evil.so"}},
		"LD_DEBUG":           {env: []string{"LD_DEBUG=files"}},
		"LD_LIBRARY_PATH":    {env: []string{"LD_LIBRARY_PATH=/evil"}, files: map[string]string{"/evil/libc.so.6": "evil"}},
		"GLIBC_TUNABLES":     {env: []string{"GLIBC_TUNABLES=glibc.rtld.evil=1:glibc.malloc.check=99999999999999999999999"}},
		"/etc/ld.so.preload": {files: map[string]string{"/etc/ld.so.preload": "/evil.so\n"}},
		"PATH, BASH_ENV, ENV": {env: []string{"PATH=/evil", "BASH_ENV=/evil/rc", "ENV=/evil/rc"},
			files: map[string]string{"/evil/rc": "echo evil rc\n"}},
		"a function of the shell's": {env: []string{"BASH_FUNC_echo%%=() { printf 'evil function\n'; }",
			"BASH_FUNC_host%%=() { printf 'evil function\n'; }"}},
		"programs of the same names": {files: programs},
		"a VOLUME over the host's":   {files: programs, volumes: []string{"/usr/bin", "/usr/lib", "/lib64"}},
		"links instead of directories": {links: map[string]string{"/usr": "/evil", "/lib": "evil/lib", "/lib64": "/evil"},
			files: map[string]string{"/evil/bin/env": evilProgram}},
		"a link instead of its own etc": {links: map[string]string{"/etc": "/evil"},
			files: map[string]string{"/evil/ld.so.preload": "/evil.so\n"}},
	} {
		for door, parts := range map[string]int{"streamed": 0, "in Secrets": 1} {
			t.Run(name+", "+door, func(t *testing.T) {
				out := evil.run(t, t.TempDir(), doorFor(parts))
				if !strings.HasSuffix(out, "on the host\n") || strings.Contains(out, "evil") || !strings.Contains(out, "PATH="+searchPath+"\n") {
					t.Errorf("it said:\n%s", out)
				}
				for line := range strings.Lines(out) {
					if name, _, is := strings.Cut(line, "="); is && !slices.Contains([]string{"PATH", "PWD", "OLDPWD", "SHLVL", "_"}, name) {
						t.Errorf("it reached the host: %s", line)
					}
				}
			})
		}
	}
	for name, evil := range map[string]image{
		"LD_PRELOAD":               {env: []string{"LD_PRELOAD=/evil.so"}},
		"/etc/ld.so.preload":       {files: map[string]string{"/etc/ld.so.preload": "/evil.so\n"}},
		"a VOLUME over the host's": {files: programs, volumes: []string{"/usr/bin"}},
	} {
		t.Run(name+" is obeyed by a pod without protection", func(t *testing.T) {
			if out := evil.run(t, t.TempDir(), unprotected()); !strings.Contains(out, "evil") {
				t.Errorf("it said:\n%s", out)
			}
		})
	}
}

// doorFor is a door as podFor makes it.
func doorFor(parts int) *corev1.Pod {
	worker := node(runtime.GOARCH)
	return podFor(podSpec{name: "lifecycle-worker-1", namespace: "kube-system", operation: string(wire.Inspect), node: worker,
		program: payload.Payload{SHA256: "hash"}, mountDir: newMountDir(), parts: parts})
}

// unprotected is one with the host's directories over the image's, and nothing else.
func unprotected() *corev1.Pod {
	pod := doorFor(0)
	c := &pod.Spec.Containers[0]
	place := strings.TrimSuffix(c.Command[0], "/linker")
	c.Env, c.Command = nil, []string{"/usr/bin/env", "true"}
	var mounts []corev1.VolumeMount
	for _, m := range c.VolumeMounts {
		if m.MountPath = strings.TrimPrefix(m.MountPath, place); m.MountPath != "/etc" && m.MountPath != "/linker" {
			mounts = append(mounts, m)
		}
	}
	c.VolumeMounts = mounts
	return pod
}

// run makes the container in root and returns what its command says.
func (i image) run(t *testing.T, root string, pod *corev1.Pod) string {
	t.Helper()
	i.lay(t, root)
	c := pod.Spec.Containers[0]
	for _, m := range c.VolumeMounts {
		source := sourceOf(t, pod, m.Name)
		target := within(t, root, m.MountPath, source)
		must(t, syscall.Mount(source, target, "", syscall.MS_BIND|syscall.MS_REC, ""))
		t.Cleanup(func() { must(t, syscall.Unmount(target, syscall.MNT_DETACH)) })
	}
	for _, v := range i.volumes { // containerd mounts them after those of the pod, with what the image has there
		source := t.TempDir()
		for path, content := range i.files {
			if filepath.Dir(path) == v {
				put(t, source+"/"+filepath.Base(path), content)
			}
		}
		target := within(t, root, v, source)
		must(t, syscall.Mount(source, target, "", syscall.MS_BIND, ""))
		t.Cleanup(func() { must(t, syscall.Unmount(target, syscall.MNT_DETACH)) })
	}
	must(t, os.MkdirAll(root+"/proc", 0o755))
	must(t, syscall.Mount("proc", root+"/proc", "proc", 0, ""))
	t.Cleanup(func() { must(t, syscall.Unmount(root+"/proc", syscall.MNT_DETACH)) })

	args := slices.Clone(c.Command)
	for n := range args {
		args[n] = strings.ReplaceAll(args[n], receiver, theHost)
	}
	var out bytes.Buffer
	cmd := &exec.Cmd{Path: args[0], Args: args, Dir: "/", Env: i.environment(c), Stdout: &out, Stderr: &out,
		SysProcAttr: &syscall.SysProcAttr{Chroot: root}}
	if err := cmd.Run(); err != nil {
		out.WriteString(err.Error())
	}
	said, err := os.ReadFile(root + "/dev/termination-log")
	must(t, err)
	return out.String() + string(said)
}

// environment is the image's with the pod's over it, as CRI has it.
func (i image) environment(c corev1.Container) []string {
	env := slices.Clone(i.env)
	for _, v := range c.Env {
		env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, v.Name+"=") })
		env = append(env, v.Name+"="+v.Value)
	}
	return env
}

// lay writes the image's files. Its shell is the host's, so that its programs run.
func (i image) lay(t *testing.T, root string) {
	t.Helper()
	for path, target := range i.links {
		must(t, os.Symlink(target, root+path))
	}
	shell, err := os.ReadFile("/bin/sh")
	must(t, err)
	put(t, root+"/evilsh", string(shell))
	put(t, root+"/evil.so", "no library")
	put(t, root+"/dev/null", "")
	put(t, root+"/dev/termination-log", "")
	for path, content := range i.files {
		put(t, root+path, content)
	}
}

// sourceOf is where a volume's content lies.
func sourceOf(t *testing.T, pod *corev1.Pod, name string) string {
	t.Helper()
	i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == name })
	switch v := pod.Spec.Volumes[i]; {
	case v.HostPath != nil:
		return v.HostPath.Path
	case v.Secret != nil:
		dir := t.TempDir()
		packed, err := exec.CommandContext(t.Context(), "gzip", "-c", "/dev/null").Output()
		must(t, err)
		put(t, dir+"/part", string(packed))
		put(t, dir+"/delivery", "{}\n")
		return dir
	default:
		return t.TempDir()
	}
}

// within makes the target of a mount, following links as a runtime does, inside of
// the container.
func within(t *testing.T, root, path, source string) string {
	t.Helper()
	if target, err := os.Readlink(root + path); err == nil {
		path = "/" + strings.TrimPrefix(target, "/")
	}
	info, err := os.Stat(source)
	must(t, err)
	if _, err := os.Stat(root + path); err == nil {
		return root + path
	}
	if info.IsDir() {
		must(t, os.MkdirAll(root+path, 0o755))
	} else {
		put(t, root+path, "")
	}
	return root + path
}

func put(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o755))
}

// inNamespaces runs the test once more as PID 1 of namespaces of its own, so that
// nsenter leads to this very process, and reports whether this is that run.
func inNamespaces(t *testing.T) bool {
	t.Helper()
	const inside = "RUNNER_INSIDE"
	if os.Getenv(inside) == t.Name() {
		must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
		must(t, syscall.Mount("proc", "/proc", "proc", 0, ""))
		return true
	}
	if os.Getenv("E2E") == "off" {
		t.Skip("not tested: it needs root, and E2E=off was given")
	}
	if os.Getuid() != 0 {
		t.Fatal("needs root for namespaces of its own; run it as root, or set E2E=off to leave it out")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), inside+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}
