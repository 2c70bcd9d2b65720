// SPDX-License-Identifier: Apache-2.0

package part

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// MostOfFile bounds what is read of a configuration.
const MostOfFile = 1 << 20

// Places are where the kubelet and the container runtime of a host keep what they
// make: what their arguments and configurations say, never what is usual.
type Places struct {
	// Root is the kubelet's --root-dir, CertDir its --cert-dir; Config and ConfigDir are
	// what it is configured by, and Manifests is its directory of static pods.
	Root      string `json:"root"`
	CertDir   string `json:"certDir"`
	Config    string `json:"config"`
	ConfigDir string `json:"configDir,omitempty"`
	Manifests string `json:"manifests"`
	// Kubeconfig and Bootstrap are its --kubeconfig and --bootstrap-kubeconfig; empty if
	// it was given none.
	Kubeconfig string `json:"kubeconfig,omitempty"`
	Bootstrap  string `json:"bootstrap,omitempty"`
	// Endpoint is where its container runtime listens, as a path; empty if it was not told.
	Endpoint string `json:"endpoint,omitempty"`
	// PodLogs is where it keeps the logs of pods (podLogsDir), VolumePlugins where it looks
	// for plugins (volumePluginDir), and CgroupRoot is its cgroup (cgroupRoot); empty for the top.
	PodLogs       string `json:"podLogs"`
	VolumePlugins string `json:"volumePlugins"`
	CgroupRoot    string `json:"cgroupRoot,omitempty"`
	// Reserved are the cgroups of the host's own services that it limits
	// (systemReservedCgroup, kubeReservedCgroup).
	Reserved []string `json:"reserved,omitempty"`
	// Given are files and directories that it only reads, which an administrator has made:
	// certificates and keys of its own, the authority that it asks, what tells it the
	// credentials of registries.
	Given []string `json:"given,omitempty"`
	// DNS are the addresses at which pods find the cluster's DNS (clusterDNS).
	DNS []string `json:"dns,omitempty"`
	// MoreDNS says that there are more of them than were read.
	MoreDNS bool `json:"moreDNS,omitempty"`
	// ConfDirs and BinDirs are where the runtime looks for configurations and plugins of
	// CNI; the usual ones are among them.
	ConfDirs []string `json:"confDirs"`
	BinDirs  []string `json:"binDirs"`
	// RuntimeRoot and RuntimeState are containerd's root and state; empty if they are the
	// usual ones.
	RuntimeRoot  string `json:"runtimeRoot,omitempty"`
	RuntimeState string `json:"runtimeState,omitempty"`
	// RuntimeFiles are the runtime's configurations, and RegistryDirs where containerd reads
	// how each registry is reached (config_path).
	RuntimeFiles []string `json:"runtimeFiles,omitempty"`
	RegistryDirs []string `json:"registryDirs,omitempty"`
}

// usualPlaces are those of a kubelet that kubeadm set up. The kubelet's own defaults
// are the same, wherever its --root-dir is (cmd/kubelet/app/options/options.go, 1.36).
func usualPlaces() Places {
	return Places{
		Root: inventory.DefaultKubeletRoot, CertDir: inventory.DefaultKubeletRoot + "/pki", Config: inventory.DefaultKubeletRoot +
			"/config.yaml", Manifests: inventory.ManifestsDir, PodLogs: inventory.PodLogsDir, VolumePlugins: inventory.VolumePluginDir,
		ConfDirs: []string{inventory.CNIConfDir}, BinDirs: []string{inventory.CNIBinDir},
	}
}

// readFlags reads arguments of a program into fields, by the flags' names: "--name=value"
// or "--name value". The last of several counts, as for the program. Relative paths are
// relative to "/", where systemd starts a service.
func readFlags(arguments []string, fields map[string]*string) {
	for i, argument := range arguments {
		name, value, given := strings.Cut(argument, "=")
		field := fields[name]
		if field == nil {
			continue
		}
		if !given {
			if i+1 >= len(arguments) {
				continue
			}
			value = arguments[i+1]
		}
		if value != "" {
			*field = filepath.Join("/", value)
		}
	}
}

// placeFlags are the flags of the kubelet's and of containerd's that say where something
// is.
func placeFlags() []string {
	return []string{
		"--root-dir", "--cert-dir", "--config", "--config-dir", "--kubeconfig", "--bootstrap-kubeconfig", "--pod-manifest-path",
		"-c", "--root", "--state",
	}
}

// readKubelet reads the arguments of a kubelet.
func (p *Places) readKubelet(arguments []string) {
	readFlags(arguments, map[string]*string{
		"--root-dir": &p.Root, "--cert-dir": &p.CertDir, "--config": &p.Config, "--config-dir": &p.ConfigDir, "--kubeconfig": &p.Kubeconfig,
		"--bootstrap-kubeconfig": &p.Bootstrap, "--pod-manifest-path": &p.Manifests, "--volume-plugin-dir": &p.VolumePlugins,
		"--cgroup-root": &p.CgroupRoot,
	})
	for _, flag := range []string{"--tls-cert-file", "--tls-private-key-file", "--client-ca-file", "--image-credential-provider-config",
		"--image-credential-provider-bin-dir"} {
		given := ""
		readFlags(arguments, map[string]*string{flag: &given})
		p.Given = also(p.Given, given)
	}
	for _, flag := range []string{"--system-reserved-cgroup", "--kube-reserved-cgroup"} {
		reserved := ""
		readFlags(arguments, map[string]*string{flag: &reserved})
		p.Reserved = also(p.Reserved, reserved)
	}
	var dns, endpoint string
	readFlags(arguments, map[string]*string{"--cluster-dns": &dns, "--container-runtime-endpoint": &endpoint})
	if endpoint != "" {
		p.Endpoint = strings.TrimPrefix(endpoint, "/unix:") // "unix:///run/x", as readFlags takes it
	}
	if dns != "" {
		p.DNS, p.MoreDNS = strings.Split(strings.TrimPrefix(dns, "/"), ","), false
	}
}

