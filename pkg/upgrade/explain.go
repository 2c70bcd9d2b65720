// SPDX-License-Identifier: Apache-2.0

package upgrade

import "slices"

// Explanation is what is to be known of one finding.
type Explanation struct {
	ID    string
	Title string
	// Cause is why it happens, See are commands that show it, Cure is the way out.
	Cause string
	See   []string
	Cure  string
	// Sources are where others have had it: issues of projects, and documents.
	Sources []string
}

// Explanations are all, in the order of their ids.
func Explanations() []Explanation {
	return slices.Concat(aboutVersions(), aboutNodes(), aboutKubeadm(), aboutBackends(), aboutFlags(), aboutRest())
}

const skewPolicy = "https://kubernetes.io/releases/version-skew-policy/"

func aboutVersions() []Explanation {
	see := []string{"kubectl version", "kubectl get nodes"}
	return []Explanation{
		{ID: "UPG001", Title: "The target is more than one minor ahead",
			Cause: "kubeadm and the API's storage go one minor at a time: what the next minor removes has to be converted by the one before it.",
			See:   see, Cure: "Upgrade to the next minor, then to the one after it.", Sources: []string{skewPolicy}},
		{ID: "UPG002", Title: "The target is older than what runs",
			Cause: "A newer API server may have stored objects that an older one does not read, and a newer etcd has changed its files.",
			See:   see, Cure: "Name a version that is not older.",
			Sources: []string{"kubernetes/kubeadm#420", skewPolicy}},
		{ID: "UPG003", Title: "A kubelet does not fit the target",
			Cause: "A kubelet may be three minors behind the API server, and never ahead of it.",
			See:   see, Cure: "Upgrade the kubelets that are behind first, drained: kubeadm upgrade node, then the kubelet.",
			Sources: []string{skewPolicy}},
		{ID: "UPG004", Title: "The control planes are not of one version",
			Cause: "An upgrade was interrupted between two of them, or one was upgraded by hand.",
			See:   []string{"kubectl -n kube-system get pods -l component=kube-apiserver -o wide"},
			Cure:  "End that upgrade first: kubeadm upgrade node on each of the older ones.", Sources: []string{skewPolicy}},
	}
}

func aboutNodes() []Explanation {
	return []Explanation{
		{ID: "UPG005", Title: "A worker is not Ready, and is left out",
			Cause: "Nothing can be done on a host that does not answer, and one host that is down is no reason to stop the others.",
			See:   []string{"kubectl describe node NODE"}, Cure: "Bring it back, or upgrade it when it is back.",
			Sources: []string{"kubernetes/kubeadm#539"}},
		{ID: "UPG006", Title: "A control plane is not Ready",
			Cause: "kubeadm refuses to begin, and with one member of etcd down another restart may cost the quorum.",
			See:   []string{"kubectl get nodes", "kubectl lifecycle doctor"}, Cure: "Bring it back, or remove it if its host is lost.",
			Sources: []string{"https://etcd.io/docs/v3.6/faq/#what-is-failure-tolerance"}},
		{ID: "UPG007", Title: "There is one control plane",
			Cause: "While its API server is replaced, none answers. kubeadm's check before the upgrade runs a pod, which stays Pending on a node " +
				"that is drained: so kubeadm works before the drain.",
			See: []string{"kubectl get nodes -l node-role.kubernetes.io/control-plane"}, Cure: "Choose a time when that is no harm, or add " +
				"control planes.",
			Sources: []string{"kubernetes/kubeadm#3050", "kubernetes/kubeadm#3282"}},
		{ID: "UPG009", Title: "A runtime's socket is not the usual one",
			Cause: "kubeadm has kept the socket in an annotation of the Node, and newer ones keep it in a file on the host. Where that file is " +
				"not " +
				"there, the upgrade writes one with the default, and the kubelet looks for a runtime that is not there.",
			See:  []string{"kubectl get node NODE -o yaml", "on the host: cat /var/lib/kubelet/instance-config.yaml"},
			Cure: "Write containerRuntimeEndpoint into that file before the upgrade.", Sources: []string{"kubernetes/kubernetes#138645"}},
		{ID: "UPG020", Title: "A node is unschedulable already",
			Cause: "Another client has cordoned it, and may need that still: it is upgraded, and stays unschedulable.",
			See:   []string{"kubectl get nodes"}, Cure: "If it is not wanted: kubectl uncordon NODE.",
			Sources: []string{"https://kubernetes.io/docs/concepts/architecture/nodes/#manual-node-administration"}},
	}
}

