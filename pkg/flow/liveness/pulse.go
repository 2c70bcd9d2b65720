// SPDX-License-Identifier: Apache-2.0

package liveness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// What is asked of a kubelet comes from a host that may have been taken over by now: it is
// given little time and little room.
const (
	askLimit = 5 * time.Second
	// listenLimit is longer than an API server dials (30 s) and shakes hands (10 s):
	// only it can tell an address without a machine from a machine that is up, takes
	// the connection, and says nothing.
	listenLimit = 45 * time.Second
	askMost     = 1 << 20
)

// pulse asks after the life of a node's host.
type pulse struct {
	cluster runner.Cluster
	node    *corev1.Node
}

// get asks the kubelet for a path, through the API server.
func (p pulse) get(ctx context.Context, path, query string, limit time.Duration) reply {
	if p.cluster.Config == nil {
		return reply{err: errors.New("there is no connection to an API server")}
	}
	config := rest.CopyConfig(p.cluster.Config)
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	made, err := rest.HTTPClientFor(config)
	if err != nil {
		return reply{err: err}
	}
	client := *made
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	target, versioned, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return reply{err: err}
	}
	target = target.JoinPath(versioned, "nodes", p.node.Name, "proxy", path)
	target.RawQuery = query
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return reply{err: err}
	}
	answer, err := client.Do(request)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, askMost))
	if err != nil && len(body) == 0 {
		return reply{err: err}
	}
	return reply{code: answer.StatusCode, body: string(body)}
}

// listen asks whether the kubelet lives.
func (p pulse) listen(ctx context.Context) (proof, string) {
	return p.get(ctx, "healthz", "", listenLimit).weigh()
}

// nameThere is the name of the node that the kubelet at the node's address says it
// is; empty if it does not tell.
func (p pulse) nameThere(ctx context.Context) string {
	return nodeNameIn(p.get(ctx, "stats/summary", "only_cpu_and_memory=true", askLimit))
}

// nodeNameIn finds the node's name in a summary of a kubelet's statistics, of which
// it is the first part, or in the kubelet's complaint that it has no Node; what is no
// name of a node is none. It is pure.
func nodeNameIn(r reply) string {
	name := ""
	switch {
	case r.err != nil:
	case r.code == http.StatusOK:
		name = firstNodeName(r.body)
	case r.code == http.StatusInternalServerError:
		// What a kubelet answers that has no Node of its name (pkg/kubelet/server/stats).
		unknown := regexp.MustCompile(`node "([a-z0-9.-]+)" not found`)
		if found := unknown.FindStringSubmatch(text.Short(r.body, 400)); found != nil {
			name = found[1]
		}
	}
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return ""
	}
	return name
}

// firstNodeName reads no further than the first part, so the rest may be cut.
func firstNodeName(body string) string {
	decoder := json.NewDecoder(strings.NewReader(body))
	if _, err := decoder.Token(); err != nil {
		return ""
	}
	key, err := decoder.Token()
	if err != nil || key != "node" {
		return ""
	}
	var node struct {
		Name string `json:"nodeName"`
	}
	if decoder.Decode(&node) != nil {
		return ""
	}
	return node.Name
}

// vitals is what was found out about the life of a host.
type vitals struct {
	heard proof
	// said is a few words about it.
	said string
	// refusal is the refusal of a node whose host may be alive, with the ways out; nil
	// where nothing of that is known. Where nothing has answered (heard is not life), it
	// rests on the word of another Node, which a person may know better.
	refusal error
}

// lives finds out about a node that is silent while its host may not be: the host is
// another Node by now, its kubelet goes by another name, or does not get through. That
// another Node names this machine as its own is only what its kubelet writes: it is
// proven where something answers at this node's address, too, and a doubt elsewhere,
// else one host that lies could keep every dead one in the cluster.
func (p pulse) lives(ctx context.Context) (vitals, error) {
	nodes, err := p.cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return vitals{}, fmt.Errorf("list nodes: %w", err)
	}
	twins := slices.DeleteFunc(sameMachine(p.node, nodes.Items), func(t twin) bool { return !kubenode.KubeletAnswers(t.node) })
	heard, said := p.listen(ctx)
	switch {
	case len(twins) > 0 && heard == life:
		return vitals{heard, said, p.renamed(twins[0])}, nil
	case len(twins) > 0:
		said = claimsOf(twins) + "; at its own address: " + said
		return vitals{doubt, said, p.claimed(twins)}, nil
	case heard != life:
		return vitals{heard, said, nil}, nil
	}
	switch name := p.nameThere(ctx); name {
	case "":
		return vitals{heard, said, p.cutOff(said)}, nil
	case p.node.Name:
		return vitals{heard, said, p.cutOff("its kubelet answers at its address")}, nil
	default:
		return vitals{heard, said, p.misnamed(name)}, nil
	}
}

