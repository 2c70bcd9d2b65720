// SPDX-License-Identifier: Apache-2.0

//go:build e2e && chaos

package e2e

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// fault is something that goes wrong in the middle.
type fault struct {
	name string
	// strike makes it happen, and ends it again if it ends by itself.
	strike func(t *testing.T, b *bed, r *running)
}

// outage is how long an API server or a network is away.
const outage = 30 * time.Second

func faults() []fault {
	return []fault{
		{"the plugin is killed", func(_ *testing.T, _ *bed, r *running) { _ = r.cmd.Process.Kill() }},
		{"the pod is deleted", func(t *testing.T, b *bed, _ *running) {
			t.Helper()
			_, _ = b.tryKubectl(t, "", "-n", "kube-system", "delete", "pod", "lifecycle-"+b.blank, "--ignore-not-found", "--force", "--grace-period=0")
		}},
		{"the program is killed", func(t *testing.T, b *bed, _ *running) {
			t.Helper()
			_, _ = b.tryHost(t, b.blank, "systemctl kill --signal=KILL kubectl-lifecycle")
		}},
		{"the host is restarted", func(t *testing.T, b *bed, _ *running) {
			t.Helper()
			if _, err := command(t, commandLimit, "", "docker", "restart", "-t", "1", b.blank); err != nil {
				t.Error(err)
			}
		}},
		{"the API server is stopped for 30 s", func(t *testing.T, b *bed, _ *running) {
			t.Helper()
			b.away(t, "docker", "pause", b.controlPlane, "unpause")
		}},
		{"the network is cut for 30 s", func(t *testing.T, b *bed, _ *running) {
			t.Helper()
			b.unplugged(t)
		}},
	}
}

// away has docker do something to a container, and the contrary after a while.
func (b *bed) away(t *testing.T, docker, verb, container, back string) {
	t.Helper()
	if _, err := command(t, hostLimit, "", docker, verb, container); err != nil {
		t.Error(err)
		return
	}
	<-time.After(outage)
	if _, err := command(t, hostLimit, "", docker, back, container); err != nil {
		t.Error(err)
	}
}

// unplugged takes the host's cable out for a while: the outer end of its link is
// set down, which changes nothing on the host itself.
func (b *bed) unplugged(t *testing.T) {
	t.Helper()
	index := strings.TrimSpace(b.host(t, b.blank, "cat /sys/class/net/eth0/iflink"))
	script := `name=$(ip -o link | awk -F': ' -v i=` + index + ` '$1 == i { sub(/@.*/, "", $2); print $2 }'); ip link set "$name" `
	if _, err := command(t, hostLimit, "", "sh", "-c", script+"down"); err != nil {
		t.Error(err)
		return
	}
	<-time.After(outage)
	if _, err := command(t, hostLimit, "", "sh", "-c", script+"up"); err != nil {
		t.Error(err)
	}
}

// moment is a line of a removal's progress at which a fault strikes: "… Title"
// when a step begins, "✓ Title" when it is done. The end of a step is the
// beginning of the next.
type moment string

// moments runs one removal without any fault, and returns the moments that its
// own list of steps has.
func (b *bed) moments(t *testing.T) []moment {
	t.Helper()
	b.drained(t)
	o := b.must(t, "remove", b.blank, "--yes")
	var out []moment
	for line := range strings.Lines(o.stderr) {
		line = strings.TrimSpace(line)
		if title, is := strings.CutPrefix(line, "✓ "); is {
			title, _, _ = strings.Cut(title, " (")
			line = "✓ " + title
		} else if !strings.HasPrefix(line, "… ") {
			continue
		}
		if m := moment(line); !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// TestChaos is the kill matrix: every fault at every moment of a removal. After
// one more call of the same command the end is the same as without it.
func TestChaos(t *testing.T) {
	b := newBed(t)
	b.ears = listen(t, b.client)
	b.fresh(t)
	b.withNetwork(t)
	all := b.moments(t)
	matrix := map[moment]map[string]string{}
	for _, m := range all {
		matrix[m] = map[string]string{}
		for _, f := range faults() {
			if !wanted("CHAOS_MOMENTS", string(m)) || !wanted("CHAOS_FAULTS", f.name) {
				continue
			}
			ok := t.Run(strings.ReplaceAll(f.name+" at "+string(m), "/", "∕"), func(t *testing.T) { b.strikes(t, f, m) })
			matrix[m][f.name] = map[bool]string{true: "ok", false: "FAILED"}[ok]
		}
	}
	for _, m := range all {
		var cells []string
		for _, f := range faults() {
			cells = append(cells, fmt.Sprintf("%-7s", cmp.Or(matrix[m][f.name], "-")))
		}
		fmt.Printf("%s %s\n", strings.Join(cells, " "), m)
	}
	for i, f := range faults() {
		fmt.Printf("column %d: %s\n", i+1, f.name)
	}
}

// wanted reports whether a name is among those of a variable, parts of names
// separated by commas; all are if it is not set.
func wanted(variable, name string) bool {
	only := os.Getenv(variable)
	return only == "" || slices.ContainsFunc(strings.Split(only, ","), func(part string) bool { return strings.Contains(name, part) })
}

// strikes is one cell of the matrix.
func (b *bed) strikes(t *testing.T, f fault, at moment) {
	t.Helper()
	b.drained(t)
	before := b.names(t, b.blank)
	b.host(t, b.blank, plantLate)
	planted := b.host(t, b.blank, showPlanted)
	r := b.start(t, "remove", b.blank, "--yes", "--timeout", "4m")
	if !b.reaches(t, r, string(at)) {
		t.Logf("it was over before %q was seen", at)
	}
	token, _ := b.tryHost(t, b.blank, "cat /var/lib/kubectl-lifecycle/token")
	f.strike(t, b, r)
	if o := r.wait(t); o.code != 0 {
		o = b.run(t, 0, "remove", b.blank, "--yes", "--ignore-not-found", "--timeout", "4m")
		if o.code != 0 {
			b.run(t, 0, "remove", b.blank, "--yes", "--ignore-not-found", "--timeout", "4m") // so that the next cell has a chance
		}
	}
	if after := b.host(t, b.blank, showPlanted); after != planted && f.name != "the host is restarted" {
		t.Errorf("things of others were changed on the host:\nbefore:\n%s\nafter:\n%s", planted, after)
	}
	b.host(t, b.blank, "("+unplantLate+") 2>/dev/null || true")
	b.isGone(t, before)
	b.nothingOnHost(t)
	if f.name != "the host is restarted" {
		b.isPristine(t, b.blank, b.pristine)
	}
	if token = strings.TrimSpace(token); token != "" {
		b.dies(t, token)
	}
}

// reaches waits until a removal is at a moment; false if it has ended before.
func (b *bed) reaches(t *testing.T, r *running, at string) bool {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if strings.Contains(r.err.String(), at) {
			return true
		}
		// Whoever waits for it is told by wait; here it is only looked at.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
		if _, rest, _ := strings.Cut(string(stat), ") "); err != nil || strings.HasPrefix(rest, "Z") {
			return strings.Contains(r.err.String(), at)
		}
		select {
		case <-t.Context().Done():
			return false
		case <-tick.C:
		}
	}
}
