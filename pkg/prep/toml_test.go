// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"strings"
	"testing"
)

// TestContainerdsSettingsAreChangedInEveryForm edits configurations as they are found,
// and reads the result as containerd would.
func TestContainerdsSettingsAreChangedInEveryForm(t *testing.T) {
	for name, config := range map[string]string{
		"none": "",
		"the key is there": "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\n  SystemdCgroup = false # " +
			"why\n" +
			"[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"registry.k8s.io/pause:3.8\"\n",
		"single quotes, as containerd 2 writes": "version = 3\n\n[plugins]\n  [plugins.'io.containerd.cri.v1.images']\n    snapshotter = " +
			"'overlayfs'\n\n" +
			"    [plugins.'io.containerd.cri.v1.images'.pinned_images]\n      sandbox = 'registry.k8s.io/pause:3.10'\n\n" +
			"  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\n    runtime_type = 'io.containerd.runc.v2'\n",
		"version 4":                "version = 4\n",
		"the CRI is off, one line": "disabled_plugins = [\"cri\"]\nversion = 2\n",
		"the CRI is off, many lines": "version = 3\ndisabled_plugins = [\n  'io.containerd.cri.v1.runtime',\n  'x', # " +
			"keep\n]\n[grpc]\n  address = '/run/x'\n",
		"a table of the same name in a string": "version = 2\n[debug]\n  level = \"[plugins.cri]\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := Runtime{Program: containerd, Config: File{Content: config, There: config != ""}, Effective: &Effective{}}
			got, err := configured(r, Wanted{SandboxImage: "m.example/pause:3.10"})
			if err != nil {
				t.Fatal(err)
			}
			e, err := ReadEffective(got)
			if err != nil {
				t.Fatalf("%v in\n%s", err, got)
			}
			if e.CgroupDriver != "systemd" || e.SandboxImage != "m.example/pause:3.10" || e.Registries != certsDir {
				t.Errorf("%+v of\n%s", e, got)
			}
			for _, plugin := range e.Disabled {
				if isCRI(plugin) {
					t.Errorf("%s is still off", plugin)
				}
			}
			for _, line := range strings.Split(config, "\n") {
				kept := strings.Contains(line, "address") || strings.Contains(line, "snapshotter") || strings.Contains(line, "level")
				if kept && !strings.Contains(got, line+"\n") {
					t.Errorf("%q is lost in\n%s", line, got)
				}
			}
			again, err := configured(Runtime{Program: containerd, Config: File{Content: got, There: true}, Effective: e},
				Wanted{SandboxImage: "m.example/pause:3.10"})
			if err != nil || again != got {
				t.Errorf("a second edit changes something: %v\n%s", err, again)
			}
		})
	}
}

func TestAConfigurationThatIsNotUnderstoodIsLeftToAPerson(t *testing.T) {
	for name, config := range map[string]string{
		"version 1": "[plugins.cri]\n", "does not parse": "version = = 2\n", "a version to come": "version = 9\n",
		"keys that differ in their letters' case": "version = 2\n[pluginS.a]\n[plugins.b]\n",
		"a key in another case":                   "Version = 2\n", "a list in another case": "version = 2\nDisabled_Plugins = ['cri']\n",
		"a setting in another case": "version = 2\n" +
			"[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc.options]\nsystemdCgroup = false\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := prepared()
			f.Runtime.Config.Content, f.Runtime.Effective.CgroupDriver = config, "cgroupfs"
			r := Decide(f, Wanted{})
			if len(r.Findings) != 1 || r.Findings[0].Fixable() || !strings.Contains(r.Findings[0].WayOut, "by hand") {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}

func FuzzAConfigurationThatIsEditedParses(f *testing.F) {
	f.Add("version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"a\"\n")
	f.Add("version = 2\n[pluginS.\"io.containerd.grpc.v1.cri\"]\nsandbo_ximage = \"a\"\n")
	f.Add("version = 3\ndisabled_plugins = ['cri']\n[plugins]\n[plugins.'a'.b]\nx = '''\n[c]\n'''\n")
	f.Fuzz(func(t *testing.T, config string) {
		r := Runtime{Program: containerd, Config: File{Content: config, There: true}, Effective: &Effective{}}
		edited, err := configured(r, Wanted{SandboxImage: "m/p:1"})
		if err != nil {
			return
		}
		if len(edited) > len(config)+4096 {
			t.Errorf("%d bytes of %d", len(edited), len(config))
		}
		if e, err := ReadEffective(edited); err != nil || e.CgroupDriver != "systemd" {
			t.Errorf("%v, %+v of\n%s", err, e, edited)
		}
	})
}
