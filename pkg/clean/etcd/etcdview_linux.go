// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/etcd"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	etcdManifest = inventory.ManifestsDir + "/etcd.yaml"
	etcdCerts    = inventory.PKIDir + "/etcd"
)

// etcdFlags are the flags of the static pod that kubeadm made for this host's
// member; found is false where it has none.
func (t Member) etcdFlags() (flags map[string]string, found bool, err error) {
	pod, found, err := t.etcdPod()
	return pod.flags, found, err
}

// etcdPod is that static pod.
func (t Member) etcdPod() (pod staticPod, found bool, err error) {
	raw, err := t.ReadLinked(etcdManifest, part.MostOfFile)
	if errors.Is(err, os.ErrNotExist) {
		return staticPod{}, false, nil
	}
	if err != nil {
		return staticPod{}, false, err
	}
	pod, err = parseStaticPod(raw)
	if err != nil {
		err = fmt.Errorf("parse %s: %w", etcdManifest, err)
	}
	return pod, err == nil, err
}

// etcdClient uses the certificates that kubeadm leaves on a control plane: the
// one that is made for asking, else a server's or peer's, which are as good.
func (t Member) etcdClient() (*etcd.Client, error) {
	flags, _, err := t.etcdFlags()
	if err != nil {
		return nil, err
	}
	ca, err := t.ReadLinked(cmp.Or(flags["trusted-ca-file"], etcdCerts+"/ca.crt"), part.MostOfFile)
	if err != nil {
		return nil, fmt.Errorf("read etcd's CA: %w", err)
	}
	var errs []error
	for _, name := range []string{"healthcheck-client", "server", "peer"} {
		cert, err := t.ReadLinked(filepath.Join(etcdCerts, name+".crt"), part.MostOfFile)
		key, err2 := t.ReadLinked(filepath.Join(etcdCerts, name+".key"), part.MostOfFile)
		if err := errors.Join(err, err2); err != nil {
			errs = append(errs, err)
			continue
		}
		return etcd.New(ca, cert, key)
	}
	return nil, plan.Hint(fmt.Errorf("no certificate that etcd accepts: %w", errors.Join(errs...)),
		"renew them on this host: kubeadm certs renew etcd-healthcheck-client")
}

// View looks at the etcd cluster of which this host runs a member: who is in
// it, and how each is. Nil where the host runs none, or only the data is left.
func (t Member) View(ctx context.Context) (*inventory.Etcd, error) {
	pod, found, err := t.etcdPod()
	if err != nil || !found {
		return nil, err
	}
	flags := pod.flags
	client, err := t.etcdClient()
	if err != nil {
		return nil, err
	}
	own := firstURL(flags["advertise-client-urls"], flags["listen-client-urls"])
	endpoints := []string{own}
	for _, address := range t.Facts.ControlPlanes {
		endpoints = append(endpoints, "https://"+net.JoinHostPort(address, "2379"))
	}
	cluster, members, err := askAny(ctx, client, endpoints)
	if err != nil {
		return nil, plan.Hint(err, "see how its members are: etcdctl endpoint health --cluster")
	}
	view := &inventory.Etcd{Cluster: cluster.String(), DataDir: pod.dataDir()}
	self := etcd.ID(0)
	if status, err := client.Status(ctx, own); err == nil {
		self = status.Member
	}
	if view.Self, err = whoAmI(members, self, flags); err != nil {
		return nil, err
	}
	view.Members = examine(ctx, client, cluster, members)
	return view, nil
}

// whoAmI finds this host's member: by what it says of itself, by its name, by its
// address; each is enough, and all have to mean the same one. Only where none of
// them leads to a member does the cluster have none of this host's.
func whoAmI(members []etcd.Member, self etcd.ID, flags map[string]string) (string, error) {
	peers := strings.Split(flags["initial-advertise-peer-urls"], ",")
	found := ""
	for _, m := range members {
		here := slices.ContainsFunc(m.PeerURLs, func(url string) bool { return slices.Contains(peers, url) })
		if m.ID != self && (m.Name == "" || m.Name != flags["name"]) && !here {
			continue
		}
		if found != "" {
			return "", plan.Hint(fmt.Errorf("etcd's members %s and %s could both be this host's (%s)", found, m.ID, flags["name"]),
				"compare them with %s: etcdctl member list", etcdManifest)
		}
		found = m.ID.String()
	}
	return found, nil
}

// askAny asks members in turn who is in the cluster. If none has a quorum, what
// the first that answers remembers will do: it is refused anyway, and by name.
func askAny(ctx context.Context, client *etcd.Client, endpoints []string) (cluster etcd.ID, members []etcd.Member, err error) {
	var errs []error
	for _, local := range []bool{false, true} {
		for _, endpoint := range endpoints {
			cluster, members, err := client.Members(ctx, endpoint, local)
			if err == nil {
				return cluster, members, nil
			}
			errs = append(errs, err)
		}
	}
	return 0, nil, part.Summary(errs)
}

// examine asks every member how it is, all at once.
func examine(ctx context.Context, client *etcd.Client, cluster etcd.ID, members []etcd.Member) []inventory.EtcdMember {
	out := make([]inventory.EtcdMember, len(members))
	var all sync.WaitGroup
	for i, m := range members {
		all.Go(func() {
			out[i] = inventory.EtcdMember{ID: m.ID.String(), Name: cmp.Or(m.Name, m.ID.String()), URL: firstURL(m.ClientURLs...), Learner: m.Learner}
			status, err := client.Status(ctx, out[i].URL)
			out[i].Leader, out[i].RaftIndex = status.Leader == m.ID, status.RaftIndex
			switch {
			case out[i].URL == "":
				out[i].Trouble = "has never started"
			case err != nil:
				out[i].Trouble = "does not answer"
			case status.Cluster != cluster, status.Member != m.ID:
				out[i].Trouble = "is another member, or of another cluster"
			case status.Leader == 0:
				out[i].Trouble = "has no leader"
			case len(status.Errors) > 0:
				out[i].Trouble = strings.Join(status.Errors, ", ")
			}
		})
	}
	all.Wait()
	slices.SortFunc(out, func(a, b inventory.EtcdMember) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return out
}

// firstURL is the first URL of some comma-separated lists.
func firstURL(lists ...string) string {
	for _, list := range lists {
		if url, _, _ := strings.Cut(list, ","); url != "" {
			return url
		}
	}
	return ""
}

func parseID(text string) (etcd.ID, error) {
	n, err := strconv.ParseUint(text, 16, 64)
	return etcd.ID(n), err
}