// readConfig reads a KubeletConfiguration, in YAML or JSON. Of several files the last
// counts (kubelet --config-dir).
func (p *Places) readConfig(raw []byte) {
	for key, field := range map[string]*string{"staticPodPath": &p.Manifests, "podLogsDir": &p.PodLogs,
		"volumePluginDir": &p.VolumePlugins, "cgroupRoot": &p.CgroupRoot, "containerRuntimeEndpoint": &p.Endpoint} {
		if path := pathIn(raw, key); path != "" {
			*field = path
		}
	}
	for _, key := range []string{"tlsCertFile", "tlsPrivateKeyFile", "clientCAFile"} {
		p.Given = also(p.Given, pathIn(raw, key))
	}
	for _, key := range []string{"systemReservedCgroup", "kubeReservedCgroup"} {
		p.Reserved = also(p.Reserved, pathIn(raw, key))
	}
	if dns, more := clusterDNS(raw); len(dns) > 0 {
		p.DNS, p.MoreDNS = dns, more // a later file replaces the list (kubelet --config-dir)
	}
}

// pathIn is the path, or that of the socket, that a key has in YAML or JSON; empty if it has
// none.
func pathIn(raw []byte, key string) string {
	said := regexp.MustCompile(`(?m)(?:^|[{,])[ \t]*["']?` + key + `["']?[ \t]*:[ \t]*` +
		`(?:"(?:unix://)?(/[^"\n]*)"|'(?:unix://)?(/[^'\n]*)'|(?:unix://)?(/[^"'\s,}#]*))`)
	path := ""
	for _, found := range said.FindAllSubmatch(raw, -1) {
		path = filepath.Clean(string(found[1]) + string(found[2]) + string(found[3]))
	}
	return path
}

// readContainerd reads a configuration of containerd's (versions 1 to 3) or of CRI-O's,
// and returns the further files, or patterns of them, that it names.
func (p *Places) readContainerd(raw []byte) (imports []string) {
	section := ""
	for key, values := range tomlSettings(raw, &section) {
		cni := strings.HasSuffix(section, ".cni") || section == "crio.network"
		switch {
		case section == "" && key == "imports":
			imports = append(imports, values...)
		case section == "" && key == "root":
			p.RuntimeRoot = unless(values[0], "/var/lib/containerd")
		case section == "" && key == "state":
			p.RuntimeState = unless(values[0], "/run/containerd")
		case strings.HasSuffix(section, ".registry") && key == "config_path":
			p.RegistryDirs = also(p.RegistryDirs, strings.Split(values[0], ":")...)
		case cni && slices.Contains([]string{"conf_dir", "network_dir"}, key):
			p.ConfDirs = also(p.ConfDirs, values...)
		case cni && slices.Contains([]string{"bin_dir", "bin_dirs", "plugin_dir", "plugin_dirs"}, key):
			p.BinDirs = also(p.BinDirs, values...)
		}
	}
	return imports
}

// unless is a path, or nothing if it is the usual one.
func unless(path, usual string) string {
	if path = filepath.Join("/", path); path == usual || path == "/" {
		return ""
	}
	return path
}

// also adds paths to a list that has not got them.
func also(list []string, paths ...string) []string {
	for _, path := range paths {
		if path = filepath.Join("/", path); path != "/" && !slices.Contains(list, path) {
			list = append(list, path)
		}
	}
	return list
}

// tomlSettings goes through those settings of a TOML file that are strings or lists of
// strings, and keeps section at the table that each is in, without quotes.
func tomlSettings(raw []byte, section *string) func(yield func(key string, values []string) bool) {
	quoted := regexp.MustCompile(`"([^"\n]*)"|'([^'\n]*)'`)
	return func(yield func(string, []string) bool) {
		key, list := "", []byte(nil)
		for line := range bytes.Lines(raw) {
			line = bytes.TrimSpace(line)
			switch head, value, is := bytes.Cut(line, []byte("=")); {
			case len(line) == 0 || line[0] == '#':
				continue
			case list != nil:
				list = append(list, line...)
			case line[0] == '[':
				*section = strings.NewReplacer(`"`, "", `'`, "", " ", "").Replace(string(bytes.Trim(line, "[]")))
				continue
			case !is:
				continue
			default:
				key, list = strings.TrimSpace(string(head)), bytes.TrimSpace(value)
			}
			if bytes.HasPrefix(list, []byte("[")) && !bytes.Contains(list, []byte("]")) {
				continue // a list of several lines
			}
			var values []string
			for _, found := range quoted.FindAllSubmatch(list, -1) {
				values = append(values, string(found[1])+string(found[2]))
				if list[0] != '[' {
					break // what follows is a comment
				}
			}
			list = nil
			if len(values) > 0 && !yield(key, values) {
				return
			}
		}
	}
}

// Usual is a path of the runtime's as it would be if its directories were the usual ones.
func (p Places) Usual(path string) string {
	for own, usual := range map[string]string{p.RuntimeRoot: "/var/lib/containerd", p.RuntimeState: "/run/containerd"} {
		if rest, below := strings.CutPrefix(path, own+"/"); own != "" && below {
			return usual + "/" + rest
		}
	}
	return path
}
