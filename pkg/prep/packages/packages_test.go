// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestAnOrderThatCannotBeCarriedOutIsRefused(t *testing.T) {
	sum := strings.Repeat("a", 64)
	good := File{"kubelet_1.36.3-1.1_amd64.deb", 1, sum}
	for name, o := range map[string]Order{
		"no version":                        {},
		"a version of another program":      {Version: "2.0"},
		"a version with a command":          {Version: "v1.36.3; reboot"},
		"a build that has no packages":      {Version: "v1.36.3+k3s1"},
		"a fingerprint that is half of one": {Version: "v1.36.3", Fingerprints: []string{"9A296436"}},
		"a repository that is no address":   {Version: "v1.36.3", Repo: "pkgs.example"},
		"a repository with a line break":    {Version: "v1.36.3", Repo: "https://m.example/\ndeb [trusted=yes] http://x /"},
		"a repository with a space":         {Version: "v1.36.3", Repo: "https://m.example/ x"},
		"a repository in a file":            {Version: "v1.36.3", Repo: "file:///srv"},
		"a repository with a password":      {Version: "v1.36.3", Repo: "https://u:p@m.example/"},
		"http and no fingerprint":           {Version: "v1.36.3", Repo: "http://m.example/"},
		"a file in another directory":       {Version: "v1.36.3", Files: []File{{"../x.deb", 1, sum}}},
		"a file that is no package":         {Version: "v1.36.3", Files: []File{{"x.sh", 1, sum}}},
		"a file without a checksum":         {Version: "v1.36.3", Files: []File{{"x.deb", 1, ""}}},
		"a file that is empty":              {Version: "v1.36.3", Files: []File{{"x.deb", 0, sum}}},
		"a file that fills a disk":          {Version: "v1.36.3", Files: []File{{"x.deb", 1 << 40, sum}}},
		"a file twice":                      {Version: "v1.36.3", Files: []File{good, good}},
	} {
		if o.Validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, o := range map[string]Order{
		"the public repository": {Version: "v1.36.3"}, "the newest patch": {Version: "v1.36"},
		"a mirror that escapes colons": {Version: "v1.36.3", Repo: "https://mirrors.example/kubernetes/core%3A/stable%3A/"},
		"http and a fingerprint": {Version: "v1.36.3", Repo: "http://[fd00::1]:8080/k8s",
			Fingerprints: []string{"DE15 B144 86CD 377B 9E87  6E1A 2346 54DA 9A29 6436"}},
		"files": {Version: "v1.36.3", Files: []File{good}},
	} {
		if err := o.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAVersionIsChosenExactly(t *testing.T) {
	at := func(versions ...string) (all []Package) {
		for _, v := range versions {
			all = append(all, Package{"kubelet", v})
		}
		return all
	}
	for _, c := range []struct {
		name, version string
		offered       []Package
		want          string
	}{
		{"the very patch", "v1.36.3", at("1.36.4-1.1", "1.36.3-1.1", "1.36.2-1.1"), "1.36.3-1.1"},
		{"the newest build of it", "v1.36.3", at("1.36.3-1.1", "1.36.3-2.1", "1.36.3-1.2"), "1.36.3-2.1"},
		{"the newest patch where that one is not there", "v1.36.3", at("1.36.2-1.1", "1.36.10-1.1", "1.36.9-1.1"), "1.36.10-1.1"},
		{"the newest patch where none is named", "v1.36", at("1.36.2-1.1", "1.36.10-1.1"), "1.36.10-1.1"},
		{"of the minor version alone", "v1.36", at("1.37.0-1.1", "1.36.0-1.1", "1.360.9-1.1"), "1.36.0-1.1"},
		{"no release candidate", "v1.37", at("1.37.1~rc.0-1.1", "1.37.0-1.1"), "1.37.0-1.1"},
		{"nothing", "v1.36.3", at("1.35.9-1.1"), ""},
		{"nothing of nonsense", "v1.36.3", at("", "1.36", "1.36.", "1.36.x-1", "-", "1.36.99999999999999999999"), ""},
	} {
		got, err := Choose(Order{Version: c.version}, Needs{Kubernetes: []string{"kubelet"}}, c.offered)
		switch {
		case c.want == "" && (err == nil || plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == ""):
			t.Errorf("%s: %v, %v", c.name, got, err)
		case c.want != "" && (err != nil || len(got) != 1 || got[0].Version != c.want):
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	half := []Package{{"kubelet", "1.36.3-1.1"}, {"kubeadm", "1.36.2-1.1"}}
	if got, err := Choose(Order{Version: "v1.36"}, Needs{Kubernetes: []string{"kubeadm", "kubelet"}}, half); err == nil {
		t.Errorf("half a repository: %v", got)
	}
	if got, err := Choose(Order{Version: "v1.36"}, Needs{}, half); err != nil || got != nil {
		t.Errorf("nothing is lacking: %v, %v", got, err)
	}
}

func TestOfFilesThoseAreTakenThatTheHostLacks(t *testing.T) {
	files := func(names ...string) (all []File) {
		for _, n := range names {
			all = append(all, File{Name: n})
		}
		return all
	}
	all := files("kubeadm_1.36.3-1.1_amd64.deb", "kubelet_1.36.3-1.1_amd64.deb", "kubelet_1.36.3-1.1_arm64.deb",
		"kubelet_1.35.0-1.1_amd64.deb", "kubernetes-cni_1.9.1-1.1_amd64.deb", "kubernetes-cni_1.8.0-1.1_amd64.deb",
		"conntrack_1%3a1.4.7-1_amd64.deb",
		"iptables_1.8.9-2_all.deb",
		"containerd_1.6.20_amd64.deb", "runc_1.1.5_amd64.deb")
	const kubernetes = "kubeadm_1.36.3-1.1_amd64.deb kubelet_1.36.3-1.1_amd64.deb kubernetes-cni_1.9.1-1.1_amd64.deb " +
		"conntrack_1%3a1.4.7-1_amd64.deb"
	both := []string{"kubeadm", "kubelet"}
	for _, c := range []struct {
		name      string
		files     []File
		needs     Needs
		installed []string
		want      string
	}{
		{"a host with a runtime keeps it", all, Needs{Kubernetes: both}, []string{"containerd.io", "iptables"}, kubernetes},
		{"a host without one gets it", all, Needs{Kubernetes: both, Runtime: true}, []string{"iptables"},
			kubernetes + " containerd_1.6.20_amd64.deb runc_1.1.5_amd64.deb"},
		{"two runtimes exclude each other", append(slices.Clone(all), File{Name: "containerd.io_1.7.1_amd64.deb"}),
			Needs{Kubernetes: both, Runtime: true}, nil, ""},
		{"no file brings a runtime", all[:8], Needs{Kubernetes: both, Runtime: true}, nil, ""},
		{"no file brings the kubelet of this machine", files("kubeadm_1.36.3-1.1_amd64.deb", "kubelet_1.36.3-1.1_arm64.deb"),
			Needs{Kubernetes: both}, nil, ""},
	} {
		got, err := ChooseFiles(Order{Version: "v1.36.3", Files: c.files}, c.needs, c.installed, "amd64", Apt)
		var names []string
		for _, f := range got {
			names = append(names, f.Name)
		}
		if strings.Join(names, " ") != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %v, %v", c.name, names, err)
		}
	}
	rpms := files("kubelet-1.36.3-150500.1.1.x86_64.rpm", "kubelet-1.36.3-150500.1.1.aarch64.rpm")
	got, err := ChooseFiles(Order{Version: "v1.36.3", Files: rpms}, Needs{Kubernetes: []string{"kubelet"}}, nil, "amd64", Dnf)
	if err != nil ||
		len(got) != 1 || got[0] != rpms[0] {
		t.Errorf("rpm files: %v, %v", got, err)
	}
}

func TestNothingOfAPersonIsReplacedOrRemoved(t *testing.T) {
	const brings = `NOTE: This is only a simulation!
Inst cri-tools (1.36.0-1.1 localhost [amd64])
Inst kubelet (1.36.3-1.1 pkgs.k8s.io:core:/stable:/v1.36 [amd64])
Conf cri-tools (1.36.0-1.1 localhost [amd64])
Conf socat (1.7.4.4-2 Debian:12/stable [amd64])
`
	got, err := Judge(ReadTransaction(brings))
	if err != nil || Format(got) != "cri-tools=1.36.0-1.1 kubelet=1.36.3-1.1 socat=1.7.4.4-2" {
		t.Errorf("%v, %v", got, err)
	}
	if back := Parse(Format(got)); !slices.Equal(back, got) {
		t.Errorf("written and read: %v", back)
	}
	for name, more := range map[string]string{
		"a containerd.io of Docker's": "Remv containerd.io [1.7.27-1]\n", "a newer library": "Inst libc6 [2.36-9] (2.36-10 Debian [amd64])\n",
	} {
		if got, err := Judge(ReadTransaction(brings + more)); plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, hostile := range map[string]string{
		"a flood": strings.Repeat("Inst a (1 x [amd64])\n", 100_000), "a command": "Inst $(reboot) (1 x)\nInst a;b (1 x)\nInst -o (1 x)\n",
		"escapes": "Inst \x1b[2J (1 x)\n", "no version": "Inst kubelet ()\n",
	} {
		if got := ReadTransaction(hostile); len(got.New) > 1 {
			t.Errorf("%s: %v", name, got)
		}
	}
	if err := NotHeld([]Package{{"kubelet", "1"}}, []string{"kubelet"}); plan.ClassOf(err) != plan.Refused ||
		!strings.Contains(plan.HintOf(err), "apt-mark unhold kubelet") {
		t.Errorf("a hold of a person's: %v", err)
	}
}

func TestWhatAPackageManagerSaysHasACauseAndAWayOut(t *testing.T) {
	for _, c := range []struct {
		name, said, want string
		is               error
	}{
		{"a wrong minor version", "Err:1 http://m/v1.9/deb  Release\n  404  Not Found [IP: 10.0.0.1 80]\n" +
			"E: The repository 'http://m/v1.9/deb  Release' does not have a Release file.", "no such directory (404)", nil},
		{"an expired key", "W: GPG error: http://m InRelease: The following signatures were invalid: EXPKEYSIG 234654DA9A296436 x\n" +
			"E: The repository 'http://m InRelease' is not signed.", "key of the repository has expired", nil},
		{"another key", "W: GPG error: http://m InRelease: The following signatures couldn't be verified because the public key is not " +
			"available: NO_PUBKEY 2346", "not signed by its key", nil},
		{"an expired TLS certificate", "Err:1 https://m Release.key\n  Certificate verification failed: The certificate is NOT trusted. " +
			"The certificate chain uses expired certificate.  Could not handshake: Error in the certificate verification.",
			"TLS certificate of the repository has expired", nil},
		{"an unknown authority", "Certificate verification failed: The certificate is NOT trusted. The certificate issuer is unknown.",
			"is not trusted", nil},
		{"no name server", "Err:1 http://m x\n  Temporary failure resolving 'm'", "cannot resolve", nil},
		{"no way there", "Err:1 http://10.0.0.1 x\n  Could not connect to 10.0.0.1:80 (10.0.0.1). - connect (111: Connection refused)",
			"cannot reach", nil},
		{"a full disk", "E: You don't have enough free space in /var/cache/apt/archives/.", "disk is full", nil},
		{"a lock", "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)", "process 812", ErrLocked},
		{"an interrupted installation", "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.",
			"interrupted", ErrUnfinished},
		{"a dependency", "The following packages have unmet dependencies:\n" +
			" kubelet : Depends: kubernetes-cni (>= 1.2.0) but it is not installable\n",
			"kubernetes-cni", ErrLacking},
	} {
		err := Explain("install", c.said, errors.New("exit status 100"))
		if !strings.Contains(err.Error(), c.want) || plan.HintOf(err) == "" || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v (%s)", c.name, err, plan.HintOf(err))
		}
	}
	flood := Explain("install", strings.Repeat("E: \x1b[2Jno idea\n", 100_000), errors.New("exit status 100"))
	if len(flood.Error()) > 2000 || strings.Contains(flood.Error(), "\x1b") {
		t.Errorf("%d bytes: %.200s", len(flood.Error()), flood)
	}
	if err := Explain("install", "", errors.New("exit status 1")); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("no words: %v", err)
	}
}

func TestAKeyIsTrustedByItsFingerprint(t *testing.T) {
	keys, err := ReadKeys([]byte(testKey))
	if err != nil || len(keys.All) != 1 || keys.All[0].Fingerprint != testPrint {
		t.Fatalf("%+v, %v", keys.All, err)
	}
	ends := keys.All[0].Ends
	if lives := ends.Sub(keys.All[0].made); lives != 24*time.Hour {
		t.Errorf("it lives for %s", lives)
	}
	again, err := ReadKeys([]byte(keys.Armored))
	if err != nil || !slices.Equal(again.All, keys.All) || keys.Armored != testKey {
		t.Errorf("written and read: %+v, %v\n%s", again.All, err, keys.Armored)
	}
	pinned := Order{Version: "v1.36.3", Repo: "http://m.example", Fingerprints: []string{"0x" + strings.ToLower(testPrint)}}
	if note, err := Trust(pinned, keys, ends.Add(-time.Hour)); err != nil || note != "key "+testPrint {
		t.Errorf("%q, %v", note, err)
	}
	if note, err := Trust(Order{Repo: "https://m.example"}, keys, ends.Add(-time.Hour)); err != nil ||
		!strings.Contains(note, "--repo-key-fingerprint") {
		t.Errorf("the first key that is seen: %q, %v", note, err)
	}
	for name, c := range map[string]struct {
		o   Order
		now time.Time
	}{
		"an expired key":                      {pinned, ends.Add(time.Hour)},
		"another key in the public directory": {Order{Version: "v1.36.3"}, ends.Add(-time.Hour)},
		"another key than named":              {Order{Repo: "http://m", Fingerprints: []string{publicKey}}, ends.Add(-time.Hour)},
	} {
		if note, err := Trust(c.o, keys, c.now); plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" {
			t.Errorf("%s: %q, %v", name, note, err)
		}
	}
}

func TestWhatIsNoKeyIsNotTakenForOne(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing": "", "a page of a portal": "<html>log in</html>", "half of one": testKey[:len(testKey)/2],
		"a header alone": armorBegin + "\n", "letters that are no base64": armorBegin + "\n\n????\n" + armorEnd,
		"a secret key": "\xc5\x01x", "a length beyond its end": "\xc6\xff\xff\xff\xff\xff", "an old length of no end": "\x9b",
		"too much": strings.Repeat("x", MostOfKey+1),
	} {
		if keys, err := ReadKeys([]byte(raw)); err == nil {
			t.Errorf("%s: %+v", name, keys.All)
		}
	}
}

