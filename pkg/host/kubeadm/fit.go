// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Versions are what is installed on a host ("v1.36.3").
type Versions struct{ Kubeadm, Kubelet string }

// oldest is how many minor versions a kubelet may be behind its API server
// (Kubernetes' version skew policy since 1.28).
const oldest = 3

// minors are the minor versions of kubeadm and of the kubelet.
func (v Versions) minors() (adm, let int, err error) {
	if adm, err = minor(v.Kubeadm); err == nil {
		let, err = minor(v.Kubelet)
	}
	return adm, let, err
}

// Fit refuses versions that cannot join a control plane of another: a kubeadm
// that is not of the same minor version or the one after (it manages its own
// and the one before), a kubelet that is newer, or older than three minor
// versions. A control plane of an unknown version is not compared.
func (v Versions) Fit(controlPlane string) error {
	if controlPlane == "" {
		return nil
	}
	cluster, err := minor(controlPlane)
	if err != nil {
		return err
	}
	adm, let, err := v.minors()
	if err != nil {
		return err
	}
	install := fmt.Sprintf("install kubeadm and kubelet 1.%d on the host, then run the command again", cluster)
	switch {
	case adm < cluster, adm > cluster+1:
		return plan.Refuse(fmt.Errorf("the host's kubeadm is %s, which cannot join a control plane of %s", v.Kubeadm,
			controlPlane), "%s", install)
	case let > cluster:
		return plan.Refuse(fmt.Errorf("the host's kubelet is %s, newer than the control plane's %s", v.Kubelet, controlPlane), "%s", install)
	case let < cluster-oldest:
		return plan.Refuse(fmt.Errorf("the host's kubelet is %s, more than %d minor versions behind the control plane's %s", v.Kubelet, oldest,
			controlPlane), "%s", install)
	}
	return nil
}

// minor takes 36 from "v1.36.3" and from "Kubernetes v1.36.3".
func minor(version string) (int, error) {
	found := regexp.MustCompile(`v?1\.(\d+)\.`).FindStringSubmatch(version)
	if found == nil {
		return 0, fmt.Errorf("%q is not a version of Kubernetes", version)
	}
	return strconv.Atoi(found[1])
}
