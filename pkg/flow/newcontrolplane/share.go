// SPDX-License-Identifier: Apache-2.0

package newcontrolplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/access"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/certificates"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// mostOfFile bounds one encrypted file: certificates and keys have some kilobytes.
const mostOfFile = 64 << 10

// Ask has the host of the chosen control plane encrypt the certificates with a key. It
// refuses where a file is missing without which kubeadm cannot make a control plane, and
// where etcd has a member that would make kubeadm's own promotion fail
// (kubernetes/kubeadm#3269).
func Ask(ctx context.Context, cluster runner.Cluster, c Choice, key certificates.Key, report plan.Report) (map[string][]byte, error) {
	if err := access.Require(ctx, cluster.Client, access.Carrier(cluster.RunNamespace())); err != nil {
		return nil, err
	}
	order := wire.CertificatesOrder{Key: key.Bytes(), Dir: c.Cluster.CertificatesDir, ControlPlanes: c.Others}
	if e := c.Cluster.ExternalEtcd; e != nil {
		order.ExternalEtcd = &wire.ExternalEtcd{CAFile: e.CAFile, CertFile: e.CertFile, KeyFile: e.KeyFile}
	}
	task, err := json.Marshal(order)
	if err != nil {
		return nil, fmt.Errorf("encode the order: %w", err)
	}
	raw, err := runner.RunOnce(ctx, cluster, &c.Node, runner.Question{Operation: wire.ShareCertificates, Input: task,
		StreamOnly: true}, report)
	if err != nil {
		return nil, err
	}
	var answer wire.SharedCertificates
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, fmt.Errorf("decode the answer of node %s: %w", c.Node.Name, err)
	}
	files, err := decide(answer, c.Node.Name)
	if err != nil {
		return nil, err
	}
	return files, verify(files, c.Cluster, key)
}

// decide judges what a host has answered. It is pure.
func decide(answer wire.SharedCertificates, node string) (map[string][]byte, error) {
	if len(answer.Missing) > 0 {
		return nil, plan.Refuse(fmt.Errorf("the host of control plane %s does not have %s: kubeadm cannot make another control plane "+
			"without", node,
			text.Brief(strings.Join(answer.Missing, ", "))),
			"where the key of an authority is kept elsewhere on purpose, have the new host's certificates signed there, and join it by hand")
	}
	var etcd *inventory.Etcd
	if len(answer.Etcd) > 0 {
		if err := json.Unmarshal(answer.Etcd, &etcd); err != nil {
			return nil, fmt.Errorf("decode the members of etcd: %w", err)
		}
	}
	if err := healthy(etcd, node); err != nil {
		return nil, err
	}
	for name, data := range answer.Files {
		if len(data) > mostOfFile {
			return nil, fmt.Errorf("the host of control plane %s sent %d bytes as %s", node, len(data), text.Brief(name))
		}
	}
	if len(answer.Files) == 0 {
		return nil, errors.New("the host of control plane " + node + " sent no certificates")
	}
	return answer.Files, nil
}

// healthy refuses an etcd that kubeadm could not, or should not, add a member to.
func healthy(etcd *inventory.Etcd, node string) error {
	if etcd == nil {
		return nil
	}
	for _, m := range etcd.Members {
		switch {
		case m.URL == "":
			return plan.Refuse(fmt.Errorf("member %s of etcd has never started: an earlier join failed, and etcd takes no other member as long as "+
				"it is there", m.ID),
				"take it out: %s", text.Command("kubectl", "-n", "kube-system", "exec", "etcd-"+node, "--", "etcdctl",
					"--cacert", "/etc/kubernetes/pki/etcd/ca.crt", "--cert", "/etc/kubernetes/pki/etcd/server.crt",
					"--key", "/etc/kubernetes/pki/etcd/server.key", "member", "remove", m.ID))
		case m.Learner:
			return plan.Refuse(fmt.Errorf("member %s of etcd is still learning: etcd takes one new member at a time", m.Name),
				"wait until it has a vote; see: kubectl -n kube-system get pods -l component=etcd")
		case m.Trouble != "":
			return plan.Refuse(fmt.Errorf("member %s of etcd %s: another one joins only a healthy etcd", m.Name, text.Brief(m.Trouble)),
				"mend it first; see: kubectl -n kube-system get pods -l component=etcd")
		}
	}
	return nil
}

// Share has the certificates encrypted for the host that joins with a token, and puts
// them into the cluster.
func Share(ctx context.Context, cluster runner.Cluster, c Choice, offer Offer, report plan.Report) (certificates.Published, error) {
	files, err := Ask(ctx, cluster, c, offer.Key, report)
	if err != nil {
		return certificates.Published{}, err
	}
	report("secret %s/%s holds them, encrypted, until the token ends", "kube-system", certificates.SecretName)
	return certificates.Publish(ctx, cluster.Client, offer.Token, files)
}

// Offer is what one host joins with.
type Offer struct {
	Token bootstrap.Token
	Key   certificates.Key
}