// claimsOf names the Nodes that give themselves for a machine, with their signs.
func claimsOf(twins []twin) string {
	all := make([]string, 0, len(twins))
	for _, t := range twins {
		all = append(all, fmt.Sprintf("node %s reports the same %s", t.node.Name, strings.Join(t.signs, ", the same ")))
	}
	return strings.Join(text.Capped(all), "; ")
}

// waysOfTwin are the ways out where the host of a node is another Node by now.
func (p pulse) waysOfTwin(now string) string {
	old := p.node.Name
	return fmt.Sprintf("to keep the host under its new name, delete the old Node: %s\n"+
		"to take the host out of the cluster: %s, then the same for the old Node\n"+
		"to give it its old name back: on the host, hostnamectl set-hostname (or the kubelet's --hostname-override), then restart the kubelet",
		text.Command("kubectl", "delete", "node", old), text.Command("kubectl", "lifecycle", "remove", now))
}

// renamed is the refusal of a node whose host is another Node by now.
func (p pulse) renamed(twin twin) error {
	return plan.Refuse(fmt.Errorf("the host of node %s is not dead: it is node %s now (the same %s)", p.node.Name, twin.node.Name,
		strings.Join(twin.signs, ", the same ")), "%s", p.waysOfTwin(twin.node.Name))
}

// claimed is the refusal of a node of which others, that report, say that they are the
// same machine, where nothing at its own address proves it.
func (p pulse) claimed(twins []twin) error {
	old, now := p.node.Name, twins[0].node.Name
	return plan.Refuse(fmt.Errorf("the host of node %s may not be dead: %s", old, claimsOf(twins)),
		"%s\nif %s is another machine, which reports what is not its own: go and see that the host of %s is switched off, then: %s",
		p.waysOfTwin(now), now, old, text.Command("kubectl", "lifecycle", "remove", old, "--node-lost", "--confirm-host-off"))
}

// misnamed is the refusal of a node whose host runs a kubelet of another name, which
// no Node of the cluster is: its credentials are for the old one.
func (p pulse) misnamed(name string) error {
	old := p.node.Name
	return plan.Refuse(fmt.Errorf("the host of node %s is not dead: the kubelet at its address calls itself %s, so it was renamed", old, name),
		"give it its name back: on the host, hostnamectl set-hostname %[1]s, or take --hostname-override out of the kubelet's flags "+
			"(/etc/default/kubelet, /etc/sysconfig/kubelet), then restart the kubelet and run the same command again\n"+
			"or clean the host with the program itself (kubectl lifecycle node-program; there: lifecycle-node clean), then: %[2]s", old,
		text.Command("kubectl", "delete", "node", old))
}

// cutOff is the refusal of a node whose kubelet runs and does not report.
func (p pulse) cutOff(said string) error {
	return plan.Refuse(fmt.Errorf("the host of node %s is not dead: %s, though it has not reported to the API server (%s)", p.node.Name, said,
		kubenode.ReadyMessage(p.node)),
		"see why on the host: journalctl -u kubelet (does it reach the API server, is its certificate valid, does the host have its old "+
			"name?); once it reports, run the same command again\n"+
			"if the host is to be given up all the same, switch it off first, then: %s", text.Command("kubectl", "lifecycle", "remove", p.node.Name,
			"--node-lost"))
}

// Unreachable is the refusal of a node through whose kubelet nothing can be done.
func Unreachable(ctx context.Context, cluster runner.Cluster, node *corev1.Node) error {
	p := pulse{cluster, node}
	seen, err := p.lives(ctx)
	switch {
	case err != nil:
		return err
	case seen.refusal != nil:
		return seen.refusal
	case p.node.DeletionTimestamp != nil && len(p.node.Finalizers) > 0:
		return plan.Refuse(fmt.Errorf("node %s is being deleted since %s and waits for %s; its kubelet does not answer, so whether its host "+
			"is clean cannot be seen",
			p.node.Name, p.node.DeletionTimestamp.UTC().Format(time.DateTime), kubenode.Finalizers(p.node)),
			"once its controller takes the finalizer off, the Node is gone: kubectl get node %s --show-managed-fields -o yaml",
			text.Quote(p.node.Name))
	}
	hint := "bring its kubelet back first; if the host is dead for good, give it up: " + text.Command("kubectl", "lifecycle", "remove",
		p.node.Name, "--node-lost")
	if withoutKubelet(seen.said) {
		hint += "\nif the host was reset by hand (kubeadm reset) or installed again, its kubelet cannot come back: with --node-lost, " +
			cleanedByHand
	}
	return plan.Refuse(fmt.Errorf("the kubelet of node %s does not answer (%s), so its host cannot be reached through it", p.node.Name,
		kubenode.ReadyMessage(p.node)), "%s", hint)
}
