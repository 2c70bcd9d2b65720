// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/helm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/mirror"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/registry"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// mirrorVariable holds the mirrors of who gives no --mirror.
const mirrorVariable = "KUBECTL_LIFECYCLE_MIRROR"

// chartFlags say which chart is meant, with which values, and from where it comes.
type chartFlags struct {
	chart, version string
	digest         string // of the chart's archive
	definitions    string
	sets, files    []string
	mirrors        []string
	secrets        []string
	authority      string // a file of certificates
}

func (f *chartFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.chart, "chart", "", "Where to take the chart from (default: the network's own repository)")
	flags.StringVar(&f.version, "version", "", "Version of the chart (default: the one installed, else the one this plugin was tested with)")
	flags.StringVar(&f.digest, "chart-digest", "",
		"Digest that the archive of the chart must have: sha256:… (default: any; a repository's own is checked in any case)")
	flags.StringVar(&f.definitions, "crd-chart", "",
		"Where to take the chart of definitions from, for a network that has one (calico) (default: its own repository)")
	flags.StringArrayVar(&f.sets, "set", nil, "Set a value of the chart, as with Helm: a.b=c")
	flags.StringArrayVar(&f.files, "values", nil, "File with values of the chart, in YAML")
	flags.StringArrayVar(&f.mirrors, "mirror", nil, "Take charts and images of a registry from another: quay.io=HOST, quay.io=HOST/PREFIX, "+
		"*=HOST; or @FILE with one a line (default: $"+mirrorVariable+")")
	flags.StringArrayVar(&f.secrets, "image-pull-secret", nil, "Secret in the network's namespace to pull images with")
	flags.StringVar(&f.authority, "registry-ca", "", "File with the certificates of the authorities of registries (default: this machine's)")
}

// request reads the flags; an error is of class Misused.
func (f chartFlags) request(name string) (cni.Request, error) {
	given, err := helm.ReadValues(f.files, f.sets)
	if err != nil {
		return cni.Request{}, err
	}
	words := f.mirrors
	if len(words) == 0 {
		words = []string{os.Getenv(mirrorVariable)}
	}
	words, err = mirrorsIn(words)
	if err != nil {
		return cni.Request{}, err
	}
	through, err := mirror.Parse(words)
	if err != nil {
		return cni.Request{}, err
	}
	roots, err := authorities(f.authority)
	if err != nil {
		return cni.Request{}, err
	}
	request := cni.Request{CNI: name, Chart: f.chart, Version: f.version, Digest: f.digest, Definitions: f.definitions, Values: given,
		Mirror: through, PullSecrets: f.secrets, Roots: roots}
	return request, request.Validate()
}

// addChecks adds the flags that ask registries and hosts first.
func (f *cniFlags) addChecks(flags *pflag.FlagSet) {
	flags.BoolVar(&f.check, "check-images", false,
		"Ask the registries first whether each image is there for the architecture of every node")
	flags.BoolVar(&f.look, "look", false,
		"Ask hosts first what is in /etc/cni/net.d, and whether they have what the network needs")
}

// images asks for the images, where they are to be checked.
func (f cniFlags) images(ctx context.Context, survey facts.Facts, inst cni.Installation, request cni.Request) error {
	if !f.check {
		return nil
	}
	_, err := cni.Prove(ctx, registry.Client{Credentials: registry.Docker(), Roots: request.Roots}, survey, inst)
	return err
}

// mostMirrors bounds a file of mirrors.
const mostMirrors = 64 << 10

// mirrorsIn puts in the place of each @FILE the mirrors that it names, one a line; what
// follows a # is a comment.
func mirrorsIn(words []string) (out []string, err error) {
	for _, word := range words {
		file, is := strings.CutPrefix(strings.TrimSpace(word), "@")
		if !is {
			out = append(out, word)
			continue
		}
		raw, err := os.ReadFile(file)
		if err == nil && len(raw) > mostMirrors {
			err = fmt.Errorf("%s has more than %d KiB", file, mostMirrors>>10)
		}
		if err != nil {
			return nil, plan.As(plan.Misused, fmt.Errorf("read the file of mirrors: %w", err))
		}
		for line := range strings.Lines(string(raw)) {
			line, _, _ = strings.Cut(line, "#")
			out = append(out, line)
		}
	}
	return out, nil
}

func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, plan.As(plan.Misused, fmt.Errorf("read --registry-ca: %w", err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, plan.As(plan.Misused, fmt.Errorf("read --registry-ca: there is no certificate in %s", file))
	}
	return pool, nil
}
