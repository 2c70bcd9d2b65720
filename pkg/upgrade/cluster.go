// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// soon is how long before its end a certificate is told: as certs check does.
const soon = 30 * 24 * time.Hour

// proxyMode is UPG010: IPVS is deprecated in 1.35, and gone in 1.46 (KEP-5495).
func proxyMode(f Facts, target Version) []Finding {
	if f.ProxyMode != "ipvs" || target.Minor < 35 {
		return nil
	}
	found := Finding{ID: "UPG010", Severity: Warning, Evidence: "mode of configmap kube-system/kube-proxy",
		What: "kube-proxy uses IPVS, which is deprecated since 1.35 and off by default from 1.40 on",
		Cure: "plan for another mode, nftables on new kernels; rules of the old one stay on a host until it is rebooted or kube-proxy " +
			"--cleanup has run"}
	if target.Minor >= 40 {
		found.Severity = Error
	}
	return []Finding{found}
}

// backends is UPG012 and UPG013: what the API server asks and gets no answer from. In the
// middle of an upgrade its pods are evicted and made again, for which it may be asked.
func backends(f Facts, _ Version) (all []Finding) {
	for _, b := range f.Backends {
		if b.Why == "" {
			continue
		}
		found := Finding{ID: "UPG012", Severity: Warning, Evidence: b.Object + ": " + text.Brief(b.Why),
			What: fmt.Sprintf("service %s, which admission asks, does not answer", b.Service),
			Cure: "bring its pods back, or delete the configuration if it is not used any more"}
		switch kind, _, _ := strings.Cut(b.Object, "/"); {
		case kind == "apiservice":
			found.ID = "UPG013"
			found.What = fmt.Sprintf("service %s, which serves an API of its own, does not answer", b.Service)
		case b.Must:
			found.Severity, found.Blocks = Error, true
			found.What += ", and what it is asked for fails"
		}
		all = append(all, found)
	}
	return all
}

// endings is UPG014: certificates that have ended, or do soon.
func endings(f Facts, _ Version) (all []Finding) {
	for _, c := range f.Certificates {
		left := c.Ends.Sub(f.Now)
		if left > soon {
			continue
		}
		found := Finding{ID: "UPG014", Severity: Warning,
			What:     fmt.Sprintf("certificate %s ends in %s", c.Name, text.Count(int(left.Hours()/24), "day")),
			Evidence: "it is valid until " + c.Ends.UTC().Format(time.DateTime),
			Cure:     "kubeadm renews its own when it upgrades a control plane; earlier: kubectl lifecycle certs renew all"}
		if left <= 0 {
			found.Severity, found.Blocks, found.What = Error, true, "certificate "+c.Name+" has ended"
		}
		if c.Node != "" {
			found.Nodes = []string{c.Node}
			found.What += " (" + c.Node + ")"
		}
		all = append(all, found)
	}
	return all
}

// requested is UPG017: deprecated APIs that clients still ask for.
func requested(f Facts, target Version) (all []Finding) {
	for _, r := range f.Requested {
		name := strings.TrimPrefix(r.Group+"/"+r.Version, "/") + " " + r.Resource
		found := Finding{ID: "UPG017", Severity: Note, What: "a client asks for " + name + ", which is deprecated",
			Evidence: "apiserver_requested_deprecated_apis of the API server that answered",
			Cure:     "find the client in the audit log, and have it use the newer version"}
		major, minor, _ := strings.Cut(r.Removed, ".")
		x, err1 := strconv.Atoi(major)
		y, err2 := strconv.Atoi(minor)
		if err1 == nil && err2 == nil {
			found.What += " and removed in " + r.Removed
			if (Version{Major: x, Minor: y}).MinorsTo(target) >= 0 {
				found.Severity = Error
			}
		}
		all = append(all, found)
	}
	return all
}

// networks is UPG018: the network's project does not test it with the target.
func networks(f Facts, _ Version) (all []Finding) {
	for _, n := range f.Networks {
		if n.Untested == "" {
			continue
		}
		all = append(all, Finding{ID: "UPG018", Severity: Warning, What: n.Untested, Evidence: "what the project says of its chart",
			Cure: "see whether a newer line of it supports the target: " + text.Command("kubectl", "lifecycle", "cni", "versions", n.Name)})
	}
	return all
}

// unread is UPG022: what could not be read is not called good.
func unread(f Facts, _ Version) (all []Finding) {
	for _, part := range sorted(f.Unread) {
		all = append(all, Finding{ID: "UPG022", Severity: Warning, What: part + " could not be read", Evidence: text.Brief(f.Unread[part]),
			Cure: "docs/rbac.yaml has the permissions"})
	}
	return all
}
