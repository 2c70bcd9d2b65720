// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const cleanUsage = `usage: lifecycle-node clean [--yes] [--firewall owned|none|flush] [--no-backup] [--shred-keys | --backup-keys]
           [--delete-host-data] [--joined TIME] [--machine-id ID] [FACTS]

Cleans the host that it runs on of Kubernetes and its network, without a cluster:
for a host whose Node was given up. Without --yes it shows what would go, and
changes nothing. FACTS are what the cluster knew, as JSON; the less there is, the
less is provably Kubernetes' and goes. --joined says when the host joined, as
2026-11-28 or 2026-11-28T10:00:00Z, where nothing on it tells any more: of what lies
where a network keeps its files, what was made since goes, and what is older stays.
--machine-id refuses any other machine than the one that is meant, as the node's name
in FACTS does on the host of another node.
`

// cleanAlone is "clean": the removal's own recipe, which reports to the
// terminal alone.
func cleanAlone(ctx context.Context, args []string, out io.Writer) error {
	t, how, err := readCleanArgs(args)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return plan.Refuse(errors.New("only root can clean a host"), "run it with sudo")
	}
	if err := meant(t.Facts.Node, how.machineID); err != nil {
		return err
	}
	if how.yes { // before anything of an earlier run is forgotten
		unlock, err := lockAlone()
		if err != nil {
			return err
		}
		defer unlock()
	}
	if t, err = t.Fresh(!how.yes); err != nil {
		return err
	}
	before, err := t.Survey(ctx)
	if err != nil {
		return err
	}
	removal, say := inventory.Decide(before), report.Printer{Out: out}
	for _, it := range removal.Objects {
		if say.Line("%s", it); it.Personal != "" {
			say.Line("  it may be a person's: %s; a backup of it is made before, unless you give --no-backup", it.Personal)
		}
	}
	for _, it := range removal.Stay {
		if it.Kind == inventory.KindFlags {
			say.Line("stays: %s: %s (%s)", it.Name, it.Detail, it.Why)
		}
	}
	for _, part := range removal.Unchecked {
		say.Line("not checked: %s: %s", part.What, part.Why)
	}
	if !how.yes {
		say.Line("%d things would go (nothing was changed; --yes does it)", len(removal.Objects))
		return nil
	}
	return cleanNow(ctx, t, before, out)
}

// cleaning is how a person wants it done.
type cleaning struct {
	yes       bool
	machineID string
}

// meant refuses a machine that is not the one for which the command was made: a line to be
// pasted is pasted into the wrong window one day. What is empty is not compared.
func meant(node, machineID string) error {
	if machineID != "" {
		here, err := trimmed("/etc/machine-id")
		if err != nil {
			return err
		}
		if here != machineID {
			return plan.Refuse(fmt.Errorf("this is another machine: its machine-id is %q, not %q", here, machineID),
				"run it on the host that is meant; was that one installed again since, leave --machine-id out")
		}
	}
	if node == "" {
		return nil
	}
	name, err := kubeletName("/var/lib/kubelet/pki/kubelet-client-current.pem")
	if err != nil {
		return err
	}
	if name != "" && name != node {
		return plan.Refuse(fmt.Errorf("this is the host of node %q, and what is to be cleaned is that of node %q", name, node),
			"run it on the host of %s; to clean this one, leave the facts of the other node out", node)
	}
	return nil
}

// readCleanArgs makes a target of a command line.
func readCleanArgs(args []string) (t clean.Target, how cleaning, err error) {
	t.StateDir = stateDir
	flags := flag.NewFlagSet("clean", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&how.yes, "yes", false, "")
	flags.StringVar((*string)(&t.Choices.Firewall), "firewall", "", "")
	flags.BoolVar(&t.Choices.NoBackup, "no-backup", false, "")
	flags.BoolVar(&t.Choices.NoKeys, "shred-keys", false, "")
	flags.BoolVar(&t.Choices.BackupKeys, "backup-keys", false, "")
	flags.BoolVar(&t.Choices.DeleteHostData, "delete-host-data", false, "")
	joined := flags.String("joined", "", "")
	flags.StringVar(&how.machineID, "machine-id", "", "")
	err = flags.Parse(args)
	if err == nil && flags.NArg() > 1 {
		err = errors.New("too many arguments")
	}
	if err == nil && flags.NArg() == 1 {
		if err = json.Unmarshal([]byte(flags.Arg(0)), &t.Facts); err != nil {
			err = fmt.Errorf("FACTS are no JSON: %w", err)
		}
	}
	if err == nil && *joined != "" {
		t.Facts.Joined, err = when(*joined)
	}
	if err = errors.Join(err, t.Choices.Validate()); err != nil {
		return t, how, plan.As(plan.Misused, fmt.Errorf("%w\n\n%s", err, cleanUsage))
	}
	return t, how, nil
}

// when is a time as a person types it; a day begins at midnight of this host's clock.
func when(word string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, word); err == nil {
		return at, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, word, time.Local)
	if err != nil {
		return at, fmt.Errorf("--joined %q is no time, such as 2026-11-28 or 2026-11-28T10:00:00Z", word)
	}
	return at, nil
}

// cleanNow cleans, and proves it. The host is locked by then.
func cleanNow(ctx context.Context, t clean.Target, before inventory.Inventory, out io.Writer) error {
	say := report.Printer{Out: out}
	if _, err := t.Recipe().Run(ctx, say); err != nil {
		return err
	}
	after, err := t.Survey(ctx)
	if err != nil {
		return err
	}
	undated := t.Undated()
	verdict := inventory.Verify(before, after)
	if backup := t.Backup(); backup != "" {
		say.Line("the configuration is backed up: %s", backup)
	}
	for _, it := range verdict.Personal {
		say.Line("gone, and perhaps a person's: %s: %s", it, it.Personal)
	}
	if err := dirty(verdict); err != nil {
		return err
	}
	if err := errors.Join(leave(), systemctl(ctx, "daemon-reload")); err != nil {
		return err
	}
	say.Line("this host is %s", verdict.Summary())
	for _, it := range verdict.But {
		say.Line("still there: %s: %s (%s)", it, it.Refers, it.Why)
	}
	if len(verdict.But) > 0 {
		wayOut := "look at each of these, and delete what is not needed"
		if undated {
			wayOut += "; or say when this host joined, so that what was made since goes: lifecycle-node clean --yes --joined 2026-11-28"
		}
		if refer, _ := verdict.Referring(); len(refer) == 0 {
			return plan.As(plan.Found, plan.Hint(errors.New("not all of this host could be looked at"),
				"of that nothing is known: nothing there has to go, but a kubeconfig or token of the cluster may be there"))
		}
		return plan.As(plan.Found, plan.Hint(errors.New("something that is not provably Kubernetes' still refers to the cluster"), "%s", wayOut))
	}
	return nil
}
