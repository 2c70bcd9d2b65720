// SPDX-License-Identifier: Apache-2.0

package part

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlacesAreReadFromArgumentsAndConfigurations(t *testing.T) {
	usual := usualPlaces()
	for _, tc := range []struct {
		name, config, containerd string
		arguments                []string
		want                     func(p *Places)
	}{
		{"nothing given", "", "", []string{"--v=2", "root-dir=/x", "--root-dirs=/y"}, func(*Places) {}},
		{"with a sign of equality, and without", "", "", []string{"--root-dir=/data/k/", "--cert-dir", "/c", "--config=etc/k.yaml"},
			func(p *Places) {
				p.Root, p.CertDir, p.Config = "/data/k", "/c", "/etc/k.yaml"
			}},
		{"the last one counts, and an empty one does not", "", "", []string{"--root-dir=/a", "--root-dir=/b", "--root-dir=", "--root-dir"},
			func(p *Places) { p.Root = "/b" }},
		{"static pods by the configuration", "kind: x\nstaticPodPath: '/etc/pods' # own\n", "", nil,
			func(p *Places) { p.Manifests = "/etc/pods" }},
		{"static pods by a configuration in JSON", `{"a":1,"staticPodPath":"/etc/pods"}`, "", nil, func(p *Places) { p.Manifests = "/etc/pods" }},
		{"a flag is stronger than the configuration", "staticPodPath: /etc/pods\n", "", []string{"--pod-manifest-path=/p"},
			func(p *Places) { p.Manifests = "/p" }},
		{"where else a kubelet keeps something", "podLogsDir: \"/data/my logs\" # own\nvolumePluginDir: /p\ncgroupRoot: /c\n", "", nil,
			func(p *Places) {
				p.PodLogs, p.VolumePlugins, p.CgroupRoot = "/data/my logs", "/p", "/c"
			}},
		{"flags for that are stronger", "volumePluginDir: /p\ncgroupRoot: /c\n", "", []string{"--volume-plugin-dir=/q", "--cgroup-root", "d"},
			func(p *Places) {
				p.VolumePlugins, p.CgroupRoot = "/q", "/d"
			}},
		{"what of the host's own it limits", "systemReservedCgroup: /system.slice\n\"kubeReservedCgroup\": '/kube.slice'\n", "",
			[]string{"--system-reserved-cgroup=/own.slice", "--kube-reserved-cgroup", "/kube.slice"},
			func(p *Places) { p.Reserved = []string{"/system.slice", "/kube.slice", "/own.slice"} }},
		{"where its runtime listens", "containerRuntimeEndpoint: \"unix:///run/crio/crio.sock\"\n", "", nil,
			func(p *Places) { p.Endpoint = "/run/crio/crio.sock" }},
		{"and by a path alone, in JSON", `{"containerRuntimeEndpoint":"/run/c.sock"}`, "", nil, func(p *Places) { p.Endpoint = "/run/c.sock" }},
		{"a flag for that is stronger", "containerRuntimeEndpoint: unix:///run/a.sock\n", "",
			[]string{"--container-runtime-endpoint", "unix:///var/run/b.sock"}, func(p *Places) { p.Endpoint = "/var/run/b.sock" }},
		{"what it is given", "authentication:\n  x509:\n    clientCAFile: /a\ntlsCertFile: '/c'\n", "",
			[]string{"--tls-private-key-file=/k", "--image-credential-provider-bin-dir", "/b"},
			func(p *Places) { p.Given = []string{"/c", "/a", "/k", "/b"} }},
		{"a comment is none", "# staticPodPath: /etc/pods\n", "#root = '/x'\n", nil, func(*Places) {}},
		{"containerd's own directories", "", "root = \"/srv/c\" # more\nstate='/srv/run/'\n[debug]\nroot = \"/no\"\n", nil, func(p *Places) {
			p.RuntimeRoot, p.RuntimeState = "/srv/c", "/srv/run"
		}},
		{"the usual ones, spelled out", "",
			"root = '/var/lib/containerd'\nstate = '/run/containerd'\n[plugins.\"io.containerd.grpc.v1.cri\".cni]\nconf_dir = " +
				"\"/etc/cni/net.d\"\n", nil, func(*Places) {}},
		{"where containerd reads how registries are reached", "",
			"[plugins.'io.containerd.cri.v1.images'.registry]\n  config_path = '/etc/containerd/certs.d:/srv/certs'\n", nil,
			func(p *Places) { p.RegistryDirs = []string{"/etc/containerd/certs.d", "/srv/certs"} }},
		{"plugins of version 2", "", "[plugins.\"io.containerd.grpc.v1.cri\".cni]\n  bin_dir = \"/b\"\n  conf_dir = \"/n\"\n", nil,
			func(p *Places) {
				p.BinDirs, p.ConfDirs = append(p.BinDirs, "/b"), append(p.ConfDirs, "/n")
			}},
		{"CRI-O's, in a list of several lines", "",
			"[crio]\nroot = \"/x\"\n[crio.network]\nnetwork_dir = \"/n\"\nplugin_dirs = [\n\t\"/b\",\n\t\"/b2\",\n]\n", nil, func(p *Places) {
				p.BinDirs, p.ConfDirs = append(p.BinDirs, "/b", "/b2"), append(p.ConfDirs, "/n")
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, want := usualPlaces(), usualPlaces()
			got.readConfig([]byte(tc.config))
			got.readKubelet(tc.arguments)
			got.readContainerd([]byte(tc.containerd))
			tc.want(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	usual.RuntimeState = "/srv/run"
	if got := usual.Usual("/srv/run/io/x"); got != "/run/containerd/io/x" || usual.Usual("/srv/runs/x") != "/srv/runs/x" {
		t.Errorf("got %s", got)
	}
}

func TestTheArgumentsOfAUnit(t *testing.T) {
	env := map[string]string{"/e": "# c\nA=\"--a --b=1\"\nB='--c=2 3'\nC=--d\\\n --e\n"}
	for _, tc := range []struct {
		name  string
		files []string
		want  []string
	}{
		{"variables are split, and those in braces are not",
			[]string{"[Service]\nEnvironmentFile=-/e\nExecStart=-/usr/bin/kubelet $A ${B} $C $NONE x\n"}, []string{"--a", "--b=1", "--c=2 3",
				"--d", "--e", "x"}},
		{"a drop-in replaces the command", []string{"[Service]\nExecStart=/usr/bin/kubelet --old\n",
			"[Service]\nExecStart=\nExecStart=/usr/bin/kubelet \\\n  --new \"--q=a b\"\n"}, []string{"--new", "--q=a b"}},
		{"of this program only, and of its service section",
			[]string{"[Unit]\nExecStart=/usr/bin/kubelet --no\n[Service]\nExecStartPre=/usr/bin/kubelet --no\nExecStart=/bin/other " +
				"--no\nExecStart=@/usr/bin/kubelet --yes\n;ExecStart=\n"}, []string{"--yes"}},
		{"a variable that names itself ends", []string{"[Service]\nEnvironment='A=${A}${A}' B=2\nExecStart=kubelet ${A} $B\n"},
			[]string{"${A}${A}", "2"}},
		{"a file of variables is stronger than the unit's own",
			[]string{"[Service]\nEnvironmentFile=/e\nEnvironment=B=no\nExecStart=kubelet ${B}\n"}, []string{"--c=2 3"}},
		{"a shell that only starts it", []string{"[Service]\nEnvironmentFile=/e\nEnvironment=D=/d\nExecStart=/bin/sh -c 'exec /usr/bin/kubelet " +
			"$A ${C} --root-dir=\"$$D/k\"'\n"}, []string{"--a", "--b=1", "--d", "--e", "--root-dir=/d/k"}},
		{"a program that passes it on", []string{"[Service]\nExecStart=/usr/bin/numactl --membind=0 /usr/bin/env A=b /usr/bin/kubelet " +
			"--root-dir /d\n"}, []string{"--root-dir", "/d"}},
		{"specifiers that are the same everywhere",
			[]string{"[Service]\nEnvironment=R=%S/k\nExecStart=kubelet --root-dir=${R} --cert-dir %E/c%i " +
				"--hostname-override=%H\n"}, []string{"--root-dir=/var/lib/k", "--cert-dir", "/etc/c", "--hostname-override=%H"}},
		{"a variable that matters nowhere may be untold",
			[]string{"[Service]\nPassEnvironment=X\nExecStart=kubelet --hostname-override=${X} --root-dir=/d\n"}, []string{"--hostname-override=",
				"--root-dir=/d"}},
		{"none, of a unit that starts nothing", []string{"[Service]\nEnvironmentFile=/e\n"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := unitFile{}
			for _, text := range tc.files {
				u.add(text, func(path string) (string, error) { return env[path], nil })
			}
			got, err := u.arguments("kubelet")
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// What a unit does not tell is never taken for the usual.
func TestArgumentsThatAUnitDoesNotTell(t *testing.T) {
	for name, service := range map[string]string{
		"a script of somebody's":                 "ExecStart=/usr/local/bin/start-kubelet.sh",
		"a script that is given the program":     "ExecStart=/usr/local/bin/wrap /usr/bin/kubelet --root-dir=/d",
		"a shell that does more":                 "ExecStart=/bin/sh -c '. /etc/kubelet.sh; exec /usr/bin/kubelet $X'",
		"a shell that asks another program":      "ExecStart=/bin/sh -c 'exec /usr/bin/kubelet --root-dir=$(cat /etc/root)'",
		"a shell that gets that by a variable":   "Environment='X=--root-dir=$(cat /etc/root)'\nExecStart=/bin/sh -c 'exec /usr/bin/kubelet $X'",
		"a shell that reads profiles":            "ExecStart=/bin/bash -lc 'kubelet $X'",
		"another directory of programs' words":   "ExecStart=/usr/bin/env -C /srv kubelet --root-dir=k",
		"a line that env takes apart":            "ExecStart=/usr/bin/env -S 'kubelet --root-dir=/d'",
		"another root":                           "ExecStart=/usr/sbin/chroot /srv kubelet",
		"another root by the unit":               "RootDirectory=/srv\nExecStart=/usr/bin/kubelet",
		"a relative path in another directory":   "WorkingDirectory=/srv\nExecStart=/usr/bin/kubelet --root-dir=k",
		"a variable of systemd's own":            "PassEnvironment=X\nExecStart=/usr/bin/kubelet $X",
		"a variable that nobody sets in a place": "ExecStart=/usr/bin/kubelet --root-dir=${STATE_DIRECTORY}",
		"the same in two words":                  "ExecStart=/usr/bin/kubelet --root-dir ${STATE_DIRECTORY}",
		"a specifier in a place":                 "ExecStart=/usr/bin/kubelet --root-dir=/data/%H",
		"a specifier in a variable":              "Environment=X=--root-dir=/data/%m\nExecStart=/usr/bin/kubelet $X",
		"a specifier in a file's name":           "EnvironmentFile=/etc/kubelet-%H\nExecStart=/usr/bin/kubelet $X",
		"an escape in a place":                   `ExecStart=/usr/bin/kubelet --root-dir=/d\x2fk`,
		"a file that cannot be read":             "EnvironmentFile=-/damaged\nExecStart=/usr/bin/kubelet $X",
	} {
		t.Run(name, func(t *testing.T) {
			u := unitFile{}
			u.add("[Service]\n"+service+"\n", func(path string) (string, error) {
				if path == "/damaged" {
					return "", fs.ErrPermission
				}
				return "", nil
			})
			if got, err := u.arguments("kubelet"); err == nil {
				t.Errorf("got %q", got)
			}
		})
	}
}

func FuzzPlaces(f *testing.F) {
	f.Add("--root-dir=/data\x00--config\x00/etc/k", "staticPodPath: /x", "root = \"/x\"\n[a.cni]\nbin_dirs = [\n'/b'\n]")
	f.Add("--client-ca-file=a\x00--cgroup-root=/", "podLogsDir: '/a b/'\nclientCAFile: /\ntlsCertFile: /..", "")
	f.Add("--cert-dir=../..", `{"staticPodPath":"/../x"}`, "imports = ['/a*', 1]\nstate=''")
	f.Fuzz(func(t *testing.T, arguments, config, containerd string) {
		p := usualPlaces()
		p.readConfig([]byte(config))
		p.readKubelet(strings.Split(arguments, "\x00"))
		p.readContainerd([]byte(containerd))
		all := append(append([]string{p.Root, p.CertDir, p.Config, p.Manifests}, p.ConfDirs...), p.BinDirs...)
		more := []string{p.PodLogs, p.VolumePlugins, p.CgroupRoot}
		for _, path := range append(slices.Concat(all, more, p.Given, p.RegistryDirs), p.Kubeconfig, p.Bootstrap, p.ConfigDir, p.RuntimeRoot,
			p.RuntimeState) {
			if path != "" && (!filepath.IsAbs(path) || filepath.Clean(path) != path) {
				t.Errorf("%q is no clean path", path)
			}
		}
		if slices.Contains(p.ConfDirs, "/") || p.RuntimeState == "/" || len(p.ConfDirs)+len(p.BinDirs) > 2+len(containerd) {
			t.Errorf("%+v", p)
		}
	})
}

func FuzzUnitFile(f *testing.F) {
	f.Add("[Service]\nEnvironment=A=1\nExecStart=/usr/bin/kubelet $A ${A} 'x y'\n", "B=\"2\"\n")
	f.Add("[Service]\nEnvironmentFile=-/e\nExecStart=kubelet ${B}${B}\\\n$B", "B='${B}'")
	f.Fuzz(func(t *testing.T, text, environment string) {
		u := unitFile{}
		u.add(text, func(string) (string, error) { return environment, nil })
		length := 0
		arguments, err := u.arguments("kubelet")
		if err != nil && arguments != nil {
			t.Errorf("%q with %v", arguments, err)
		}
		for _, argument := range arguments {
			length += len(argument)
		}
		if most := (len(text) + 1) * (len(text) + len(environment)*2 + 4); length > most {
			t.Errorf("%d bytes of arguments from %d and %d", length, len(text), len(environment))
		}
		for _, path := range append(Mountpoints(text), WhereOf(text)) {
			if path != "" && !filepath.IsAbs(path) {
				t.Errorf("%q is no path", path)
			}
		}
	})
}
