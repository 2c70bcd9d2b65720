// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/cluster-bootstrap/token/api"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// configMapName is where kubeadm keeps the ClusterConfiguration, in kube-system.
const configMapName = check.KubeadmConfig

// rootCA is what kube-controller-manager puts into each namespace: the authorities
// that the cluster's own pods trust.
const (
	rootCA    = "kube-root-ca.crt"
	rootCAKey = "ca.crt"
)

// Cluster is what a host has to know about the cluster it joins.
type Cluster struct {
	// Endpoint is HOST:PORT of the API server as cluster-info names it. Hosts
	// that join go on talking to it, whatever the kubeconfig here says.
	Endpoint string `json:"endpoint"`
	// Pins are the public key pins of the certificate authorities, one for
	// each, in the order of the bundle: "sha256:<64 hex digits>".
	Pins []string `json:"caCertHashes"`
	// CA are the certificate authorities that the pins are of, as PEM.
	CA string `json:"-"`
	// ClusterCA are those that the cluster gives its own pods, as PEM; empty if
	// that could not be read.
	ClusterCA string `json:"-"`
	// ControlPlaneEndpoint is that of the ClusterConfiguration; empty in a
	// cluster made without one.
	ControlPlaneEndpoint string `json:"controlPlaneEndpoint,omitempty"`
	// CertificatesDir is where its control planes keep certificates; empty means
	// kubeadm's own choice.
	CertificatesDir string `json:"-"`
	// ExternalEtcd is set where etcd does not run on the control planes.
	ExternalEtcd *ExternalEtcd `json:"-"`
	// KubernetesVersion is that of the control plane ("v1.36.3"): the kubeadm
	// of a host must be of the same minor version.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// Warnings are what is likely to keep a host from joining.
	Warnings []check.Warning `json:"warnings,omitempty"`
}

// ExternalEtcd are the files with which the API servers reach an etcd that has hosts of
// its own; each may be empty.
type ExternalEtcd struct {
	CAFile   string `json:"caFile"`
	CertFile string `json:"certFile"`
	KeyFile  string `json:"keyFile"`
}

// Refusal is the error, of class Refused, of a cluster that no host can join;
// nil unless that is certain. It is asked for before a token is made.
func (c Cluster) Refusal() error {
	for _, w := range c.Warnings {
		if w.Certain {
			return plan.Refuse(errors.New(w.Text), "%s", w.Hint)
		}
	}
	return nil
}

// Survey reads what a join needs to know and changes nothing. A cluster that
// kubeadm did not make is refused by its name (class Refused).
func Survey(ctx context.Context, client kubernetes.Interface) (Cluster, error) {
	info, err := check.ConfigMap(ctx, client, metav1.NamespacePublic, api.ConfigMapClusterInfo)
	if err != nil {
		return Cluster{}, err
	}
	config, err := check.ConfigMap(ctx, client, metav1.NamespaceSystem, configMapName)
	if err != nil {
		return Cluster{}, err
	}
	if info == nil || config == nil {
		return Cluster{}, notKubeadm(ctx, client, info == nil)
	}
	c, err := describeCluster(info.Data[api.KubeConfigKey], config.Data["ClusterConfiguration"])
	if err != nil {
		return Cluster{}, err
	}
	more, err := check.Obstacles(ctx, client)
	if err != nil {
		return Cluster{}, err
	}
	c.Warnings = append(c.Warnings, more...)
	if c.ClusterCA, err = clusterCA(ctx, client); err != nil {
		return Cluster{}, err
	}
	c.Compare(Outside{}, time.Now())
	return c, nil
}

