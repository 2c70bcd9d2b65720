// SPDX-License-Identifier: Apache-2.0

package certcheck

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
)

// bundle is what an object has its server checked with.
type bundle struct {
	name        string
	annotations map[string]string
	raw         []byte
}

// add makes a row of a bundle, once for each object and content.
func (s survey) add(p *part, seen map[string]bool, b bundle) {
	if len(b.raw) == 0 || seen[b.name+string(b.raw)] {
		return
	}
	seen[b.name+string(b.raw)] = true
	row := certs.Row{Name: b.name, Where: "caBundle", Authority: true, ManagedBy: manager(b.annotations)}
	all, err := certs.Bundle(b.raw)
	if err != nil {
		row.CannotRead = err.Error()
		p.row(row)
		return
	}
	// A bundle is of use until the last of its authorities has ended.
	last := certs.Describe(all[0])
	for _, c := range all[1:] {
		if d := certs.Describe(c); d.NotAfter.After(last.NotAfter) {
			last = d
		}
	}
	for _, c := range all {
		if !c.NotAfter.After(s.now) && c.NotAfter.Before(last.NotAfter) {
			row.Notes = append(row.Notes, "one of its authorities has ended on "+c.NotAfter.UTC().Format(time.DateOnly))
		}
	}
	p.row(row.Of(last))
}

// manager says what keeps a bundle up to date, where its annotations tell.
func manager(annotations map[string]string) string {
	for _, key := range []string{"cert-manager.io/inject-ca-from", "cert-manager.io/inject-ca-from-secret",
		"cert-manager.io/inject-apiserver-ca"} {
		if annotations[key] != "" {
			return "cert-manager"
		}
	}
	return certs.NotRenewed
}

// webhooks reads the authorities of the admission webhooks.
func (s survey) webhooks(ctx context.Context) (p part) {
	seen := map[string]bool{}
	api := s.cluster.Client.AdmissionregistrationV1()
	validating, err := api.ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		p.miss("the validatingwebhookconfigurations", err)
	} else {
		for _, c := range validating.Items {
			for _, w := range c.Webhooks {
				s.add(&p, seen, bundle{"validatingwebhookconfiguration/" + c.Name, c.Annotations, w.ClientConfig.CABundle})
			}
		}
	}
	mutating, err := api.MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		p.miss("the mutatingwebhookconfigurations", err)
		return p
	}
	for _, c := range mutating.Items {
		for _, w := range c.Webhooks {
			s.add(&p, seen, bundle{"mutatingwebhookconfiguration/" + c.Name, c.Annotations, w.ClientConfig.CABundle})
		}
	}
	return p
}

// apiServices reads the authorities of the servers to which the API server hands requests on.
func (s survey) apiServices(ctx context.Context) (p part) {
	client := s.cluster.Client.Discovery().RESTClient()
	raw, err := client.Get().AbsPath("/apis/apiregistration.k8s.io/v1/apiservices").DoRaw(ctx)
	var list struct {
		Items []struct {
			Metadata struct {
				Name        string            `json:"name"`
				Annotations map[string]string `json:"annotations"`
			} `json:"metadata"`
			Spec struct {
				CABundle []byte `json:"caBundle"`
			} `json:"spec"`
		} `json:"items"`
	}
	if err == nil {
		if err = json.Unmarshal(raw, &list); err != nil {
			err = fmt.Errorf("decode: %w", err)
		}
	}
	if err != nil {
		p.miss("the apiservices", err)
		return p
	}
	seen := map[string]bool{}
	for _, item := range list.Items {
		s.add(&p, seen, bundle{"apiservice/" + item.Metadata.Name, item.Metadata.Annotations, item.Spec.CABundle})
	}
	return p
}
