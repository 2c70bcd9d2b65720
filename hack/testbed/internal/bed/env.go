// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/build"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/engine"
)

// Env is what a test or a shell has to know about this bed.
func (b *Bed) Env() map[string]string {
	return map[string]string{
		"KUBECONFIG":            b.Kubeconfig(),
		"TESTBED_AGNHOST_IMAGE": build.AgnhostImage,
		"TESTBED_BLANK":         b.Blank(),
		"TESTBED_CACHE":         b.Cache,
		"TESTBED_FLANNEL_CHART": b.chartDir(),
		"TESTBED_KIND":          b.Program("kind"),
		"TESTBED_KUBEADM":       b.Program("kubeadm"),
		"TESTBED_KUBECTL":       b.Program("kubectl"),
		"TESTBED_NAME":          b.Name,
	}
}

// WriteEnv writes the environment as shell lines or as JSON.
func WriteEnv(w io.Writer, env map[string]string, format string) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(env); err != nil {
			return fmt.Errorf("write environment: %w", err)
		}
		return nil
	case "", "sh":
		var keys []string
		for key := range env {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			if _, err := fmt.Fprintf(w, "export %s=%s\n", key, quote(env[key])); err != nil {
				return fmt.Errorf("write environment: %w", err)
			}
		}
		return nil
	}
	return fmt.Errorf("write environment: unknown format %q: sh and json are known", format)
}

// quote makes a string one word for a POSIX shell.
func quote(value string) string {
	plain := func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,", r)
	}
	if value != "" && strings.IndexFunc(value, plain) < 0 {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// Status prints what there is of this bed. It returns false when something is
// missing that up would bring.
func (b *Bed) Status(ctx context.Context, w io.Writer) (bool, error) {
	fmt.Fprintf(w, "test bed    %s\nkubernetes  %s\ncache       %s\n", b.Name, b.Version, b.Cache)
	if err := engine.Answers(ctx); err != nil {
		fmt.Fprintf(w, "docker      no engine answers\n")
		return false, nil
	}
	fmt.Fprintf(w, "docker      answers\nkubeconfig  %s\n", b.Kubeconfig())
	names, err := b.ownContainers(ctx)
	if err != nil {
		return false, err
	}
	for _, name := range append(b.Nodes(), b.Blank()) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		c, err := inspect(ctx, name)
		if err != nil {
			return false, err
		}
		fmt.Fprintf(w, "host        %-28s %-8s %s\n", name, stateOf(c), c.Image)
	}
	fault, _, err := b.clusterFault(ctx)
	if err != nil {
		return false, err
	}
	if fault != "" {
		fmt.Fprintf(w, "cluster     not usable: %s\n", fault)
		return false, nil
	}
	fmt.Fprintf(w, "cluster     answers\n")
	blank, err := inspect(ctx, b.Blank())
	return blank.Running, err
}

func stateOf(c container) string {
	switch {
	case !c.Exists:
		return "missing"
	case c.Running:
		return "running"
	}
	return "stopped"
}
