// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// alone is a web server with one replica and a budget that never opens.
func alone(budget string) app {
	return app{name: "web", replicas: 1, budget: budget, stop: "1s", ready: "500ms"}
}

// asBefore fails the test unless the Deployment is as it was before any surge.
func (p *plane) asBefore(t *testing.T) {
	t.Helper()
	d, err := p.client.AppsV1().Deployments(p.space).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if *d.Spec.Replicas != 1 || len(d.Labels) > 0 || d.Annotations["lifecycle.kubectl.io/surge"] != "" {
		t.Errorf("%d replicas, labels %v, annotations %v", *d.Spec.Replicas, d.Labels, d.Annotations)
	}
}

func TestASurgeEndsADrainThatWouldNot(t *testing.T) {
	for name, tc := range map[string]struct{ budget, mode, says string }{
		"one more replica where the budget wants a number": {"minAvailable: 1", "auto", "2 replicas instead of 1"},
		"a restart where nothing may be unavailable":       {"maxUnavailable: 0", "auto", "a rolling restart"},
		"a restart where all are to be available":          {"minAvailable: 100%", "auto", "a rolling restart"},
		"a restart if that is asked for":                   {"minAvailable: 1", "restart", "a rolling restart"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, 1)
			p.run(t, alone(tc.budget))
			p.addNodes(t, 1)
			if o := p.ours(t, "drain", p.nodes[0], "--timeout", "2s"); o.code != 5 {
				t.Errorf("without a surge: exit code %d: %s", o.code, o.all())
			}
			seen := p.watchFloors(t)
			o := p.ours(t, "drain", p.nodes[0], "--surge", tc.mode)
			if o.code != 0 || !strings.Contains(o.stderr, tc.says) || len(p.on(t, p.nodes[0])) > 0 {
				t.Errorf("exit code %d: %s", o.code, o.all())
			}
			seen.held(t, map[string]int{"web": 1})
			p.asBefore(t)
			p.settled(t, app{name: "web", replicas: 1})
		})
	}
}

func TestASurgeThatIsKilledIsTakenBack(t *testing.T) {
	for name, again := range map[string]func(*plane) []string{
		"by the same command":             func(p *plane) []string { return []string{"drain", p.nodes[0], "--surge", "auto"} },
		"by a plain drain of the node":    func(p *plane) []string { return []string{"drain", p.nodes[0]} },
		"by an abort of the node's drain": func(p *plane) []string { return []string{"drain", p.nodes[0], "--abort"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, 1)
			web := alone("minAvailable: 1")
			web.ready = "5s"
			p.run(t, web)
			p.addNodes(t, 1)
			seen := p.watchFloors(t)
			c := p.start(t, p.plugin, p.kubeconfig, "drain", p.nodes[0], "--surge", "auto")
			p.until(t, "the surge has begun", func(ctx context.Context) (bool, error) {
				d, err := p.client.AppsV1().Deployments(p.space).Get(ctx, "web", metav1.GetOptions{})
				return err == nil && *d.Spec.Replicas == 2, err
			})
			if err := c.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			c.end(t)
			args := again(p)
			o := p.ours(t, args...)
			abort := args[len(args)-1] == "--abort"
			if o.code != 0 || p.cordoned(t, p.nodes[0]) == abort {
				t.Errorf("exit code %d, cordoned %v: %s", o.code, p.cordoned(t, p.nodes[0]), o.all())
			}
			p.asBefore(t)
			p.settled(t, app{name: "web", replicas: 1})
			seen.held(t, map[string]int{"web": 1})
			if abort {
				if o := p.ours(t, args...); o.code != 0 || !strings.Contains(o.stdout, "is not cordoned") {
					t.Errorf("again: exit code %d: %s", o.code, o.all())
				}
			}
		})
	}
}

func TestASurgeThatCannotBeIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	p := newPlane(t, 1)
	p.run(t, alone("maxUnavailable: 0"))
	p.addNodes(t, 1)
	p.theirs(t, "-n", p.space, "autoscale", "deployment", "web", "--min", "1", "--max", "3")
	o := p.ours(t, "drain", p.nodes[0], "--surge", "auto", "--timeout", "2s")
	if o.code != 5 || !strings.Contains(o.stderr, "HorizontalPodAutoscaler web sets its number of replicas") {
		t.Errorf("exit code %d: %s", o.code, o.all())
	}
	p.asBefore(t)
}
