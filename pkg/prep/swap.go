// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"strings"
)

// swapNow: a kubelet with its default failSwapOn does not start.
func swapNow(f Facts, w Wanted) []Finding {
	if len(f.Swap.On) == 0 || w.SwapAllowed {
		return nil
	}
	finding := Finding{Severity: Blocks, Text: "swap is on: " + strings.Join(f.Swap.On, ", ")}
	for _, device := range f.Swap.On {
		finding.Changes = append(finding.Changes, Change{Kind: SwapOff, Name: device})
	}
	return []Finding{finding}
}

// swapAtBoot finds each origin of swap: fstab, systemd's units, zram-generator, and
// the initramfs, which wakes a device that it resumes from.
func swapAtBoot(f Facts, w Wanted) (all []Finding) {
	if w.SwapAllowed {
		return nil
	}
	if edited, lines := withoutSwap(f.Swap.FSTab.Content); len(lines) > 0 {
		all = append(all, Finding{Severity: Blocks, Text: "/etc/fstab turns swap on at boot: " + strings.Join(lines, "; "),
			Changes: []Change{edit(f.Swap.FSTab, edited)}})
	}
	for _, unit := range f.Swap.Units {
		kind := MaskUnit
		if unit.Local {
			kind = DisableUnit
		}
		all = append(all, Finding{Severity: Blocks, Text: "the unit " + unit.Name + " turns swap on at boot",
			Changes: []Change{{Kind: kind, Name: unit.Name}}})
	}
	if f.Swap.ZRAM.There {
		// An empty file in /etc turns the generator's own off: zram-generator.conf(5).
		empty := File{Path: "/etc/systemd/zram-generator.conf"}
		if f.Swap.ZRAM.Path == empty.Path {
			empty = f.Swap.ZRAM
		}
		all = append(all, Finding{Severity: Blocks, Text: f.Swap.ZRAM.Path + " makes swap in memory at boot (zram-generator)",
			Changes: []Change{edit(empty, "# Without swap: a kubelet does not start with it.\n")}})
	}
	if f.Swap.Resume != "" {
		all = append(all, Finding{Severity: Notes, Text: "the initramfs resumes from " + f.Swap.Resume + "; that may turn swap on again",
			WayOut: "take resume= from the kernel's arguments and from /etc/initramfs-tools/conf.d/resume, and rebuild the initramfs"})
	}
	return all
}

// withoutSwap comments the lines of an fstab out whose type is swap.
func withoutSwap(fstab string) (edited string, lines []string) {
	all := strings.Split(fstab, "\n")
	for i, line := range all {
		words := strings.Fields(line)
		if len(words) < 3 || strings.HasPrefix(words[0], "#") || words[2] != "swap" {
			continue
		}
		if len(words) > 3 && hasOption(words[3], "noauto") {
			continue
		}
		lines = append(lines, strings.Join(words[:3], " "))
		all[i] = "# " + line
	}
	return strings.Join(all, "\n"), lines
}

func hasOption(options, name string) bool {
	for _, o := range strings.Split(options, ",") {
		if o == name {
			return true
		}
	}
	return false
}

// edit is the change of a file as it was read; one that was not there is written.
func edit(f File, content string) Change {
	return Change{Kind: WriteFile, Path: f.Path, Content: content, Mode: f.Mode, Before: f.Content, Absent: !f.There}
}