func aboutKubeadm() []Explanation {
	return []Explanation{
		{ID: "UPG008", Title: "kubeadm's configuration is of an old version",
			Cause:   "kubeadm 1.37 reads v1beta4 and no more v1beta3. What converts it is an older kubeadm.",
			See:     []string{"kubectl -n kube-system get configmap kubeadm-config -o yaml"},
			Cure:    "Upgrade within a minor up to 1.36 first, which writes it again; or convert it with kubeadm config migrate of such a version.",
			Sources: []string{"kubernetes/kubernetes#136016"}},
		{ID: "UPG010", Title: "kube-proxy uses IPVS",
			Cause:   "IPVS is deprecated since 1.35, off by default from 1.40 on, and removed in 1.46 (KEP-5495).",
			See:     []string{"kubectl -n kube-system get configmap kube-proxy -o yaml"},
			Cure:    "Plan for nftables or iptables. The rules of the old mode stay on a host until it is rebooted or kube-proxy --cleanup has run.",
			Sources: []string{"kubernetes/enhancements#5495", "kubernetes/kubernetes#102314"}},
		{ID: "UPG011", Title: "etcd is too old for the next etcd",
			Cause: "The kubeadm of the target brings a new minor of etcd, and its project wants every member at a certain patch first. kubeadm " +
				"does " +
				"not see to it.",
			See: []string{"kubectl -n kube-system get pods -l component=etcd -o yaml"},
			Cure: "Bring every member to that patch first, one after another: etcd.local.imageTag in configmap kube-system/kubeadm-config, then " +
				"kubeadm init phase etcd local on each control plane.",
			Sources: []string{"https://etcd.io/docs/v3.7/upgrades/upgrade_3_7/", "etcd-io/etcd#19557"}},
		{ID: "UPG019", Title: "A component of the control plane is not ready",
			Cause: "kubeadm waits for each component that it replaces, and goes back if one is not well; one that is not well before never gets " +
				"there.",
			See: []string{"kubectl -n kube-system get pods -l tier=control-plane -o wide"}, Cure: "See its log, and mend what it says.",
			Sources: []string{"kubernetes/kubeadm#2567"}},
	}
}

func aboutBackends() []Explanation {
	return []Explanation{
		{ID: "UPG012", Title: "A webhook's server does not answer",
			Cause: "The API server asks it before objects are written. Where its configuration says failurePolicy: Fail, what it is asked for " +
				"fails, and that may be the pods that an upgrade evicts, or what kubeadm writes.",
			See: []string{"kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml",
				"kubectl -n NAMESPACE get endpointslices -l kubernetes.io/service-name=SERVICE"},
			Cure:    "Bring its pods back; or, if it is not used any more, delete its configuration.",
			Sources: []string{"https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/"}},
		{ID: "UPG013", Title: "The server of an aggregated API does not answer",
			Cause: "Discovery of its group fails, and with it the deletion of namespaces, and what waits for either.",
			See:   []string{"kubectl get apiservices"}, Cure: "Bring its pods back, or delete the APIService if it is not used any more.",
			Sources: []string{"https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/"}},
		{ID: "UPG014", Title: "A certificate ends soon, or has ended",
			Cause: "kubeadm renews its own as it upgrades a control plane. With one that has ended, nothing can be begun.",
			See:   []string{"kubectl lifecycle certs check"}, Cure: "kubectl lifecycle certs renew all. A kubelet's own: see docs/certs.md.",
			Sources: []string{"kubernetes/kubeadm#2054"}},
	}
}

func aboutFlags() []Explanation {
	return []Explanation{
		{ID: "UPG015", Title: "A kubelet has a flag that the target does not know",
			Cause: "It is set in /etc/default/kubelet, /etc/sysconfig/kubelet or a drop-in of its unit, which kubeadm does not change. The new " +
				"kubelet " +
				"ends at once.",
			See:  []string{"on the host: systemctl cat kubelet", "on the host: cat /etc/default/kubelet /etc/sysconfig/kubelet"},
			Cure: "Take the flag out there; the evidence names the file.", Sources: []string{"kubernetes-sigs/kubespray#13125",
				"kubernetes/kubeadm#3281"}},
		{ID: "UPG016", Title: "A kubelet has a flag that is deprecated",
			Cause: "A later minor will not know it. What takes its place is a field of the kubelet's configuration.",
			See:   []string{"on the host: cat /var/lib/kubelet/kubeadm-flags.env"}, Cure: "Move it into the configuration when there is time.",
			Sources: []string{"https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/"}},
	}
}

func aboutRest() []Explanation {
	return []Explanation{
		{ID: "UPG017", Title: "A client asks for a deprecated API",
			Cause:   "The API server counts such requests since it was started. Once the version is removed they fail.",
			See:     []string{"kubectl get --raw /metrics (apiserver_requested_deprecated_apis)"},
			Cure:    "Find the client in the audit log (annotation k8s.io/deprecated), and have it use the newer version.",
			Sources: []string{"https://kubernetes.io/docs/reference/using-api/deprecation-guide/"}},
		{ID: "UPG018", Title: "The pod network is not tested with the target",
			Cause: "Its project names the versions of Kubernetes that it tests a line of its chart with, and the target is not among them.",
			See:   []string{"kubectl lifecycle cni status", "kubectl lifecycle cni versions NAME"}, Cure: "Upgrade the network first, if a " +
				"newer line has it.",
			Sources: []string{"docs/cni.md"}},
		{ID: "UPG021", Title: "The target is no release",
			Cause: "An alpha, beta or release candidate is not supported, and neither is an upgrade from it.",
			See:   []string{"kubectl version"}, Cure: "Name a release.", Sources: []string{skewPolicy}},
		{ID: "UPG023", Title: "A program that is replaced belongs to a package",
			Cause: "It was installed by dpkg or rpm, and is replaced by a file. The package manager goes on to say that it is the earlier " +
				"version, and its next upgrade of that package replaces it again.",
			See:     []string{"on the host: dpkg -S /usr/bin/kubelet, rpm -qf /usr/bin/kubelet"},
			Cure:    "Hold the packages (apt-mark hold kubelet kubeadm kubectl), and upgrade them to the same version when that suits.",
			Sources: []string{"kubernetes/website#14593"}},
		{ID: "UPG022", Title: "A part of the cluster could not be read",
			Cause: "Your user may not read it, or the API server did not answer. What was not read is not called good.",
			See:   []string{"kubectl auth can-i --list"}, Cure: "docs/rbac.yaml has the permissions.", Sources: []string{"docs/rbac.yaml"}},
	}
}
