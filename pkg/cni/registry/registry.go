// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/mirror"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// most is larger than any manifest or configuration of an image.
	most = 4 << 20
	// answerTimeout is for one answer.
	answerTimeout = 30 * time.Second
)

// Client asks registries.
type Client struct {
	// Roots are the authorities that certificates are checked with; nil means this
	// machine's.
	Roots *x509.CertPool
	// Credentials finds name and password of a registry; nil means none.
	Credentials Credentials
}

// Credentials finds name and password of a registry; empty if there are none.
type Credentials func(host string) (name, password string)

// mediaTypes are those of an image and of a list of images.
func mediaTypes() []string {
	return []string{
		"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
		"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
	}
}

// manifest is what matters of an image's manifest, or of a list of them.
type manifest struct {
	Manifests []struct {
		Platform struct {
			OS           string `json:"os"`
			Architecture string `json:"architecture"`
		} `json:"platform"`
	} `json:"manifests"`
	Config struct {
		Digest string `json:"digest"`
	} `json:"config"`
}

// Architectures lists those that an image is there for, on Linux.
func (c Client) Architectures(ctx context.Context, ref string) ([]string, error) {
	host, path := mirror.Split(ref)
	name, reference := divide(path)
	session := c.session(host)
	raw, err := session.get(ctx, name, "/manifests/"+reference, mediaTypes())
	if err != nil {
		return nil, err
	}
	if digest, pinned := strings.CutPrefix(reference, "sha256:"); pinned {
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != digest {
			return nil, errors.New("the manifest is not the one of that digest")
		}
	}
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, errors.New("the answer is not a manifest: is it a registry?")
	}
	if len(m.Manifests) > 0 {
		var found []string
		for _, one := range m.Manifests {
			if one.Platform.OS == "linux" {
				found = append(found, text.Short(one.Platform.Architecture, 40))
			}
		}
		slices.Sort(found)
		return slices.Compact(found), nil
	}
	if !strings.HasPrefix(m.Config.Digest, "sha256:") {
		return nil, errors.New("the answer is not a manifest: is it a registry?")
	}
	raw, err = session.get(ctx, name, "/blobs/"+m.Config.Digest, nil)
	if err != nil {
		return nil, err
	}
	var config struct {
		Architecture string `json:"architecture"`
	}
	if err := json.Unmarshal(raw, &config); err != nil || config.Architecture == "" {
		return nil, errors.New("its configuration names no architecture")
	}
	return []string{text.Short(config.Architecture, 40)}, nil
}

// divide cuts a tag or digest off a path; a digest is surer than a tag.
func divide(path string) (name, reference string) {
	if name, digest, pinned := strings.Cut(path, "@"); pinned {
		name, _, _ = strings.Cut(name, ":")
		return name, digest
	}
	if name, tag, tagged := strings.Cut(path, ":"); tagged {
		return name, tag
	}
	return path, "latest"
}

// session is what is known of one registry.
type session struct {
	client      *http.Client
	base, host  string
	credentials Credentials
	// authorization is of the last answer to "who are you"
	authorization string
}

func (c Client) session(host string) *session {
	asked := host
	if host == "docker.io" {
		asked = "registry-1.docker.io"
	}
	s := &session{client: c.client(), base: "https://" + asked, host: host, credentials: c.Credentials}
	if onThisMachine(asked) && c.Roots == nil {
		s.base = "http://" + asked // as Docker does: a registry on this machine has no certificate
	}
	return s
}

// get reads one answer, after having said who asks if it is wanted.
func (s *session) get(ctx context.Context, name, what string, accept []string) ([]byte, error) {
	for attempt := 0; ; attempt++ {
		within, cancel := context.WithTimeout(ctx, answerTimeout)
		raw, challenge, err := s.once(within, name, what, accept)
		cancel()
		if challenge == "" || attempt > 0 {
			return raw, err
		}
		if s.authorization, err = s.answer(ctx, challenge, name); err != nil {
			return nil, err
		}
	}
}

func (s *session) once(ctx context.Context, name, what string, accept []string) (raw []byte, challenge string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/v2/"+name+what, nil)
	if err != nil {
		return nil, "", fmt.Errorf("%s is not the name of an image", text.Quote(name))
	}
	for _, t := range accept {
		request.Header.Add("Accept", t)
	}
	if s.authorization != "" {
		request.Header.Set("Authorization", s.authorization)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, "", cause(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	switch response.StatusCode {
	case http.StatusOK:
		raw, err := io.ReadAll(io.LimitReader(response.Body, most+1))
		if err == nil && len(raw) > most {
			err = errors.New("the answer is larger than any manifest")
		}
		return raw, "", err
	case http.StatusUnauthorized:
		return nil, response.Header.Get("WWW-Authenticate"), errWho
	case http.StatusForbidden:
		return nil, "", errors.New("the registry does not let this name read it")
	case http.StatusNotFound:
		return nil, "", ErrMissing
	}
	return nil, "", fmt.Errorf("the registry says %s", response.Status)
}

// errWho is of a registry that wants to know who asks.
var errWho = errors.New("the registry wants a name and password (docker login, helm registry login)")

// ErrMissing says that the registry has no such image.
var ErrMissing = errors.New("it is not there")
