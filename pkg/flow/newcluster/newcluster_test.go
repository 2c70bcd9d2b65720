// SPDX-License-Identifier: Apache-2.0

package newcluster

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func TestAConfigurationIsMadeOfFlagsAndAFile(t *testing.T) {
	const file = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nnetworking:\n  podSubnet: 10.0.0.0/16\n---\n" +
		"apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nfailSwapOn: false\n"
	for name, tc := range map[string]struct {
		settings Settings
		want     []string
	}{
		"nothing": {Settings{}, []string{`"podSubnet":"10.244.0.0/16"`, `"kind":"InitConfiguration"`}},
		"flags": {Settings{Endpoint: "api.example.com:443", PodCIDR: "10.1.0.0/16", ServiceCIDR: "10.2.0.0/16", Version: "v1.36.3",
			ImageRepository: "m.example/k8s", ClusterName: "prod", NodeName: "cp1", CRISocket: "/run/c.sock", AdvertiseAddress: "10.9.0.1"},
			[]string{`"controlPlaneEndpoint":"api.example.com:443"`, `"podSubnet":"10.1.0.0/16"`, `"serviceSubnet":"10.2.0.0/16"`,
				`"kubernetesVersion":"v1.36.3"`, `"imageRepository":"m.example/k8s"`, `"clusterName":"prod"`, `"name":"cp1"`,
				`"criSocket":"unix:///run/c.sock"`, `"advertiseAddress":"10.9.0.1"`}},
		"a cluster of one node":   {Settings{Untaint: true}, []string{`"taints":[]`}},
		"a file":                  {Settings{Config: []byte(file)}, []string{`"podSubnet":"10.0.0.0/16"`, `"failSwapOn":false`}},
		"a flag beside a file":    {Settings{Config: []byte(file), Endpoint: "a"}, []string{`"controlPlaneEndpoint":"a"`, `"failSwapOn":false`}},
		"the same in flag and in": {Settings{Config: []byte(file), PodCIDR: "10.0.0.0/16"}, []string{`"podSubnet":"10.0.0.0/16"`}},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := tc.settings.Documents()
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(all)
			for _, want := range tc.want {
				if err != nil || !strings.Contains(string(raw), want) {
					t.Errorf("no %s in %s, %v", want, raw, err)
				}
			}
		})
	}
}

func TestSettingsThatContradictEachOtherAreAnError(t *testing.T) {
	cluster := func(rest string) []byte {
		return []byte("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n" + rest)
	}
	for name, s := range map[string]Settings{
		"flag and file":       {Config: cluster("controlPlaneEndpoint: a\n"), Endpoint: "b"},
		"an API that is gone": {Config: []byte("apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n")},
		"two of one kind":     {Config: append(cluster("---\n"), cluster("")...)},
		"no kind":             {Config: []byte("a: b\n")},
		"no YAML":             {Config: []byte("a: [b\n")},
		"a list":              {Config: []byte("- a\n")},
		"a key twice":         {Config: cluster("clusterName: a\nclusterName: b\n")},
		"larger than a file":  {Config: make([]byte, MostOfConfig+1)},
		"taints and --untaint": {Untaint: true, Config: []byte("kind: InitConfiguration\nnodeRegistration: {taints: [{key: a,\n" +
			"  effect: NoSchedule}]}\n")},
	} {
		if all, err := s.Documents(); err == nil {
			t.Errorf("%s: %s", name, all)
		}
	}
	for name, s := range map[string]Settings{
		"an endpoint with a scheme": {Endpoint: "https://a"}, "upper case": {Endpoint: "API"}, "a port that is none": {Endpoint: "a:x"},
		"a path": {Endpoint: "a/b"}, "loopback": {AdvertiseAddress: "127.0.0.1"}, "a name": {AdvertiseAddress: "a"},
		"a host's address as a network": {PodCIDR: "10.0.0.1/16"}, "half a version": {Version: "1.36"},
	} {
		if s.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, endpoint := range []string{"a", "a.b:6443", "10.0.0.1", "10.0.0.1:443", "fd00::1", "[fd00::1]:6443"} {
		if err := (Settings{Endpoint: endpoint}).Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestNoSecretOfAConfigurationIsShown(t *testing.T) {
	for name, file := range map[string]string{
		"the tokens and the key of an init": `{"kind": "InitConfiguration", "certificateKey": "hush", "bootstrapTokens": [{"token": "hush"}]}`,
		"the token of a discovery":          `{"kind": "JoinConfiguration", "discovery": {"bootstrapToken": {"token": "hush"}}}`,
		"the token of a TLS bootstrap":      `{"kind": "JoinConfiguration", "discovery": {"tlsBootstrapToken": "hush"}}`,
		"the key of a control plane":        `{"kind": "JoinConfiguration", "controlPlane": {"certificateKey": "hush"}}`,
		"a token that is no text":           `{"kind": "JoinConfiguration", "discovery": {"token": ["hush"]}}`,
	} {
		shown, err := Shown([]json.RawMessage{json.RawMessage(file)})
		if err != nil || strings.Contains(shown, "hush") || !strings.Contains(shown, "(not shown)") || !strings.Contains(shown, "kind: ") {
			t.Errorf("%s: %s, %v", name, shown, err)
		}
	}
}

func TestWhatAConfigurationWantsOfItsHost(t *testing.T) {
	all, err := Settings{Version: "v1.36.3", PodCIDR: "fd00::/48", IgnorePreflightErrors: []string{"Swap"}, Config: []byte(
		"kind: KubeletConfiguration\ncgroupDriver: cgroupfs\nfailCgroupV1: false\n---\n" +
			"kind: KubeProxyConfiguration\nmode: nftables\n")}.Documents()
	if err != nil {
		t.Fatal(err)
	}
	w, err := Wanted(all)
	if err != nil || w.Role != prep.ControlPlane || w.Kubernetes != "v1.36.3" || !w.IPv6 || w.CgroupDriver != "cgroupfs" ||
		!w.CgroupV1Allowed || w.ProxyMode != "nftables" || len(w.Ignored) != 1 {
		t.Errorf("%+v, %v", w, err)
	}
}

// says is a host that answers something.
type says string

func (s says) Deliver(context.Context, wire.Delivery, plan.Report) (wire.Answer, error) {
	return wire.Answer{Result: json.RawMessage(s)}, nil
}

func TestAnAnswerThatNoHostSendsIsAnError(t *testing.T) {
	long := strings.Repeat("x", 9<<10)
	for name, answer := range map[string]string{
		"no object": `"hush"`, "an endpoint without end": `{"endpoint": "` + long + `"}`, "a change without end": `{"outcome": {"made": ["` + long + `"]}}`,
	} {
		_, err := Create(t.Context(), says(answer), prep.InitOrder{}, func(string, ...any) {})
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out, err := Create(t.Context(), says(`{"node": "cp1", "already": true}`), prep.InitOrder{}, func(string, ...any) {}); err != nil || out.Node != "cp1" {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestANewClusterSettles: flannel refuses a node without a range, and kubeadm returns
// before the controllers have given it one.
func TestANewClusterSettles(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "cp1"}}
	if lacking(node) == "" {
		t.Error("a node without a range lacks nothing")
	}
	node.Spec.PodCIDR = "10.244.0.0/24"
	if err := Settle(t.Context(), fake.NewClientset(node), "cp1", func(string, ...any) {}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	broken := fake.NewClientset()
	broken.PrependReactor("get", "nodes", func(k8stesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("refused") })
	if err := Settle(ctx, broken, "cp1", func(string, ...any) {}); !errors.Is(err, ErrOutOfReach) {
		t.Error(err)
	}
}
