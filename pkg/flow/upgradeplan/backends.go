// SPDX-License-Identifier: Apache-2.0

package upgradeplan

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/upgrade"
)

// readWebhooks reads whether the servers that admission asks answer.
func (r *reading) readWebhooks(ctx context.Context) error {
	var all []upgrade.Backend
	add := func(object string, where admissionv1.WebhookClientConfig, policy *admissionv1.FailurePolicyType) {
		b := upgrade.Backend{Object: object, Must: policy == nil || *policy != admissionv1.Ignore}
		if where.Service == nil {
			return // outside of the cluster: an upgrade does not touch it
		}
		b.Service = where.Service.Namespace + "/" + where.Service.Name
		if !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	api := r.cluster.Client.AdmissionregistrationV1()
	validating, err1 := api.ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err1 == nil {
		for _, c := range validating.Items {
			for _, w := range c.Webhooks {
				add("validatingwebhookconfiguration/"+c.Name, w.ClientConfig, w.FailurePolicy)
			}
		}
	}
	mutating, err2 := api.MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err2 == nil {
		for _, c := range mutating.Items {
			for _, w := range c.Webhooks {
				add("mutatingwebhookconfiguration/"+c.Name, w.ClientConfig, w.FailurePolicy)
			}
		}
	}
	err := r.serve(ctx, all)
	r.note(func(s *Seen) { s.Backends = append(s.Backends, all...) })
	return cmp.Or(err1, err2, err)
}

// serve says of each backend why it does not answer.
func (r *reading) serve(ctx context.Context, all []upgrade.Backend) error {
	why := map[string]string{}
	for i := range all {
		service := all[i].Service
		if _, asked := why[service]; !asked {
			namespace, name, _ := strings.Cut(service, "/")
			found, err := r.cluster.Client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{
				LabelSelector: discoveryv1.LabelServiceName + "=" + name})
			if err != nil {
				return kube.UnreadList(err, "endpointslices")
			}
			if why[service] = "it has no endpoint that is ready"; anyReady(found.Items) {
				why[service] = ""
			}
		}
		all[i].Why = why[service]
	}
	return nil
}

func anyReady(all []discoveryv1.EndpointSlice) bool {
	return slices.ContainsFunc(all, func(s discoveryv1.EndpointSlice) bool {
		return slices.ContainsFunc(s.Endpoints, func(e discoveryv1.Endpoint) bool { return e.Conditions.Ready == nil || *e.Conditions.Ready })
	})
}

// readAPIServices reads whether the servers of aggregated APIs answer, as the API server
// itself says.
func (r *reading) readAPIServices(ctx context.Context) error {
	client := r.cluster.Client.Discovery().RESTClient()
	if client == nil {
		return errors.New("there is no client for it")
	}
	raw, err := client.Get().AbsPath("/apis/apiregistration.k8s.io/v1/apiservices").DoRaw(ctx)
	if err != nil {
		return kube.UnreadList(err, "apiservices")
	}
	var list struct {
		Items []struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Spec struct {
				Service *struct{ Namespace, Name string } `json:"service"`
			} `json:"spec"`
			Status struct {
				Conditions []struct{ Type, Status, Reason, Message string } `json:"conditions"`
			} `json:"status"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("decode the apiservices: %w", err)
	}
	var all []upgrade.Backend
	for _, item := range list.Items {
		if item.Spec.Service == nil {
			continue
		}
		b := upgrade.Backend{Object: "apiservice/" + text.Short(item.Metadata.Name, 200),
			Service: text.Short(item.Spec.Service.Namespace+"/"+item.Spec.Service.Name, 200)}
		for _, c := range item.Status.Conditions {
			if c.Type == "Available" && c.Status != "True" {
				b.Why = text.Brief(c.Reason + ": " + c.Message)
			}
		}
		all = append(all, b)
	}
	r.note(func(s *Seen) { s.Backends = append(s.Backends, all...) })
	return nil
}

const (
	// mostOfMetrics bounds what is read of the API server's metrics, mostRequested how many
	// deprecated APIs are told.
	mostOfMetrics = 64 << 20
	mostRequested = 100
)

// readRequested reads for which deprecated APIs the API server was asked. To who may not read
// its metrics nothing is said of them: few may.
func (r *reading) readRequested(ctx context.Context) error {
	client := r.cluster.Client.Discovery().RESTClient()
	if client == nil {
		return nil
	}
	stream, err := client.Get().AbsPath("/metrics").Stream(ctx)
	if apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the metrics of the API server: %w", err)
	}
	defer func() { _ = stream.Close() }() // it was read
	all, err := Requested(io.LimitReader(stream, mostOfMetrics))
	r.note(func(s *Seen) { s.Requested = all })
	return err
}

// Requested are the deprecated APIs in the metrics of an API server
// (apiserver_requested_deprecated_apis), without those of Kubernetes itself that every
// cluster shows: its own controllers ask for endpoints and component statuses.
func Requested(metrics io.Reader) (all []upgrade.Requested, err error) {
	label := regexp.MustCompile(`\b(group|version|resource|removed_release)="([^"\\]{0,100})"`)
	lines := bufio.NewScanner(metrics)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	for lines.Scan() && len(all) < mostRequested {
		line, ours := strings.CutPrefix(lines.Text(), "apiserver_requested_deprecated_apis{")
		if !ours || strings.HasSuffix(line, " 0") {
			continue
		}
		of := map[string]string{}
		for _, m := range label.FindAllStringSubmatch(line, -1) {
			of[m[1]] = m[2]
		}
		one := upgrade.Requested{Group: of["group"], Version: of["version"], Resource: of["resource"], Removed: of["removed_release"]}
		if one.Group == "" && one.Removed == "" {
			continue
		}
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all, lines.Err()
}