// describeCluster puts together what the two ConfigMaps of kubeadm say.
func describeCluster(kubeconfig, clusterConfiguration string) (Cluster, error) {
	info, err := parseClusterInfo(kubeconfig)
	if err != nil {
		return Cluster{}, plan.Refuse(fmt.Errorf("read configmap %s/%s: %w", metav1.NamespacePublic, api.ConfigMapClusterInfo, err),
			"write it again, on a control plane: kubeadm init phase bootstrap-token")
	}
	// A tree and not kubeadm's types: the fields of any version, and none lost.
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(clusterConfiguration), &tree); err != nil {
		return Cluster{}, plan.Refuse(fmt.Errorf("read configmap %s/%s: ClusterConfiguration: %w", metav1.NamespaceSystem, configMapName, err),
			"correct it: kubectl -n %s edit configmap %s", metav1.NamespaceSystem, configMapName)
	}
	if tree["kind"] != "ClusterConfiguration" {
		return Cluster{}, plan.Refuse(fmt.Errorf("configmap %s/%s holds no ClusterConfiguration", metav1.NamespaceSystem, configMapName),
			"write it again, on a control plane: kubeadm init phase upload-config kubeadm")
	}
	endpoint, _ := tree["controlPlaneEndpoint"].(string)
	version, _ := tree["kubernetesVersion"].(string)
	c := Cluster{Endpoint: info.endpoint, ControlPlaneEndpoint: endpoint, KubernetesVersion: version}
	if err := c.addCertificates(clusterConfiguration); err != nil {
		return Cluster{}, err
	}
	for _, ca := range info.cas {
		c.Pins = append(c.Pins, Pin(ca))
		c.CA += string(pem.EncodeToMemory(&pem.Block{Type: certutil.CertificateBlockType, Bytes: ca.Raw}))
	}
	c.Warnings = append(info.warnings, endpointWarnings(info.endpoint, endpoint)...)
	return c, nil
}

// addCertificates reads where the control planes have their certificates.
func (c *Cluster) addCertificates(clusterConfiguration string) error {
	var config struct {
		CertificatesDir string `json:"certificatesDir"`
		Etcd            struct {
			External *ExternalEtcd `json:"external"`
		} `json:"etcd"`
	}
	if err := yaml.Unmarshal([]byte(clusterConfiguration), &config); err != nil {
		return plan.Refuse(fmt.Errorf("read configmap %s/%s: ClusterConfiguration: %w", metav1.NamespaceSystem, configMapName, err),
			"correct it: kubectl -n %s edit configmap %s", metav1.NamespaceSystem, configMapName)
	}
	c.CertificatesDir, c.ExternalEtcd = config.CertificatesDir, config.Etcd.External
	return nil
}

// notKubeadm is the refusal of a cluster without kubeadm's ConfigMaps.
func notKubeadm(ctx context.Context, client kubernetes.Interface, noInfo bool) error {
	missing := metav1.NamespaceSystem + "/" + configMapName
	if noInfo {
		missing = metav1.NamespacePublic + "/" + api.ConfigMapClusterInfo
	}
	var version string
	if v, err := client.Discovery().ServerVersion(); err == nil {
		version = v.GitVersion
	}
	var nodes []corev1.Node
	// A few nodes tell what kind of cluster this is.
	if list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 10}); err == nil {
		nodes = list.Items
	}
	if d := kube.DistributionOf(version, kube.Pointers(nodes)...); d != "" {
		return plan.Refuse(fmt.Errorf("this is not a kubeadm cluster but %s: there is no configmap %s", d, missing), "%s", ways()[d])
	}
	return plan.Refuse(fmt.Errorf("this is not a kubeadm cluster: there is no configmap %s", missing),
		"if kubeadm did make it, write it again, on a control plane: kubeadm init phase bootstrap-token, or upload-config kubeadm")
}

// clusterCA reads the authorities that the cluster itself says are its own, as
// PEM; empty where there are none or they may not be read: they are only
// compared.
func clusterCA(ctx context.Context, client kubernetes.Interface) (string, error) {
	cm, err := check.ConfigMap(ctx, client, metav1.NamespaceSystem, rootCA)
	switch {
	case apierrors.IsForbidden(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read the authorities of the cluster: %w", err)
	case cm == nil:
		return "", nil
	}
	return cm.Data[rootCAKey], nil
}
