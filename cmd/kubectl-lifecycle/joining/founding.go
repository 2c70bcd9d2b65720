// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/newcluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kubeconfig"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/sshcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// ownKubeconfig is the person's kubeconfig, and the name of the new cluster in it.
type ownKubeconfig struct {
	file kubeconfig.File
	name string
	// taken says that the name is in use: by this very cluster, or by another one.
	taken bool
}

// ownKubeconfig reads it.
func (c commands) ownKubeconfig(name string) (own ownKubeconfig, err error) {
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@:/-]{0,252}$`).MatchString(name) {
		return own, env.Misused(fmt.Sprintf("--context %s is not a valid name for a cluster", text.Quote(name)))
	}
	own.name = name
	if own.file, err = kubeconfig.Read(kubeconfig.Path(*c.Flags.KubeConfig)); err != nil {
		return own, err
	}
	all, err := kubeconfig.Merged(*c.Flags.KubeConfig)
	if err != nil {
		return own, err
	}
	own.taken = kubeconfig.Of(all, name, nil) != kubeconfig.Free
	return own, nil
}

// initRun makes one cluster.
type initRun struct {
	commands
	host   sshcarrier.Host
	order  prep.InitOrder
	own    ownKubeconfig
	admin  *kubeconfig.Admin
	there  prep.Founded
	result founded
	// unreached is why the API server does not answer from here.
	unreached error
	// otherServer is what the kubeconfig has for the cluster's server, if not what the
	// host says.
	otherServer string
}

func (i *initRun) recipe() plan.Plan {
	name := i.host.Destination
	return plan.Plan{Title: "Make a cluster on " + name, Steps: []plan.Step{
		{ID: "init", Title: "Prepare " + name + ", and have kubeadm make it a control plane", Do: i.create},
		{ID: "kubeconfig", Title: "Add the cluster to your kubeconfig as " + i.own.name, Do: i.merge},
		{ID: "settle", Title: "Wait until its node has a range of the pods' network", Do: i.settle},
	}}
}

// create has the host do its part.
func (i *initRun) create(ctx context.Context, report plan.Report) (err error) {
	i.there, err = newcluster.Create(ctx, i.host, i.order, report)
	i.result.Node, i.result.Endpoint, i.result.Outcome = i.there.Node, i.there.Endpoint, i.there.Outcome
	name := i.host.Destination
	switch {
	case err != nil:
		return err
	case i.there.NotMade:
		return plan.Refuse(fmt.Errorf("your kubeconfig has an entry %q already, and the host has no cluster that it could be", i.own.name),
			"choose another name for the new cluster: --context NAME")
	case i.there.Blocked:
		i.result.Result = "blocked"
		return blockedBy(i.there.Outcome, "see what fixes each: kubectl lifecycle prep --no-cluster --control-plane --ssh "+text.Quote(name))
	case i.there.Failed != "":
		return plan.As(plan.Broken, plan.Hint(fmt.Errorf("%s: %s", name, text.Block(i.there.Failed)), "%s", wire.Advice(name, i.there.WayOut)))
	}
	i.admin, err = kubeconfig.ParseAdmin(i.there.Kubeconfig)
	i.there.Kubeconfig = nil
	return err
}

// merge adds the cluster to the person's kubeconfig. Of several files, one is written, and
// all of them are looked at.
func (i *initRun) merge(_ context.Context, report plan.Report) error {
	// Minutes have gone since it was read first, and kubectl may have changed it.
	file, err := kubeconfig.Read(i.own.file.Path)
	if err != nil {
		return plan.Begun(err) // the cluster is made
	}
	i.own.file = file
	all, err := kubeconfig.Merged(*i.Flags.KubeConfig)
	if err != nil {
		return plan.Begun(err)
	}
	config, changed, err := kubeconfig.Add(i.own.file.Config, all, i.own.name, i.admin)
	if err != nil {
		return plan.Begun(err)
	}
	i.result.Context, i.result.Kubeconfig = i.own.name, i.own.file.Path
	i.result.Result = text.Choose(i.there.Already, "already made", "made")
	i.otherServer = kubeconfig.OtherServer(all, i.own.name, i.admin)
	if !changed {
		if entry := all.Contexts[i.own.name]; entry != nil && entry.LocationOfOrigin != "" {
			i.result.Kubeconfig = entry.LocationOfOrigin
		}
		report("not needed: %s has it", i.result.Kubeconfig)
		return nil
	}
	i.result.Backup, err = i.own.file.Write(config, time.Now())
	return err
}

// settle waits until a network can be installed. A cluster that is out of reach from here
// is made all the same.
func (i *initRun) settle(ctx context.Context, report plan.Report) error {
	client, err := i.admin.Client()
	if err != nil {
		return err
	}
	if err = newcluster.Settle(ctx, client, i.there.Node, report); errors.Is(err, newcluster.ErrOutOfReach) && ctx.Err() == nil {
		i.unreached = err
		report("not from here: %v", err)
		return nil
	}
	return err
}

// tell writes the result.
func (i *initRun) tell(format string) error {
	return i.Print(format, view.Of("NewCluster", i.result), func(s *view.Sheet) error {
		r := i.result
		return s.Table([][]string{{"HOST", "NODE", "ENDPOINT", "RESULT", "CHANGES"},
			{r.Host, r.Node, r.Endpoint, r.Result, fmt.Sprint(len(r.Outcome.Made))}})
	})
}

// differs is the error of a cluster that is there, and was made with other settings.
func (i *initRun) differs() error {
	if !i.there.Differs {
		return nil
	}
	return plan.As(plan.Found, plan.Hint(errors.New("the cluster was made with other settings than these; none of it was changed"),
		"see its own: kubectl -n kube-system get configmap kubeadm-config -o yaml"))
}

// sayNext says what a person does next.
func (i *initRun) sayNext() {
	r := i.result
	i.Say("context %s is in %s", text.Quote(r.Context), r.Kubeconfig)
	if r.Backup != "" {
		i.Say("what that was before is in %s", r.Backup)
	}
	if i.otherServer != "" {
		i.Warn("your kubeconfig has another server for %s than the host names; it was not changed", text.Quote(r.Context))
		i.Say("         yours: %s", text.Line(i.otherServer))
		i.Say("         the host's: %s", text.Line(i.admin.Server()))
	}
	if i.unreached != nil {
		i.Warn("from here, at %s, %v", i.admin.Server(), i.unreached)
		i.Say("         open the way there, or use a tunnel and change the server of this cluster in your kubeconfig")
	}
	i.Say("give it a network, so that its node becomes Ready; for example:")
	i.SayCommand(text.Command("kubectl", "lifecycle", "cni", "install", "flannel", "--context", r.Context))
}
