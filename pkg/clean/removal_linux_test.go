// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// steps is the order that a removal keeps.
var steps = []string{
	"objections", "etcd", "kubelet", "containers", "processes", "mounts", "netns", "programs", "virtual-services", "links", "routes",
	"packet-filter", "ipsets", "connections", "bpf", "cgroups",
	"backup", "files", "credentials", "release",
}

func TestTheOrderOfARemoval(t *testing.T) {
	if diff := cmp.Diff(steps, clean.Target{}.Recipe().IDs()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARemovedHostIsAsItWasBefore(t *testing.T) {
	inWorld(t, func(w *world) {
		before := w.dump()
		w.join()
		verdict := w.remove()
		if verdict.State != inventory.Clean || len(verdict.Lost)+len(verdict.Changed) > 0 {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
		if diff := cmp.Diff([]string{"stop web", "remove web", "stop proxy", "remove proxy"}, w.runtime.Said()); diff != "" {
			w.Errorf("pods (-want +got):\n%s", diff)
		}
		if w.active != "inactive" || w.exists("/etc/systemd/system/kubelet.service.d") {
			w.Errorf("the kubelet is %s, or its hold is left", w.active)
		}
	})
}

func TestTheSecondRunHasNothingToDo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.remove()
		before := w.dump()
		res, err := w.target().Recipe().Run(w.Context(), nil)
		if err != nil || len(res.Done) > 0 {
			w.Errorf("did %v, %v", res.Done, err)
		}
		w.same(before)
	})
}

func TestAHostThatNeverJoinedIsCleanAndStaysAsItIs(t *testing.T) {
	inWorld(t, func(w *world) {
		w.active = "activating" // a kubelet from its package, waiting for a join
		before := w.dump()
		inv := w.survey()
		if len(inv.Ours()) > 0 || len(inv.Blocking) > 0 {
			w.Errorf("ours: %v, blocking: %v", inv.Ours(), inv.Blocking)
		}
		res, err := w.target().Recipe().Run(w.Context(), nil)
		if err != nil || len(res.Done) > 0 {
			w.Errorf("did %v, %v", res.Done, err)
		}
		w.same(before)
	})
}

func TestLookingChangesNothingAndSaysTheSameTwice(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		before := w.dump()
		one, err := json.Marshal(w.survey())
		hosttest.Must(t, err)
		two, err := json.Marshal(w.survey())
		hosttest.Must(t, err)
		if string(one) != string(two) {
			w.Errorf("two surveys differ:\n%s\n%s", one, two)
		}
		w.same(before)
		if len(w.ran) > 0 {
			w.Errorf("ran %v", w.ran)
		}
	})
}

func TestInterruptedAfterAnyStepAndRunAgainItFinishes(t *testing.T) {
	inWorld(t, func(w *world) {
		before := w.dump()
		for n := range steps {
			w.join()
			first := w.target().Recipe()
			first.Steps = first.Steps[:n]
			_, err := first.Run(w.Context(), nil)
			hosttest.Must(t, err)
			if slices.Contains(steps[:n], "kubelet") && w.active == "active" {
				w.Errorf("after %s the kubelet runs", steps[n-1])
			}
			if verdict := w.remove(); verdict.State != inventory.Clean {
				w.Errorf("interrupted before %s: %+v", steps[n], verdict)
			}
			w.same(before)
			hosttest.Must(t, host.Local{Root: w.dir}.Remove("/state"))
		}
	})
}

func TestABusyMountStopsTheWorkAndTheWayBackIsOpen(t *testing.T) {
	inWorld(t, func(w *world) {
		before := w.dump()
		w.join()
		holder := exec.CommandContext(t.Context(), "sleep", "1000")
		holder.Dir = w.dir + "/var/lib/kubelet/pods/u1/volumes/data"
		hosttest.Must(t, holder.Start())
		t.Cleanup(func() { _ = holder.Process.Kill() })

		if _, err := w.target().Recipe().Run(w.Context(), nil); plan.ClassOf(err) != plan.Refused || w.active != "active" ||
			!strings.Contains(fmt.Sprint(err), fmt.Sprintf("sleep (pid %d, working directory %s)", holder.Process.Pid, holder.Dir)) {
			w.Errorf("it began, with %v; the kubelet is %s", err, w.active)
		}
		recipe := w.target().Recipe() // it comes when the work has begun
		recipe.Steps = recipe.Steps[1:]
		res, err := recipe.Run(w.Context(), nil)
		var busy *host.BusyError
		if !errors.As(err, &busy) || len(busy.Holders) != 1 || busy.Holders[0].PID != holder.Process.Pid || plan.HintOf(err) == "" {
			w.Errorf("got %v, hint %q", err, plan.HintOf(err))
		}
		if res.Failed != "mounts" || !w.exists("/etc/kubernetes/kubelet.conf") || !strings.Contains(w.script("ip link"), "cni0") {
			w.Errorf("it went on after the mounts: %+v", res)
		}
		hosttest.Must(t, w.target().Restore(t.Context()))
		if w.active != "active" || w.exists("/etc/systemd/system/kubelet.service.d") {
			w.Errorf("the kubelet is %s", w.active)
		}
		hosttest.Must(t, holder.Process.Kill())
		_ = holder.Wait()
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
	})
}

