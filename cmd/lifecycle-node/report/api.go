// SPDX-License-Identifier: Apache-2.0

//go:build linux

package report

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// maxAnswer bounds what is read from an API server: a Secret of 1 MiB in base64,
// and some more.
const maxAnswer = 2 << 20

// errTooLarge says that the record has no room for what was to be written.
var errTooLarge = errors.New("the run record has no room for it")

// ErrGone says that the record is no more, or another has its name.
var ErrGone = errors.New("the run record is gone")

// GoneGrace is for how long a server that says so is not believed: one that has
// just started does not know the tokens for a while.
const GoneGrace = 20 * time.Second

// GoneDetector is since when all servers have said that the record is gone; the zero
// value is that none does.
type GoneDetector struct{ since time.Time }

// Believe takes in the outcome of a request, and reports whether the record is
// gone for good.
func (d *GoneDetector) Believe(err error, now time.Time) bool {
	switch {
	case err == nil:
		d.since = time.Time{}
	case errors.Is(err, ErrGone) && d.since.IsZero():
		d.since = now
	}
	return errors.Is(err, ErrGone) && now.Sub(d.since) >= GoneGrace
}

// API reads and patches one Secret, over whichever API server answers.
type API struct {
	spec  wire.Spec
	token string
	http  *http.Client
}

// NewAPI is the way to the record that a spec names.
func NewAPI(spec wire.Spec, token string) (*API, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(spec.CA)) {
		return nil, errors.New("the spec holds no CA certificate")
	}
	return &API{spec: spec, token: token, http: &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			MaxResponseHeaderBytes: 64 << 10,

			Proxy:               nil, // a host's proxy is not on the way to its API server
			TLSClientConfig:     &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			MaxIdleConnsPerHost: 1,
			IdleConnTimeout:     30 * time.Second,
		},
	}}, nil
}

// Reach asks the API servers over new connections until one gives an answer,
// whichever: that there is a way to it is what is asked.
func (a *API) Reach(ctx context.Context) error {
	transport, ok := a.http.Transport.(*http.Transport)
	if !ok {
		return errors.New("no transport to make new connections with")
	}
	fresh := transport.Clone()
	fresh.DisableKeepAlives = true
	client := &http.Client{Timeout: a.http.Timeout, Transport: fresh}
	var errs []error
	for _, server := range a.spec.Endpoints {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/version", http.NoBody)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			return response.Body.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Get reads the record.
func (a *API) Get(ctx context.Context) (wire.State, error) {
	found, err := a.do(ctx, http.MethodGet, nil)
	if err != nil {
		return wire.State{}, err
	}
	return wire.Parse(found.Data)
}

// patch sets keys of the record.
func (a *API) patch(ctx context.Context, data map[string]string) error {
	body, err := json.Marshal(map[string]any{
		"metadata":   map[string]string{"uid": a.spec.Record.UID},
		"stringData": data,
	})
	if err != nil {
		return err
	}
	_, err = a.do(ctx, http.MethodPatch, body)
	return err
}

// Put sets one key of the record to bytes.
func (a *API) Put(ctx context.Context, key string, value []byte) error {
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]string{"uid": a.spec.Record.UID},
		"data":     map[string][]byte{key: value},
	})
	if err != nil {
		return err
	}
	_, err = a.do(ctx, http.MethodPatch, body)
	return err
}

// secret is the part of a Secret that is read here.
type secret struct {
	Metadata struct {
		UID string `json:"uid"`
	} `json:"metadata"`
	Data map[string][]byte `json:"data"`
}

// do tries the API servers in turn. If none has the record, and one says that
// it is not there, or does not know the token any more (it is bound to the
// record), that is ErrGone.
func (a *API) do(ctx context.Context, method string, body []byte) (secret, error) {
	var errs []error
	var gone error
	for _, server := range a.spec.Endpoints {
		got, err := a.ask(ctx, server, method, body)
		switch {
		case err == nil:
			return got, nil
		case errors.Is(err, ErrGone):
			gone = err
		default:
			errs = append(errs, err)
		}
	}
	if gone != nil {
		return secret{}, gone
	}
	return secret{}, errors.Join(errs...)
}

func (a *API) ask(ctx context.Context, server, method string, body []byte) (secret, error) {
	url := fmt.Sprintf("%s/api/v1/namespaces/%s/secrets/%s", server, a.spec.Record.Namespace, a.spec.Record.Name)
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return secret{}, err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "lifecycle-node")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	response, err := a.http.Do(request)
	if err != nil {
		return secret{}, err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(raw) > maxAnswer {
		err = fmt.Errorf("the answer of %s has more than %d MiB", server, maxAnswer>>20)
	}
	if err != nil {
		return secret{}, err
	}
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusUnauthorized:
		return secret{}, fmt.Errorf("%w: %s answers %s", ErrGone, server, response.Status)
	case http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return secret{}, fmt.Errorf("%w: %s answers %s", errTooLarge, server, response.Status)
	default:
		return secret{}, fmt.Errorf("%s %s: %s", method, url, response.Status)
	}
	var got secret
	if err := json.Unmarshal(raw, &got); err != nil {
		return secret{}, fmt.Errorf("decode the answer of %s: %w", server, err)
	}
	if got.Metadata.UID != a.spec.Record.UID {
		return secret{}, fmt.Errorf("%w: another has its name", ErrGone)
	}
	return got, nil
}
