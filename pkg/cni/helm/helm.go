// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/kube"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// hookTimeout is for a chart's own hooks, the only thing Helm waits for here.
const hookTimeout = 5 * time.Minute

// maxHistory is how many revisions of a release are kept.
const maxHistory = 10

// Client is a release.Store by way of Helm's own library (v3.22). Its methods are
// not for use by several goroutines at once: Helm is not either (helm#9089).
type Client struct {
	// Getter leads to the cluster.
	Getter Getter
	// Driver is where releases are recorded, as in HELM_DRIVER; empty means
	// Secrets.
	Driver string
}

// Getter makes what Helm talks to a cluster with. The configuration flags of
// kubectl are one (genericclioptions.RESTClientGetter).
type Getter interface {
	ToRESTConfig() (*rest.Config, error)
	ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error)
	ToRESTMapper() (meta.RESTMapper, error)
	ToRawKubeConfigLoader() clientcmd.ClientConfig
}

// Find returns the newest revision of a release.
func (c Client) Find(ctx context.Context, namespace, name string) (release.Release, error) {
	if err := ctx.Err(); err != nil {
		return release.Release{}, err
	}
	cfg, err := c.configuration(namespace)
	if err != nil {
		return release.Release{}, err
	}
	last, err := cfg.Releases.Last(name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return release.Release{}, nil
	}
	if err != nil {
		return release.Release{}, err
	}
	out := release.Release{Name: last.Name, Namespace: last.Namespace, Revision: last.Version, Status: release.Status(last.Info.Status),
		Updated: last.Info.LastDeployed.Time}
	if last.Chart != nil && last.Chart.Metadata != nil {
		out.Chart, out.Version, out.Digest = last.Chart.Metadata.Name, last.Chart.Metadata.Version, digest(last.Chart)
	}
	if deployed, err := cfg.Releases.Deployed(name); err == nil {
		// A release without values has been deployed all the same.
		out.Values = values.Merge(nil, deployed.Config)
	} else if !errors.Is(err, driver.ErrNoDeployedReleases) && !errors.Is(err, driver.ErrReleaseNotFound) {
		return release.Release{}, err
	}
	return out, nil
}

// Apply installs, replaces or upgrades. Helm goes on in the background when its
// context ends (helm#12086), so it is given one that does not.
func (c Client) Apply(ctx context.Context, desired release.Desired) error {
	defer quiet()()
	if err := ctx.Err(); err != nil {
		return err
	}
	cfg, err := c.configuration(desired.Namespace)
	if err != nil {
		return err
	}
	loaded, err := assemble(desired.Chart)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if desired.Action != release.Upgrade {
		_, err = c.install(cfg, desired).RunWithContext(ctx, loaded, values.Clone(desired.Values))
		return err
	}
	upgrade := action.NewUpgrade(cfg)
	upgrade.Namespace = desired.Namespace
	upgrade.Timeout = hookTimeout
	upgrade.MaxHistory = maxHistory
	// The values are complete: what was kept of the old ones is among them.
	upgrade.ResetValues = true
	upgrade.PostRenderer = stamper{desired.Through}
	upgrade.TakeOwnership = desired.Adopt
	_, err = upgrade.RunWithContext(ctx, desired.Name, loaded, values.Clone(desired.Values))
	return err
}

func (c Client) install(cfg *action.Configuration, desired release.Desired) *action.Install {
	install := action.NewInstall(cfg)
	install.ReleaseName, install.Namespace = desired.Name, desired.Namespace
	install.Replace = desired.Action == release.Replace
	install.Timeout = hookTimeout
	install.PostRenderer = stamper{desired.Through}
	install.TakeOwnership = desired.Adopt
	return install
}

// Unlock marks an unfinished release as failed.
func (c Client) Unlock(ctx context.Context, r release.Release) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cfg, err := c.configuration(r.Namespace)
	if err != nil {
		return err
	}
	got, err := cfg.Releases.Get(r.Name, r.Revision)
	if err != nil {
		return err
	}
	got.SetStatus(helmrelease.StatusFailed, "left unfinished ("+string(got.Info.Status)+"), taken up again by kubectl-lifecycle")
	return cfg.Releases.Update(got)
}

// configuration is made for each operation: Helm's actions write into it.
func (c Client) configuration(namespace string) (*action.Configuration, error) {
	cfg := new(action.Configuration)
	if err := cfg.Init(calm{c.Getter}, namespace, c.Driver, func(string, ...any) {}); err != nil {
		return nil, plan.Refuse(fmt.Errorf("prepare Helm: %w", err), "is HELM_DRIVER right? Unset it for Secrets")
	}
	if client, ok := cfg.KubeClient.(*kube.Client); ok {
		// Else objects without a namespace go to that of the kubeconfig.
		client.Namespace = namespace
	}
	return cfg, nil
}

// calm is a getter whose clients neither print warnings nor wait for a bucket.
type calm struct {
	Getter
}

// ToRESTConfig returns the configuration of such clients.
func (c calm) ToRESTConfig() (*rest.Config, error) {
	config, err := c.Getter.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.WarningHandler = rest.NoWarnings{}
	config.QPS = -1
	return config, nil
}

// quiet silences Go's standard logger, which Helm writes to, until the returned
// function is called.
func quiet() func() {
	before := log.Writer()
	log.SetOutput(io.Discard)
	return func() { log.SetOutput(before) }
}

// stamper changes what was rendered: images that no value sends through a mirror,
// and the stamps of stampConfig.
type stamper struct{ through func(string) string }

// Run changes what was rendered.
func (s stamper) Run(rendered *bytes.Buffer) (*bytes.Buffer, error) {
	sent, err := sendImages(rendered.Bytes(), s.through)
	if err != nil {
		return nil, err
	}
	stamped, err := stampConfig(sent)
	return bytes.NewBuffer(stamped), err
}