func TestOnceTheCredentialsAreGoneThereIsNoWayBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		first := w.target().Recipe()
		first.Steps = first.Steps[:len(steps)-1] // all but the release
		_, err := first.Run(w.Context(), nil)
		hosttest.Must(t, err)
		err = w.target().Restore(t.Context())
		if err == nil || plan.HintOf(err) == "" || w.active != "inactive" {
			w.Errorf("got %v; the kubelet is %s", err, w.active)
		}
		if w.exists("/etc/systemd/system/kubelet.service.d") {
			w.Error("the hold stayed")
		}
	})
}

func TestANetworkThatCannotBeTakenDownDoesNotKeepItsPods(t *testing.T) {
	inWorld(t, func(w *world) {
		before := w.dump()
		w.join()
		w.runtime.Stop = func(pod string) error {
			if pod == "web" && !w.exists("/etc/cni/net.d/00-kubectl-lifecycle.conflist") {
				return errors.New("failed to destroy network: cni plugin not initialized")
			}
			return nil
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
		for n, said := range w.runtime.Said() {
			if said == "stop proxy" && n < 3 {
				w.Errorf("the network's agents went before the pods that need them: %v", w.runtime.Said())
			}
		}
	})
}

func TestARuntimeThatDoesNotAnswerStopsTheWork(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		target := w.target()
		target.Facts.CRISocket = "unix:///run/nobody.sock"
		inv, err := target.Survey(t.Context())
		hosttest.Must(t, err)
		if len(inv.Unchecked) == 0 || inv.Unchecked[0].Kind != inventory.KindSandbox {
			w.Errorf("unchecked: %v", inv.Unchecked)
		}
		res, err := target.Recipe().Run(t.Context(), nil)
		if err == nil || res.Failed != "containers" {
			w.Errorf("got %+v, %v", res, err)
		}
	})
}

// A container that was being started when the kubelet was stopped.
func TestAPodThatCannotBeRemovedYetIsTriedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		before := w.dump()
		w.join()
		refused := 0
		w.runtime.Start(critest.Pod{Name: "young", HostNetwork: true})
		w.runtime.Stop = func(pod string) error {
			if pod == "young" && refused < 3 {
				refused++
				return errors.New("container is in starting state, can't be removed")
			}
			return nil
		}
		if verdict := w.remove(); verdict.State != inventory.Clean || refused != 3 {
			w.Errorf("refused %d times, verdict: %+v", refused, verdict)
		}
		w.same(before)
	})
}

func TestAPodThatCannotBeRemovedStopsTheWork(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.runtime.Start(critest.Pod{Name: "stuck", HostNetwork: true})
		w.runtime.Stop = func(pod string) error {
			if pod == "stuck" {
				return errors.New("task in D state")
			}
			return nil
		}
		res, err := w.target().Recipe().Run(t.Context(), nil)
		if err == nil || res.Failed != "containers" || !strings.Contains(err.Error(), "stop pod ns/stuck: ") || plan.HintOf(err) == "" {
			w.Errorf("got %+v, %v", res, err)
		}
	})
}

func TestLegacyRulesWithoutTheirToolAreUncheckedAndNotClean(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		before := w.survey()
		w.missing = []string{"iptables-legacy-save", "iptables-save"}
		_, err := w.target().Recipe().Run(t.Context(), nil)
		hosttest.Must(t, err)
		after, err := w.target().Survey(t.Context())
		hosttest.Must(t, err)
		if v := inventory.Verify(before, after); v.State != inventory.Dirty || len(v.Unchecked) != 1 || len(v.Remaining) != 0 {
			w.Errorf("verdict: %+v", v)
		}
	})
}

// What a part finds and would remove is shown where its stage is, and nowhere else.
func TestEachPartFindsWhatItsStageRemoves(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		found := 0
		for id, items := range w.target().Found(w.Context()) {
			for _, it := range items {
				found++
				if stage, goes := inventory.StageOf(it); !goes || stage.ID != id {
					w.Errorf("part %s finds %s, which is shown in stage %q", id, it, stage.ID)
				}
			}
		}
		if found < 30 {
			w.Errorf("only %d things go", found)
		}
	})
}
