// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Documents are the configuration of "kubeadm init", a document each.
type Documents []json.RawMessage

// CertificatesDir is where kubeadm keeps certificates unless it is told otherwise.
const CertificatesDir = "/etc/kubernetes/pki"

// defaultPort is the API server's.
const defaultPort = 6443

// Local is what only the host knows of a cluster that is made on it.
type Local struct {
	// Versions are the host's own.
	Versions Versions
	// Address is that with which the host reaches others; empty if it has none.
	Address string
	// Nets are the networks that the host is in.
	Nets []*net.IPNet
	// Token is kubeadm's first bootstrap token; no host is given it.
	Token string
}

// Settings are what is told about a cluster once all of it is known.
type Settings struct {
	// Endpoint is HOST:PORT; Assumed says that it is the host's own address, for want of
	// a better one.
	Endpoint string
	Assumed  bool
	Version  string
	// skip are phases of kubeadm's that the configuration leaves out.
	skip []string
}

// Hash tells whether two orders mean the same cluster.
func (d Documents) Hash() string {
	sum := sha256.Sum256(bytes.Join(asBytes(d), []byte{'\n'}))
	return hex.EncodeToString(sum[:])
}

func asBytes(d Documents) (all [][]byte) {
	for _, one := range d {
		all = append(all, one)
	}
	return all
}

// document is one of them, as far as it is completed here.
type document map[string]any

// part is a map below a document, which is made if it is not there.
func (d document) part(name string) document {
	if there, is := d[name].(map[string]any); is {
		return there
	}
	made := map[string]any{}
	d[name] = made
	return made
}

func (d document) text(name string) string {
	s, _ := d[name].(string)
	return s
}

// setDefault sets what is empty.
func (d document) setDefault(name string, value any) {
	if current, there := d[name]; !there || current == nil || current == "" {
		d[name] = value
	}
}

// Complete fills in what only the host knows: the version of its kubeadm, its address,
// and an endpoint where none was named. It is pure.
func (d Documents) Complete(local Local) (file []byte, s Settings, err error) {
	all := make([]document, len(d))
	found := map[string]document{}
	for i, raw := range d {
		if err := json.Unmarshal(raw, &all[i]); err != nil {
			return nil, s, fmt.Errorf("decode document %d of the configuration: %w", i+1, err)
		}
		found[all[i].text("kind")] = all[i]
	}
	cluster, first := found["ClusterConfiguration"], found["InitConfiguration"]
	if cluster == nil || first == nil {
		return nil, s, errors.New("the configuration has no ClusterConfiguration, or no InitConfiguration")
	}
	if dir := cluster.text("certificatesDir"); dir != "" && dir != CertificatesDir {
		return nil, s, plan.Refuse(fmt.Errorf("certificatesDir is %s", dir), "leave it out: only %s is supported", CertificatesDir)
	}
	if err := s.fill(cluster, first, local); err != nil {
		return nil, s, err
	}
	var out bytes.Buffer
	for _, one := range all {
		raw, err := json.Marshal(one) // JSON is YAML
		if err != nil {
			return nil, s, err
		}
		out.WriteString("---\n" + string(raw) + "\n")
	}
	return out.Bytes(), s, nil
}

// fill completes the two documents that every cluster has.
func (s *Settings) fill(cluster, first document, local Local) error {
	cluster.setDefault("kubernetesVersion", local.Versions.Kubeadm)
	s.Version = cluster.text("kubernetesVersion")
	if err := local.Versions.deploys(s.Version); err != nil {
		return err
	}
	bind := first.part("localAPIEndpoint")
	if bind.text("advertiseAddress") == "" && local.Address == "" {
		return plan.Refuse(errors.New("the host has no address that others could reach it at: it has no default route"),
			"name the address of the API server: --advertise-address IP")
	}
	bind.setDefault("advertiseAddress", local.Address)
	port := defaultPort
	if n, is := bind["bindPort"].(float64); is && n >= 1 && n <= 65535 {
		port = int(n)
	}
	s.Endpoint = cluster.text("controlPlaneEndpoint")
	if s.Assumed = s.Endpoint == ""; s.Assumed {
		s.Endpoint = bind.text("advertiseAddress")
	}
	if _, _, err := net.SplitHostPort(s.Endpoint); err != nil {
		s.Endpoint = net.JoinHostPort(strings.Trim(s.Endpoint, "[]"), strconv.Itoa(port))
	}
	cluster["controlPlaneEndpoint"] = s.Endpoint
	skipped, _ := first["skipPhases"].([]any)
	for _, one := range skipped {
		if name, is := one.(string); is {
			s.skip = append(s.skip, name)
		}
	}
	if _, there := first["bootstrapTokens"]; !there {
		// kubeadm makes one in any case, which would live a day. This one is known to no
		// host, and lives a minute.
		first["bootstrapTokens"] = []any{map[string]any{"token": local.Token, "ttl": "1m0s",
			"description": "of kubeadm init; no host was given it"}}
	}
	return overlap(cluster, local.Nets)
}

// overlap refuses networks of pods and Services that the host itself is in: what it sends
// to its neighbours would go to pods.
func overlap(cluster document, nets []*net.IPNet) error {
	networking := cluster.part("networking")
	for _, name := range []string{"podSubnet", "serviceSubnet"} {
		for cidr := range strings.SplitSeq(networking.text(name), ",") {
			_, wanted, err := net.ParseCIDR(strings.TrimSpace(cidr))
			if err != nil {
				continue // kubeadm says it
			}
			for _, own := range nets {
				if wanted.Contains(own.IP) || own.Contains(wanted.IP) {
					return plan.Refuse(fmt.Errorf("%s %s overlaps %s, a network that the host is in", name, wanted, own),
						"choose another network for it: --pod-cidr or --service-cidr")
				}
			}
		}
	}
	return nil
}

// deploys refuses what the host's programs cannot make: kubeadm deploys its own minor
// version and the one before (constants.MinimumControlPlaneVersion, 1.36), and reads
// v1beta4 since 1.31.
func (v Versions) deploys(version string) error {
	wanted, err := minor(version)
	if err != nil {
		return plan.Refuse(fmt.Errorf("the version of Kubernetes: %w", err), "name one such as %s", v.Kubeadm)
	}
	adm, let, err := v.minors()
	if err != nil {
		return err
	}
	way := fmt.Sprintf("install kubeadm and kubelet 1.%d on the host, or leave the version out: it is then that of the host's kubeadm", wanted)
	switch {
	case adm < 31:
		return plan.Refuse(fmt.Errorf("the host's kubeadm is %s, which does not read the configuration's form (v1beta4)", v.Kubeadm),
			"install kubeadm 1.31 or newer")
	case wanted > adm || wanted < adm-1:
		return plan.Refuse(fmt.Errorf("the host's kubeadm is %s, which cannot make a control plane of %s: only its own minor version and "+
			"the one before", v.Kubeadm, version), "%s", way)
	case let > wanted, let < wanted-oldest:
		return plan.Refuse(fmt.Errorf("the host's kubelet is %s, and the control plane would be %s: a kubelet may be %d minor versions older, "+
			"and not newer", v.Kubelet, version, oldest), "%s", way)
	}
	return nil
}
