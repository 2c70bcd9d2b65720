// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The names under which krew installs the plugin: in an index of our own, and in the
// central one, whose reviewers want a name that says what lives. The program answers to
// both.
const (
	ownName     = "lifecycle"
	centralName = "node-lifecycle"
)

const caveats = `inspect, remove and move run one privileged pod on the node, of an image
that is there already, and need hosts with systemd. For completion of the
plugin's commands, once: kubectl %s completion install
`

// writeKrew makes the manifest for the central index, and an index of our own: a git
// repository, as "kubectl krew index add" clones it.
func (r *release) writeKrew(ctx context.Context, archives []artifact) error {
	central, err := r.manifest(centralName, archives)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.out, centralName+".yaml"), []byte(central), 0o644); err != nil {
		return err
	}
	own, err := r.manifest(ownName, archives)
	if err != nil {
		return err
	}
	index := filepath.Join(r.out, "krew-index")
	if err := os.MkdirAll(filepath.Join(index, "plugins"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(index, "plugins", ownName+".yaml"), []byte(own), 0o644); err != nil {
		return err
	}
	return r.commit(ctx, index)
}

// commit makes a git repository of a directory. Its commit is that of the same release
// anywhere: name and time are fixed.
func (r *release) commit(ctx context.Context, dir string) error {
	const who = "kubectl-lifecycle"
	at := fmt.Sprintf("%d +0000", r.at.Unix())
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"add", "plugins"},
		{"-c", "commit.gpgsign=false", "commit", "--quiet", "--no-verify", "-m", "Release " + r.version},
	} {
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME="+who, "GIT_COMMITTER_NAME="+who,
			"GIT_AUTHOR_EMAIL=", "GIT_COMMITTER_EMAIL=", "GIT_AUTHOR_DATE="+at, "GIT_COMMITTER_DATE="+at)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("make the krew index: git %s: %w\n%s", args[0], err, out)
		}
	}
	return nil
}

// manifest is what krew reads of a plugin.
func (r *release) manifest(name string, archives []artifact) (string, error) {
	var m strings.Builder
	fmt.Fprintf(&m, `# SPDX-License-Identifier: Apache-2.0
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: %s
spec:
  version: %s
  homepage: %s
  shortDescription: %s
  description: |
%s  caveats: |
%s  platforms:
`, name, r.version, homepage, short, indent(long), indent(fmt.Sprintf(caveats, name)))
	for _, a := range archives {
		sum, err := hashOf(filepath.Join(r.out, a.name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&m, `    - selector:
        matchLabels:
          os: %s
          arch: %s
      uri: %s/%s/%s
      sha256: %s
      bin: %s
`, a.of.os, a.of.arch, r.downloads, r.version, a.name, sum, binaryOf(a.of))
	}
	return m.String(), nil
}

func indent(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString("    " + line)
	}
	return out.String()
}
