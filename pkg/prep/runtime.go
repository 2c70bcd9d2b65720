// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

func runtimeThere(f Facts, _ Wanted) []Finding {
	switch {
	case f.Runtime.Program == "" && f.comes(containerd):
		return nil
	case f.Runtime.Program == "":
		return []Finding{{Severity: Blocks, Text: "no container runtime is installed",
			WayOut: "install containerd (the distribution's package, or containerd.io), or CRI-O; or let this program do it: --install"}}
	case f.Runtime.Answers || f.Runtime.Active == "active":
		return nil
	}
	return []Finding{{Severity: Blocks, Text: fmt.Sprintf("%s is installed and %s", f.Runtime.Program,
		orWord(f.Runtime.Active, "does not run")),
		Changes: []Change{{Kind: EnableUnit, Name: f.Runtime.Program + ".service"}}}}
}

// criAnswers asks the socket, not systemctl: Docker's package, and containerd 2.3.5's
// "config default", turn the CRI off (containerd#14121).
func criAnswers(f Facts, w Wanted) []Finding {
	r := f.Runtime
	if r.Answers || r.Program == "" || r.Active != "active" {
		return nil
	}
	var disabled []string
	if r.Effective != nil {
		for _, name := range r.Effective.Disabled {
			if isCRI(name) {
				disabled = append(disabled, name)
			}
		}
	}
	if r.Program != containerd || len(disabled) == 0 {
		return []Finding{{Severity: Blocks, Text: fmt.Sprintf("the CRI does not answer on %s: %s", r.Socket, r.Error),
			WayOut: "see: " + text.Command("journalctl", "-u", r.Program)}}
	}
	finding := Finding{Severity: Blocks, Text: fmt.Sprintf("containerd runs without its CRI: disabled_plugins holds %s",
		strings.Join(disabled, ", "))}
	if r.Docker {
		finding.Text += "; Docker runs on the same containerd, which is restarted"
	}
	finding.Changes, finding.WayOut = containerdChanges(f, w)
	return []Finding{finding}
}

// criSockets: kubeadm refuses a host on which several runtimes answer, unless it is told which
// one to use (kubernetes/kubeadm#1495).
func criSockets(f Facts, w Wanted) []Finding {
	if w.Joined || len(f.Runtime.Sockets) < 2 {
		return nil
	}
	text := "several container runtimes answer: " + strings.Join(f.Runtime.Sockets, ", ")
	if f.Runtime.Chosen != "" {
		return []Finding{{Severity: Notes, Text: text + "; " + f.Runtime.Chosen + " is used",
			WayOut: "where that is not the one: --cri-socket, or --container-runtime-endpoint of the host's kubelet"}}
	}
	return []Finding{{Severity: Blocks, Text: text + "; kubeadm refuses that",
		WayOut: "name the one to use: --cri-socket unix://" + f.Runtime.Sockets[0] + "; or stop the other"}}
}

// isCRI reports whether a plugin of containerd is a part of the CRI, by any of its
// names.
func isCRI(name string) bool {
	switch name {
	case "cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images":
		return true
	}
	return false
}

// cgroupDriver: with two managers of cgroups pods are restarted every few minutes
// (containerd#8032).
func cgroupDriver(f Facts, w Wanted) []Finding {
	e := f.Runtime.Effective
	want := orWord(w.CgroupDriver, "systemd")
	if e == nil || e.CgroupDriver == "" || e.CgroupDriver == want {
		return nil
	}
	finding := Finding{Severity: Blocks, Text: fmt.Sprintf("the runtime's cgroup driver is %s, the kubelet's is %s", e.CgroupDriver, want)}
	finding.Changes, finding.WayOut = containerdChanges(f, w)
	return []Finding{finding}
}

// sandboxImage: workers do not inherit the cluster's registry for it
// (kubernetes#66951); where the public one is out of reach the first pod hangs.
func sandboxImage(f Facts, w Wanted) []Finding {
	e := f.Runtime.Effective
	if e == nil || w.SandboxImage == "" || e.SandboxImage == "" || e.SandboxImage == w.SandboxImage {
		return nil
	}
	severity := Notes
	if registryOf(e.SandboxImage) != registryOf(w.SandboxImage) {
		severity = Warns
	}
	finding := Finding{Severity: severity, Text: fmt.Sprintf("the runtime's sandbox image is %s, the cluster's is %s",
		e.SandboxImage, w.SandboxImage)}
	finding.Changes, finding.WayOut = containerdChanges(f, w)
	return []Finding{finding}
}

