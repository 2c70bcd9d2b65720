// SPDX-License-Identifier: Apache-2.0

package wave_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/wave"
)

// diary is what was done, in its order, and how many nodes were worked on at once.
type diary struct {
	mu        sync.Mutex
	lines     []string
	now, most int
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// takes is a stage that takes a second on each node, and fails on some.
func (d *diary) takes(name string, fails ...string) wave.Stage {
	return wave.Stage{Each: func(ctx context.Context, node string) error {
		d.mu.Lock()
		d.now++
		d.most = max(d.most, d.now)
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.now--
		}()
		d.write("%s %s", name, node)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
		if slices.Contains(fails, node) {
			return fmt.Errorf("%s of %s failed", name, node)
		}
		return nil
	}}
}

// together is a stage for all nodes of a wave.
func (d *diary) together(name string, fails ...string) wave.Stage {
	return wave.Stage{All: func(_ context.Context, nodes []string) map[string]error {
		d.write("%s %s", name, strings.Join(nodes, "+"))
		errs := map[string]error{}
		for _, node := range fails {
			errs[node] = errors.New(name + " failed")
		}
		return errs
	}}
}

// rows is a table as text: "a done 2s; b failed 1s (why)".
func rows(outcomes []wave.Outcome) string {
	var out []string
	for _, o := range outcomes {
		row := fmt.Sprintf("%s %s %s", o.Node, o.State, o.Took)
		if o.Err != nil {
			row += " (" + o.Err.Error() + ")"
		}
		out = append(out, row)
	}
	return strings.Join(out, "; ")
}

func TestNodesAreDividedIntoWavesInTheirOrder(t *testing.T) {
	for _, tc := range []struct {
		nodes, want string
		limit       int
	}{
		{"a b c d e", "a b|c d|e", 2},
		{"a b c", "a|b|c", 1},
		{"a b c", "a|b|c", 0},
		{"a b c", "a b c", 9},
		{"", "", 3},
	} {
		var got []string
		for _, nodes := range wave.Waves(strings.Fields(tc.nodes), tc.limit) {
			got = append(got, strings.Join(nodes, " "))
		}
		if strings.Join(got, "|") != tc.want {
			t.Errorf("%q by %d: %v, want %s", tc.nodes, tc.limit, got, tc.want)
		}
	}
}

