// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"bytes"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// searchRoot is a directory below which is asked what refers to the cluster.
type searchRoot struct {
	dir string
	// all: also what is older than the join: settings, and where people and installers keep
	// what was written for the join, with the endpoint and a token in it. Elsewhere only what
	// has changed since, or shortly before: a directory of programs has no word of a cluster
	// that it never knew.
	all bool
	// depth is how many directories below it are looked into. Of a root that is searched
	// as a whole, what is deeper is named; of people's own directories only the upper ones
	// are searched, which docs/removal.md says.
	depth int
	whole bool
	// links: what root's own links in it lead to is searched, too.
	links bool
	// last is the one after which nothing else is searched. most bounds what is looked at in
	// it alone, where it is not zero.
	last bool
	most int
}

// left is how many directories below one of a root's are looked into.
func (r searchRoot) left(dir string) int {
	return r.depth - 1 - strings.Count(strings.TrimPrefix(dir, r.dir+"/"), "/")
}

// searchRoots are where agents, installers and people keep what leads to a
// cluster.
func searchRoots(homes []string) []searchRoot {
	var out []searchRoot
	add := func(dir string, all bool, depth int, whole bool) {
		out = append(out, searchRoot{dir: dir, all: all, depth: depth, whole: whole})
	}
	add("/etc", true, deepest, true)
	add("/run", true, deepest, true)
	add("/opt/cni", false, deepest, true)
	add("/usr/local/etc", true, deepest, true)
	add("/srv", true, 2, false)
	add("/opt", true, 2, false)
	add("/usr/libexec/kubernetes", false, deepest, true)
	add("/var/lib/cloud", true, deepest, true)
	for _, anchors := range []string{"/usr/local/share/ca-certificates", "/usr/share/pki/ca-trust-source", "/usr/share/pki/trust"} {
		add(anchors, true, deepest, true) // what a bundle in /etc is made of, on Debian, Fedora and SUSE
	}
	for i := range out {
		out[i].links = true
	}
	for _, home := range append([]string{"/root"}, homes...) {
		add(filepath.Join(home, ".kube"), true, deepest, true)
		add(filepath.Join(home, ".config"), false, 3, false)
		add(home, true, 0, false)
	}
	add("/tmp", true, 1, false)
	add("/var/tmp", true, 1, false)
	// Last: databases and pods' own data may be more than is read of a whole host.
	add("/var/lib", false, deepest, true)
	out[len(out)-1].last = true
	return out
}

// The bounds of the search. Of a file that is larger than a kubeconfig with a chain of
// certificates the beginning is read, and more only of what leads to a cluster or to
// authorities: an ordinary host's bundle of these has 230 KB, and a company adds its own.
const (
	mostSearched   = 60_000 // entries of directories
	deepest        = 24     // directories below each other
	mostRead       = 64 << 20
	mostOfSearched = 256 << 10
	mostOfBinary   = 16 << 10 // of what is no text: data of programs
	mostOfLeading  = 4 << 20
	mostNamed      = 64 // files
	mostUnread     = 16 // directories
	searchLimit    = 3 * time.Second
	// beforehand is how long before a join what it needs may have been written.
	beforehand = 24 * time.Hour
)

// leadsSomewhere reports whether the beginning of a text is that of something that leads
// to a cluster, whichever that is: the rest of it may name this one.
func leadsSomewhere(beginning []byte) bool {
	return !bytes.Contains(beginning, []byte{0}) && regexp.MustCompile(
		`(?m)-----BEGIN CERTIFICATE-----|PRIVATE KEY-----|certificate-authority|^\s*"?(server|clusters|kubeconfig|apiVersion)"?\s*:`).Match(beginning)
}

// ownTool reports whether a directory is called as this program's own, which hold what it
// needs to report. What is only called alike is anyone's.
func ownTool(path string) bool {
	return slices.Contains([]string{"/var/lib/kubectl-lifecycle", "/var/lib/kubectl-lifecycle-prep"}, path)
}

// podVolume fits the path of a volume of a pod, or of what a volume plugin keeps
// for one, wherever the kubelet's directory is
// (pkg/kubelet/kubelet_getters.go, pkg/volume/util).
func podVolume() *regexp.Regexp {
	return regexp.MustCompile(`/pods/[0-9a-f]{8}-[0-9a-f-]{27}/(volumes|volume-subpaths|volumeDevices)/|/kubernetes\.io~[a-z-]+/`)
}

// announced are addresses of this host that the cluster gave it: the endpoint of
// the API servers and those of load balancers, which kube-vip and keepalived move from
// host to host (kube-vip/kube-vip#1413: a pod that ends leaves them), the services' and
// NodeLocal DNSCache's. Its own, which it had before, are not.
type announced struct {
	cluster.Identity
	facts inventory.Facts
	// dns are the addresses at which pods find the cluster's DNS.
	dns []string
}

// unannounced says why not all addresses of the cluster's load balancers are known; empty
// if they are.
func unannounced(facts inventory.Facts) string {
	switch {
	case facts.AnnouncedUnread:
		return "you may not list services"
	case len(facts.Announced) >= inventory.MostAnnounced:
		return fmt.Sprintf("there may be more than %d", inventory.MostAnnounced)
	}
	return ""
}

// address says what an address is to the cluster; empty for nothing. An address
// that a Node has is the host's own.
func (a announced) address(link, ip string) string {
	if slices.Contains(a.facts.NodeIPs, ip) {
		return ""
	}
	for _, at := range a.Endpoints {
		if host, _, _ := strings.Cut(strings.TrimPrefix(at, "["), "]"); host == ip || strings.HasPrefix(at, ip+":") {
			return "the cluster's endpoint is " + at
		}
	}
	addr, err := netip.ParseAddr(ip)
	switch {
	case err != nil:
	case slices.Contains(a.facts.Announced, ip):
		return "a load balancer of the cluster has it"
	case addr == cluster.NodeDNSAddress(), addr.IsLinkLocalUnicast() && slices.Contains(a.dns, ip):
		return "NodeLocal DNSCache listens there"
	case link == "lo" && cluster.InAny(addr, a.facts.ServiceCIDRs):
		return "it is in the cluster's service network"
	}
	return ""
}