func FuzzReadKeys(f *testing.F) {
	f.Add([]byte(testKey))
	f.Add([]byte("\xc6\x06\x04\x00\x00\x00\x00\x01\xc2\x06\x04\x13\x01\x02\x00\x02"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, err := ReadKeys(raw)
		if err != nil {
			return
		}
		again, err := ReadKeys([]byte(keys.Armored))
		if err != nil || !slices.Equal(again.All, keys.All) {
			t.Errorf("%+v became %+v, %v", keys.All, again.All, err)
		}
	})
}

// A package's own script deletes what its programs have kept, through a mount as well.
func TestAMountWherePackagesKeepDataKeepsThemFromBeingPurged(t *testing.T) {
	for mounts, want := range map[string]string{
		"/ /proc /var/lib":                    "",
		"/ /var/lib/containerd":               "/var/lib/containerd",
		"/ /var/lib/kubelet/pods/x/volumes/y": "/var/lib/kubelet/pods/x/volumes/y",
		"/ /run/containerd/io.containerd.runtime.v2.task/default/web/rootfs": "/run/containerd/io.containerd.runtime.v2.task/default/web/rootfs",
		"/ /var/lib/containerd-data /etc/kubernetes.bak":                     "",
	} {
		if got := Endangered(strings.Fields(mounts)); got != want {
			t.Errorf("%s: %q", mounts, got)
		}
	}
}
