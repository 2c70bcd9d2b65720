// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"
)

// KubeadmConfig is where kubeadm keeps the ClusterConfiguration, in kube-system.
const KubeadmConfig = "kubeadm-config"

// The configuration of kubelets, which a host reads while it joins.
const (
	kubeletConfig    = "kubelet-config"
	kubeletConfigKey = "kubelet"
)

// kubeletWarnings looks for the kubelet's configuration itself: the right to
// read it is granted by name, and says yes where the object is gone. Without it
// kubeadm join ends before it has changed the host (kubernetes/kubernetes#79363).
// That of kube-proxy may be missing.
func kubeletWarnings(ctx context.Context, client kubernetes.Interface) ([]Warning, error) {
	const where = "configmap " + metav1.NamespaceSystem + "/" + kubeletConfig
	const hint = "write it again, on a control plane: kubeadm init phase upload-config kubelet (with --config, if the cluster was " +
		"made with one: its settings are lost else; a node has them in /var/lib/kubelet/config.yaml)"
	cm, err := ConfigMap(ctx, client, metav1.NamespaceSystem, kubeletConfig)
	switch {
	case apierrors.IsForbidden(err):
		return []Warning{{
			Text: "cannot tell whether " + where + ", which every host needs, is there: you may not get it",
			Hint: "see that it is: kubectl -n kube-system get configmap kubelet-config",
		}}, nil
	case err != nil:
		return nil, err
	case cm == nil:
		return []Warning{{Text: "there is no " + where + ": no host can join without it", Hint: hint, Certain: true}}, nil
	}
	var kind struct {
		Kind string `json:"kind"`
	}
	if err := yaml.Unmarshal([]byte(cm.Data[kubeletConfigKey]), &kind); err != nil || kind.Kind != "KubeletConfiguration" {
		return []Warning{{Text: where + " holds no KubeletConfiguration: no host can join with it", Hint: hint, Certain: true}}, nil
	}
	return nil, nil
}

// ConfigMap gets a ConfigMap; nil if there is none.
func ConfigMap(ctx context.Context, client kubernetes.Interface, namespace, name string) (*corev1.ConfigMap, error) {
	cm, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get configmap %s/%s: %w", namespace, name, err)
	}
	return cm, nil
}
