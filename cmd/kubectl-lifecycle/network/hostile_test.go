// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/envtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
)

// hostileChart is a network whose chart and release are hostile.
type hostileChart struct{ *cniBed }

func (h hostileChart) Load(context.Context, chart.Source) (chart.Chart, error) {
	return chart.Chart{Name: envtest.Forged, Version: envtest.Forged, Digest: envtest.Forged}, nil
}

func (h hostileChart) Apply(context.Context, release.Desired) error {
	return errors.New(envtest.Forged)
}

func TestNoChartWritesALineOfOurs(t *testing.T) {
	for _, mode := range []env.DryRun{env.DryRunClient, env.DryRunNone} {
		b := newCNIBed()
		streams, _, out, errOut := genericiooptions.NewTestIOStreams()
		e := env.New(streams, "dev")
		values := map[string]any{"podAnnotations": map[string]any{"x": envtest.Forged}}
		request := cni.Request{CNI: "flannel", Chart: envtest.Forged, Values: values}
		if err := (commands{e}).runCNI(t.Context(), b.Clientset, hostileChart{b}, request, cniFlags{mode: mode}); err != nil {
			e.TellError(err)
		}
		envtest.Harmless(t, "a chart", out.String()+errOut.String())
	}
}