func TestTheTableSaysWhatBecameOfEachNode(t *testing.T) {
	for name, tc := range map[string]struct {
		rollout func(d *diary) wave.Rollout
		want    string
		// most is how many nodes were worked on at once.
		most  int
		lines string
	}{
		"all go through": {
			rollout: func(d *diary) wave.Rollout {
				return wave.Rollout{Groups: []wave.Group{{Nodes: []string{"a", "b", "c"}, Limit: 2, Stages: []wave.Stage{d.takes("start"),
					d.together("drain"), d.takes("clean")}}}}
			},
			want: "a done 2s; b done 2s; c done 2s", most: 2,
		},
		"one that fails keeps no other": {
			rollout: func(d *diary) wave.Rollout {
				return wave.Rollout{Groups: []wave.Group{{Nodes: []string{"a", "b", "c"}, Limit: 2, Stages: []wave.Stage{d.takes("start", "a"),
					d.together("drain", "c"), d.takes("clean")}}}}
			},
			want: "a failed 1s (start of a failed); b done 2s; c failed 1s (drain failed)", most: 2,
		},
		"after too many no further wave is begun, and that which goes on ends": {
			rollout: func(d *diary) wave.Rollout {
				return wave.Rollout{MaxFailures: 1, Groups: []wave.Group{
					{Nodes: []string{"a", "b", "c"}, Limit: 2, Stages: []wave.Stage{d.takes("start", "a"), d.takes("clean")}},
					{Nodes: []string{"cp"}, Limit: 1, Stages: []wave.Stage{d.takes("start")}},
				}}
			},
			want: "a failed 1s (start of a failed); b done 2s; c not begun 0s; cp not begun 0s", most: 2,
		},
		"as many as are allowed stop nothing": {
			rollout: func(d *diary) wave.Rollout {
				return wave.Rollout{MaxFailures: 2,
					Groups: []wave.Group{{Nodes: []string{"a", "b"}, Limit: 1, Stages: []wave.Stage{d.takes("start", "a")}}}}
			},
			want: "a failed 1s (start of a failed); b done 1s", most: 1,
		},
		"what comes before is done once, and whose fails is left out": {
			rollout: func(d *diary) wave.Rollout {
				return wave.Rollout{Groups: []wave.Group{{Nodes: []string{"a", "b", "c"}, Limit: 2, Before: d.together("cordon", "b").All,
					Stages: []wave.Stage{d.together("drain")}}}}
			},
			want: "a done 0s; b failed 0s (cordon failed); c done 0s", lines: "cordon a+b+c|drain a|drain c",
		},
		"groups go one after the other, each with its limit": {
			rollout: func(d *diary) wave.Rollout {
				return wave.Rollout{Groups: []wave.Group{
					{Nodes: []string{"w"}, Limit: 5, Stages: []wave.Stage{d.together("worker")}},
					{Nodes: []string{"cp1", "cp2"}, Limit: 1, Stages: []wave.Stage{d.together("control plane")}},
				}}
			},
			want: "w done 0s; cp1 done 0s; cp2 done 0s", lines: "worker w|control plane cp1|control plane cp2",
		},
		"of no nodes there is no row": {
			rollout: func(d *diary) wave.Rollout {
				return wave.Rollout{Groups: []wave.Group{{Limit: 2, Before: d.together("cordon").All, Stages: []wave.Stage{d.takes("start")}}}}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &diary{}
				if got := rows(tc.rollout(d).Run(t.Context())); got != tc.want {
					t.Errorf("table %s\nwant  %s", got, tc.want)
				}
				if d.most != tc.most {
					t.Errorf("%d nodes at once, want %d", d.most, tc.most)
				}
				if got := strings.Join(d.lines, "|"); tc.lines != "" && got != tc.lines {
					t.Errorf("done %s, want %s", got, tc.lines)
				}
			})
		})
	}
}

func TestAnInterruptionBeginsNothingMore(t *testing.T) {
	for name, tc := range map[string]struct {
		after time.Duration
		want  string
	}{
		"before anything":             {0, "a not begun 0s; b not begun 0s; c not begun 0s"},
		"in the first stage":          {500 * time.Millisecond, "a failed 500ms (Ctrl-C); b failed 500ms (Ctrl-C); c not begun 0s"},
		"in the last stage of a wave": {1500 * time.Millisecond, "a failed 1.5s (Ctrl-C); b failed 1.5s (Ctrl-C); c not begun 0s"},
		"in the second wave":          {2500 * time.Millisecond, "a done 2s; b done 2s; c failed 500ms (Ctrl-C)"},
		"after everything has ended":  {time.Minute, "a done 2s; b done 2s; c done 2s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if tc.after == 0 {
					cancel(errors.New("Ctrl-C"))
				}
				stop := time.AfterFunc(tc.after, func() { cancel(errors.New("Ctrl-C")) })
				defer stop.Stop()
				d := &diary{}
				rollout := wave.Rollout{Groups: []wave.Group{{Nodes: []string{"a", "b", "c"}, Limit: 2, Stages: []wave.Stage{d.takes("start"),
					d.takes("clean")}}}}
				if got := rows(rollout.Run(ctx)); got != tc.want {
					t.Errorf("table %s\nwant  %s", got, tc.want)
				}
				if got := strings.Join(d.lines, " "); tc.after < 2*time.Second && strings.Contains(got, "start c") {
					t.Errorf("done %s", got)
				}
			})
		})
	}
}
