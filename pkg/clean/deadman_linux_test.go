// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// behindRules is an API server on the host that new connections reach only
// through a rule of Kubernetes': somebody's policy drops the rest.
const behindRules = `ip link set lo up
iptables-nft -N KUBE-NODEPORTS; iptables-nft -A KUBE-NODEPORTS -p tcp --dport 6443 -m comment --comment "api" -j ACCEPT
iptables-nft -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; iptables-nft -A INPUT -j KUBE-NODEPORTS
iptables-nft -A INPUT -p icmp -j ACCEPT; iptables-nft -P INPUT DROP`

// listen starts the API server, and returns how it is asked.
func (w *world) listen() func(context.Context) error {
	w.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:6443")
	hosttest.Must(w.T, err)
	w.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	return func(ctx context.Context) error {
		c, err := (&net.Dialer{Timeout: 100 * time.Millisecond}).DialContext(ctx, "tcp", "127.0.0.1:6443")
		if err == nil {
			err = c.Close()
		}
		return err
	}
}

// rules is the packet filter in its tools' words.
func (w *world) rules() string {
	w.Helper()
	return w.script(`plain() { grep -v '^#' | sed -E 's/\[[0-9:]+\]/[0:0]/' |
			awk '/^\*/ { t = $0 } /^:/ { print t, $0 | "sort"; next } { print t, $0 }'; }
		iptables-nft-save | plain; iptables-legacy-save | plain`)
}

// filterStep is the step of the recipe that deletes rules.
func (w *world) filterStep() plan.Plan {
	recipe := w.target().Recipe()
	at := slices.IndexFunc(recipe.Steps, func(s plan.Step) bool { return s.ID == "packet-filter" })
	recipe.Steps = recipe.Steps[at : at+1]
	return recipe
}

func TestRulesThatLetTheHostBeReachedComeBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.reach = w.listen()
		w.script(behindRules)
		before := w.rules()
		_, err := w.filterStep().Run(w.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), "so they are back") || !strings.Contains(plan.HintOf(err), "--firewall=none") {
			w.Errorf("got %v, hint %q", err, plan.HintOf(err))
		}
		if diff := cmp.Diff(before, w.rules()); diff != "" {
			w.Errorf("(-before +after):\n%s", diff)
		}
		if err := w.reach(w.Context()); err != nil {
			w.Errorf("it is not reached: %v", err)
		}
		// Somebody lets it pass: then ours goes.
		w.script("iptables-nft -I INPUT -p tcp -j ACCEPT")
		_, err = w.filterStep().Run(w.Context(), nil)
		hosttest.Must(w.T, err)
		if got := w.rules(); strings.Contains(got, "KUBE-NODEPORTS") || !strings.Contains(got, ":INPUT DROP") {
			w.Errorf("rules:\n%s", got)
		}
	})
}

func TestAProgramThatIsKilledBeforeItCouldTellSettlesItLater(t *testing.T) {
	for _, tool := range []string{"iptables-nft", "iptables-legacy"} {
		t.Run(tool, func(t *testing.T) {
			inWorld(t, func(w *world) { w.killedBeforeItCouldTell(strings.ReplaceAll(behindRules, "iptables-nft", tool)) })
		})
	}
}

// killed deletes rules, and is killed before it is known what that did.
func (w *world) killed() {
	w.Helper()
	ctx, kill := context.WithCancel(w.Context())
	defer kill()
	asked := 0
	w.reach = func(context.Context) error {
		if asked++; asked == 1 {
			return nil
		}
		kill()
		return errors.New("no answer")
	}
	if _, err := w.filterStep().Run(ctx, nil); err == nil || strings.Contains(w.rules(), "KUBE-NODEPORTS") {
		w.Fatalf("got %v, rules:\n%s", err, w.rules())
	}
}

func (w *world) killedBeforeItCouldTell(rules string) {
	w.Helper()
	w.join()
	reach := w.listen()
	w.script(rules)
	before := w.rules()
	w.killed()
	w.reach = reach
	_, err := w.filterStep().Run(w.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "so they are back") {
		w.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, w.rules()); diff != "" {
		w.Errorf("(-before +after):\n%s", diff)
	}
}

// The way back brings them back, too, and so does a removal that leaves the packet filter alone.
func TestWhatAKilledProgramDeletedIsAccountedForOnEveryWay(t *testing.T) {
	for name, on := range map[string]func(w *world) error{
		"the way back": func(w *world) error { return w.target().Restore(w.Context()) },
		"--firewall=none": func(w *world) error {
			w.choices.Firewall = inventory.FirewallNone
			_, err := w.filterStep().Run(w.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), "so they are back") {
				return fmt.Errorf("got %w", err)
			}
			return nil
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				reach := w.listen()
				w.script(behindRules)
				before := w.rules()
				w.killed()
				w.reach = reach
				if err := on(w); err != nil {
					w.Error(err)
				}
				if diff := cmp.Diff(before, w.rules()); diff != "" || w.exists("/state/packet-filter-deleted.txt") {
					w.Errorf("(-before +after):\n%s", diff)
				}
			})
		})
	}
}

func TestAnAPIServerThatIsReachedAllTheTimeKeepsNoRule(t *testing.T) {
	inWorld(t, func(w *world) {
		before := w.dump()
		w.join()
		w.reach = w.listen()
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
		if w.exists("/state/packet-filter-deleted.txt") {
			w.Error("the note of what was deleted is left")
		}
	})
}

func TestAnAPIServerThatWasOutOfReachBeforeProvesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.reach = func(context.Context) error { return errors.New("no route to host") }
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
	})
}
