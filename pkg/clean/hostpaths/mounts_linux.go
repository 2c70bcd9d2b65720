// SPDX-License-Identifier: Apache-2.0

package hostpaths

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// The bounds of a look: a pod may mount a thousand times, and a program that serves a file
// system may not answer.
const (
	mostNamed = 64
	mostAsked = 64
	// mostOfAll is how much is named that a pod could have made which was given all of the host,
	// or of a directory of the system's: nearly all of it is not theirs.
	mostOfAll = 16
	askLimit  = 20 * time.Second
)

// lookMounts finds mounts that came out of a container, and what else of a container's is
// mounted outside of the runtime's directories.
func (t HostPaths) lookMounts(ctx context.Context, s *part.Findings, shares part.Shares) error {
	all, err := t.Mounts()
	if err != nil {
		return err
	}
	found, err := t.candidates(all, shares)
	if err != nil {
		return err
	}
	s.MoreNotLookedAt(inventory.KindMount, "more mounts", len(found)-mostNamed)
	found = found[:min(len(found), mostNamed)]
	t.date(ctx, found)
	t.findDead(ctx, found)
	some := someOfAll{}
	for _, m := range found {
		how := m.refers()
		it := inventory.Item{
			Kind: inventory.KindMount, Name: m.Path, Owner: inventory.Foreign, Fate: inventory.Stays, Refers: how,
			Detail: fmt.Sprintf("%s, %s from %s", m.Class(), m.FSType, m.Source),
			Why:    "nothing proves that a pod made it; unmount it if nothing on this host needs it",
		}
		if how != "" && some.name(m.all, it, "more mounts below "+m.all, who(m.pod, m.all)+" could mount there") {
			s.Add(it)
		}
	}
	some.tell(s)
	return nil
}

// someOfAll counts what is named of each directory that a pod was given with all that is in it.
type someOfAll map[string]*counted

type counted struct {
	n            int
	last         inventory.Item
	what, refers string
}

// name reports whether one more is named, by itself.
func (a someOfAll) name(all string, it inventory.Item, what, refers string) bool {
	if all == "" {
		return true
	}
	if a[what] == nil {
		a[what] = &counted{what: what, refers: refers}
	}
	a[what].n, a[what].last = a[what].n+1, it
	return a[what].n <= mostOfAll
}

// tell says how many were not named.
func (a someOfAll) tell(s *part.Findings) {
	for _, what := range slices.Sorted(maps.Keys(a)) {
		s.More(a[what].last, a[what].n-mostOfAll, what, a[what].refers)
	}
}

// candidates are the mounts of which more has to be known, the topmost of several at a path.
// An administrator's are none: those in /etc/fstab and in mount units.
func (t HostPaths) candidates(all []host.Mount, shares part.Shares) ([]mounted, error) {
	written, err := t.WrittenDown()
	if err != nil {
		return nil, err
	}
	ours, roots, top := t.Ours(all), t.Roots(), map[string]int{}
	for i, m := range all {
		top[m.Path] = i
	}
	var out []mounted
	for i, m := range all {
		own := slices.ContainsFunc(roots, func(root string) bool { return part.Within(m.Path, root) })
		if top[m.Path] != i || own || !candidate(m) || slices.Contains(written, m.Path) || ours(m) {
			continue
		}
		by := shares.Mounter(m.Path)
		one := mounted{Mount: m, pod: by.Pod, all: by.All(), layered: layered(m, t.Places().RuntimeRoot), dead: deserted(m)}
		if one.pod != "" || one.layered || one.dead || isFUSE(m) {
			out = append(out, one)
		}
	}
	return out, nil
}

func isFUSE(m host.Mount) bool {
	return m.FSType == "fuse" || strings.HasPrefix(m.FSType, "fuse.") || m.FSType == "fuseblk"
}

// date finds out since when the mounts are there. A file system in memory was made with its
// root; of all others systemd says when they appeared, since it has a unit of each.
func (t HostPaths) date(ctx context.Context, found []mounted) {
	for i, m := range found {
		if m.Class() == host.Memory && t.Older(m.Path) {
			found[i].age = older
		}
	}
	if len(found) == 0 {
		return
	}
	args := []string{"show", "--property=Id,Where,ActiveEnterTimestampMonotonic", "--", "basic.target"}
	for _, m := range found {
		args = append(args, m.Path) // systemd knows the unit of a path
	}
	said, err := t.Run(ctx, host.Command{Name: "systemctl", Args: args, Timeout: askLimit})
	if err != nil {
		return // nothing tells since when they are there
	}
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return
	}
	booted := time.Now().Add(-time.Duration(now.Nano()))
	since := appeared(said)
	for i, m := range found {
		at, known := since[m.Path]
		switch {
		case !known || m.age != unknown:
		case at <= since[booting] || booted.Add(at).Before(t.Facts.Joined):
			found[i].age = older
		case !t.Facts.Joined.IsZero():
			found[i].age = younger
		}
	}
}

// booting is the unit that is there before systemd starts services, a kubelet among them.
const booting = "basic.target"

// appeared is how long after the boot the units of some mounts, by their paths, and of
// basic.target became active, as systemctl shows it: blocks of KEY=VALUE.
func appeared(said string) map[string]time.Duration {
	out := map[string]time.Duration{}
	for block := range strings.SplitSeq(said, "\n\n") {
		name, at := "", int64(0)
		for line := range strings.Lines(block) {
			switch key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "="); {
			case key == "Where", key == "Id" && value == booting:
				name = value
			case key == "ActiveEnterTimestampMonotonic":
				at, _ = strconv.ParseInt(value, 10, 64) // zero for what is no number: not known
			}
		}
		if name != "" && at > 0 && at < int64(time.Duration(1<<62)/time.Microsecond) {
			out[name] = time.Duration(at) * time.Microsecond
		}
	}
	return out
}

// findDead asks those file systems that a program serves whether it still does.
func (t HostPaths) findDead(ctx context.Context, found []mounted) {
	var paths []string
	for _, m := range found {
		if isFUSE(m.Mount) && len(paths) < mostAsked {
			paths = append(paths, m.Path)
		}
	}
	answers := t.Serves(ctx, paths)
	for i, m := range found {
		found[i].dead = m.dead || errors.Is(answers[m.Path], unix.ENOTCONN)
	}
}
