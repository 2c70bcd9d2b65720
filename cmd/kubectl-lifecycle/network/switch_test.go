// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netclean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netswitch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// removable are the releases of a bed that can be taken away.
type removable struct{ *cniBed }

func (r removable) Contents(context.Context, release.Release) (release.Contents, error) {
	return release.Contents{Objects: []release.Object{{Resource: "daemonsets", Namespace: "kube-flannel", Name: "kube-flannel-ds"}}}, nil
}

func (r removable) Remove(context.Context, release.Release) error { return nil }

// switchingTo prepares a switch of the bed's network as far as the API alone tells.
func switchingTo(t *testing.T, b *cniBed, from, to string) (*switching, error) {
	t.Helper()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	s := &switching{commands: commands{env.New(streams, "dev")}, client: b.Clientset, store: removable{b},
		request: cni.Request{CNI: to}, flags: switchFlags{cniFlags: cniFlags{mode: env.DryRunClient}, from: from, restart: true},
		states: netswitch.Store{Client: b.Clientset}}
	return s, s.prepare(t.Context())
}

func TestASwitchIsPreparedAsIfTheOldNetworkWereGone(t *testing.T) {
	b := newCNIBed()
	_, err := switchingTo(t, b, "", "flannel")
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "has none of the networks") {
		t.Errorf("without a network: %v", err)
	}
	_, err = switchingTo(t, b, "cilium", "flannel")
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "cni install flannel") {
		t.Errorf("from one that is not there: %v", err)
	}
	if err := b.run(t, cni.Request{}, cniFlags{}); err != nil {
		t.Fatal(err)
	}
	hook := admissionv1.MutatingWebhook{ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Name: "g"}},
		Rules: []admissionv1.RuleWithOperations{{Rule: admissionv1.Rule{APIGroups: []string{""}, Resources: []string{"pods"}}}}}
	if err := b.Tracker().Add(&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "guard"},
		Webhooks: []admissionv1.MutatingWebhook{hook}}); err != nil {
		t.Fatal(err)
	}
	s, err := switchingTo(t, b, "", "flannel")
	if err != nil || s.resumes || len(s.webhooks) != 1 ||
		s.state.From != "flannel" || s.state.Phase != netswitch.Uninstall || s.new.Action != release.Install ||
		len(s.old.Objects) != 1 || len(s.unclean()) != 1 {
		t.Errorf("%v, state %+v, action %s", err, s.state, s.new.Action)
	}
	state, err := s.states.Begin(t.Context(), s.state)
	if err != nil {
		t.Fatal(err)
	}
	_, err = switchingTo(t, b, "", "cilium")
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "cni switch flannel") {
		t.Errorf("another switch beside it: %v", err)
	}
	state.Phase, state.Cleaned = netswitch.Clean, []string{"w1"}
	if _, err := s.states.Save(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	if s, err = switchingTo(t, b, "", "flannel"); err != nil || !s.resumes || len(s.unclean()) > 0 || len(s.old.Objects) > 0 {
		t.Errorf("%v, resumes %v, to be cleaned %d, to be uninstalled %d", err, s.resumes, len(s.unclean()), len(s.old.Objects))
	}
}

func TestAHostThatCannotBeCleanedIsToldFromOneThatIsSilent(t *testing.T) {
	streams, _, _, said := genericiooptions.NewTestIOStreams()
	s := &switching{commands: commands{env.New(streams, "dev")}}
	if n := s.failed([]netclean.Result{{Node: "a", State: netclean.Looked}, {Node: "b", State: netclean.Silent, Error: "no answer"},
		{Node: "c", State: netclean.Failed, Error: "an agent runs", Hint: "end it"}, {Node: "d", State: netclean.NotBegun}}); n != 2 {
		t.Errorf("%d hosts cannot be cleaned", n)
	}
	if len(s.silent) != 1 || s.silent[0] != "b" || !strings.Contains(said.String(), "host c: failed: an agent runs") ||
		!strings.Contains(said.String(), "end it") || strings.Contains(said.String(), "host b") {
		t.Errorf("silent %v\n%s", s.silent, said)
	}
}

func TestAnInstallationThatWasInterruptedAtItsBeginningGetsItsTime(t *testing.T) {
	b := newCNIBed()
	if err := b.run(t, cni.Request{}, cniFlags{}); err != nil {
		t.Fatal(err)
	}
	s, err := switchingTo(t, b, "", "flannel")
	if err != nil {
		t.Fatal(err)
	}
	s.state.Phase, s.flags.mode = netswitch.Install, env.DryRunNone
	if s.state, err = s.states.Begin(t.Context(), s.state); err != nil || !s.state.Installed.IsZero() {
		t.Fatalf("%+v, %v", s.state, err)
	}
	if err := s.install(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept, _, err := s.states.Load(t.Context())
	if err != nil || kept.Phase != netswitch.Restart || kept.Installed.IsZero() {
		t.Errorf("%+v, %v", kept, err)
	}
}

func TestASwitchAsksForTheImagesBeforeTheOldNetworkGoes(t *testing.T) {
	b := newCNIBed()
	if err := b.run(t, cni.Request{}, cniFlags{}); err != nil {
		t.Fatal(err)
	}
	s, err := switchingTo(t, b, "", "flannel")
	if err != nil {
		t.Fatal(err)
	}
	b.images, s.flags.check = []release.Image{{Image: "127.0.0.1:1/flannel:v1"}}, true
	if err := s.prepare(t.Context()); plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "cannot be pulled") {
		t.Errorf("%v", err)
	}
}

func TestWebhooksThatCannotAnswerInTheMiddleAreSaidBefore(t *testing.T) {
	streams, _, _, said := genericiooptions.NewTestIOStreams()
	s := &switching{commands: commands{env.New(streams, "dev")}}
	if s.sayWebhooks(); said.Len() > 0 {
		t.Errorf("without any: %s", said)
	}
	s.webhooks, s.unread = []string{"validatingwebhookconfiguration/guard"}, errors.New("you may not list them")
	s.sayWebhooks()
	for _, want := range []string{"validatingwebhookconfiguration/guard", "failurePolicy: Ignore", "you may not list them"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}
}

func TestASwitchAsksHostsForWhatTheNextNetworkNeeds(t *testing.T) {
	b := newCNIBed()
	if err := b.run(t, cni.Request{}, cniFlags{}); err != nil {
		t.Fatal(err)
	}
	s, err := switchingTo(t, b, "", "flannel")
	if err != nil {
		t.Fatal(err)
	}
	old := wire.NetConfig{File: "10-flannel.conflist"}
	for name, tc := range map[string]struct {
		host    wire.HostNetwork
		refused bool
	}{
		"what the old network has goes":        {wire.HostNetwork{Configs: []wire.NetConfig{old}}, false},
		"another's file stays":                 {wire.HostNetwork{Configs: []wire.NetConfig{{File: "00-other.conf"}, old}}, true},
		"plugins cannot be put in their place": {wire.HostNetwork{BinNoExec: true}, true},
	} {
		tc.host.Node, tc.host.Netfilter = "w1", true
		tc.host.Plugins = []string{"bridge", "host-local", "loopback", "portmap"}
		s.flags.ask = func(context.Context) ([]wire.HostNetwork, error) { return []wire.HostNetwork{tc.host}, nil }
		if err := s.prepare(t.Context()); (plan.ClassOf(err) == plan.Refused) != tc.refused || !tc.refused && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