// registries: without config_path containerd reads no mirrors but those in its own
// configuration. Where these are, config_path is not set: with both the CRI does not
// start ("mirrors cannot be set when config_path is provided", containerd#12612).
func registries(f Facts, w Wanted) []Finding {
	e := f.Runtime.Effective
	if e == nil || f.Runtime.Program != containerd || e.Registries != "" || e.Inline {
		return nil
	}
	finding := Finding{Severity: Notes, Text: "containerd reads no settings of registries: config_path is empty"}
	finding.Changes, finding.WayOut = containerdChanges(f, w)
	return []Finding{finding}
}

const (
	containerd       = "containerd"
	containerdConfig = "/etc/containerd/config.toml"
	certsDir         = "/etc/containerd/certs.d"
)

// containerdChanges is the one edit of containerd's configuration that mends all that
// is wrong with it, and the restart. Where its form is not known, a person edits it.
func containerdChanges(f Facts, w Wanted) (changes []Change, wayOut string) {
	r := f.Runtime
	if r.Program != containerd {
		return nil, fmt.Sprintf("configure %s: cgroup_manager and pause_image in /etc/crio/crio.conf.d", r.Program)
	}
	edited, err := configured(r, w)
	if err != nil {
		return nil, fmt.Sprintf("edit %s by hand: %v", containerdConfig, err)
	}
	file := r.Config
	file.Path = containerdConfig
	return []Change{edit(file, edited), {Kind: RestartUnit, Name: "containerd.service"}}, ""
}

// configured is containerd's configuration as it has to be.
func configured(r Runtime, w Wanted) (string, error) {
	driver := orWord(w.CgroupDriver, "systemd")
	if !r.Config.There || strings.TrimSpace(r.Config.Content) == "" {
		return freshConfig(driver, w.SandboxImage), nil
	}
	form, err := formOf(r.Config.Content)
	if err != nil {
		return "", err
	}
	edited, err := withoutDisabled(r.Config.Content, isCRI)
	if err != nil {
		return "", err
	}
	edited = form.set(edited, form.options, "SystemdCgroup", fmt.Sprint(driver == "systemd"))
	if w.SandboxImage != "" && (r.Effective == nil || r.Effective.SandboxImage != w.SandboxImage) {
		edited = form.set(edited, form.sandbox, form.sandboxKey, quoted(w.SandboxImage))
	}
	own, err := ReadEffective(r.Config.Content)
	if err != nil {
		return "", err
	}
	inline := own.Inline || r.Effective != nil && r.Effective.Inline
	if !inline && (r.Effective == nil || r.Effective.Registries == "") {
		edited = form.set(edited, form.registry, "config_path", quoted(certsDir))
	}
	return edited, isEdited(edited, driver)
}

// isEdited reads the result as containerd does: an inline table, or a header inside a
// text of many lines, is nothing that a change of lines can get right.
func isEdited(config, driver string) error {
	e, err := ReadEffective(config)
	switch {
	case err != nil:
		return err
	case e.CgroupDriver != driver || slices.ContainsFunc(e.Disabled, isCRI):
		return errors.New("its form is not understood")
	}
	return nil
}

// freshConfig is a configuration in the form that containerd 1.6 and everything after
// it reads.
func freshConfig(driver, sandbox string) string {
	var b strings.Builder
	b.WriteString("version = 2\n\n[plugins.\"io.containerd.grpc.v1.cri\"]\n")
	if sandbox != "" {
		fmt.Fprintf(&b, "  sandbox_image = %s\n", quoted(sandbox))
	}
	fmt.Fprintf(&b, "\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = %s\n", quoted(certsDir))
	b.WriteString("\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n  runtime_type = \"io.containerd.runc.v2\"\n")
	fmt.Fprintf(&b, "\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\n  SystemdCgroup = %t\n", driver == "systemd")
	return b.String()
}

// registryOf is the part of an image before its first slash.
func registryOf(image string) string {
	registry, _, _ := strings.Cut(image, "/")
	return registry
}

func orWord(word, other string) string {
	if word == "" {
		return other
	}
	return word
}
