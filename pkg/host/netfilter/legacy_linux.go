// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// ErrNoTool says that there are legacy rules and nothing to read them with.
var ErrNoTool = errors.New("legacy tables are in use, and there is no iptables-legacy here to read them")

// legacyTool is the name of a family's tools and of its list of tables.
type legacyTool struct{ family, tool, names string }

func legacyTools() []legacyTool {
	return []legacyTool{
		{family: "ip", tool: "iptables", names: "ip_tables_names"},
		{family: "ip6", tool: "ip6tables", names: "ip6_tables_names"},
	}
}

// ReadLegacy reads the legacy tables of one family ("ip", "ip6"), if the
// kernel has any. It returns ErrNoTool if it has and the tool is missing.
func ReadLegacy(ctx context.Context, l host.Local, family string) ([]Table, error) {
	for _, t := range legacyTools() {
		if t.family != family {
			continue
		}
		// Of the thread, since a network namespace belongs to a thread.
		names, err := os.ReadFile("/proc/thread-self/net/" + t.names)
		if errors.Is(err, os.ErrNotExist) || (err == nil && strings.TrimSpace(string(names)) == "") {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list legacy tables: %w", err)
		}
		tool, err := legacyBinary(ctx, l, t.tool, "save")
		if err != nil {
			return nil, err
		}
		out, err := l.Run(ctx, host.Command{Name: tool, Timeout: 30 * time.Second, Most: mostOfTables})
		if err != nil {
			return nil, err
		}
		return ParseSave(family, out)
	}
	return nil, nil
}

// mostOfTables bounds what is read of legacy tables: hundreds of thousands of rules.
const mostOfTables = 64 << 20

// legacyBinary finds iptables-legacy-save, or an iptables-save that says it is
// of the legacy kind (before iptables 1.8 there was no other).
func legacyBinary(ctx context.Context, l host.Local, tool, verb string) (string, error) {
	if name := tool + "-legacy-" + verb; l.Has(ctx, name) {
		return name, nil
	}
	name := tool + "-" + verb
	if l.Has(ctx, name) {
		version, err := l.Run(ctx, host.Command{Name: name, Args: []string{"--version"}, Timeout: 10 * time.Second})
		if err == nil && !strings.Contains(version, "nf_tables") {
			return name, nil
		}
	}
	return "", fmt.Errorf("%w (looked for %s-legacy-%s)", ErrNoTool, tool, verb)
}

// deleteLegacy makes one transaction of a legacy table's deletions.
func deleteLegacy(ctx context.Context, l host.Local, d Deletion) error {
	if d.Empty() {
		return nil
	}
	return changeLegacy(ctx, l, d.Table.Family, d.Restore())
}

// changeLegacy gives iptables-restore an input that changes a table and leaves
// what it does not name as it is.
func changeLegacy(ctx context.Context, l host.Local, family, input string) error {
	tool := "iptables"
	if family == "ip6" {
		tool = "ip6tables"
	}
	name, err := legacyBinary(ctx, l, tool, "restore")
	if err != nil {
		return err
	}
	_, err = l.Run(ctx, host.Command{Name: name, Args: []string{"--noflush", "--wait", "10"}, Stdin: input, Timeout: 30 * time.Second})
	return err
}

// Delete makes one transaction of a table's deletions, in its backend.
func Delete(ctx context.Context, l host.Local, d Deletion) error {
	if d.Table.Backend == Legacy {
		return deleteLegacy(ctx, l, d)
	}
	return DeleteNft(d)
}
