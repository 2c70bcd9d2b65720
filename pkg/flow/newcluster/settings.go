// SPDX-License-Identifier: Apache-2.0

package newcluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/newhost"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// MostOfConfig bounds a configuration.
const MostOfConfig = 1 << 20

// mostDocuments is how many it may have.
const mostDocuments = 16

// The API that kubeadm has read since 1.31.
const kubeadmAPI = "kubeadm.k8s.io/v1beta4"

// Settings are what a person says about a cluster. What is empty is kubeadm's default, or
// the host's.
type Settings struct {
	// Endpoint is HOST or HOST:PORT, where all API servers will be reached.
	Endpoint string
	// AdvertiseAddress is that of the host's API server.
	AdvertiseAddress string
	PodCIDR          string
	ServiceCIDR      string
	Version          string
	ImageRepository  string
	ClusterName      string
	NodeName         string
	CRISocket        string
	// Untaint lets all pods run on the control plane.
	Untaint bool
	// IgnorePreflightErrors are names of kubeadm's checks.
	IgnorePreflightErrors []string
	// Config is kubeadm's configuration as YAML; the fields above are for what it lacks.
	Config []byte
}

// Validate refuses what no cluster can have.
func (s Settings) Validate() error {
	if s.Endpoint != "" {
		if err := validEndpoint(s.Endpoint); err != nil {
			return err
		}
	}
	if s.AdvertiseAddress != "" {
		if a, err := netip.ParseAddr(s.AdvertiseAddress); err != nil || a.IsUnspecified() || a.IsLoopback() {
			return fmt.Errorf("--advertise-address must be an IP address of the host, got %q", s.AdvertiseAddress)
		}
	}
	for flag, cidrs := range map[string]string{"--pod-cidr": s.PodCIDR, "--service-cidr": s.ServiceCIDR} {
		for cidr := range strings.SplitSeq(cidrs, ",") {
			if p, err := netip.ParsePrefix(cidr); cidr != "" && (err != nil || p != p.Masked()) {
				return fmt.Errorf("%s must be a network such as 10.244.0.0/16, or two (IPv4,IPv6), got %q", flag, cidrs)
			}
		}
	}
	if s.Version != "" && !regexp.MustCompile(`^v1\.\d{1,3}\.\d{1,3}(-[a-z]+\.\d+)?$`).MatchString(s.Version) {
		return fmt.Errorf("--kubernetes-version must be whole, for example v1.36.3, got %q", s.Version)
	}
	return nil
}

// validEndpoint is the error of an endpoint that is no name and no address.
func validEndpoint(endpoint string) error {
	name, port := strings.Trim(endpoint, "[]"), "6443"
	if _, err := netip.ParseAddr(name); err != nil && strings.Contains(endpoint, ":") {
		if name, port, err = net.SplitHostPort(endpoint); err != nil {
			return fmt.Errorf("--endpoint must be HOST or HOST:PORT, got %q", endpoint)
		}
	}
	n, err := strconv.Atoi(port)
	_, notAddress := netip.ParseAddr(name)
	if err != nil || n < 1 || n > 65535 || notAddress != nil && !regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`).MatchString(name) {
		return fmt.Errorf("--endpoint must be HOST or HOST:PORT, with a name in lower case or an address, got %q", endpoint)
	}
	return nil
}

// Documents are kubeadm's configuration: what the file says, and what the settings add to
// it. A setting that contradicts the file is an error.
func (s Settings) Documents() ([]json.RawMessage, error) {
	all, err := split(s.Config)
	if err != nil {
		return nil, err
	}
	cluster, first := find(&all, "ClusterConfiguration"), find(&all, "InitConfiguration")
	if api, _ := cluster["apiVersion"].(string); api != kubeadmAPI {
		return nil, fmt.Errorf("the configuration is of %s, and must be of %s: convert it with kubeadm config migrate", api, kubeadmAPI)
	}
	node := part(first, "nodeRegistration")
	for _, one := range []struct {
		in         document
		name, flag string
		value      string
	}{
		{cluster, "controlPlaneEndpoint", "--endpoint", s.Endpoint},
		{cluster, "kubernetesVersion", "--kubernetes-version", s.Version},
		{cluster, "imageRepository", "--image-repository", s.ImageRepository},
		{cluster, "clusterName", "--cluster-name", s.ClusterName},
		{part(cluster, "networking"), "podSubnet", "--pod-cidr", s.PodCIDR},
		{part(cluster, "networking"), "serviceSubnet", "--service-cidr", s.ServiceCIDR},
		{part(first, "localAPIEndpoint"), "advertiseAddress", "--advertise-address", s.AdvertiseAddress},
		{node, "name", "--node-name", s.NodeName},
		{node, "criSocket", "--cri-socket", socket(s.CRISocket)},
	} {
		if err := set(one.in, one.name, one.value, one.flag); err != nil {
			return nil, err
		}
	}
	setDefault(part(cluster, "networking"), "podSubnet", "10.244.0.0/16")
	if s.Untaint {
		if taints, there := node["taints"].([]any); there && len(taints) > 0 {
			return nil, errors.New("--untaint contradicts the taints of the configuration")
		}
		node["taints"] = []any{} // null would mean kubeadm's own
	}
	if len(s.IgnorePreflightErrors) > 0 {
		node["ignorePreflightErrors"] = s.IgnorePreflightErrors
	}
	return encode(all)
}

func encode(all []document) ([]json.RawMessage, error) {
	var out []json.RawMessage
	for _, d := range all {
		raw, err := json.Marshal(d) // keys are sorted: the same settings are the same bytes
		if err != nil {
			return nil, fmt.Errorf("encode the configuration: %w", err)
		}
		out = append(out, raw)
	}
	return out, nil
}

// Wanted is what a configuration wants of the host.
func Wanted(all []json.RawMessage) (prep.Wanted, error) {
	texts := map[string]string{}
	for _, raw := range all {
		var d struct {
			Kind string `json:"kind"`
		}
		if err := json.Unmarshal(raw, &d); err != nil {
			return prep.Wanted{}, err
		}
		texts[d.Kind] = string(raw)
	}
	var first struct {
		NodeRegistration struct {
			CRISocket             string   `json:"criSocket"`
			IgnorePreflightErrors []string `json:"ignorePreflightErrors"`
		} `json:"nodeRegistration"`
	}
	if err := json.Unmarshal([]byte(texts["InitConfiguration"]), &first); err != nil {
		return prep.Wanted{}, fmt.Errorf("read InitConfiguration: %w", err)
	}
	w, err := newhost.WantedBy(texts["ClusterConfiguration"], texts["KubeletConfiguration"], texts["KubeProxyConfiguration"])
	w.Role, w.Ignored, w.CRISocket = prep.ControlPlane, first.NodeRegistration.IgnorePreflightErrors, first.NodeRegistration.CRISocket
	w.Pods, w.Services = nil, nil // they are compared where they can still be chosen: kubeadm.Init
	return w, plan.As(plan.Misused, err)
}
