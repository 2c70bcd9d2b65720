// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"errors"
	"fmt"
)

// Choices are what a person decides about a removal. The zero value is the
// careful one: only rules of ours go, and files are backed up.
type Choices struct {
	// Firewall says which packet-filter rules and ip sets go; empty is
	// FirewallOwned.
	Firewall Firewall `json:"firewall,omitempty"`
	// NoBackup removes files without a backup of them.
	NoBackup bool `json:"noBackup,omitempty"`
	// NoKeys leaves everything secret out of the backup, whatever it opens; BackupKeys
	// takes all of it in. Otherwise what opens the cluster, or may, is left out: private keys,
	// kubeconfigs, tokens, encryption keys, files of no known form. They are gone then.
	NoKeys     bool `json:"noKeys,omitempty"`
	BackupKeys bool `json:"backupKeys,omitempty"`
	// DeleteHostData lets data of pods go that lies below a directory of Kubernetes'.
	DeleteHostData bool `json:"deleteHostData,omitempty"`
}

// BackupDir is where backups are kept on a host: /var/backups is root's. A removal takes
// what renewals have kept there, and leaves the backups of removals.
const BackupDir = "/var/backups/kubectl-lifecycle"

// RenewalBackups begins the path of what a renewal of certificates has kept: a directory with
// the earlier files, which open the cluster as long as they are valid. One that is not
// finished begins with UnfinishedRenewalBackups, and any backup that is not, a removal's too,
// with UnfinishedBackups.
const (
	RenewalBackups           = BackupDir + "/certs-"
	UnfinishedBackups        = BackupDir + "/.unfinished-"
	UnfinishedRenewalBackups = UnfinishedBackups + "certs-"
	// RenewalMark begins the names of what a renewal works with beside the certificates.
	RenewalMark = ".kubectl-lifecycle-"
)

// Firewall says which packet-filter rules a removal deletes.
type Firewall string

// The choices.
const (
	// FirewallOwned deletes what is provably Kubernetes' or its network's.
	FirewallOwned Firewall = "owned"
	// FirewallNone deletes nothing.
	FirewallNone Firewall = "none"
	// FirewallFlush deletes every rule of iptables, in both backends, foreign ones,
	// too, and lets everything pass; foreign native nft tables stay. It
	// is what "iptables -F" is for, on a host whose rules are all Kubernetes'.
	FirewallFlush Firewall = "flush"
)

// Validate returns an error for a choice that is none.
func (c Choices) Validate() error {
	if c.BackupKeys && (c.NoKeys || c.NoBackup) {
		return errors.New("--backup-keys cannot be combined with --shred-keys or --no-backup")
	}
	switch c.Firewall {
	case "", FirewallOwned, FirewallNone, FirewallFlush:
		return nil
	}
	return fmt.Errorf("--firewall must be owned, none or flush, not %q", c.Firewall)
}

// Order is what travels to a host: what the cluster knows about it, and what a
// person has chosen.
type Order struct {
	Facts
	Choices
}

// KeepRules lets everything of the packet filter stay, if that was chosen.
func (c Choices) KeepRules(items []Item) []Item {
	if c.Firewall != FirewallNone {
		return items
	}
	for i := range items {
		if items[i].Fate == Goes {
			items[i].Fate, items[i].Why = Stays, "packet-filter rules were to be left alone"
		}
	}
	return items
}
